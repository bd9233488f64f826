"""Checkers for chapter 6, Two models, counted."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..layers import DynamicConv
from ._checking import Wrong, call, number


def classes(answer) -> str:
    """6.1: `classes(parameters, with_one_class, per_class)`: the number of classes, or None if none
    fits.
    """
    for expected in (25, 2, 1):
        got = number(call(answer, 1000 + 390 * (expected - 1), 1000, 390))
        if got == expected - 1:
            raise Wrong("that is how many more; the model with one class has one already.")
        if got != expected:
            raise Wrong(
                f"390 per class and 390 · {expected - 1} more than with one class are {expected}"
                f" classes, you say {got:g}."
            )
    for parameters in (1000 + 390 * 7 + 1, 1000 - 390):
        got = answer(parameters, 1000, 390)
        if got is not None:
            raise Wrong(
                f"{parameters} is not 1000 plus a whole number of times 390: no number of classes"
                " fits, return None."
            )
    return "right: and two models that give the same number are better evidence than one."


def scdown_parameters(answer) -> str:
    """6.2: `scdown_parameters(c1, c2, k)`."""
    for c1, c2, k in [(64, 128, 3), (128, 128, 3), (16, 24, 5)]:
        pointwise, depthwise, norms = c1 * c2, c2 * k * k, 4 * c2
        got = number(call(answer, c1, c2, k))
        if got == pointwise + c2 * c2 * k * k + norms:
            raise Wrong(
                "the second convolution stays within each channel: its kernels have one input"
                " channel."
            )
        if got == pointwise + depthwise:
            raise Wrong("the two BatchNorms are missing: two numbers per channel each.")
        if got == pointwise + depthwise + 2 * c2:
            raise Wrong("there are two BatchNorms, one behind each convolution.")
        if c1 != c2 and got in (pointwise + c1 * k * k + norms, pointwise + c1 * k * k + 4 * c1):
            raise Wrong(
                "the first convolution has changed the channels already: the second works on c2 of"
                " them."
            )
        if got != pointwise + depthwise + norms:
            raise Wrong(
                f"for c1={c1}, c2={c2}, k={k} the block has {pointwise + depthwise + norms}"
                f" parameters, you say {got:g}."
            )
    return "right: a small fraction of the full convolution that YAML 2 puts in its place."


def extra_multiply_adds(answer) -> str:
    """6.3: `extra_multiply_adds(cin, cout, k, num_experts)`."""
    for cin, cout, k, experts in [(16, 32, 3, 4), (64, 128, 3, 2), (8, 8, 1, 8)]:
        counts = []
        for layer in (
            nn.Conv2d(cin, cout, k, padding=k // 2, bias=False),
            DynamicConv(cin, cout, k, num_experts=experts),
        ):
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                layer(torch.zeros(1, cin, 6, 6))
            counts.append(counter.get_total_flops() // 2)
        kernel, expected = cout * cin * k * k, counts[1] - counts[0]
        got = number(call(answer, cin, cout, k, experts))
        if got == 2 * expected:
            raise Wrong("that is in FLOPs; a multiply-add is two of them.")
        if got == experts * kernel:
            raise Wrong("the mixing is right; the router's Linear comes on top.")
        if got in ((experts - 1) * kernel, (experts - 1) * kernel + cin * experts):
            raise Wrong(
                "mixing touches every number of every expert: M per kernel number, not M − 1."
            )
        if got != expected:
            raise Wrong(
                f"for {cin}→{cout}, k={k}, M={experts} PyTorch counts {expected} more, you say"
                f" {got:g}."
            )
    return "right: no map in it, so the larger the image, the smaller its share."


EXERCISES = {"6.1": classes, "6.2": scdown_parameters, "6.3": extra_multiply_adds}
