"""Short training runs with ultralytics: settings by name, one line per epoch, plain results beside
each run.

A run is a folder named by what goes into it: the model, the data, the settings and the seed. So a
run that is there is not repeated, one that was stopped is continued, and no run can overwrite
another. (The epochs after a stop are like those of a run that was not stopped, and not the same:
ultralytics keeps averaged weights in half precision, and no random state.) Two processes that want
the same run take turns: the second waits and finds it done.
"""

from __future__ import annotations

import copy
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from ..files.locks import is_marked, turn
from ..files.whole import remove
from .dataset import Data, check_dataset
from .estimate import Estimate
from .jobs import Job, find
from .jobs import plan as plan
from .presets import PRESETS as PRESETS
from .presets import Preset
from .presets import preset as preset
from .repair import explain_full_disk, mend
from .runs import CURVES as CURVES
from .runs import DamagedRunError, Run, read_results, versions
from .runs import load_run as load_run
from .surroundings import cpu_threads, without_ray, without_skipped_checks

Say = Callable[[str], None]


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite."""


def train(
    model: str | os.PathLike,
    data: Data,
    settings: Preset | dict | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike = "runs",
    quiet: bool = False,
    threads: int | None = None,
) -> Run:
    """Train one model, or find that it was done, or continue it where it was stopped:
    `run(plan(...))`.

    Args:
        model: a name of `yolo.models()` or 'yolov10n' and the like, or the path of a model YAML, or
            of weights (.pt), from which the training then starts.
        data: `Scenes`, the path of a data YAML, or the name of one that ultralytics knows, such as
            'coco8'; or what `check_dataset` has found, which is not looked at again.
        settings: a preset, or ultralytics' training arguments; without it, `preset()`.
        seed: of the fresh weights and the augmentation. (The order of the images is the same for
            all seeds in ultralytics.)
        folder: where runs are kept, on Colab for instance a folder of your Drive.
        quiet: print nothing.
        threads: of a training on the CPU. ultralytics takes one less than there are cores; the last
            digits of a result depend on it.

    Returns:
        The run; also in `run.json` of its folder, beside results.csv and the weights.

    Raises:
        DataError: the data cannot be trained with; said before anything starts.
        DivergedError: the loss became NaN or infinite. The epochs before stay on disk.
        MemoryError: the batch does not fit. (ultralytics would go on with half of it, and the run
            would not be what it is called.)
        ValueError: unknown model, or one that is no detector; settings that follow from the other
            arguments; a batch that depends on the machine.
        SyntaxError: ultralytics does not know a setting. (Or a ValueError or TypeError: it does not
            take its value.)
        ConnectionError: the data or the weights must be downloaded and there is no network.
        OSError: the disk is full. What was finished stays as it is; a call with the same arguments
            continues.
    """
    job = plan(model, data, settings, seed=seed, folder=folder)
    return run(job, quiet=quiet, threads=threads)


def run(job: Job, *, quiet: bool = False, threads: int | None = None, runs: int = 1) -> Run:
    """Do what is planned, unless it is done: nothing is checked again.

    If another process is at this run, wait for it; if that one is stopped, continue its run.

    Args:
        job: of `plan`.
        quiet, threads: as for `train`.
        runs: how many runs like this one are waited for; that long is the estimate. 0 for none.

    Raises:
        DivergedError, MemoryError, OSError: as `train`.
    """
    say = (lambda text: None) if quiet else functools.partial(print, flush=True)
    if is_marked(job.folder) or not job.is_done:
        with explain_full_disk(job.folder):
            job.folder.parent.mkdir(parents=True, exist_ok=True)
            wait = f"{job.title}: another process is at this run, waiting for it"
            with turn(job.folder, functools.partial(say, wait)):
                if not job.is_done:
                    _say_damage(job, say)
                    _train(job, say, threads, runs)
                    return job.result()
    found = job.result()
    say(f"{job.title}: was done before, mAP50 {found.mAP50:.3f}")
    return found


def validate(
    weights, data: Data, imgsz: int, *, one_to_one: bool = False, frame: bool = False
) -> dict[str, float]:
    """Score a detector on the validation images, with ultralytics' own validation.

    Args:
        weights: a `Run`, the path of a checkpoint, or a YOLO, which stays as it is.
        data: as for `train`.
        imgsz: side of the images in pixels, that of the training as a rule.
        one_to_one: of a YOLOv10, score the head that needs no non-maximum suppression, instead of
            the one that does.
        frame: as the validation in training does, put a grey frame of at least half a stride around
            each image. Routers see it.

    Returns:
        A dict with the scores 'mAP50' and 'mAP50-95', from 0 to 1.

    Raises:
        ValueError: the weights are of no detector.
    """
    from ultralytics import YOLO

    from .. import yolo
    from ..yolo.heads import Head, head_of, require_detector

    dataset = check_dataset(data)
    # 'no suppression', which only the one-to-one head can do without
    how = {"nms": False} if one_to_one else {}
    with yolo.quiet(), yolo.safely(), tempfile.TemporaryDirectory() as folder:
        weights = weights.weights if isinstance(weights, Run) else weights
        # a copy, because older versions of ultralytics fuse what they validate
        network = copy.deepcopy(weights) if isinstance(weights, YOLO) else yolo.load(weights)
        exported = not isinstance(network.model, torch.nn.Module)
        head = Head("in the file", network.task) if exported else head_of(network.model)
        require_detector(head, str(network.ckpt_path or weights), "YOLO(weights).val(data=...)")
        box = network.val(
            data=str(dataset.yaml),
            imgsz=imgsz,
            rect=frame,
            batch=50,
            workers=0,
            plots=False,
            verbose=False,
            project=folder,
            name="val",
            **how,
        ).box
    return {"mAP50": float(box.map50), "mAP50-95": float(box.map)}


# --- parts of a run -------------------------------------------------------------------------------


def _say_damage(job: Job, say: Say) -> None:
    try:
        job.result()
    except DamagedRunError as error:
        say(f"{job.title}: {error}")
    except FileNotFoundError:
        pass


def _train(job: Job, say: Say, threads: int | None, runs: int) -> None:
    """From wherever the folder of the job stands to a finished run."""
    from .. import yolo
    from ..yolo.safe_load import read_checkpoint

    place, last = job.folder, job.folder / "weights/last.pt"
    with yolo.quiet(), yolo.safely(), without_skipped_checks(), without_ray(), cpu_threads(threads):
        done, epochs = mend(place, job.dataset.yaml)
        if not done:
            remove(place)  # nothing that could be continued
            _call_ultralytics(
                job,
                say,
                runs,
                find(job.model),
                project=str(place.parent),
                name=place.name,
                exist_ok=True,
                verbose=False,
                seed=job.seed,
                **job.settings,
            )
        elif done < epochs:
            say(f"{job.title}: continued after epoch {done}")
            _call_ultralytics(job, say, runs, last, resume=True)
        if not done or done < epochs:
            done, _ = mend(place, job.dataset.yaml)  # the table, if somebody else has written in it
            if not done:
                raise OSError(f"{place} was changed while the run was written into it: train again")
        curves = read_results(place / "results.csv")
        Run(
            model=job.label,
            seed=job.seed,
            folder=str(place),
            settings=job.settings,
            data=job.dataset.summary(),
            parameters=sum(p.numel() for p in read_checkpoint(last)["model"].parameters()),
            curves=curves,
            seconds=sum(curves["seconds"]),
            versions=versions(job.settings.get("device")),
        ).save()


def _call_ultralytics(job: Job, say: Say, runs: int, source: str | Path, **arguments) -> None:
    from ultralytics import YOLO
    from ultralytics.nn.modules import Detect

    from .trainer import RunTrainer

    # Building a YOLOv8 leaves this on, and then the head of a YOLOv10 draws other random numbers
    # from the same seed.
    Detect.legacy = False
    network = YOLO(source, task="detect")
    for event, callback in _callbacks(job.title, say, job.folder / "results.csv").items():
        network.add_callback(event, callback)
    network.add_callback("on_train_batch_end", Estimate(job.title, say, runs))
    network.train(data=str(job.dataset.yaml), trainer=RunTrainer, **arguments)


def _callbacks(title: str, say: Say, table: Path) -> dict[str, Callable]:
    """What ultralytics is to call during a run. `table`: its results.csv, with the epochs before a
    continued one.
    """
    batch_size = None

    def continue_clock(trainer):
        nonlocal batch_size
        batch_size = trainer.batch_size
        if table.exists():
            *_, row = table.read_text(encoding="utf-8").splitlines()
            trainer.train_time_start -= float(row.split(",")[1])

    def stop_if_halved(trainer):
        if trainer.batch_size != batch_size:
            raise MemoryError(
                f"{title}: a batch of {batch_size} images of {trainer.args.imgsz} pixels does not"
                f" fit into the memory of {trainer.device}. Try batch={trainer.batch_size}, or a"
                " smaller imgsz"
            )

    def stop_if_diverged(trainer):
        if not torch.isfinite(trainer.loss):
            raise DivergedError(
                f"{title}: the loss became {trainer.loss.item()} in epoch {trainer.epoch + 1}. Try,"
                f" one at a time: amp=False, if it is on (here {trainer.args.amp}); a smaller lr0"
                f" (here {trainer.args.lr0}); a BatchNorm after each dynamic layer (the models"
                " '…-bn-act'); and look for broken labels"
            )

    def say_epoch(trainer):
        parts = trainer.tloss  # a dict, or in older versions of ultralytics a tensor
        loss = sum(float(part) for part in (parts.values() if isinstance(parts, dict) else parts))
        score = trainer.metrics.get("metrics/mAP50(B)", float("nan"))
        say(
            f"{title}: epoch {trainer.epoch + 1}/{trainer.epochs}, loss {loss:.2f}, mAP50"
            f" {score:.3f}, {trainer.epoch_time:.0f} s"
        )

    return {
        "on_train_start": continue_clock,
        "on_train_epoch_start": stop_if_halved,
        "on_train_batch_end": stop_if_diverged,
        "on_fit_epoch_end": say_epoch,
    }
