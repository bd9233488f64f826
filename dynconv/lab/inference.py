"""Running images through somebody else's network: find it, feed it, leave it as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from ..checks import FLOATS, check_file, is_int, shown


def as_network(model) -> nn.Module:
    """The network of a YOLO object (itself an nn.Module, whose train() trains) or of a weights
    file, nothing in which runs; a network as it is.
    """
    from ultralytics.engine.model import Model

    if isinstance(model, (str, os.PathLike)):
        from ..yolo import load

        model = load(model)
    if isinstance(model, Model):
        model = model.model
    if not isinstance(model, nn.Module):
        raise TypeError(
            "model must be a YOLO, the path of weights (.pt) or a torch network, got"
            f" {shown(model)}"
        )
    return model


class Pictures:
    """Images in batches on the network's device; their sizes are checked before anything runs."""

    def __init__(self, images, network: nn.Module, batch: int):
        if not is_int(batch) or batch < 1:
            raise ValueError(f"batch must be a whole number, at least 1, got {shown(batch)}")
        if isinstance(images, (str, os.PathLike)):
            raise ValueError(
                f"images must be a list of paths or a tensor, got the single path {str(images)!r}"
            )
        if not isinstance(images, Tensor):
            images = _as_paths(images)
        elif images.ndim != 4 or images.dtype not in FLOATS:
            raise ValueError(_wanted(images))
        if len(images) == 0:
            raise ValueError(
                "there are no images: give at least one path, or a tensor (B, 3, H, W)"
            )
        self.images, self.batch = images, batch
        self.like = next(network.parameters(), torch.empty(0))
        if isinstance(images, Tensor):
            if not (images.min() >= 0 and images.max() <= 1):
                raise ValueError(f"{_wanted(images)} from {images.min():g} to {images.max():g}")
            size = tuple(images.shape[:1:-1])
        else:
            size, first = self._size(images[0]), images[0]
            for path in images[1:]:
                if self._size(path) != size:
                    raise ValueError(
                        f"images must have one size: {Path(first).name} has {size},"
                        f" {Path(path).name} has {self._size(path)} pixels"
                    )
        stride = int(max(getattr(network, "stride", [1])))
        if any(side % stride for side in size):
            raise ValueError(
                f"the sides of the images must be multiples of the network's stride {stride}, got"
                f" {size} pixels"
            )

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, what: str, progress: bool) -> Iterator[tuple[int, Tensor]]:
        """Pairs of the number of the first image and a tensor (up to `batch`, 3, H, W)."""
        starts = range(0, len(self), self.batch)
        for start in tqdm(
            starts, desc=what, unit="batch", leave=False, disable=not progress or len(starts) < 8
        ):
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


def _wanted(images: Tensor) -> str:
    form = "a float tensor (B, 3, H, W) from 0 to 1"
    return f"images must be {form}, got {tuple(images.shape)} of {images.dtype}"


def _as_paths(images) -> list:
    paths = list(images) if isinstance(images, (list, tuple, np.ndarray)) else [images]
    for path in paths:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"images must be a list of paths or a tensor (B, 3, H, W), got {shown(path)}"
            )
        check_file("image", path)
    return paths


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards each module is in the mode in which it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def as_recording(alpha: dict) -> dict:
    """What holds something for each layer; a TypeError or a ValueError if it is no dictionary."""
    if not isinstance(alpha, dict):
        raise TypeError(f"alpha must be a dictionary {{layer: α}}, got {shown(alpha)}")
    return alpha


def as_conditions(conditions, count: int) -> np.ndarray:
    """The name of the condition of each image; a ValueError if there is not one for each."""
    try:
        conditions = np.asarray(conditions)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"conditions must be a list of names: {error}") from None
    if conditions.shape != (count,):
        raise ValueError(
            f"conditions must have one name per image ({count}), got shape {conditions.shape}"
        )
    return conditions
