"""What a run leaves, what is made of it when it was stopped, and what is asked of ultralytics then:
without any training, so that each case costs milliseconds. The same with real trainings stands in
test_training.py and test_whole_runs.py.
"""

import copy
import errno
import json
import os
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dynconv.files import locks, whole
from dynconv.lab import repair, runs, training
from dynconv.lab.jobs import Job

COLUMNS = {
    "train/box_loss": 0.5,
    "train/cls_loss": 0.25,
    "metrics/mAP50(B)": 0.125,
    "metrics/mAP50-95(B)": 0.0625,
}


def results(epochs):
    """The columns of results.csv; the n-th epoch takes n seconds."""
    numbers = list(range(1, epochs + 1))
    times = [float(n * (n + 1) / 2) for n in numbers]
    return {"epoch": numbers, "time": times} | {
        name: [value * n for n in numbers] for name, value in COLUMNS.items()
    }


def table(epochs):
    columns = results(epochs)
    rows = zip(*columns.values())
    return "\n".join([",".join(columns), *(",".join(f"{v:g}" for v in row) for row in rows)]) + "\n"


def checkpoint(place, data, done, epochs=3, **changes):
    """As ultralytics saves it after so many epochs."""
    model = nn.Linear(3, 2)
    arguments = {"name": place.name, "save_dir": str(place), "data": str(data), "epochs": epochs}
    entries = {"epoch": done - 1, "train_args": arguments, "train_results": results(done)}
    return entries | {"model": model, "ema": None, "optimizer": {"state": 1}} | changes


def save(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, file)


def load(file):
    return torch.load(file, weights_only=False)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "not there yet" / "runs" / "model-seed0-1234"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data.yaml"


# --- a stopped run is made fit --------------------------------------------------------------------


def test_what_can_be_continued_is_left_as_it_is_and_the_table_is_made_of_it(place, data):
    save(place / "weights/last.pt", checkpoint(place, data, done=2))
    (place / "run.json").write_text("an older one")
    (place / "weights/last.pt.part").write_text("a draft")
    (place / "results.csv").write_text("epoch,time\n")
    before = (place / "weights/last.pt").read_bytes()
    assert repair.mend(place, data) == (2, 3)
    assert (place / "results.csv").read_text() == table(2)
    assert (place / "weights/last.pt").read_bytes() == before
    assert sorted(file.name for file in place.rglob("*.*")) == ["last.pt", "results.csv"]


@pytest.mark.parametrize("change", [{"save_dir": "elsewhere"}, {"data": "elsewhere"}])
def test_a_moved_run_learns_where_it_is(place, data, change):
    moved = checkpoint(place, data, done=1)
    moved["train_args"] |= change
    save(place / "weights/last.pt", moved)
    assert repair.mend(place, data) == (1, 3)
    asked = load(place / "weights/last.pt")["train_args"]
    assert (asked["save_dir"], asked["data"], asked["epochs"]) == (str(place), str(data), 3)
    assert load(place / "weights/last.pt")["optimizer"] == {"state": 1}


