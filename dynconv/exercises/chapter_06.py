"""Checkers for chapter 6, Two models, counted."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import Wrong, against, call, flops, near, number, reject, said


def classes(answer) -> str:
    """6.1: `classes(parameters, with_one_class, per_class)`: the number of classes, or None if none
    fits."""
    for expected in (25, 2, 1):
        got = number(call(answer, 1000 + 390 * (expected - 1), 1000, 390))
        if got == expected - 1:
            raise Wrong("that is how many more; the model with one class has one already.")
        if not near(got, expected):
            raise Wrong(
                f"1000 + 390 · {expected - 1} parameters, 1000 with one class, 390 for each"
                f" further one: the number of classes is {against(expected, got)}."
            )
    for parameters, reason in (
        (1000 + 390 * 7 + 1, "is not 1000 plus a whole number of times 390"),
        (1000 - 390, "is less than with one class, and a detector has at least one"),
    ):
        got = call(answer, parameters, 1000, 390, may_be_none=True)
        if got is not None:
            raise Wrong(f"{parameters} {reason}: None is wanted, you say {said(got)}.")
    return "right: a number that fits no class count says that something else differs."


def scdown_parameters(answer) -> str:
    """6.2: `scdown_parameters(c1, c2, k)`."""
    for c1, c2, k in [(64, 128, 3), (128, 128, 3), (16, 24, 5)]:
        pointwise, depthwise, norms = c1 * c2, c2 * k * k, 4 * c2
        expected = pointwise + depthwise + norms
        got = number(call(answer, c1, c2, k))
        if near(got, expected):
            continue
        mistakes = {
            "the second convolution stays within each channel: its kernels have one input"
            " channel.": pointwise + c2 * c2 * k * k + norms,
            "the two BatchNorms are missing: two numbers per channel each.": pointwise + depthwise,
            "there are two BatchNorms, one behind each convolution.": pointwise
            + depthwise
            + 2 * c2,
            "the first convolution has changed the channels already: the second works on c2 of"
            " them.": [pointwise + c1 * k * k + norms, pointwise + c1 * k * k + 4 * c1],
        }
        reject(got, mistakes)
        raise Wrong(
            f"for c1={c1}, c2={c2}, k={k} the parameters of the block are {against(expected, got)}."
        )
    return "right: a small fraction of the full convolution that YAML 2 puts in its place."


def extra_multiply_adds(answer) -> str:
    """6.3: `extra_multiply_adds(cin, cout, k, num_experts)`."""
    for cin, cout, k, experts in [(16, 32, 3, 4), (64, 128, 3, 2), (8, 8, 1, 8)]:
        x, kernel = torch.zeros(1, cin, 6, 6), cout * cin * k * k
        static = flops(nn.Conv2d(cin, cout, k, padding=k // 2, bias=False), x)
        expected = (flops(DynamicConv(cin, cout, k, num_experts=experts), x) - static) // 2
        got = number(call(answer, cin, cout, k, experts))
        if near(got, expected):
            continue
        mistakes = {
            "that is in FLOPs; a multiply-add is two of them.": 2 * expected,
            "the mixing is right; the router's Linear comes on top.": experts * kernel,
            "mixing touches every number of every expert: M per kernel number, not M − 1.": [
                (experts - 1) * kernel,
                (experts - 1) * kernel + cin * experts,
            ],
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {cin}→{cout}, k={k}, M={experts} PyTorch counts this many more:"
            f" {against(expected, got)}."
        )
    return "right: no map in it, so the larger the image, the smaller its share."
