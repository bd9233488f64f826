"""Drawing objects under four lights, from a seed: single scenes, and the images of a data set.

NumPy's `default_rng` and the few operations used here are exact, so a seed names the same pixels
everywhere.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

LIGHTS = ("day", "night", "inverted", "noisy")
NAMES = {"shapes": ("disc", "square", "triangle"), "digits": tuple("0123456789")}
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
    greys = Image.fromarray(rng.integers(165, 245, (4, 4)).astype(np.uint8))
    return np.asarray(greys.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255


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


_COVERS = {"shapes": _shape, "digits": _digit}


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
