"""The playground's detector, trained once on shapes and on sketches of them under four lights.
`python -m dynconv.lab.detector` trains it again.

That takes some half an hour on one core. What was finished is kept in `runs/`, so it can be stopped
and started again. Two files come with the package: the weights, in half precision, and how they
were made and how they score: `load()` and `facts()`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import tempfile
from importlib.resources import files
from pathlib import Path

import yaml

from .. import offline
from ..commands import mistakes_named
from ..files.whole import whole_in_turn
from . import routing, training
from .dataset import check_dataset
from .experiment import target
from .scenes import LIGHTS, Scenes, make

MODEL = "yolov10n-dynamicconv-1-bn-act"
SEED = 0
# Scenes as the book draws them, and sketches, which prepare for drawings by hand and photographs.
OBJECTS = ("shapes", "sketches")
SCENES = {"train": 4000, "val": 200, "size": 96}  # of each
# The CPU preset, trained much longer, with larger batches and a rate that falls as a cosine.
SETTINGS = {"epochs": 10, "batch": 16, "nbs": 16, "cos_lr": True}
# What it is scored on: of each kind this many images, a quarter of them in each light, of a seed
# that no training saw.
FRESH = {"train": 1, "val": 400, "seed": 2026}
WEIGHTS, FACTS = "detector.safetensors", "detector.json"  # beside this module


def load():
    """The detector as a YOLO, in float32 and ready to predict: its head needs no non-maximum
    suppression, and the branches that only a training needs are not there.

    Raises:
        FileNotFoundError: one of the two files is not there.
        ValueError: one of them is damaged, or they are of two trainings.
    """
    from safetensors.torch import load

    known, content = facts(), _read(WEIGHTS)
    if hashlib.sha256(content).hexdigest() != known["sha256"]:
        raise _broken(WEIGHTS, f"is not what {FACTS} says it is")
    detector = _untrained(known)
    detector.model.load_state_dict(load(content))
    return detector


def facts() -> dict:
    """How the detector was made and how it scores, plain values: what a `training.Run` holds
    (without its folder), 'size' and 'classes' of what it takes and finds, 'scores' by objects and
    light, and 'swap', the kernel swap of chapter 8, by objects.

    Raises:
        FileNotFoundError, ValueError: the file is not there, or damaged.
    """
    try:
        return json.loads(_read(FACTS))
    except ValueError as error:
        raise _broken(FACTS, f"is no JSON ({error})") from error


def run(folder: Path, to: Path) -> None:
    """Train the detector in `folder`, unless that was done, and write both files to `to`, a
    folder.
    """
    from ultralytics import YOLO

    to.mkdir(parents=True, exist_ok=True)  # before half an hour of work, if it cannot be
    preset = training.preset("cpu")
    parts = [make(folder / "datasets", **preset.scenes | SCENES | {"objects": o}) for o in OBJECTS]
    data = check_dataset(_both(folder / "datasets/detector.yaml", parts))
    done = training.train(
        MODEL, data, preset.settings | SETTINGS, seed=SEED, folder=folder, threads=1
    )
    detector = _for_prediction(YOLO(done.weights))
    size = done.settings["imgsz"]
    fresh = {o: make(folder / "datasets", o, **FRESH, size=size) for o in OBJECTS}
    known = {name: value for name, value in vars(done).items() if name != "folder"}
    known |= {
        "size": size,
        "classes": list(parts[0].names),
        "fresh": FRESH,
        "scores": {o: scores(detector, scenes) for o, scenes in fresh.items()},
        "swap": {o: _swap(detector, scenes) for o, scenes in fresh.items()},
        "sha256": _write(detector, to / WEIGHTS),
    }
    with whole_in_turn(to / FACTS) as draft:
        draft.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def scores(detector, scenes: Scenes) -> dict[str, float]:
    """mAP50-95 of a YOLO on the validation images of each light."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for light in LIGHTS:
            images = [
                str(image)
                for image, its_light in zip(scenes.images(), scenes.lights())
                if its_light == light
            ]
            listed = Path(folder, f"{light}.txt")
            listed.write_text("\n".join(images), encoding="utf-8")
            data = _yaml(listed.with_suffix(".yaml"), [listed], [listed], scenes.names)
            found[light] = training.validate(detector, data, scenes.size, one_to_one=True)[
                "mAP50-95"
            ]
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dynconv.lab.detector", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        help="where the run is kept (default: %(default)s)",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=target().parent,
        help="the folder that the two files go to (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    offline.stay_offline()
    with mistakes_named():
        run(**vars(options))


# --- parts ----------------------------------------------------------------------------------------


def _read(name: str) -> bytes:
    try:
        return (files(__package__) / name).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the detector's file dynconv/lab/{name} is missing{_REMEDY}"
        ) from error


def _broken(name: str, why: str) -> ValueError:
    return ValueError(f"the detector's file dynconv/lab/{name} {why}{_REMEDY}")


_REMEDY = (
    ": install dynconv again, or take both files from its repository, or train the detector again:"
    " python -m dynconv.lab.detector"
)


def _untrained(known: dict):
    """A YOLO for the weights that belong to these facts."""
    from .. import yolo

    with yolo.quiet():
        detector = yolo.build(known["model"], nc=len(known["classes"]))
    detector.model_name = "detector"  # what files of it are called unless they get a name
    detector.model.names = dict(enumerate(known["classes"]))
    # As in a loaded checkpoint: what predicts or exports it takes this size, and no suppression.
    detector.overrides |= {"imgsz": known["size"], "nms": False}
    detector.model.args = dict(detector.overrides)
    return _for_prediction(detector)


def _for_prediction(detector):
    """In eval mode and float32, with the head that needs no suppression alone."""
    network = detector.model
    with contextlib.suppress(AttributeError):  # in ultralytics 8.4.0 it is so, and cannot be set
        network.end2end = True
    network.model[-1].fuse()
    network.float().eval().requires_grad_(False)
    return detector


def _write(detector, file: Path) -> str:
    """The weights in half precision; their digest."""
    from safetensors.torch import save

    content = save(
        {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in detector.model.state_dict().items()
        }
    )
    with whole_in_turn(file) as draft:
        draft.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _swap(detector, scenes: Scenes) -> dict[str, dict[str, float]]:
    return routing.swap(detector, scenes.images(), scenes.labels(), scenes.lights(), progress=False)


def _both(file: Path, parts: list[Scenes]) -> Path:
    """A data YAML with the images of several sets."""
    train, val = ([one.images(split)[0].parent for one in parts] for split in ("train", "val"))
    return _yaml(file, train, val, parts[0].names)


def _yaml(file: Path, train: list[Path], val: list[Path], names: tuple[str, ...]) -> Path:
    content = {
        "train": [str(path) for path in train],
        "val": [str(path) for path in val],
        "names": dict(enumerate(names)),
    }
    with whole_in_turn(file) as draft:
        draft.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


if __name__ == "__main__":
    main()
