"""Short training runs with ultralytics: settings by name, one line per epoch, plain results beside
each run.

A run is a folder named by what goes into it: the model, the data, the settings and the seed. So a
run that is there is not repeated, one that was stopped is continued, and no run can overwrite
another.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import errno
import functools
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from .dataset import Dataset, check_dataset
from .presets import PRESETS as PRESETS
from .presets import Preset, preset
from .scenes import Scenes


class DivergedError(ArithmeticError):
    """The loss became NaN or infinite."""


@dataclass
class Run:
    """What a training run leaves: plain numbers, saved as `run.json` in its folder."""

    model: str
    seed: int
    folder: str
    settings: dict
    data: dict  # name, classes, images of each split, digest
    parameters: int
    curves: dict[
        str, list[float]
    ]  # one value per epoch: 'epoch', 'mAP50', 'mAP50-95', 'box loss', 'class loss'
    seconds: float  # by the clock: training and validation of all epochs
    versions: dict[str, str]

    @property
    def mAP50(self) -> float:
        """At the end of the last epoch, on framed images. (The epoch of best.pt did best on the
        same images, a flattering choice.)
        """
        return self.curves["mAP50"][-1]

    @property
    def weights(self) -> Path:
        """The network at the end of the last epoch."""
        return Path(self.folder) / "weights/last.pt"


def train(
    model: str | os.PathLike,
    data: Scenes | str | os.PathLike,
    settings: Preset | dict | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike = "runs",
    quiet: bool = False,
    threads: int | None = None,
) -> Run:
    """Train one model, or find that it was done, or continue it where it was stopped.

    Args:
        model: a name of `yolo.models()` or 'yolov10n' and the like, or the path of a model YAML, or
            of weights (.pt), from which the training then starts.
        data: `Scenes`, the path of a data YAML, or the name of one that ultralytics knows, such as
            'coco8'.
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
        ValueError: unknown model, or settings that follow from the other arguments, or a batch that
            depends on the machine.
        SyntaxError: ultralytics does not know a setting.
        ConnectionError: the data or the weights must be downloaded and there is no network.
        OSError: the disk is full. What was finished stays as it is; a call with the same arguments
            continues.
    """
    job = plan(model, data, settings, seed=seed, folder=folder)
    say = (lambda text: None) if quiet else functools.partial(print, flush=True)
    if job.is_done:
        run = load_run(job.folder)
        say(f"{job.title}: was done before, mAP50 {run.mAP50:.3f}")
        return run

    from ultralytics import YOLO
    from ultralytics.nn.modules import Detect

    from ..yolo import DynamicConvTrainer

    place, last = job.folder, job.folder / "weights/last.pt"
    with _explain_full_disk(place), _only_warnings(), _cpu_threads(threads):
        done, epochs = _mend(place, job.dataset)
        if not done:
            shutil.rmtree(place, ignore_errors=True)  # nothing that could be continued
        if not done or done < epochs:
            # Building a YOLOv8 leaves this on, and then the head of a YOLOv10 draws other random
            # numbers from the same seed.
            Detect.legacy = False
            network = YOLO(last if done else job.source, task="detect")
            for event, callback in _callbacks(job.title, say, place / "results.csv").items():
                network.add_callback(event, callback)
            if done:
                say(f"{job.title}: continued after epoch {done}")
                network.train(resume=True, data=str(job.dataset.yaml), trainer=DynamicConvTrainer)
            else:
                network.train(
                    data=str(job.dataset.yaml),
                    project=str(place.parent),
                    name=place.name,
                    exist_ok=True,
                    seed=seed,
                    verbose=False,
                    trainer=DynamicConvTrainer,
                    **job.settings,
                )
        curves = read_results(place / "results.csv")
        run = Run(
            model=job.label,
            seed=seed,
            folder=str(place),
            settings=job.settings,
            data=job.dataset.summary(),
            parameters=sum(p.numel() for p in YOLO(last).model.parameters()),
            curves=curves,
            seconds=sum(curves["seconds"]),
            versions=versions(job.settings.get("device")),
        )
        draft = place / "run.json.part"
        draft.write_text(json.dumps(asdict(run), indent=1, default=str), encoding="utf-8")
        draft.replace(place / "run.json")
    return run


@dataclass(frozen=True)
class Job:
    """A run before it is one: everything is checked, nothing is written."""

    source: str  # what ultralytics loads
    label: str
    seed: int
    dataset: Dataset
    settings: dict
    folder: Path  # named by all of these

    @property
    def title(self) -> str:
        return f"{self.label}, seed {self.seed}"

    @property
    def is_done(self) -> bool:
        return (self.folder / "run.json").exists()


def plan(model, data, settings=None, *, seed: int = 0, folder: str | os.PathLike = "runs") -> Job:
    """What `train` would do with the same arguments, and where: checks them and starts nothing.
    Also takes a checked data set.

    Raises:
        DataError, ValueError, ConnectionError: as `train`.
    """
    settings = dict(
        preset().settings
        if settings is None
        else settings.settings
        if isinstance(settings, Preset)
        else settings
    )
    taken = sorted(
        {
            "data",
            "project",
            "name",
            "exist_ok",
            "resume",
            "seed",
            "model",
            "save_dir",
            "trainer",
            "verbose",
        }
        & settings.keys()
    )
    if taken:
        raise ValueError(
            f"settings must not hold {', '.join(taken)}: train sets it from its other arguments"
        )
    if settings.get("batch", 1) < 1:
        raise ValueError(
            f"batch must be a number of images, at least 1, got {settings['batch']}: a part of the"
            " memory is another batch elsewhere"
        )
    source, label, content = _find_model(model)
    if Path(source).suffix == ".pt":
        settings["pretrained"] = (
            # with False ultralytics would train the same network from fresh weights, and say
            # nothing
            True
        )
    dataset = data if isinstance(data, Dataset) else check_dataset(data)
    identity = json.dumps([content, dataset.digest, settings, seed], sort_keys=True, default=str)
    place = (
        Path(folder).expanduser().resolve()
        / f"{label}-seed{seed}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    )
    return Job(source, label, seed, dataset, settings, place)


def validate(
    weights,
    data: Scenes | str | os.PathLike,
    imgsz: int,
    *,
    one_to_one: bool = False,
    frame: bool = False,
) -> dict[str, float]:
    """Score a detector on the validation images, with ultralytics' own validation.

    Args:
        weights: a `Run`, or the path of a checkpoint.
        data: as for `train`.
        imgsz: side of the images in pixels, that of the training as a rule.
        one_to_one: of a YOLOv10, score the head that needs no non-maximum suppression, instead of
            the one that does.
        frame: as the validation in training does, put a grey frame of at least half a stride around
            each image. Routers see it.

    Returns:
        {'mAP50': ..., 'mAP50-95': ...}
    """
    from ultralytics import YOLO

    dataset = check_dataset(data)
    how = (
        {"nms": False} if one_to_one else {}
    )  # 'no suppression', which only the one-to-one head can do without
    with _only_warnings(), tempfile.TemporaryDirectory() as folder:
        network = YOLO(weights.weights if isinstance(weights, Run) else weights)
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


def load_run(folder: str | os.PathLike) -> Run:
    """The run that `train` has left in a folder, also if the folder was moved.

    Raises:
        FileNotFoundError: there is no finished run.
    """
    folder = Path(folder)
    return Run(
        **json.loads((folder / "run.json").read_text(encoding="utf-8")) | {"folder": str(folder)}
    )


CURVES = {
    "epoch": "epoch",
    "box loss": "train/box_loss",
    "class loss": "train/cls_loss",
    "mAP50": "metrics/mAP50(B)",
    "mAP50-95": "metrics/mAP50-95(B)",
}


def read_results(file: str | os.PathLike) -> dict[str, list[float]]:
    """The curves in ultralytics' results.csv, under short names, and the seconds of each epoch.

    A run that was continued can hold an epoch twice, of which the second counts; its clock starts
    at 0 again.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with open(file, encoding="utf-8", newline="") as lines:
        rows = [
            {name.strip(): float(value) for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]
    clock = 0.0
    for row in rows:
        row["seconds"] = row["time"] - clock if row["time"] > clock else row["time"]
        clock = row["time"]
    rows = list({row["epoch"]: row for row in rows}.values())
    return {
        name: [row[column] for row in rows]
        for name, column in (CURVES | {"seconds": "seconds"}).items()
    }


def versions(device: str | None = None) -> dict[str, str]:
    """What the numbers of a run depend on besides its settings. `device` is the setting of that
    name.
    """
    packages = {name: version(name) for name in ("dynconv", "torch", "ultralytics")}
    on_gpu = torch.cuda.is_available() and str(device) != "cpu"
    return packages | {
        "device": (
            torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
        )
    }


# --- parts of a run -------------------------------------------------------------------------------


def _find_model(model: str | os.PathLike) -> tuple[str, str, str]:
    """What ultralytics is to load, a short name for it, and a digest of what it says."""
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    from .. import yolo

    name = str(model)
    if name in yolo.models():
        source = str(yolo.path(name))
    elif Path(name).suffix == ".pt":
        if not Path(name).exists() and Path(name).name not in GITHUB_ASSETS_NAMES:
            raise ValueError(
                f"there are no weights {name!r}: no such file, and ultralytics does not publish any"
                " of that name"
            )
        source = str(attempt_download_asset(name))
        return source, Path(name).stem, hashlib.sha256(Path(source).read_bytes()).hexdigest()
    else:
        source = name if Path(name).suffix in (".yaml", ".yml") else f"{name}.yaml"
    try:
        content = {
            key: value for key, value in yaml_model_load(source).items() if key != "yaml_file"
        }
    except FileNotFoundError as error:
        close = difflib.get_close_matches(
            Path(name).stem, [*yolo.models(), "yolov10n", "yolo11n", "yolov8n"], 1
        )
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"no model is called {name!r}{hint} Expected a name of dynconv.yolo.models(), or the"
            " path of a YAML or .pt file"
        ) from error
    return source, Path(name).stem, json.dumps(content, sort_keys=True, default=str)


