"""A run is whole or it is not taken for one: whatever was killed, spoilt or swapped in its folder
is named, and the next call repairs what can be repaired and trains the rest anew.
"""

import dataclasses
import gc
import json
import os
import shutil
import threading
from pathlib import Path

import psutil
import pytest
import torch
from life import killed_before_change

from dynconv.files import locks
from dynconv.lab import scenes, trainer, training
from dynconv.lab.runs import DamagedRunError

MODEL = "yolov10n-dynamicconv-1"
TINY = training.preset("cpu").settings | dict(epochs=2, imgsz=32, batch=2, nbs=2)
POSIX = pytest.mark.skipif(os.name != "posix", reason="fork and locks of POSIX")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return scenes.make(folder, train=2, val=2, size=32, progress=False)


@pytest.fixture(scope="module")
def unstripped(data, tmp_path_factory):
    """A folder of runs with one that was stopped after its last checkpoint was written, and before
    it was stripped.
    """
    folder = tmp_path_factory.mktemp("unstripped")

    def stop(weights):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainer, "strip", stop)
        training.train(MODEL, data, TINY, folder=folder, quiet=True)
    return folder


@pytest.fixture(scope="module")
def finished(unstripped, data, tmp_path_factory):
    """The folder of the same run, finished, and of one with another seed."""
    folder = shutil.copytree(unstripped, tmp_path_factory.mktemp("finished") / "runs")
    training.train(MODEL, data, TINY, folder=folder, quiet=True)
    training.train(MODEL, data, TINY | {"epochs": 1}, seed=1, folder=folder, quiet=True)
    return folder


@pytest.fixture
def runs(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "runs")


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr("ultralytics.YOLO.train", lambda *_, **__: pytest.fail("trained again"))


def folder_of(data, runs, seed=0):
    settings = TINY if seed == 0 else TINY | {"epochs": 1}
    return training.plan(MODEL, data, settings, seed=seed, folder=runs).folder


def assert_whole(place):
    """Nothing but what a finished run leaves, all of it stripped and sealed."""
    run = training.load_run(place)
    assert run.curves["epoch"] == [1, 2] and run.parameters == 2_888_062
    assert not list(place.parent.rglob("*.part"))
    for file in (place / "weights").iterdir():
        kept = torch.load(file, weights_only=False)
        assert kept["optimizer"] is None and kept["ema"] is None and kept["model"] is not None
    return run


# --- killed ---------------------------------------------------------------------------------------


@POSIX
def test_killed_before_any_of_its_last_changes_a_run_is_finished_by_the_next_call(
    unstripped, data, tmp_path, no_training
):
    """From the last checkpoint to run.json: each checkpoint stripped, the table, the seal."""
    plan = training.plan(MODEL, data, TINY, folder=tmp_path)
    number, killed, curves = 0, True, set()
    while killed:
        # Nothing is written in place, so that links do for copies.
        folder = shutil.copytree(unstripped, tmp_path / str(number), copy_function=os.link)
        job = dataclasses.replace(plan, folder=folder / plan.folder.name)
        killed = killed_before_change(number, folder, lambda: training.run(job, quiet=True))  # noqa: B023
        training.run(job, quiet=True)
        curves.add(json.dumps(assert_whole(job.folder).curves))
        number += 1
    assert number > 6 and len(curves) == 1


# --- spoilt ---------------------------------------------------------------------------------------


def spoil(change):
    def edit(file):
        content = bytearray(file.read_bytes())
        file.write_bytes(change(content))

    return edit


def flipped(place):
    def flip(content):
        content[int(place * (len(content) - 1))] ^= 1
        return content

    return spoil(flip)


def edited(change):
    def edit(content):
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return spoil(edit)


def as_folder(file):
    file.unlink()
    file.mkdir()


def as_pipe(file):
    file.unlink()
    os.mkfifo(file)


def swapped(file):
    """With that of the run of another seed."""
    (other,) = (one for one in file.parents[1].iterdir() if "seed1" in one.name)
    shutil.copy(other / file.name, file)


