"""Checkers for chapter 3, Parameters are not FLOPs."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import Wrong, against, call, choose, near, number, readers_code, reject
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


def what_becomes_of_the_ratio(answer) -> str:
    """3.2: `what_becomes_of_the_ratio`: where R_FLOPs goes when the layer or its input changes."""
    positions = "the convolution is paid at every position, the mixing once per image."
    batch = "each image of the batch pays for its own convolution and its own mixing."
    choose(
        answer,
        {
            "map twice as wide and high": (
                "nearer to 1",
                {"unchanged": positions, "farther from 1": f"more positions share it: {positions}"},
            ),
            "8 experts instead of 4": (
                "farther from 1",
                {
                    "nearer to 1": "M stands above the line: more experts are more to mix.",
                    "unchanged": "the parameters are not the only thing that grows with M.",
                },
            ),
            "batch twice as large": (
                "unchanged",
                dict.fromkeys(("nearer to 1", "farther from 1"), batch),
            ),
            "stride 2 instead of 1": (
                "farther from 1",
                {
                    "nearer to 1": f"a stride leaves fewer positions in the output: {positions}",
                    "unchanged": "L counts the positions of the output, and a stride skips some.",
                },
            ),
        },
    )
    return "right: all of it is in M / L."


def flop_ratio(answer) -> str:
    """3.3: `flop_ratio(cin, cout, k, num_experts, side)`: multiply-adds of DynamicConv over those
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


def multiply_adds(answer) -> str:
    """3.4: `multiply_adds(model, x)`, a profiler with rules for nn.Conv2d, repaired."""
    torch.manual_seed(0)
    plain, strided = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, groups=2)
    models = {
        "one convolution": plain,
        "one with stride 2 and two groups": strided,
        "three convolutions and a ReLU": nn.Sequential(
            plain, nn.ReLU(), strided, nn.Conv2d(6, 2, 1)
        ),
    }
    for name, model in models.items():
        first = model if isinstance(model, nn.Conv2d) else model[0]
        x = torch.randn(3, first.in_channels, 9, 8)
        wanted = flops(model, x) // 2 // len(x)  # of one image
        with readers_code(answer):
            twice = [number(answer(model, x)) for _ in range(2)]
        left = [hook for each in model.modules() for hook in each._forward_hooks]
        for each in model.modules():
            each._forward_hooks.clear()
        where = f"for {name}"
        if not near(twice[0], wanted):
            reject(
                twice[0],
                {
                    "you count where the kernel comes from; a kernel is applied once for each"
                    " position of the output.": _by_inputs(model, x),
                    "that is the whole batch; count one image.": wanted * len(x),
                    "a multiply-add is one multiplication and one addition: count it once.": (
                        wanted * 2
                    ),
                },
                where=where,
            )
            raise Wrong(f"{where}: PyTorch counts {against(wanted, twice[0])}.")
        if not near(twice[1], wanted):
            raise Wrong(
                f"{where}: the first call is right, and the second one says {twice[1]}. What did"
                " the first one leave on the model?"
            )
        if left:
            raise Wrong(f"{where}: the numbers are right, but {len(left)} hooks stay on the model.")
    return "right: and a profiler leaves the model as it was."


def _by_inputs(model: nn.Module, x: torch.Tensor) -> int:
    """What is counted with the positions of the inputs in the place of those of the outputs."""
    total = 0
    for layer in model if isinstance(model, nn.Sequential) else [model]:
        if isinstance(layer, nn.Conv2d):
            total += x[0, 0].numel() * layer.weight.numel()
        x = layer(x)
    return total


def what_the_clock_says(answer) -> str:
    """3.5: `what_the_clock_says`: which statements follow from a table of ratios."""
    choose(
        answer,
        {
            "A is slower than its static control": (
                "follows",
                {"does not follow": "all of the repetitions lie above one: on that machine it is."},
            ),
            "B is slow because of its FLOPs": (
                "does not follow",
                {
                    "follows": "16 % more arithmetic does not make it take three times as long."
                    " Something that FLOPs do not count must."
                },
            ),
            "on a phone B takes as much longer": (
                "does not follow",
                {
                    "follows": "the time was measured on one machine. What it is bound by, memory"
                    " or arithmetic, is another matter on another."
                },
            ),
            "B does less work than its static control": (
                "does not follow",
                {
                    "follows": "the printed number fell since the profiler does not see the"
                    " convolution. The true one rose."
                },
            ),
        },
    )
    return "right: FLOPs, printed FLOPs and time are three things."


def count_dynamic(answer) -> str:
    """3.6: `count_dynamic(layer, x, y)`: the missing rule, in multiply-adds for the whole batch."""
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
