"""Short training runs: what they leave, what continues them, what stops them with a clear word."""

import contextlib
import csv
import errno
import functools
import importlib.metadata
import io
import logging
import os
import shutil
import signal
import sys
import time
import types
from importlib.metadata import version

import pytest
import torch
from life import start_python

from dynconv.lab import repair, scenes, training
from dynconv.lab.estimate import Estimate

MODEL = "yolov10n-dynamicconv-1"
TINY = training.preset("cpu").settings | dict(epochs=2, imgsz=64, batch=4, nbs=4)
SCENES = dict(train=8, val=4, size=64, progress=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scenes.make(tmp_path_factory.mktemp("data"), **SCENES)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A finished run of two epochs, and the lines it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run = training.train(MODEL, data, TINY, folder=tmp_path_factory.mktemp("finished"))
    return run, printed.getvalue().splitlines()


@pytest.fixture(scope="module")
def in_the_middle(data, tmp_path_factory):
    """A process that is in the middle of the second epoch of the same run, for ever; the folder in
    which it keeps its runs; and a copy of that, as it would be if the process was killed there.
    """
    folder = tmp_path_factory.mktemp("first")
    marker = folder / "second epoch"
    code = (
        "import pathlib, time; from ultralytics.utils import callbacks\n"
        "from dynconv.lab import training\n"
        "def stay(trainer):\n"
        "    if trainer.epoch == 1: pathlib.Path('second epoch').touch(); time.sleep(600)\n"
        "callbacks.default_callbacks['on_train_batch_end'].append(stay)\n"
        f"training.train({MODEL!r}, {str(data.yaml)!r}, {TINY}, folder='runs')"
    )
    process = start_python(code, folder)
    try:
        while not marker.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        copy = shutil.copytree(folder / "runs", tmp_path_factory.mktemp("killed") / "runs")
        yield process, folder / "runs", copy
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def stopped(in_the_middle, tmp_path):
    """A folder of runs with this one in it, killed in the middle of its second epoch."""
    return shutil.copytree(in_the_middle[2], tmp_path / "runs")


@pytest.fixture
def looks(monkeypatch):
    """The images whose labels were looked at before a run."""
    from ultralytics.data import dataset, utils  # dataset: has a name of its own for the function

    seen, look = [], utils.verify_image_label
    assert dataset.verify_image_label is look
    monkeypatch.setattr(utils, "verify_image_label", lambda one: seen.append(one[0]) or look(one))
    return seen


@pytest.fixture
def on(monkeypatch):
    """on(event, function): ultralytics calls the function too, in every run of this test."""
    from ultralytics.utils import callbacks

    return lambda event, function: monkeypatch.setitem(
        callbacks.default_callbacks, event, [function]
    )


def contents(folder):
    return {
        file: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def rows(folder):
    with open(folder / "results.csv", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


# --- what a run leaves ----------------------------------------------------------------------------


def test_each_epoch_is_validated_and_nothing_else(data, tmp_path, on):
    """ultralytics would validate best.pt once more, which nobody reads."""
    validated = []
    on("on_val_end", lambda validator: validated.append(validator.training))
    run = training.train(MODEL, data, TINY | {"save_period": 1}, folder=tmp_path, quiet=True)
    assert validated == [True, True]
    checkpoints = {file.name: file for file in run.weights.parent.iterdir()}
    assert sorted(checkpoints) == ["best.pt", "epoch0.pt", "epoch1.pt", "last.pt"]
    for file in checkpoints.values():
        kept = torch.load(file, weights_only=False)
        assert kept["optimizer"] is None and kept["epoch"] == -1, "what only training needs stays"


def test_a_run_leaves_plain_results_beside_its_weights(finished, data):
    run, lines = finished
    place = training.plan(MODEL, data, TINY, folder=os.path.dirname(run.folder)).folder
    assert (
        str(place) == run.folder
        and training.load_run(run.folder) == run
        and run.weights == place / "weights/last.pt"
    )
    assert run.weights.exists() and (run.model, run.seed, run.settings) == (MODEL, 0, TINY)
    assert run.parameters == 2_888_062, (
        "the count of yolov10n-dynamicconv-1 with three classes, as counted apart from this package"
    )
    assert run.data["images"] == {"train": 8, "val": 4} and run.data["classes"] == [
        "disc",
        "square",
        "triangle",
    ]
    table = rows(place)
    assert run.curves["epoch"] == [1, 2] and run.curves["box loss"] == [
        float(row["train/box_loss"]) for row in table
    ]
    assert (
        run.curves["class loss"] == [float(row["train/cls_loss"]) for row in table]
        and min(run.curves["class loss"]) > 0
    )
    assert run.mAP50 == float(table[-1]["metrics/mAP50(B)"]) and run.curves["mAP50-95"][
        -1
    ] == float(table[-1]["metrics/mAP50-95(B)"])
    assert run.seconds == pytest.approx(float(table[-1]["time"])) and all(
        second > 0 for second in run.curves["seconds"]
    )
    assert run.versions["ultralytics"] == version("ultralytics") and run.versions[
        "device"
    ].startswith("CPU, ")
    assert [line.partition(",  loss")[0].partition(", loss")[0] for line in lines] == [
        f"{MODEL}, seed 0: epoch {n}/2" for n in (1, 2)
    ]


def test_a_finished_run_is_not_repeated(finished, data, capsys):
    run, _ = finished
    before = contents(data.folder.parent) | contents(run.weights.parent.parent)
    again = training.train(MODEL, data, TINY, folder=run.weights.parents[2])
    assert (
        again == run
        and capsys.readouterr().out == f"{MODEL}, seed 0: was done before, mAP50 {run.mAP50:.3f}\n"
    )
    assert contents(data.folder.parent) | contents(run.weights.parent.parent) == before
    training.train(MODEL, data, TINY, folder=run.weights.parents[2], quiet=True)
    assert capsys.readouterr().out == ""


def test_a_run_is_planned_and_its_data_looked_at_once(finished, data, tmp_path, looks, on):
    def stop(trainer):
        raise KeyboardInterrupt

    on("on_pretrain_routine_start", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(MODEL, data, TINY, folder=tmp_path, quiet=True)
    assert len(looks) == len(set(looks)) == 8 + 4
    job = training.plan(MODEL, data, TINY, folder=finished[0].weights.parents[2])
    assert len(looks) == 2 * (8 + 4) and training.run(job, quiet=True) == finished[0]
    with pytest.raises(KeyboardInterrupt):
        training.run(training.plan(MODEL, job.dataset, TINY, folder=tmp_path), quiet=True)
    assert len(looks) == 2 * (8 + 4), "what was looked at is not looked at again"


def test_whatever_changes_a_run_gives_it_a_folder_of_its_own(data, tmp_path):
    folders = [training.plan(MODEL, data, TINY).folder]
    folders += [
        training.plan(MODEL, data, TINY | change).folder
        for change in ({"lr0": 1e-3}, {"epochs": 3}, {"cos_lr": True})
    ]
    folders += [
        training.plan(MODEL, data, TINY, seed=1).folder,
        training.plan("yolov10n", data, TINY).folder,
    ]
    folders.append(training.plan(MODEL, scenes.make(tmp_path, **SCENES, seed=1), TINY).folder)
    shutil.copytree(data.folder, tmp_path / "moved")
    label = next((tmp_path / "moved/labels/train").iterdir())
    same = training.plan(MODEL, tmp_path / "moved/data.yaml", TINY).folder
    label.write_text("1 0.5 0.5 0.25 0.25\n")
    folders.append(training.plan(MODEL, tmp_path / "moved/data.yaml", TINY).folder)
    assert same == folders[0], "data that were moved are the same data"
    assert len(set(folders)) == len(folders) == 8
    assert (
        training.plan(MODEL, data).settings
        == training.preset("cpu").settings
        == training.plan(MODEL, data, training.PRESETS["cpu"]).settings
    )


def test_weights_given_as_the_model_are_what_the_training_starts_from(finished, data, tmp_path):
    from ultralytics import YOLO
    from ultralytics.utils import torch_utils

    run, _ = finished
    settings = TINY | dict(
        epochs=1, optimizer="SGD", lr0=1e-9, warmup_epochs=0, device=torch.device("cpu")
    )
    assert settings["pretrained"] is False
    more, before = (
        training.train(run.weights, data, settings, folder=tmp_path, quiet=True, threads=3),
        torch_utils.NUM_THREADS,
    )
    first, second = (YOLO(one.weights).model.state_dict() for one in (run, more))
    for name in (name for name in first if name.endswith("conv.weight")):
        torch.testing.assert_close(second[name], first[name], rtol=1e-2, atol=1e-4)
    assert more.model == "last" and more.settings["pretrained"] is True
    assert more.versions["device"] == "CPU, 3 threads" and before != 3
    assert training.load_run(more.folder).settings["device"] == "cpu", (
        "settings that JSON does not know are saved too"
    )


def test_versions_are_known_without_the_metadata_that_pip_writes(monkeypatch):
    """A clone on PYTHONPATH has none, and a run asks at its very end."""

    known, find = training.versions("cpu"), importlib.metadata.Distribution.from_name

    def missing(name):
        if name == "dynconv":
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", missing)
    assert training.versions("cpu") == known and known["dynconv"]


# --- how long it will take ---


def clock(monkeypatch, seconds):
    """Time goes on by so much at each look."""
    now = iter(range(10**6))
    monkeypatch.setattr("dynconv.lab.estimate.time.perf_counter", lambda: next(now) * seconds)


def estimated(runs, steps=100, epochs=10, start=0):
    """What is said after each step of a run, and the step after which it is."""
    said = []
    trainer = types.SimpleNamespace(
        epochs=epochs, start_epoch=start, train_loader=range(steps), test_loader=range(30)
    )
    estimate = Estimate("model, seed 0", lambda line: said.append((estimate.done, line)), runs)
    for _ in range(steps):
        estimate(trainer)
    return said


def test_after_eight_steps_a_run_says_once_how_long_it_takes(monkeypatch):
    """Six steps are measured, and thirty batches of the validation are as twenty steps."""
    clock(monkeypatch, 0.6)  # 0.6 s for six steps, 12 s an epoch
    assert estimated(1) == [(8, "model, seed 0: 10 epochs in about 2 min")]
    assert estimated(1, start=8) == [(8, "model, seed 0: 2 epochs in about 20 s")]
    ((_, line),) = estimated(6)
    assert line == "model, seed 0: 10 epochs in about 2 min, all 6 runs in about 12 min"
    clock(monkeypatch, 600)
    assert estimated(1)[0][1].endswith("about 33.3 h")


def test_what_is_over_soon_or_not_waited_for_gets_no_estimate(monkeypatch):
    clock(monkeypatch, 0.6)
    assert estimated(1, steps=10, epochs=3) == [] and estimated(0) == []


def test_a_run_makes_its_estimate(data, tmp_path, on, capsys):
    def stop(trainer):
        raise KeyboardInterrupt

    on("on_train_epoch_end", stop)
    settings = TINY | {"epochs": 4, "batch": 1, "nbs": 1}
    with pytest.raises(KeyboardInterrupt):
        training.train("yolov10n", data, settings, folder=tmp_path)
    assert capsys.readouterr().out.startswith("yolov10n, seed 0: 4 epochs in about ")


# --- two at a time, and what else is in the process ---


@pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX")
def test_who_wants_a_run_that_another_process_is_at_waits_and_takes_over(in_the_middle, data):
    """Three processes; the first is killed. Then one continues its run, and the other finds that
    done. None of them has imported Ray or changed the reader's settings.
    """
    first, folder, _ = in_the_middle
    code = (
        "import json, sys; from dynconv.lab import training\n"
        f"training.train({MODEL!r}, {str(data.yaml)!r}, {TINY}, folder='runs')\n"
        "from ultralytics.utils import SETTINGS\n"
        "file = json.loads(SETTINGS.file.read_text())\n"
        "print('ray' in sys.modules, SETTINGS['raytune'], file['raytune'])"
    )
    # Settings as ultralytics brings them, whatever this machine's user has chosen.
    places = [str(folder.parent / f"settings {number}") for number in range(2)]
    others = [start_python(code, folder.parent, YOLO_CONFIG_DIR=place) for place in places]
    try:
        title = f"{MODEL}, seed 0"
        waits = {process.stdout.readline() for process in others}
        assert waits == {f"{title}: another process is at this run, waiting for it\n"}
        first.send_signal(signal.SIGKILL)
        out, err = zip(*(process.communicate(timeout=120) for process in others))
    finally:
        for process in others:
            process.kill()
            process.communicate()
    (place,) = folder.iterdir()  # and no lock
    run = training.load_run(place)
    took_over, found = sorted((text.splitlines() for text in out), key=len, reverse=True)
    assert took_over[0] == f"{title}: continued after epoch 1", err
    assert took_over[1].startswith(f"{title}: epoch 2/2, loss ") and len(took_over) == 3
    assert found[:-1] == [f"{title}: was done before, mAP50 {run.mAP50:.3f}"]
    assert took_over[-1] == found[-1] == "False True True" and run.curves["epoch"] == [1, 2]


@pytest.mark.parametrize("reader_has_it", [False, True])
def test_only_who_uses_ray_tune_gets_its_reports(data, tmp_path, monkeypatch, reader_has_it):
    from ultralytics.utils import SETTINGS

    seen = []

    def look(*_, **__):
        seen.append(SETTINGS["raytune"])
        raise KeyboardInterrupt

    monkeypatch.setattr("ultralytics.YOLO.train", look)
    monkeypatch.delitem(sys.modules, "ray.tune", raising=False)
    if reader_has_it:
        monkeypatch.setitem(sys.modules, "ray.tune", types.ModuleType("ray.tune"))
    before = SETTINGS["raytune"]
    put = functools.partial(dict.__setitem__, SETTINGS, "raytune")  # writes no settings file
    try:
        for setting in (True, False):
            put(setting)
            with pytest.raises(KeyboardInterrupt):
                training.train(MODEL, data, TINY, folder=tmp_path, quiet=True)
            assert SETTINGS["raytune"] is setting and seen.pop() is (setting and reader_has_it)
    finally:
        put(before)


def test_a_check_that_is_skipped_offline_is_no_warning_of_a_run(data, tmp_path, on):
    """On a GPU ultralytics says it before each run; here its words are said for it."""
    from ultralytics.utils import LOGGER, colorstr

    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    prefix = colorstr("AMP: ")

    def speak(trainer):
        LOGGER.warning(f"{prefix}checks skipped. Offline and unable to download YOLO26n for AMP")
        LOGGER.warning(f"{prefix}checks failed. AMP training on this GPU may cause NaN losses")
        raise KeyboardInterrupt

    on("on_pretrain_routine_start", speak)
    LOGGER.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            training.train(MODEL, data, TINY, folder=tmp_path, quiet=True)
        LOGGER.warning(f"{prefix}checks skipped. Offline: said by nobody's run")
    finally:
        LOGGER.removeHandler(handler)
    words = "checks failed", "said by nobody's run"
    assert len(said) == 2 and all(word in line for word, line in zip(words, said))


def test_what_is_asked_of_albumentations_is_named_with_its_version(data, tmp_path, monkeypatch):
    """What cannot be the same everywhere is another run."""
    asked = TINY | {"augmentations": [{"transform": "Blur"}]}
    folders = [training.plan(MODEL, data, TINY).folder]
    for number in ("1.4.0", "2.0.8"):
        package = types.SimpleNamespace(__version__=number)
        monkeypatch.setitem(sys.modules, "albumentations", package)
        folders.append(training.plan(MODEL, data, asked).folder)
        assert training.plan(MODEL, data, TINY).folder == folders[0]
    assert len(set(folders)) == 3
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ValueError, match="albumentations, which is not installed"):
        training.plan(MODEL, data, asked)


# --- stopped, and continued -----------------------------------------------------------------------


def test_a_killed_run_continues_and_has_each_epoch_once(stopped, data, capsys):
    place = training.plan(MODEL, data, TINY, folder=stopped).folder
    (row,) = rows(place)
    # As if the first epoch had taken long, and as if the kill had come while the next row was
    # written.
    checkpoint = torch.load(place / "weights/last.pt", weights_only=False)
    checkpoint["train_results"]["time"] = [1000.0]
    torch.save(checkpoint, place / "weights/last.pt")
    with open(place / "results.csv", "a") as table:
        table.write("2,1001,0.1")
    run = training.train(MODEL, data, TINY, folder=stopped)
    assert capsys.readouterr().out.startswith(
        f"{MODEL}, seed 0: continued after epoch 1\n{MODEL}, seed 0: epoch 2/2, loss "
    )
    assert [row["epoch"] for row in rows(place)] == ["1", "2"] and run.curves["epoch"] == [1, 2]
    assert run.curves["class loss"][0] == float(row["train/cls_loss"]), (
        "the first epoch is that of before"
    )
    assert run.curves["seconds"][0] == 1000 and 0 < run.curves["seconds"][1] < 100
    assert float(rows(place)[-1]["time"]) > 1000, "the clock goes on where it stopped"
    assert training.load_run(place) == run


def test_ctrl_c_leaves_finished_runs_alone_and_the_next_call_continues(
    stopped, finished, data, on, monkeypatch, tmp_path
):
    other = stopped / "other"
    shutil.copytree(finished[0].folder, other)
    before, level = contents(other), logging.getLogger("ultralytics").level

    def interrupt(trainer):
        raise KeyboardInterrupt

    on("on_train_batch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(MODEL, data, TINY, folder=stopped, quiet=True)
    assert contents(other) == before and logging.getLogger("ultralytics").level == level
    monkeypatch.undo()
    # The reader moves everything: the runs are continued where they are now.
    left = contents(tmp_path / "runs")
    shutil.copytree(tmp_path / "runs", tmp_path / "moved")
    shutil.copytree(data.folder, tmp_path / "data")
    run = training.train(
        MODEL, tmp_path / "data/data.yaml", TINY, folder=tmp_path / "moved", quiet=True
    )
    assert (
        run.curves["epoch"] == [1, 2]
        and run.weights.is_relative_to(tmp_path / "moved")
        and contents(tmp_path / "runs") == left
    )
    assert contents(tmp_path / "moved/other").keys() == {
        tmp_path / "moved" / file.relative_to(stopped) for file in before
    }


def cut(file):
    file.write_bytes(file.read_bytes()[:-1000])


def flip(file):
    """One bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage, found",
    [
        (lambda place: None, (1, 2)),
        (lambda place: cut(place / "weights/last.pt"), (1, 2)),  # best.pt takes its place
        (lambda place: (cut(place / "weights/last.pt"), cut(place / "weights/best.pt")), (0, 0)),
        (lambda place: flip(place / "weights/last.pt"), (1, 2)),
        (lambda place: (flip(place / "weights/last.pt"), flip(place / "weights/best.pt")), (0, 0)),
        (lambda place: (place / "results.csv").unlink(), (1, 2)),  # its rows are in last.pt
        (lambda place: (place / "results.csv").write_text("epoch,time\n"), (1, 2)),
        (lambda place: shutil.rmtree(place), (0, 0)),
    ],
    ids=[
        "whole",
        "last.pt cut off",
        "both cut off",
        "a byte of last.pt changed",
        "a byte of both changed",
        "no table",
        "table with a gap",
        "nothing",
    ],
)
def test_only_a_whole_checkpoint_is_continued(stopped, data, damage, found):
    plan = training.plan(MODEL, data, TINY, folder=stopped)
    table = (plan.folder / "results.csv").read_text()
    damage(plan.folder)
    assert repair.mend(plan.folder, plan.dataset.yaml) == found
    if found == (1, 2):
        assert (plan.folder / "results.csv").read_text() == table
        checkpoint = torch.load(plan.folder / "weights/last.pt", weights_only=False)
        assert (
            checkpoint["epoch"] == 0
            and checkpoint["optimizer"]
            and checkpoint["train_args"]["save_dir"] == str(plan.folder)
        )


def test_a_run_stopped_after_its_last_epoch_is_not_trained_again(
    finished, stopped, data, tmp_path, monkeypatch
):
    run, _ = finished
    place = tmp_path / "done" / os.path.basename(run.folder)
    shutil.copytree(run.folder, place)
    (place / "run.json").unlink()
    monkeypatch.setattr("ultralytics.YOLO.train", lambda *_, **__: pytest.fail("trained again"))
    again = training.train(MODEL, data, TINY, folder=place.parent, quiet=True)
    assert (again.curves, again.parameters) == (run.curves, run.parameters) and training.load_run(
        place
    ) == again
    plan = training.plan(
        MODEL, data, TINY, folder=stopped
    )  # the same before ultralytics has stripped the checkpoint
    last = plan.folder / "weights/last.pt"
    checkpoint = torch.load(last, weights_only=False)
    checkpoint["train_args"]["epochs"] = 1
    torch.save(checkpoint, last)
    assert repair.mend(plan.folder, plan.dataset.yaml) == (1, 1)


@pytest.mark.parametrize(
    "how, side, head",
    [({}, 64, False), ({"frame": True}, 96, False), ({"one_to_one": True}, 64, True)],
)
def test_a_score_belongs_to_a_head_and_to_images_with_or_without_a_frame(
    finished, data, monkeypatch, tmp_path, how, side, head
):
    """The frame is half a stride of 32, rounded up: 64 becomes 96."""
    from ultralytics.models.yolo.detect import DetectionValidator

    monkeypatch.chdir(tmp_path)
    seen, postprocess = [], DetectionValidator.postprocess
    monkeypatch.setattr(
        DetectionValidator,
        "postprocess",
        lambda self, found: seen.append(self.end2end) or postprocess(self, found),
    )
    sizes, preprocess = [], DetectionValidator.preprocess
    monkeypatch.setattr(
        DetectionValidator,
        "preprocess",
        lambda self, batch: sizes.append(batch["img"].shape[2:]) or preprocess(self, batch),
    )
    score = training.validate(finished[0], data, 64, **how)
    assert set(score) == {"mAP50", "mAP50-95"} and all(0 <= value <= 1 for value in score.values())
    assert set(sizes) == {(side, side)} and set(seen) == {head}
    assert not list(tmp_path.iterdir())  # nothing is left in the reader's folder


def test_a_seed_gives_the_same_whatever_was_built_before(finished, data, tmp_path):
    from ultralytics import YOLO

    YOLO("yolov8n.yaml")  # leaves a switch of the head on
    run = training.train(MODEL, data, TINY, folder=tmp_path, quiet=True)
    assert run.curves["class loss"] == finished[0].curves["class loss"]


def test_the_second_of_two_rows_counts_and_the_clock_may_start_again(tmp_path):
    columns = "epoch,  time,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B)"
    (tmp_path / "results.csv").write_text(
        f"{columns}\n1,10,.5,.4,.1,.05\n2,25,.4,.3,.2,.1\n2,8,.45,.35,.25,.15\n3,20,.3,.2,.3,.2\n"
    )
    curves = training.read_results(tmp_path / "results.csv")
    assert curves["epoch"] == [1, 2, 3] and curves["seconds"] == [10, 8, 12]
    assert curves["mAP50"] == [0.1, 0.25, 0.3] and curves["mAP50-95"] == [0.05, 0.15, 0.2]
    assert curves["box loss"] == [0.5, 0.45, 0.3] and curves["class loss"] == [0.4, 0.35, 0.2]


# --- what stops a run -----------------------------------------------------------------------------


ODD_TABLES = {
    "no text": lambda file: file.write_bytes(b"epoch,time\n\xff"),
    "no numbers": lambda file: file.write_text("epoch,time\none,two\n"),
    "a value less": lambda file: file.write_text("epoch,time\n1\n"),
    "a value more": lambda file: file.write_text("epoch,time\n1,2,3\n"),
    "other columns": lambda file: file.write_text("epoch,time\n1,2\n"),
    "without end": lambda file: (file.touch(), os.truncate(file, 2**40)),
    "a folder": lambda file: file.mkdir(),
} | ({"a pipe": os.mkfifo} if hasattr(os, "mkfifo") else {})


@pytest.mark.parametrize("odd", ODD_TABLES)
def test_a_table_that_is_none_is_named(tmp_path, odd):
    ODD_TABLES[odd](tmp_path / "results.csv")
    with pytest.raises(ValueError, match="results.csv.* (is not what ultralytics writes|must be)"):
        training.read_results(tmp_path / "results.csv")


def test_a_loss_that_is_no_number_stops_with_remedies(stopped, data, on):
    def poison(trainer):
        for parameter in trainer.model.parameters():
            parameter.data.fill_(float("nan"))

    on("on_train_epoch_start", poison)
    with pytest.raises(
        training.DivergedError,
        match=(
            r"seed 0: the loss became nan in epoch 2.*amp=False.*lr0 \(here 0.002\).*bn-act.*labels"
        ),
    ):
        training.train(MODEL, data, TINY, folder=stopped, quiet=True)
    plan = training.plan(MODEL, data, TINY, folder=stopped)
    assert not plan.is_done and repair.mend(plan.folder, plan.dataset.yaml) == (1, 2), (
        "the epochs before stay"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_says_what_to_do_and_the_next_call_continues(
    stopped, finished, data, on, monkeypatch
):
    other = stopped / "other"
    shutil.copytree(finished[0].folder, other)
    before = contents(other)
    last = training.plan(MODEL, data, TINY, folder=stopped).folder / "weights/last.pt"

    def fill_disk(trainer):
        last.unlink()
        last.symlink_to("/dev/full")

    on("on_train_epoch_end", fill_disk)
    with pytest.raises(
        OSError, match="the disk is full; free some space and call train again, it continues"
    ) as caught:
        training.train(MODEL, data, TINY, folder=stopped, quiet=True)
    assert (
        caught.value.errno == errno.ENOSPC
        and contents(other) == before
        and not (last.parents[1] / "run.json").exists()
    )
    monkeypatch.undo()
    last.unlink()
    last.touch()  # what a full disk leaves
    assert training.train(MODEL, data, TINY, folder=stopped, quiet=True).curves["epoch"] == [1, 2]
    monkeypatch.setattr(
        time, "sleep", lambda _: None
    )  # ultralytics' torch.save tries again, three times
    with pytest.raises(OSError, match="the disk is full"), repair.explain_full_disk(last):
        torch.save(torch.zeros(10), "/dev/full")  # torch's writer raises another error
    with pytest.raises(PermissionError), repair.explain_full_disk(last):
        raise PermissionError(errno.EACCES, "no")


def test_a_batch_that_does_not_fit_is_not_halved_in_silence(data, tmp_path, monkeypatch):
    from ultralytics.models.yolo.detect import DetectionTrainer

    whole = DetectionTrainer.preprocess_batch

    def small_memory(trainer, batch):
        if len(batch["img"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return whole(trainer, batch)

    monkeypatch.setattr(DetectionTrainer, "preprocess_batch", small_memory)
    with pytest.raises(
        MemoryError, match="a batch of 4 images of 64 pixels does not fit.*Try batch=2"
    ):
        training.train(MODEL, data, TINY, folder=tmp_path, quiet=True)
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize(
    "model, settings, error, message",
    [
        (
            "yolov10n-dynamicconv-3",
            {},
            ValueError,
            (
                "no model is called 'yolov10n-dynamicconv-3'; did you mean"
                " 'yolov10n-dynamicconv-[12]'?"
            ),
        ),
        ("zebra", {}, ValueError, "no model is called 'zebra'\\. Expected a name of"),
        ("nothing.pt", {}, ValueError, "there are no weights 'nothing.pt': no such file"),
        (
            "yolov8n.pt",
            {},
            ConnectionError,
            "yolov8n.pt is not on this machine, and YOLO_OFFLINE is set",
        ),
        (
            "yolov10n",
            {"seed": 3, "data": "x", "task": "pose"},
            ValueError,
            "settings must not hold data, seed, task: train sets it",
        ),
        (
            "yolov10n",
            {"batch": -1},
            ValueError,
            "batch must be a number of images, at least 1, got -1",
        ),
        *(
            ("yolov10n", {"batch": batch}, ValueError, "batch must be a number of images")
            for batch in (float("nan"), 1.5, True, "x", None)
        ),
        *(
            (
                "yolov10n",
                {"imgsz": size},
                ValueError,
                "imgsz must be a multiple of 32 pixels, .*got",
            )
            for size in (0, -32, 33, 10**9, "x", [32, 64], None)
        ),
        *(
            ("yolov10n", {name: value}, ValueError, f"settings must not hold {name}: ")
            for name, value in (("save", False), ("time", 1), ("mode", "val"), ("cfg", "x.yaml"))
        ),
        ("yolov10n", {3: 2}, TypeError, "settings must be a preset or {name: value}, got"),
        ("yolov10n", {"epoch": 3}, SyntaxError, "'epoch' is not a valid YOLO argument"),
    ],
)
def test_bad_input_is_said_before_anything_starts(
    data, tmp_path, monkeypatch, model, settings, error, message
):
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("asked the network"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        training.train(model, data, TINY | settings, folder=tmp_path / "runs")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "how, error, message",
    [
        *(({"seed": seed}, TypeError, "seed must be an int") for seed in ("a", None, 1.5, True)),
        *(({"seed": seed}, ValueError, "seed must be at") for seed in (-1, 2**32, 10**400)),
        *(({name: 3}, TypeError, f"{name} must be a path, got 3") for name in ("model", "folder")),
        *(
            ({name: place}, ValueError, f"{name} cannot be at .*: {message}")
            for name in ("model", "folder")
            for place, message in (
                ("~nobody-of-this-name", ".*home"),
                ("x" * 5000, ".*too long"),
                ("a zero byte \0", ".*null"),
            )
        ),
        ({"settings": 3}, TypeError, "settings must be a preset or .*got 3"),
        ({"settings": "cpu"}, TypeError, "settings must be a preset or .*got 'cpu'"),
    ],
    ids=lambda value: "",
)
def test_what_is_no_seed_no_path_and_no_settings_is_named(data, how, error, message):
    with pytest.raises(error, match=message):
        training.plan(**{"model": MODEL, "data": data, "settings": TINY} | how)


@pytest.mark.parametrize(
    "how, error, message",
    [
        *(({"seed": seed}, TypeError, "seed must be an int") for seed in ("a", None, 1.5, True)),
        *(({"seed": seed}, ValueError, "seed must be at") for seed in (-1, 2**32, 10**400)),
        ({"folder": 3}, TypeError, "folder must be a path, got 3"),
        ({"folder": "~nobody-of-this-name"}, ValueError, "folder cannot be at '~nobody.*home"),
        ({"folder": "x" * 5000}, ValueError, "folder cannot be at .*too long"),
        ({"settings": 3}, TypeError, "settings must be a preset or .*got 3"),
        ({"settings": "cpu"}, TypeError, "settings must be a preset or .*got 'cpu'"),
    ],
    ids=lambda value: "",
)
def test_what_is_no_seed_no_folder_and_no_settings_is_named(data, how, error, message):
    with pytest.raises(error, match=message):
        training.plan(MODEL, data, **{"settings": TINY} | how)


@pytest.mark.parametrize(
    "model, message",
    [
        ("yolo11n-pose", "yolo11n-pose is a model of the task 'pose'"),
        ("yolo11n-cls", "of the task 'classify' .its head is Classify.*DynamicConvTrainer"),
        ("pose.pt", "of the task 'pose'"),
        ("rtdetr-l", "rtdetr-l has the head RTDETRDecoder, which .*RTDETRTrainer trains"),
    ],
)
def test_what_is_no_detector_is_refused_before_anything_starts(data, tmp_path, model, message):
    from ultralytics import YOLO

    if model == "pose.pt":
        YOLO("yolo11n-pose.yaml").save(tmp_path / model)
        model = tmp_path / model
        with pytest.raises(ValueError, match=f"{message}.*use YOLO.weights..val"):
            training.validate(model, data, 64)
    with pytest.raises(ValueError, match=message):
        training.train(model, data, TINY, folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


# --- presets --------------------------------------------------------------------------------------


def test_presets_say_what_they_choose_and_why(monkeypatch):
    from ultralytics.utils import DEFAULT_CFG_DICT

    for name, preset in training.PRESETS.items():
        text = " ".join(
            str(preset).split()
        )  # fails if a reason is for something that is not chosen
        assert (
            text.startswith(f"preset '{name}' ")
            and preset.settings.keys() <= DEFAULT_CFG_DICT.keys()
        )
        assert all(reason in text for reason in preset.why.values())
        assert scenes.NAMES[preset.scenes["objects"]] and preset.scenes["size"] % 32 == 0
    posts = training.preset("posts").settings
    assert [posts[name] for name in ("optimizer", "epochs", "imgsz", "batch", "close_mosaic")] == [
        "SGD",
        150,
        640,
        4,
        10,
    ]
    for there, name in ((True, "gpu"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert training.preset().name == name
    with pytest.raises(
        ValueError, match="unknown preset 'tpu': expected one of .'cpu', 'gpu', 'large', 'posts'"
    ):
        training.preset("tpu")


def test_who_has_a_gpu_waits_for_the_same_work():
    cpu, gpu, large = (training.preset(name) for name in ("cpu", "gpu", "large"))
    differ = {name for name in cpu.settings if cpu.settings[name] != gpu.settings[name]}
    assert differ == {"device", "amp"} and cpu.scenes == gpu.scenes
    assert large.scenes["train"] > gpu.scenes["train"], "and bigger is chosen by its name"
