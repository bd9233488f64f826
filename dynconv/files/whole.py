"""Files that are there whole or not at all, however a process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .locks import turn

_DRAFT = ".part"
# The disk is full, or the part of it that is ours, or the file as long as a file may be.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def whole(file: Path) -> Iterator[Path]:
    """The path of a draft to be written, which takes the place of `file` at the end of the block.

    A process that is killed within it leaves the draft, under a name that is always the same: the
    next one writes over it, or calls `remove_drafts`. Only one process at a time may be at a file:
    see `whole_in_turn`.

    Raises:
        OSError: the draft could not be written; `file` is as it was.
    """
    draft = file.with_name(file.name + _DRAFT)
    try:
        yield draft
        with open(draft, "rb+") as written:
            os.fsync(written.fileno())  # or, after a power cut, the new name may hold nothing
        draft.replace(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
            what = "the disk is full; free some space and try again. Not written was"
            raise OSError(error.errno, what, str(file)) from error
        raise


@contextlib.contextmanager
def whole_in_turn(file: Path) -> Iterator[Path]:
    """`whole` for a file that two processes may want to write: the second one waits."""
    say = f"{file.name}: another process is writing it, waiting"
    with turn(file.absolute(), lambda: print(say, flush=True)), whole(file) as draft:
        yield draft


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
