"""What the routers do: record α over images, summarise it by condition, and test whether the
network depends on it.

A layer is dynamic if it has a method `alpha(x)`, (B, C, H, W) -> (B, M), which its forward calls:
`DynamicConv`, whatever holds one, and your own. Layers go by the names of `named_modules()`: in a
YOLO network 'model.1' is row 1 of its YAML.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import as_array
from .inference import Pictures, as_conditions, as_network, evaluating
from .scoring import ALL, score

OWN, MEAN = "own", "mean"  # columns of a swap matrix that are no conditions


# --- record ---------------------------------------------------------------------------------------


def dynamic_layers(model) -> dict[str, nn.Module]:
    """The dynamic layers of a network, by name, in the order of the network.

    Raises:
        ValueError: there is none.
        TypeError, FileNotFoundError: `model` is no network, no YOLO and no path of weights.
    """
    network = as_network(model)
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if callable(getattr(layer, "alpha", None))
    }
    if not layers:
        raise ValueError(
            f"{type(network).__name__} has no dynamic layer: no module in it has a method alpha(x),"
            " as dynconv.DynamicConv has"
        )
    return layers


@torch.no_grad()
def record(model, images, *, batch: int = 32, progress: bool = True) -> dict[str, np.ndarray]:
    """α of every dynamic layer for every image. The network is used in eval mode and left as it
    was.

    Args:
        model: a YOLO object, the path of weights, or a network.
        images: paths of images of one size, or a tensor (B, 3, H, W) from 0 to 1; taken as they
            are, neither scaled nor framed.
        batch: images at a time.
        progress: show a bar if there are many.

    Returns:
        A dict from the name of each layer to a float array (images, M), in the order of the network
        and of the images.

    Raises:
        ValueError: no dynamic layer, no images, images that differ in size, a size that the network
            cannot halve often enough.
        RuntimeError: a layer did not run exactly once per image.
    """
    network = as_network(model)
    layers, found = dynamic_layers(network), {}
    pictures = Pictures(images, network, batch)

    def keep(name):
        found[name] = []
        return lambda layer, inputs: found[name].append(
            layer.alpha(inputs[0]).float().cpu().numpy()
        )

    with contextlib.ExitStack() as stack:
        stack.enter_context(evaluating(network))
        for name, layer in layers.items():
            stack.callback(layer.register_forward_pre_hook(keep(name)).remove)
        for _, x in pictures.batches("recording α", progress):
            network(x)
    alpha = {
        name: np.concatenate(rows) if rows else np.empty((0, 0)) for name, rows in found.items()
    }
    for name, rows in alpha.items():
        if len(rows) != len(pictures):
            raise RuntimeError(
                f"{name} gave {len(rows)} α for {len(pictures)} images: a layer must run once per"
                " image to be recorded"
            )
    return alpha


def untrained(model, images, *, seed: int = 0, batch: int = 32):
    """The control: the same architecture with fresh weights. Its BatchNorms are calibrated on
    `images`, nothing else is learned.

    Without the calibration the signal would grow or fade from layer to layer, and the control be
    unlike any network in use.

    Args:
        model: as for `record`; it stays as it is.
        images: as for `record`; take images of the training split.
        seed: of the fresh weights. The random state of torch is left as it was.
        batch: images per step of the calibration.

    Returns:
        The new network, in eval mode.

    Raises:
        TypeError: a module holds parameters and has no `reset_parameters()`, so nobody knows how it
            starts.
        ValueError: as for `record`.
    """
    network = as_network(model)
    pictures = Pictures(images, network, batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = _fresh(network).to(next(network.parameters()).device).eval()
    norms = [
        module for module in fresh.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain average over all batches
        norm.train()
    with torch.no_grad():
        for _, x in pictures.batches("calibrating", progress=False):
            fresh(x)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return fresh.eval()


# --- summarise ------------------------------------------------------------------------------------


def means(alpha: dict[str, np.ndarray], conditions) -> dict[str, dict[str, np.ndarray]]:
    """Mean α by condition: {condition: {layer: (M,)}}, each entry as `fixed` takes it. Conditions
    in the order in which they occur.

    Raises:
        ValueError: there is not one condition per image.
    """
    conditions = as_conditions(conditions, len(next(iter(alpha.values()))))
    return {
        name: {layer: rows[conditions == name].mean(0) for layer, rows in alpha.items()}
        for name in dict.fromkeys(conditions.tolist())
    }


def spread(alpha) -> float:
    """How far α varies over images: the standard deviation of each expert's α, (images, M) -> root
    of the mean square over experts.
    """
    return float(np.sqrt(as_array("alpha", alpha, 2).var(0).mean()))


def variance_share(alpha, conditions) -> float:
    """η², the share of the variance of α that lies between conditions: 0 if all have the same mean,
    1 if α is constant in each.

    With ᾱ the mean of all N images and ᾱ_c that of the n_c images of condition c, η² = Σ_c n_c ‖ᾱ_c
    − ᾱ‖² / Σ_n ‖α_n − ᾱ‖². The sums run over the experts too. For a single expert and k conditions
    it is the F of an analysis of variance in another form, F = η² / (1 − η²) · (N − k) / (k − 1).
    If α does not vary at all there is nothing to share, and the result is 0.

    Args:
        alpha: (images, M), one layer of a recording; or one expert, (images, 1).
        conditions: one name per image.

    Raises:
        ValueError: there is not one condition per image.
    """
    alpha = as_array("alpha", alpha, 2)
    conditions = as_conditions(conditions, len(alpha))
    mean, total = alpha.mean(0), ((alpha - alpha.mean(0)) ** 2).sum()
    between = sum(
        (conditions == name).sum() * ((alpha[conditions == name].mean(0) - mean) ** 2).sum()
        for name in np.unique(conditions)
    )
    return float(between / total) if total > 0 else 0.0


def nearest_centroid_accuracy(alpha, conditions) -> float:
    """How often α gives the condition away: the share of images whose α is nearest to the mean α of
    their own condition.

    Each image is left out of the mean of its condition when it is judged (leave-one-out). With k
    conditions of equal size a guess is right in 1/k of the cases.

    Args:
        alpha: (images, M), one layer of a recording.
        conditions: one name per image; at least two images of each.

    Raises:
        ValueError: there is not one condition per image, or a condition has a single image.
    """
    alpha = as_array("alpha", alpha, 2)
    names, index, counts = np.unique(
        as_conditions(conditions, len(alpha)), return_inverse=True, return_counts=True
    )
    if counts.min() < 2:
        raise ValueError(
            f"each condition needs at least two images, {str(names[counts.argmin()])!r} has one"
        )
    centroids = np.stack([alpha[index == i].mean(0) for i in range(len(names))])
    distance = ((alpha[:, None] - centroids) ** 2).sum(2)  # (images, conditions)
    n = counts[index]
    without = (n[:, None] * centroids[index] - alpha) / (n[:, None] - 1)
    distance[np.arange(len(alpha)), index] = ((alpha - without) ** 2).sum(1)
    return float((distance.argmin(1) == index).mean())


def mixed_kernels(model, alpha: dict) -> dict[str, np.ndarray]:
    """Σ αᵢWᵢ for one α (M,) per layer: {layer: (Cout, Cin / groups, kh, kw)}.

    Raises:
        ValueError: no layer of that name, or not one value per expert.
        TypeError: a layer has no `weight` of M kernels.
    """
    layers, kernels = dynamic_layers(model), {}
    for name, value in _check_alpha(layers, alpha).items():
        weight = getattr(layers[name], "weight", None)
        if not isinstance(weight, Tensor) or len(weight) != len(value):
            raise TypeError(
                f"{name}, a {type(layers[name]).__name__}, has no `weight` of {len(value)} kernels"
            )
        kernels[name] = (
            torch.einsum("m,m...->...", value.to(weight), weight).detach().float().cpu().numpy()
        )
    return kernels


@dataclass(frozen=True)
class CloseUp:
    """What a figure shows of one layer's experts."""

    output: int  # the channel of the kernel shown, from 0
    input: int
    experts: np.ndarray  # (M, kh, kw), that part of each expert
    mean: np.ndarray  # (M,), the mean α of all images
    gram: (
        np.ndarray
    )  # (M, M), inner products of the whole experts: the squared norm of Σ αᵢWᵢ is αᵀ · gram · α


