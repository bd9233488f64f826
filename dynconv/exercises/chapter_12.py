"""Checkers for chapter 12, StarNet, and what ultra-light means."""

from __future__ import annotations

import functools

import torch

from ..relatives import TimmBackbone
from ._checking import Wrong, call, close, number, tensor


def star_features(answer) -> str:
    """12.1: `star_features(d, bias)`: how many different products one star holds."""
    for d, bias in [(3, False), (6, False), (3, True), (6, True), (128, True)]:
        n = d + bias
        expected = n * (n + 1) // 2
        got = number(call(answer, d, bias))
        case = f"d = {d} " + ("with a bias" if bias else "without a bias")
        mistakes = {
            "x₁x₂ and x₂x₁ are the same product: count each pair once.": [n * n],
            "the bias is missing: x gets a 1, which forms products too.": (
                [d * (d + 1) // 2] if bias else []
            ),
            "there is no 1 in x without a bias.": (
                [] if bias else [(d + 1) * (d + 2) // 2, (d + 1) ** 2]
            ),
            "the squares are missing: i = j is a pair too.": [n * (n - 1) // 2],
            "only products of two different numbers stand there twice. The squares do not, so do not halve them.": [
                n * n / 2,
                n * n // 2,
            ],
            "the 1 does not only make one more product: with each number of x it makes that number itself.": (
                [d * (d + 1) // 2 + 1] if bias else []
            ),
            "these are the numbers that set the star, its two lists of weights. How many different products do they weigh?": [
                2 * n
            ],
        }
        if got == expected:
            continue
        for hint, wrong in mistakes.items():
            if got in wrong:
                raise Wrong(f"{case}: {hint}")
        raise Wrong(
            f"{case}: there are {expected} products, you say {got:g}. Write them all down for d"
            " = 2."
        )
    return "right: and a star sets all of them with two lists of weights."


def quadratic_form(answer) -> str:
    """12.2: `quadratic_form(w1, w2)`: the symmetric A with xᵀAx = (w₁·x)(w₂·x)."""
    generator = torch.Generator().manual_seed(12)
    for d in (3, 5):
        w1, w2, x = torch.randn(3, d, generator=generator)
        outer = torch.outer(w1, w2)
        got = call(answer, w1.clone(), w2.clone())
        if isinstance(got, torch.Tensor) and close(got.float(), w1 * w2):
            raise Wrong(
                "w₁·w₂ element by element gives the coefficients of the squares only, d numbers. A"
                " has (d, d): where do the mixed products stand?"
            )
        got = tensor(got, (d, d)).float()
        if close(got, outer) or close(got, outer.T):
            raise Wrong(
                "xᵀAx is right, but A is not symmetric: entry (i, j) and entry (j, i) must share"
                " the coefficient of xᵢxⱼ."
            )
        if close(got, outer + outer.T):
            raise Wrong(
                "xᵀAx is twice the product: A and its transpose both count, so take half of their"
                " sum."
            )
        if close(got, torch.diag(w1 * w2)):
            raise Wrong(
                "only the squares are there. The coefficients of xᵢxⱼ with i ≠ j stand beside the"
                " diagonal."
            )
        if close(got, torch.triu(outer + outer.T) - torch.diag(w1 * w2)):
            raise Wrong(
                "xᵀAx is right, but all of it stands above the diagonal: share each coefficient"
                " between (i, j) and (j, i)."
            )
        if close(got, outer + outer.T - torch.diag(w1 * w2)):
            raise Wrong(
                "the diagonal is right; beside it each coefficient stands twice, at (i, j) and at"
                " (j, i), and xᵀAx adds both: half of it belongs in each."
            )
        if not close(got, got.T):
            raise Wrong("A is not symmetric.")
        if not close(got, (outer + outer.T) / 2):
            raise Wrong(
                f"for a random x, xᵀAx is {x @ got @ x:.4f}, and (w₁·x)(w₂·x) is"
                f" {(w1 @ x) * (w2 @ x):.4f}."
            )
    return (
        "right: its rank is at most two, whatever d is. So one star is a small corner of the"
        " quadratic functions."
    )


@functools.cache
def _channels(name: str) -> tuple[list[int], list[int]]:
    """Channels of the maps at strides 8, 16, 32, and of the network's first three maps."""
    backbone = TimmBackbone(name)
    return backbone.channels, backbone.net.feature_info.channels()[:3]


def _index_arguments(got, name: str) -> list[tuple[int, int]]:
    """(channels, place) of the three Index rows, if all four rows have the form that they must
    have.
    """
    if not isinstance(got, (list, tuple)) or len(got) != 4:
        raise Wrong(f"a list of four rows is wanted, the backbone and three Index, got {got!r}.")
    for row in got:
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            raise Wrong(
                f"a row has four entries, [from, repeats, module, arguments]; {row!r} has not."
            )
        if not isinstance(row[2], str):
            raise Wrong("a YAML holds names: write the module as text, 'TimmBackbone' and 'Index'.")
        if not isinstance(row[3], (list, tuple)):
            raise Wrong(
                "the arguments are a list, even if there is only one: [name], and [channels,"
                f" place] for an Index; you have {row[3]!r}."
            )
    modules = [row[2] for row in got]
    if modules != ["TimmBackbone", "Index", "Index", "Index"]:
        raise Wrong(
            f"first comes TimmBackbone, then Index three times; you have {', '.join(modules)}."
        )
    if any(row[1] != 1 for row in got):
        raise Wrong("each module is there once: the second entry is 1.")
    if list(got[0][3][:1]) != [name]:
        raise Wrong(
            f"the first argument of TimmBackbone is the name, {name!r}; you have {list(got[0][3])}."
        )
    if got[0][0] != -1:
        raise Wrong("the backbone reads the image: its 'from' is −1.")
    if any(row[0] != 0 for row in got[1:]):
        raise Wrong(
            "every Index reads the list of row 0. With −1 it would read the row before it, and from"
            " the second one on that is a single map."
        )
    arguments = [tuple(row[3]) for row in got[1:]]
    if not all(
        len(pair) == 2 and all(isinstance(value, int) for value in pair) for pair in arguments
    ):
        raise Wrong(
            "an Index has two whole numbers, the channels of the map and its place in the list;"
            f" you have {arguments}."
        )
    return arguments


def rows(answer) -> str:
    """12.3: `rows(name)`: the first four rows of a YAML for any timm network."""
    names = ("resnet18", "mobilenetv3_small_050", "starnet_s050")
    given = {name: _index_arguments(call(answer, name), name) for name in names}
    for name, pairs in given.items():
        channels, first = _channels(name)
        counts, places = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if counts == channels and places == [0, 1, 2]:
            continue
        if counts == [0, 1, 2] and places == channels:
            raise Wrong(
                "the arguments of Index are turned round: first the channels, then the place."
            )
        if counts == channels and places == [1, 2, 3]:
            raise Wrong("places in a list count from 0.")
        if counts == channels[::-1]:
            raise Wrong(
                "the maps are in reverse order. The head expects P3 first: the largest map, at"
                " stride 8."
            )
        if all(pairs == given[other] for other in names):
            raise Wrong(
                f"you give the channels {counts} to every network; {name} has {channels}. Ask the"
                " network."
            )
        if counts == first:
            raise Wrong(
                f"{counts} are the first three maps of {name}, and they have other strides. A"
                " detector wants those at 8, 16 and 32."
            )
        raise Wrong(
            f"for {name} the rows must name the channels {channels} at the places [0, 1, 2]; you"
            f" have {counts} at {places}."
        )
    return "right: put them on top of the head of any YAML here, and that network carries YOLOv8n."


EXERCISES = {"12.1": star_features, "12.2": quadratic_form, "12.3": rows}
