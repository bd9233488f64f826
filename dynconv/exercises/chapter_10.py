"""Checkers for chapter 10, YOLO11, and the 4.7 GFLOPs."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..layers import DynamicConv
from ._checking import NotAttempted, Wrong, call, number, tensor


def unseen(answer) -> str:
    """10.1: `unseen(cin, cout, k, side)`: GFLOPs of the convolution that goes."""
    for cin, cout, k, side in [(64, 128, 3, 40), (16, 24, 5, 8), (8, 8, 1, 20)]:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            nn.Conv2d(cin, cout, k, padding=k // 2, bias=False)(torch.zeros(1, cin, side, side))
        expected = counter.get_total_flops() / 1e9
        got = number(call(answer, cin, cout, k, side))
        near = lambda value: abs(got - value) < 1e-6 * value  # noqa: E731
        if near(expected / 2):
            raise Wrong("these are multiply-adds; each is two FLOPs.")
        if near(expected * 1e9) or near(expected / 2 * 1e9):
            raise Wrong("the unit is GFLOPs: divide by 10⁹.")
        if near(expected / side):
            raise Wrong("an output of side × side has side² positions.")
        if near(expected / side**2):
            raise Wrong(
                "that is the work for one position of the output; how many positions are there?"
            )
        if k > 1 and near(expected / k):
            raise Wrong("a kernel has k × k numbers for each pair of channels.")
        if near(expected * 3) or near(expected * 4):
            raise Wrong(
                "the number of experts does not matter: one convolution stood there, and one is no"
                " longer seen."
            )
        if not near(expected):
            raise Wrong(
                f"for {cin}→{cout}, k={k}, an output of {side}×{side}, PyTorch counts"
                f" {expected:.6g} GFLOPs, you say {got:.6g}."
            )
    return "right: add it up over the replaced rows, and you have the whole 'saving'."


def same_colour(answer) -> str:
    """10.2: `same_colour(image)`: other pixels, same mean of each channel, hence the same α."""
    generator = torch.Generator().manual_seed(10)
    image = torch.rand(3, 3, 12, 16, generator=generator) * torch.tensor([0.9, 0.6, 0.3]).view(
        1, 3, 1, 1
    )
    image = image * torch.linspace(0.4, 1, 16) + torch.tensor([0, 0.1, 0.2]).view(
        3, 1, 1, 1
    )  # no symmetry, no two means equal
    got = tensor(call(answer, image.clone()), tuple(image.shape))
    if ((got - image).abs().amax(1) > 1e-6).float().mean() <= 0.5:
        raise Wrong("more than half of the pixels are as they were.")
    means, wanted = got.mean((2, 3)), image.mean((2, 3))
    same = lambda a, b: torch.allclose(a, b, atol=1e-4)  # noqa: E731
    if not same(means, wanted):
        if same(means.sort(1).values, wanted.sort(1).values):
            raise Wrong("the channels changed places: the mean red is now that of another colour.")
        if same(means.sort(0).values, wanted.sort(0).values):
            raise Wrong("the images changed places: each must keep its own means.")
        if same(means, wanted.mean(1, keepdim=True).expand_as(means)):
            raise Wrong(
                "that is the mean over the channels too. The router sees three numbers, one for"
                " each colour."
            )
        if same(means, wanted.mean(0, keepdim=True).expand_as(means)):
            raise Wrong(
                "that is the mean over the batch too. Each image has a router's decision of its"
                " own."
            )
        moved = (means - wanted).abs().max().item()
        raise Wrong(
            f"the mean of a channel moved by {moved:.3f}, and with it what the router sees. Keep"
            " the mean of each channel."
        )
    torch.manual_seed(10)
    stem = DynamicConv(3, 16, 3, 2)
    with torch.no_grad():
        if not torch.allclose(stem.alpha(got), stem.alpha(image), atol=1e-4):
            raise Wrong("a dynamic stem chooses another α for it.")
    return "right: for the router of the stem these are the same images."


@functools.cache
def _models() -> tuple[nn.Module, nn.Module, nn.Module, list[int]]:
    """YOLO11n; the same with all C3k2 replaced; with all but the first; and the rows of the C3k2."""
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


def changed_rows(answer) -> str:
    """10.3: `changed_rows(stock, variant, meant)`: rows that changed and were not meant to."""
    stock, every, spared, rows = _models()
    head = len(stock.model) - 1
    for variant, meant, expected in [
        (every, rows, [head]),
        (spared, rows[1:], []),
        (every, rows[:-1], [rows[-1], head]),
    ]:
        got = answer(stock, variant, list(meant))
        if got is None or got is ...:
            raise NotAttempted
        if not isinstance(got, (list, tuple, set)) or not all(isinstance(i, int) for i in got):
            raise Wrong(f"a list of row numbers is wanted, got {got!r}.")
        got = sorted(got)
        if head in expected and got == [i for i in expected if i != head]:
            raise Wrong(
                "the head is missing. It is a Detect in both models, of the same class but not of"
                " the same size: compare counts."
            )
        if set(meant) & set(got):
            raise Wrong(
                "rows that were meant to change are in your list; it should hold the surprises"
                " only."
            )
        if got == [*range(head + 1)] or set(got) > set(expected):
            raise Wrong(
                f"row {next(i for i in got if i not in expected)} has the same number of parameters"
                " in both models."
            )
        if got != expected:
            raise Wrong(f"with meant={meant} the rows are {expected}, you say {got}.")
    return "right: a check that belongs behind every 'I only replaced the blocks'."


EXERCISES = {"10.1": unseen, "10.2": same_colour, "10.3": changed_rows}
