"""What a stopped run has left, made fit to be continued; and what is said of a full disk."""

from __future__ import annotations

import contextlib
import errno
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch


def mend(place: Path, data: Path) -> tuple[int, int]:
    """Make a stopped run fit to be continued, or find that it is trained to its end.

    A checkpoint that was cut off while it was written is replaced by that of the best epoch, which
    is a whole one too. The checkpoint learns where the run and the data are now, and results.csv
    loses what came after it.

    Args:
        place: the folder of the run; it need not exist.
        data: the data YAML.

    Returns:
        How many epochs the last whole checkpoint has seen, 0 if there is none, and how many it
        shall see.
    """
    from ..yolo.safe_load import read_checkpoint

    last, table = place / "weights/last.pt", place / "results.csv"
    # A checkpoint is a ZIP file, whose directory is at its end: missing if it was cut off.
    whole = [file for file in (last, last.with_name("best.pt")) if zipfile.is_zipfile(file)]
    if not whole or not table.exists() or not table.stat().st_size:
        return 0, 0
    file = whole[0]
    checkpoint = read_checkpoint(file)
    done, asked = checkpoint["epoch"] + 1, checkpoint["train_args"]
    if done == 0:  # ultralytics has ended the run, and stripped it of what training needs
        return (1, 1) if file == last else (0, 0)
    if not _cut_table(table, done):
        return 0, 0
    here = {"save_dir": str(place), "data": str(data)}
    if file != last or {name: asked[name] for name in here} != here:
        asked.update(here)
        draft = last.with_suffix(".part")
        torch.save(checkpoint, draft)
        draft.replace(last)
    return done, asked["epochs"]


def _cut_table(table: Path, done: int) -> bool:
    """Leave the first `done` epochs in a results.csv; False if one of them is missing."""
    heading, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = {
        int(line.partition(",")[0]): line
        for line in lines
        if line.count(",") == heading.count(",") and line.endswith("\n")
    }
    epochs = range(1, done + 1)
    if not rows.keys() >= set(epochs):
        return False
    draft = table.with_suffix(".part")
    draft.write_text(heading + "".join(rows[epoch] for epoch in epochs), encoding="utf-8")
    draft.replace(table)
    return True


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
