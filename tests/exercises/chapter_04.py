"""Typical mistakes in the exercises of chapter 4, each with the hint that it must meet."""

import torch

from dynconv.exercises.solutions.chapter_04 import extra_parameters, merge

MISTAKES = {
    "4.1": [
        (lambda c2, n, e: (1 + n) * int(c2 * e), "both halves"),
        (lambda c2, n, e: n * int(c2 * e), "two halves of the split come along"),
        (lambda c2, n, e: (2 + n) * c2, "not c2"),
        (lambda c2, n, e: 7, "you say 7"),
    ],
    "4.2": [
        (lambda first, second: first[:, 0] * second, "channels in the middle"),
        (
            lambda first, second: torch.einsum("mi,omhw->omihw", first[:, :, 0, 0], second),
            "now sum",
        ),
        (lambda first, second: merge(first, second).flip(2, 3), "upside down"),
        (lambda first, second: merge(first, second) / 4, "averaged"),
        (lambda first, second: merge(first, second) * 2, "differs from convolving twice"),
    ],
    "4.3": [
        (lambda c, n, m: extra_parameters(c, 1, m), "one bottleneck"),
        (lambda c, n, m: extra_parameters(c, n, m) + n * 2 * c, "BatchNorm"),
        (lambda c, n, m: n * (m - 1) * 9 * c * c, "router is missing"),
        (lambda c, n, m: extra_parameters(c, n, m) + n * 9 * c * c, "not extra"),
        (lambda c, n, m: 7, "you say 7"),
    ],
}
