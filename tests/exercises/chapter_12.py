"""Typical mistakes in the exercises of chapter 12, each with the hint that it must meet."""

import timm
import torch

from dynconv.exercises.solutions.chapter_12 import quadratic_form, rows
from dynconv.relatives import TimmBackbone


def rows_of(name, channels, source=0, start=0):
    return [
        [-1, 1, "TimmBackbone", [name]],
        *([source, 1, "Index", [c, i]] for i, c in enumerate(channels, start)),
    ]


MISTAKES = {
    "12.1": [
        (lambda d, bias: (d + bias) ** 2, "count each pair once"),
        (lambda d, bias: d * (d + 1) / 2, "bias is missing"),
        (lambda d, bias: (d + 1) * (d + 2) / 2, "no 1 in x"),
        (lambda d, bias: (d + bias) * (d + bias - 1) / 2, "squares are missing"),
        (lambda d, bias: (d + bias) ** 2 // 2, "do not halve them"),
        (lambda d, bias: d * (d + 1) / 2 + bias, "makes that number itself"),
        (lambda d, bias: 2 * (d + bias), "two lists of weights"),
        (lambda d, bias: 7, "you say 7"),
    ],
    "12.2": [
        (lambda w1, w2: torch.outer(w1, w2), "not symmetric: entry"),
        (lambda w1, w2: torch.outer(w1, w2) + torch.outer(w2, w1), "half of their sum"),
        (lambda w1, w2: torch.diag(w1 * w2), "only the squares"),
        (lambda w1, w2: w1 * w2, "where do the mixed products stand"),
        (
            lambda w1, w2: torch.triu(2 * quadratic_form(w1, w2), 1) + torch.diag(w1 * w2),
            "above the diagonal",
        ),
        (
            lambda w1, w2: 2 * quadratic_form(w1, w2) - torch.diag(w1 * w2),
            "half of it belongs in each",
        ),
        (lambda w1, w2: torch.outer(w1, w2).tril(), "A is not symmetric[.]"),
        (lambda w1, w2: quadratic_form(w1, w1), "for a random x"),
        (lambda w1, w2: w1 @ w2, r"\(3, 3\) is wanted"),
    ],
    "12.3": [
        (
            lambda name: rows_of(
                name, timm.create_model(name, features_only=True).feature_info.channels()[:3]
            ),
            "other strides",
        ),
        (lambda name: rows_of(name, TimmBackbone(name).channels[::-1]), "reverse order"),
        (
            lambda name: rows_of(name, TimmBackbone(name).channels, source=-1),
            "reads the list of row 0",
        ),
        (lambda name: [[-1, 1, "TimmBackbone", name], *rows(name)[1:]], "arguments are a list"),
        (lambda name: rows_of(name, [48, 96, 192]), "to every network"),
        (lambda name: rows_of(name, TimmBackbone(name).channels, start=1), "count from 0"),
        (lambda name: [row[:3] + [row[3][::-1]] for row in rows(name)], "turned round"),
        (
            lambda name: rows_of(name, [c + 1 for c in TimmBackbone(name).channels]),
            "must name the channels",
        ),
        (
            lambda name: rows_of("resnet18", TimmBackbone(name).channels),
            "first argument of TimmBackbone",
        ),
        (
            lambda name: [[*row[:2], TimmBackbone, row[3]] for row in rows(name)],
            "a YAML holds names",
        ),
        (lambda name: rows(name)[:1], "a list of four rows"),
        (lambda name: [row[1:] for row in rows(name)], "a row has four entries"),
        (lambda name: rows(name)[1:] + rows(name)[:1], "first comes TimmBackbone"),
        (lambda name: [[row[0], 3, *row[2:]] for row in rows(name)], "the second entry is 1"),
        (lambda name: [[0, *rows(name)[0][1:]], *rows(name)[1:]], "reads the image"),
        (lambda name: [row[:3] + [row[3][:1]] for row in rows(name)], "two whole numbers"),
    ],
}
