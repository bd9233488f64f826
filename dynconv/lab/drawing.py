"""Drawing objects under four lights, from a seed: single scenes, and the images of a data set.

NumPy's `default_rng` and the few operations used here are exact, so a seed names the same pixels
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..checks import as_array, check_choice, check_count, check_numbers

LIGHTS = ("day", "night", "inverted", "noisy")
_SHAPES = ("disc", "square", "triangle")
NAMES = {"shapes": _SHAPES, "digits": tuple("0123456789"), "sketches": _SHAPES}
SPLITS = ("train", "val")


def draw(
    objects: str, split: str, index: int, size: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, str]:
    """One image of a data set.

    Returns:
        image: uint8 (size, size), its labels: (objects, 5) as `Scenes.labels` has them, and its
            light.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    manner = _MANNERS[objects]
    scene = manner.ground(rng, size)
    labels, boxes = [], []
    count = int(rng.integers(1, 5))
    for _ in range(count):
        kind = int(rng.integers(len(NAMES[objects])))
        side = rng.uniform(0.18, manner.largest[count - 1]) * size
        cover, (top, left, bottom, right) = manner.cover(rng, kind, side, split)
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
        ValueError, TypeError: count, size or seed is out of range.
    """
    count, size = check_count("count", count), check_count("size", size, 16, most=2**13)
    seed = check_count("seed", seed, 0, most=2**63)
    check_numbers(f"count = {count} images of size = {size}", (count, size, size))
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
        ValueError, TypeError: unknown light; images or seed are no numbers.
    """
    images = as_array("images", images, None).astype(np.float32)
    if images.ndim < 3:
        raise ValueError(f"images must have shape (count, H, W), got {images.shape}")
    check_choice("light", light, LIGHTS)
    if light == "day":
        return images.copy()
    if light == "night":
        return 0.25 * images
    if light == "inverted":
        return 1 - images
    # The sum of four uniform numbers, near enough to normal: unlike a logarithm it has the same
    # bits on every machine.
    seeds = [check_count("seed", one, 0, most=2**63) for one in _listed(seed)]
    rng = np.random.default_rng([*seeds, len(images)])
    noise = 0.16 * 3**0.5 * (sum(rng.random(images.shape) for _ in range(4)) - 2)
    return np.clip(0.25 + 0.5 * images + noise, 0, 1).astype(np.float32)


def _listed(seed) -> Sequence:
    return seed if isinstance(seed, (list, tuple)) else [seed]


