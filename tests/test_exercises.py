"""Each exercise: its solution passes, in other clothes too; typical mistakes meet the right hint;
what is wrong for whatever reason is refused in one plain line; none of its parts was forgotten.

The mistakes of chapter NN stand in `tests/exercises/chapter_NN.py`: MISTAKES, {number: {mistake:
(answer, pattern that its hint must match)}}, which the teachers' page lists, and OTHERS, {number:
[(answer, pattern)]}, which must be refused without a hint of their own; and RIGHT, {number:
[answer]}, unusual ways to a right answer. A mistake of an answer that chooses words, {part: word},
names only the parts that are wrong. What is tried on all exercises alike stands in
`tests/exercises/catalogue.py`.
"""

import ast
import importlib
import inspect
import random
import re
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from notebook_files import CHAPTERS, cells, markdown, parsed

from dynconv import DynamicConv, exercises
from dynconv.exercises import checking

NUMBERS = [number for chapter in exercises.chapters() for number in exercises.checkers(chapter)]


def solution(number):
    """Of the same name as the checker, which begins with the number of the exercise."""
    chapter = int(number.partition(".")[0])
    solutions = importlib.import_module(f"solutions.chapter_{chapter:02d}")
    return getattr(solutions, exercises.checkers(chapter)[number].__name__)


# A solution without arguments returns the value that is the answer: {part: word}.
CHOICES = [n for n in NUMBERS if not inspect.signature(solution(n)).parameters]
FUNCTIONS = [number for number in NUMBERS if number not in CHOICES]
CATALOGUE = importlib.import_module("exercises.catalogue")
FILES = {
    file.stem: importlib.import_module(f"exercises.{file.stem}")
    for file in sorted((ROOT / "tests/exercises").glob("chapter_*.py"))
}
MISTAKES = {chapter: file.MISTAKES for chapter, file in FILES.items()}
OTHERS = {chapter: file.OTHERS for chapter, file in FILES.items()}


def stubs_of(path):
    """(number, definition of the stub) of each cell that calls `check`."""
    for cell in cells(path, "code"):
        tree = parsed(cell.source)
        stubs = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        stubs |= {ast.unparse(node.targets[0]): node for node in assigned}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "check":
                number, stub = node.args
                assert stub.id in stubs, f"{cell.id} checks {stub.id} and does not define it"
                yield number.value, stubs[stub.id]


def broken_stubs():
    """(number, name, code) of each stub that is to be repaired."""
    for path in CHAPTERS:
        heads = dict(re.findall(r"^### Exercise (\S+)\n\n\*(\w+)", markdown(path), re.MULTILINE))
        for number, stub in stubs_of(path):
            if heads[number] == "Repair" and isinstance(stub, ast.FunctionDef):
                yield pytest.param(number, stub.name, ast.unparse(stub), id=number)


def right_answer(number):
    return solution(number)() if number in CHOICES else solution(number)


def refused(number, answer):
    """The message, after a look at what every message must be."""
    if (
        number in CHOICES
        and isinstance(answer, dict)
        and answer.keys() < right_answer(number).keys()
    ):
        answer = right_answer(number) | answer
    verdict, message = exercises.grade(number, answer)
    assert verdict == "wrong", message
    assert "\n" not in message and len(message) < 500, message
    twice = re.search(r"(\S+), you say (\S+?)[.]?$", message)
    assert not twice or twice[1] != twice[2], message
    return message


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_passes_and_an_untouched_stub_is_open(number):
    verdict, message = exercises.grade(number, right_answer(number))
    assert verdict == "right", message
    stub = dict.fromkeys(right_answer(number), ...) if number in CHOICES else lambda *a: ...
    assert exercises.grade(number, stub)[0] == "open"


@pytest.mark.parametrize("number, name, code", [*broken_stubs()])
def test_what_is_to_be_repaired_is_refused_as_it_is(number, name, code):
    namespace = {"torch": torch, "nn": torch.nn, "F": F, "np": np}
    exec(code, namespace)
    refused(number, namespace[name])


