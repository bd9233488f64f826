"""A grid of training runs, each model with each seed: one after the other, or side by side on a Ray
cluster.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

from .dataset import Data, check_dataset
from .jobs import Job, plan
from .presets import Preset
from .runs import Run
from .training import run

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
    data: Data,
    settings: Preset | dict | None = None,
    *,
    seeds: Iterable[int] = (0, 1, 2),
    folder: str | os.PathLike = "runs",
    ray: bool | str | None = None,
    threads: int | None = None,
) -> list[Run]:
    """Train each model with each seed. Jobs that are done are not repeated, one that was stopped is
    continued. All are planned before the first one starts, and the data looked at once.

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
        ValueError, DataError, ConnectionError, ...: an argument is wrong (see `train`); said before
            the first job starts.
        SweepError: jobs failed, after all others were done. Says which, and why.
        ImportError: Ray is asked for and not installed.
    """
    models, seeds, dataset = list(models), list(seeds), check_dataset(data)
    jobs = [
        plan(model, dataset, settings, seed=seed, folder=folder)
        for seed in seeds
        for model in models
    ]
    if not jobs or len({job.folder for job in jobs}) < len(jobs):
        raise ValueError(
            f"expected at least one model and one seed, and each of them once, got models={models},"
            f" seeds={seeds}"
        )
    results = {}
    missing = [job for job in jobs if not job.is_done]
    if ray and missing:
        results = _on_ray(missing, threads or 1, "local" if ray is True else ray)
    for job in jobs:
        if _name(job) not in results:
            # the first says how long all of them will take
            runs = len(missing) if job in missing[:1] else 0
            results[_name(job)] = _attempt(job, threads, runs=runs)
    ordered = {_name(job): results[_name(job)] for job in jobs}
    failed = {name: one for name, one in ordered.items() if isinstance(one, Exception)}
    finished = [one for one in ordered.values() if isinstance(one, Run)]
    if failed:
        raise SweepError(failed, finished)
    return finished


def _name(job: Job) -> tuple[str, int]:
    return job.model, job.seed


def _attempt(
    job: Job, threads: int | None, environment: dict[str, str] | None = None, runs: int = 0
) -> Run | Exception:
    """One job. An error is a result too: it must not keep the other jobs from running."""
    if environment is not None:  # in a worker, before ultralytics is imported there
        os.environ.update(environment)
        if os.environ.get("CUDA_VISIBLE_DEVICES"):
            import torch

            # from here on, older versions of ultralytics cannot take another GPU than Ray has given
            torch.cuda.init()
    try:
        return run(job, quiet=environment is not None, threads=threads, runs=runs)
    except Exception as error:
        return error


def _on_ray(jobs: list[Job], threads: int, address: str) -> dict[tuple, Run | Exception]:
    """The result of each job, by model and seed; a line for each."""
    with _connected(address) as ray:
        on_gpu = (
            ray.cluster_resources().get("GPU", 0) > 0
            and str(jobs[0].settings.get("device")) != "cpu"
        )
        remote = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=RETRIES)(_attempt)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("YOLO_", "ULTRALYTICS_", "HF_HUB_"))
        }
        waiting = {remote.remote(job, threads, environment): job for job in jobs}
        results = {}
        try:
            while waiting:
                (done,), _ = ray.wait(list(waiting))
                job = waiting.pop(done)
                try:
                    result = ray.get(done)
                # the worker died too often, or its result could not be sent
                except ray.exceptions.RayError as error:
                    result = error
                results[_name(job)] = result
                print(_line(job, result, len(results), len(jobs)), flush=True)
        finally:
            for reference in waiting:  # after Ctrl-C
                ray.cancel(reference, force=True)
        return results


@contextlib.contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """Ray, with a cluster: that of this process, or one that is left at the end."""
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
        yield ray
    finally:
        if own:
            ray.shutdown()


def _line(job: Job, result: Run | Exception, count: int, of: int) -> str:
    outcome = (
        f"mAP50 {result.mAP50:.3f}"
        if isinstance(result, Run)
        else f"failed: {type(result).__name__}"
    )
    return f"{count} of {of}: {job.title}, {outcome}"
