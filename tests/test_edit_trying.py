"""How a tree is tried: in a copy, in a process of its own, offline. With trees that hold next to
nothing; real ones stand in test_edits_at_work.py.
"""

import ast
import json
import subprocess

import pytest

from dynconv.edits import trying
from dynconv.edits.trying import Outcome

LOOK = """
import json, os, sys, ultralytics, beside
print('before')
names = ('YOLO_OFFLINE', 'YOLO_AUTOINSTALL', 'YOLO_VERBOSE', 'PYTHONIOENCODING', 'KEPT')
print(json.dumps([ultralytics.WHICH, os.getcwd(), sys.flags.safe_path, 'é']
                 + [os.environ.get(name) for name in names]))
"""


def test_a_program_imports_from_the_folder_first_and_stays_offline(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ultralytics.py").write_text(f"WHICH = {name!r}")
    (tmp_path / "second/beside.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "second"))
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    outcome = trying.run_in(tmp_path / "first", LOOK)
    assert outcome.error == "" and outcome.output.startswith("before\n")
    folder = str(tmp_path / "first")
    quiet = ["true", "false", "false", "utf-8", "yes"]
    assert json.loads(outcome.output.splitlines()[1]) == ["first", folder, True, "é", *quiet]


def test_without_a_path_of_ones_own_there_is_only_the_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    outcome = trying.run_in(tmp_path, "import os; print(os.environ['PYTHONPATH'])")
    assert outcome == Outcome(str(tmp_path), "")


@pytest.mark.parametrize(
    "code, outcome",
    [
        ("print(' 1 '); 1 / 0", Outcome("1", "ZeroDivisionError: division by zero")),
        ("import os; os._exit(3)", Outcome("", "exit code 3")),
        ("import sys; print('no error', file=sys.stderr)", Outcome("", "")),
    ],
)
def test_how_a_program_ended(code, outcome, tmp_path):
    assert trying.run_in(tmp_path, code) == outcome


def test_a_program_without_end_is_ended(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        trying.run_in(tmp_path, "import time; time.sleep(600)", timeout=0.1)


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "somewhere"
    for name in ("__init__.py", "nn/tasks.py", "assets/bus.jpg", "n.pt", "n.onnx", "__pycache__/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("as it was")
    return folder


def test_the_copy_holds_the_edits_and_is_gone_afterwards(package, monkeypatch):
    seen = {}

    def run(folder, code):
        seen.update(
            folder=folder,
            code=code,
            files={
                str(file.relative_to(folder)): file.read_text()
                for file in folder.rglob("*")
                if file.is_file()
            },
        )
        return Outcome("the same", "")

    monkeypatch.setattr(trying, "run_in", run)
    contents = {"nn/tasks.py": b"edited", "nn/Addmodules/new.py": b"new"}
    assert trying.difference(package, contents) == ""
    assert seen["files"] == {
        "ultralytics/__init__.py": "as it was",
        "ultralytics/nn/tasks.py": "edited",
        "ultralytics/nn/Addmodules/new.py": "new",
    }
    assert seen["folder"].name.startswith("dynconv-") and not seen["folder"].exists()
    assert (package / "nn/tasks.py").read_text() == "as it was"
    *program, call = ast.parse(seen["code"]).body
    assert ast.dump(ast.Module(program, [])) == ast.dump(
        ast.parse(trying.PROBE.read_text(encoding="utf-8"))
    )
    names = {"ProbeConv": "DynamicConv", "C2f_Probe": "C2f_DynamicConv"}
    assert ast.unparse(call) == f"main({names!r})"


@pytest.mark.parametrize(
    "outcome, found",
    [
        (Outcome("noise\nthe same", ""), ""),
        (Outcome("noise\nwidth is 8", ""), "width is 8"),
        (Outcome("", ""), "nothing was said"),
        (Outcome("the same", "KeyError: 1"), "building a network with them ended in KeyError: 1"),
        (subprocess.TimeoutExpired("python", 300), "trying it did not end within 5 minutes"),
    ],
)
def test_what_is_made_of_the_answer(package, monkeypatch, outcome, found):
    def run(folder, code):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(trying, "run_in", run)
    assert trying.difference(package, {}) == found
