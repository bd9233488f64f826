"""Which exercises were right once: kept in one file in the working folder, and nowhere else."""

from __future__ import annotations

import contextlib
import datetime
import json
from pathlib import Path

from ..files.whole import whole_in_turn

FILE = Path("dynconv-progress.json")  # {number of the exercise: the day on which it was right}


def solved() -> dict[str, str]:
    """{number: day} of the exercises that were right once.

    Raises:
        ValueError: somebody has changed the file to what it cannot be; the message names it.
    """
    try:
        text = FILE.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and all(isinstance(day, str) for day in found.values()):
            return found
    raise ValueError(
        f"{FILE.absolute()} does not hold what was right so far, {{number: day}}; to start anew,"
        " delete it or call forget()"
    )


def remember(number: str) -> None:
    """Keep that an exercise was right today. Where nothing can be written, nothing is kept: an
    answer is right all the same.
    """
    with contextlib.suppress(OSError, ValueError):
        if number in solved():
            return
        with whole_in_turn(FILE) as draft:
            today = datetime.date.today().isoformat()
            draft.write_text(json.dumps(solved() | {number: today}, indent=1), encoding="utf-8")


def forget() -> None:
    """Start anew: remove the file."""
    FILE.unlink(missing_ok=True)
