"""`make mutants` on a small package: which of its mutants live is known."""

import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

pytest.importorskip("coverage", reason="`make mutants` installs what it needs")

TOY = '''\
"""A package of one file."""


def size(n, kernel=3, stride=1, padding=0):
    """Of the output."""
    return (n + 2 * padding - kernel) // stride + 1


def at_most_nine(x):
    if x > 9:
        return 9
    return x


def unheld(x):
    return x + 1
'''
TESTS = """\
import toy


def test_size():
    assert (toy.size(7), toy.size(8, 3, 2, 1)) == (5, 4)


def test_at_most_nine():
    assert [toy.at_most_nine(x) for x in (2, 10)] == [2, 9]
"""
ALIKE = "toy.py at_most_nine: if x > 9: -> if x >= 9:"
KILLED = "toy.py at_most_nine: if x > 9: -> if x > 10:"
UNHELD = [
    "toy.py unheld: return x + 1 -> return x + 2",
    "toy.py unheld: return x + 1 -> return x - 1",
]


@pytest.fixture
def toy(tmp_path):
    """Runs the program in a repository with the package; gives its exit code and its lines."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tools/mutants.py", tmp_path / "tools")
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "tests/test_toy.py").write_text(TESTS)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def run(*arguments, **entry):
        room = {"files": ["toy.py"], "tests": ["tests/test_toy.py"], "imports": [], "seed": 1}
        (tmp_path / "tests/mutants.yaml").write_text(yaml.safe_dump({"toy": room | entry}))
        command = [sys.executable, "tools/mutants.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, (done.stdout + done.stderr).splitlines()

    run.folder = tmp_path
    return run


def unexplained(lines):
    start = "  survived, no reason given: "
    return sorted(line.removeprefix(start) for line in lines if line.startswith(start))


def tried(lines):
    return [line for line in lines if line.startswith("  survived (") and line.endswith(ALIKE)]


def test_those_live_that_no_test_can_tell_or_none_reaches(toy):
    code, lines = toy()
    assert code == 1
    assert unexplained(lines) == sorted([ALIKE, *UNHELD])


def test_a_survivor_has_a_reason_and_one_that_is_killed_needs_none(toy):
    held = {"without": ["unheld"]}
    code, lines = toy(**held)
    assert (code, unexplained(lines)) == (1, [ALIKE])
    # kept: nothing has changed, and nothing is run
    code, lines = toy(**held, survivors={"equivalent": [ALIKE, KILLED]})
    assert code == 0 and unexplained(lines) == []
    assert f"  listed as a survivor, and killed: {KILLED}" in lines
    assert not tried(lines)
    # another test, and the survivor is tried again
    with open(toy.folder / "tests/test_toy.py", "a") as tests:
        tests.write("\n\ndef test_nothing():\n    pass\n")
    code, lines = toy(**held, survivors={"equivalent": [ALIKE]})
    assert code == 0 and len(tried(lines)) == 1


def test_nothing_is_tried_where_the_tests_fail_already(toy):
    with open(toy.folder / "tests/test_toy.py", "a") as tests:
        tests.write("\n\ndef test_more():\n    assert False\n")
    code, lines = toy()
    assert code == 1
    assert any("the tests fail before anything is broken" in line for line in lines)


def test_a_smaller_sample_is_the_begin_of_a_larger_one(toy):
    _, all_of_them = toy()
    _, some = toy(sample=5)
    assert set(unexplained(some)) <= set(unexplained(all_of_them))
    assert any("toy: 5 tried" in line for line in some)


def test_a_room_that_is_none_is_named(toy):
    code, lines = toy("elsewhere")
    assert code == 1 and "has no room 'elsewhere': toy" in lines[-1]
