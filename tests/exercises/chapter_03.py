"""Typical mistakes in the exercises of chapter 3, each with the hint that it must meet."""

from functools import partial

import torch
from solutions.chapter_03 import count_dynamic, multiply_adds
from torch import nn

from dynconv import DynamicConv


def kernel_size(cin, cout, k):
    return cout * cin * k * k


def profile(model, x, remove=True, of_input=False, on_modules=True):
    """The profiler of 3.4 with some of its faults left in."""
    total, convs = 0, [m for m in model.modules() if isinstance(m, nn.Conv2d)]

    def count(module, inputs, output):
        nonlocal total
        counted = (inputs[0] if of_input else output)[0, 0].numel() * module.weight.numel()
        module.counted = getattr(module, "counted", 0) + counted
        total += counted

    handles = [conv.register_forward_hook(count) for conv in convs]
    with torch.no_grad():
        model(x)
    for handle in handles if remove else ():
        handle.remove()
    return sum(conv.counted for conv in convs) if on_modules else total


MISTAKES = {
    "3.1": {
        "count the experts and forget the router": (
            lambda cin, cout, k, m: m,
            "router has parameters",
        ),
        "forget the router's bias": (
            lambda cin, cout, k, m: m + m * cin / kernel_size(cin, cout, k),
            "bias",
        ),
        "divide without rest": (
            lambda cin, cout, k, m: (
                m * (kernel_size(cin, cout, k) + cin + 1) // kernel_size(cin, cout, k)
            ),
            "`//` would cut",
        ),
        "turn the ratio round": (
            lambda cin, cout, k, m: 1 / (m + m * (cin + 1) / kernel_size(cin, cout, k)),
            "wrong way round",
        ),
        "give the static layer a bias": (
            lambda cin, cout, k, m: (
                m * (kernel_size(cin, cout, k) + cin + 1) / (kernel_size(cin, cout, k) + cout)
            ),
            "has no bias here",
        ),
        "give the number of parameters, not the ratio": (
            lambda cin, cout, k, m: float(m * kernel_size(cin, cout, k) + m * (cin + 1)),
            "divide it",
        ),
    },
    "3.2": {
        "take more positions for more mixing": (
            {"map twice as wide and high": "farther from 1"},
            "more positions share it",
        ),
        "think that only parameters grow with M": (
            {"8 experts instead of 4": "unchanged"},
            "not the only thing",
        ),
        "think that a batch shares its mixing": (
            {"batch twice as large": "nearer to 1"},
            "its own mixing",
        ),
        "count the positions of the input": (
            {"stride 2 instead of 1": "unchanged"},
            "positions of the output",
        ),
    },
    "3.3": {
        "answer $M$, the cost of the literal formula": (
            lambda cin, cout, k, m, side: m,
            "mix first",
        ),
        "use the side for the area": (lambda cin, cout, k, m, side: 1 + m / side, "not side"),
        "forget the router": (lambda cin, cout, k, m, side: 1 + m / side**2, "Linear is missing"),
        "forget the mixing": (
            lambda cin, cout, k, m, side: 1 + m / (cout * k * k * side**2),
            "mixing is missing",
        ),
        "count the router's bias": (
            lambda cin, cout, k, m, side: (
                1 + m / side**2 + m * (cin + 1) / (kernel_size(cin, cout, k) * side**2)
            ),
            "which is no multiply-add",
        ),
        "leave the convolution out of the sum": (
            lambda cin, cout, k, m, side: m / side**2 + m / (cout * k * k * side**2),
            "on top",
        ),
        "use the side for the area, with the router": (
            lambda cin, cout, k, m, side: 1 + (m + m * cin / kernel_size(cin, cout, k)) / side,
            "not side",
        ),
    },
    "3.4": {
        "mend the positions and nothing else": (
            partial(profile, remove=False),
            "What did the first one leave",
        ),
        "remove the hooks and keep the counts on the layers": (
            profile,
            "What did the first one leave",
        ),
        "mend all but the positions": (
            partial(profile, of_input=True, on_modules=False),
            "position of the output",
        ),
        "count the whole batch": (
            lambda model, x: multiply_adds(model, x) * len(x),
            "count one image",
        ),
        "count multiplications and additions": (
            lambda model, x: 2 * multiply_adds(model, x),
            "count it once",
        ),
        "leave the hooks": (
            partial(profile, remove=False, on_modules=False),
            "hooks stay on the model",
        ),
    },
    "3.5": {
        "think that FLOPs are time": (
            {"B is slow because of its FLOPs": "follows"},
            "Something that FLOPs do not count",
        ),
        "carry a time to another machine": (
            {"on a phone B takes as much longer": "follows"},
            "measured on one machine",
        ),
        "believe what is printed": (
            {"B does less work than its static control": "follows"},
            "does not see the convolution",
        ),
        "believe no measurement": (
            {"A is slower than its static control": "does not follow"},
            "lie above one",
        ),
    },
    "3.6": {
        "count FLOPs for multiply-adds": (
            lambda layer, x, y: 2 * count_dynamic(layer, x, y),
            "one multiply-add is two",
        ),
        "count the convolution only": (
            lambda layer, x, y: y[0, 0].numel() * layer.weight[0].numel() * len(x),
            "Add the mixing",
        ),
        "forget groups": (
            lambda layer, x, y: (
                len(x)
                * (
                    (y[0, 0].numel() + layer.num_experts) * layer.weight[0].numel() * layer.groups
                    + layer.in_features * layer.num_experts
                )
            ),
            "groups",
        ),
        "take the positions of x": (lambda layer, x, y: count_dynamic(layer, x, x), "not of `x`"),
        "count the router's bias": (
            lambda layer, x, y: count_dynamic(layer, x, y) + len(x) * layer.num_experts,
            "which is no multiply-add",
        ),
        "mix once for the whole batch": (
            lambda layer, x, y: (
                len(x) * layer.weight[0].numel() * y[0, 0].numel()
                + layer.weight.numel()
                + layer.in_features * layer.num_experts
            ),
            "pays for its own mixing",
        ),
        "convolve with each expert": (
            lambda layer, x, y: len(x) * layer.weight.numel() * y[0, 0].numel(),
            "one mixed kernel convolves",
        ),
        "count one sample of the batch": (
            lambda layer, x, y: count_dynamic(layer, x[:1], y[:1]),
            "one sample",
        ),
    },
}

OTHERS = {
    "3.1": [(lambda cin, cout, k, m: 1 / m, "the layers themselves say")],
    "3.3": [(lambda cin, cout, k, m, side: 1.0, "PyTorch counts")],
    "3.6": [
        (lambda layer, x, y: 7, "you say 7"),
        # as if all maps were square
        (lambda layer, x, y: count_dynamic(layer, x, y @ y.mT), "you say"),
    ],
}

# Unusual, and right.
RIGHT = {
    "3.1": [
        lambda cin, cout, k, m: (
            sum(p.numel() for p in DynamicConv(cin, cout, k, num_experts=m).parameters())
            / nn.Conv2d(cin, cout, k, bias=False).weight.numel()
        )
    ],
    "3.6": [
        lambda layer, x, y: count_dynamic(layer, x, y) / 3 * 3.0000000000000004,
        lambda layer, x, y: (
            y.numel() * layer.weight[0, 0].numel()
            + len(x) * (layer.weight.numel() + layer.routing.weight.numel())
        ),
    ],
}