BROKEN = {
    "no file": lambda c: None,
    "no ZIP": lambda c: b"PK no such thing",
    "a list": lambda c: [c],
    "no epoch": lambda c: c.pop("epoch") and c,
    "no arguments": lambda c: c.pop("train_args") and c,
    "of another run": lambda c: c | {"train_args": c["train_args"] | {"name": "other"}},
    "no rows": lambda c: c | {"train_results": {}},
    "rows unknown": lambda c: c | {"train_results": None},
    "a row less": lambda c: c | {"train_results": results(1)},
    "a row more": lambda c: c | {"train_results": results(3)},
    "rows from 0": lambda c: c | {"train_results": results(2) | {"epoch": [0, 1]}},
    "an epoch twice": lambda c: c | {"train_results": results(2) | {"epoch": [1, 1]}},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_checkpoint_that_is_not_whole_gives_way_to_that_of_the_best_epoch(place, data, case):
    broken = BROKEN[case](checkpoint(place, data, done=2))
    last, best = place / "weights/last.pt", place / "weights/best.pt"
    last.parent.mkdir(parents=True)
    if isinstance(broken, bytes):
        last.write_bytes(broken)
    elif broken is not None:
        save(last, broken)
    assert repair.mend(place, data) == (0, 0)
    save(best, checkpoint(place, data, done=1))
    assert repair.mend(place, data) == (1, 3)
    assert load(last)["epoch"] == 0 and (place / "results.csv").read_text() == table(1)


def test_a_folder_in_the_place_of_a_file_goes(place, data):
    (place / "weights/last.pt").mkdir(parents=True)
    (place / "results.csv/inside").mkdir(parents=True)
    save(place / "weights/best.pt", checkpoint(place, data, done=1))
    assert repair.mend(place, data) == (1, 3)
    assert load(place / "weights/last.pt")["epoch"] == 0
    assert (place / "results.csv").read_text() == table(1)


def test_the_last_epoch_may_be_over_with_or_without_its_optimiser(place, data):
    for name in ("last.pt", "best.pt", "epoch1.pt"):
        save(place / "weights" / name, checkpoint(place, data, done=3))
    (place / "weights/odd.pt").write_text("no checkpoint")
    assert repair.mend(place, data) == (3, 3)
    assert {load(f)["optimizer"] for f in (place / "weights").glob("*[t1].pt")} == {None}
    assert (place / "weights/odd.pt").read_text() == "no checkpoint"
    # now it is stripped, and its own rows say how far it came
    (place / "results.csv").unlink()
    before = (place / "weights/last.pt").read_bytes()
    assert repair.mend(place, data) == (3, 3)
    assert (place / "results.csv").read_text() == table(3)
    assert (place / "weights/last.pt").read_bytes() == before
    # a stripped best.pt is of no use: nothing says that the run came to its end
    (place / "weights/last.pt").unlink()
    assert repair.mend(place, data) == (0, 0)


def test_of_all_checkpoints_the_last_is_stripped_last(place, data, monkeypatch):
    order = []
    for name in ("zero.pt", "last.pt", "best.pt"):
        save(place / "weights" / name, checkpoint(place, data, done=3))
    strip = lambda file, to: order.append(file.name) or os.link(file, to)  # noqa: E731
    monkeypatch.setattr("ultralytics.utils.torch_utils.strip_optimizer", strip)
    repair.strip(place / "weights")
    assert order[-1] == "last.pt" and sorted(order) == ["best.pt", "last.pt", "zero.pt"]


@pytest.mark.parametrize(
    "error, told",
    [
        (OSError(errno.ENOSPC, "no space"), True),
        (OSError(errno.EDQUOT, "quota"), True),
        (RuntimeError("PytorchStreamWriter failed writing file"), True),
        (RuntimeError("basic_ios::clear: iostream error"), True),
        (OSError(errno.EACCES, "denied"), False),
        (RuntimeError("something else"), False),
    ],
)
def test_only_a_full_disk_is_called_one(error, told, tmp_path):
    with pytest.raises(type(error) if not told else OSError) as caught:
        with repair.explain_full_disk(tmp_path):
            raise error
    if told:
        assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path)
        assert "the disk is full" in str(caught.value) and caught.value.__cause__ is error
    else:
        assert caught.value is error


# --- files that are whole -------------------------------------------------------------------------


def test_a_draft_takes_the_place_of_the_file_at_the_end(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("old")
    with whole.whole(file) as draft:
        draft.write_text("new")
        assert draft == tmp_path / "file.txt.part" and file.read_text() == "old"
    assert file.read_text() == "new" and os.listdir(tmp_path) == ["file.txt"]
    whole.write_whole(file, "äß")
    assert file.read_bytes() == "äß".encode()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, None])
def test_a_draft_that_fails_leaves_the_file_as_it_was(tmp_path, code):
    file = tmp_path / "file.txt"
    file.write_text("old")
    error = KeyboardInterrupt() if code is None else OSError(code, "why")
    with pytest.raises(type(error)) as caught, whole.whole(file) as draft:
        draft.write_text("half")
        raise error
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["file.txt"]
    full = code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    assert (caught.value is error) != full
    if full:
        assert (caught.value.errno, caught.value.filename) == (code, str(file))
        assert "the disk is full" in str(caught.value)


def test_an_error_that_names_its_file_stays(tmp_path):
    error = OSError(errno.ENOSPC, "why", "another")
    with pytest.raises(OSError) as caught, whole.whole(tmp_path / "file") as draft:
        draft.touch()
        raise error
    assert caught.value is error