DAMAGE = {
    "cut off": spoil(lambda content: content[: len(content) // 2]),
    "empty": spoil(lambda content: b""),
    "zeros": spoil(lambda content: bytes(len(content))),
    "longer": spoil(lambda content: content + b" x"),
    "no text": spoil(lambda content: b"\xff\xfe" + content),
    "a byte at the begin": flipped(0),
    "a byte in the middle": flipped(0.5),
    "a byte near the end": flipped(0.9),
    "a folder": as_folder,
    "missing": Path.unlink,
} | ({"a pipe": as_pipe} if hasattr(os, "mkfifo") else {})
JSON = {
    "null": spoil(lambda content: b"null"),
    "a list": spoil(lambda content: b"[]"),
    "a text": spoil(lambda content: b'"seal"'),
    "nested": spoil(lambda content: b"[" * 100_000),
    "no seal": edited(lambda values: values.pop("seal")),
    "the seal a list": edited(lambda values: values.update(seal=[])),
    "a seal without files": edited(lambda values: values["seal"].pop("results.csv")),
    "a row less": edited(lambda values: [row.pop() for row in values["curves"].values()]),
    "curves of another type": edited(lambda values: values.update(curves=3)),
    "one value more": edited(lambda values: values.update(more=1)),
    "one value less": edited(lambda values: values.pop("seconds")),
    "another number": edited(lambda values: values.update(seed=7)),
    "of another run": swapped,
}
CASES = [
    *((name, file) for name in DAMAGE for file in ("run.json", "results.csv", "weights/last.pt")),
    *((name, "run.json") for name in JSON),
]


@pytest.mark.parametrize("damage, file", CASES)
def test_what_is_spoilt_is_named_and_the_next_call_makes_it_whole(
    runs, data, monkeypatch, capsys, damage, file
):
    place = folder_of(data, runs)
    before = training.load_run(place)
    (DAMAGE | JSON)[damage](place / file)
    there = os.path.lexists(place / "run.json")
    if damage != "of another run":  # which is whole where nobody asks for a certain one
        error = DamagedRunError if there else FileNotFoundError
        with pytest.raises(error, match=f"{Path(file).name}.*train") as caught:
            training.load_run(place)
        assert str(place) in str(caught.value)
    job = training.plan(MODEL, data, TINY, folder=runs)
    assert not job.is_done
    trained = []

    def train(*_, **__):
        trained.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr("ultralytics.YOLO.train", train)
    # The only copy of the weights. (What follows the end of a ZIP file counts for nothing.)
    if file == "weights/last.pt" and damage != "longer":
        with pytest.raises(KeyboardInterrupt):
            training.run(job)
        assert trained and not place.exists()
    else:
        again = training.run(job)
        assert (again.curves, again.parameters) == (before.curves, before.parameters)
        assert not trained and assert_whole(place) == again
    said = capsys.readouterr().out
    assert (f"{MODEL}, seed 0: {place / file} " in said) == there, said


def test_a_run_that_was_spoilt_is_trained_anew_to_the_same_numbers(runs, data):
    place = folder_of(data, runs, seed=1)
    before = training.load_run(place)
    flipped(0.5)(place / "weights/last.pt")
    run = training.train(MODEL, data, TINY | {"epochs": 1}, seed=1, folder=runs, quiet=True)
    assert run.curves["class loss"] == before.curves["class loss"] and training.load_run(place)


def test_the_checkpoint_of_another_run_is_not_continued(unstripped, finished, data, tmp_path):
    from dynconv.lab.repair import mend

    folder = shutil.copytree(unstripped, tmp_path / "runs")
    place, other = folder_of(data, folder), folder_of(data, finished, seed=1)
    for name in ("last.pt", "best.pt"):
        shutil.copy(other / "weights" / name, place / "weights")
    assert mend(place, data.yaml) == (0, 0)


def test_runs_of_before_there_were_seals_are_sealed(runs, data, no_training):
    place = folder_of(data, runs)
    JSON["no seal"](place / "run.json")
    training.train(MODEL, data, TINY, folder=runs, quiet=True)
    assert_whole(place)


# --- two at once, and odd places ------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("beside", [True, False])
def test_one_waits_also_where_no_lock_can_lie_beside_the_folder(tmp_path, beside):
    """As on drives that know no locks, or with a name as long as a name may be."""
    place = tmp_path / ("run" if beside else "r" * 255)
    waits, order = threading.Event(), []

    def second():
        with locks.turn(place, waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with locks.turn(place, lambda: pytest.fail("waited for nobody")):
        thread.start()
        assert waits.wait(30), "nobody waits"
        order.append("first")
    thread.join()
    assert order == ["first", "second"] and not list(tmp_path.iterdir())


@POSIX
def test_what_a_kill_has_left_of_a_lock_is_cleared_by_the_next_call(runs, tmp_path, no_training):
    """Also beside what is whole: the kill may come after the last change and before the lock is
    given back.
    """
    data = scenes.make(tmp_path, train=2, val=2, size=32, progress=False)
    place = folder_of(data, runs)
    for folder in (data.folder, place):
        folder.with_name(f".{folder.name}.lock").touch()
    assert scenes.make(tmp_path, train=2, val=2, size=32, progress=False) == data
    assert training.train(MODEL, data, TINY, folder=runs, quiet=True) == training.load_run(place)
    assert not list(tmp_path.rglob(".*.lock"))


@pytest.mark.parametrize("odd", ["an apo'strophe", "what?"])
def test_a_path_that_ultralytics_cannot_load_from_is_refused_before_anything_starts(
    data, tmp_path, odd
):
    from dynconv import yolo

    file = tmp_path / odd / "yolov10n-mine.yaml"
    file.parent.mkdir()
    shutil.copy(yolo.path(MODEL), file)
    message = f"cannot load weights from a path with {'[?]' if '?' in odd else chr(39)} in it"
    for model, folder in ((MODEL, tmp_path / "runs" / odd), (file, tmp_path / "runs")):
        with pytest.raises(ValueError, match=message):
            training.train(model, data, TINY, folder=folder)
    assert not (tmp_path / "runs").exists()


def test_all_other_odd_letters_in_a_path_work(data, tmp_path):
    odd = tmp_path / 'ü☃ 100%20 a#b [x] s*r {y} $z ~ & ; = , ! ` " | \\ \n-end '
    mine = shutil.copytree(data.folder, odd / "data")
    settings = TINY | {"epochs": 1}
    run = training.train(MODEL, mine / "data.yaml", settings, folder=odd / "runs", quiet=True)
    assert training.load_run(run.folder) == run and run.weights.is_relative_to(odd)


# --- many in one process --------------------------------------------------------------------------


def test_ten_runs_in_one_process_need_no_more_memory_than_two(data, tmp_path):
    process, settings, sizes = psutil.Process(), TINY | {"epochs": 1}, []
    dataset = training.plan(MODEL, data, settings).dataset
    for seed in range(10):
        training.train(MODEL, dataset, settings, seed=seed, folder=tmp_path, quiet=True)
        gc.collect()
        sizes.append(process.memory_info().rss / 2**20)
    # A network of these is 12 MB, and its optimiser twice that.
    assert min(sizes[-3:]) - max(sizes[:2]) < 30, f"MB after each run: {sizes}"
