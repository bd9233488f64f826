"""The pages that are made of the exercises: nothing of them is written twice."""

import json
import re

import exercises_pages
import pytest
from conftest import HTML, ROOT

from dynconv import exercises

CHECKERS = '''
def half(answer):
    """1.1: `half(x)`."""
    return _praise()


def _praise():
    """No exercise."""
    return "right"
'''
SOLUTIONS = '''
import functools


@functools.cache
def half(x):
    r"""Since $x \\cdot 2$ is even.

    Mind the type.
    """

    def divide(y):
        return x // y

    return divide(2)
'''
MISTAKES = """
MISTAKES = {
    "1.1": {
        "double it": (lambda x: 2 * x, "half"),
        "forget that $x$ may be odd": (round, "odd"),
    },
}

OTHERS = {"1.1": [(abs, "not listed")]}
"""


@pytest.fixture
def house(tmp_path):
    """A small book with one chapter."""
    cells = [{"cell_type": "markdown", "source": ["# 1. Halves\n", "\n", "A promise."]}]
    write(tmp_path / "notebooks/01_halves.ipynb", json.dumps({"cells": cells}))
    write(tmp_path / "dynconv/exercises/chapter_01.py", CHECKERS)
    write(tmp_path / "course/solutions/chapter_01.py", SOLUTIONS)
    write(tmp_path / "tests/exercises/chapter_01.py", MISTAKES)
    return tmp_path


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_the_solutions_are_code_and_remark(house):
    assert "\n".join(exercises_pages.solutions(house)).split("\n") == [
        "## Chapter 1",
        "",
        "[1. Halves](/notebooks/01_halves.ipynb)",
        "",
        "### Exercise 1.1",
        "",
        "::::{dropdown} Show the solution",
        "```python",
        "@functools.cache",
        "def half(x):",
        "    def divide(y):",
        "        return x // y",
        "",
        "    return divide(2)",
        "```",
        "",
        r"Since $x \cdot 2$ is even.",
        "",
        "Mind the type.",
        "::::",
        "",
    ]


def test_a_teacher_may_keep_them(house):
    assert "\n".join(exercises_pages.kept(house)).split("\n") == [
        "## Chapter 1",
        "",
        "Your teacher keeps the solutions.",
        "",
    ]


def test_the_mistakes_are_those_of_the_tests(house):
    *_, row = exercises_pages.typical_mistakes(house)
    assert row == "| 1.1 | double it; forget that $x$ may be odd |"


BARE = "def half(x):\n    return x // 2\n"


@pytest.mark.parametrize(
    "file, text, complaint",
    [
        ("../../course/solutions/chapter_01.py", "", "chapter_01.py has no function half"),
        ("../../course/solutions/chapter_01.py", BARE, "half has no docstring"),
        ("../../course/solutions/chapter_01.py", None, "there is no .*solutions/chapter_01.py"),
        (
            "../../tests/exercises/chapter_01.py",
            None,
            "there is no .*tests/exercises/chapter_01.py",
        ),
        ("../../tests/exercises/chapter_01.py", "", "has no table MISTAKES"),
        ("../../tests/exercises/chapter_01.py", "MISTAKES = {}", "makes no mistakes for 1.1"),
        ("../../notebooks/01_halves.ipynb", None, r"notebooks/01_\*.ipynb, and there are 0"),
    ],
)
def test_what_was_forgotten_is_named(house, file, text, complaint):
    path = house / "dynconv/exercises" / file
    if text is None:
        path.unlink()
    else:
        write(path, text)
    with pytest.raises(exercises_pages.ExercisesPageError, match=complaint):
        [*exercises_pages.solutions(house), *exercises_pages.typical_mistakes(house)]


def test_the_real_pages_hold_every_exercise():
    numbers = [each for chapter in exercises.chapters() for each in exercises.checkers(chapter)]
    solutions = "\n".join(exercises_pages.solutions(ROOT))
    assert re.findall("^### Exercise (.+)$", solutions, re.MULTILINE) == numbers
    mistakes = "\n".join(exercises_pages.typical_mistakes(ROOT))
    assert re.findall(r"^\| (\d+\.\d+) \|", mistakes, re.MULTILINE) == numbers


@pytest.mark.site
def test_the_site_shows_them(site):
    """At the anchors that the chapters link to."""
    solutions = (HTML / "book/solutions.html").read_text(encoding="utf-8")
    teachers = (HTML / "book/teachers.html").read_text(encoding="utf-8")
    for chapter in exercises.chapters():
        for number, checker in exercises.checkers(chapter).items():
            section = f'<section id="exercise-{number.replace(".", "-")}">'
            assert section in solutions and checker.__name__ in solutions
            assert f"<p>{number}</p>" in teachers
    assert solutions.count("<details") == solutions.count("Show the solution") > 30
