"""What the checkers share: the verdicts, how an answer is read, and the table of known mistakes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..checks import is_int


class Wrong(Exception):
    """The answer is wrong; the message says what was found and hints at why."""


class NotAttempted(Exception):
    """The answer still holds the `...` of the stub."""


# --- reading an answer ----------------------------------------------------------------------------


def attempted(result):
    """What the reader's function returned; an untouched stub returns `...` or None."""
    if result is None or result is ...:
        raise NotAttempted
    return result


def call(function, *arguments):
    """Run the reader's function."""
    return attempted(function(*arguments))


def number(value) -> float:
    """The reader's number."""
    value = attempted(value)
    if not (is_int(value) or isinstance(value, (float, np.floating))):
        raise Wrong(f"a number is wanted, got {value!r}.")
    return float(value)


def tensor(value, shape: tuple[int, ...]) -> torch.Tensor:
    """The reader's tensor, if it is one of the right shape."""
    if not isinstance(value, torch.Tensor):
        raise Wrong(f"a torch tensor of shape {shape} is wanted, got {type(value).__name__}.")
    if tuple(value.shape) != shape:
        raise Wrong(f"the result has shape {tuple(value.shape)}, but {shape} is wanted.")
    return value


# --- comparing it ---------------------------------------------------------------------------------


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tensors that are equal up to rounding."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def near(a: float, b: float, tolerance: float = 1e-9) -> bool:
    """Numbers that are equal up to rounding."""
    return abs(a - b) < tolerance


def reject(got, mistakes: dict, same=near, where: str = "") -> None:
    """Hint at a known mistake. What is in no entry may still be wrong.

    Args:
        got: the reader's answer.
        mistakes: {hint: the answer that this mistake leads to}, or a list of such answers, empty
            if the mistake cannot show in this case. The first that is met counts.
        same: whether two answers are the same, such as `close` for tensors.
        where: the case that was tried; it stands before the hint.

    Raises:
        Wrong: with the hint.
    """
    for hint, wrong in mistakes.items():
        if any(same(got, each) for each in (wrong if isinstance(wrong, list) else [wrong])):
            raise Wrong(f"{where}: {hint}" if where else hint)


def reject_if(signs: dict[str, bool], where: str = "") -> None:
    """The same for mistakes that show otherwise than by one value: {hint: whether it shows}."""
    for hint, shows in signs.items():
        if shows:
            raise Wrong(f"{where}: {hint}" if where else hint)


def flops(layer: nn.Module, *inputs: torch.Tensor) -> int:
    """What PyTorch's own counter says of one call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(*inputs)
    return counter.get_total_flops()
