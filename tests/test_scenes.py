"""The toy scenes: deterministic, in range, and lit as they say."""

import hashlib

import numpy as np
import pytest

from dynconv import scenes


def test_a_seed_names_the_same_images_everywhere():
    images = scenes.shapes(3, size=32, seed=5)
    assert images.shape == (3, 32, 32) and images.dtype == np.float32
    assert 0 <= images.min() < 0.4 < images.max() <= 1
    np.testing.assert_array_equal(images[:2], scenes.shapes(2, size=32, seed=5))
    assert not np.array_equal(images, scenes.shapes(3, size=32, seed=6))
    rounded = (images * 1000).round().astype(np.int32)  # a fingerprint that the last bits of a float cannot change
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == "4ef54d33ebaf978f"


def test_lights_do_what_they_are_called():
    images = scenes.shapes(4, size=32)
    assert np.array_equal(scenes.relight(images, "day"), images)
    np.testing.assert_allclose(scenes.relight(images, "inverted"), 1 - images)
    assert scenes.relight(images, "night").max() < 0.3
    noisy = scenes.relight(images, "noisy", seed=1)
    assert noisy.dtype == np.float32 and 0 <= noisy.min() and noisy.max() <= 1 and noisy.std() > 0.1
    np.testing.assert_array_equal(noisy, scenes.relight(images, "noisy", seed=1))


@pytest.mark.parametrize("call, message", [
    (lambda: scenes.shapes(0), "count must be at least 1"),
    (lambda: scenes.shapes(1, size=8), "size at least 16, got count=1, size=8"),
    (lambda: scenes.relight(scenes.shapes(1), "dusk"), "unknown light 'dusk': expected one of"),
])  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
