"""Typical mistakes in the exercises of chapter 4, each with the hint that it must meet."""

import torch
import torch.nn.functional as F
from solutions.chapter_04 import extra_parameters, merge
from ultralytics.nn.modules import C2f

from dynconv.yolo import C2f_DynamicConv


def stacked(block, x, order=list, take=-1):
    """The block of 4.4, its pieces in another order, its bottlenecks all on the same piece."""
    pieces = list(block.cv1(x).chunk(2, dim=1))
    for bottleneck in block.m:
        pieces.append(bottleneck(pieces[take]))
    return block.cv2(torch.cat(order(pieces), dim=1))


MISTAKES = {
    "4.1": {
        "forget one half of the split": (lambda c2, n, e: (1 + n) * int(c2 * e), "both halves"),
        "forget both halves of the split": (
            lambda c2, n, e: n * int(c2 * e),
            "two halves of the split come along",
        ),
        "use the full width": (lambda c2, n, e: (2 + n) * c2, "not c2"),
        "cut the fraction off only at the end": (
            lambda c2, n, e: int((2 + n) * c2 * e),
            "for each piece",
        ),
        "round the width up": (lambda c2, n, e: (2 + n) * round(c2 * e), "for each piece"),
    },
    "4.2": {
        "think that a BatchNorm parts two layers": (
            {"dynamic 3×3, BatchNorm in use, 1×1": "two layers"},
            "multiplies each channel by a number",
        ),
        "think that an activation can be merged": (
            {"dynamic 3×3, SiLU, static 1×1": "one layer"},
            "no sum of SiLUs",
        ),
        "forget that the mean is linear": (
            {"static 1×1, dynamic 3×3": "two layers"},
            "1×1 of the mean",
        ),
    },
    "4.3": {
        "leave the middle channels in": (
            lambda first, second: first[:, 0] * second,
            "channels in the middle",
        ),
        "multiply along the middle channels without summing": (
            lambda first, second: torch.einsum("mi,omhw->omihw", first[:, :, 0, 0], second),
            "now sum",
        ),
        "flip the kernel": (lambda first, second: merge(first, second).flip(2, 3), "upside down"),
        "average instead of sum": (
            lambda first, second: merge(first, second) / len(first),
            "averaged",
        ),
        "swap rows and columns": (lambda first, second: merge(first, second).mT, "changed places"),
        "swap Cout and Cin": (
            lambda first, second: merge(first, second).transpose(0, 1),
            "turned round",
        ),
    },
    "4.4": {
        "mend the bottlenecks only": (
            lambda block, x: stacked(block, x, lambda pieces: pieces[::-1]),
            "order in which the pieces are stacked",
        ),
        "put what was computed first": (
            lambda block, x: stacked(block, x, lambda pieces: pieces[2:] + pieces[:2]),
            "order in which the pieces are stacked",
        ),
        "mend the order only": (lambda block, x: stacked(block, x, take=0), "Which half enters"),
        "give each bottleneck the second half": (
            lambda block, x: stacked(block, x, take=1),
            "2 bottlenecks: each bottleneck has to work",
        ),
    },
    "4.5": {
        "leave the task out of the conclusion": (
            {"BatchNorm is useless in a detector": "follows"},
            "small task with two layers",
        ),
        "take the smaller mean for the better one": (
            {"BN + SiLU is better than SiLU alone": "follows"},
            "intervals overlap",
        ),
        "hope for more steps": (
            {"with more steps the bare stack gets there": "follows"},
            "nothing in the table",
        ),
        "miss the pairs": (
            {"SiLU makes the difference in this task": "does not follow"},
            "differ in the SiLU only",
        ),
    },
    "4.6": {
        "count one bottleneck": (lambda c, n, m: extra_parameters(c, 1, m), "one bottleneck"),
        "forget the BatchNorm that goes": (
            lambda c, n, m: extra_parameters(c, n, m) + n * 2 * c,
            "BatchNorm",
        ),
        "forget the router that comes": (
            lambda c, n, m: n * (m - 1) * 9 * c * c,
            "router is missing",
        ),
        "forget the router's bias": (
            lambda c, n, m: extra_parameters(c, n, m) - n * m,
            "Linear has a bias",
        ),
        "count what comes, not the difference": (
            lambda c, n, m: n * m * (9 * c * c + c + 1),
            "take off what goes",
        ),
        "count the old kernel as extra": (
            lambda c, n, m: extra_parameters(c, n, m) + n * 9 * c * c,
            "not extra",
        ),
    },
}

OTHERS = {
    "4.1": [(lambda c2, n, e: 7, "you say 7")],
    "4.3": [(lambda first, second: merge(first, second) * 2, "differs from convolving twice")],
    "4.6": [(lambda c, n, m: 7, "you say 7")],
}

# Unusual, and right.
RIGHT = {
    "4.1": [lambda c2, n, e: C2f(c2, c2, n, e=e).cv2.conv.in_channels],
    "4.3": [lambda first, second: F.conv2d(second, first.transpose(0, 1))],
    "4.6": [
        lambda c, n, m: (
            sum(p.numel() for p in C2f_DynamicConv(2 * c, 2 * c, n, num_experts=m).parameters())
            - sum(p.numel() for p in C2f(2 * c, 2 * c, n).parameters())
        )
    ],
}
