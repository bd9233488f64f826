"""Checkers for chapter 8, What the routers learned."""

from __future__ import annotations

import numpy as np
import torch

from ..functional import dynamic_conv2d
from ..lab import routing
from ..layers import DynamicConv
from .checking import (
    Wrong,
    against,
    attempted,
    call,
    close,
    near,
    number,
    readers_code,
    reject,
    said,
)
from .watching import memory


def variance_share(answer) -> str:
    """8.1: `variance_share(alpha, lights)`: η²."""
    alpha, lights = _recorded()
    expected = routing.variance_share(alpha, lights)
    got = number(call(answer, alpha, lights))
    of_experts = [routing.variance_share(alpha[:, [m]], lights) for m in range(alpha.shape[1])]
    truth, names = np.array(lights), sorted(set(lights))
    means = [alpha[truth == name].mean(0) for name in names]
    of_images = np.array(means)[[names.index(light) for light in lights]]
    mistakes = {
        "η² of 1 says that α does not vary at all within a light. Does your code write into `alpha`"
        " itself, or compare the list `lights` with a name? np.array(lights) can be compared.": 1,
        "the variance is taken over the images, for each expert by itself: axis 0.": (
            of_images.var() / alpha.var()
        ),
        "these are standard deviations. η² is a share of variance.": (
            of_images.std(0).sum() / alpha.std(0).sum()
        ),
        "both variances need the same divisor: ddof in one of them and not in the other?": [
            of_images.var(0).sum() / alpha.var(0, ddof=1).sum(),
            of_images.var(0, ddof=1).sum() / alpha.var(0).sum(),
        ],
        "that is a percentage; a share lies between 0 and 1.": 100 * expected,
        "that is the variance between the lights over that within them. What is asked for is its"
        " share of the whole.": expected / (1 - expected),
        "that is the share *within* the lights; the one between them is what remains to 1.": (
            1 - expected
        ),
        "that is the root. η² is a share of variance, without a root.": expected**0.5,
        "you averaged the shares of the experts, so one that hardly varies counts as much as the"
        " others. Add up the variances first, then divide.": np.mean(of_experts),
        "every light counts the same here. A light with more images has more of the variance: give"
        " each *image* the mean of its light.": np.var(means, 0).sum() / alpha.var(0).sum(),
        "you averaged over the experts before looking at the variance: opposite changes of two"
        " experts cancel then.": routing.variance_share(alpha.mean(1, keepdims=True), lights),
    }
    reject(got, mistakes)
    if not near(got, expected):
        raise Wrong(f"for these {len(alpha)} images η² is {against(expected, got)}.")
    return "right: and 1 − η² is what the light does not explain."


def accuracy(answer) -> str:
    """8.2: `accuracy(alpha, lights)`: leave-one-out, nearest mean."""
    alpha, lights = _recorded()
    expected = routing.nearest_centroid_accuracy(alpha, lights)
    got = number(call(answer, alpha, lights))
    truth, names = np.array(lights), np.array(sorted(set(lights)))
    centres = np.array([alpha[truth == name].mean(0) for name in names])
    to_centres = ((alpha[:, None] - centres) ** 2).sum(2)  # (N, lights)
    to_images = ((alpha[:, None] - alpha) ** 2).sum(2) + np.diag([np.inf] * len(alpha))  # (N, N)
    mistakes = {
        "each image is part of the mean that it is compared with, which draws that mean towards it"
        " and flatters the result. Leave it out.": (names[to_centres.argmin(1)] == truth).mean(),
        "that looks for the nearest other *image*. Compare with the mean α of each light.": (
            (truth[to_images.argmin(1)] == truth).mean()
        ),
        "that is the share of wrong guesses.": 1 - expected,
        "that is a percentage; a share lies between 0 and 1.": 100 * expected,
        "that is the number of right guesses; divide by the number of images.": (
            expected * len(alpha)
        ),
    }
    reject(got, mistakes)
    if not near(got, expected):
        raise Wrong(
            f"of these {len(alpha)} images {round(expected * len(alpha))} are guessed rightly: the"
            f" share is {against(expected, got)}."
        )
    return "right: an honest guess never saw the image before."


