"""Checkers for chapter 10, YOLO11, and the 4.7 GFLOPs."""

from __future__ import annotations

import copy
import functools

import torch
from torch import nn

from ..layers import DynamicConv
from .checking import (
    Wrong,
    against,
    call,
    close,
    near,
    number,
    readers_code,
    reject,
    reject_if,
    tensor,
    whole_numbers,
)
from .watching import flops


def unseen(answer) -> str:
    """10.1: `unseen(cin, cout, k, side)`: GFLOPs of the convolution that goes."""
    for cin, cout, k, side in [(64, 128, 3, 40), (16, 24, 5, 8), (8, 8, 1, 20)]:
        layer = nn.Conv2d(cin, cout, k, padding=k // 2, bias=False)
        expected = flops(layer, torch.zeros(1, cin, side, side)) / 1e9
        got = number(call(answer, cin, cout, k, side))
        if near(got, expected):
            continue
        mistakes = {
            "these are multiply-adds; each is two FLOPs.": expected / 2,
            "the unit is GFLOPs: divide by 10⁹.": [expected * 1e9, expected / 2 * 1e9],
            "an output of side × side has side² positions.": expected / side,
            "that is the work for one position of the output; how many positions are there?": (
                expected / side**2
            ),
            "a kernel has k × k numbers for each pair of channels.": expected / k,
            "the number of experts does not matter: one convolution stood there, and one is no"
            " longer seen.": [expected * 3, expected * 4],
        }
        reject(got, mistakes)
        raise Wrong(
            f"for {cin}→{cout}, k={k}, an output of {side}×{side}, PyTorch counts"
            f" {against(expected, got)} (in GFLOPs)."
        )
    return "right: add it up over the replaced rows, and you have the whole 'saving'."


def same_colour(answer) -> str:
    """10.2: `same_colour(image)`: other pixels, same mean of each channel, hence the same α."""
    theirs, image = _image(), _image().double()
    with readers_code(answer):
        got = answer(theirs)
    got = tensor(got, tuple(image.shape))
    if not torch.equal(theirs, _image()):
        raise Wrong("you painted over `image` itself. Make new ones, and leave it as it is.")
    step = 1 / 255  # of a picture with 8 bits
    if ((got - image).abs().amax(1) >= step).float().mean() <= 0.5:
        raise Wrong("half of the pixels or more are as they were, to within 1/255.")
    apart = got.flatten(2).sort().values - image.flatten(2).sort().values
    if apart.abs().max() < step:
        raise Wrong(
            "the same pixels in other places: that is a way, and the one that is not asked for."
            " Change the values of the pixels."
        )
    _look_at_means(got.mean((2, 3)), image.mean((2, 3)))
    torch.manual_seed(10)
    stem = DynamicConv(3, 16, 3, 2).double()
    with torch.no_grad():
        if not close(stem.alpha(got), stem.alpha(image)):
            raise Wrong("a dynamic stem chooses another α for it.")
    return "right: for the router of the stem these are the same images."


def _image() -> torch.Tensor:
    """Three images without symmetry, no two of whose means are equal."""
    generator = torch.Generator().manual_seed(10)
    tint, light = torch.tensor([0.9, 0.6, 0.3]), torch.tensor([0, 0.1, 0.2])
    noise = torch.rand(3, 3, 12, 16, generator=generator) * tint.view(1, 3, 1, 1)
    return noise * torch.linspace(0.4, 1, 16) + light.view(3, 1, 1, 1)


def _look_at_means(means: torch.Tensor, wanted: torch.Tensor) -> None:
    """Raise Wrong unless both are equal, (images, channels)."""
    if close(means, wanted):
        return
    signs = {
        "the channels changed places: the mean red is now that of another colour.": (
            close(means.sort(1).values, wanted.sort(1).values)
        ),
        "the images changed places: each must keep its own means.": (
            close(means.sort(0).values, wanted.sort(0).values)
        ),
        "that is the mean over the channels too. The router sees three numbers, one for each"
        " colour.": close(means, wanted.mean(1, keepdim=True).expand_as(means)),
        "that is the mean over the batch too. Each image has a router's decision of its own.": (
            close(means, wanted.mean(0, keepdim=True).expand_as(means))
        ),
    }
    reject_if(signs)
    moved = (means - wanted).abs().max().item()
    raise Wrong(
        f"the mean of a channel moved by {moved:.3f}, and with it what the router sees. Keep the"
        " mean of each channel."
    )


def changed_rows(answer) -> str:
    """10.3: `changed_rows(stock, variant, meant)`: rows that changed and were not meant to."""
    stock, every, spared, rows = _models()
    other = _otherwise(stock)
    head = len(stock.model) - 1
    for variant, meant, expected in [
        (every, rows, [head]),
        (spared, rows[1:], []),
        (every, rows[:-1], [rows[-1], head]),
        (other, [], [1]),
    ]:
        got = sorted(whole_numbers(call(answer, stock, variant, meant)))
        if got == expected:
            continue
        equal = next((i for i in got if i not in expected), None)
        signs = {
            "the head is missing. It is a Detect in both models, of the same class but not of the"
            " same size: compare counts.": head in expected and got == expected[:-1],
            "rows that were meant to change are in your list; it should hold the surprises only.": (
                bool(set(meant) & set(got))
            ),
            f"row {equal} has the same number of parameters in both models.": (equal is not None),
        }
        reject_if(signs)
        raise Wrong(f"with meant={meant} the rows are {expected}, you say {got}.")
    return "right: a check that belongs behind every 'I only replaced the blocks'."


def _otherwise(stock: nn.Module) -> nn.Module:
    """The model with two rows of the same classes: row 0 without its activation, which has no
    parameters, and row 1 with fewer of them.
    """
    other = copy.deepcopy(stock)
    other.model[0].act = nn.Identity()
    other.model[1].conv = nn.Conv2d(16, 32, 1, 2, bias=False)
    other.model[1].np = sum(p.numel() for p in other.model[1].parameters())  # ultralytics' own
    return other


@functools.cache
def _models() -> tuple[nn.Module, nn.Module, nn.Module, list[int]]:
    """YOLO11n; the same with all C3k2 replaced; with all but the first; the rows of the C3k2."""
    from ultralytics.nn.tasks import DetectionModel, yaml_model_load

    from .. import yolo  # noqa: F401  registers C2f_DynamicConv

    def build(rows):
        config = yaml_model_load("yolo11n.yaml")
        layers = config["backbone"] + config["head"]
        for i in rows:
            layers[i][2:] = ["C2f_DynamicConv", layers[i][3][:1]]
        return DetectionModel(config, nc=3, verbose=False)

    stock = build([])
    rows = [i for i, row in enumerate(stock.model) if type(row).__name__ == "C3k2"]
    return stock, build(rows), build(rows[1:]), rows
