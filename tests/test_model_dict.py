"""A model dictionary is refused with its row and its value before anything is built, evaluated or
called; a YAML file that does not end is refused within a second.
"""

import os
import time
from pathlib import Path

import pytest
import ultralytics
from tiny import make_data
from ultralytics.nn import tasks

from dynconv.lab import training
from dynconv.lab.dataset import DataError, check_dataset
from dynconv.yolo import model_dict, yaml_files


def model(*rows, **entries):
    """A stock network, with rows in front of its head."""
    whole = {"nc": 2, "backbone": [[-1, 1, "Conv", [16, 3, 2]], *rows], "head": []}
    return {key: value for key, value in (whole | entries).items() if value is not ...}


STOCK = ("yolov8n", "yolov10n", "yolo11n", "yolo11n-pose", "yolov9c", "yolo26n", "rtdetr-l")


@pytest.mark.parametrize("name", STOCK)
def test_models_of_ultralytics_pass(name):
    model_dict.check(tasks.yaml_model_load(f"{name}.yaml"))
    model_dict.check(model(activation="nn.LeakyReLU(0.1)"))
    model_dict.check(model(activation="torch.nn.SiLU()"))


@pytest.mark.parametrize(
    "wrong, words",
    [
        ([1], r"must be a dictionary.* got \[1\]"),
        (model(backbone=...), "has no section `backbone:`; it has nc, head"),
        (model(head=...), "has no section `head:`"),
        (model(backbone=3), "`backbone:` must be a list of rows, got 3"),
        (model(nc="many"), "nc, the number of classes, must be a whole number, got 'many'"),
        (model(nc=True), "nc, .* got True"),
        (model(nc=0), "must be from 1 to 100000, got 0"),
        (model(nc=1_000_000_000), "must be from 1 to 100000, got 1000000000"),
        (model(scales={"n": [0.5, float("nan"), 512]}), "positive numbers, got"),
        (model(scales={"n": [0.5, "x", 512]}), "positive numbers, got"),
        (
            model([-1, 1, "Conv"]),
            r"row 1 \(backbone\) must be \[from, repeats, module, arguments\]",
        ),
        (model([-1, 1, 3, []]), r"row 1 .*is the name of a module, got 3"),
        (model([-1, 10**30, "C2f", [16]]), r"row 1 .*C2f repeats.* at most 1000, got 10000"),
        (model([-1, "2", "C2f", [16]]), r"row 1 .*C2f repeats.* got '2'"),
        (
            model([7, 1, "Conv", [16]]),
            r"row 1 .*Conv reads row 7, but the rows before it are 0 to 0",
        ),
        (model(["x", 1, "Conv", [16]]), r"row 1 .*which row Conv reads.* got 'x'"),
        (model([[-1, -5], 1, "Concat", [1]]), r"row 1 .*Concat reads row -5"),
        (model([-1, 1, "Conv", 16]), r"row 1 .*Conv needs its arguments as a list, got 16"),
        (model([-1, 1, "Conv", [10**12]]), r"row 1 .*Conv is given 1000000000000"),
        (model([-1, 1, "Conv", [16, [[2**62]]]]), r"row 1 .*Conv is given 4611686018427387904"),
    ],
)
def test_what_cannot_be_built_is_named(wrong, words):
    with pytest.raises((TypeError, ValueError), match=words):
        model_dict.check(wrong)


def test_arguments_that_hold_themselves_are_named():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="without end"):
        model_dict.check(model([-1, 1, "Conv", [16, endless]]))


@pytest.mark.parametrize(
    "activation",
    [
        "__import__('os').mkdir('mark')",
        "nn.SiLU(__import__('os').mkdir('mark'))",
        "nn.modules.os.mkdir('mark')",
        "nn.functional.relu",
        "nn.Nothing()",
        "nn.init.zeros_()",
        "exec('x')",
        "(",
        3,
    ],
)
def test_an_activation_that_is_no_layer_is_not_evaluated(activation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="`activation` of a model must be a layer of torch.nn"):
        model_dict.check(model(activation=activation))
    assert not os.listdir(tmp_path)


# --- files ----------------------------------------------------------------------------------------

ENDLESS = {
    "deep": ("[" * 100_000, "nested more than 50 levels deep"),
    "deep mapping": ("".join(" " * i + f"a{i}:\n" for i in range(300)), "levels deep"),
    "itself": ("a: &x [*x]", "&x holds itself"),
    "laughs": (
        "a: &a [1,2,3,4,5,6,7,8,9,10]\n"
        + "".join(
            f"{n}: &{n} [{','.join([f'*{m}'] * 10)}]\n" for m, n in zip("abcdefg", "bcdefgh")
        ),
        "stands for more than 1000000 values",
    ),
    "torn": ("a: [", "is no YAML"),
    "bytes": ("a: \x01", "is no YAML"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data")) / "data.yaml"


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_yaml_without_end_is_named_within_a_second(kind, tmp_path, data):
    text, words = ENDLESS[kind]
    (tmp_path / "m.yaml").write_text(text)
    began = time.monotonic()
    with pytest.raises(ValueError, match=words):
        yaml_files.check_yaml(tmp_path / "m.yaml")
    with pytest.raises(DataError, match=words):
        check_dataset(tmp_path / "m.yaml")
    with pytest.raises(ValueError, match=words):
        training.plan(str(tmp_path / "m.yaml"), data, folder=tmp_path)
    assert time.monotonic() - began < 3


def test_yaml_files_of_ultralytics_pass():
    files = list(Path(ultralytics.__file__).parent.glob("cfg/**/*.yaml"))
    assert len(files) > 20 and all(yaml_files.check_yaml(file) == file for file in files)


@pytest.mark.parametrize("suffix", ["yaml", "pt"])
def test_a_pipe_or_a_folder_in_place_of_a_model_is_named(suffix, tmp_path, data):
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    for name, what in (("pipe", "a named pipe"), ("folder", "a folder")):
        with pytest.raises(ValueError, match=f"{name}.{suffix}.* is {what}"):
            training.plan(str(tmp_path / f"{name}.{suffix}"), data, folder=tmp_path)
