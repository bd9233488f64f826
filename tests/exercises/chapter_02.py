"""Typical mistakes in the exercises of chapter 2, each with the hint that it must meet."""

import torch

from dynconv import dynamic_conv2d

MISTAKES = {
    "2.1": [
        (lambda x, w, b: torch.softmax(x.mean((2, 3)) @ w.T + b, 1), "softmax"),
        (lambda x, w, b: x.mean((2, 3)) @ w.T + b, "logits"),
        (lambda x, w, b: torch.sigmoid(x.sum((2, 3)) @ w.T + b), "summed the pixels"),
        (lambda x, w, b: torch.sigmoid(x.mean((2, 3)) @ w.T), "bias"),
        (lambda x, w, b: torch.sigmoid(x.amax((2, 3)) @ w.T + b), "max pooling"),
    ],
    "2.2": [
        (lambda z, t: torch.softmax(z / t, 1) * (1 - torch.softmax(z / t, 1)), "chain rule"),
        (lambda z, t: torch.softmax(z, 1) * (1 - torch.softmax(z, 1)) / t, "inside the softmax"),
        (lambda z, t: torch.sigmoid(z) * (1 - torch.sigmoid(z)), "sigmoid's slope"),
        (lambda z, t: torch.softmax(z / t, 1), "denominator"),
    ],
    "2.3": [
        (lambda layer, x, other: layer(x), "still looks at x"),
        (lambda layer, x, other: layer(other), "image was swapped"),
        (
            lambda layer, x, other: dynamic_conv2d(
                x, layer.weight, layer.alpha(other).mean(0).expand(4, -1), padding=1
            ),
            "average α",
        ),
    ],
}
