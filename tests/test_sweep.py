"""A sweep: the same runs one after the other and on a Ray cluster, whatever happens to a job or a
worker.
"""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from life import run_python

from dynconv.lab import scenes, training
from dynconv.lab import sweep as sweep_module
from dynconv.lab.sweep import SweepError, sweep

MODELS = ["yolov10n", "yolov10n-dynamicconv-1"]
TINY = training.preset("cpu").settings | dict(epochs=1, imgsz=64, batch=4, nbs=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scenes.make(tmp_path_factory.mktemp("data"), train=8, val=4, size=64, progress=False)


@pytest.fixture(scope="module")
def serial(data, tmp_path_factory):
    """The runs of both models, one after the other, in a process that has done nothing else: a
    worker is one too.
    """
    folder = tmp_path_factory.mktemp("serial")
    arguments = (
        f"{MODELS!r}, {str(data.yaml)!r}, {TINY!r}, seeds=[0], folder={str(folder)!r}, threads=1"
    )
    run_python(f"from dynconv.lab.sweep import sweep; sweep({arguments})", folder)
    return sweep(MODELS, data, TINY, seeds=[0], folder=folder, threads=1)  # they are there


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers, started by somebody who did not set ultralytics' switches."""
    ray = pytest.importorskip("ray")
    # Each of Ray's processes imports jsonschema, and that a parser of addresses, if Jupyter has
    # brought it: two thirds of the time to start. jsonschema goes without it if it cannot be
    # imported.
    without = tmp_path_factory.mktemp("path")
    (without / "rfc3987_syntax.py").write_text("raise ImportError")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(without), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL"):
            patch.delenv(name, raising=False)
        for last in (False, False, True):
            try:
                ray.init(
                    "local",
                    num_cpus=2,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="error",
                    object_store_memory=100 * 2**20,
                    _node_ip_address="127.0.0.1",
                )
                break
            except Exception as error:  # Ray raises just that
                ray.shutdown()
                if last or "timed out during startup" not in str(error):
                    raise  # on a busy machine Ray's parts do not find each other in time
    yield ray
    ray.shutdown()


@pytest.fixture
def broken(tmp_path):
    """A model that is found, and cannot be built."""
    file = tmp_path / "yolov10n-broken.yaml"
    file.write_text(
        "nc: 80\nscales: {n: [0.33, 0.25, 1024]}\nbackbone: [[-1, 1, DynamicConf, [64, 3,"
        " 2]]]\nhead: [[[0], 1, v10Detect, [nc]]]\n"
    )
    return file


@pytest.fixture
def trained(monkeypatch):
    """The jobs that are begun in this process."""
    jobs = []
    monkeypatch.setattr(sweep_module, "run", lambda job, **_: jobs.append(job) or training.run(job))
    return jobs


def scores(run):
    return {name: values for name, values in run.curves.items() if name != "seconds"}


def test_on_a_cluster_the_results_are_the_same_and_a_job_that_fails_stops_no_other(
    data, serial, cluster, broken, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SweepError,
        match=(
            r"(?s)1 of 3 jobs failed; the others are done.*yolov10n-broken.yaml, seed 0:"
            r" UnknownModuleError: .*DynamicConv"
        ),
    ) as caught:
        sweep([broken.name, *MODELS], data, TINY, seeds=[0], folder="runs", ray=True)
    runs = caught.value.finished
    assert [run.model for run in runs] == MODELS and [scores(run) for run in runs] == [
        scores(run) for run in serial
    ]
    assert all(
        run.curves["class loss"][-1] > 0 and run.versions == other.versions
        for run, other in zip(runs, serial)
    )
    assert training.load_run(runs[0].folder) == runs[0] and runs[0].folder.startswith(
        str(tmp_path / "runs")
    )
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line[:7] for line in lines) == ["1 of 3:", "2 of 3:", "3 of 3:"]
    assert sorted(line[8:].partition(".")[0] for line in lines) == [
        "yolov10n, seed 0, mAP50 0",
        "yolov10n-broken, seed 0, failed: UnknownModuleError",
        "yolov10n-dynamicconv-1, seed 0, mAP50 0",
    ]

    def look():
        time.sleep(0.5)  # so that each worker gets one
        return sys.modules["ultralytics.utils"].ONLINE if "ultralytics" in sys.modules else None

    online = cluster.get([cluster.remote(look).remote() for _ in range(2)])
    assert cluster.is_initialized() and False in online and True not in online, (
        "the workers are offline, since this process is"
    )


