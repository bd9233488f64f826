"""Small scenes made by a formula: dark shapes on soft ground, and the four lights that one can be seen under.

NumPy's `default_rng` gives the same numbers on every platform, so a seed names the same images everywhere.
"""

from __future__ import annotations

import numpy as np

LIGHTS = ("day", "night", "inverted", "noisy")


def shapes(count: int, size: int = 48, seed: int = 0) -> np.ndarray:
    """Grey scenes by daylight: two to four dark discs, squares and triangles on a bright, softly shaded ground.

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
        raise ValueError(f"count must be at least 1 and size at least 16, got count={count}, size={size}")
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


def relight(images: np.ndarray, light: str, seed: int = 0) -> np.ndarray:
    """The same scenes under another light: 'day' (unchanged), 'night' (dim), 'inverted' (a negative), 'noisy'.

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
        noise = np.random.default_rng([seed, len(images)]).normal(0, 0.16, images.shape)
        return np.clip(0.25 + 0.5 * images + noise, 0, 1).astype(np.float32)
    raise ValueError(f"unknown light {light!r}: expected one of {LIGHTS}")
