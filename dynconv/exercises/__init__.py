"""Exercises that check themselves: `check("1.2", my_answer)` prints what is right, or what is wrong
and a hint.

Each exercise has one function here that tries an answer and raises `Wrong` with a hint when it
fails. The reference solutions live apart, in `solutions/`, so that a teacher can leave them out.
"""

from __future__ import annotations

from . import (
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_07,
    chapter_08,
    chapter_10,
    chapter_11,
    chapter_12,
)
from ._checking import NotAttempted, Wrong

_CHAPTERS = (
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_07,
    chapter_08,
    chapter_10,
    chapter_11,
    chapter_12,
)
EXERCISES = {number: check for chapter in _CHAPTERS for number, check in chapter.EXERCISES.items()}


def grade(number: str, answer) -> tuple[str, str]:
    """Try an answer: ('right' | 'wrong' | 'open', a message for the reader). Never raises for what
    the answer does.

    Raises:
        ValueError: there is no exercise of that number.
    """
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(EXERCISES)}")
    try:
        praise = EXERCISES[number](answer)
    except NotAttempted:
        return "open", "not attempted yet. Replace the `...` above and run the cell again."
    except Wrong as hint:
        return "wrong", str(hint)
    except Exception as error:  # whatever the reader's code raises is feedback, not a crash
        return "wrong", f"your code raised {type(error).__name__}: {error}"
    return "right", praise


def check(number: str, answer) -> None:
    """Print the verdict on an answer to exercise `number`."""
    verdict, message = grade(number, answer)
    print(f"{ {'right': '✓', 'wrong': '✗', 'open': '○'}[verdict] } Exercise {number}: {message}")
