"""`make env`: what it does after an interruption, after a change, and with nothing to do; and that
it installs no file but those whose hashes stand in the repository.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from types import SimpleNamespace

import environment
import lock
import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

STEPS = ("make_venv", "install_python_packages", "install_npm_packages", "first_import")


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """The real decisions, with steps and commands that are only written down."""
    done = []
    for step in STEPS:
        monkeypatch.setattr(environment, step, lambda step=step: done.append(step))
    for command in ("run", "works"):
        monkeypatch.setattr(environment, command, lambda *parts, **how: done.append(parts))
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp")
    return done


def test_first_run_makes_everything(steps):
    environment.main()
    assert tuple(steps) == STEPS


def test_second_run_does_nothing(steps):
    environment.main()
    steps.clear()
    environment.main()
    assert not steps


@pytest.mark.parametrize("step", STEPS)
def test_interrupted_first_run_starts_anew(steps, monkeypatch, step):
    with monkeypatch.context() as interrupted:
        interrupted.setattr(environment, step, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            environment.main()
    steps.clear()
    environment.main()
    assert tuple(steps) == STEPS


def test_changed_requirement_updates_in_place(steps, monkeypatch):
    environment.main()
    steps.clear()
    monkeypatch.setattr(environment, "digest", lambda: "other")
    environment.main()
    assert tuple(steps) == STEPS[1:]


def test_interrupted_update_starts_anew(steps, monkeypatch):
    """Also when the change was taken back in between."""
    environment.main()
    with monkeypatch.context() as interrupted:
        interrupted.setattr(environment, "digest", lambda: "other")
        interrupted.setattr(
            environment, "install_npm_packages", lambda: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            environment.main()
    steps.clear()
    environment.main()
    assert tuple(steps) == STEPS


def test_moved_folder_starts_anew(steps, monkeypatch):
    """A venv holds absolute paths."""
    environment.main()
    steps.clear()
    monkeypatch.setattr(environment, "place", lambda: "elsewhere")
    environment.main()
    assert tuple(steps) == STEPS


def test_old_python_is_named_in_one_line(steps, monkeypatch):
    old = SimpleNamespace(version_info=(3, 9, 2), exit=sys.exit)
    monkeypatch.setattr(environment, "sys", old)
    message = r"^env: Python 3\.11 or newer is needed, this is 3\.9\..*$"
    with pytest.raises(SystemExit, match=message):
        environment.main()
    assert not steps


# --- what is installed ----------------------------------------------------------------------------

LOCKS = ("environment.txt", "proof.txt", "opencv-headless.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_each_locked_version_has_the_hashes_of_its_files(name):
    text = (lock.LOCKED / name).read_text()
    assert "".join(lock.entries(name)) == text, "something in it is no version with hashes"
    bare = [e for e in lock.entries(name) if not re.search(r" {4}--hash=sha256:[0-9a-f]{64}\n$", e)]
    assert not bare


def wanted(project, *extras):
    """What pyproject.toml asks for with these extras, and with the extras that they name."""
    found = list(map(Requirement, project["dependencies"]))
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            asked = Requirement(line)
            found += wanted(project, *asked.extras) if asked.name == "dynconv" else [asked]
    return found


@pytest.mark.parametrize("extra, names", [("test", LOCKS[:1]), ("proof", LOCKS[:2])])
def test_the_lock_has_what_the_package_asks_for(extra, names):
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {k: v for name in names for k, v in lock.versions(name).items()}
    asked = wanted(pyproject["project"], extra)
    asked += map(Requirement, pyproject["build-system"]["requires"])
    missing = [
        str(each)
        for each in asked
        if not all(
            map(each.specifier.contains, locked.get(canonicalize_name(each.name), ["none at all"]))
        )
    ]
    assert not missing, "`make lock` renews tools/locked"


def test_opencv_without_windows_has_the_version_of_the_other():
    (headless,) = lock.versions("opencv-headless.txt").values()
    assert headless == lock.versions("environment.txt")["opencv-python"]


@pytest.fixture
def commands(monkeypatch):
    """What would be run on a machine without OpenGL."""
    done = []
    monkeypatch.setattr(environment, "run", lambda *parts, **how: done.append(parts))
    monkeypatch.setattr(environment, "works", lambda code: False)
    monkeypatch.setattr(environment.shutil, "rmtree", lambda *folders, **how: None)
    return done


def test_nothing_is_installed_without_its_hash(commands):
    environment.install_python_packages()
    installs = [parts for parts in commands if "install" in parts]
    assert len(installs) == 3
    for parts in installs:
        if "-e" in parts:  # the package itself, for which nothing is fetched
            assert {"--no-index", "--no-deps", "--no-build-isolation"} < set(parts)
        else:
            assert {"--require-hashes", "--only-binary"} < set(parts)
            assert "".join(lock.entries(parts[-1])) == parts[-1].read_text()


@pytest.fixture
def wheel(tmp_path):
    """A package of one line."""
    file, info = tmp_path / "onlyhere-1.0-py3-none-any.whl", "onlyhere-1.0.dist-info"
    files = {
        "onlyhere.py": b"here = True\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: onlyhere\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{info}/RECORD,,"]
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join(record) + "\n")
    return file


def test_a_changed_file_is_refused(wheel, tmp_path, monkeypatch):
    """By pip itself, called as `make env` calls it, with another list and another folder."""
    done = []
    monkeypatch.setattr(environment, "run", lambda *parts: done.append(list(map(str, parts))))
    monkeypatch.setattr(environment, "works", lambda code: True)
    environment.install_python_packages()
    wanted = tmp_path / "environment.txt"
    command = [sys.executable, *done[0][1:-1], wanted, "--target", tmp_path / "there"]
    command += ["--no-index", "--find-links", tmp_path]

    def install():
        return subprocess.run(command, capture_output=True, text=True)

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wanted.write_text(f"onlyhere==1.0 --hash=sha256:{digest}\n")
    first = install()
    assert first.returncode == 0, first.stderr
    wheel.write_bytes(wheel.read_bytes() + b"one line more")
    second = install()
    assert second.returncode and "DO NOT MATCH THE HASHES" in second.stderr
