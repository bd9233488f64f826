"""Checkers for chapter 3, Parameters are not FLOPs."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..layers import DynamicConv
from ._checking import Wrong, call, number

LAYERS = [(16, 32, 3, 4), (128, 256, 3, 8), (64, 64, 1, 2)]  # Cin, Cout, k, M


def parameter_ratio(answer) -> str:
    """3.1: `parameter_ratio(cin, cout, k, num_experts)`: parameters of DynamicConv over those of a
    bias-free Conv2d.
    """
    for cin, cout, k, experts in LAYERS:
        static = cout * cin * k * k
        dynamic = sum(
            p.numel() for p in DynamicConv(cin, cout, k, num_experts=experts).parameters()
        )
        got = number(call(answer, cin, cout, k, experts))
        if abs(got - experts) < 1e-9:
            raise Wrong("the experts alone give M. The router has parameters too.")
        if abs(got - (experts + experts * cin / static)) < 1e-9:
            raise Wrong("almost: the router's Linear also has a bias, one per expert.")
        if abs(got - dynamic) < 1e-9:
            raise Wrong("that is the number of parameters; divide it by that of the static layer.")
        if abs(got - dynamic / static) > 1e-9:
            raise Wrong(
                f"for {cin}→{cout}, k={k}, M={experts} the layers themselves say"
                f" {dynamic}/{static}, you say {got:.6g}."
            )
    return "right: M, and a little for the router."


def flop_ratio(answer) -> str:
    """3.2: `flop_ratio(cin, cout, k, num_experts, side)`: multiply-adds of DynamicConv over those
    of the static layer.
    """
    for (cin, cout, k, experts), side in zip(LAYERS, (20, 5, 8)):
        x = torch.zeros(1, cin, side, side)
        counts = []
        for layer in (
            nn.Conv2d(cin, cout, k, padding=k // 2, bias=False),
            DynamicConv(cin, cout, k, num_experts=experts),
        ):
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                layer(x)
            counts.append(counter.get_total_flops())
        got, kernel = number(call(answer, cin, cout, k, experts, side)), cout * cin * k * k
        if abs(got - experts) < 1e-9:
            raise Wrong(
                "M is what the M convolutions of the formula would cost. We mix first and convolve"
                " once."
            )
        if abs(got - (1 + experts / side)) < 1e-9:
            raise Wrong("there are side · side output positions, not side.")
        if abs(got - (1 + experts / side**2)) < 1e-9:
            raise Wrong(
                "convolution and mixing are right; the router's Linear is missing: Cin · M"
                " multiply-adds."
            )
        if abs(got - counts[1] / counts[0]) > 1e-9:
            raise Wrong(
                f"for {cin}→{cout}, k={k}, M={experts} on {side}×{side} PyTorch counts"
                f" {counts[1]}/{counts[0]}, you say {got:.6g}. The kernel has {kernel} elements."
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
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            y = layer(x)
        got, expected = number(call(answer, layer, x, y)), counter.get_total_flops() / 2
        kernel = layer.weight[0].numel()
        if got == counter.get_total_flops():
            raise Wrong(
                "that is in FLOPs; the rule is asked for in multiply-adds, and one multiply-add is"
                " two FLOPs."
            )
        if batch == 1 and got == y[0, 0].numel() * kernel:
            raise Wrong(
                "the convolution is right. Add the mixing, M per kernel element, and the router's"
                " Cin · M."
            )
        if (
            layer.groups > 1
            and got
            == expected
            + batch * (y[0, 0].numel() + layer.num_experts) * (layer.groups - 1) * kernel
        ):
            raise Wrong(
                "groups: each output channel sees only Cin / groups channels, so the kernel is"
                " smaller."
            )
        if batch > 1 and got * batch == expected:
            raise Wrong(
                "that is the cost of one sample; every sample of the batch has its own kernel and"
                " convolution."
            )
        if got != expected:
            raise Wrong(
                f"for {layer} on {tuple(x.shape)} PyTorch counts {expected:.0f} multiply-adds, you"
                f" say {got:.0f}."
            )
    return "right: with this rule the profiler sees the layer."


EXERCISES = {"3.1": parameter_ratio, "3.2": flop_ratio, "3.3": count_dynamic}
