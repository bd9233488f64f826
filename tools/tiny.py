"""A data set of eight tiny images, and what train() is told with it: for whoever must see a run
from begin to end, and not its result.
"""

from pathlib import Path

import numpy as np
from PIL import Image

# Arguments of train() in a process that runs in the folder of `make_data`. `project` belongs to
# them, the folder itself: ultralytics puts a relative project into a folder of its own.
OPTIONS = {
    "data": "data.yaml",
    "imgsz": 64,
    "batch": 4,
    "workers": 0,
    "device": "cpu",
    "plots": False,
    "exist_ok": True,
}


def make_data(folder: Path) -> Path:
    """Four images to train on and four to validate with, of noise, with one box each:
    folder/data.yaml.
    """
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        (folder / "images" / part).mkdir(parents=True)
        (folder / "labels" / part).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
                folder / "images" / part / f"{i}.png"
            )
            (folder / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [thing]\n"
    )
    return folder
