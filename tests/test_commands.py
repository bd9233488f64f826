"""A command names what is wrong with its arguments in one line and ends with 2: no traceback, no
download, and nothing is trained before.
"""

import subprocess
import sys

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn import tasks

from dynconv import benchmark, yolo
from dynconv.commands import mistakes_named
from dynconv.lab import detector, experiment

ROWS = "backbone:\n- [-1, 1, Conv, [8, 3, 2]]\n"
NO_MODELS = {  # what a file holds: what is said of it
    "": "nothing under `backbone:`",
    "# only a comment\n": "nothing under `backbone:`",
    "nc: 3\n": "nothing under `backbone:`",
    "nc: 3\nbackbone: []\nhead: []\n": "[] under `backbone:`",
    "backbone: 5\nhead: 5\n": "5 under `backbone:`",
    "backbone: [[-1, 1]]\nhead: []\n": "[[-1, 1]] under `backbone:`",
    "- 1\n": "is no model",
    "5\n": "is no model",
    "backbone: [": "is no YAML",
    "\0\1\2": "is no YAML",
    ROWS: "no section `head:`",
    ROWS + "head:\n- [[0], 1, Detect, [nc]]\n": "row 1 (head): Detect needs `nc:`",
}


@pytest.mark.parametrize("content", NO_MODELS)
def test_a_file_that_is_no_model_is_named(content, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(ValueError) as caught:
        YOLO(file, task="detect")
    assert NO_MODELS[content] in str(caught.value)
    if "section" not in str(caught.value) and "row 1" not in str(caught.value):
        assert str(file) in str(caught.value)


def test_a_file_with_rows_under_another_key_is_left_to_ultralytics(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("layers:\n- [-1, 1, Conv, [8, 3, 2]]\n")
    assert "layers" in tasks.yaml_model_load(file)


def test_each_reader_of_model_files_asks():
    from ultralytics.engine import model

    assert model.yaml_model_load is tasks.yaml_model_load
    before = tasks.yaml_model_load
    yolo.renew()
    assert tasks.yaml_model_load is before


def command(*arguments):
    run = [sys.executable, "-m", "dynconv", *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_the_command_names_the_file(tmp_path):
    (tmp_path / "empty.yaml").touch()
    code, said = command("detect", "train", f"model={tmp_path / 'empty.yaml'}", "epochs=1")
    assert code == 2
    assert said.startswith("ValueError") and "empty.yaml is no model" in said


@pytest.fixture
def main(monkeypatch, capsys):
    """`python -m dynconv ...` in this process: its exit code and the last line it said."""
    from dynconv import __main__

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dynconv", *arguments])
        code = __main__.main(list(arguments))
        return code, capsys.readouterr().err.strip().splitlines()[-1]

    return run


def raising(error):
    def entrypoint():
        raise error

    return entrypoint


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        yolo.UnknownModuleError("row 0 names Pear"),
        ModuleNotFoundError("No module named 'shapely'"),
        NotImplementedError("no task"),
        caused(RuntimeError("Dataset error"), AssertionError("none there")),
        caused(RuntimeError("Dataset error"), FileNotFoundError("none there")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_wrong_is_one_line(error, main, monkeypatch):
    monkeypatch.setattr("ultralytics.cfg.entrypoint", raising(error))
    assert main("predict") == (2, f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("error", [RuntimeError("torch's"), AssertionError("ours"), KeyError("x")])
def test_a_mistake_of_the_program_has_its_traceback(error, main, monkeypatch):
    monkeypatch.setattr("ultralytics.cfg.entrypoint", raising(error))
    with pytest.raises(type(error)):
        main("predict")


def test_the_row_stands_in_the_line(main, monkeypatch):
    error = TypeError("too many")
    error.add_note("row 3 (head) of the model")
    monkeypatch.setattr("ultralytics.cfg.entrypoint", raising(error))
    assert main("predict")[1] == "TypeError: too many; row 3 (head) of the model"


def test_other_commands_end_alike(capsys):
    with pytest.raises(SystemExit) as caught, mistakes_named():
        raise ValueError("threads must be at most 9\nand more")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "ValueError: threads must be at most 9\n"


def test_the_benchmark_names_a_number(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark", "--num-experts", "99999999"])
    with pytest.raises(SystemExit, match="2"):
        benchmark.main()
    assert "num_experts must be at most" in capsys.readouterr().err


def not_yet(*arguments, **keywords):
    raise AssertionError("it began before it knew where the results go")


def test_an_experiment_asks_first_where_its_results_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "make", not_yet)
    monkeypatch.setattr(experiment.offline, "stay_offline", lambda: None)
    with pytest.raises(SystemExit, match="2"):
        experiment.main(["--folder", str(tmp_path / "runs"), "--file", str(tmp_path)])
    assert "is a folder" in capsys.readouterr().err


def test_the_detector_asks_first_where_its_files_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detector, "make", not_yet)
    monkeypatch.setattr(detector.offline, "stay_offline", lambda: None)
    (tmp_path / "taken").touch()
    with pytest.raises(SystemExit, match="2"):
        detector.main(["--folder", str(tmp_path), "--to", str(tmp_path / "taken")])
    assert "FileExistsError" in capsys.readouterr().err


def test_weights_of_torchvision_are_not_fetched_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    rows = [[-1, 1, "TorchVision", [512, "resnet18", "DEFAULT", True, 2, True]]]
    head = [[0, 1, "Index", [512, 8]], [-1, 1, "Classify", ["nc"]]]
    with pytest.raises(ConnectionError, match="resnet18.*YOLO_OFFLINE"):
        tasks.ClassificationModel({"nc": 2, "backbone": rows, "head": head}, verbose=False)


def test_torch_fetches_what_it_is_asked_for_online(monkeypatch, tmp_path):
    monkeypatch.delenv("YOLO_OFFLINE")
    file = tmp_path / "weights"
    file.write_bytes(b"there")
    torch.hub.download_url_to_file(file.as_uri(), tmp_path / "copy", progress=False)
    assert (tmp_path / "copy").read_bytes() == b"there"
