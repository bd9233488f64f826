"""The book's data: objects under four lights, drawn from a seed.

`shapes` and `relight` make single pictures for a demonstration; `make` writes a data set for
detection, in the layout that ultralytics reads. NumPy's `default_rng` and the few operations used
here are exact, so a seed names the same pixels everywhere.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

LIGHTS = ("day", "night", "inverted", "noisy")
NAMES = {"shapes": ("disc", "square", "triangle"), "digits": tuple("0123456789")}
SPLITS = ("train", "val")
_KINDS, _MANIFEST = ("images", "labels"), "scenes.json"


@dataclass(frozen=True)
class Scenes:
    """A data set that `make` has written. `yaml` is what a training run takes as its data."""

    folder: Path
    objects: str  # 'shapes' or 'digits'
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
    anew if it differs.

    Args:
        folder: where data sets are kept.
        objects: 'shapes' (dark discs, squares, triangles; 3 classes) or 'digits' (handwritten ones,
            from the test set of E. Alpaydin and C. Kaynak, 1998, doi 10.24432/C50P49, which
            scikit-learn ships; 10 classes).
        train, val: number of images. No digit and no scene of one split occurs in the other.
        size: side of the images in pixels, a multiple of 32.
        seed: names the set. Image i does not depend on how many there are.
        progress: show a bar while drawing.

    Raises:
        ValueError: an argument is out of range.
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    if objects not in NAMES:
        raise ValueError(f"unknown objects {objects!r}: expected one of {tuple(NAMES)}")
    counts = {"train": train, "val": val}
    for name, value, least in (
        ("train", train, 1),
        ("val", val, 1),
        ("size", size, 32),
        ("seed", seed, 0),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")
    if size % 32:
        raise ValueError(
            f"size must be a multiple of 32, the coarsest stride of a YOLO model, got {size}"
        )
    place = Path(folder).expanduser().resolve() / f"{objects}-{size}px-{train}+{val}-seed{seed}"
    scenes = Scenes(place, objects, counts, size, seed)
    if place.exists():
        wrong = _first_difference(scenes)
        if not wrong:
            return scenes
        print(f"{place.name}: {wrong}; it is made anew")
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        _write(draft, scenes, progress)
        draft.chmod(0o755)  # a temporary folder is for its owner alone
        if place.exists() and _first_difference(scenes):
            shutil.rmtree(place)
        if not place.exists():  # or another process was faster, with the same pixels
            draft.rename(place)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: {sum(counts.values())} images need about {_megabytes(scenes)}"
                " MB in",
                str(place.parent),
            ) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return scenes


def draw(
    objects: str, split: str, index: int, size: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, str]:
    """One image of a data set.

    Returns:
        image: uint8 (size, size), its labels: (objects, 5) as `Scenes.labels` has them, and its
            light.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    scene = _ground(rng, size)
    labels, boxes = [], []
    for _ in range(int(rng.integers(1, 5))):
        kind = int(rng.integers(len(NAMES[objects])))
        side = rng.uniform(0.18, 0.36) * size
        cover, (top, left, bottom, right) = _COVERS[objects](rng, kind, side, split)
        for _ in range(20):  # look for a free place; without one, the image has an object less
            y, x = (int(rng.integers(0, size - n + 1)) for n in cover.shape)
            box = (y + top, x + left, y + bottom, x + right)
            if all(
                box[2] <= b[0] or b[2] <= box[0] or box[3] <= b[1] or b[3] <= box[1] for b in boxes
            ):
                part = scene[y : y + cover.shape[0], x : x + cover.shape[1]]
                part += cover * (rng.uniform(0.1, 0.35) - part)
                boxes.append(box)
                labels.append(
                    (
                        kind,
                        (box[1] + box[3]) / 2 / size,
                        (box[0] + box[2]) / 2 / size,
                        (right - left) / size,
                        (bottom - top) / size,
                    )
                )
                break
    light = LIGHTS[index % len(LIGHTS)]
    lit = relight(scene[None], light, seed=[seed, SPLITS.index(split), index])[0]
    return np.round(lit * 255).astype(np.uint8), np.array(labels), light