def _mend(place: Path, dataset: Dataset) -> tuple[int, int]:
    """Make a stopped run fit to be continued, or find that it is trained to its end.

    A checkpoint that was cut off while it was written is replaced by that of the best epoch, which
    is a whole one too. The checkpoint learns where the run and the data are now, and results.csv
    loses what came after it.

    Returns:
        How many epochs the last whole checkpoint has seen, 0 if there is none, and how many it
        shall see.
    """
    last, table = place / "weights/last.pt", place / "results.csv"
    file = next(
        (file for file in (last, last.with_name("best.pt")) if zipfile.is_zipfile(file)), None
    )  # false if it was cut off
    if file is None or not table.exists() or not table.stat().st_size:
        return 0, 0
    checkpoint = torch.load(file, map_location="cpu", weights_only=False)
    done, asked = checkpoint["epoch"] + 1, checkpoint["train_args"]
    if (
        done == 0
    ):  # ultralytics has ended the run, and stripped the checkpoint of what training needs
        return (1, 1) if file == last else (0, 0)
    heading, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = {
        int(row.partition(",")[0]): row
        for row in rows
        if row.count(",") == heading.count(",") and row.endswith("\n")
    }
    if not rows.keys() >= set(range(1, done + 1)):  # the curves would have gaps
        return 0, 0
    draft = table.with_suffix(".part")
    draft.write_text(
        heading + "".join(rows[epoch] for epoch in range(1, done + 1)), encoding="utf-8"
    )
    draft.replace(table)
    here = {"save_dir": str(place), "data": str(dataset.yaml)}
    if file != last or {name: asked[name] for name in here} != here:
        asked.update(here)
        draft = last.with_suffix(".part")
        torch.save(checkpoint, draft)
        draft.replace(last)
    return done, asked["epochs"]


