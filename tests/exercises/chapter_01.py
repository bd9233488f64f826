"""Typical mistakes in the exercises of chapter 1, each with the hint that it must meet."""

import numpy as np
import torch
import torch.nn.functional as F

from dynconv import dynamic_conv2d
from dynconv.exercises.solutions.chapter_01 import mix_kernels, pointwise

MISTAKES = {
    "1.1": {
        "weigh the experts without summing them": (
            lambda a, w: a[:, :, None, None, None, None] * w,
            "sum over the experts",
        ),
        "normalise α to sum one": (
            lambda a, w: mix_kernels(a / a.sum(1, keepdim=True), w),
            "sum to one",
        ),
        "average α over the batch": (
            lambda a, w: mix_kernels(a.mean(0, keepdim=True).expand_as(a), w),
            "same kernel",
        ),
        "loop over the batch": (
            lambda a, w: torch.stack([torch.tensordot(row, w, 1) for row in a]),
            "single matrix product: you take 3",
        ),
        "loop over the experts": (
            lambda a, w: sum(a[:, i, None, None, None, None] * w[i] for i in range(4)),
            "multiply and add by hand",
        ),
    },
    "1.2": {
        "leave out the bias": (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), padding=1),
            "bias is missing",
        ),
        "add the biases without their α": (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.sum(0), padding=1),
            "without their α",
        ),
        "average the biases without their α": (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.mean(0), padding=1),
            "without their α",
        ),
        "convolve with every expert": (
            lambda x, w, b, a: sum(
                a[i] * F.conv2d(x, w[i], b[i], padding=1) for i in range(len(w))
            ),
            "work is that of several convolutions",
        ),
        "convolve with all experts as channels": (
            lambda x, w, b, a: torch.einsum(
                "m,mohw->ohw",
                a,
                F.conv2d(x, w.flatten(0, 1), b.flatten(), padding=1).view(3, 4, 8, 8),
            )[None],
            "work is that of several convolutions",
        ),
        "call the package's own function": (
            lambda x, w, b, a: dynamic_conv2d(x, w, a[None], b, padding=1),
            "package's own function",
        ),
    },
    "1.3": {
        "call the package's own function": (dynamic_conv2d, "package's own function"),
        "convolve": (lambda x, w, a: F.conv2d(x, w[0]), "no convolution"),
        "transpose the kernel": (lambda x, w, a: pointwise(x, w.transpose(1, 2), a), "transposed"),
        "one matrix for the whole batch, of the mean α": (
            lambda x, w, a: pointwise(x, w, a.mean(0, keepdim=True).expand_as(a)),
            "same matrix",
        ),
        "one matrix for the whole batch, of the first α": (
            lambda x, w, a: pointwise(x, w, a[:1].expand_as(a)),
            "same matrix",
        ),
    },
}

OTHERS = {
    "1.1": [
        (lambda a, w: mix_kernels(a, w)[0], r"\(3, 5, 2, 3, 3\) is wanted"),
        (lambda a, w: mix_kernels(a, w.flip(0)), "which axis"),
    ],
    "1.2": [
        (
            lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), a @ b),
            r"\(1, 4, 8, 8\) is wanted",
        )
    ],
}

# Unusual, and right.
RIGHT = {
    "1.1": [
        lambda a, w: np.einsum("bm,mopqr->bopqr", a.numpy(), w.numpy()),
        lambda a, w: F.linear(a, w.flatten(1).T).view(3, 5, 2, 3, 3),
        lambda a, w: torch.tensordot(a, w, dims=1),
    ],
    "1.2": [
        lambda x, w, b, a: F.conv2d(x, (a @ w.flatten(1)).view(4, 2, 3, 3), a @ b, padding=1),
        lambda x, w, b, a: (
            ((a @ w.flatten(1)).view(4, -1) @ F.unfold(x, 3, padding=1)).view(1, 4, 8, 8)
            + (a @ b)[:, None, None]
        ),
    ],
    "1.3": [
        lambda x, w, a: torch.einsum("bm,moi,bihw->bohw", a, w[..., 0, 0], x),
        lambda x, w, a: np.einsum("bm,moi,bihw->bohw", a.numpy(), w.numpy()[..., 0, 0], x.numpy()),
    ],
}
