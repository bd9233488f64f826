"""Makes the tiny data set and trains the examples on it for an epoch: trained.json."""

import json
import os
from pathlib import Path

from tiny import OPTIONS, examples, make_data

from dynconv import yolo

make_data(Path.cwd())
for name in examples():
    yolo.build(name).train(epochs=1, project=os.getcwd(), name=name, **OPTIONS)
Path("trained.json").write_text(json.dumps(examples()))
print("ok")
