"""Nothing in a file runs that nobody asked for: checkpoints, caches of labels, model files and data
files that would leave a mark, given to every function and command that takes a path.
"""

import io
import os
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from life import run_python, start_python
from tiny import make_data
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks

from dynconv import __main__, yolo
from dynconv.lab import kernels, routing, sweep, training
from dynconv.yolo import restricted, safe_load

TINY = dict(epochs=2, imgsz=64, batch=4, workers=0, device="cpu", plots=False, amp=False)
NAME = "yolov10n-dynamicconv-1"


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


class Layer(nn.Identity):
    """Somebody's own, in a file of theirs."""


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def nothing_declared(monkeypatch):
    before = torch.serialization.get_safe_globals()
    monkeypatch.delenv("DYNCONV_TRUSTED", raising=False)
    yield
    os.environ.pop("DYNCONV_TRUSTED", None)
    safe_load._of_trusted.clear()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


@pytest.fixture
def evil(mark, nothing_declared):
    """A checkpoint that works, with something else in it."""
    file = mark.with_name("evil.pt")
    content = {"model": yolo.build(NAME, nc=1).model, "train_args": {}, "epoch": 0}
    torch.save(content | {"note": Evil(mark)}, file)
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data")) / "data.yaml"


IMAGES, LABELS = torch.zeros(1, 3, 64, 64), [np.zeros((0, 5))]
DOORS = {
    "load": lambda file, data: yolo.load(file),
    "read_checkpoint": lambda file, data: safe_load.read_checkpoint(file),
    "export": lambda file, data: yolo.export(file, file.with_suffix(".onnx")),
    "validate": lambda file, data: training.validate(file, data, 64),
    "plan": lambda file, data: training.plan(str(file), data, TINY, folder=file.parent),
    "train": lambda file, data: training.train(str(file), data, TINY, folder=file.parent),
    "pretrained": lambda file, data: training.train(
        NAME, data, TINY | {"pretrained": str(file)}, folder=file.parent, quiet=True
    ),
    "record": lambda file, data: routing.record(file, IMAGES),
    "score": lambda file, data: routing.score(file, IMAGES, LABELS),
    "swap": lambda file, data: routing.swap(file, IMAGES, LABELS, ["a"]),
    "dynamic_layers": lambda file, data: routing.dynamic_layers(file),
    "untrained": lambda file, data: routing.untrained(file, IMAGES),
    "calibrated": lambda file, data: routing.calibrated(file, IMAGES),
    "mixed_kernels": lambda file, data: routing.mixed_kernels(file, {}),
    "closeups": lambda file, data: kernels.closeups(file, {}),
    "sweep": lambda file, data: sweep.sweep([str(file)], data, TINY, folder=file.parent),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_function_runs_what_is_in_a_checkpoint(door, evil, mark, data):
    with pytest.raises(TypeError, match=r"evil\.pt names \w+\.mkdir.* nothing of it was run"):
        DOORS[door](evil, data)
    assert not mark.exists()


def test_the_commands_run_nothing_either_unless_the_file_is_trusted(evil, mark, data):
    def ask(*more):
        asked = ["-m", "dynconv", "val", f"model={evil}", f"data={data}", "imgsz=64", *more]
        process = start_python("", evil.parent, *asked, DYNCONV_TRUSTED=None)
        return "".join(process.communicate(timeout=300))

    assert "UntrustedCheckpointError" in ask("plots=False") and not mark.exists()
    ask("plots=False", f"trust={evil}")
    assert mark.exists()


WRONG = {
    "--bad": "SyntaxError: 'bad' is not a valid",
    "detect nonsense": "SyntaxError: 'nonsense' is not a valid",
    "train model=": "SyntaxError: 'model=' is not a valid",
    "train model=none.yaml": "FileNotFoundError: 'none.yaml' does not exist",
    f"train model={NAME} epochs=-1": "ValueError: 'epochs=-1' .*must be >= 1",
    f"train model={NAME} data=none.yaml": "RuntimeError: Dataset 'none.yaml' error .*not exist",
    "train model=here": "TypeError: model='here' should be",
    "trust=here": "ValueError: file must be a file, and 'here' is a folder",
} | ({"val model=pipe.pt": "model must be a file.* named pipe"} if hasattr(os, "mkfifo") else {})


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_argument_is_named_in_one_line(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    if "pipe" in line:
        os.mkfifo("pipe.pt")
    argv = ["dynconv", *line.split()]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr("ultralytics.cfg.ARGV", argv)
    assert __main__.main(argv[1:]) == 2
    assert re.search(WRONG[line], capsys.readouterr().err.splitlines()[-1])


def test_a_trusted_file_runs_until_it_is_changed(evil, mark):
    yolo.trust(evil)
    assert yolo.load(evil).task == "detect" and mark.is_dir()
    mark.rmdir()
    torch.save({"model": nn.Identity(), "note": Evil(mark)}, evil)
    with pytest.raises(yolo.UntrustedCheckpointError):
        yolo.load(evil)
    assert not mark.exists()


def test_with_the_switch_no_file_is_exempt(evil, mark, monkeypatch):
    yolo.trust(evil)
    monkeypatch.setenv("ULTRALYTICS_SAFE_LOAD", "1")
    with pytest.raises(TypeError, match="names .*mkdir"):
        yolo.load(evil)
    with pytest.raises(RuntimeError, match="ULTRALYTICS_SAFE_LOAD is set"):
        yolo.trust(evil)
    # what ultralytics loads at the end of a training, by a door of its own
    from ultralytics.utils.torch_utils import strip_optimizer

    strip_optimizer(evil)  # which says of any error that it leaves the file as it is
    assert not mark.exists()


@pytest.fixture(scope="module")
def stopped(data, tmp_path_factory):
    """A run after its first epoch of two."""
    folder = tmp_path_factory.mktemp("runs")
    job = training.plan(NAME, data, TINY, folder=folder)

    def stop(trainer):
        raise KeyboardInterrupt

    model = YOLO(yolo.path(NAME))
    model.add_callback("on_model_save", stop)
    with pytest.raises(KeyboardInterrupt):
        model.train(
            data=str(data), project=str(folder), name=job.folder.name, exist_ok=True, **TINY
        )
    return job


@pytest.mark.parametrize("switch", ["0", "1"])
@pytest.mark.parametrize("file", ["last.pt", "best.pt", None])
def test_a_continued_run_runs_nothing_of_its_folder(
    file, switch, stopped, mark, tmp_path, data, monkeypatch, nothing_declared
):
    monkeypatch.setenv("ULTRALYTICS_SAFE_LOAD", switch)
    shutil.copytree(stopped.folder.parent, tmp_path / "runs")
    job = training.plan(NAME, data, TINY, folder=tmp_path / "runs")
    if file:
        place = job.folder / "weights" / file
        content = torch.load(place, weights_only=False)
        torch.save(content | {"note": Evil(mark)}, place)
    if file == "last.pt":
        with pytest.raises(TypeError, match=r"last\.pt names .*mkdir.* nothing of it was run"):
            training.run(job, quiet=True)
    else:  # best.pt is written anew, or refused
        try:
            done = training.run(job, quiet=True)
            assert len(done.curves["mAP50"]) == 2 and yolo.load(done.weights).task == "detect"
        except yolo.UntrustedCheckpointError:
            assert file == "best.pt"
    assert not mark.exists()


def test_the_cache_of_labels_is_read_and_nothing_in_it_runs(data, mark, tmp_path):
    from ultralytics.data.utils import load_dataset_cache_file

    folder = shutil.copytree(data.parent, tmp_path / "data")
    (folder / "data.yaml").write_text(data.read_text().replace(str(data.parent), str(folder)))
    file = tmp_path / "model.pt"
    torch.save({"model": yolo.build(NAME, nc=1).model, "train_args": {}}, file)
    training.validate(file, folder / "data.yaml", 64)
    cache = folder / "labels/val.cache"
    with yolo.safely():
        assert len(load_dataset_cache_file(cache)["labels"]) == 4
    with cache.open("wb") as content:
        np.save(content, np.array([{"labels": Evil(mark)}, None], object)[:1])
    training.validate(file, folder / "data.yaml", 64)
    assert not mark.exists()


# --- what a restricted pickle refuses, and what it takes ------------------------------------------


class Call:
    def __init__(self, function, *arguments):
        self.asked = function, arguments

    def __reduce__(self):
        return self.asked


EVAL = {"nc": 1, "activation": "__import__('os').mkdir('mark')", "backbone": [], "head": []}


@pytest.mark.parametrize(
    "thing, words",
    [
        (Call(eval, "1"), "names builtins.eval"),
        (Call(getattr, nn.Module, "__init__"), "asks for the attribute '__init__'"),
        (Call(getattr, torch.Size, "count"), "asks for the attribute 'count'"),
        (Call(tasks.torch_safe_load, "x.pt"), "names ultralytics.nn.tasks.torch_safe_load"),
        (Call(tasks.DetectionModel, EVAL), "calls the constructor of DetectionModel"),
        (Call(YOLO, "x.pt"), "names ultralytics.models.yolo.model.YOLO"),
        (Call(Layer), "names test_safe_load.Layer"),
        (Call(torch.load, "x.pt"), "names torch.serialization.load"),
    ],
)
def test_a_pickle_that_builds_no_network_is_refused(thing, words, tmp_path, nothing_declared):
    torch.save({"model": thing}, tmp_path / "x.pt")
    with pytest.raises(yolo.UntrustedCheckpointError, match=words):
        yolo.load(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "program, words",
    [
        (b"cos\nsystem\n(S'true'\ntR.", "names os.system"),
        (b"(S'true'\nios\nsystem\n.", "only Python 2"),
        (b"(cos\nsystem\nS'true'\no.", "names os.system"),
        (b"(ctorch.nn.modules.linear\nIdentity\no.", "only Python 2"),
        (b"ctorch.nn.modules.nothing\nX\n.", "is not there"),
        (b"\x80\x04\x8c\x17torch.nn.modules.module\x8c\x0eModule.forward\x93.", "no need of"),
        # an object whose own `append`, or `__setstate__`, would be what the file has put there
        (
            b"cultralytics.utils\nIterableSimpleNamespace\n)\x81}(S'append'\ncbuiltins\nset\nu"
            + b"b"
            + b"S'x'\na.",
            "appends to a",
        ),
        (
            b"cultralytics.utils\nIterableSimpleNamespace\n)\x81}(S'__setstate__'\ncbuiltins\nset\nub}b.",
            "calls what it has put",
        ),
        (b"ccollections\nOrderedDict\n}b.", "changes OrderedDict"),
    ],
)
def test_instructions_that_end_in_a_call_are_refused(program, words):
    with pytest.raises(restricted.RefusedError, match=words):
        restricted.pickle_module({}).load(io.BytesIO(program))


def test_torchscript_and_what_is_no_checkpoint_are_named(tmp_path):
    torch.jit.save(torch.jit.script(nn.Identity()), str(tmp_path / "script.pt"))
    with pytest.raises(yolo.UntrustedCheckpointError, match="TorchScript"):
        yolo.load(tmp_path / "script.pt")
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(TypeError, match="not a loadable checkpoint"):
        yolo.load(tmp_path / "text.pt")


def test_layers_of_the_reader_are_declared_by_name_registration_or_trust(
    tmp_path, nothing_declared
):
    network = yolo.build(NAME, nc=1).model
    network.model[0].act = Layer()
    torch.save({"model": network, "train_args": {}}, tmp_path / "mine.pt")
    with pytest.raises(yolo.UntrustedCheckpointError, match="allow_safe_load"):
        yolo.load(tmp_path / "mine.pt")
    yolo.trust(tmp_path / "mine.pt")
    yolo.load(tmp_path / "mine.pt")
    os.environ.pop("DYNCONV_TRUSTED")
    yolo.load(tmp_path / "mine.pt")  # its layers are known now, as a continued training needs
    safe_load._of_trusted.clear()
    yolo.allow_safe_load(Layer)
    assert type(yolo.load(tmp_path / "mine.pt").model.model[0].act) is Layer


@pytest.mark.parametrize("name", [*yolo.models(), "yolo11n-seg.yaml", "yolo11n-cls.yaml"])
def test_every_model_of_ours_comes_back_the_same(name, tmp_path):
    model = YOLO(name) if name.endswith(".yaml") else yolo.build(name)
    torch.save({"model": model.model, "train_args": {}}, tmp_path / "model.pt")
    again = yolo.load(tmp_path / "model.pt").model.state_dict()
    assert all(torch.equal(again[key], value) for key, value in model.model.state_dict().items())


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "nothing"])
@pytest.mark.parametrize("door", ["load", "export", "validate", "record"])
def test_what_is_no_file_is_named_at_once(door, kind, tmp_path, data):
    place = tmp_path / "x.pt"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "loop":
        place.symlink_to(place)
    with pytest.raises((ValueError, FileNotFoundError), match="x.pt"):
        DOORS[door](place, data)


@pytest.mark.parametrize("first", ["ultralytics.data", "ultralytics.data.dataset", "dynconv.yolo"])
def test_it_does_not_matter_what_is_imported_first(tmp_path, first):
    """ultralytics.data imports ultralytics.nn, and so the bridge, when it is half there itself."""
    code = (
        f"import dynconv, {first}; from ultralytics.data import dataset, utils; "
        "from ultralytics.engine import trainer; from ultralytics.utils import patches; "
        "print(all(hasattr(each, '__wrapped__') for each in (patches.torch_load,"
        " dataset.load_dataset_cache_file, utils.load_dataset_cache_file,"
        " trainer.check_det_dataset, utils.check_det_dataset)))"
    )
    assert run_python(code, tmp_path) == "True"
