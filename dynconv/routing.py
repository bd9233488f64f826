"""What the routers do: record α over images, summarise it by condition, and test whether the network depends on it.

A layer is dynamic if it has a method `alpha(x)`, (B, C, H, W) -> (B, M), which its forward calls: `DynamicConv`, whatever holds
one, and your own. Layers go by the names of `named_modules()`: in a YOLO network 'model.1' is row 1 of its YAML.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from .arrays import as_array

OWN, MEAN, ALL = "own", "mean", "all"  # columns and row of a swap matrix that are no conditions


# --- record ----------------------------------------------------------------------------------------------------------


def dynamic_layers(model) -> dict[str, nn.Module]:
    """The dynamic layers of a network, by name, in the order of the network.

    Raises:
        ValueError: there is none.
        TypeError, FileNotFoundError: `model` is no network, no YOLO and no path of weights.
    """
    network = _network(model)
    layers = {name: layer for name, layer in network.named_modules() if callable(getattr(layer, "alpha", None))}
    if not layers:
        raise ValueError(f"{type(network).__name__} has no dynamic layer: no module in it has a method alpha(x), as dynconv.DynamicConv has")
    return layers


@torch.no_grad()
def record(model, images, *, batch: int = 32, progress: bool = True) -> dict[str, np.ndarray]:
    """α of every dynamic layer for every image. The network is used in eval mode and left as it was.

    Args:
        model: a YOLO object, the path of weights, or a network.
        images: paths of images of one size, or a tensor (B, 3, H, W) from 0 to 1; taken as they are, neither scaled nor framed.
        batch: images at a time.
        progress: show a bar if there are many.

    Returns:
        {name of the layer: float array (images, M)}, in the order of the network and of the images.

    Raises:
        ValueError: no dynamic layer, no images, images that differ in size, a size that the network cannot halve often enough.
        RuntimeError: a layer did not run exactly once per image.
    """
    network = _network(model)
    layers, found = dynamic_layers(network), {}
    pictures = _Pictures(images, network, batch)

    def keep(name):
        found[name] = []
        return lambda layer, inputs: found[name].append(layer.alpha(inputs[0]).float().cpu().numpy())

    with contextlib.ExitStack() as stack:
        stack.enter_context(_evaluating(network))
        for name, layer in layers.items():
            stack.callback(layer.register_forward_pre_hook(keep(name)).remove)
        for _, x in pictures.batches("recording α", progress):
            network(x)
    alpha = {name: np.concatenate(rows) if rows else np.empty((0, 0)) for name, rows in found.items()}
    for name, rows in alpha.items():
        if len(rows) != len(pictures):
            raise RuntimeError(f"{name} gave {len(rows)} α for {len(pictures)} images: a layer must run once per image to be recorded")
    return alpha


def untrained(model, images, *, seed: int = 0, batch: int = 32):
    """The control: the same architecture with fresh weights. Its BatchNorms are calibrated on `images`, nothing else is learned.

    Without the calibration the signal would grow or fade from layer to layer, and the control be unlike any network in use.

    Args:
        model: as for `record`; it stays as it is.
        images: as for `record`; take images of the training split.
        seed: of the fresh weights. The random state of torch is left as it was.
        batch: images per step of the calibration.

    Returns:
        the new network, in eval mode.

    Raises:
        TypeError: a module holds parameters and has no `reset_parameters()`, so nobody knows how it starts.
        ValueError: as for `record`.
    """
    network = _network(model)
    pictures = _Pictures(images, network, batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = _fresh(network).to(next(network.parameters()).device).eval()
    norms = [module for module in fresh.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
        norm.train()
    with torch.no_grad():
        for _, x in pictures.batches("calibrating", progress=False):
            fresh(x)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return fresh.eval()


# --- summarise -------------------------------------------------------------------------------------------------------


def means(alpha: dict[str, np.ndarray], conditions) -> dict[str, dict[str, np.ndarray]]:
    """Mean α by condition: {condition: {layer: (M,)}}, each entry as `fixed` takes it. Conditions in the order in which they occur.

    Raises:
        ValueError: there is not one condition per image.
    """
    conditions = _conditions(conditions, len(next(iter(alpha.values()))))
    return {name: {layer: rows[conditions == name].mean(0) for layer, rows in alpha.items()} for name in dict.fromkeys(conditions.tolist())}


def spread(alpha) -> float:
    """How far α varies over images: the standard deviation of each expert's α, (images, M) -> root of the mean square over experts."""
    return float(np.sqrt(as_array("alpha", alpha, 2).var(0).mean()))


