"""The book's data: objects under four lights, drawn from a seed.

`shapes` and `relight` make single pictures for a demonstration; `make` writes a data set for
detection, in the layout that ultralytics reads. How they are drawn is in `drawing`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..checks import MOST, as_python, check_choice, is_int, shown
from ..files.locks import is_marked, turn
from ..files.whole import remove
from .drawing import LIGHTS as LIGHTS
from .drawing import NAMES, SPLITS, draw
from .drawing import relight as relight
from .drawing import shapes as shapes

_KINDS, _MANIFEST = ("images", "labels"), "scenes.json"


@dataclass(frozen=True)
class Scenes:
    """A data set that `make` has written. `yaml` is what a training run takes as its data."""

    folder: Path
    objects: str  # 'shapes', 'digits' or 'sketches'
    counts: dict[str, int]  # images by split
    size: int  # pixels
    seed: int

    @property
    def yaml(self) -> Path:
        return self.folder / "data.yaml"

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes are called, in the order of their numbers."""
        return NAMES[self.objects]

    def images(self, split: str = "val") -> list[Path]:
        """The image files of a split, in order."""
        return [
            self.folder / "images" / split / f"{index:05d}.png"
            for index in range(self._count(split))
        ]

    def lights(self, split: str = "val") -> list[str]:
        """The light of each image of a split, in the same order."""
        entries = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))["images"]
        return [entries[f"{split}/{path.stem}"]["light"] for path in self.images(split)]

    def labels(self, split: str = "val") -> list[np.ndarray]:
        """For each image the objects in it: (objects, 5), class number, centre x, y, width, height
        as parts of the side.
        """
        files = [self.folder / "labels" / split / f"{path.stem}.txt" for path in self.images(split)]
        return [np.loadtxt(file, ndmin=2) for file in files]

    def _count(self, split: str) -> int:
        if split not in self.counts:
            raise ValueError(f"unknown split {split!r}: expected one of {SPLITS}")
        return self.counts[split]


