"""Typical mistakes in the exercises of chapter 12, each with the hint that it must meet."""

import timm
import torch
from solutions.chapter_12 import quadratic_form, rows

from dynconv.relatives import TimmBackbone


def rows_of(name, channels, source=0, start=0):
    return [
        [-1, 1, "TimmBackbone", [name]],
        *([source, 1, "Index", [c, i]] for i, c in enumerate(channels, start)),
    ]


MISTAKES = {
    "12.1": {
        "count each mixed product twice": (lambda d, bias: (d + bias) ** 2, "count each pair once"),
        "forget the bias": (lambda d, bias: d * (d + 1) / 2, "bias is missing"),
        "add a 1 where there is no bias": (lambda d, bias: (d + 1) * (d + 2) / 2, "no 1 in x"),
        "forget the squares": (
            lambda d, bias: (d + bias) * (d + bias - 1) / 2,
            "squares are missing",
        ),
        "halve the squares as well": (lambda d, bias: (d + bias) ** 2 // 2, "do not halve them"),
        "count the bias as one product more": (
            lambda d, bias: d * (d + 1) / 2 + bias,
            "makes that number itself",
        ),
        "forget the 1": (lambda d, bias: (d + bias) * (d + bias + 1) / 2 - bias, "the 1, too"),
        "count the weights": (lambda d, bias: 2 * (d + bias), "two lists of weights"),
    },
    "12.2": {
        "leave the outer product unsymmetric": (
            lambda w1, w2: torch.outer(w1, w2),
            "not symmetric: entry",
        ),
        "forget the half": (
            lambda w1, w2: torch.outer(w1, w2) + torch.outer(w2, w1),
            "counts it twice",
        ),
        "keep only the squares": (lambda w1, w2: torch.diag(w1 * w2), "only the squares"),
        "multiply element by element": (
            lambda w1, w2: w1 * w2,
            "where do the mixed products stand",
        ),
        "put all of it above the diagonal": (
            lambda w1, w2: torch.triu(2 * quadratic_form(w1, w2), 1) + torch.diag(w1 * w2),
            "one side of the diagonal",
        ),
        "put all of it below the diagonal": (
            lambda w1, w2: torch.tril(2 * quadratic_form(w1, w2), -1) + torch.diag(w1 * w2),
            "one side of the diagonal",
        ),
        "count the mixed products twice": (
            lambda w1, w2: 2 * quadratic_form(w1, w2) - torch.diag(w1 * w2),
            "half of it belongs in each",
        ),
    },
    "12.3": {
        "take the three largest maps, whatever their stride": (
            lambda name: rows_of(
                name, timm.create_model(name, features_only=True).feature_info.channels()[:3]
            ),
            "other strides",
        ),
        "reverse the channels": (
            lambda name: rows_of(name, TimmBackbone(name).channels[::-1]),
            "reverse order",
        ),
        "read from −1": (
            lambda name: rows_of(name, TimmBackbone(name).channels, source=-1),
            "reads the list of row 0",
        ),
        "give the arguments without a list": (
            lambda name: [[-1, 1, "TimmBackbone", name], *rows(name)[1:]],
            "arguments are a list",
        ),
        "keep StarNet's numbers": (lambda name: rows_of(name, [48, 96, 192]), "to every network"),
        "count places from 1": (
            lambda name: rows_of(name, TimmBackbone(name).channels, start=1),
            "at the places 0, 1 and 2",
        ),
        "count places in timm's own list": (
            lambda name: rows_of(name, TimmBackbone(name).channels, start=2),
            "at the places 0, 1 and 2",
        ),
        "turn the arguments of Index round": (
            lambda name: [row[:3] + [row[3][::-1]] for row in rows(name)],
            "turned round",
        ),
        "name another network": (
            lambda name: rows_of("resnet18", TimmBackbone(name).channels),
            "first argument of TimmBackbone",
        ),
        "write the module, not its name": (
            lambda name: [[*row[:2], TimmBackbone, row[3]] for row in rows(name)],
            "a YAML holds names",
        ),
        "begin with the maps": (
            lambda name: rows(name)[1:] + rows(name)[:1],
            "first comes TimmBackbone",
        ),
        "give repeats other than 1": (
            lambda name: [[row[0], 3, *row[2:]] for row in rows(name)],
            "the second entry is 1",
        ),
        "let the backbone read row 0": (
            lambda name: [[0, *rows(name)[0][1:]], *rows(name)[1:]],
            "reads the image",
        ),
    },
}

OTHERS = {
    "12.1": [(lambda d, bias: 7, "you say 7")],
    "12.2": [
        (lambda w1, w2: torch.outer(w1, w2).tril(), "A is not symmetric[.]"),
        (lambda w1, w2: quadratic_form(w1, w1), "for a random x"),
        (lambda w1, w2: w1 @ w2, r"\(3, 3\) is wanted"),
    ],
    "12.3": [
        (
            lambda name: rows_of(name, [c + 1 for c in TimmBackbone(name).channels]),
            "must name the channels",
        ),
        (lambda name: rows(name)[:1], "a list of four rows"),
        (lambda name: [row[1:] for row in rows(name)], "a row has four entries"),
        (lambda name: [row[:3] + [row[3][:1]] for row in rows(name)], "two whole numbers"),
    ],
}

# Unusual, and right.
RIGHT = {
    "12.1": [
        lambda d, bias: len({frozenset((i, j)) for i in range(d + bias) for j in range(d + bias)})
    ],
    "12.2": [
        lambda w1, w2: (
            torch.outer((w1 + w2) / 2, (w1 + w2) / 2) - torch.outer((w1 - w2) / 2, (w1 - w2) / 2)
        ),
        lambda w1, w2: torch.func.hessian(lambda x: (w1 @ x) * (w2 @ x) / 2)(w1),
    ],
    # row 0, counted from each row back
    "12.3": [
        lambda name: [rows(name)[0], *([-i, *row[1:]] for i, row in enumerate(rows(name)[1:], 1))]
    ],
}
