"""Plausible changes of ultralytics' `parse_model`: the package's models are right or refused by
name, and stock models stay as they are. `make compat` tries the whole catalogue.
"""

import importlib.util
import json
from pathlib import Path

import compat
import parse_changes
import pytest
from parse_changes import CHANGES, REFUSED, RIGHT

INSTALLED = Path(importlib.util.find_spec("ultralytics").origin).parent  # without importing it


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return parse_changes.copied(INSTALLED, tmp_path_factory.mktemp("changed"))


@pytest.mark.parametrize(
    "what, first",
    [
        ("the width scales a set at module level", "dynconv"),
        ("the repeats go to a set at module level", "ultralytics"),
        ("the depth counts in a pass before the loop, by name", "dynconv"),
        ("a wrapper with fixed arguments", "ultralytics"),
        ("a method, and no function", "dynconv"),
        ("another name for the same function is called", "ultralytics"),
        ("Conv is gone from ultralytics.nn.modules", "dynconv"),
        ("classifiers have a parse_model of their own", "ultralytics"),
    ],
)
def test_a_changed_parse_model_gives_the_right_model_or_a_name(what, first, copy):
    assert parse_changes.tried(what, copy, first) == CHANGES[what][1]


def test_a_change_that_does_not_end_is_an_outcome(copy, monkeypatch):
    monkeypatch.setattr(parse_changes, "LONGEST", 0.1)
    before = (copy / "ultralytics" / parse_changes.TASKS).read_text(encoding="utf-8")
    assert parse_changes.tried("variables have types", copy) == "no end after 0.1 s"
    assert (copy / "ultralytics" / parse_changes.TASKS).read_text(encoding="utf-8") == before


def test_every_change_is_one_and_was_tried():
    original = (INSTALLED / "nn/tasks.py").read_text(encoding="utf-8")
    for what, (function, comes_out) in CHANGES.items():
        changed = function(original)
        files = changed if isinstance(changed, dict) else {parse_changes.TASKS: changed}
        assert files[parse_changes.TASKS] != original and comes_out in (RIGHT, REFUSED), what
        for name, text in files.items():
            compile(text, name, "exec")
    assert len(CHANGES) >= 40
    results = json.loads(compat.RESULTS.read_text(encoding="utf-8"))
    again = "the changes are others since the results were made: run `make compat`"
    assert results["changes"] == {what: come for what, (_, come) in CHANGES.items()}, again