def test_who_wants_a_file_that_another_is_writing_says_so_and_waits(tmp_path, capsys):
    file, said, end = tmp_path / "file.txt", "", time.monotonic() + 60

    def write():
        with whole.whole_in_turn(file) as draft:
            draft.write_text("new")

    with locks.turn(file, lambda: None):
        thread = threading.Thread(target=write)
        thread.start()
        while "\n" not in said and time.monotonic() < end:
            time.sleep(0.01)
            said += capsys.readouterr().out
        assert said == "file.txt: another process is writing it, waiting\n" and not file.exists()
    thread.join(60)
    assert file.read_text() == "new" and os.listdir(tmp_path) == ["file.txt"]


def test_whatever_is_there_is_removed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "folder/inside").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "file.part").touch()
    (tmp_path / "kept/deep.part").mkdir()
    (tmp_path / "kept/stays").touch()
    for name in ("folder", "link", "nothing"):
        whole.remove(tmp_path / name)
    whole.remove_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["kept"] and os.listdir(tmp_path / "kept") == ["stays"]


# --- a finished run -------------------------------------------------------------------------------


@pytest.fixture
def run(place):
    (place / "weights").mkdir(parents=True)
    (place / "weights/last.pt").write_bytes(b"weights")
    (place / "results.csv").write_text(table(2))
    curves = runs.read_results(place / "results.csv")
    made = runs.Run(
        "model", 7, str(place), {"epochs": 2}, {"name": "d"}, 8, curves, 3.0, {"a": "1"}
    )
    made.save()
    return made


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results.csv at '.*elsewhere'"):
        runs.read_results(tmp_path / "elsewhere")


def test_a_run_is_read_as_it_was_saved_also_where_it_was_moved(run, place, tmp_path):
    assert runs.load_run(place) == run == runs.load_run(str(place), place.name)
    assert run.mAP50 == 0.25 and run.weights == place / "weights/last.pt"
    assert run.curves["seconds"] == [1, 2] and run.curves["class loss"] == [0.25, 0.5]
    place.rename(tmp_path / "moved")
    moved = runs.load_run(tmp_path / "moved", place.name)
    assert moved.folder == str(tmp_path / "moved") and moved.seed == 7
    with pytest.raises(FileNotFoundError, match="no run.json"):
        runs.load_run(place)


def test_a_run_of_another_name_is_refused_only_where_the_name_counts(run, place):
    with pytest.raises(runs.DamagedRunError, match=f"is of another run, {place.name}"):
        runs.load_run(place, "another")


def test_a_value_that_json_does_not_know_is_kept_as_text(run, place):
    run.settings["device"] = torch.device("cpu")
    run.save()
    assert runs.load_run(place).settings == {"epochs": 2, "device": "cpu"}


def change(values, *path, to):
    *path, last = path
    for name in path:
        values = values[name]
    values[last] = to


@pytest.mark.parametrize(
    "path, to, told",
    [
        (("seed",), 8, "has changed since"),
        (("seal", "run"), "other", "has changed since"),
        (("seal", "results.csv"), "0", "has changed since"),
        (("seal", "run.json"), "0", "has changed since"),
        (("more",), 1, "has changed since"),
        (("seal",), [], "is not what train writes"),
        (("seal",), {}, "is not what train writes"),
    ],
)
def test_each_value_of_run_json_counts(run, place, path, to, told):
    values = json.loads((place / "run.json").read_text())
    change(values, *path, to=to)
    (place / "run.json").write_text(json.dumps(values))
    with pytest.raises(runs.DamagedRunError, match=f"run.json {told}"):
        runs.load_run(place)


@pytest.mark.parametrize("name", ["results.csv", "weights/last.pt", "run.json"])
def test_each_file_of_a_run_counts(run, place, name):
    file = place / name
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    with (
        pytest.raises(runs.DamagedRunError) if name != "run.json" else pytest.MonkeyPatch.context()
    ):
        runs.load_run(place)  # a blank more in JSON says the same
    file.write_bytes(content[:-3])
    with pytest.raises(runs.DamagedRunError, match=name):
        runs.load_run(place)
    file.unlink()
    file.mkdir()
    with pytest.raises(runs.DamagedRunError, match=f"{name} is (missing|no file)"):
        runs.load_run(place)


def test_versions_name_the_processor_or_the_gpu(monkeypatch):
    assert {"dynconv", "torch", "ultralytics"} < runs.versions().keys()
    assert torch.__version__.startswith(runs.versions()["torch"])  # without the name of its build
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert runs.versions()["device"] == runs.versions("0")["device"] == "GPU"
    assert runs.versions("cpu")["device"] == "CPU, 3 threads"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runs.versions()["device"] == "CPU, 3 threads"


