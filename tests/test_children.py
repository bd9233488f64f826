"""The processes that ultralytics starts for several GPUs ask before they unpickle, as this one."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT
from ultralytics.utils import dist

from dynconv import yolo
from dynconv.edits import UnsupportedUltralytics


class ReadsACache:
    """What a trainer of ultralytics does with the data in each of the processes."""

    def __init__(self, cfg=None, overrides=None, _callbacks=None):
        self.args = SimpleNamespace(**(overrides or {}))

    def train(self):
        from ultralytics.data.utils import load_dataset_cache_file

        try:
            load_dataset_cache_file(Path("labels.cache"))
        except FileNotFoundError:
            print("refused")


class Leaves:
    def __reduce__(self):
        return os.mkdir, ("mark",)


@pytest.fixture
def trainer(monkeypatch):
    cloudpickle = pytest.importorskip("cloudpickle")
    here = sys.modules[__name__]  # the child cannot import it
    cloudpickle.register_pickle_by_value(here)
    ours = [place for place in sys.path if not place.startswith(str(ROOT / "t"))]
    monkeypatch.setattr(sys, "path", ours)
    made = ReadsACache(overrides={"model": "yolov8n.yaml"})
    made.model, made.callbacks, made.hub_session = "yolov8n.yaml", {}, None
    yield made
    cloudpickle.unregister_pickle_by_value(here)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("labels.cache", "wb") as file:
        np.save(file, np.array(Leaves(), dtype=object), allow_pickle=True)


def child(file):
    """Runs a script for several GPUs as one process of them."""
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=120)
    Path(file).unlink()
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_cache_runs_nothing_in_a_child(trainer, cache):
    with yolo.safely():
        said = child(dist.generate_ddp_file(trainer))
    assert "refused" in said
    assert not os.path.exists("mark")


def test_outside_of_our_functions_the_script_is_ultralytics_own(trainer, monkeypatch):
    monkeypatch.delenv("ULTRALYTICS_SAFE_LOAD", raising=False)
    file = Path(dist.generate_ddp_file(trainer))
    assert "dynconv.yolo" not in file.read_text()
    file.unlink()


def test_a_script_of_another_form_is_refused(trainer, monkeypatch, tmp_path):
    from dynconv.yolo import children

    def another(trainer):
        (tmp_path / "script.py").write_text("run()\n")
        return tmp_path / "script.py"

    monkeypatch.setattr(dist, "generate_ddp_file", another)
    children.guard_children(lambda: True)
    with pytest.raises(UnsupportedUltralytics, match="several GPUs"):
        dist.generate_ddp_file(trainer)
