"""What a training run leaves in its folder, and how it is read again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..checks import check_file, shown
from ..files.whole import write_whole

# What makes a run whole, besides run.json itself: their digests stand in it.
_FILES = ("results.csv", "weights/last.pt")


class DamagedRunError(ValueError):
    """A finished run is not as it was when it ended; the message says which file, and what to
    do.
    """


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
        """Write `run.json`, which makes the run a finished one, and seals what is in its folder."""
        folder = Path(self.folder)
        seal = {"run": folder.name} | {name: _file_digest(folder / name) for name in _FILES}
        values = asdict(self) | {"seal": seal}
        seal["run.json"] = _digest(values)
        write_whole(folder / "run.json", json.dumps(values, indent=1, default=str))


def load_run(folder: str | os.PathLike, name: str | None = None) -> Run:
    """The run that `train` has left in a folder, also if the folder was moved. It is believed only
    if nothing of it has changed since it ended.

    Args:
        folder: that of the run.
        name: what the folder was called when the run ended, if that is to be checked. It says what
            went into the run.

    Raises:
        FileNotFoundError: there is no finished run.
        DamagedRunError: run.json, results.csv or the weights are not what they were.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise TypeError(f"folder must be a path, got {shown(folder)}")
    folder = Path(folder)
    file = folder / "run.json"
    if not os.path.lexists(file):
        raise FileNotFoundError(
            f"there is no finished run in {folder}: no run.json, which train writes at the end"
        )
    values = _read(file)
    seal = values.pop("seal")
    if name not in (None, seal["run"]):
        raise _damaged(file, f"is of another run, {seal['run']}")
    for part in _FILES:
        if not (folder / part).is_file():
            raise _damaged(folder / part, "is missing")
        if _file_digest(folder / part) != seal[part]:
            raise _damaged(folder / part, "has changed since the run ended")
    return Run(**values | {"folder": str(folder)})


def _read(file: Path) -> dict:
    """What `Run.save` has written, unchanged."""
    if not file.is_file():
        raise _damaged(file, "is no file")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        digest, known = values["seal"].pop("run.json"), values.keys()
    # no JSON, or JSON of something else
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(file, "is not what train writes") from error
    if digest != _digest(values) or known != {*Run.__dataclass_fields__, "seal"}:
        raise _damaged(file, "has changed since the run ended, or is of another version")
    return values


def _damaged(file: Path, what: str) -> DamagedRunError:
    return DamagedRunError(
        f"{file} {what}. train, called again with what the run was called with, keeps what is"
        " whole and makes the rest anew"
    )


def _digest(values: dict) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()


def _file_digest(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


_MOST_BYTES = 10_000_000  # of a results.csv, which has some 200 in a row
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
        ValueError: it is none, or holds something else.
    """
    file = check_file("results.csv", file)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        with open(file, encoding="utf-8", newline="") as lines:
            rows = [
                {name.strip(): float(value) for name, value in row.items()}
                for row in csv.DictReader(lines)
            ]
        return _curves(rows)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{file} is not what ultralytics writes ({reason})") from error


def _curves(rows: list[dict[str, float]]) -> dict[str, list[float]]:
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
