"""Checkers for chapter 8, What the routers learned."""

from __future__ import annotations

import numpy as np
import torch

from ..functional import dynamic_conv2d
from ..lab import routing
from ..layers import DynamicConv
from ._checking import NotAttempted, Wrong, call, close, number


def _recorded() -> tuple[np.ndarray, list[str]]:
    """α of 17 images under three lights of unequal number; the experts vary unequally, and the
    lights overlap.
    """
    rng = np.random.default_rng(6)
    lights = ["night"] * 8 + ["day"] * 6 + ["noisy"] * 3
    centres = {"day": [0.3, 0.5, 0.4], "night": [0.45, 0.5, 0.4], "noisy": [0.5, 0.5, 0.6]}
    return (
        np.array([centres[light] for light in lights])
        + rng.normal(0, 1, (17, 3)) * [0.1, 0.02, 0.1],
        lights,
    )


def _number(value) -> float:
    return number(
        value.item()
        if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0
        else value
    )


def variance_share(answer) -> str:
    """8.1: `variance_share(alpha, lights)`: η²."""
    alpha, lights = _recorded()
    expected = routing.variance_share(alpha, lights)
    got = _number(call(answer, alpha.copy(), list(lights)))
    near = lambda value: abs(got - value) < 1e-9  # noqa: E731
    of = {name: alpha[np.array(lights) == name] for name in set(lights)}
    if near(1 - expected):
        raise Wrong(
            "that is the share *within* the lights; the one between them is what remains to 1."
        )
    if near(expected**0.5):
        raise Wrong("that is the root. η² is a share of variance, without a root.")
    if near(np.mean([routing.variance_share(alpha[:, [m]], lights) for m in range(3)])):
        raise Wrong(
            "you averaged the shares of the experts, so one that hardly varies counts as much as"
            " the others. Add up the variances first, then divide."
        )
    if near(np.var([rows.mean(0) for rows in of.values()], 0).sum() / alpha.var(0).sum()):
        raise Wrong(
            "every light counts the same here. A light with more images has more of the variance:"
            " give each *image* the mean of its light."
        )
    if near(routing.variance_share(alpha.mean(1, keepdims=True), lights)):
        raise Wrong(
            "you averaged over the experts before looking at the variance: opposite changes of two"
            " experts cancel then."
        )
    if not near(expected):
        raise Wrong(f"for these {len(alpha)} images η² is {expected:.4f}, you say {got:.4f}.")
    return "right: and 1 − η² is what the light does not explain."


def accuracy(answer) -> str:
    """8.2: `accuracy(alpha, lights)`: leave-one-out, nearest mean."""
    alpha, lights = _recorded()
    expected = routing.nearest_centroid_accuracy(alpha, lights)
    got = _number(call(answer, alpha.copy(), list(lights)))
    near = lambda value: abs(got - value) < 1e-9  # noqa: E731
    truth = np.array(lights)
    names = sorted(set(lights))
    centres = np.array([alpha[truth == name].mean(0) for name in names])
    with_itself = np.mean(
        [
            names[((row - centres) ** 2).sum(1).argmin()] == light
            for row, light in zip(alpha, lights)
        ]
    )
    distance = ((alpha[:, None] - alpha) ** 2).sum(2) + np.diag([np.inf] * len(alpha))
    if near(with_itself):
        raise Wrong(
            "each image is part of the mean that it is compared with, which draws that mean towards"
            " it and flatters the result. Leave it out."
        )
    if near((truth[distance.argmin(1)] == truth).mean()):
        raise Wrong(
            "that looks for the nearest other *image*. Compare with the mean α of each light."
        )
    if near(1 - expected):
        raise Wrong("that is the share of wrong guesses.")
    if near(expected * len(alpha)):
        raise Wrong("that is the number of right guesses; divide by the number of images.")
    if not near(expected):
        raise Wrong(
            f"of these {len(alpha)} images {round(expected * len(alpha))} are guessed rightly, a"
            f" share of {expected:.4f}; you say {got:.4f}."
        )
    return "right: an honest guess never saw the image before."


def fixed_alpha(answer) -> str:
    """8.3: `fixed_alpha(layer, alpha)`, a context manager."""
    torch.manual_seed(0)
    layer, x, alpha = (
        DynamicConv(2, 3, 3, num_experts=2),
        torch.randn(4, 2, 6, 6),
        torch.tensor([0.9, 0.2]),
    )
    weights = {name: value.clone() for name, value in layer.state_dict().items()}

    def unchanged():
        state = layer.state_dict()
        return (
            state.keys() == weights.keys()
            and all(torch.equal(value, state[name]) for name, value in weights.items())
            and close(layer(x), own)
        )

    with torch.no_grad():
        own, expected = layer(x), dynamic_conv2d(x, layer.weight, alpha.expand(4, -1), padding=1)
        block = answer(layer, alpha)
        if block is None or block is ...:
            raise NotAttempted
        if not hasattr(block, "__enter__"):
            raise Wrong(
                f"`with fixed_alpha(...):` needs a context manager, got {type(block).__name__}. Put"
                " @contextlib.contextmanager above the function, and a yield into it."
            )
        with block:
            inside = layer(x)
        if close(inside, own):
            raise Wrong(
                "inside the block the router still decides. Before the yield, set `layer.alpha` to"
                " a function that returns the given α."
            )
        if not close(inside, expected):
            raise Wrong(
                "inside the block the output is not that of the given α for every image of the"
                " batch. The function has to return a tensor (B, M)."
            )
        if not unchanged():
            raise Wrong(
                "after the block the layer is not as it was. After the yield, `del layer.alpha`"
                " brings the method back."
            )
        try:
            with answer(layer, alpha):
                raise InterruptedError
        except InterruptedError:
            pass
        else:
            raise Wrong(
                "an error inside the block was swallowed. Use try and finally, without except."
            )
        if not unchanged():
            raise Wrong(
                "after an error in the block the layer keeps the foreign α. Put the clean-up into a"
                " `finally:`."
            )
    return "right: what is tested is as it was before, whatever happened."


EXERCISES = {"8.1": variance_share, "8.2": accuracy, "8.3": fixed_alpha}
