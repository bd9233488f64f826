"""`make compat`: what it writes into the book is what the package claims, and a version that fails
is named with its error.
"""

import ast
import json
import subprocess
import sys

import compat
import pytest
from conftest import ROOT

from dynconv import yolo
from dynconv.yolo import PARAMETERS, parsing

RESULTS = json.loads(compat.RESULTS.read_text(encoding="utf-8"))


def test_the_page_the_results_and_the_package_agree():
    versions = [row["ultralytics"] for row in RESULTS["versions"]]
    assert tuple(versions) == compat.VERSIONS and len(versions) >= 4
    assert parsing.TESTED == f"{versions[0]} to {versions[-1]}"
    lowest = compat.floors()
    assert lowest["ultralytics"] == versions[0]
    assert RESULTS["floors"] == {"Python": RESULTS["floors"]["Python"]} | lowest
    again = "models have changed since the results were made: run `make compat`"
    assert RESULTS["parameters"] == PARAMETERS, again
    assert RESULTS["trained"] == list(compat.examples()), again
    for row in [*RESULTS["versions"], RESULTS["oldest"]]:
        assert {step: row[step] for step in compat.STEPS} == dict.fromkeys(compat.STEPS, "yes")
    page = compat.PAGE.read_text(encoding="utf-8")
    assert f"{compat.BEGIN}\n{compat.table(RESULTS)}\n{compat.END}" in page
    assert "book/compatibility\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")


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
    # ultralytics brings thop, timm huggingface_hub and safetensors; IPython is there in a notebook;
    # extras bring Ray and what writes and runs ONNX
    needed -= {"thop", "huggingface_hub", "safetensors", "IPython", "ray", "onnx", "onnxruntime"}
    assert needed - {"dynconv"} <= compat.floors().keys()


def test_every_program_is_a_step():
    assert {file.stem for file in compat.PROGRAMS.glob("*.py")} == set(compat.STEPS)


def test_every_module_that_a_model_file_names_is_trained():
    """In each family, by its smallest model."""
    trained = set(compat.examples().values())
    named = {m.cls.__name__ for m in yolo.MODULES} - {"Bottleneck_DynamicConv"}  # inside the C2f
    assert trained == named


def test_a_version_that_fails_is_reported_with_its_error_and_the_others_go_on(
    tmp_path, monkeypatch
):
    (tmp_path / "ultralytics").mkdir()
    (tmp_path / "ultralytics/__init__.py").write_text("raise ImportError('not with this numpy')\n")
    monkeypatch.setattr(compat, "STEPS", {"build": "", "else": ""})
    monkeypatch.setattr(compat, "PROGRAMS", tmp_path)
    (tmp_path / "build.py").write_text("import ultralytics")
    (tmp_path / "else.py").write_text("print('something else')")
    assert compat.attempt("1.2.3", before=[tmp_path]) == {
        "build": "ImportError: not with this numpy",
        "else": "expected ok, got something else",
    }


def test_the_oldest_environment_is_made_once_and_anew_when_a_floor_moves(tmp_path, monkeypatch):
    commands = []

    def done(command, **_):
        commands.append([str(part) for part in command])
        (tmp_path / "oldest").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 1 if "a==0" in commands[-1] else 0)

    monkeypatch.setattr(compat, "CACHE", tmp_path)
    monkeypatch.setattr(compat.subprocess, "run", done)
    for version, steps in (("1", 3), ("1", 0), ("2", 3)):
        commands.clear()
        compat.oldest({"a": version})
        assert len(commands) == steps and (not steps or f"a=={version}" in commands[1])
    with pytest.raises(SystemExit, match="cannot be installed together"):
        compat.oldest({"a": "0"})
    commands.clear()
    compat.oldest({"a": "2"})
    assert len(commands) == 3  # what the failure left is not taken for whole


def test_the_table_is_replaced_and_all_else_on_the_page_stays(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(compat, "PAGE", page)
    page.write_text(f"before\n{compat.BEGIN}\nold\n{compat.END}\nafter\n")
    for _ in range(2):
        compat.write_page(RESULTS)
        assert (
            page.read_text()
            == f"before\n{compat.BEGIN}\n{compat.table(RESULTS)}\n{compat.END}\nafter\n"
        )
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="must contain the lines"):
        compat.write_page(RESULTS)
    assert page.read_text() == "no marks"


def test_an_interrupted_unpacking_is_done_anew(tmp_path, monkeypatch):
    import zipfile

    monkeypatch.setattr(compat, "CACHE", tmp_path)
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/ultralytics-1.2.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ultralytics/__init__.py", "")
    result = type("Done", (), {"returncode": 0})
    monkeypatch.setattr(compat.subprocess, "run", lambda *_, **__: result)
    (tmp_path / "1.2.3.half").mkdir()  # left by the interruption
    assert (compat.unpacked("1.2.3") / "ultralytics/__init__.py").exists() and not (
        tmp_path / "1.2.3.half"
    ).exists()
    result.returncode = 1
    assert compat.unpacked("1.2.3") == tmp_path / "1.2.3"  # fetched once
    with pytest.raises(SystemExit, match="ultralytics 9.9.9 could not be fetched"):
        compat.unpacked("9.9.9")
