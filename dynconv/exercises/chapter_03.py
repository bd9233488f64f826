"""Checkers for chapter 3, Parameters are not FLOPs."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import Wrong, against, call, flops, in_short, near, number, reject

LAYERS = [(16, 32, 3, 4), (24, 48, 5, 8), (64, 64, 1, 2)]  # Cin, Cout, k, M


def parameter_ratio(answer) -> str:
    """3.1: `parameter_ratio(cin, cout, k, num_experts)`: parameters of DynamicConv over those of a
    bias-free Conv2d."""
    for cin, cout, k, experts in LAYERS:
        layer = DynamicConv(cin, cout, k, num_experts=experts)
        static, dynamic = cout * cin * k * k, sum(p.numel() for p in layer.parameters())
        got = number(call(answer, cin, cout, k, experts))
        mistakes = {
            "the experts alone give M. The router has parameters too.": experts,
            "almost: the router's Linear also has a bias, one per expert.": (
                experts + experts * cin / static
            ),
            "that is the number of parameters; divide it by that of the static layer.": dynamic,
        }
        reject(got, mistakes)
        if not near(got, dynamic / static):
            raise Wrong(
                f"for {cin}→{cout}, k={k}, M={experts} the layers themselves say"
                f" {dynamic}/{static}, that is {against(dynamic / static, got)}."
            )
    return "right: M, and a little for the router."


def flop_ratio(answer) -> str:
    """3.2: `flop_ratio(cin, cout, k, num_experts, side)`: multiply-adds of DynamicConv over those
    of the static layer."""
    for (cin, cout, k, experts), side in zip(LAYERS, (20, 5, 8)):
        x = torch.zeros(1, cin, side, side)
        static = flops(nn.Conv2d(cin, cout, k, padding=k // 2, bias=False), x)
        dynamic = flops(DynamicConv(cin, cout, k, num_experts=experts), x)
        got, kernel = number(call(answer, cin, cout, k, experts, side)), cout * cin * k * k
        mistakes = {
            "M is what the M convolutions of the formula would cost. We mix first and convolve"
            " once.": experts,
            "there are side · side output positions, not side.": [
                1 + experts / side,
                1 + experts / side + experts * cin / (kernel * side),
            ],
            "convolution and mixing are right; the router's Linear is missing: Cin · M"
            " multiply-adds.": 1 + experts / side**2,
        }
        reject(got, mistakes)
        if not near(got, dynamic / static):
            raise Wrong(
                f"for {cin}→{cout}, k={k}, M={experts} on {side}×{side} PyTorch counts"
                f" {dynamic}/{static}, that is {against(dynamic / static, got)}. The kernel has"
                f" {kernel} elements."
            )
    return "right: equal to PyTorch's own counter."


def count_dynamic(answer) -> str:
    """3.3: `count_dynamic(layer, x, y)`: the missing rule, in multiply-adds for the whole batch."""
    for layer, size, batch in [
        (DynamicConv(4, 6, 3, 2), 9, 1),
        (DynamicConv(8, 8, 3, groups=4), 6, 3),
        (DynamicConv(4, 6, 1), 5, 2),
    ]:
        x = torch.zeros(batch, layer.in_features, size, size)
        with torch.no_grad():
            y = layer(x)
        got, expected = number(call(answer, layer, x, y)), flops(layer, x) // 2
        if near(got, expected):
            continue
        kernel, positions = layer.weight[0].numel(), y[0, 0].numel()
        beyond_groups = (positions + layer.num_experts) * (layer.groups - 1) * kernel
        mistakes = {
            "that is in FLOPs; the rule is asked for in multiply-adds, and one multiply-add is two"
            " FLOPs.": 2 * expected,
            "the convolution is right. Add the mixing, M per kernel element, and the router's"
            " Cin · M.": positions * kernel if batch == 1 else [],
            "groups: each output channel sees only Cin / groups channels, so the kernel is"
            " smaller.": expected + batch * beyond_groups if layer.groups > 1 else [],
            "that is the cost of one sample; every sample of the batch has its own kernel and"
            " convolution.": expected // batch,
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {in_short(layer)} on {tuple(x.shape)} PyTorch counts {against(expected, got)}"
            " multiply-adds."
        )
    return "right: with this rule the profiler sees the layer."
