"""Checkers for chapter 6, Two models, counted."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import Wrong, against, attempted, call, choose, near, number, reject, said
from .watching import flops


def classes(answer) -> str:
    """6.1: `classes(parameters, with_one_class, per_class)`: the number of classes, or None if none
    fits."""
    counts, given = (25, 2, 1, 12), []
    for expected, per_class in zip(counts, (390, 390, 390, 511)):
        parameters = 1000 + per_class * (expected - 1)
        given.append(call(answer, parameters, 1000, per_class, may_be_none=True))
        if given[-1] is None:
            continue
        got = number(given[-1])
        if got == expected - 1:
            raise Wrong("that is how many more; the model with one class has one already.")
        if not near(got, expected):
            raise Wrong(
                f"1000 + {per_class} · {expected - 1} parameters, 1000 with one class, {per_class}"
                f" for each further one: the number of classes is {against(expected, got)}."
            )
    if given == [None] * len(counts):
        attempted(None)
    if None in given:
        missed = counts[given.index(None)]
        raise Wrong(
            f"for the count of a model with {missed} class{'es' * (missed > 1)} you say"
            " None. That is for counts that no number of classes explains."
        )
    for parameters, reason in (
        (1000 + 390 * 7 + 1, "is not 1000 plus a whole number of times 390"),
        (1000 - 390, "is less than with one class, and a detector has at least one"),
        (1000 - 2 * 390, "is less than with one class, and a detector has at least one"),
    ):
        got = call(answer, parameters, 1000, 390, may_be_none=True)
        if got is not None:
            raise Wrong(f"{parameters} {reason}: None is wanted, you say {said(got)}.")
    return "right: a number that fits no class count says that something else differs."


def at_half_the_side(answer) -> str:
    """6.2: `at_half_the_side`: what the counts of YAML 1 become with images of half the side."""
    positions = "half the side is a quarter of the positions, and each costs what it did."
    choose(
        answer,
        {
            "parameters": (
                "the same",
                {
                    "about a quarter": "a kernel does not know on how many positions it is used.",
                    "about four times": "nothing is added to the network.",
                },
            ),
            "true GFLOPs": (
                "about a quarter",
                {
                    "the same": f"only the mixing stays: {positions}",
                    "about four times": f"smaller images are less work: {positions}",
                },
            ),
            "printed GFLOPs": (
                "about a quarter",
                {
                    "the same": f"the profiler does see the static layers: {positions}",
                    "about four times": f"smaller images are less work: {positions}",
                },
            ),
            "share of the mixing": (
                "about four times",
                {
                    "the same": "the mixing stays what it is, and what it is a share of does not.",
                    "about a quarter": "it is a share of less: the mixing itself stays.",
                },
            ),
        },
    )
    return "right: positions count for all but the kernels."


def scdown_parameters(answer) -> str:
    """6.3: `scdown_parameters(c1, c2, k)`."""
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
            "there are two BatchNorms, one behind each convolution, with two numbers per channel"
            " each.": pointwise + depthwise + 2 * c2,
            "the convolutions have no bias.": expected + 2 * c2,
            "the running mean and variance of a BatchNorm are no parameters: nobody trains them.": [
                expected + 4 * c2,
                expected + 4 * c2 + 2,
            ],
            "each channel has a k × k kernel of its own.": [
                pointwise + c2 * k + norms,
                pointwise + k * k + norms,
            ],
            "the first convolution has changed the channels already: the second works on c2 of"
            " them.": [pointwise + c1 * k * k + more for more in (norms, 4 * c1, 2 * c1 + 2 * c2)],
            "the channels change in the first convolution, so both BatchNorms have c2 of them.": (
                expected + 2 * c1 - 2 * c2 if c1 != c2 else []
            ),
        }
        reject(got, mistakes)
        raise Wrong(
            f"for c1={c1}, c2={c2}, k={k} the parameters of the block are {against(expected, got)}."
        )
    return "right: a small fraction of the full convolution that YAML 2 puts in its place."


def what_the_line_says(answer) -> str:
    """6.4: `what_the_line_says`: which statements follow from the counts of a model."""
    choose(
        answer,
        {
            "A is not the network of the post": (
                "follows",
                {
                    "does not follow": "the same rows with the same number of classes have the same"
                    " parameters. Something differs."
                },
            ),
            "B is the network of the post": (
                "does not follow",
                {
                    "follows": "a count does not see everything: a shortcut has no parameter, as"
                    " chapter 5 has it."
                },
            ),
            "B needs less arithmetic than stock": (
                "does not follow",
                {"follows": "printed is what the profiler sees, and it does not see all of B."},
            ),
            "A trains in less memory than B": (
                "does not follow",
                {
                    "follows": "memory in training goes with the maps that are kept. Parameters are"
                    " one of several parts of it."
                },
            ),
        },
    )
    return "right: a count can refute. To confirm, it needs help."


def extra_multiply_adds(answer) -> str:
    """6.5: `extra_multiply_adds(cin, cout, k, num_experts)`."""
    for cin, cout, k, experts in [(16, 32, 3, 4), (64, 128, 3, 3), (8, 8, 1, 8)]:
        x, kernel = torch.zeros(1, cin, 6, 6), cout * cin * k * k
        static = flops(nn.Conv2d(cin, cout, k, padding=k // 2, bias=False), x)
        expected = (flops(DynamicConv(cin, cout, k, num_experts=experts), x) - static) // 2
        got = number(call(answer, cin, cout, k, experts))
        if near(got, expected):
            continue
        mistakes = {
            "that is in FLOPs; a multiply-add is two of them.": 2 * expected,
            "the mixing is right; the router's Linear comes on top.": experts * kernel,
            "the mixing is missing: M multiply-adds for each number of the kernel.": cin * experts,
            "the bias of the router is added, which is no multiply-add. Routing is Cin · M.": (
                expected + experts
            ),
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
