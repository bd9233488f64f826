"""Trains a model for an epoch on a Ray cluster, on the tiny data set."""

from tiny import OPTIONS

from dynconv.lab.sweep import sweep

settings = {key: OPTIONS[key] for key in ("imgsz", "batch", "workers", "device")} | {"epochs": 1}
(run,) = sweep(
    ["yolov10n-dynamicconv-1"], "data.yaml", settings, seeds=[0], folder="swept", ray=True
)
assert run.weights.exists(), run
print("ok")
