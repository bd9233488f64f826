"""A model dictionary is refused with its row and its value before anything is built, evaluated or
called; a YAML file that does not end is refused within a second. More of what is refused stands in
tests/corpus/models.yaml.
"""

import os
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
        "stands for more than 200000 values",
    ),
    "torn": ("a: [", "is no YAML"),
    "bytes": ("a: \x01", "is no YAML"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data")) / "data.yaml"


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_yaml_without_end_is_named(kind, tmp_path, data):
    text, words = ENDLESS[kind]
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ValueError, match=words):
        yaml_files.check_yaml(tmp_path / "m.yaml")
    with pytest.raises(DataError, match=words):
        check_dataset(tmp_path / "m.yaml")
    with pytest.raises(ValueError, match=words):
        training.plan(str(tmp_path / "m.yaml"), data, folder=tmp_path)


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