@pytest.mark.parametrize("number", CHOICES)
def test_a_choice_has_words_for_each_part_and_says_which(number):
    """Each wrong word meets a hint, and what is no word at all is named with those that are."""
    right = right_answer(number)
    for part in right:
        message = refused(number, right | {part: "sideways"})
        (words,) = re.findall(rf"^`{re.escape(part)}` is one of (.*); got 'sideways'.$", message)
        words = ast.literal_eval(f"[{words}]")
        assert right[part] in words and len(words) >= 2
        for word in set(words) - {right[part]}:
            assert len(refused(number, right | {part: word})) > len(part) + 20
        assert exercises.grade(number, right | {part: f" {right[part].upper()} "})[0] == "right"
        assert exercises.grade(number, right | {part: ...})[0] == "open"
        for nonsense in (None, 1, ["a"], torch.ones(2)):
            assert part in refused(number, right | {part: nonsense})
    for keys in ({}, {**right, "one more": "yes"}, dict([*right.items()][1:])):
        assert "are wanted, got" in exercises.grade(number, keys)[1]
    for nonsense in (None, 42, "yes", [*right], lambda: right):
        refused(number, nonsense)


@pytest.mark.parametrize(
    "number, answer, hint",
    [
        pytest.param(number, answer, hint, id=f"{number}-{mistake}")
        for of_chapter in MISTAKES.values()
        for number, mistakes in of_chapter.items()
        for mistake, (answer, hint) in mistakes.items()
    ],
)
def test_a_typical_mistake_meets_its_hint(number, answer, hint):
    message = refused(number, answer)
    assert re.search(hint, message), message


@pytest.mark.parametrize(
    "number, answer, reason",
    [
        pytest.param(number, answer, reason, id=f"{number}-{reason}")
        for of_chapter in OTHERS.values()
        for number, others in of_chapter.items()
        for answer, reason in others
    ],
)
def test_what_no_hint_is_for_is_refused_all_the_same(number, answer, reason):
    message = refused(number, answer)
    assert re.search(reason, message), message


@pytest.mark.parametrize(
    "number, answer",
    [
        pytest.param(number, answer, id=f"{number}-{i}")
        for file in FILES.values()
        for number, answers in file.RIGHT.items()
        for i, answer in enumerate(answers)
    ],
)
def test_an_unusual_answer_is_right(number, answer):
    verdict, message = exercises.grade(number, answer)
    assert verdict == "right", message


class Changed:
    """The solution, whose result goes through `change`; `differs` once that has changed it."""

    def __init__(self, number, change):
        self.solution, self.change, self.differs = solution(number), change, False

    def __call__(self, *arguments):
        result = self.solution(*arguments)
        changed = self.change(result)
        self.differs = self.differs or not same(result, changed)
        return changed


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.shape == b.shape and torch.allclose(a, b.to(a))
    return type(a) is type(b) and a == b


def solved(number):
    """What the solution returned to the checker, the first time."""
    results = []
    exercises.grade(number, lambda *a: results.append(solution(number)(*a)) or results[0])
    return results[0]


def has_fractions(result):
    return isinstance(result, float) or (
        isinstance(result, (list, tuple)) and any(map(has_fractions, result))
    )


OTHERWISE = ("5.5", "7.3", "7.4", "8.3", "9.2", "9.3", "9.4")  # no numbers, or several tensors
NUMERIC = [number for number in FUNCTIONS if number not in OTHERWISE]


@pytest.mark.parametrize("number", NUMERIC)
def test_a_right_answer_is_right_in_other_clothes(number):
    result = solved(number)
    if isinstance(result, torch.Tensor):
        clothes = CATALOGUE.SAME_TENSOR
    elif isinstance(result, (int, float)) or has_fractions(result):
        clothes = CATALOGUE.SAME_NUMBER
    else:
        clothes = CATALOGUE.SAME_LIST
    for name, change in clothes.items():
        verdict, message = exercises.grade(number, Changed(number, CATALOGUE.each_number(change)))
        assert verdict == "right", f"{name}: {message}"


@pytest.mark.parametrize("number", NUMERIC)
def test_a_right_answer_is_wrong_once_it_is_changed(number):
    changes = dict(CATALOGUE.OTHER_NUMBERS)
    if isinstance(solved(number), torch.Tensor):
        changes |= CATALOGUE.OTHER_TENSORS
        del changes["text"]  # the text of a tensor is tried as nonsense
    for name, change in changes.items():
        answer = Changed(number, CATALOGUE.each_number(change))
        verdict, message = exercises.grade(number, answer)
        if answer.differs:
            assert verdict == "wrong" and "\n" not in message, f"{name}: {verdict}: {message}"
            refused(number, answer)


