"""Typical mistakes in the exercises of chapter 2, each with the hint that it must meet."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from dynconv import dynamic_conv2d


def swapped(layer, x, other, **forgotten):
    named = ("stride", "padding", "dilation", "groups")
    options = {name: getattr(layer, name) for name in named} | forgotten
    return dynamic_conv2d(x, layer.weight, layer.alpha(other), **options)


def slope(z):
    alpha = torch.softmax(z, 1)
    return alpha * (1 - alpha)


def tensor_itself(alpha, x):
    return alpha


MISTAKES = {
    "2.1": {
        "softmax instead of sigmoid": (
            lambda x, w, b: torch.softmax(x.mean((2, 3)) @ w.T + b, 1),
            "softmax",
        ),
        "stop at the logits": (lambda x, w, b: x.mean((2, 3)) @ w.T + b, "logits"),
        "sum the pixels instead of averaging them": (
            lambda x, w, b: torch.sigmoid(x.sum((2, 3)) @ w.T + b),
            "summed the pixels",
        ),
        "forget the bias": (lambda x, w, b: torch.sigmoid(x.mean((2, 3)) @ w.T), "bias"),
        "add the bias behind the sigmoid": (
            lambda x, w, b: torch.sigmoid(x.mean((2, 3)) @ w.T) + b,
            "before the sigmoid",
        ),
        "average over the batch": (
            lambda x, w, b: torch.sigmoid(x.mean((0, 2, 3)) @ w.T + b).expand(len(x), -1),
            "over the batch",
        ),
        "squash before averaging": (
            lambda x, w, b: torch.sigmoid(F.conv2d(x, w[:, :, None, None], b)).mean((2, 3)),
            "average first",
        ),
        "divide by the sum": (
            lambda x, w, b: F.normalize(torch.sigmoid(x.mean((2, 3)) @ w.T + b), p=1),
            "sum to one",
        ),
        "take the maximum instead of the mean": (
            lambda x, w, b: torch.sigmoid(x.amax((2, 3)) @ w.T + b),
            "max pooling",
        ),
    },
    "2.2": {
        "think that a softmax follows a common rise": (
            {"softmax, 1 added to all logits": "all larger"},
            "the sum stays one",
        ),
        "think that a sigmoid shares": (
            {"sigmoid, 1 added to all logits": "unchanged"},
            "one logit at a time",
        ),
        "turn the temperature the wrong way": (
            {"softmax, τ doubled": "less even"},
            "small τ is what sharpens",
        ),
        "take a factor for a summand": (
            {"softmax, logits doubled": "unchanged"},
            "only a number added to all",
        ),
    },
    "2.3": {
        "multiply by τ": (lambda z, t: slope(z / t) * t, "chain rule is not that one"),
        "write one τ into the code": (
            lambda z, t: slope(z / t) / (5 if t > 1 else 1),
            "right at τ = 1 only",
        ),
        "differentiate the sum of all α": (
            lambda z, t: torch.func.grad(lambda z: torch.softmax(z / t, 1).sum())(z),
            "always sum to one",
        ),
        "forget the factor 1/τ": (
            lambda z, t: torch.softmax(z / t, 1) * (1 - torch.softmax(z / t, 1)),
            "chain rule",
        ),
        "leave τ out of the softmax": (
            lambda z, t: torch.softmax(z, 1) * (1 - torch.softmax(z, 1)) / t,
            "inside the softmax",
        ),
        "use the sigmoid's slope": (
            lambda z, t: torch.sigmoid(z) * (1 - torch.sigmoid(z)),
            "sigmoid's slope",
        ),
        "differentiate only the numerator": (lambda z, t: torch.softmax(z / t, 1), "denominator"),
    },
    "2.4": {
        "compare with a layer that is not there": (
            {"A is better than any static kernel": "follows"},
            "no static kernel stands in the table",
        ),
        "take equal errors for equal α": (
            {"B has the same α for both lights": "follows"},
            "may differ all the same",
        ),
        "take any movement for learning": (
            {"C is evidence that routers learn": "follows"},
            "was never trained",
        ),
        "not believe the swap": (
            {"A depends on its α": "does not follow"},
            "only the α were exchanged",
        ),
    },
    "2.5": {
        "leave the router with its own image": (
            lambda layer, x, other: layer(x),
            "still looks at x",
        ),
        "swap the image as well": (lambda layer, x, other: layer(other), "image was swapped"),
        "average α over the batch": (
            lambda layer, x, other: dynamic_conv2d(
                x, layer.weight, layer.alpha(other).mean(0).expand(4, -1), padding=1
            ),
            "average α",
        ),
        "leave the foreign α in the layer": (
            lambda layer, x, other: (
                setattr(layer, "alpha", partial(tensor_itself, layer.alpha(other))) or layer(x)
            ),
            "afterwards the layer is not what it was",
        ),
        "forget the stride": (
            lambda layer, x, other: swapped(layer, x, other, stride=1),
            "a layer with stride=2 the result has shape",
        ),
        "forget the padding": (
            lambda layer, x, other: swapped(layer, x, other, padding=1),
            "a layer with padding=0 the result has shape",
        ),
        "forget the dilation": (
            lambda layer, x, other: swapped(layer, x, other, dilation=1),
            "a layer with dilation=2",
        ),
    },
    "2.6": {
        "compare with fewer parameters": (
            {"opponent": "static, one kernel"},
            "differs in two things",
        ),
        "take the swap test for a comparison": (
            {"opponent": "dynamic, α of another image"},
            "that is the swap test",
        ),
        "train the control until it fits": (
            {"its training": "until it is as good"},
            "fixed before the result",
        ),
        "run each once": ({"runs of each": "one"}, "one of starts"),
        "report the luckiest": ({"runs of each": "the best of several"}, "flatters"),
        "ask where there is nothing to see": (
            {"judged on": "new images by day"},
            "a static kernel is enough",
        ),
    },
}

OTHERS = {}

# Unusual, and right.
RIGHT = {
    "2.1": [
        lambda x, w, b: 1 / (1 + np.exp(-(x.numpy().mean((2, 3)) @ w.numpy().T + b.numpy()))),
        lambda x, w, b: F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), w, b).sigmoid(),
    ],
    "2.3": [
        lambda z, t: torch.stack(
            [torch.func.jacrev(lambda row: torch.softmax(row / t, 0))(row).diag() for row in z]
        )
    ],
    "2.5": [
        lambda layer, x, other: torch.cat(
            [
                F.conv2d(
                    one[None],
                    torch.tensordot(alpha, layer.weight, 1),
                    None,
                    layer.stride,
                    layer.padding,
                    layer.dilation,
                    layer.groups,
                )
                for one, alpha in zip(x, layer.alpha(other))
            ]
        )
    ],
}
