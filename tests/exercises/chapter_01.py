"""Typical mistakes in the exercises of chapter 1, each with the hint that it must meet."""

import torch
import torch.nn.functional as F

from dynconv import dynamic_conv2d
from dynconv.exercises.solutions.chapter_01 import mix_kernels, pointwise

MISTAKES = {
    "1.1": [
        (lambda a, w: a[:, :, None, None, None, None] * w, "sum over the experts"),
        (lambda a, w: mix_kernels(a / a.sum(1, keepdim=True), w), "sum to one"),
        (lambda a, w: mix_kernels(a.mean(0, keepdim=True).expand_as(a), w), "same kernel"),
        (lambda a, w: mix_kernels(a, w)[0], r"\(3, 5, 2, 3, 3\) is wanted"),
        (lambda a, w: mix_kernels(a, w.flip(0)), "which axis"),
    ],
    "1.2": [
        (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), padding=1),
            "bias is missing",
        ),
        (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.sum(0), padding=1),
            "without their α",
        ),
        (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.mean(0), padding=1),
            "without their α",
        ),
        (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), a @ b),
            r"\(1, 4, 8, 8\) is wanted",
        ),
    ],
    "1.3": [
        (lambda x, w, a: dynamic_conv2d(x, w, a, stride=2), "no convolution|shape"),
        (lambda x, w, a: F.conv2d(x, w[0]), "no convolution"),
        (lambda x, w, a: pointwise(x, w.transpose(1, 2), a), "transposed"),
        (lambda x, w, a: pointwise(x, w, a.mean(0, keepdim=True).expand_as(a)), "same matrix"),
    ],
}
