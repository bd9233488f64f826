"""`make compat`: what it writes into the book is what the package claims, and a version that fails
is named with its error.
"""

import ast
import json
import sys
import tomllib

import compat
import compat_environments as environments
import pytest
from conftest import ROOT
from packaging.version import Version
from tiny import examples

from dynconv import upstream, yolo
from dynconv.yolo import PARAMETERS

RESULTS = json.loads(compat.RESULTS.read_text(encoding="utf-8"))


def test_the_page_the_results_and_the_package_agree():
    known, tried = environments.environments(), RESULTS["environments"]
    assert tried.keys() <= known.keys()
    again = "{} has changed since the results were made: run `make compat`"
    for name, row in tried.items():
        python, given = known[name]
        assert row["given"] == given and row["versions"]["Python"].startswith(python), again
        assert {step: row["steps"].get(step) for step in compat.STEPS} == dict.fromkeys(
            compat.STEPS, "yes"
        )
    assert RESULTS["parameters"] == PARAMETERS, again.format("a model")
    assert RESULTS["trained"] == examples(), again.format("a model")
    page = compat.PAGE.read_text(encoding="utf-8")
    assert f"{compat.BEGIN}\n{compat.tables(RESULTS)}\n{compat.END}" in page
    assert "book/compatibility\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")


def test_what_the_package_claims_was_tried():
    """Its floors, its Pythons, and the versions of ultralytics that an error names."""
    rows = RESULTS["environments"].values()
    versions = {
        name: sorted({row["versions"][name] for row in rows}, key=Version)
        for name in ("Python", *environments.floors(*environments.EXTRAS))
    }
    for name, floor in environments.floors(*environments.EXTRAS).items():
        assert Version(versions[name][0]) == Version(floor), name
    first, *_, last = versions["ultralytics"]
    assert upstream.TESTED == f"{first} to {last}"
    project = tomllib.loads(environments.PYPROJECT.read_text(encoding="utf-8"))["project"]
    claimed = {each.rpartition(" ")[2] for each in project["classifiers"] if "Python :: 3." in each}
    assert claimed == {each.rpartition(".")[0] for each in versions["Python"]}
    assert Version(project["requires-python"].removeprefix(">=")) == min(map(Version, claimed))


def test_every_package_that_is_imported_is_declared():
    """Or it is there only because another one brings it."""
    imported = set()
    for file in (ROOT / "dynconv").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    called = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
    needed = {called.get(name, name) for name in imported - sys.stdlib_module_names}
    # ultralytics brings thop, timm huggingface_hub; IPython is there in a notebook; extras bring
    # Ray and what writes and runs ONNX
    needed -= {"thop", "huggingface_hub", "IPython", "ray", "onnx", "onnxruntime"}
    assert needed - {"dynconv"} <= environments.floors().keys()


def test_every_program_is_a_step():
    assert {file.stem for file in compat.PROGRAMS.glob("*.py")} == set(compat.STEPS)


def test_every_module_that_a_model_file_names_is_trained():
    """In each family, by its smallest model."""
    trained = set(examples().values())
    named = {m.cls.__name__ for m in yolo.MODULES} - {"Bottleneck_DynamicConv"}  # inside the C2f
    assert trained == named


def test_a_step_that_fails_is_reported_with_its_error_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(compat, "STEPS", {"build": "", "else": "", "last": ""})
    monkeypatch.setattr(compat, "PROGRAMS", tmp_path)
    (tmp_path / "build.py").write_text("raise ImportError('not with this numpy')")
    (tmp_path / "else.py").write_text("print('something else')")
    (tmp_path / "last.py").write_text("open('trained.json', 'w').write('{}'); print('ok')")
    steps = {
        "build": "ImportError: not with this numpy",
        "else": "expected ok, got something else",
        "last": "yes",
    }
    assert compat.attempt(sys.executable, "1.2.3") == (steps, {"trained": {}})


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """What uv is asked, while the cache is empty and resolving gives `a==1` (or what is put in)."""

    class Asked(list):
        answer = "a==1\n"

    asked = Asked()

    def ask(*arguments, **how):
        asked.append(" ".join(map(str, arguments)))
        if "impossible" in how.get("input", ""):
            raise environments.Unsolvable("no solution")
        (tmp_path / "one").mkdir(exist_ok=True)
        return asked.answer

    monkeypatch.setattr(environments, "CACHE", tmp_path)
    monkeypatch.setattr(environments, "ask_uv", ask)
    monkeypatch.setattr(environments, "version_of", lambda _: "3.11.1")
    return asked


