"""What a stopped run has left, made fit to be continued; and what is said of a full disk."""

from __future__ import annotations

import contextlib
import errno
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from ..files.whole import remove, remove_drafts, whole, write_whole


def mend(place: Path, data: Path) -> tuple[int, int]:
    """Make a stopped run fit to be continued, or find that it is trained to its end.

    All that counts is in a whole checkpoint of this run: the network, how far it came, and the rows
    of results.csv up to there, which are written anew. The last one counts, or if that was cut off
    while it was written, or spoilt, that of the best epoch. It learns where the run and the data
    are now.

    Args:
        place: the folder of the run; it need not exist.
        data: the data YAML.

    Returns:
        How many epochs the last whole checkpoint has seen, 0 if there is none, and how many it
        shall see. If they are the same, last.pt is stripped of what only training needs.
    """
    remove(place / "run.json")
    remove_drafts(place)
    last, results = place / "weights/last.pt", place / "results.csv"
    for file in filter(Path.is_dir, (last, results)):
        remove(file)
    for file in (last, last.with_name("best.pt")):
        if (checkpoint := _read_whole(file)) is None:
            continue
        asked, table = checkpoint["train_args"], _table(checkpoint)
        done, rows = checkpoint["epoch"] + 1, table.count("\n") - 1
        ended = done == 0 and file == last  # ultralytics has stripped it
        if asked.get("name") != place.name or rows < 1 or not (ended or rows == done):
            continue
        write_whole(results, table)
        if ended:
            return rows, rows
        here = {"save_dir": str(place), "data": str(data)}
        if file != last or {name: asked[name] for name in here} != here:
            asked.update(here)
            with whole(last) as draft:
                torch.save(checkpoint, draft)
        if done >= asked["epochs"]:  # stopped before it was stripped
            strip(last.parent)
        return done, asked["epochs"]
    return 0, 0


def strip(weights: Path) -> None:
    """Take the state of the optimiser out of all checkpoints in a folder, of last.pt at the end: if
    that is stripped, all are.
    """
    from ultralytics.utils.torch_utils import strip_optimizer

    for file in sorted(weights.glob("*.pt"), key=lambda file: file.name == "last.pt"):
        if zipfile.is_zipfile(file):
            with whole(file) as draft:
                strip_optimizer(file, str(draft))


def _read_whole(file: Path) -> dict | None:
    """A checkpoint of which no byte was lost or changed; else None."""
    from ..yolo.safe_load import read_checkpoint

    if not file.is_file():
        return None
    try:
        with zipfile.ZipFile(file) as archive:  # with a checksum of each part
            if archive.testzip() is not None:
                return None
    except Exception:  # zipfile raises many kinds for what is none
        return None
    try:
        checkpoint = read_checkpoint(file)
    except (RuntimeError, EOFError, pickle.UnpicklingError):  # torch's own words for a spoilt file
        return None
    known = isinstance(checkpoint, dict) and {"epoch", "train_args"} <= checkpoint.keys()
    return checkpoint if known else None


def _table(checkpoint: dict) -> str:
    """results.csv as it was when a checkpoint was written, with a row for each epoch; '' if one is
    missing.
    """
    columns = checkpoint.get("train_results") or {}  # lists of numbers, or of numbers as text
    rows = list(zip(*columns.values()))
    if columns.get("epoch") != list(range(1, len(rows) + 1)):
        return ""
    lines = [",".join(columns), *(",".join(f"{float(one):.6g}" for one in row) for row in rows)]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def explain_full_disk(place: Path) -> Iterator[None]:
    """An error because the disk is full becomes an OSError that says so, and what to do."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        # torch's writer knows no errno
        by_torch = any(word in str(error) for word in ("PytorchStreamWriter", "iostream error"))
        if by_torch or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                errno.ENOSPC,
                "the disk is full; free some space and call train again, it continues. Written was",
                str(place),
            ) from error
        raise
