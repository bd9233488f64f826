"""Loads what `train.py` left, and predicts. Arguments: MODEL=CLASS, the class that must be in it.

Nothing of dynconv is imported here: loading the checkpoint must do that.
"""

import sys

from ultralytics import YOLO

for argument in sys.argv[1:]:
    name, wanted = argument.split("=")
    model = YOLO(f"{name}/weights/best.pt")
    model.predict("images/val/0.png", imgsz=64, verbose=False)
    found = {type(part).__name__ for part in model.model.modules()}
    assert wanted in found, f"{name} was loaded without {wanted}"
print("ok")
