"""What the checkers share: the two verdicts, and comparing tensors with a useful message."""

from __future__ import annotations

import torch


class Wrong(Exception):
    """The answer is wrong; the message says what was found and hints at why."""


class NotAttempted(Exception):
    """The answer still holds the `...` of the stub."""


def call(function, *arguments):
    """Run the reader's function; an untouched stub returns `...` or None."""
    result = function(*arguments)
    if result is None or result is ...:
        raise NotAttempted
    return result


def number(value) -> float:
    """The reader's number, or NotAttempted for `...`."""
    if value is None or value is ...:
        raise NotAttempted
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Wrong(f"a number is wanted, got {value!r}.")
    return float(value)


def tensor(value, shape: tuple[int, ...]) -> torch.Tensor:
    """The reader's tensor, if it is one of the right shape."""
    if not isinstance(value, torch.Tensor):
        raise Wrong(f"a torch tensor of shape {shape} is wanted, got {type(value).__name__}.")
    if tuple(value.shape) != shape:
        raise Wrong(f"the result has shape {tuple(value.shape)}, but {shape} is wanted.")
    return value


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal up to rounding."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)