def test_the_job_of_a_killed_worker_is_continued_by_another(cluster, tmp_path, monkeypatch):
    """And no worker looks at the data again: it would find that an image was spoilt meanwhile."""
    data = scenes.make(tmp_path / "data", train=8, val=4, size=64, progress=False)

    def connected():  # the sweep asks this after the jobs are planned
        data.images("train")[0].write_text("no picture")
        return True

    monkeypatch.setattr(cluster, "is_initialized", connected)
    (model,), settings = MODELS[:1], TINY | dict(epochs=6)
    place = training.plan(model, data, settings, folder=tmp_path).folder
    killed = {}

    def kill():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not killed:
            time.sleep(0.02)
            if (
                place / "weights/best.pt"
            ).exists():  # the first epoch is over; last.pt is written before
                for process in psutil.Process().children(recursive=True):
                    if (process.cmdline() or [""])[0].startswith("ray::_attempt"):
                        killed.update(pid=process.pid, rows=(place / "results.csv").read_text())
                        os.kill(process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    (run,) = sweep([model], data, settings, seeds=[0], folder=tmp_path, ray=True)
    killer.join()
    assert killed and not psutil.pid_exists(killed["pid"])
    assert run.curves["epoch"] == [1, 2, 3, 4, 5, 6] and (
        place / "results.csv"
    ).read_text().startswith(killed["rows"][: killed["rows"].rindex("\n") + 1])
    assert 2 <= killed["rows"].count("\n") < 7, "it was killed before it was done"


def test_a_sweep_that_was_stopped_runs_only_what_is_missing(data, serial, tmp_path, monkeypatch):
    folder = shutil.copytree(Path(serial[0].folder).parent, tmp_path / "runs")
    missing = folder / Path(serial[1].folder).name
    shutil.rmtree(missing)
    first = folder / Path(serial[0].folder).name / "run.json"
    before = first.stat().st_mtime_ns
    arguments = dict(seeds=[0], folder=folder, threads=1)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ultralytics.YOLO.train", stop)
        sweep(MODELS, data, TINY, **arguments)
    runs = sweep(MODELS, data, TINY, **arguments)
    assert [run.model for run in runs] == MODELS and first.stat().st_mtime_ns == before
    assert runs[1].weights.is_relative_to(missing)
    monkeypatch.setattr("ultralytics.YOLO.train", lambda *_, **__: pytest.fail("trained again"))
    assert sweep(MODELS, data, TINY, **arguments | {"ray": True}) == runs, (
        "and starts no cluster for what is done"
    )


def test_the_first_run_that_is_missing_says_how_long_all_take(data, serial, tmp_path, monkeypatch):
    folder = shutil.copytree(Path(serial[0].folder).parent, tmp_path / "runs")  # seed 0 is there
    asked = []
    monkeypatch.setattr(sweep_module, "run", lambda job, **how: asked.append(how["runs"]))
    sweep(MODELS, data, TINY, seeds=[0, 1, 2], folder=folder)
    assert asked == [0, 0, 4, 0, 0, 0]


def test_seeds_are_outermost_and_all_jobs_are_tried_with_data_looked_at_once(
    data, tmp_path, monkeypatch
):
    from ultralytics import YOLO
    from ultralytics.data import dataset, utils  # dataset: has a name of its own for the function

    looks, look = [], utils.verify_image_label
    assert dataset.verify_image_label is look
    monkeypatch.setattr(utils, "verify_image_label", lambda one: looks.append(one[0]) or look(one))
    tried = []

    def fail(network: YOLO, *, seed, **_):
        tried.append((Path(network.ckpt_path or network.cfg).stem, seed))
        raise training.DivergedError(f"{tried[-1][0]} diverged")

    monkeypatch.setattr("ultralytics.YOLO.train", fail)
    with pytest.raises(SweepError, match="4 of 4 jobs failed") as caught:
        sweep(iter(MODELS), data, TINY, seeds=iter((5, 2)), folder=tmp_path)
    assert (
        tried
        == [(MODELS[0], 5), (MODELS[1], 5), (MODELS[0], 2), (MODELS[1], 2)]
        == list(caught.value.failed)
    )
    assert len(looks) == len(set(looks)) == 8 + 4
    assert "yolov10n-dynamicconv-1, seed 2: DivergedError: yolov10n-dynamicconv-1 diverged" in str(
        caught.value
    )


def test_a_cluster_of_its_own_stays_on_this_machine_and_is_shut_down(
    data, tmp_path, broken, monkeypatch, cluster
):
    asked, down = [], []
    monkeypatch.setattr(cluster, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster, "init", lambda *address, **more: asked.append((address, more)))
    monkeypatch.setattr(cluster, "shutdown", lambda: down.append(True))
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    for ray, address in ((True, "local"), ("auto", "auto"), ("10.0.0.1:6379", "10.0.0.1:6379")):
        with pytest.raises(SweepError, match="1 of 1 jobs failed"):
            sweep([broken], data, TINY, seeds=[0], folder=tmp_path, ray=ray)
        (where, how), *_ = asked  # Ray itself asks again, since it seems not to be there
        assert where == (address,) and os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        if ray is True:
            assert how["include_dashboard"] is False and how["_node_ip_address"] == "127.0.0.1"
        asked.clear()
    assert down == [True] * 3


def test_without_ray_the_error_says_how_to_get_it(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "dynconv\[ray\]"'):
        sweep(MODELS, data, TINY, folder=tmp_path, ray=True)


@pytest.mark.parametrize(
    "models, more, error, message",
    [
        (
            ["yolov10n", "yolov10n"],
            {},
            ValueError,
            "each of them once, got models=.'yolov10n', 'yolov10n'., seeds=.0, 1, 2.",
        ),
        (["yolov10n"], {"seeds": [1, 1]}, ValueError, "each of them once"),
        ([], {}, ValueError, "at least one model"),
        (
            ["yolov10n", "yolov10n-dynamicconv-7"],
            {},
            ValueError,
            "no model is called 'yolov10n-dynamicconv-7'",
        ),
        (["yolov10n"], {"settings": {"seed": 1}}, ValueError, "settings must not hold seed"),
    ],
)
def test_bad_input_is_said_before_the_first_job(
    data, tmp_path, trained, models, more, error, message
):
    with pytest.raises(error, match=message):
        sweep(models, data, **{"settings": TINY, "folder": tmp_path} | more)
    assert not trained and not list(tmp_path.iterdir())