def _callbacks(title: str, say, table: Path) -> dict:
    """What ultralytics is to call during a run. `table`: its results.csv, with the epochs before a
    continued one.
    """
    batch_size = ended = None

    def continue_clock(trainer):
        nonlocal batch_size
        batch_size = trainer.batch_size
        if table.exists():
            trainer.train_time_start -= float(
                table.read_text(encoding="utf-8").splitlines()[-1].split(",")[1]
            )

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
        nonlocal ended
        if ended:  # ultralytics calls this once more at the end, for best.pt
            return
        ended = trainer.stop
        loss = sum(float(value) for value in _values(trainer.tloss))
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


def _values(losses):
    return (
        losses.values() if isinstance(losses, dict) else losses
    )  # a tensor in older versions of ultralytics


@contextlib.contextmanager
def _only_warnings():
    """ultralytics prints some hundred lines about a run, and a bar per epoch: only its warnings are
    let through.
    """
    logger = logging.getLogger("ultralytics")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _cpu_threads(count: int | None):
    """ultralytics sets torch's threads itself, whatever was set before: so it is told a number."""
    from ultralytics.utils import torch_utils

    before = torch_utils.NUM_THREADS
    torch_utils.NUM_THREADS = count or before
    try:
        yield
    finally:
        torch_utils.NUM_THREADS = before


@contextlib.contextmanager
def _explain_full_disk(place: Path):
    try:
        yield
    except (OSError, RuntimeError) as error:
        by_torch = any(
            text in str(error) for text in ("PytorchStreamWriter", "iostream error")
        )  # its writer knows no errno
        if by_torch or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                errno.ENOSPC,
                "the disk is full; free some space and call train again, it continues. Written was",
                str(place),
            ) from error
        raise
