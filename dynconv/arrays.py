"""What the figures take: plain arrays, checked by name."""

from __future__ import annotations

import numpy as np

from . import style


def as_array(name: str, value, ndim: int | None) -> np.ndarray:
    """A finite float64 array from a list, an array or a tensor; a ValueError that names `name` if it cannot be one."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().double()
    array = np.asarray(value, dtype=np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension{'s' * (ndim != 1)}, got shape {array.shape}")
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite and not empty, got shape {array.shape} with {(~np.isfinite(array)).sum()} non-finite")
    return array


def as_alpha(alpha, experts: int | None = None) -> np.ndarray:
    """α as an array of one value per expert; `experts` is how many there must be."""
    alpha = as_array("alpha", alpha, 1)
    if experts not in (None, len(alpha)):
        raise ValueError(f"alpha must have one value per expert ({experts}), got {len(alpha)}")
    if len(alpha) > len(style.EXPERTS):
        raise ValueError(f"a figure shows at most {len(style.EXPERTS)} experts (each has its own colour and hatch), got {len(alpha)}")
    return alpha