def make(
    folder: str | os.PathLike = "datasets",
    objects: str = "shapes",
    train: int = 400,
    val: int = 400,
    size: int = 96,
    seed: int = 0,
    progress: bool = True,
) -> Scenes:
    """Write the data set, or find it there: one to four objects in each image, the light going
    round day, night, inverted, noisy.

    The set gets a folder of its own inside `folder`, named by what is in it. It is written under
    another name first and renamed when it is whole, so a stopped call leaves no half data set. A
    set that is there is checked, file by file, against the digests it was written with, and made
    anew if it differs. If another process is writing the same set, wait for that.

    Args:
        folder: where data sets are kept.
        objects: 'shapes' (dark discs, squares, triangles; 3 classes) or 'digits' (handwritten ones,
            from the test set of E. Alpaydin and C. Kaynak, 1998, doi 10.24432/C50P49, which
            scikit-learn ships; 10 classes) or 'sketches' (the shapes as a hand draws them on paper,
            most as outlines, up to most of the image; 3 classes).
        train, val: number of images, 1 to 2**20. No digit and no scene of one split occurs in the
            other.
        size: side of the images in pixels, a multiple of 32, at most 8192.
        seed: names the set. Image i does not depend on how many there are.
        progress: show a bar while drawing.

    Raises:
        ValueError: an argument is out of range, or folder can be no path.
        TypeError: folder is no path at all.
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    train, val, size, seed = map(as_python, (train, val, size, seed))  # numbers of NumPy too
    counts = {"train": train, "val": val}
    _check_arguments(objects, size=size, seed=seed, **counts)
    if not isinstance(folder, (str, os.PathLike)):
        raise TypeError(f"folder must be a path, got {shown(folder)}")
    name = f"{objects}-{size}px-{train}+{val}-seed{seed}"
    try:
        place = Path(folder).expanduser().resolve() / name
    except (ValueError, RuntimeError) as error:  # a zero byte, the home of nobody
        raise ValueError(f"folder {shown(folder)} is no path: {error}") from None
    scenes = Scenes(place, objects, counts, size, seed)
    untouched = not _draft(place).exists() and not is_marked(place)
    if untouched and place.exists() and not _first_difference(scenes):
        return scenes
    place.parent.mkdir(parents=True, exist_ok=True)
    with turn(place, lambda: print(f"{place.name}: another process is writing it, waiting")):
        remove(_draft(place))  # of a process that was killed
        if os.path.lexists(place):
            wrong = _first_difference(scenes)
            if not wrong:  # the other process has written it
                return scenes
            print(f"{place.name}: {wrong}; it is made anew")
        _make(scenes, progress)
    return scenes


def _check_arguments(objects: str, **numbers: int) -> None:
    check_choice("objects", objects, NAMES)
    most = {"train": MOST, "val": MOST, "size": 2**13, "seed": 2**63}
    for name, least in {"train": 1, "val": 1, "size": 32, "seed": 0}.items():
        value = numbers[name]
        if not is_int(value) or not least <= value <= most[name]:
            raise ValueError(
                f"{name} must be a whole number, at least {least}, got {shown(value)} (at most"
                f" {most[name]})"
            )
    if numbers["size"] % 32:
        raise ValueError(
            "size must be a multiple of 32, the coarsest stride of a YOLO model, got"
            f" {numbers['size']}"
        )


# --- files ----------------------------------------------------------------------------------------


def _draft(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


def _make(scenes: Scenes, progress: bool) -> None:
    """Write the set in a folder beside its place, and move it there when it is whole."""
    place, draft = scenes.folder, _draft(scenes.folder)
    try:
        draft.mkdir()
        _write(draft / "new", scenes, progress)
        if os.path.lexists(place):  # moved, since somebody may be writing in it
            place.rename(draft / "old")
        (draft / "new").rename(place)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: {sum(scenes.counts.values())} images need about"
                f" {_megabytes(scenes)} MB in",
                str(place.parent),
            ) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(folder: Path, scenes: Scenes, progress: bool) -> None:
    from tqdm.auto import tqdm

    entries = {}
    with tqdm(
        total=sum(scenes.counts.values()),
        desc=f"drawing {scenes.objects}",
        unit="image",
        disable=not progress,
        leave=False,
    ) as bar:
        for split in SPLITS:
            for kind in _KINDS:
                (folder / kind / split).mkdir(parents=True)
            for index in range(scenes.counts[split]):
                image, labels, light = draw(scenes.objects, split, index, scenes.size, scenes.seed)
                name = f"{split}/{index:05d}"
                Image.fromarray(image).save(folder / "images" / f"{name}.png", compress_level=1)
                rows = [
                    f"{int(kind)} " + " ".join(f"{value:.6f}" for value in box)
                    for kind, *box in labels
                ]
                (folder / "labels" / f"{name}.txt").write_text(
                    "\n".join(rows) + "\n", encoding="utf-8"
                )
                entries[name] = {
                    "light": light,
                    "image": _digest(folder / "images" / f"{name}.png"),
                    "label": _digest(folder / "labels" / f"{name}.txt"),
                }
                bar.update()
    (folder / "data.yaml").write_text(_yaml(scenes), encoding="utf-8")
    (folder / _MANIFEST).write_text(
        json.dumps({"seed": scenes.seed, "images": entries}, indent=0), encoding="utf-8"
    )


def _yaml(scenes: Scenes) -> str:
    names = "\n".join(f"  {number}: '{name}'" for number, name in enumerate(scenes.names))
    return f"train: images/train\nval: images/val\nnames:\n{names}\n"


def _first_difference(scenes: Scenes) -> str | None:
    """What is wrong with a data set on disk, or None."""
    folder = scenes.folder
    try:
        entries = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["images"]
        expected = {
            (kind, f"{split}/{file.stem}")
            for split in SPLITS
            for file in scenes.images(split)
            for kind in _KINDS
        }
        found = {
            (kind, f"{split}/{file.stem}"): file
            for kind in _KINDS
            for split in SPLITS
            for file in (folder / kind / split).glob("[!.]*")
        }
        for kind, name in sorted(expected ^ found.keys()):
            return f"{kind}/{name} is " + (
                "missing" if (kind, name) in expected else "one too many"
            )
        for (kind, name), file in found.items():
            if _digest(file) != entries[name][kind.removesuffix("s")]:
                return f"{file.relative_to(folder)} was changed"
        if (folder / "data.yaml").read_text(encoding="utf-8") != _yaml(scenes):
            return "data.yaml was changed"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except OSError as error:  # a folder in a file's place, or the reverse
        return f"{Path(error.filename or folder).name} cannot be read"
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"{_MANIFEST} is damaged"
    return None


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _megabytes(scenes: Scenes) -> int:
    return max(1, round(sum(scenes.counts.values()) * (scenes.size**2 + 8192) / 1e6))
