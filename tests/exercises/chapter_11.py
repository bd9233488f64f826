"""Typical mistakes in the exercises of chapter 11, each with the hint that it must meet."""

import numpy as np
import torch
from solutions.chapter_11 import (
    dilating_offsets,
    numbers_from_the_input,
    sign_turning_offsets,
    to_torchvision,
)

TAPS = torch.cartesian_prod(torch.arange(-1.0, 2), torch.arange(-1.0, 2))


def three_by_three(offset):
    """Right, for nine taps only."""
    taps = offset[..., [0, 3, 6, 1, 4, 7, 2, 5, 8], :]
    return taps.flip(-1).permute(0, 3, 4, 5, 1, 2).flatten(1, 3)


def tap_by_tap(offset):
    B, H, W, G, P, _ = offset.shape
    k = round(P**0.5)
    result = np.zeros((B, G, k, k, 2, H, W))
    for row in range(k):
        for column in range(k):
            pair = offset[:, :, :, :, column * k + row].numpy()  # (B, H, W, G, 2)
            result[:, :, row, column] = pair[..., ::-1].transpose(0, 3, 4, 1, 2)
    return result.reshape(B, -1, H, W)


MISTAKES = {
    "11.1": {
        "give the new places instead of the way there": (
            lambda k, d: dilating_offsets(k, d + 1),
            "the way there",
        ),
        "swap the pairs": (
            lambda k, d: dilating_offsets(k, d).view(-1, 2).flip(1).flatten(),
            "wrong way round",
        ),
        "turn the sign round": (lambda k, d: -dilating_offsets(k, d), "check the sign"),
        "first all vertical numbers, then all horizontal ones": (
            lambda k, d: dilating_offsets(k, d).view(-1, 2).T.flatten(),
            "in pairs, tap by tap",
        ),
        "count from the corner": (
            lambda k, d: dilating_offsets(k, d) + (d - 1) * (k // 2),
            "from the corner",
        ),
    },
    "11.2": {
        "`reshape` where an axis must move": (
            lambda offset: offset.reshape(len(offset), -1, *offset.shape[1:3]),
            "does not move an axis",
        ),
        "leave pairs and taps in their order": (
            lambda offset: offset.permute(0, 3, 4, 5, 1, 2).flatten(1, 3),
            "Now the order",
        ),
        "swap the pairs, but not the taps": (
            lambda offset: offset.flip(-1).permute(0, 3, 4, 5, 1, 2).flatten(1, 3),
            "The taps still go column by column",
        ),
        "swap the taps, but not the pairs": (
            lambda offset: to_torchvision(offset.flip(-1)),
            r"Each pair is still \(horizontal, vertical\)",
        ),
    },
    "11.3": {
        "let a static convolution compute something": (
            lambda operator, M, k, G, H, W: {"static": k * k}.get(operator, 0),
            "computes nothing from the image",
        ),
        "one α per position": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, M * H * W, k, G, H, W),
            "one set of α for all positions",
        ),
        "count the mixed kernel": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, M * k * k, k, G, H, W),
            "The mixed kernel follows",
        ),
        "forget the positions": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, M, k, G, 1, 1),
            "one output pixel",
        ),
        "forget the groups": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, M, k, 1, H, W),
            "groups of channels has its own",
        ),
        "forget that a place has two coordinates": (
            lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(
                operator, k * k * G * H * W
            ),
            "two coordinates",
        ),
        "forget the mask": (
            lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(
                operator, 2 * k * k * G * H * W
            ),
            "the mask is missing",
        ),
        "count the mask and forget the place": (
            lambda operator, M, k, G, H, W: {
                "static": 0,
                "dynamic": M,
                "deformable": 2 * k * k * G * H * W,
            }.get(operator, k * k * G * H * W),
            "that is the mask",
        ),
        "take $k$ for 3": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, M, 3, G, H, W),
            "for k=5, G=1, 3 × 7 you say",
        ),
        "take $M$ for 4": (
            lambda operator, M, k, G, H, W: numbers_from_the_input(operator, 4, k, G, H, W),
            "dynamic: right for 4 experts; for 8 you say 4",
        ),
    },
    "11.4": {
        "give the places instead of the way there": (
            lambda kernel: sign_turning_offsets(kernel) + TAPS,
            "the way there from where the tap stands",
        ),
        "let two taps read one place": (
            lambda kernel: torch.stack(
                [
                    TAPS[kernel.flatten().tolist().index(-number)] - tap
                    for number, tap in zip(kernel.flatten().tolist(), TAPS)
                ]
            ),
            "pair them one to one",
        ),
        "swap the pairs": (lambda kernel: sign_turning_offsets(kernel).flip(1), "wrong way round"),
        "exchange left and right whatever the kernel": (
            lambda kernel: -2 * TAPS * torch.tensor([0, 1]),
            "transposed: left and right change places",
        ),
        "turn by 180° whatever the kernel": (lambda kernel: -2 * TAPS, "other side of the centre"),
    },
}

OTHERS = {
    "11.1": [
        (lambda k, d: torch.zeros(2 * k * k), "differs from the dilated convolution"),
        (lambda k, d: torch.zeros(1, 2 * k * k, 1, 1), r"\(18,\) is wanted"),
    ],
    "11.2": [
        (lambda offset: to_torchvision(offset.flip(3)), "differs from DCNv3"),
        (lambda offset: to_torchvision(offset)[0], r"\(2, 54, 4, 5\) is wanted"),
        (three_by_three, r"\(3, 100, 5, 4\) is wanted"),
        (lambda offset: to_torchvision(offset if len(offset) == 2 else -offset), "differs from"),
    ],
    "11.3": [
        (lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(operator, 7), "you say 7"),
        (lambda operator, M, k, G, H, W: 0.5, "whole number"),
    ],
    "11.4": [
        (lambda kernel: torch.zeros(9, 2), "nothing has changed"),
        (lambda kernel: torch.ones(9, 2), "differs from the convolution with the opposite"),
        (lambda kernel: sign_turning_offsets(kernel).view(3, 3, 2), r"\(9, 2\) is wanted"),
    ],
}

# Unusual, and right.
RIGHT = {
    "11.1": [
        lambda k, d: [
            (d - 1) * (tap - k // 2)
            for row in range(k)
            for column in range(k)
            for tap in (row, column)
        ]
    ],
    "11.2": [tap_by_tap],
    # a tap whose number is zero may read anywhere
    "11.4": [lambda kernel: sign_turning_offsets(kernel) + 0.3 * (kernel.flatten() == 0)[:, None]],
}