def closeups(model, alpha: dict[str, np.ndarray]) -> dict[str, CloseUp]:
    """For each recorded layer the pair of channels whose mixed kernel varies most over the images.

    Raises:
        ValueError, TypeError: as for `mixed_kernels`.
    """
    mixed_kernels(model, {name: rows[0] for name, rows in alpha.items()})  # the checks
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


# --- test -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def fixed(model, alpha: dict):
    """Within `with fixed(model, {layer: α}):` these layers use that α (M,) for every image; after
    it, and after an error, their own.

    Layers that are not named go on using their routers. It may be nested.

    Raises:
        ValueError: no layer of that name, or not one finite value per expert; nothing was changed
            then.
        TypeError: `model` is a path: what it would load could not be reached from outside.
    """
    if isinstance(model, (str, os.PathLike)):
        raise TypeError(
            f"fixed needs the loaded network, not the path {str(model)!r}: use YOLO(path)"
        )
    layers = dynamic_layers(model)
    alpha = _check_alpha(layers, alpha)
    before = {name: vars(layers[name]).get("alpha") for name in alpha}  # of an outer `fixed`
    try:
        for name, value in alpha.items():
            layers[name].alpha = lambda x, value=value: value.to(x).expand(len(x), -1)
        yield
    finally:
        for name, outer in before.items():
            vars(layers[name]).pop("alpha", None)
            if outer is not None:
                layers[name].alpha = outer


