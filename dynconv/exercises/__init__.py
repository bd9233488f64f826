"""Exercises that check themselves: `check("1.2", my_answer)` prints what is right, or what is wrong
and a hint.

Exercise N.k is a public function in `chapter_NN.py`, whose docstring begins with its number. It
tries an answer and raises `Wrong` with a hint when that fails. The stub in the notebook has the
same name, and so has the solution, which is not in the package. No list names the chapters or the
exercises: what is there is found.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import time
import types
from collections.abc import Callable
from dataclasses import dataclass

from .asking import ask as ask
from .checking import NotAttempted, Wrong, as_it_was
from .progress import forget as forget
from .progress import remember, solved


class IncompleteExerciseError(LookupError):
    """A part of an exercise was forgotten; the message says which, and where it belongs."""


def chapters() -> list[int]:
    """The numbers of the chapters that have exercises."""
    names = [each.name for each in pkgutil.iter_modules(__path__)]
    return sorted(int(name[8:]) for name in names if name.startswith("chapter_"))


@functools.cache
def checkers(chapter: int) -> dict[str, Callable]:
    """{number of the exercise: what checks it} of one chapter. Only its own file is imported.

    Raises:
        IncompleteExerciseError: a public function of the file does not say its number.
    """
    module = importlib.import_module(f".chapter_{chapter:02d}", __name__)
    found = {}
    for function in public_functions(module):
        number = (function.__doc__ or "").partition(":")[0]
        if number != f"{chapter}.{len(found) + 1}":
            raise IncompleteExerciseError(
                f"{module.__name__}.{function.__name__}: the docstring of a checker begins with its"
                f" number, which is {chapter}.{len(found) + 1} here; this one begins with"
                f" {number!r}. If it checks no exercise, let its name begin with an underscore"
            )
        found[number] = function
    return found


def public_functions(module: types.ModuleType) -> list[Callable]:
    """Those that the module itself defines, in the order in which they stand there."""
    return [
        each
        for name, each in vars(module).items()
        if inspect.isfunction(each)
        and not name.startswith("_")
        and each.__module__ == module.__name__
    ]


def _checker(number: str) -> Callable:
    chapter = str(number).partition(".")[0]
    if chapter in map(str, chapters()):
        found = checkers(int(chapter))
        if number in found:
            return found[number]
    there_are = ", ".join(each for chapter in chapters() for each in checkers(chapter))
    raise ValueError(f"there is no exercise {number!r}; there are {there_are}")


def grade(number: str, answer) -> tuple[str, str]:
    """Try an answer: ('right' | 'wrong' | 'open' | 'failed', a message for the reader). Never
    raises for what the answer does; afterwards random states are as they were. 'failed' means that
    the checker itself failed, which says nothing of the answer.

    Raises:
        ValueError: there is no exercise of that number.
    """
    checker = _checker(number)
    try:
        with as_it_was():
            return "right", checker(answer)
    except NotAttempted:
        return "open", "not attempted yet. Replace the `...` and run the cell again."
    except Wrong as hint:
        return "wrong", str(hint)
    except Exception as error:
        return "failed", (
            f"the checker itself failed ({type(error).__name__}: {error}). That says nothing of"
            " your answer. Please report it, with your answer."
        )


@dataclass(frozen=True)
class Result:
    """What `check` found: the verdict and the message of `grade`, and how long the check took."""

    number: str
    verdict: str
    message: str
    seconds: float

    @property
    def points(self) -> int:
        """1 for a right answer, else 0. A teacher may weigh them."""
        return int(self.verdict == "right")

    @property
    def hint(self) -> str | None:
        """What a wrong answer is told."""
        return self.message if self.verdict == "wrong" else None

    def __str__(self) -> str:
        mark = {"right": "✓", "wrong": "✗", "open": "○", "failed": "!"}[self.verdict]
        return f"{mark} Exercise {self.number}: {self.message}"

    def _ipython_display_(self) -> None:
        """Nothing: `check` has printed it."""


def check(number: str, answer) -> Result:
    """Print the verdict on an answer to exercise `number`, and return it. What is right is kept for
    `progress`.

    Raises:
        ValueError: there is no exercise of that number.
    """
    begun = time.perf_counter()
    verdict, message = grade(number, answer)
    result = Result(number, verdict, message, time.perf_counter() - begun)
    print(result)
    if verdict == "right":
        remember(number)
    return result


def progress() -> None:
    """Print for each chapter which of its exercises were right once, as far as the file
    `dynconv-progress.json` in the working folder knows. `forget()` starts anew.

    Raises:
        ValueError: that file is broken.
    """
    right = solved()
    for chapter in chapters():
        numbers = [*checkers(chapter)]
        done = sum(number in right for number in numbers)
        marks = "  ".join(f"{number} {'✓' if number in right else '·'}" for number in numbers)
        print(f"chapter {chapter:2}: {done} of {len(numbers)} right   {marks}")
