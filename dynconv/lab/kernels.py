"""The kernels that α mixes: of one α, and those that vary most over the images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..checks import as_array
from .inference import as_recording
from .recording import check_alpha, dynamic_layers


def mixed_kernels(model, alpha: dict) -> dict[str, np.ndarray]:
    """Σ αᵢWᵢ for one α (M,) per layer: {layer: (Cout, Cin / groups, kh, kw)}.

    Raises:
        ValueError: no layer of that name, or not one value per expert.
        TypeError: a layer has no `weight` of M kernels.
    """
    layers, kernels = dynamic_layers(model), {}
    for name, value in check_alpha(layers, alpha).items():
        weight = getattr(layers[name], "weight", None)
        if not isinstance(weight, Tensor) or len(weight) != len(value):
            raise TypeError(
                f"{name}, a {type(layers[name]).__name__}, has no `weight` of {len(value)} kernels"
            )
        kernel = torch.einsum("m,m...->...", value.to(weight), weight)
        kernels[name] = kernel.detach().float().cpu().numpy()
    return kernels


@dataclass(frozen=True)
class CloseUp:
    """What a figure shows of one layer's experts."""

    output: int  # the channel of the kernel shown, from 0
    input: int
    experts: np.ndarray  # (M, kh, kw), that part of each expert
    mean: np.ndarray  # (M,), the mean α of all images
    # (M, M), inner products of the whole experts: the squared norm of Σ αᵢWᵢ is αᵀ · gram · α
    gram: np.ndarray


def closeups(model, alpha: dict[str, np.ndarray]) -> dict[str, CloseUp]:
    """For each recorded layer the pair of channels whose mixed kernel varies most over the images.

    Raises:
        ValueError, TypeError: as for `mixed_kernels`.
    """
    for name, rows in as_recording(alpha).items():
        as_array(f"alpha of {name!r}", rows, 2)
    mixed_kernels(model, {name: rows[0] for name, rows in alpha.items()})  # the other checks
    layers, found = dynamic_layers(model), {}
    for name, rows in alpha.items():
        weight = layers[name].weight.detach().cpu().double().numpy()
        covariance = np.cov(rows.T.astype(float), bias=True).reshape(len(weight), -1)
        variance = np.einsum("ab,aoihw,boihw->oi", covariance, weight, weight, optimize=True)
        output, input = (
            int(index) for index in np.unravel_index(variance.argmax(), variance.shape)
        )
        flat = weight.reshape(len(weight), -1)
        found[name] = CloseUp(output, input, weight[:, output, input], rows.mean(0), flat @ flat.T)
    return found
