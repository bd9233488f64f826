"""What figures ask of α: one value for each expert, and no more experts than there are colours."""

from __future__ import annotations

import numpy as np

from ..checks import as_array
from . import style


def as_alpha(alpha, experts: int | None = None) -> np.ndarray:
    """α as an array of one value per expert; `experts` is how many there must be."""
    alpha = as_array("alpha", alpha, 1)
    if experts not in (None, len(alpha)):
        raise ValueError(f"alpha must have one value per expert ({experts}), got {len(alpha)}")
    if len(alpha) > len(style.EXPERTS):
        raise ValueError(
            f"a figure shows at most {len(style.EXPERTS)} experts (each has its own colour and"
            f" hatch), got {len(alpha)}"
        )
    return alpha


def within(name: str, array, low: float, high: float) -> None:
    """A ValueError unless all values lie from `low` to `high`."""
    if array.min() < low or array.max() > high:
        raise ValueError(
            f"{name} must be from {low} to {high}, got {array.min():.3g} to {array.max():.3g}"
        )


def one_of(name: str, value, allowed) -> None:
    """A ValueError unless the value is one of those allowed, a sequence or a range."""
    if isinstance(value, bool) or value not in allowed:
        text = (
            f"{allowed[0]} to {allowed[-1]}"
            if isinstance(allowed, range)
            else ", ".join(map(str, allowed))
        )
        raise ValueError(f"{name} must be one of {text}, got {value!r}")
