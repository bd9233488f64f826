"""A grid of training runs, each model with each seed: one after the other, or side by side on a Ray
cluster.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .dataset import check_dataset
from .scenes import Scenes
from .training import Preset, Run, plan, preset, train

RETRIES = 3  # of a job whose worker died


class SweepError(RuntimeError):
    """Some jobs of a sweep failed, and the others are done: `failed` is {(model, seed): error},
    `finished` the runs.
    """

    def __init__(self, failed: dict[tuple[str, int], Exception], finished: list[Run]):
        self.failed, self.finished = failed, finished
        reasons = "".join(
            f"\n  {model}, seed {seed}: {type(error).__name__}: {error}"
            for (model, seed), error in failed.items()
        )
        super().__init__(
            f"{len(failed)} of {len(failed) + len(finished)} jobs failed; the others are done, and"
            f" a second call does not repeat them:{reasons}"
        )


def sweep(
    models: Sequence[str | os.PathLike],
    data: Scenes | str | os.PathLike,
    settings: Preset | dict | None = None,
    *,
    seeds: Iterable[int] = (0, 1, 2),
    folder: str | os.PathLike = "runs",
    ray: bool | str | None = None,
    threads: int | None = None,
) -> list[Run]:
    """Train each model with each seed. Jobs that are done are not repeated, one that was stopped is
    continued.

    Args:
        models, data, settings, folder: as `training.train` has them, for all jobs alike.
        seeds: each seed is done for all models before the next begins.
        ray: None for one job after the other in this process; True (or 'local') for a Ray cluster
            on this machine, as many jobs at a time as it has cores, or GPUs if it has any and
            `device` is not 'cpu'; 'auto' or an address for a cluster that is running. A cluster
            that this process is connected to already (`ray.init`) is used as it is. All machines of
            a cluster must have dynconv installed, and see `folder` and the data under the same
            path. The job of a worker that died is given to another one, which continues it. On a
            GPU cluster each job sees only its own GPU, as device 0.
        threads: of each job on the CPU. None leaves it to ultralytics (see `train`) one after the
            other, and means 1 on Ray. The same number gives the same results both ways, to the last
            digit.

    Returns:
        The runs in the order of the jobs.

    Raises:
        ValueError, DataError, ConnectionError: an argument is wrong (see `train`); said before the
            first job starts.
        SweepError: jobs failed, after all others were done. Says which, and why.
        ImportError: Ray is asked for and not installed.
    """
    models = [str(Path(model).absolute()) if Path(model).is_file() else model for model in models]
    seeds, folder, settings = (
        list(seeds),
        Path(folder).expanduser().resolve(),
        preset() if settings is None else settings,
    )
    dataset = check_dataset(data)
    if not isinstance(data, Scenes) and Path(data).exists():
        data = Path(data).absolute()  # a worker may stand in another folder
    jobs = [(model, seed) for seed in seeds for model in models]
    plans = {job: plan(job[0], dataset, settings, seed=job[1], folder=folder) for job in jobs}
    if not jobs or len({planned.folder for planned in plans.values()}) < len(jobs):
        raise ValueError(
            f"expected at least one model and one seed, and each of them once, got models={models},"
            f" seeds={seeds}"
        )
    shared = {"data": data, "settings": settings, "folder": folder}
    results = {}
    missing = [job for job in jobs if not plans[job].is_done]
    if ray and missing:
        results = _on_ray(
            missing, shared | {"threads": threads or 1}, "local" if ray is True else ray
        )
    results |= {
        job: _attempt(*job, shared | {"threads": threads}) for job in jobs if job not in results
    }
    failed = {job: results[job] for job in jobs if isinstance(results[job], Exception)}
    finished = [results[job] for job in jobs if isinstance(results[job], Run)]
    if failed:
        raise SweepError(failed, finished)
    return finished


def _attempt(
    model, seed: int, shared: dict, environment: dict[str, str] | None = None
) -> Run | Exception:
    """One job. An error is a result too: it must not keep the other jobs from running."""
    if environment is not None:  # in a worker, before ultralytics is imported there
        os.environ.update(environment)
        if os.environ.get("CUDA_VISIBLE_DEVICES"):
            import torch

            # from here on, older versions of ultralytics cannot take another GPU than Ray has given
            torch.cuda.init()
    try:
        return train(model, seed=seed, quiet=environment is not None, **shared)
    except Exception as error:
        return error


def _on_ray(jobs: list, shared: dict, address: str) -> dict[tuple, Run | Exception]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage figures to the makers of Ray
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            'a sweep on a cluster needs Ray, which is not installed: pip install "dynconv[ray]", or'
            " leave out ray="
        ) from error

    own = not ray.is_initialized()
    if own and address != "local":
        ray.init(address, log_to_driver=False)
    elif own:
        # Only for this machine, and small: Ray would keep a third of the memory for results.
        ray.init(
            "local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=100 * 2**20,
            _node_ip_address="127.0.0.1",
        )
    try:
        settings = shared["settings"]
        device = (settings.settings if isinstance(settings, Preset) else settings).get("device")
        on_gpu = ray.cluster_resources().get("GPU", 0) > 0 and str(device) != "cpu"
        remote = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=RETRIES)(_attempt)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("YOLO_", "ULTRALYTICS_", "HF_HUB_"))
        }
        waiting = {
            remote.remote(model, seed, shared, environment): (model, seed) for model, seed in jobs
        }
        results = {}
        try:
            while waiting:
                (done,), _ = ray.wait(list(waiting))
                job = waiting.pop(done)
                try:
                    results[job] = ray.get(done)
                except (
                    ray.exceptions.RayError
                ) as error:  # the worker died too often, or its result could not be sent
                    results[job] = error
                print(_line(*job, results[job], len(results), len(jobs)), flush=True)
        finally:
            for reference in waiting:  # after Ctrl-C
                ray.cancel(reference, force=True)
        return results
    finally:
        if own:
            ray.shutdown()


def _line(model, seed: int, result: Run | Exception, count: int, of: int) -> str:
    outcome = (
        f"mAP50 {result.mAP50:.3f}"
        if isinstance(result, Run)
        else f"failed: {type(result).__name__}"
    )
    return f"{count} of {of}: {Path(model).stem}, seed {seed}, {outcome}"
