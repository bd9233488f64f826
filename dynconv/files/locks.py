"""One process at a time for what two may want to write: the same run, the same data set."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def turn(place: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Within it no other process is at work on `place`.

    The lock is flock's, on a hidden file beside `place`: the system gives it back when the process
    ends, however it ends. After a kill the empty file stays, until the next one's turn is over.

    Where files cannot be locked (on some network drives), or the hidden file not be made, it lies
    in this machine's temporary folder, and processes on other machines are not kept off. On Windows
    nobody waits. A file that is there or not, the usual substitute, would outlive a process that
    was killed, and keep all later ones waiting.

    Args:
        place: the folder to be written. The one that it is in exists.
        wait: is called, once, if another process is at work there, before this one waits for it.
    """
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    elsewhere = Path(tempfile.gettempdir(), f".dynconv-{digest}.lock")
    handle = None
    for file in (_beside(place), elsewhere) if fcntl else ():
        if (handle := _lock(file, wait)) is not None:
            break
    try:
        yield
    finally:
        if handle is not None:
            file.unlink(missing_ok=True)  # before it is unlocked, see below
            # Not by closing it: processes that were forked meanwhile hold the same lock.
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def is_marked(place: Path) -> bool:
    """Whether a process is at work on `place`, or was killed there: `turn` waits for the one, and
    clears away what the other has left.
    """
    return os.path.lexists(_beside(place))


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.lock")


def _lock(file: Path, wait: Callable[[], None]) -> int | None:
    """The descriptor of the locked file; None where there are no locks."""
    for attempt in range(100):
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt == 0:
                    wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            # Whoever is through removes the file. Then what we have got is a lock on nothing, and
            # others make a new file and lock that.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(file)):
                    return handle
        except OSError:
            os.close(handle)
            file.unlink(missing_ok=True)
            return None
        except BaseException:  # Ctrl-C while waiting
            os.close(handle)
            raise
        os.close(handle)
    return None  # a file system that cannot tell one file from another