# --- what is asked of ultralytics -----------------------------------------------------------------


class Trained:
    """In the place of YOLO: writes what a training leaves, and calls what a training calls."""

    asked = []
    stop_before = 99
    lose = 99  # the batch size is another from this epoch on
    loss = 1.0

    def __init__(self, source, task):
        self.source, self.task, self.callbacks = source, task, {}

    def add_callback(self, event, function):
        self.callbacks.setdefault(event, []).append(function)

    def train(self, **arguments):
        Trained.asked.append((self.source, self.task, copy.copy(arguments)))
        if arguments.get("resume"):
            kept = load(self.source)
            first, options = kept["epoch"] + 1, kept["train_args"]
        else:
            first, options = 0, {"save_dir": f"{arguments['project']}/{arguments['name']}"}
            options |= {key: arguments[key] for key in ("name", "data", "epochs")}
        trainer = SimpleNamespace(
            batch_size=4,
            epochs=options["epochs"],
            train_time_start=100.0,
            tloss={"a": 1.0, "b": torch.tensor(0.5)},
            loss=torch.tensor(self.loss),
            metrics={"metrics/mAP50(B)": 0.5},
            epoch_time=7.4,
            args=SimpleNamespace(imgsz=64, amp=True, lr0=0.01),
            device="cpu",
            start_epoch=first,
            nb=1,
        )
        self.trainer = Trained.last = trainer
        Trained.last_callbacks = self.callbacks
        self.call("on_train_start")
        folder = options["save_dir"]
        for epoch in range(first, options["epochs"]):
            if epoch == self.stop_before:
                raise KeyboardInterrupt
            trainer.epoch = epoch
            trainer.batch_size = 2 if epoch >= self.lose else 4
            self.call("on_train_epoch_start")
            for function in self.callbacks["on_train_batch_end"][:1]:
                function(trainer)
            self.call("on_fit_epoch_end")
            place = Trained.place
            assert folder == str(place)
            done = checkpoint(place, options["data"], epoch + 1, options["epochs"])
            save(place / "weights/last.pt", done)
            (place / "results.csv").write_text(table(epoch + 1))
        repair.strip(place / "weights")

    def call(self, event):
        for function in self.callbacks.get(event, ()):
            function(self.trainer)


@pytest.fixture
def job(place, data, monkeypatch):
    for name, value in vars(Trained).copy().items():
        if name in ("stop_before", "lose", "loss"):
            monkeypatch.setattr(Trained, name, value)
    monkeypatch.setattr(Trained, "asked", [])
    monkeypatch.setattr(Trained, "place", place, raising=False)
    monkeypatch.setattr("ultralytics.YOLO", Trained)
    dataset = SimpleNamespace(yaml=data, summary=lambda: {"name": "tiny"})
    return Job("model.yaml", 5, dataset, {"epochs": 3, "imgsz": 64}, place)


def test_a_new_run_is_asked_for_with_all_that_it_is_called_by(job, place, data, capsys):
    place.mkdir(parents=True)
    (place / "left over").touch()
    run = training.run(job)
    ((source, task, asked),) = Trained.asked
    assert (source, task) == ("model.yaml", "detect")
    assert asked.pop("trainer").__name__ == "RunTrainer"
    assert asked == {
        "data": str(data),
        "project": str(place.parent),
        "name": place.name,
        "exist_ok": True,
        "verbose": False,
        "seed": 5,
        "epochs": 3,
        "imgsz": 64,
    }
    assert not (place / "left over").exists()
    assert (run.model, run.seed, run.folder, run.settings) == ("model", 5, str(place), job.settings)
    assert (run.data, run.parameters, run.seconds) == ({"name": "tiny"}, 8, 6.0)
    assert run.curves["epoch"] == [1, 2, 3] and run == training.load_run(place)
    assert capsys.readouterr().out.splitlines() == [
        f"model, seed 5: epoch {n}/3, loss 1.50, mAP50 0.500, 7 s" for n in (1, 2, 3)
    ]
    assert training.run(job) == run and len(Trained.asked) == 1
    assert capsys.readouterr().out == "model, seed 5: was done before, mAP50 0.375\n"
    training.run(job, quiet=True)
    assert capsys.readouterr().out == ""