@pytest.mark.parametrize("number", FUNCTIONS)
def test_nonsense_is_refused_in_one_line(number):
    for answer in CATALOGUE.NONSENSE.values():
        refused(number, answer)


@pytest.mark.parametrize("number", FUNCTIONS)
def test_what_went_wrong_is_said(number):
    for name, says in {
        "None": "returned None.*`return`",
        "prints": "returned None.*`return`",
        "raises": "your code raised RuntimeError: oops .in the line `raise RuntimeError",
        "leaves": "your code raised SystemExit",
        "recurses": "your code raised RecursionError",
        "takes nothing": "your code raised TypeError",
    }.items():
        message = refused(number, CATALOGUE.NONSENSE[name])
        assert re.search(says, message), message


@pytest.mark.parametrize("number", FUNCTIONS)
def test_a_loop_without_end_is_ended(number, monkeypatch):
    monkeypatch.setattr(checking, "SECONDS", 0.02)
    assert "loop that does not end" in refused(number, CATALOGUE.no_end)


@pytest.mark.parametrize("number", FUNCTIONS)
def test_what_is_no_function_is_named(number):
    for given, said in [(42, "42"), (None, "None"), (torch.ones(2), "tensor of shape")]:
        assert re.search(f"a function is wanted, got .*{said}", refused(number, given))


def without_training(number):
    """The right answer; that of 7.4, which trains, only plans here."""
    answer = right_answer(number)
    return FILES["chapter_07"].planned_only(answer) if number == "7.4" else answer


