"""The laboratory in small: a data set of objects under lights, checked; α recorded on it; a figure
and a figure to touch made of both; the detector that comes with the package, loaded.
"""

import numpy as np
from PIL import Image

from dynconv import yolo
from dynconv.figures import plots, widgets
from dynconv.lab import dataset, detector, recording, scenes, summaries

data = scenes.make("scenes", objects="digits", train=8, val=8, size=64, progress=False)
dataset.check_dataset(data.yaml)
alpha = recording.record(yolo.build("yolov10n-dynamicconv-1"), data.images(), progress=False)
means = summaries.means(alpha, data.lights())
assert set(means) == set(data.lights()), means

grey = np.stack([np.asarray(Image.open(file).convert("L")) / 255 for file in data.images()])
first = next(iter(alpha.values()))[:, 0]
figure = plots.strip(grey, first, data.lights(), expert=0)
assert "<svg" in plots.to_html(figure, "α of eight pictures")
assert "<script" in widgets.kernel_mixer(grey[0], np.ones((2, 3, 3)))._repr_html_()
assert detector.load().predict(data.images()[0], imgsz=96, verbose=False)
print("ok")