def shapes(count: int, size: int = 48, seed: int = 0) -> np.ndarray:
    """Grey scenes by daylight: two to four dark discs, squares and triangles on a bright, softly
    shaded ground.

    Args:
        count: number of images.
        size: side in pixels, at least 16.
        seed: names the set; image i of a seed does not depend on `count`.

    Returns:
        float32 array (count, size, size), 0 black to 1 white.

    Raises:
        ValueError: count or size is too small.
    """
    if count < 1 or size < 16:
        raise ValueError(
            f"count must be at least 1 and size at least 16, got count={count}, size={size}"
        )
    rows, columns = np.mgrid[0:size, 0:size] / size
    images = np.empty((count, size, size), np.float32)
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        slope = rng.uniform(-0.12, 0.12, 2)
        image = 0.82 + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5)
        for _ in range(rng.integers(2, 5)):
            y, x = rng.uniform(0.18, 0.82, 2)
            radius, shade = rng.uniform(0.1, 0.2), rng.uniform(0.1, 0.35)
            down, across = rows - y, columns - x
            inside = [
                down**2 + across**2 < radius**2,  # disc
                np.maximum(abs(down), abs(across)) < 0.85 * radius,  # square
                (abs(across) < (down + radius) / 1.7) & (down < 0.7 * radius),  # triangle
            ][rng.integers(3)]
            image = np.where(inside, shade, image)
        images[index] = image
    return images


def relight(images: np.ndarray, light: str, seed: int | list[int] = 0) -> np.ndarray:
    """The same scenes under another light: 'day' (unchanged), 'night' (dim), 'inverted' (a
    negative), 'noisy'.

    Args:
        images: (count, H, W), 0 to 1.
        light: one of `LIGHTS`.
        seed: for the noise.

    Returns:
        float32 array of the same shape, 0 to 1.

    Raises:
        ValueError: unknown light.
    """
    images = np.asarray(images, np.float32)
    if light == "day":
        return images.copy()
    if light == "night":
        return 0.25 * images
    if light == "inverted":
        return 1 - images
    if light == "noisy":
        # The sum of four uniform numbers, near enough to normal: unlike a logarithm it has the same
        # bits on every machine.
        rng = np.random.default_rng([*np.atleast_1d(seed), len(images)])
        noise = 0.16 * 3**0.5 * (sum(rng.random(images.shape) for _ in range(4)) - 2)
        return np.clip(0.25 + 0.5 * images + noise, 0, 1).astype(np.float32)
    raise ValueError(f"unknown light {light!r}: expected one of {LIGHTS}")


# --- parts of a scene -----------------------------------------------------------------------------


def _ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """A bright ground, shaded softly: 16 random greys, stretched over the image."""
    greys = rng.integers(165, 245, (4, 4)).astype(np.uint8)
    return (
        np.asarray(
            Image.fromarray(greys).resize((size, size), Image.Resampling.BICUBIC), np.float32
        )
        / 255
    )


def _shape(
    rng: np.random.Generator, kind: int, side: float, split: str
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Which part of each pixel a disc, square or triangle covers, and the pixels of its box: top,
    left, bottom, right.
    """
    count = int(np.ceil(side))
    down, across = np.mgrid[0:count, 0:count] + 0.5 - side / 2
    half = side / 2
    inside = [  # distance from the edge in pixels, positive inside
        half - np.sqrt(down**2 + across**2),
        0.8 * half - np.maximum(abs(down), abs(across)),
        np.minimum(0.8 * half - down, (down + half) * 0.5 - abs(across) * 0.9),
    ][kind]
    cover = np.clip(inside + 0.5, 0, 1).astype(np.float32)
    return cover, _box(cover > 0.5)


def _digit(
    rng: np.random.Generator, kind: int, side: float, split: str
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The same for a handwritten digit of the class, from the first 1,297 of the set for train and
    the last 500 for val.
    """
    choices = _digits()[split, kind]
    pixels = Image.fromarray(choices[int(rng.integers(len(choices)))])
    count = int(np.ceil(side))
    cover = np.asarray(pixels.resize((count, count), Image.Resampling.BICUBIC), np.float32) / 255
    return cover, _box(cover > 0.25)


_COVERS = {"shapes": _shape, "digits": _digit}


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


@cache
def _digits() -> dict[tuple[str, int], np.ndarray]:
    """{(split, class): uint8 (count, 8, 8)}"""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)
    parts = {"train": slice(None, 1297), "val": slice(1297, None)}
    return {
        (split, kind): images[part][data.target[part] == kind]
        for split, part in parts.items()
        for kind in range(10)
    }


# --- files ----------------------------------------------------------------------------------------


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
    except (ValueError, KeyError, TypeError):
        return f"{_MANIFEST} is damaged"
    return None


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _megabytes(scenes: Scenes) -> int:
    return max(1, round(sum(scenes.counts.values()) * (scenes.size**2 + 8192) / 1e6))