def state():
    """All that a check could leave changed."""
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.is_grad_enabled(),
        dict(vars(DynamicConv)),
        F.conv2d,
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_a_check_leaves_everything_as_it_was(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    right = without_training(number)
    exercises.grade(number, right)  # imports, caches
    before = state()
    if number in CHOICES:
        exercises.grade(number, dict.fromkeys(right, "x"))
        assert state() == before
        return

    def answer(*arguments):
        torch.manual_seed(99)
        torch.set_grad_enabled(False)
        np.random.seed(99)
        random.seed(99)
        return right(*arguments)

    for each in (right, answer, CATALOGUE.crash):
        exercises.grade(number, each)
    assert state() == before
    assert not [*tmp_path.iterdir()]


def test_a_class_that_an_answer_changed_is_mended():
    def answer(layer, alpha):
        type(layer).alpha = lambda self, x: alpha.expand(len(x), -1)
        return CATALOGUE.contextlib.nullcontext()

    before = dict(vars(DynamicConv))
    refused("8.3", answer)
    assert dict(vars(DynamicConv)) == before


def test_a_check_that_fails_itself_does_not_blame_the_answer(monkeypatch):
    def checker(answer):
        """1.1: broken."""
        return [][0]

    monkeypatch.setattr(exercises, "_checker", lambda number: checker)
    verdict, message = exercises.grade("1.1", None)
    assert verdict == "failed" and "nothing of your answer" in message


def test_a_default_dtype_that_an_answer_set_is_set_back():
    exercises.grade("2.1", lambda x, w, b: torch.set_default_dtype(torch.float64))
    assert torch.get_default_dtype() == torch.float32


def test_a_line_of_a_decorated_answer_is_the_readers_own():
    @CATALOGUE.contextlib.contextmanager
    def answer(layer, alpha):
        yield layer.no_such_name

    assert "(in the line `yield layer.no_such_name`)" in refused("8.3", answer)


@pytest.mark.parametrize(
    "wanted, got, says",
    [
        (0.596031, 0.596, "0.59603, you say 0.596 (if you rounded it: do not)"),
        (1.01, 1.0, "1.01, you say 1"),
        (17376, 17380.5, "17376, you say 17380.5"),
        (0.5, 0.25, "0.5, you say 0.25"),
        (1 / 3, 1 / 3 + 1e-7, "0.3333333, you say 0.3333334"),
        (100000, 100001.0, "100000, you say 100001"),
        (128, 128.25, "128, you say 128.2"),
    ],
)
def test_two_numbers_are_told_apart(wanted, got, says):
    assert checking.against(wanted, got) == says


def test_check_prints_and_an_unknown_number_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exercises.check("1.1", solution("1.1"))
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
    solved = {file.stem for file in (ROOT / "course/solutions").glob("chapter_*.py")}
    assert solved == named, "each has solutions in course/solutions/chapter_NN.py"
    assert MISTAKES.keys() == named, "each has mistakes in tests/exercises/chapter_NN.py"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_part_of_an_exercise_was_forgotten(path):
    chapter = int(path.stem[:2])
    name = f"chapter_{chapter:02d}"
    checkers = {number: each.__name__ for number, each in exercises.checkers(chapter).items()}
    headings = re.findall(r"^### Exercise (\S+)", markdown(path), re.MULTILINE)
    assert headings == [*checkers], "headings of the notebook, and checkers"
    stubs = dict(stubs_of(path))
    named = {
        number: getattr(stub, "name", None) or stub.targets[0].id for number, stub in stubs.items()
    }
    assert named == checkers, (
        "stubs with `check(number, stub)` in their cell, and checkers: they share their names"
    )
    solutions = importlib.import_module(f"solutions.{name}")
    solutions = {each.__name__: each for each in exercises.public_functions(solutions)}
    assert [*solutions] == [*checkers.values()], "solutions and checkers share names and order"
    for number, function in checkers.items():
        stub = stubs[number]
        if number in CHOICES:
            given = {key.value: word.value for key, word in zip(stub.value.keys, stub.value.values)}
            assert given == dict.fromkeys(right_answer(number), ...), f"{number}: the stub's parts"
        else:
            assert [each.arg for each in stub.args.args] == [
                *inspect.signature(solutions[function]).parameters
            ], f"{number}: the solution takes what the stub takes"
        assert solutions[function].__doc__, f"{number}: the solution's remark is its docstring"
    assert [*MISTAKES[name]] == [*checkers], f"the mistakes in tests/exercises/{name}.py"
    few = [number for number, mistakes in MISTAKES[name].items() if len(mistakes) < 3]
    assert not few, f"at least three mistakes for each of {few}"


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


def test_a_new_chapter_is_found(chapter_99):
    chapter_99("def half(answer):\n    '''99.1: `half(x)`.'''\n    return 'right'\n")
    assert exercises.chapters()[-1] == 99
    assert exercises.grade("99.1", None) == ("right", "right")


@pytest.mark.parametrize("says", ["", "'''Halves.'''", "'''99.2: too far.'''", "'''98.1: no.'''"])
def test_a_checker_that_does_not_say_its_number_is_named(chapter_99, says):
    chapter_99(f"def half(answer):\n    {says}\n    return 'right'\n")
    with pytest.raises(exercises.IncompleteExerciseError, match="chapter_99.half: .* 99.1 here"):
        exercises.check("99.1", None)


# --- what was right so far ------------------------------------------------------------------------


def test_what_was_right_once_is_kept_until_it_is_forgotten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number, answer in [("1.1", None), ("1.2", {}), ("1.3", lambda *a: ...)]:
        exercises.check(number, answer)
    assert not [*tmp_path.iterdir()]
    exercises.check("1.2", right_answer("1.2"))
    exercises.check("2.1", right_answer("2.1"))
    exercises.check("1.2", {})  # once right is enough
    capsys.readouterr()
    exercises.progress()
    first, second, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("chapter  1: 1 of") and "1.1 ·  1.2 ✓  1.3 ·" in first
    assert second.startswith("chapter  2: 1 of") and "2.1 ✓" in second
    assert not any("✓" in line for line in others) and len(others) == len(exercises.chapters()) - 2
    exercises.forget()
    assert not [*tmp_path.glob("*.json")]
    exercises.forget()


def test_a_broken_file_of_progress_is_named_and_no_answer_is_wrong_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "dynconv-progress.json"
    for text in ("", "[1]", '{"1.1": 1}', "\x00"):
        file.write_text(text)
        with pytest.raises(ValueError, match="dynconv-progress.json does not hold.*forget"):
            exercises.progress()
        assert exercises.check("1.2", right_answer("1.2")).points == 1
        assert file.read_text() == text


def test_an_answer_is_right_where_nothing_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dynconv-progress.json").mkdir()
    result = exercises.check("1.2", right_answer("1.2"))
    assert result.points == 1 and result.hint is None and 0 < result.seconds < 60
    wrong = exercises.check("1.2", right_answer("1.2") | {"all α doubled": "unchanged"})
    assert wrong.points == 0 and "nothing divides the α" in wrong.hint
