"""Solutions for chapter 3, Parameters are not FLOPs."""

import torch
from torch import nn


def parameter_ratio(cin, cout, k, num_experts):
    """$M$ kernels, and a Linear with $M (C_{in} + 1)$ numbers, over one
    kernel.
    """
    kernel = cout * cin * k * k
    return num_experts + num_experts * (cin + 1) / kernel


def what_becomes_of_the_ratio():
    """$R_{FLOPs}$ is $1 + M/L$ and a crumb. Only what changes M or the
    positions of the output moves it; the batch multiplies everything
    alike.
    """
    return {
        "map twice as wide and high": "nearer to 1",
        "8 experts instead of 4": "farther from 1",
        "batch twice as large": "unchanged",
        "stride 2 instead of 1": "farther from 1",
    }


def flop_ratio(cin, cout, k, num_experts, side):
    """For 128→256 with $k = 3$ and $M = 4$, mixing adds $4/L$. That
    exceeds a tenth when $L$ is below 40, so from side 6 down ($L = 36$,
    11 % extra).
    """
    kernel, positions = cout * cin * k * k, side * side
    convolution = kernel * positions
    mixing, routing = kernel * num_experts, cin * num_experts
    return (convolution + mixing + routing) / convolution


def multiply_adds(model, x):
    """Two faults. It took the positions of the input, which are those
    of the output only with stride 1 and padding. And it kept its
    counts on the layers, and its hooks too, so that a second call
    found what the first one had left: a right number, three times.
    """
    total = 0

    def count(module, inputs, output):
        nonlocal total
        total += output[0, 0].numel() * module.weight.numel()

    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    handles = [conv.register_forward_hook(count) for conv in convs]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return total


def what_the_clock_says():
    """Only the first statement is about what was measured, where it was
    measured. The others go from a count to a time, from one machine to
    another, or from a printed number to the work.
    """
    return {
        "A is slower than its static control": "follows",
        "B is slow because of its FLOPs": "does not follow",
        "on a phone B takes as much longer": "does not follow",
        "B does less work than its static control": "does not follow",
    }


def count_dynamic(layer, x, y):
    """Convolution, mixing and routing, once for each sample of the
    batch. With groups the kernel is smaller, and
    `layer.weight[0].numel()` knows it.
    """
    kernel = layer.weight[0].numel()  # Cout · Cin/groups · k · k
    convolution = kernel * y[0, 0].numel()
    mixing = kernel * layer.num_experts
    routing = layer.in_features * layer.num_experts
    return len(x) * (convolution + mixing + routing)
