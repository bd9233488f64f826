"""Nothing is installed at run time: not by the package, nor by ultralytics within its functions and
commands, nor by a chapter anywhere but on Colab.
"""

import ast
import re
import sys
import types

import nbformat
import pytest
import torch
from conftest import ROOT
from life import start_python
from torch import nn
from ultralytics.utils import checks

from dynconv import yolo

MISSING = "a-package-that-nobody-has-made"


@pytest.fixture
def installed(monkeypatch):
    """What ultralytics would install where it may, and the network is there."""
    done = []
    monkeypatch.setattr(checks, "AUTOINSTALL", True)
    monkeypatch.setattr(checks, "ONLINE", True)
    monkeypatch.setattr(
        checks.subprocess, "check_output", lambda command, **how: done.append(command) or ""
    )
    return done


@pytest.mark.parametrize("how", [{}, {"cmds": "--no-deps"}, {"install": True}])
def test_ultralytics_installs_nothing_within_our_functions(installed, how, caplog):
    yolo.load  # noqa: B018  brings the bridge
    with yolo.safely():
        assert not checks.check_requirements(MISSING, **how)
        assert checks.check_requirements("numpy")
    assert not installed


def test_elsewhere_it_does_as_before(installed):
    with yolo.safely():
        pass
    checks.check_requirements(MISSING)
    (command,) = installed
    assert MISSING in command


def test_what_a_trusted_checkpoint_names_is_not_fetched(installed, tmp_path, monkeypatch):
    stranger = types.ModuleType("stranger")
    stranger.Layer = type("Layer", (nn.Module,), {"__module__": "stranger"})
    network = yolo.build("yolov8n-dcnv3", nc=1).model
    network.extra = stranger.Layer()
    file = tmp_path / "strange.pt"
    with monkeypatch.context() as here:
        here.setitem(sys.modules, "stranger", stranger)
        torch.save({"model": network, "train_args": {}, "epoch": 0}, file)
    monkeypatch.setenv("DYNCONV_TRUSTED", "")
    yolo.trust(file)
    with pytest.raises(ModuleNotFoundError, match="stranger"):
        yolo.load(file)
    assert not installed


def test_the_command_for_an_export_names_what_it_lacks(tmp_path):
    """A practitioner without onnx: ultralytics would install it."""
    code = (
        "import sys, runpy, subprocess; from importlib import metadata; find = metadata.version\n"
        "def version(name):\n"
        "    if name.startswith('onnx'): raise metadata.PackageNotFoundError(name)\n"
        "    return find(name)\n"
        "metadata.version = version; sys.modules.update(onnx=None, onnxslim=None)\n"
        "from ultralytics.utils import checks; checks.ONLINE = True\n"
        "def install(command, **how): print('INSTALLS', command); return ''\n"
        "checks.subprocess.check_output = install\n"
        "sys.argv = ['dynconv', 'export', 'model=yolov8n-dcnv3.yaml', 'format=onnx', 'imgsz=64']\n"
        "runpy.run_module('dynconv', run_name='__main__')\n"
    )
    process = start_python(code, tmp_path, YOLO_AUTOINSTALL="true", YOLO_VERBOSE="true")
    text = "".join(process.communicate(timeout=300))
    assert process.returncode and "INSTALLS" not in text, text
    assert "pip install 'dynconv[export]'" in text, text
    assert not list(tmp_path.glob("*.onnx"))


def test_chapters_install_on_colab_only():
    """Each line that calls an installer stands in a block that nothing but Colab enters."""
    found = 0
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.ipynb")]:
        for cell in nbformat.read(path, as_version=4).cells:
            lines = cell.source.splitlines() if cell.cell_type == "code" else []
            for i, line in enumerate(lines):
                if re.match(r"\s*[!%].*\b(pip|uv|conda|mamba|apt|apt-get|npm)\b", line):
                    block = [each for each in lines[:i] if not each.startswith(" ")][-1]
                    assert line.startswith(" ") and block == 'if "google.colab" in sys.modules:', (
                        f"{path.name}: {line}"
                    )
                    found += 1
    assert found


def test_the_package_calls_no_installer():
    """What it starts are Pythons that run its own code."""
    for file in (ROOT / "dynconv").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            words = []
            if isinstance(node, (ast.List, ast.Tuple)):
                words = [e.value for e in node.elts if isinstance(e, ast.Constant)]
            assert not {"pip", "uv", "conda"} & set(words), f"{file.name}, line {node.lineno}"