def variance_share(alpha, conditions) -> float:
    """η², the share of the variance of α that lies between conditions: 0 if all have the same mean, 1 if α is constant in each.

    With ᾱ the mean of all N images and ᾱ_c that of the n_c images of condition c, η² = Σ_c n_c ‖ᾱ_c − ᾱ‖² / Σ_n ‖α_n − ᾱ‖².
    The sums run over the experts too. For a single expert and k conditions it is the F of an analysis of variance in another
    form, F = η² / (1 − η²) · (N − k) / (k − 1). If α does not vary at all there is nothing to share, and the result is 0.

    Args:
        alpha: (images, M), one layer of a recording; or one expert, (images, 1).
        conditions: one name per image.

    Raises:
        ValueError: there is not one condition per image.
    """
    alpha = as_array("alpha", alpha, 2)
    conditions = _conditions(conditions, len(alpha))
    mean, total = alpha.mean(0), ((alpha - alpha.mean(0)) ** 2).sum()
    between = sum((conditions == name).sum() * ((alpha[conditions == name].mean(0) - mean) ** 2).sum() for name in np.unique(conditions))
    return float(between / total) if total > 0 else 0.0


def nearest_centroid_accuracy(alpha, conditions) -> float:
    """How often α gives the condition away: the share of images whose α is nearest to the mean α of their own condition.

    Each image is left out of the mean of its condition when it is judged (leave-one-out). With k conditions of equal size a
    guess is right in 1/k of the cases.

    Args:
        alpha: (images, M), one layer of a recording.
        conditions: one name per image; at least two images of each.

    Raises:
        ValueError: there is not one condition per image, or a condition has a single image.
    """
    alpha = as_array("alpha", alpha, 2)
    names, index, counts = np.unique(_conditions(conditions, len(alpha)), return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"each condition needs at least two images, {str(names[counts.argmin()])!r} has one")
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
            raise TypeError(f"{name}, a {type(layers[name]).__name__}, has no `weight` of {len(value)} kernels")
        kernels[name] = torch.einsum("m,m...->...", value.to(weight), weight).detach().float().cpu().numpy()
    return kernels


@dataclass(frozen=True)
class CloseUp:
    """What a figure shows of one layer's experts."""

    output: int  # the channel of the kernel shown, from 0
    input: int
    experts: np.ndarray  # (M, kh, kw), that part of each expert
    mean: np.ndarray  # (M,), the mean α of all images
    gram: np.ndarray  # (M, M), inner products of the whole experts: the squared norm of Σ αᵢWᵢ is αᵀ · gram · α


def closeups(model, alpha: dict[str, np.ndarray]) -> dict[str, CloseUp]:
    """For each recorded layer the pair of channels whose mixed kernel varies most over the images.

    Raises:
        ValueError, TypeError: as for `mixed_kernels`.
    """
    mixed_kernels(model, {name: rows[0] for name, rows in alpha.items()})  # the checks
    layers, found = dynamic_layers(model), {}
    for name, rows in alpha.items():
        weight = layers[name].weight.detach().double().cpu().numpy()
        covariance = np.cov(rows.T.astype(float), bias=True).reshape(len(weight), -1)
        variance = np.einsum("ab,aoihw,boihw->oi", covariance, weight, weight, optimize=True)
        output, input = (int(index) for index in np.unravel_index(variance.argmax(), variance.shape))
        flat = weight.reshape(len(weight), -1)
        found[name] = CloseUp(output, input, weight[:, output, input], rows.mean(0), flat @ flat.T)
    return found


# --- test ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fixed(model, alpha: dict):
    """Within `with fixed(model, {layer: α}):` these layers use that α (M,) for every image; after it, and after an error, their own.

    Layers that are not named go on using their routers. It may be nested.

    Raises:
        ValueError: no layer of that name, or not one finite value per expert; nothing was changed then.
        TypeError: `model` is a path: what it would load could not be reached from outside.
    """
    if isinstance(model, (str, os.PathLike)):
        raise TypeError(f"fixed needs the loaded network, not the path {str(model)!r}: use YOLO(path)")
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


