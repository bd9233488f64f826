"""Writing several files: all of them, or none."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from .errors import UnwritableTree


def write_all(root: Path, contents: dict[str, bytes | None], like: str) -> None:
    """Write (None: delete) files below root, each at once by a rename. If one fails, those before
    it are put back.

    Args:
        contents: {path within root: what it shall hold}. A folder that is missing is made, one in
            which nothing is left is removed.
        like: path within root of the file whose permissions new files get.

    Raises:
        UnwritableTree: one could not be written; everything is as it was.
    """
    for name in (*contents, like):
        _draft(root / name).unlink(missing_ok=True)  # of a process that was killed
    folders = {(root / name).parent for name in contents}
    new_folders = [folder for folder in folders if not folder.exists()]
    before: dict[str, bytes | None] = {}
    try:
        for name, data in contents.items():
            path = root / name
            before[name] = path.read_bytes() if path.exists() else None
            _put(path, data, root / like)
    except BaseException as error:  # also Ctrl-C
        for name, data in reversed(before.items()):
            with contextlib.suppress(OSError):
                _put(root / name, data, root / like)
        _remove_if_empty(new_folders)
        if isinstance(error, OSError):
            raise UnwritableTree(
                f"{error.filename or root} cannot be written ({error.strerror or error})."
                " Everything is as it was. Work on a copy of the tree that belongs to you."
            ) from error
        raise
    _remove_if_empty(folders)


def _put(path: Path, data: bytes | None, like: Path) -> None:
    if data is None:
        path.unlink(missing_ok=True)
        return
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(exist_ok=True)
    path = path.resolve()
    draft = _draft(path)
    try:
        draft.write_bytes(data)
        shutil.copymode(path if path.exists() else like, draft)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _remove_if_empty(folders) -> None:
    """Remove those that hold nothing but Python's cache."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if {path.name for path in folder.iterdir()} <= {"__pycache__"}:
                shutil.rmtree(folder)
