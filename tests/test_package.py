"""What holds for the package as a whole."""

import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
import tomllib
import typing
import zipfile

import yaml
from conftest import ROOT

import dynconv


def test_the_annotations_of_all_public_functions_can_be_read():
    """An editor reads them; a name that was never imported would only show there."""
    unreadable = []
    for info in pkgutil.walk_packages(dynconv.__path__, "dynconv."):
        if "Addmodules" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module):
            if getattr(value, "__module__", None) != info.name:
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                try:
                    typing.get_type_hints(value)
                except NameError as error:
                    unreadable.append(f"{info.name}.{name}: {error}")
    assert not unreadable


def test_what_is_published_holds_the_package_and_its_licence_and_nothing_else(tmp_path):
    """As `make dist` builds it: the wheel from the source distribution."""
    listed = subprocess.check_output(["git", "ls-files", "dynconv"], cwd=ROOT, text=True)
    files = {name for name in listed.splitlines() if (ROOT / name).exists()}
    for name in (*files, "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_here.py").touch()
    build(tmp_path, "b.build_sdist('.')")
    (source,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(source, tmp_path / "source")
    (tree,) = (tmp_path / "source").iterdir()
    assert not (tree / "tests").exists()
    build(tree, "b.build_wheel('.')")
    (wheel,) = tree.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert held == {name for name in files if not name.endswith("ruff.toml")}
    assert len(licences) == 1


def build(folder, call):
    code = f"from setuptools import build_meta as b; {call}"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_the_same_wherever_it_stands():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {pyproject["version"], citation["version"]} == {dynconv.__version__}
