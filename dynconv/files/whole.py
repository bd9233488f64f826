"""Files that are there whole or not at all, however a process ends."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_DRAFT = ".part"


@contextlib.contextmanager
def whole(file: Path) -> Iterator[Path]:
    """The path of a draft to be written, which takes the place of `file` at the end of the block.

    A process that is killed within it leaves the draft, under a name that is always the same: the
    next one writes over it, or calls `remove_drafts`.
    """
    draft = file.with_name(file.name + _DRAFT)
    try:
        yield draft
        with open(draft, "rb+") as written:
            os.fsync(written.fileno())  # or, after a power cut, the new name may hold nothing
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_whole(file: Path, text: str) -> None:
    with whole(file) as draft:
        draft.write_text(text, encoding="utf-8")


def remove_drafts(folder: Path) -> None:
    """What killed processes have left in a folder and those in it."""
    for draft in folder.rglob("*" + _DRAFT):
        remove(draft)


def remove(place: Path) -> None:
    """Whatever is there: a file, a folder with all that is in it, a link, or nothing."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
