"""Checkers for chapter 3, Parameters are not FLOPs."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import Wrong, against, call, near, number, reject
from .watching import flops, in_short

LAYERS = [(5, 7, 3, 4), (24, 48, 5, 8), (64, 64, 1, 2)]  # Cin, Cout, k, M; a small one first


def parameter_ratio(answer) -> str:
    """3.1: `parameter_ratio(cin, cout, k, num_experts)`: parameters of DynamicConv over those of a
    bias-free Conv2d."""
    for cin, cout, k, experts in LAYERS:
        layer = DynamicConv(cin, cout, k, num_experts=experts)
        static, dynamic = cout * cin * k * k, sum(p.numel() for p in layer.parameters())
        got = number(call(answer, cin, cout, k, experts))
        if near(got, dynamic / static):
            continue
        mistakes = {
            "M is what the experts alone give. The router has parameters too, and `//` would cut"
            " them off.": experts,
            "almost: the router's Linear also has a bias, one per expert.": (
                experts + experts * cin / static
            ),
            "that is the number of parameters; divide it by that of the static layer.": dynamic,
            "the wrong way round: DynamicConv over the static layer.": static / dynamic,
            "the static layer has no bias here.": dynamic / (static + cout),
            "a DynamicConv has no bias, unless one asks for it.": (
                (dynamic + experts * cout) / static
            ),
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {cin}→{cout}, k={k}, M={experts} the layers themselves say {dynamic}/{static},"
            f" that is {against(dynamic / static, got)}."
        )
    return "right: M, and a little for the router."


def flop_ratio(answer) -> str:
    """3.2: `flop_ratio(cin, cout, k, num_experts, side)`: multiply-adds of DynamicConv over those
    of the static layer."""
    for (cin, cout, k, experts), side in zip(LAYERS, (7, 5, 8)):
        x = torch.zeros(1, cin, side, side)
        static = flops(nn.Conv2d(cin, cout, k, padding=k // 2, bias=False), x)
        dynamic = flops(DynamicConv(cin, cout, k, num_experts=experts), x)
        got, kernel = number(call(answer, cin, cout, k, experts, side)), cout * cin * k * k
        if near(got, dynamic / static):
            continue
        mistakes = {
            "M is what the M convolutions of the formula would cost. We mix first and convolve"
            " once.": experts,
            "there are side · side output positions, not side.": [
                1 + experts / side,
                1 + experts / side + experts * cin / (kernel * side),
            ],
            "convolution and mixing are right; the router's Linear is missing: Cin · M"
            " multiply-adds.": 1 + experts / side**2,
            "convolution and routing are right; the mixing is missing: M multiply-adds for each"
            " number of the kernel.": 1 + experts * cin / (kernel * side**2),
            "the bias of the router is added, which is no multiply-add. Routing is Cin · M.": (
                dynamic / static + experts / (kernel * side**2)
            ),
            "that is what comes on top. The ratio has the convolution in it, too.": (
                dynamic / static - 1
            ),
            "the wrong way round: DynamicConv over the static layer.": static / dynamic,
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {cin}→{cout}, k={k}, M={experts} on {side}×{side} PyTorch counts"
            f" {dynamic}/{static}, that is {against(dynamic / static, got)}. The kernel has"
            f" {kernel} elements."
        )
    return "right: equal to PyTorch's own counter."


def count_dynamic(answer) -> str:
    """3.3: `count_dynamic(layer, x, y)`: the missing rule, in multiply-adds for the whole batch."""
    for layer, (H, W), batch in [
        (DynamicConv(4, 6, 3, stride=2, num_experts=3), (9, 7), 1),
        (DynamicConv(8, 8, 3, groups=4), (6, 5), 3),
        (DynamicConv(4, 6, 1, num_experts=2), (5, 8), 2),
    ]:
        x = torch.zeros(batch, layer.in_features, H, W)
        with torch.no_grad():
            y = layer(x)
        got, expected = number(call(answer, layer, x, y)), flops(layer, x) // 2
        if near(got, expected):
            continue
        kernel, positions, M = layer.weight[0].numel(), y[0, 0].numel(), layer.num_experts
        convolution, mixing, routing = kernel * positions, kernel * M, layer.in_features * M
        too_large = (layer.groups - 1) * kernel  # what a kernel has more without groups
        mistakes = {
            "that is in FLOPs; the rule is asked for in multiply-adds, and one multiply-add is two"
            " FLOPs.": 2 * expected,
            "the convolution is right. Add the mixing, M per kernel element, and the router's"
            " Cin · M.": batch * convolution,
            "convolution and routing are right. Mixing is missing, M per kernel element.": (
                batch * (convolution + routing)
            ),
            "convolution and mixing are right. The router's Cin · M is missing.": (
                batch * (convolution + mixing)
            ),
            "the bias of the router is added, which is no multiply-add. Routing is Cin · M.": (
                expected + batch * M
            ),
            "the positions are those of the output `y`, not of `x`.": (
                batch * (kernel * x[0, 0].numel() + mixing + routing)
            ),
            "one mixed kernel convolves, not each of the M experts.": [
                batch * (M * convolution + more) for more in (0, routing, mixing + routing)
            ],
            "groups: each output channel sees only Cin / groups channels, so the kernel is"
            " smaller.": (
                [expected + batch * too_large * more for more in (positions, positions + M)]
                if layer.groups > 1
                else []
            ),
            "that is the cost of one sample; every sample of the batch has its own kernel and"
            " convolution.": expected // batch,
            "the convolutions are right. Each image pays for its own mixing and routing, too.": (
                batch * convolution + mixing + routing
            ),
            "y.numel() has the output channels in it, and so has the kernel: count them once.": (
                y.numel() * kernel + batch * (mixing + routing)
            ),
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {in_short(layer)} on {tuple(x.shape)} PyTorch counts {against(expected, got)}"
            " multiply-adds."
        )
    return "right: with this rule the profiler sees the layer."
