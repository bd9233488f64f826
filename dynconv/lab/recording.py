"""What the routers of a network say: α of each dynamic layer, recorded over images, of a trained
network, of one in training and of an untrained control.
"""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import as_array, check_count, did_you_mean
from .inference import Pictures, as_network, as_recording, evaluating


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
        ValueError: no dynamic layer, no images, a path that is no file, images that differ in size,
            a size that the network cannot halve often enough.
        FileNotFoundError: an image is not there.
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
    """The control: the same architecture with fresh weights, `calibrated` on `images`; nothing else
    is learned.

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
    network, seed = as_network(model), check_count("seed", seed, 0, most=2**63 - 1)
    pictures = Pictures(images, network, batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = _fresh(network).to(pictures.like.device)
    return _calibrate(fresh, pictures)


def calibrated(model, images, *, batch: int = 32):
    """A copy of a network whose BatchNorms hold the means and variances of `images`. All weights
    are as they were.

    In training a BatchNorm normalises by the numbers of its batch, in eval mode by those that it
    has stored, a running average that starts at mean 0 and variance 1. As long as the average has
    not come to its value, the signal grows or fades from layer to layer, and the network is unlike
    the one that was trained.

    Args:
        model: as for `record`; it stays as it is.
        images: as for `record`; take images of the training split.
        batch: images per step.

    Returns:
        The copy, in eval mode.

    Raises:
        ValueError: as for `record`.
    """
    network = as_network(model)
    return _calibrate(copy.deepcopy(network), Pictures(images, network, batch))


def _calibrate(network: nn.Module, pictures: Pictures) -> nn.Module:
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
        norm.train()
    with torch.no_grad():
        for _, x in pictures.batches("calibrating", progress=False):
            network(x)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return network.eval()


def check_alpha(layers: dict[str, nn.Module], alpha: dict) -> dict[str, Tensor]:
    """α by layer as tensors (M,), if all names and lengths fit; else a TypeError or ValueError."""
    checked = {}
    as_recording(alpha)
    for name, value in alpha.items():
        if name not in layers:
            raise ValueError(
                f"no dynamic layer is called {name!r}{did_you_mean(str(name), layers)} There are:"
                f" {', '.join(layers)}"
            )
        value = as_array(f"alpha of {name!r}", value, 1)
        experts = getattr(layers[name], "num_experts", len(value))
        if len(value) != experts:
            raise ValueError(
                f"alpha of {name!r} must have one value per expert ({experts}), got {len(value)}"
            )
        checked[name] = torch.from_numpy(value)
    return checked


def _fresh(network: nn.Module) -> nn.Module:
    """The same architecture with fresh weights: from its YAML if it has one, else each module
    starts as torch starts it.
    """
    # ultralytics: some of its weights are no module's own affair
    if isinstance(getattr(network, "yaml", None), dict):
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