@torch.no_grad()
def score(model, images, labels, conditions=None, *, batch: int = 32, progress: bool = True) -> dict[str, float]:
    """mAP50 of a detector over all images, and over those of each condition.

    Boxes, non-maximum suppression, matching and average precision are those of ultralytics' validation. What is scored is what
    the network's head gives in eval mode: for YOLOv10 the one-to-many head with non-maximum suppression, unless
    `network.end2end` was set. Images are taken as they are, as by `model.val(rect=False)`; with rect=True, its default, ultralytics
    would put a grey frame around them, of which a router takes the mean as well.

    Args:
        model, images, batch, progress: as for `record`.
        labels: for each image an array (objects, 5): class number, centre x, y, width, height as parts of the sides.
        conditions: one name per image.

    Returns:
        {condition: mAP50, ..., 'all': mAP50}, from 0 to 1.

    Raises:
        ValueError: no images, sizes that differ, or not one entry of labels or conditions per image.
    """
    network = _network(model)
    pictures = _Pictures(images, network, batch)
    conditions = _conditions([ALL] * len(pictures) if conditions is None else conditions, len(pictures))
    if len(labels) != len(pictures):
        raise ValueError(f"labels must have one entry per image ({len(pictures)}), got {len(labels)}")
    judge, results = _judge(network), []
    with _evaluating(network):
        for start, x in pictures.batches("scoring", progress):
            for found, target in zip(judge.postprocess(network(x)), labels[start : start + len(x)]):
                results.append(_judged(judge, found, target, x.shape[2:]))
    names = dict.fromkeys(conditions.tolist())
    rows = {name: [result for result, condition in zip(results, conditions) if condition == name] for name in names}
    return {name: _mAP50(part) for name, part in (rows | {ALL: results}).items()}


def swap(model, images, labels, conditions, *, alpha=None, sources=None, layers=None, batch: int = 32, progress: bool = True) -> dict[str, dict[str, float]]:
    """The kernel swap: mAP50 of the images of each condition, run with the mean α of each condition.

    Args:
        model, images, labels, conditions, batch, progress: as for `score`.
        alpha: what `record` gave for these images; recorded now if left out.
        sources: which columns to compute, any of 'own' (the routers at work), 'mean' (the mean α of all images) and the
            conditions; all of them if left out. Each takes a pass over the images.
        layers: names of the layers whose α is swapped; all if left out.

    Returns:
        {source of α: {condition of the images: mAP50, ..., 'all': mAP50}}.

    Raises:
        ValueError: as for `score`; an unknown source or layer; a condition called 'own', 'mean' or 'all'.
    """
    network = _network(model)
    alpha = record(network, images, batch=batch, progress=progress) if alpha is None else alpha
    _conditions(conditions, len(images))
    by_condition = means(alpha, conditions)
    if taken := {OWN, MEAN, ALL} & by_condition.keys():
        raise ValueError(f"a condition cannot be called {sorted(taken)[0]!r}: the matrix has a row or column of that name")
    settings = {OWN: {}, MEAN: {name: rows.mean(0) for name, rows in alpha.items()}} | by_condition
    sources = list(settings) if sources is None else list(sources)
    for what, asked, known in (("source", sources, settings), ("layer", layers or (), alpha)):
        if unknown := [name for name in asked if name not in known]:
            raise ValueError(f"unknown {what} {unknown[0]!r}: expected one of {tuple(known)}")
    matrix = {}
    for source in sources:
        with fixed(network, {name: value for name, value in settings[source].items() if layers is None or name in layers}):
            matrix[source] = score(network, images, labels, conditions, batch=batch, progress=progress)
    return matrix


# --- parts -----------------------------------------------------------------------------------------------------------


def _network(model) -> nn.Module:
    """The network of a YOLO object (itself an nn.Module, whose train() trains) or of a weights file; a network as it is."""
    from ultralytics.engine.model import Model

    if isinstance(model, (str, os.PathLike)):
        from ultralytics import YOLO

        if not Path(model).is_file():
            raise FileNotFoundError(f"there are no weights at {str(model)!r}")
        model = YOLO(model)
    if isinstance(model, Model):
        model = model.model
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a YOLO, the path of weights (.pt) or a torch network, got {model!r}")
    return model


