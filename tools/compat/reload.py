"""Loads what `train.py` left, with the class that must be in it (trained.json), and predicts.

Nothing of dynconv is imported here: loading the checkpoint must do that.
"""

import json
from pathlib import Path

from ultralytics import YOLO

for name, wanted in json.loads(Path("trained.json").read_text()).items():
    model = YOLO(f"{name}/weights/best.pt")
    model.predict("images/val/0.png", imgsz=64, verbose=False)
    found = {type(part).__name__ for part in model.model.modules()}
    assert wanted in found, f"{name} was loaded without {wanted}"
print("ok")
