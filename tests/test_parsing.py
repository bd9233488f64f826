"""What is asked of ultralytics' `parse_model` before a registration: its form, and what it builds.
The whole catalogue of changes is `tools/parse_changes.py`; these are the refusals one by one.
"""

import functools
import linecache
import types

import pytest
from ultralytics.nn import tasks

from dynconv import yolo
from dynconv.yolo import parsing, probe, registration


def written(source, name="parse_model", file="<a parse_model>"):
    """The function of that source, as if it stood in nn/tasks.py."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    found = {}
    exec(compile(source, file, "exec"), vars(tasks), found)
    return found[name]


def enclosed():
    there = 1

    def parse_model(d):
        return there

    return parse_model


LOOP = "    for m, args in d:\n        m_ = m(*args)\n"
HEAD = "def parse_model(d):\n"
FORMS = {
    "a method": (types.MethodType(len, []), "parse_model is no function, but"),
    "wrapped": (functools.wraps(tasks.parse_model)(lambda d: d), "wrapped in another function"),
    "a closure": (enclosed(), "wrapped in another function"),
    "elsewhere": (lambda d: d, "looks up the names of modules in test_parsing"),
    "without source": (written(HEAD + LOOP, file="<nowhere>"), r"source .* cannot be read \("),
    "a lambda": (written("parse_model = lambda d: d\n"), "no plain function"),
    "decorated": (written("@(lambda f: f)\n" + HEAD + LOOP, file="<decorated>"), "no decorator"),
    "no loop": (written(HEAD + "    return d\n", file="<no loop>"), "not one loop that makes"),
    "two loops": (written(HEAD + 2 * LOOP, file="<two loops>"), "not one loop that makes"),
}
del linecache.cache["<nowhere>"]


@pytest.mark.parametrize("form", FORMS)
def test_a_function_of_another_form_is_refused_by_name(form):
    function, words = FORMS[form]
    with pytest.raises(yolo.UnsupportedUltralytics, match=words):
        parsing.splice(function)


def test_one_loop_is_spliced():
    """The guards above are not for everything: this form is taken, in which the row gives m."""
    source = f"{HEAD}    n = c2 = m_ = 3\n{LOOP}    return m_\n"
    spliced = parsing.splice(written(source, file="<one loop>"))
    assert spliced([]) == 3
    assert spliced([(int, ["7"])]) == 7


@pytest.fixture
def uninstalled():
    """ultralytics' own parse_model, without a registration; afterwards all is as it was."""
    registration.uninstall()
    original = tasks.parse_model
    yield original
    tasks.parse_model = original
    yolo.register_all()


def fail():
    raise LookupError("no such layer")


@pytest.mark.parametrize(
    "differences, words",
    [
        (lambda: ["5 parameters for 4"], "treats modules .* otherwise: 5 parameters for 4"),
        (fail, "trying the registration ended in LookupError: no such layer"),
    ],
    ids=["another network", "an error"],
)
def test_a_registration_that_builds_something_else_is_taken_back(
    differences, words, uninstalled, monkeypatch
):
    before = dict(vars(tasks))
    with monkeypatch.context() as patch:
        patch.setattr(probe, "differences", differences)
        with pytest.raises(yolo.UnsupportedUltralytics, match=words):
            registration.install()
    assert vars(tasks) == before and not yolo.registered()


def test_ctrl_c_during_the_trial_leaves_nothing(uninstalled, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(probe, "differences", interrupted)
        with pytest.raises(KeyboardInterrupt):
            registration.install()
    assert tasks.parse_model is uninstalled and not hasattr(tasks, "dynconv_begin")


def test_an_ultralytics_without_parse_model_is_refused(uninstalled):
    del tasks.parse_model
    with pytest.raises(yolo.UnsupportedUltralytics, match="there is no function parse_model"):
        registration.install()


def test_a_parse_model_that_leaves_out_rows_is_refused():
    rows = [[-1, 1, "DynamicConv", [8]], [-1, 1, "DynamicConv", [8]]]
    model = {"backbone": rows, "head": []}
    with pytest.raises(yolo.UnsupportedUltralytics, match="parse_model left out 2 rows"):
        with parsing.disguised(model, registration._registered):
            pass  # and builds none of them


def test_uninstalling_below_another_program_changes_nothing(uninstalled):
    yolo.register_all()
    ours, names = tasks.parse_model, yolo.registered()
    tasks.parse_model = lambda *arguments, **keywords: ours(*arguments, **keywords)
    try:
        with pytest.raises(RuntimeError, match="was replaced after dynconv .* undo that first"):
            registration.uninstall()
        assert yolo.registered() == names
    finally:
        tasks.parse_model = ours
        registration.uninstall()