def test_train_does_what_is_planned(monkeypatch):
    asked = []
    monkeypatch.setattr(training, "plan", lambda *a, **k: asked.append((a, k)) or "the job")
    monkeypatch.setattr(training, "run", lambda *a, **k: asked.append((a, k)) or "the run")
    assert training.train("model", "data") == "the run"
    settings = {"epochs": 3}
    training.train("model", "data", settings, seed=5, folder="here", quiet=True, threads=2)
    assert asked == [
        (("model", "data", None), {"seed": 0, "folder": "runs"}),
        (("the job",), {"quiet": False, "threads": None}),
        (("model", "data", settings), {"seed": 5, "folder": "here"}),
        (("the job",), {"quiet": True, "threads": 2}),
    ]


def test_the_second_of_two_that_want_a_run_waits_and_finds_it_done(job, place, capsys):
    """The first finishes it while the second waits."""
    place.parent.mkdir(parents=True)
    said, end = "", time.monotonic() + 60
    with locks.turn(place, lambda: None):
        second = threading.Thread(target=training.run, args=(job,))
        second.start()
        while "\n" not in said and time.monotonic() < end:
            time.sleep(0.01)
            said += capsys.readouterr().out
        assert said == "model, seed 5: another process is at this run, waiting for it\n"
        training._train(job, lambda text: None, None, 1)
    second.join(60)
    assert len(Trained.asked) == 1
    assert capsys.readouterr().out == "model, seed 5: was done before, mAP50 0.375\n"


@pytest.mark.parametrize("threads", [None, 3])
def test_within_a_run_ultralytics_has_the_threads_that_were_asked_for(job, monkeypatch, threads):
    from ultralytics.utils import torch_utils

    before, seen = torch_utils.NUM_THREADS, []
    check = lambda self, event: seen.append(torch_utils.NUM_THREADS)  # noqa: E731
    monkeypatch.setattr(Trained, "call", check)
    training.run(job, quiet=True, threads=threads, runs=4)
    assert set(seen) == {threads or before} and torch_utils.NUM_THREADS == before
    diverged, estimate = Trained.last_callbacks["on_train_batch_end"]
    assert (estimate.title, estimate.runs) == ("model, seed 5", 4)


def test_a_stopped_run_is_continued_and_its_clock_goes_on(job, place, monkeypatch, capsys):
    monkeypatch.setattr(Trained, "stop_before", 2)
    with pytest.raises(KeyboardInterrupt):
        training.run(job, quiet=True)
    assert Trained.last.train_time_start == 100  # a new run has no seconds behind it
    monkeypatch.setattr(Trained, "stop_before", 99)
    run = training.run(job)
    source, _, asked = Trained.asked[1]
    assert source == place / "weights/last.pt" and asked.pop("trainer")
    assert asked == {"data": str(job.dataset.yaml), "resume": True}
    assert Trained.last.train_time_start == 97  # two epochs took 1 + 2 seconds
    assert run.curves["epoch"] == [1, 2, 3]
    assert capsys.readouterr().out.startswith("model, seed 5: continued after epoch 2\n")


def test_a_run_that_only_lacks_its_seal_is_not_trained(job, place):
    run = training.run(job, quiet=True)
    (place / "run.json").unlink()
    assert training.run(job, quiet=True) == run and len(Trained.asked) == 1


def test_what_is_damaged_is_said_once(job, place, capsys):
    training.run(job, quiet=True)
    (place / "results.csv").write_text("")
    training.run(job)
    assert capsys.readouterr().out.startswith(f"model, seed 5: {place / 'results.csv'} has changed")
    training.run(job, quiet=True)
    assert len(Trained.asked) == 1


def test_a_run_whose_folder_is_emptied_meanwhile_is_no_run(job, place, monkeypatch):
    monkeypatch.setattr(repair, "strip", lambda weights: (weights / "last.pt").unlink())
    with pytest.raises(OSError, match=f"{place} was changed while the run was written"):
        training.run(job, quiet=True)
    assert not (place / "run.json").exists()


def test_a_batch_that_was_halved_stops_the_run_with_the_next_epoch(job, monkeypatch):
    monkeypatch.setattr(Trained, "lose", 1)
    with pytest.raises(MemoryError, match=r"a batch of 4 images of 64 pixels .* cpu. Try batch=2"):
        training.run(job, quiet=True)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(job, monkeypatch, loss):
    monkeypatch.setattr(Trained, "loss", loss)
    told = rf"the loss became {loss} in epoch 1\..*amp=False.*\(here True\).*\(here 0.01\)"
    with pytest.raises(training.DivergedError, match=told):
        training.run(job, quiet=True)
