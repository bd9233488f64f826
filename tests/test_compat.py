"""`make compat`: what it writes into the book is what the package claims, and a version that fails
is named with its error.
"""

import ast
import json
import shutil
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
    # it takes a while, and the tree may be edited meanwhile
    monkeypatch.setattr(compat.dependencies.Package, "digest", lambda *_: "the package")
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


@pytest.fixture
def trial(uv, tmp_path, monkeypatch):
    """A trial of one environment with two programs, each of which notes that it ran."""
    programs, ran = tmp_path / "programs", tmp_path / "ran"
    programs.mkdir()
    ran.write_text("")
    note = f"import sys; print(*sys.argv[1:], file=open({str(ran)!r}, 'a'))\n"
    for name in ("build", "last"):
        (programs / f"{name}.py").write_text(note + "print('ok')")
    monkeypatch.setattr(compat, "STEPS", {"build": "", "last": ""})
    monkeypatch.setattr(compat, "SHOWN", ())
    monkeypatch.setattr(compat, "PROGRAMS", programs)
    monkeypatch.setattr(compat, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(compat, "write_page", lambda _: None)
    monkeypatch.setattr(environments, "environments", lambda: {"one": ("3.11", {"a": "1"})})
    monkeypatch.setattr(environments, "interpreter", {"3.11": sys.executable}.get)
    monkeypatch.setattr(environments, "installed", lambda *_: sys.executable)
    monkeypatch.setattr(environments, "floors", lambda *_: {"a": "1"})
    monkeypatch.setattr(environments, "known", lambda wanted: {"ultralytics": wanted[0]})

    def tried():
        """(what the programs that ran were told, what came out)"""
        ran.write_text("")
        compat.try_environment("one", compat.results())
        return ran.read_text().split(), compat.results()["environments"]["one"]["steps"]

    tried.programs, tried.note = programs, note
    return tried


WELL = {"build": "yes", "last": "yes"}


def test_what_was_tried_is_not_tried_again_until_a_version_or_the_code_changes(uv, trial):
    assert trial() == (["a==1", "a==1"], WELL)
    assert trial() == ([], WELL)
    uv.answer = "a==2\n"
    assert trial() == (["a==2", "a==2"], WELL)
    (trial.programs / "last.py").write_text(trial.note + "print('the same'), print('ok')")
    assert trial() == (["a==2", "a==2"], WELL)
    assert trial() == ([], WELL)


def test_what_fails_is_told_and_it_alone_is_tried_again(trial, tmp_path):
    (trial.programs / "last.py").write_text(
        trial.note + "open('trained.json', 'x').write('{}')\nraise ImportError('no such numpy')"
    )
    failed = {"build": "yes", "last": "ImportError: no such numpy"}
    assert trial() == (["a==1", "a==1"], failed)
    (tmp_path / "one.run/trained.json").unlink()
    assert trial() == (["a==1"], failed)  # where the first program has left what this one needs
    shutil.rmtree(tmp_path / "one.run")
    assert trial() == (["a==1", "a==1"], failed)
    (trial.programs / "last.py").write_text(trial.note + "print('something else')")
    assert trial()[1]["last"] == "expected ok, got something else"
    assert compat.results()["trained"] == {}


def test_a_python_that_is_not_there_is_named(trial, monkeypatch):
    monkeypatch.setattr(environments, "interpreter", {}.get)
    with pytest.raises(environments.Unsolvable, match=r"no Python 3\.11 on this machine"):
        trial()


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
