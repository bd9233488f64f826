"""`make env`: what it does after an interruption, after a change, and with nothing to do."""

import sys
from types import SimpleNamespace

import environment
import pytest

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
