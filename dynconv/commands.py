"""How the package's commands end where an argument is wrong: with one line and exit code 2, which
`python -X dev` turns into a traceback.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

# What ultralytics and this package raise for an argument that is wrong, a command that a model has
# not, or a package that it needs and that is not installed.
MISTAKES = (SyntaxError, OSError, TypeError, ValueError, NotImplementedError, ImportError)


def say(error: BaseException) -> None:
    lines = str(error).strip().splitlines() or [""]  # ultralytics adds its whole help
    notes = getattr(error, "__notes__", [])  # which row of a model it was
    print(f"{type(error).__name__}: {'; '.join([lines[0], *notes])}", file=sys.stderr)


@contextlib.contextmanager
def mistakes_named() -> Iterator[None]:
    """Around what a command does with its arguments."""
    try:
        yield
    except MISTAKES as error:
        if sys.flags.dev_mode:
            raise
        say(error)
        sys.exit(2)