def test_an_environment_is_made_once_and_anew_when_a_version_moves(uv):
    for wanted, asked in ((["a==1"], 2), (["a==1"], 0), (["a==2"], 2)):
        uv.clear()
        environments.installed("one", "python", wanted)
        assert len(uv) == asked
    with pytest.raises(environments.Unsolvable):
        environments.installed("one", "python", ["impossible==0"])
    uv.clear()
    environments.installed("one", "python", ["a==2"])
    assert len(uv) == 2  # what the failure left is not taken for whole
    assert uv[0].startswith("venv ") and "--only-binary :all:" in uv[1]


def test_what_was_tried_is_not_tried_again_until_it_changes_or_is_named(uv, tmp_path, monkeypatch):
    tried, said = [], {"build": "yes", "else": "yes"}

    def attempt(*_):
        tried.append(said)
        return dict(said), {"trained": {"a model": "its module"}}

    monkeypatch.setattr(compat, "STEPS", said)
    monkeypatch.setattr(compat, "SHOWN", ())
    monkeypatch.setattr(compat, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(compat, "write_page", lambda _: None)
    monkeypatch.setattr(compat, "attempt", attempt)
    monkeypatch.setattr(environments, "environments", lambda: {"one": ("3.11", {"a": "1"})})
    monkeypatch.setattr(environments, "interpreter", {"3.11": sys.executable}.get)
    monkeypatch.setattr(environments, "floors", lambda *_: {"a": "1"})
    monkeypatch.setattr(environments, "known", lambda wanted: {"ultralytics": wanted[0]})
    asked = "one"

    def again(only=None):
        before = len(tried)
        compat.try_environment("one", compat.results(), again=bool(only))
        return len(tried) - before

    assert [again(), again(), again(asked), again()] == [1, 0, 1, 0]
    assert compat.results()["trained"] == {"a model": "its module"}
    uv.answer = "a==2\n"  # there is a newer version
    assert [again(), again()] == [1, 0]
    monkeypatch.setattr(compat, "PROGRAMS", tmp_path)  # the programs are others
    said["else"] = "an error"
    assert [again(), again()] == [1, 1]  # what failed is tried again
    monkeypatch.setattr(environments, "interpreter", {}.get)
    with pytest.raises(environments.Unsolvable, match=r"no Python 3\.11 on this machine"):
        again()


def test_a_name_that_no_environment_has_is_refused():
    with pytest.raises(SystemExit, match="'oldst'.*'oldest'"):
        compat.main("oldst")


def test_the_changes_go_on_where_they_were_stopped(uv, tmp_path, monkeypatch):
    calls = []

    def tried(what, *_):
        calls.append(what)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return "right"

    monkeypatch.setattr(compat, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(compat, "write_page", lambda _: None)
    monkeypatch.setattr(environments, "interpreter", lambda _: sys.executable)
    monkeypatch.setattr(environments, "installed", lambda *_: sys.executable)
    monkeypatch.setattr(compat.parse_changes, "CHANGES", dict.fromkeys("abc", (None, "right")))
    monkeypatch.setattr(compat.parse_changes, "copied", lambda *_: None)
    monkeypatch.setattr(compat.parse_changes, "tried", tried)
    with pytest.raises(KeyboardInterrupt):
        compat.try_changes(compat.results())
    for expected in ("abbc", "abbc"):
        compat.try_changes(compat.results())
        assert "".join(calls) == expected
    uv.answer = "a==2\n"
    compat.try_changes(compat.results())
    assert "".join(calls) == "abbcabc"


def test_the_table_is_replaced_and_all_else_on_the_page_stays(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(compat, "PAGE", page)
    page.write_text(f"before\n{compat.BEGIN}\nold\n{compat.END}\nafter\n")
    for _ in range(2):
        compat.write_page(RESULTS)
        assert (
            page.read_text()
            == f"before\n{compat.BEGIN}\n{compat.tables(RESULTS)}\n{compat.END}\nafter\n"
        )
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="must contain the lines"):
        compat.write_page(RESULTS)
    assert page.read_text() == "no marks"