class _Pictures:
    """Images in batches on the network's device; their sizes are checked before anything runs."""

    def __init__(self, images, network: nn.Module, batch: int):
        if not isinstance(batch, int) or batch < 1:
            raise ValueError(f"batch must be a whole number, at least 1, got {batch!r}")
        if isinstance(images, (str, os.PathLike)):
            raise ValueError(f"images must be a list of paths or a tensor, got the single path {str(images)!r}")
        if len(images) == 0:
            raise ValueError("there are no images: give at least one path, or a tensor (B, 3, H, W)")
        self.images, self.batch, self.like = images, batch, next(network.parameters())
        if isinstance(images, Tensor):
            if images.ndim != 4 or not images.is_floating_point() or images.min() < 0 or images.max() > 1:
                raise ValueError(f"images must be a float tensor (B, 3, H, W) from 0 to 1, got {tuple(images.shape)} of {images.dtype} from {images.min():g} to {images.max():g}")
            size = tuple(images.shape[:1:-1])
        else:
            size, first = self._size(images[0]), images[0]
            for path in images[1:]:
                if self._size(path) != size:
                    raise ValueError(f"images must have one size: {Path(first).name} has {size}, {Path(path).name} has {self._size(path)} pixels")
        stride = int(max(getattr(network, "stride", [1])))
        if any(side % stride for side in size):
            raise ValueError(f"the sides of the images must be multiples of the network's stride {stride}, got {size} pixels")

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, what: str, progress: bool):
        """Pairs of the number of the first image and a tensor (up to `batch`, 3, H, W)."""
        starts = range(0, len(self), self.batch)
        for start in tqdm(starts, desc=what, unit="batch", leave=False, disable=not progress or len(starts) < 8):
            part = self.images[start : start + self.batch]
            yield start, (part if isinstance(part, Tensor) else self._load(part)).to(self.like)

    @staticmethod
    def _size(path) -> tuple[int, int]:
        with Image.open(path) as image:  # reads the header only
            return image.size

    @staticmethod
    def _load(paths) -> Tensor:
        arrays = []
        for path in paths:
            with Image.open(path) as image:
                arrays.append(np.asarray(image.convert("RGB")))
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255


@contextlib.contextmanager
def _evaluating(network: nn.Module):
    """Eval mode; afterwards each module is in the mode in which it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _fresh(network: nn.Module) -> nn.Module:
    """The same architecture with fresh weights: from its YAML if it has one, else each module starts as torch starts it."""
    if isinstance(getattr(network, "yaml", None), dict):  # ultralytics: some of its weights are no module's own affair
        return type(network)(copy.deepcopy(network.yaml), ch=network.yaml.get("channels", 3), nc=network.yaml["nc"], verbose=False)
    fresh = copy.deepcopy(network)
    for name, module in fresh.named_modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(f"{name or 'the network'}, a {type(module).__name__}, has parameters and no reset_parameters(): nobody knows how it starts")
    return fresh


def _conditions(conditions, count: int) -> np.ndarray:
    conditions = np.asarray(conditions)
    if conditions.shape != (count,):
        raise ValueError(f"conditions must have one name per image ({count}), got shape {conditions.shape}")
    return conditions


def _check_alpha(layers: dict[str, nn.Module], alpha: dict) -> dict[str, Tensor]:
    """α by layer as tensors (M,), if all names and lengths fit."""
    checked = {}
    for name, value in alpha.items():
        if name not in layers:
            close = difflib.get_close_matches(str(name), layers, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"no dynamic layer is called {name!r}{hint} There are: {', '.join(layers)}")
        value = as_array(f"alpha of {name!r}", value, 1)
        experts = getattr(layers[name], "num_experts", len(value))
        if len(value) != experts:
            raise ValueError(f"alpha of {name!r} must have one value per expert ({experts}), got {len(value)}")
        checked[name] = torch.from_numpy(value)
    return checked


def _judge(network: nn.Module):
    """ultralytics' validator, for its non-maximum suppression and its matching at IoU 0.5."""
    from ultralytics.models.yolo.detect import DetectionValidator

    judge = DetectionValidator(save_dir=Path(tempfile.gettempdir()), args={"task": "detect", "plots": False})
    judge.end2end = bool(getattr(network, "end2end", False))
    judge.iouv = judge.iouv[:1]
    judge.niou = 1
    return judge


def _judged(judge, found: dict, target, size) -> tuple[np.ndarray, ...]:
    """One image: which of its detections are right (detections, 1), their scores and classes, and the classes that are there."""
    from ultralytics.utils.metrics import box_iou
    from ultralytics.utils.ops import xywh2xyxy

    device = found["bboxes"].device
    target = torch.as_tensor(np.asarray(target, np.float32).reshape(-1, 5), device=device)
    height, width = size
    boxes = xywh2xyxy(target[:, 1:]) * torch.tensor([width, height, width, height], device=device)
    if len(target) and len(found["cls"]):
        right = judge.match_predictions(found["cls"], target[:, 0], box_iou(boxes, found["bboxes"].float())).cpu().numpy()
    else:
        right = np.zeros((len(found["cls"]), 1), bool)
    return right, found["conf"].cpu().numpy(), found["cls"].cpu().numpy(), target[:, 0].cpu().numpy()


def _mAP50(results: list) -> float:
    """Mean over the classes that occur; 0 if no class does."""
    from ultralytics.utils.metrics import ap_per_class

    right, scores, classes, targets = (np.concatenate(part) for part in zip(*results))
    return float(ap_per_class(right, scores, classes, targets)[5].mean()) if len(targets) else 0.0
