"""Each exercise: its solution passes, an untouched stub is called open, typical mistakes meet the
right hint, and none of its parts was forgotten.

The mistakes of chapter NN stand in `tests/exercises/chapter_NN.py`: {number: [(answer, pattern that
the hint must match), ...]}.
"""

import ast
import importlib
import inspect
import re
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from notebook_files import CHAPTERS, cells, markdown, parsed

from dynconv import exercises
from dynconv.exercises import checking

NUMBERS = [number for chapter in exercises.chapters() for number in exercises.checkers(chapter)]
MISTAKES = {
    file.stem: importlib.import_module(f"exercises.{file.stem}").MISTAKES
    for file in sorted((ROOT / "tests/exercises").glob("chapter_*.py"))
}


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_passes(number):
    verdict, message = exercises.grade(number, exercises.solution(number))
    assert verdict == "right", message


@pytest.mark.parametrize("number", NUMBERS)
def test_an_untouched_stub_is_open(number):
    assert exercises.grade(number, lambda *a: ...)[0] == "open"
    assert exercises.grade(number, lambda *a: None)[0] == "open"


@pytest.mark.parametrize(
    "number, answer, hint",
    [
        pytest.param(number, answer, hint, id=f"{number}-{hint}")
        for of_chapter in MISTAKES.values()
        for number, mistakes in of_chapter.items()
        for answer, hint in mistakes
    ],
)
def test_a_typical_mistake_meets_its_hint(number, answer, hint):
    verdict, message = exercises.grade(number, answer)
    assert verdict == "wrong"
    assert re.search(hint, message), message


@pytest.mark.parametrize("number", NUMBERS)
def test_whatever_the_answer_raises_or_returns_is_feedback(number):
    def crash(*arguments):
        raise RuntimeError("oops")

    assert exercises.grade(number, crash) == ("wrong", "your code raised RuntimeError: oops")
    for nonsense in ("text", [1, 2], True, object(), float("nan")):
        assert exercises.grade(number, lambda *a, nonsense=nonsense: nonsense)[0] == "wrong"
    assert exercises.grade(number, 42)[0] == "wrong"  # not a function
    one = torch.ones(1, 1, 1, 1)
    assert F.conv2d(one, one).item() == 1, "exercise 1.3 must give conv2d back"


def test_a_number_of_numpy_is_a_number():
    assert checking.number(np.float32(0.5)) == 0.5 and checking.number(np.int64(3)) == 3
    with pytest.raises(checking.Wrong, match="a number is wanted"):
        checking.number(np.True_)


def test_check_prints_and_an_unknown_number_is_named(capsys):
    exercises.check("1.1", exercises.solution("1.1"))
    exercises.check("1.1", lambda a, w: ...)
    right, stub = capsys.readouterr().out.splitlines()
    assert right.startswith("✓ Exercise 1.1: right")
    assert stub.startswith("○ Exercise 1.1: not attempted yet")
    for number in ("9.9", "1.9", 1.1):
        with pytest.raises(ValueError, match=f"no exercise {number!r}; there are 1.1, 1.2"):
            exercises.check(number, None)


# --- the parts of an exercise: heading and stub, checker, solution, mistakes ----------------------


def test_every_chapter_has_exercises():
    notebooks = {int(path.stem[:2]): path for path in CHAPTERS}
    assert notebooks.keys() == set(exercises.chapters()), (
        "each chapter has a notebook, and checkers in dynconv/exercises/chapter_NN.py"
    )
    named = {f"chapter_{chapter:02d}" for chapter in notebooks}
    solved = {file.stem for file in (ROOT / "dynconv/exercises/solutions").glob("chapter_*.py")}
    assert solved == named, "each has solutions in dynconv/exercises/solutions/chapter_NN.py"
    assert MISTAKES.keys() == named, "each has mistakes in tests/exercises/chapter_NN.py"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_part_of_an_exercise_was_forgotten(path):
    chapter = int(path.stem[:2])
    name = f"chapter_{chapter:02d}"
    checkers = {number: each.__name__ for number, each in exercises.checkers(chapter).items()}
    headings = re.findall(r"^### Exercise (\S+)", markdown(path), re.MULTILINE)
    assert headings == [*checkers], "headings of the notebook, and checkers"
    stubs = dict(stubs_of(path))
    assert {number: stub.name for number, stub in stubs.items()} == checkers, (
        "stubs with `check(number, stub)` in their cell, and checkers: they share their names"
    )
    solutions = importlib.import_module(f"dynconv.exercises.solutions.{name}")
    solutions = {each.__name__: each for each in exercises.public_functions(solutions)}
    assert [*solutions] == [*checkers.values()], "solutions and checkers share names and order"
    for number, function in checkers.items():
        assert [each.arg for each in stubs[number].args.args] == [
            *inspect.signature(solutions[function]).parameters
        ], f"{number}: the solution takes what the stub takes"
        assert solutions[function].__doc__, f"{number}: the solution's remark is its docstring"
        assert "\n\nTypical mistakes: " in inspect.getdoc(exercises.checkers(chapter)[number]), (
            f"{number}: the docstring of its checker says 'Typical mistakes: ...'"
        )
    assert [*MISTAKES[name]] == [*checkers], f"the mistakes in tests/exercises/{name}.py"
    few = [number for number, mistakes in MISTAKES[name].items() if len(mistakes) < 2]
    assert not few, f"at least two mistakes for each of {few}"


def stubs_of(path):
    """(number, definition of the stub) of each cell that calls `check`."""
    for cell in cells(path, "code"):
        tree = parsed(cell.source)
        stubs = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "check":
                number, stub = node.args
                assert stub.id in stubs, f"{cell.id} checks {stub.id} and does not define it"
                yield number.value, stubs[stub.id]


@pytest.fixture
def chapter_99(tmp_path, monkeypatch):
    """Makes a chapter 99 of the text of its checkers."""

    def make(text):
        (tmp_path / "chapter_99.py").write_text(text)
        importlib.invalidate_caches()

    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, str(tmp_path)])
    yield make
    sys.modules.pop("dynconv.exercises.chapter_99", None)
    exercises.checkers.cache_clear()


def test_a_new_chapter_is_found_and_a_missing_solution_is_named(chapter_99):
    chapter_99("def half(answer):\n    '''99.1: `half(x)`.'''\n    return 'right'\n")
    assert exercises.chapters()[-1] == 99
    assert exercises.grade("99.1", None) == ("right", "right")
    with pytest.raises(exercises.IncompleteExerciseError) as complaint:
        exercises.solution("99.1")
    assert "write dynconv.exercises.solutions.chapter_99.half" in str(complaint.value)


@pytest.mark.parametrize("says", ["", "'''Halves.'''", "'''99.2: too far.'''", "'''98.1: no.'''"])
def test_a_checker_that_does_not_say_its_number_is_named(chapter_99, says):
    chapter_99(f"def half(answer):\n    {says}\n    return 'right'\n")
    with pytest.raises(exercises.IncompleteExerciseError, match="chapter_99.half: .* 99.1 here"):
        exercises.check("99.1", None)
