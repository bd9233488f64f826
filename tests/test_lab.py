"""The laboratory as a whole: its types can be read, and two that want the same take turns."""

import errno
import inspect
import os
import pkgutil
import threading
import time
import typing
from importlib import import_module

import pytest

from dynconv import lab
from dynconv.files import locks

MODULES = [module.name for module in pkgutil.iter_modules(lab.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_types_in_signatures_can_be_read(name):
    """They are strings until somebody asks, so a name that was never imported is not missed."""
    module = import_module(f"dynconv.lab.{name}")
    for one in vars(module).values():
        if getattr(one, "__module__", None) == module.__name__ and callable(one):
            typing.get_type_hints(one)
            for _, method in inspect.getmembers(one, inspect.isfunction):
                typing.get_type_hints(method)


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_one_at_a_time_whoever_removes_the_file(tmp_path):
    """The lock file comes and goes; at no time are two inside. (flock tells threads apart too.)"""
    inside, most, waits = [], [], []

    def work():
        for _ in range(10):
            with locks.turn(tmp_path / "run", lambda: waits.append(True)):
                inside.append(True)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 60 and max(most) == 1 and waits and not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_nobody_waits(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with locks.turn(tmp_path / "run", lambda: pytest.fail("waits")):
        assert not list(tmp_path.iterdir()), "nothing that somebody could wait for"


def test_an_error_inside_gives_the_lock_back(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), locks.turn(tmp_path / "run", lambda: pytest.fail("waits")):
            raise KeyError
    assert not list(tmp_path.iterdir())
