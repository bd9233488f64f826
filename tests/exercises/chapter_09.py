"""Typical mistakes in the exercises of chapter 9, each with the hint that it must meet."""

import torch
from solutions.chapter_09 import as_int8, as_static, fold, wrong_by
from torch import nn


def folded(weight, bias, norm, *, eps=None, root=True, biases=True, apart=True, scaled=True):
    """The solution with one thing left out."""
    variance = norm.running_var + (norm.eps if eps is None else eps)
    scale = norm.weight / (variance.sqrt() if root else variance)
    shift = norm.bias - (scale if scaled else 1) * norm.running_mean
    bias = bias * scale if biases else bias
    weight = weight * scale[:, None, None, None]
    return (weight, bias, shift) if apart else (weight, bias + shift, torch.zeros_like(shift))


def static(layer, alpha, bias=lambda conv: conv.bias.zero_()):
    """The solution, whose bias is made otherwise."""
    conv = as_static(layer, alpha)
    if conv.bias is not None:
        with torch.no_grad():
            bias(conv)
    return conv


def always_with_bias(layer, alpha):
    conv = as_static(layer, alpha)
    if conv.bias is None:
        conv.bias = nn.Parameter(torch.ones(layer.out_features))
    return conv


def stored(weight, axes=(2, 3, 4), most=127, magnitude=torch.abs, whole=torch.round):
    """The solution with another scale, or rounded otherwise."""
    scale = (magnitude(weight).amax(axes, keepdim=True) / most).expand(*weight.shape[:2], 1, 1, 1)
    return whole(weight / scale).clamp(-128, 127).to(torch.int8), scale[:, :, 0, 0, 0]


MISTAKES = {
    "9.1": {
        "give what would be added": (
            lambda alpha, shift: alpha.sum(1, keepdim=True) * shift,
            "what would be added",
        ),
        "turn the sign": (lambda alpha, shift: -wrong_by(alpha, shift), "sign is turned"),
        "take the mean of α": (
            lambda alpha, shift: (alpha.mean(1, keepdim=True) - 1) * shift,
            "added up",
        ),
    },
    "9.2": {
        "divide by the variance": (lambda w, b, n: folded(w, b, n, root=False), "its root"),
        "forget eps": (lambda w, b, n: folded(w, b, n, eps=0), "norm.eps is missing"),
        "leave the biases unscaled": (lambda w, b, n: folded(w, b, n, biases=False), "too, and"),
        "give the shift to each expert": (
            lambda w, b, n: folded(w, b, n, apart=False),
            "multiplied by Σα",
        ),
        "leave the mean unscaled": (lambda w, b, n: folded(w, b, n, scaled=False), "β − s · μ"),
    },
    "9.3": {
        "take the mean of the kernels": (
            lambda layer, alpha: as_static(layer, torch.full_like(alpha, 1 / 3)),
            "mean of the kernels",
        ),
        "divide by Σα": (lambda layer, alpha: as_static(layer, alpha / alpha.sum()), "divided by"),
        "forget the biases": (lambda layer, alpha: static(layer, alpha), "biases .* missing"),
        "add the biases up": (
            lambda layer, alpha: static(
                layer, alpha, lambda conv: conv.bias.copy_(layer.cond_conv.bias.sum(0))
            ),
            "not merely added up",
        ),
        "leave the random bias": (always_with_bias, "random bias"),
    },
    "9.4": {
        "a scale for each expert": (lambda w: stored(w, (1, 2, 3, 4)), "that of the whole expert"),
        "a scale for each channel": (lambda w: stored(w, (0, 2, 3, 4)), "in all experts"),
        "take the largest number": (
            lambda w: stored(w, magnitude=lambda each: each),
            "largest magnitude",
        ),
        "divide by 128": (lambda w: stored(w, most=128), "not 128"),
        "cut off": (lambda w: stored(w, whole=torch.trunc), "Round to the nearest"),
        "keep floats": (lambda w: (as_int8(w)[0].float(), as_int8(w)[1]), "type torch.int8"),
    },
}

OTHERS = {
    "9.1": [(lambda alpha, shift: torch.zeros(3, 4), "not right")],
    "9.2": [
        (lambda w, b, n: w, "three tensors"),
        (lambda w, b, n: (w, 2 * b, b[0]), "does not compute"),
    ],
    "9.3": [
        (lambda layer, alpha: layer, "nn.Conv2d is wanted"),
        (lambda layer, alpha: nn.Conv2d(4, 6, 3), "has shape"),
        (lambda layer, alpha: nn.Conv2d(5, 6, 3), "does not run"),
        (lambda layer, alpha: as_static(layer, alpha.flip(0)), "not that of the layer"),
    ],
    "9.4": [
        (lambda w: w, "two tensors"),
        (lambda w: (as_int8(w)[0], 2 * as_int8(w)[1]), "off by up to"),
        (lambda w: stored(w, most=100), "smaller scale"),
    ],
}

# Unusual, and right.
RIGHT = {
    "9.1": [lambda alpha, shift: torch.outer(alpha.sum(1), shift) - shift],
    "9.2": [lambda w, b, n: list(fold(w, b, n))],
    "9.3": [lambda layer, alpha: always_zero(layer, alpha)],
}


def always_zero(layer, alpha):
    """A bias that is there and 0."""
    conv = always_with_bias(layer, alpha)
    if layer.cond_conv.bias is None:
        nn.init.zeros_(conv.bias)
    return conv
