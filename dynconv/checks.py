"""What public functions ask of their arguments. Each message names the value, what was expected,
and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

Pair = int | tuple[int, int]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: '; did you mean ...?' if a known one is near,
    else a full stop.
    """
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else "."


def check_count(name: str, value: int) -> None:
    """Raise a TypeError or a ValueError unless `value` is an int, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def as_pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    """(vertical, horizontal) of an int or a pair of ints, each at least `least`; else a TypeError
    or a ValueError.
    """
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) for v in pair):
        raise TypeError(
            f"{name} must be an int or a pair (vertical, horizontal) of ints, got {value!r}"
        )
    if min(pair) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return pair


def output_size(x, weight, stride, padding, dilation) -> tuple[int, int]:
    """(H', W'); a ValueError if the kernel does not fit into the padded input even once."""
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], weight.shape[3:], stride, padding, dilation)
    ]
    if min(size) < 1:
        raise ValueError(
            f"the output would be empty: a {tuple(weight.shape[3:])} kernel with dilation"
            f" {dilation} does not fit into a {tuple(x.shape[2:])} input with padding {padding};"
            " use a larger input, more padding or a smaller kernel"
        )
    return size[0], size[1]


def check_tensor(
    name: str, tensor: Tensor, rank: int, form: str, like_name: str, like: Tensor
) -> None:
    """A floating-point tensor of that rank, on the device and of the dtype of `like`."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor of shape {form}, got {type(tensor).__name__}"
        )
    if tensor.dim() != rank:
        raise ValueError(
            f"{name} must have {rank} dimensions {form}, got shape {tuple(tensor.shape)}"
        )
    if not tensor.is_floating_point():
        raise TypeError(
            f"{name} must be floating point, got {tensor.dtype}; convert it with .float() first"
        )
    if tensor.device != like.device:
        raise ValueError(
            f"{name} is on {tensor.device} but {like_name} is on {like.device}: move one of them"
            " with .to(...)"
        )
    if tensor.dtype != like.dtype and not autocast_is_on(like):
        raise TypeError(
            f"{name} is {tensor.dtype} but {like_name} is {like.dtype}: convert one of them, or use"
            " torch.autocast"
        )
    if tensor.dtype != like.dtype and torch.float64 in (tensor.dtype, like.dtype):
        raise TypeError(
            f"{name} is {tensor.dtype} but {like_name} is {like.dtype}: autocast leaves float64 as"
            " it is, convert one of them"
        )


def autocast_is_on(tensor: Tensor) -> bool:
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(
        device
    )  # the meta device has none


def as_array(name: str, value, ndim: int | None) -> np.ndarray:
    """A finite float64 array from a list, an array or a tensor; a ValueError that names `name` if
    it cannot be one.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().double()
    array = np.asarray(value, dtype=np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} dimension{'s' * (ndim != 1)}, got shape {array.shape}"
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite and not empty, got shape {array.shape} with"
            f" {(~np.isfinite(array)).sum()} non-finite"
        )
    return array
