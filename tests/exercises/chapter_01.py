"""Typical mistakes in the exercises of chapter 1, each with the hint that it must meet."""

import numpy as np
import torch
import torch.nn.functional as F
from solutions.chapter_01 import dynamic_conv_strided as strided
from solutions.chapter_01 import mix_kernels, pointwise

from dynconv import dynamic_conv2d
from dynconv.functional import by_matmul, by_single, mix


def add_one_by_one(alpha, weight):
    mixed = torch.zeros(len(alpha), *weight.shape[1:])
    for a, w in zip(alpha.T, weight):
        mixed = torch.addcmul(mixed, a[:, None, None, None, None], w)
    return mixed


def with_mixed(x, w, b, a, **options):
    return F.conv2d(x, torch.tensordot(a, w, 1), a @ b, **options)


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
        "loop over the experts with addcmul": (add_one_by_one, "multiply and add by hand"),
        "loop over the batch in NumPy": (
            lambda a, w: np.stack([np.tensordot(row, w, 1) for row in a.numpy()]),
            "without a loop",
        ),
        "normalise α with a softmax": (lambda a, w: mix_kernels(a.softmax(1), w), "sum to one"),
        "give all images the first kernel": (
            lambda a, w: mix_kernels(a[:1].expand_as(a), w),
            "same kernel",
        ),
        "average over the experts": (lambda a, w: mix_kernels(a, w) / a.shape[1], "Σ sums"),
        "write the sizes of one example into the code": (
            lambda a, w: (a @ w.flatten(1)).view(3, 5, 2, 3, 3),
            "raised RuntimeError: shape",
        ),
    },
    "1.2": {
        "take the α for shares of one": ({"all α doubled": "unchanged"}, "nothing divides the α"),
        "think that the order of the experts counts": (
            {"experts and their α in another order": "something else"},
            "does not know the order",
        ),
        "think that equal experts stay apart": (
            {"two equal experts swap their α": "something else"},
            "whichever of the two",
        ),
        "forget that a missing expert is missed": (
            {"one α set to zero": "unchanged"},
            "if its expert were zero",
        ),
    },
    "1.3": {
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
                F.conv2d(x, w.flatten(0, 1), b.flatten(), padding=1).view(
                    *w.shape[:2], *x.shape[2:]
                ),
            )[None],
            "work is that of several convolutions",
        ),
        "call the package's own function": (
            lambda x, w, b, a: dynamic_conv2d(x, w, a[None], b, padding=1),
            "package's own function",
        ),
        "call a part of the package's own function": (
            lambda x, w, b, a: by_single(x, mix(a[None], w), mix(a[None], b), 1, 1, 1, 1),
            "package's own function",
        ),
        "pad the result": (
            lambda x, w, b, a: F.pad(with_mixed(x, w, b, a), (1, 1, 1, 1)),
            "zeros stand around the result",
        ),
        "pad with the border": (
            lambda x, w, b, a: with_mixed(F.pad(x, (1, 1, 1, 1), mode="replicate"), w, b, a),
            "something else than zeros",
        ),
        "mix only the biases": (
            lambda x, w, b, a: F.conv2d(x, w.sum(0), a @ b, padding=1),
            "kernels are added without",
        ),
        "normalise α": (
            lambda x, w, b, a: with_mixed(x, w, b, a / a.sum(), padding=1),
            "sum to one",
        ),
    },
    "1.4": {
        "read a time out of a count": (
            {"on 160×160 as fast as a static layer": "follows"},
            "has to be timed",
        ),
        "not compare the rows": (
            {"the smaller the map, the more mixing counts": "does not follow"},
            "smaller map has the larger share",
        ),
        "take mixing for the whole": (
            {"8 experts: the whole layer doubles": "follows"},
            "only the mixing doubles",
        ),
    },
    "1.5": {
        "keep the size of the input": (
            lambda x, w, a, s: strided(x, w, a, s).view(len(x), -1, *x.shape[2:]),
            "as if the map had kept its size|raised RuntimeError",
        ),
        "leave the stride out": (
            lambda x, w, a, s: strided(x, w, a, 1),
            r"\(3, 4, 8, 8\), but \(3, 4, 4, 4\)",
        ),
        "shrink the map afterwards": (
            lambda x, w, a, s: F.adaptive_avg_pool2d(
                strided(x, w, a, 1), strided(x, w, a, s).shape[2:]
            ),
            "averaged over them",
        ),
        "take channels before images": (
            lambda x, w, a, s: (
                strided(x, w, a, s)
                .reshape(4, len(x), *strided(x, w, a, s).shape[2:])
                .transpose(0, 1)
            ),
            "images come first",
        ),
        "call the package's own function": (
            lambda x, w, a, s: dynamic_conv2d(x, w, a, stride=s, padding=1),
            "package's own function",
        ),
    },
    "1.6": {
        "call the package's own function": (dynamic_conv2d, "package's own function"),
        "call a part of the package's own function": (
            lambda x, w, a: by_matmul(x, mix(a, w), None, (1, 1), (0, 0), (1, 1), 1),
            "package's own function",
        ),
        "take as many channels out as in": (
            lambda x, w, a: (mix(a, w)[..., 0, 0] @ x.flatten(2)).view_as(x),
            "raised RuntimeError: shape",
        ),
        "add the kernels without α": (
            lambda x, w, a: pointwise(x, w, torch.ones_like(a)),
            "without their α",
        ),
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
    "1.3": [
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
        lambda a, w: F.linear(a, w.flatten(1).T).unflatten(1, w.shape[1:]),
        lambda a, w: (w.permute(1, 2, 3, 4, 0) @ a.T).permute(4, 0, 1, 2, 3),
        mix,
        lambda a, w: torch.tensordot(a, w, dims=1),
    ],
    "1.3": [
        lambda x, w, b, a: F.conv2d(x, (a @ w.flatten(1)).view(w.shape[1:]), a @ b, padding=1),
        lambda x, w, b, a: (
            (mix(a[None], w)[0].flatten(1) @ F.unfold(x, 3, padding=1)).unflatten(2, x.shape[2:])
            + (a @ b)[:, None, None]
        ),
    ],
    "1.6": [
        lambda x, w, a: torch.einsum("bm,moi,bihw->bohw", a, w[..., 0, 0], x),
        lambda x, w, a: np.einsum("bm,moi,bihw->bohw", a.numpy(), w.numpy()[..., 0, 0], x.numpy()),
    ],
}
