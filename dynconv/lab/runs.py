"""What a training run leaves in its folder, and how it is read again."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


@dataclass
class Run:
    """What a training run leaves: plain numbers, saved as `run.json` in its folder."""

    model: str
    seed: int
    folder: str
    settings: dict
    data: dict  # name, classes, images of each split, digest
    parameters: int
    curves: dict[str, list[float]]  # one value per epoch: the names of CURVES, and 'seconds'
    seconds: float  # by the clock: training and validation of all epochs
    versions: dict[str, str]

    @property
    def mAP50(self) -> float:
        """At the end of the last epoch, on framed images. (The epoch of best.pt did best on the
        same images, a flattering choice.)
        """
        return self.curves["mAP50"][-1]

    @property
    def weights(self) -> Path:
        """The network at the end of the last epoch."""
        return Path(self.folder) / "weights/last.pt"

    def save(self) -> None:
        """Write `run.json`, which makes the run a finished one."""
        file = Path(self.folder) / "run.json"
        draft = file.with_name("run.json.part")
        draft.write_text(json.dumps(asdict(self), indent=1, default=str), encoding="utf-8")
        draft.replace(file)


def load_run(folder: str | os.PathLike) -> Run:
    """The run that `train` has left in a folder, also if the folder was moved.

    Raises:
        FileNotFoundError: there is no finished run.
    """
    folder = Path(folder)
    saved = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return Run(**saved | {"folder": str(folder)})


# The columns of ultralytics' results.csv by their short names.
CURVES = {
    "epoch": "epoch",
    "box loss": "train/box_loss",
    "class loss": "train/cls_loss",
    "mAP50": "metrics/mAP50(B)",
    "mAP50-95": "metrics/mAP50-95(B)",
}


def read_results(file: str | os.PathLike) -> dict[str, list[float]]:
    """The curves in ultralytics' results.csv, under short names, and the seconds of each epoch.

    A run that was continued can hold an epoch twice, of which the second counts; its clock starts
    at 0 again.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with open(file, encoding="utf-8", newline="") as lines:
        rows = [
            {name.strip(): float(value) for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]
    clock = 0.0
    for row in rows:
        row["seconds"] = row["time"] - clock if row["time"] > clock else row["time"]
        clock = row["time"]
    rows = list({row["epoch"]: row for row in rows}.values())
    columns = CURVES | {"seconds": "seconds"}
    return {name: [row[column] for row in rows] for name, column in columns.items()}


def versions(device: str | None = None) -> dict[str, str]:
    """What the numbers of a run depend on besides its settings. `device` is the setting of that
    name.
    """
    packages = {name: _version(name) for name in ("dynconv", "torch", "ultralytics")}
    on_gpu = torch.cuda.is_available() and str(device) != "cpu"
    cpu = f"CPU, {torch.get_num_threads()} threads"
    return packages | {"device": torch.cuda.get_device_name() if on_gpu else cpu}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # pip has not installed it: a clone on PYTHONPATH
        return str(import_module(package).__version__)