@cache
def digits() -> dict[tuple[str, int], np.ndarray]:
    """The handwritten digits that scenes are made of: {(split, class): uint8 (count, 8, 8)}."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)
    parts = {"train": slice(None, 1297), "val": slice(1297, None)}
    return {
        (split, kind): images[part][data.target[part] == kind]
        for split, part in parts.items()
        for kind in range(10)
    }


# --- parts of a scene -----------------------------------------------------------------------------


def _ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """A bright ground, shaded softly: 16 random greys, stretched over the image."""
    return _soft(rng.integers(165, 245, (4, 4)), size)


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
    choices = digits()[split, kind]
    pixels = Image.fromarray(choices[int(rng.integers(len(choices)))])
    count = int(np.ceil(side))
    cover = np.asarray(pixels.resize((count, count), Image.Resampling.BICUBIC), np.float32) / 255
    return cover, _box(cover > 0.25)


def _paper(rng: np.random.Generator, size: int) -> np.ndarray:
    """Paper: white or greyer, flat or shaded, perhaps ruled, perhaps with a soft shadow, and with
    up to three strokes of a pen that are no object.
    """
    white = int(rng.integers(150, 256))
    scene = _soft(rng.integers(white - int(rng.integers(1, 40)), white + 1, (4, 4)), size)
    down, across = _places(size)
    if rng.random() < 0.25:  # ruled, or with squares
        apart, faint = int(rng.integers(6, 15)), rng.uniform(0.8, 0.95)
        scene[::apart] *= faint
        if rng.random() < 0.5:
            scene[:, ::apart] *= faint
    if rng.random() < 0.4:  # a shadow over one side, or one corner
        cos, sin = _turn(rng, 3)
        edge = cos * down + sin * across - rng.uniform(-0.5, 0.5) * size
        scene *= 1 - rng.uniform(0.1, 0.4) * np.clip(edge / (rng.uniform(0.05, 0.5) * size), 0, 1)
    for _ in range(int(rng.integers(0, 4))):
        y, x = rng.uniform(-0.5, 0.5, 2) * size
        cos, sin = _turn(rng, 3)
        along = cos * (down - y) + sin * (across - x)
        beside = cos * (across - x) - sin * (down - y) + _bend(rng, size, 0.1)
        far = np.maximum(abs(along) - rng.uniform(0.03, 0.3) * size, abs(beside))
        cover = np.clip(rng.uniform(0.01, 0.03) * size + 0.5 - far, 0, 1)
        scene += cover * (rng.uniform(0.05, 0.4) - scene)
    return scene


def _sketch(
    rng: np.random.Generator, kind: int, side: float, split: str
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The same for a disc, square or triangle from a hand that is not quite sure: turned a little,
    longer than wide or wider, bent; most are outlines of some pen's width, perhaps with a gap, the
    others filled.
    """
    count = int(np.ceil(side))
    down, across = _places(count)
    cos, sin = _turn(rng, 0.15)
    tall, wide = rng.uniform(0.8, 1.1, 2)
    y = (cos * down + sin * across) / tall + _bend(rng, count, 0.12)
    x = (cos * across - sin * down) / wide + _bend(rng, count, 0.12)
    half = 0.36 * side
    inside = [
        half - np.sqrt(y**2 + x**2),
        half - np.maximum(abs(y), abs(x)),
        np.minimum(half - y, (y + half) * 0.45 - abs(x) * 0.9),
    ][kind]
    if rng.random() < 0.75:
        pen = rng.uniform(0.7, max(0.9, 0.06 * side))  # half its width
        inside = pen - abs(inside)
        if rng.random() < 0.3:
            top, left = rng.uniform(-0.5, 0.5, 2) * side
            inside = np.minimum(inside, abs(down - top) + abs(across - left) - 0.15 * side)
    cover = np.clip(inside + 0.5, 0, 1).astype(np.float32)
    return cover, _box(cover > 0.25)


class _Manner(NamedTuple):
    """How the scenes with some objects are drawn."""

    ground: Callable
    cover: Callable
    # of an object's side, if there are 1, 2, 3, 4 in the image, as a part of the image's
    largest: tuple[float, ...] = (0.36,) * 4


_MANNERS = {
    "shapes": _Manner(_ground, _shape),
    "digits": _Manner(_ground, _digit),
    "sketches": _Manner(_paper, _sketch, (1, 0.7, 0.5, 0.42)),
}


def _soft(greys: np.ndarray, size: int) -> np.ndarray:
    """A few greys from 0 to 255, stretched over a square: float32, 0 to 1."""
    few = Image.fromarray(greys.astype(np.uint8))
    return np.asarray(few.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255


def _bend(rng: np.random.Generator, size: int, most: float) -> np.ndarray:
    """By how many pixels each place of a square is moved, at most about that part of its side."""
    return (_soft(rng.integers(0, 256, (4, 4)), size) - 0.5) * rng.uniform(0, most) * size


def _turn(rng: np.random.Generator, most: float) -> tuple[float, float]:
    """Cosine and sine of a random angle, made of the tangent of its half, that has the same bits on
    every machine.
    """
    half = rng.uniform(-most, most)
    square = half * half
    return (1 - square) / (1 + square), 2 * half / (1 + square)


def _places(size: int) -> np.ndarray:
    """How far below and to the right of the middle each pixel of a square is."""
    return np.mgrid[0:size, 0:size] + 0.5 - size / 2


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
