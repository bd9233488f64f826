"""Checkers for chapter 12, StarNet, and what ultra-light means."""

from __future__ import annotations

import functools

import torch

from ..checks import is_int
from ..relatives import TimmBackbone
from .checking import Wrong, against, call, close, near, number, reject, reject_if, said, tensor


def star_features(answer) -> str:
    """12.1: `star_features(d, bias)`: how many different products one star holds."""
    for d, bias in [(3, False), (6, False), (3, True), (6, True), (128, True)]:
        n = d + bias
        expected, of_x = n * (n + 1) // 2, d * (d + 1) // 2
        got = number(call(answer, d, bias))
        if near(got, expected):
            continue
        where = f"d = {d} " + ("with a bias" if bias else "without a bias")
        mistakes = {
            "x₁x₂ and x₂x₁ are the same product: count each pair once.": n * n,
            "the bias is missing: x gets a 1, which forms products too.": of_x if bias else [],
            "there is no 1 in x without a bias.": (
                [] if bias else [(d + 1) * (d + 2) // 2, (d + 1) ** 2]
            ),
            "the squares are missing: i = j is a pair too.": n * (n - 1) // 2,
            "the product of the two biases is missing: the 1, too, counts as a product.": (
                expected - 1 if bias else []
            ),
            "only products of two different numbers stand there twice. The squares do not, so do"
            " not halve them.": [n * n / 2, n * n // 2],
            "the 1 does not only make one more product: with each number of x it makes that number"
            " itself.": of_x + 1 if bias else [],
            "these are the numbers that set the star, its two lists of weights. How many different"
            " products do they weigh?": 2 * n,
        }
        reject(got, mistakes, where=where)
        raise Wrong(
            f"{where}: the number of products is {against(expected, got)}. Write them all down for"
            " d = 2."
        )
    return "right: and a star sets all of them with two lists of weights."


def quadratic_form(answer) -> str:
    """12.2: `quadratic_form(w1, w2)`: the symmetric A with xᵀAx = (w₁·x)(w₂·x)."""
    generator = torch.Generator().manual_seed(12)
    for d in (3, 5):
        w1, w2, x = torch.randn(3, d, generator=generator)
        got = call(answer, w1, w2)
        if getattr(got, "shape", None) == (d,) and close(tensor(got, (d,)), w1 * w2):
            raise Wrong(
                "w₁·w₂ element by element gives the coefficients of the squares only, d numbers. A"
                " has (d, d): where do the mixed products stand?"
            )
        got, w1, w2, x = tensor(got, (d, d)), w1.double(), w2.double(), x.double()
        reject(got, _mistaken_forms(w1, w2), close)
        if not close(got, got.T):
            raise Wrong("A is not symmetric.")
        outer = torch.outer(w1, w2)
        if not close(got, (outer + outer.T) / 2):
            raise Wrong(
                f"for a random x, xᵀAx is {x @ got @ x:.4f}, and (w₁·x)(w₂·x) is"
                f" {(w1 @ x) * (w2 @ x):.4f}."
            )
    return (
        "right: its rank is at most two, whatever d is. So one star is a small corner of the"
        " quadratic functions."
    )


def _mistaken_forms(w1: torch.Tensor, w2: torch.Tensor) -> dict:
    """{hint: the matrix of that mistake}."""
    outer, squares = torch.outer(w1, w2), torch.diag(w1 * w2)
    both = outer + outer.T
    return {
        "xᵀAx is right, but A is not symmetric: entry (i, j) and entry (j, i) must share the"
        " coefficient of xᵢxⱼ.": [outer, outer.T],
        "xᵀAx is twice the product: what you add up counts it twice.": both,
        "only the squares are there. The coefficients of xᵢxⱼ with i ≠ j stand beside the"
        " diagonal.": squares,
        "xᵀAx is right, but all of it stands on one side of the diagonal: share each coefficient"
        " between (i, j) and (j, i).": [torch.triu(both) - squares, torch.tril(both) - squares],
        "the diagonal is right; beside it each coefficient stands twice, at (i, j) and at (j, i),"
        " and xᵀAx adds both: half of it belongs in each.": both - squares,
    }


def rows(answer) -> str:
    """12.3: `rows(name)`: the first four rows of a YAML for any timm network."""
    names = ("resnet18", "mobilenetv3_small_050", "starnet_s050")
    given = {name: _index_arguments(call(answer, name), name) for name in names}
    for name, pairs in given.items():
        channels, first = _channels(name)
        counts, places = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if counts == channels and places == [0, 1, 2]:
            continue
        signs = {
            "the arguments of Index are turned round: first the channels, then the place.": (
                counts == [0, 1, 2] and places == channels
            ),
            "Index reads the list that TimmBackbone gives: these three maps, at the places 0, 1"
            " and 2.": counts == channels and places == sorted(places),
            "the maps are in reverse order. The head expects P3 first: the largest map, at stride"
            " 8.": counts == channels[::-1],
            f"you give the channels {counts} to every network; {name} has {channels}. Ask the"
            " network.": all(pairs == given[other] for other in names),
            f"{counts} are the first three maps of {name}, and they have other strides. A detector"
            " wants those at 8, 16 and 32.": counts == first,
        }
        reject_if(signs)
        raise Wrong(
            f"for {name} the rows must name the channels {channels} at the places [0, 1, 2]; you"
            f" have {counts} at {places}."
        )
    return "right: put them on top of the head of any YAML here, and that network carries YOLOv8n."


@functools.cache
def _channels(name: str) -> tuple[list[int], list[int]]:
    """Channels of the maps at strides 8, 16, 32, and of the network's first three maps."""
    backbone = TimmBackbone(name)
    return backbone.channels, backbone.net.feature_info.channels()[:3]


def _index_arguments(got, name: str) -> list[tuple[int, int]]:
    """(channels, place) of the three Index rows, if all four rows have the form that they must
    have.
    """
    _look_at_form(got)
    backbone, *maps = got
    modules = [row[2] for row in got]
    signs = {
        f"first comes TimmBackbone, then Index three times; you have {', '.join(modules)}.": (
            modules != ["TimmBackbone", "Index", "Index", "Index"]
        ),
        "each module is there once: the second entry is 1.": any(row[1] != 1 for row in got),
        f"the first argument of TimmBackbone is the name, {name!r}; you have"
        f" {list(backbone[3])}.": list(backbone[3][:1]) != [name],
        "the backbone reads the image: its 'from' is −1.": backbone[0] != -1,
        "every Index reads the list of row 0. With −1 it would read the row before it, and from the"
        " second one on that is a single map.": any(
            row[0] not in (0, -at) for at, row in enumerate(maps, 1)
        ),
    }
    reject_if(signs)
    arguments = [tuple(row[3]) for row in maps]
    if not all(len(pair) == 2 and all(map(is_int, pair)) for pair in arguments):
        raise Wrong(
            "an Index has two whole numbers, the channels of the map and its place in the list;"
            f" you have {arguments}."
        )
    return arguments


def _look_at_form(got) -> None:
    """Raise Wrong unless these are four rows of a YAML, whatever they say."""
    if not isinstance(got, (list, tuple)) or len(got) != 4:
        raise Wrong(
            f"a list of four rows is wanted, the backbone and three Index, got {said(got)}."
        )
    for row in got:
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            raise Wrong(
                f"a row has four entries, [from, repeats, module, arguments]; you have {said(row)}."
            )
        if not isinstance(row[2], str):
            raise Wrong("a YAML holds names: write the module as text, 'TimmBackbone' and 'Index'.")
        if not isinstance(row[3], (list, tuple)):
            raise Wrong(
                "the arguments are a list, even if there is only one: [name], and [channels,"
                f" place] for an Index; you have {said(row[3])}."
            )
