"""A network recorded as ONNX with α of its dynamic layers beside the detections, and run in PyTorch
in the same way.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Detect

from ..export import export_mode
from ..layers import DynamicConv

# The names of inputs and outputs; of α a layer's name follows.
IMAGES, DETECTIONS, ALPHA, GIVEN = "images", "output0", "alpha.", "given."
OPSET = 17


def prepared(network: nn.Module, end2end: bool | None) -> nn.Module:
    """A copy for prediction in float32, whose head gives the detections alone."""
    network = copy.deepcopy(network).float().cpu().eval().requires_grad_(False)
    for head in network.modules():
        if isinstance(head, Detect):
            head.export, head.format, head.dynamic, head.shape = True, "onnx", False, None
            if end2end is not None:
                if end2end and getattr(head, "one2one_cv2", None) is None:
                    raise ValueError("end2end=True needs a head without suppression, as YOLOv10's")
                try:
                    head.end2end = end2end
                except AttributeError:  # ultralytics 8.4.0 has no setter for it
                    if head.end2end != end2end:
                        raise ValueError(
                            f"the head of this ultralytics has end2end={head.end2end} and cannot be"
                            f" set to {end2end}; update ultralytics, or leave end2end out"
                        ) from None
    return network


def dynamic(network: nn.Module) -> dict[str, DynamicConv]:
    """The dynamic layers by name."""
    return {name: one for name, one in network.named_modules() if isinstance(one, DynamicConv)}


class _WithAlpha(nn.Module):
    """The network, with α of each dynamic layer as further outputs, and on request as inputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.layers = network, dynamic(network)

    def forward(self, images: Tensor, *given: Tensor):
        found, given = {}, dict(zip(self.layers, given))
        for name, layer in self.layers.items():
            layer.alpha = functools.partial(_note, name, layer, given.get(name), found)
        try:
            detections = self.network(images)
        finally:
            for layer in self.layers.values():
                del layer.alpha
        return detections, *(found[name] for name in self.layers)


def _note(name: str, layer: DynamicConv, given: Tensor | None, found: dict, x: Tensor) -> Tensor:
    alpha = type(layer).alpha(layer, x)
    found[name] = alpha if given is None else torch.where(torch.isnan(given), alpha, given)
    return found[name]


def run(network: nn.Module, pictures: Tensor, feeds: dict | None = None) -> list[np.ndarray]:
    """What the ONNX file should give, one image after the other. `feeds`: of `given`."""
    alphas = [torch.from_numpy(rows) for rows in (feeds or {}).values()]
    with torch.no_grad():
        runs = [
            _WithAlpha(network)(pictures[[k]], *(rows[[k]] for rows in alphas))
            for k in range(len(pictures))
        ]
    return [torch.cat(outputs).numpy() for outputs in zip(*runs)]


def record(network: nn.Module, file: Path, imgsz: int, any_batch: bool, alpha_inputs: bool) -> None:
    """Write the ONNX file: opset 17, by the exporter that traces."""
    layers = dynamic(network)
    batch = 2 if any_batch else 1
    inputs = [torch.rand(batch, 3, imgsz, imgsz)]
    if alpha_inputs:
        inputs += [torch.full((batch, one.num_experts), torch.nan) for one in layers.values()]
    input_names = [IMAGES, *(GIVEN + name for name in layers)][: len(inputs)]
    output_names = [DETECTIONS, *(ALPHA + name for name in layers)]
    vary = {name: {0: "batch"} for name in (*input_names, *output_names)} if any_batch else None
    with contextlib.ExitStack() as block:
        if any_batch:
            block.enter_context(export_mode())
        block.enter_context(warnings.catch_warnings())
        # each check of a shape, and that there is a newer exporter, which dynamic batches defeat
        warnings.simplefilter("ignore")
        block.enter_context(torch.no_grad())
        torch.onnx.export(
            _WithAlpha(network),
            tuple(inputs),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=vary,
        )


def given(network: nn.Module, count: int, alphas: list | None = None) -> dict[str, np.ndarray]:
    """The further inputs for a number of images: one α (M,) for each layer, or none, so that the
    routers decide.
    """
    layers = dynamic(network)
    alphas = (
        [np.full(one.num_experts, np.nan) for one in layers.values()] if alphas is None else alphas
    )
    return {
        GIVEN + name: np.tile(np.float32(alpha), (count, 1)) for name, alpha in zip(layers, alphas)
    }
