"""A run before it is one: what shall be trained with what, checked, and the folder named by it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..checks import check_count, did_you_mean, is_int, shown
from .dataset import Data, Dataset, check_dataset
from .presets import Preset, preset
from .runs import DamagedRunError, Run, load_run

# What `train` gives to ultralytics itself, from its other arguments.
TAKEN = frozenset(
    "data project name exist_ok resume seed model task save_dir trainer verbose".split()
)


# What would make a run another than it is called, or none.
_REFUSED = {
    "cfg": "what stands in another file would not be part of what the run is called",
    "mode": "it is trained",
    "save": "a run is nothing without its weights",
    "time": "how many epochs that allows depends on the machine",
}


@dataclass(frozen=True)
class Job:
    """A run before it is one: everything is checked, nothing is written."""

    model: str  # a name, or the absolute path of a file
    seed: int
    dataset: Dataset
    settings: dict
    folder: Path  # named by all of these

    @property
    def label(self) -> str:
        return Path(self.model).stem

    @property
    def title(self) -> str:
        return f"{self.label}, seed {self.seed}"

    @property
    def is_done(self) -> bool:
        """Whether there is a finished run of just this, and nothing of it has changed since."""
        try:
            return bool(self.result())
        except (FileNotFoundError, DamagedRunError):
            return False

    def result(self) -> Run:
        """The finished run; FileNotFoundError, DamagedRunError: as `load_run`."""
        return load_run(self.folder, self.folder.name)


def plan(
    model: str | os.PathLike,
    data: Data,
    settings: Preset | dict | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike = "runs",
) -> Job:
    """What `train` would do with the same arguments, and where: checks them and starts nothing.

    Raises:
        DataError, ValueError, TypeError, SyntaxError, ConnectionError: as `train`.
    """
    settings = _check_settings(settings)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    model = _place("model", model)
    folder = _place("folder", folder).expanduser()
    model = str(model.absolute()) if model.is_file() else str(model)
    _check_path(model)
    content = _content(model)
    if Path(model).suffix == ".pt":
        # With False ultralytics would train the same network from fresh weights, and say nothing.
        settings["pretrained"] = True
    dataset = check_dataset(data)
    parts = [content, dataset.digest, settings, seed, *_packages(settings)]
    identity = json.dumps(parts, sort_keys=True, default=str)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    name = f"{Path(model).stem}-seed{seed}-{digest}"
    place = folder.resolve() / name
    _check_path(str(place))
    return Job(model, seed, dataset, settings, place)


def _place(name: str, path: str | os.PathLike) -> Path:
    """A TypeError if it is no path, a ValueError if no file could be there."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {shown(path)}")
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(Path(path).expanduser())
    # too long, not ours to see, a zero byte, the home of nobody
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} cannot be at {shown(os.fspath(path))}: {error}"[:300]) from None
    return Path(path)


def _check_path(path: str) -> None:
    """A ValueError if ultralytics would look for a file at this path in another place: it takes
    what follows a question mark for no part of the path, and takes apostrophes out.
    """
    if found := sorted(set(path) & set("'?")):
        raise ValueError(
            f"ultralytics cannot load weights from a path with {' or '.join(found)} in it: rename"
            f" that part, or take another folder. Got {path}"
        )


def find(model: str) -> str:
    """What ultralytics is to load for the model of a job, on this machine."""
    from ultralytics.utils.downloads import attempt_download_asset

    from .. import yolo

    if model in yolo.models():
        return str(yolo.path(model))
    if Path(model).suffix == ".pt":
        return str(attempt_download_asset(model))
    return model if Path(model).suffix in (".yaml", ".yml") else f"{model}.yaml"


def _packages(settings: dict) -> list[str]:
    """What the result of a run depends on besides ultralytics' own settings, if it does."""
    if not settings.get("augmentations"):
        return []
    try:
        return [f"albumentations {importlib.import_module('albumentations').__version__}"]
    except ImportError as error:
        raise ValueError(
            "augmentations are of the package albumentations, which is not installed: pip install"
            " albumentations, or leave them out. (ultralytics would train without, and say nothing)"
        ) from error


def _check_settings(settings: Preset | dict | None) -> dict:
    """ultralytics' training arguments, in a dict of their own."""
    from ultralytics.cfg import get_cfg

    if settings is None:
        settings = preset()
    settings = settings.settings if isinstance(settings, Preset) else settings
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise TypeError(f"settings must be a preset or {{name: value}}, got {shown(settings)}")
    settings = dict(settings)
    if taken := sorted(TAKEN & settings.keys()):
        raise ValueError(
            f"settings must not hold {', '.join(taken)}: train sets it from its other arguments"
        )
    for name in sorted(_REFUSED.keys() & settings.keys()):
        raise ValueError(f"settings must not hold {name}: {_REFUSED[name]}")
    batch, imgsz = settings.get("batch", 1), settings.get("imgsz", 32)
    if not is_int(batch) or batch < 1:
        raise ValueError(
            f"batch must be a number of images, at least 1, got {shown(batch)}: a part of the"
            " memory is another batch elsewhere"
        )
    if not is_int(imgsz) or imgsz not in range(32, 2**14, 32):
        raise ValueError(
            "imgsz must be a multiple of 32 pixels, since ultralytics would take the next larger"
            f" one, and at most {2**14 - 32}, got {shown(imgsz)}"
        )
    get_cfg(overrides=dict(settings))  # knows their names, types and ranges
    return settings


def _content(model: str) -> str:
    """What the file of a model says, by which a run is told from others; of detectors only."""
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    from .. import yolo
    from ..yolo import model_dict
    from ..yolo.yaml_files import check_yaml

    if Path(model).suffix == ".pt":
        if not Path(model).exists() and Path(model).name not in GITHUB_ASSETS_NAMES:
            raise ValueError(
                f"there are no weights {model!r}: no such file, and ultralytics does not publish"
                " any of that name"
            )
        _check_trainable(yolo.load(find(model)).model, model)
        return hashlib.sha256(Path(find(model)).read_bytes()).hexdigest()
    try:
        if Path(find(model)).exists():
            check_yaml(find(model))
        content = yaml_model_load(find(model))
        model_dict.check(content)
    except FileNotFoundError as error:
        known = [*yolo.models(), "yolov10n", "yolo11n", "yolov8n"]
        raise ValueError(
            f"no model is called {model!r}{did_you_mean(Path(model).stem, known)} Expected a name"
            " of dynconv.yolo.models(), or the path of a YAML or .pt file"
        ) from error
    _check_trainable(content, model)
    content.pop("yaml_file", None)  # where it lies
    return json.dumps(content, sort_keys=True, default=str)


def _check_trainable(network, model: str) -> None:
    """A ValueError if it is no detector, or one that our trainer does not train. `network`: it, or
    what its YAML says.
    """
    from ..yolo.heads import head_of, require_detector

    head = head_of(network)
    require_detector(head, model, "YOLO(model).train(trainer=dynconv.yolo.DynamicConvTrainer)")
    if head is not None and head.trainer:
        raise ValueError(
            f"{model} has the head {head.name}, which {head.trainer} trains and the laboratory does"
            " not: use YOLO(model).train(...)"
        )