def _recorded() -> tuple[np.ndarray, list[str]]:
    """α of 17 images under three lights of unequal number; the experts vary unequally, and the
    lights overlap.
    """
    rng = np.random.default_rng(6)
    lights = ["night"] * 8 + ["day"] * 6 + ["noisy"] * 3
    centres = {"day": [0.3, 0.5, 0.4], "night": [0.45, 0.5, 0.4], "noisy": [0.5, 0.5, 0.6]}
    spread = rng.normal(0, 1, (17, 3)) * [0.1, 0.02, 0.1]
    return np.array([centres[light] for light in lights]) + spread, lights


def fixed_alpha(answer) -> str:
    """8.3: `fixed_alpha(layer, alpha)`, a context manager."""
    torch.manual_seed(0)
    layer, other = (DynamicConv(2, 3, 3, num_experts=2) for _ in range(2))
    x, alpha = torch.randn(4, 2, 6, 6), torch.tensor([0.9, 0.2])
    methods = dict(vars(DynamicConv))
    try:
        with torch.no_grad():
            _look_at_block(answer, layer, other, x, alpha)
    finally:
        for name in vars(DynamicConv).keys() - methods:
            delattr(DynamicConv, name)
        for name, value in methods.items():
            if vars(DynamicConv)[name] is not value:
                setattr(DynamicConv, name, value)
    return "right: what is tested is as it was before, whatever happened."


def _look_at_block(answer, layer: DynamicConv, other: DynamicConv, x, alpha) -> None:
    """Raise Wrong unless the answer fixes α of `layer` within the block, and of nothing else."""
    expected = dynamic_conv2d(x, layer.weight, alpha.expand(len(x), -1), padding=1)
    own, own_of_other = layer(x), other(x)
    unchanged, names, of_class = memory(layer, x), set(vars(layer)), dict(vars(DynamicConv))
    with readers_code(answer):
        block = _context_manager(answer(layer, alpha.clone()))
        with block:
            inside, of_other, of_one = layer(x), other(x), layer(x[:1])
    if not close(of_other, own_of_other):
        raise Wrong(
            "inside the block *another* layer has the given α too. You changed what all layers"
            " share, their class; change this one layer only."
        )
    if close(inside, own):
        raise Wrong(
            "inside the block the router still decides. The layer calls `self.alpha(x)`: what must"
            " stand there while the block runs?"
        )
    if not (close(inside, expected) and close(of_one, expected[:1])):
        raise Wrong(
            "inside the block the output is not that of the given α for every image of the batch."
            " What the layer calls has to return a tensor (B, M), for a batch of any size."
        )
    _look_at_rest(layer, unchanged, names, of_class, "after the block")
    for error in (InterruptedError, ValueError, RuntimeError, KeyError):
        with readers_code(answer):
            outcome = _what_comes_out(answer(layer, alpha.clone()), error)
        if outcome is None:
            raise Wrong(
                f"an error inside the block, {error.__name__}, was swallowed. It has to come out"
                " again: clean up without catching it."
            )
        if not isinstance(outcome, error):
            raise Wrong(
                f"the error inside the block was {error.__name__}, and what came out of it was"
                f" {type(outcome).__name__}: {str(outcome)[:80]}. The error itself has to come out."
            )
        if not unchanged():
            raise Wrong(
                "after an error in the block the layer keeps the foreign α. The clean-up has to"
                " happen in any case."
            )


def _look_at_rest(layer: DynamicConv, unchanged, names: set, of_class: dict, when: str) -> None:
    """Raise Wrong unless all is as it was."""
    if not unchanged():
        left = [f"`{name}`" for name in sorted(vars(layer).keys() - names)]
        raise Wrong(
            f"{when} the layer is not as it was: the router has to be back, and nothing else may"
            f" stay or change{f' (on the layer itself {left[0]} is left)' if left else ''}."
        )
    if dict(vars(DynamicConv)) != of_class:
        raise Wrong(
            f"{when} the class of the layer is not as it was, and all other layers share it."
        )


def _context_manager(block):
    block = attempted(block)
    if not hasattr(type(block), "__enter__"):
        raise Wrong(
            f"`with fixed_alpha(...):` needs a context manager, got {said(block)}. See the hint:"
            " contextlib.contextmanager makes one of a function with a yield."
        )
    return block


def _what_comes_out(block, error: type) -> BaseException | None:
    """What comes out of the block when this error happens inside."""
    try:
        with block:
            raise error("inside the block")
    except BaseException as outcome:
        return outcome
    return None