def swap(
    model,
    images,
    labels,
    conditions,
    *,
    alpha=None,
    sources=None,
    layers=None,
    batch: int = 32,
    progress: bool = True,
) -> dict[str, dict[str, float]]:
    """The kernel swap: mAP50 of the images of each condition, run with the mean α of each
    condition.

    Args:
        model, images, labels, conditions, batch, progress: as for `score`.
        alpha: what `record` gave for these images; recorded now if left out.
        sources: which columns to compute, any of 'own' (the routers at work), 'mean' (the mean α of
            all images) and the conditions; all of them if left out. Each takes a pass over the
            images.
        layers: names of the layers whose α is swapped; all if left out.

    Returns:
        A dict from each source of α to what `score` gives with it.

    Raises:
        ValueError: as for `score`; an unknown source or layer; a condition called 'own', 'mean' or
            'all'.
    """
    network = as_network(model)
    alpha = record(network, images, batch=batch, progress=progress) if alpha is None else alpha
    as_conditions(conditions, len(images))
    by_condition = means(alpha, conditions)
    if taken := {OWN, MEAN, ALL} & by_condition.keys():
        raise ValueError(
            f"a condition cannot be called {sorted(taken)[0]!r}: the matrix has a row or column of"
            " that name"
        )
    settings = {OWN: {}, MEAN: {name: rows.mean(0) for name, rows in alpha.items()}} | by_condition
    sources = list(settings) if sources is None else list(sources)
    for what, asked, known in (("source", sources, settings), ("layer", layers or (), alpha)):
        if unknown := [name for name in asked if name not in known]:
            raise ValueError(f"unknown {what} {unknown[0]!r}: expected one of {tuple(known)}")
    matrix = {}
    for source in sources:
        with fixed(
            network,
            {
                name: value
                for name, value in settings[source].items()
                if layers is None or name in layers
            },
        ):
            matrix[source] = score(
                network, images, labels, conditions, batch=batch, progress=progress
            )
    return matrix


# --- parts ----------------------------------------------------------------------------------------


def _fresh(network: nn.Module) -> nn.Module:
    """The same architecture with fresh weights: from its YAML if it has one, else each module
    starts as torch starts it.
    """
    if isinstance(
        getattr(network, "yaml", None), dict
    ):  # ultralytics: some of its weights are no module's own affair
        return type(network)(
            copy.deepcopy(network.yaml),
            ch=network.yaml.get("channels", 3),
            nc=network.yaml["nc"],
            verbose=False,
        )
    fresh = copy.deepcopy(network)
    for name, module in fresh.named_modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(
                f"{name or 'the network'}, a {type(module).__name__}, has parameters and no"
                " reset_parameters(): nobody knows how it starts"
            )
    return fresh


def _check_alpha(layers: dict[str, nn.Module], alpha: dict) -> dict[str, Tensor]:
    """α by layer as tensors (M,), if all names and lengths fit."""
    checked = {}
    for name, value in alpha.items():
        if name not in layers:
            close = difflib.get_close_matches(str(name), layers, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"no dynamic layer is called {name!r}{hint} There are: {', '.join(layers)}"
            )
        value = as_array(f"alpha of {name!r}", value, 1)
        experts = getattr(layers[name], "num_experts", len(value))
        if len(value) != experts:
            raise ValueError(
                f"alpha of {name!r} must have one value per expert ({experts}), got {len(value)}"
            )
        checked[name] = torch.from_numpy(value)
    return checked
