"""What a model costs, counted two ways: by PyTorch's own counter, and as ultralytics would print
it.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import nn

from .checks import as_network, as_pair, check_count
from .layers import DynamicConv

MOST_NUMBERS = 2**28  # in one image: RGB at the largest imgsz


class Cost(NamedTuple):
    """The cost of one forward pass for one image. One multiply-add is two FLOPs."""

    layers: int  # modules without submodules: what ultralytics calls layers
    # all modules, containers and the network itself too: what older versions of ultralytics called
    # layers
    modules: int
    parameters: int
    flops: int  # convolutions and matrix products, by torch.utils.flop_counter.FlopCounterMode
    printed_gflops: float  # what ultralytics prints after '... parameters,' (0.0: it cannot tell)

    @property
    def gflops(self) -> float:
        """True cost in GFLOPs (10⁹ FLOPs), the unit of `printed_gflops`."""
        return self.flops / 1e9


def cost(model: nn.Module, imgsz: int | tuple[int, int] = 640, channels: int | None = None) -> Cost:
    """Count layers, modules, parameters and FLOPs of a model or a single layer, for one image.

    Args:
        model: any module that takes (1, channels, height, width), or ultralytics' YOLO object.
        imgsz: side of the image in pixels, or (height, width), from 1 to 8192 each.
        channels: input channels; by default those of the model's first convolution or DynamicConv.

    Returns:
        A `Cost`. `flops` counts what was executed; `printed_gflops` counts what thop, the profiler
        behind ultralytics, recognises: module types it has a rule for, and matrix products. It has
        none for a convolution with a computed kernel, so dynamic layers look almost free there.

    Raises:
        TypeError: model is not a module, or imgsz is no int and no pair of ints, or channels no
            int.
        ValueError: imgsz or channels is not positive or larger than any model's, or both together
            make an image of more than 2**28 numbers; or the number of input channels cannot be told
            from the model, or it cannot be run on such an image.
    """
    from torch.utils.flop_counter import FlopCounterMode  # late: it takes a second to import

    model = as_network("model", model)
    size = as_pair("imgsz", imgsz, 1, most=2**13)
    channels = check_count("channels", _input_channels(model) if channels is None else channels)
    if channels * size[0] * size[1] > MOST_NUMBERS:
        raise ValueError(
            f"an image of imgsz {size} with channels {channels} would hold"
            f" {channels * size[0] * size[1]:.3g} numbers, at most {MOST_NUMBERS} are allowed"
        )

    # A copy: profilers leave hooks and buffers behind when a forward pass fails, and BatchNorm must
    # not learn from zeros.
    model = copy.deepcopy(model).eval()
    first = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, channels, *size, device=first.device, dtype=first.dtype)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        try:
            model(image)
        except RuntimeError as error:  # torch's own, which knows no model
            raise ValueError(
                f"{type(model).__name__} cannot be run on an image of imgsz {size} with channels"
                f" {channels}: {error}"
            ) from error
    return Cost(
        layers=sum(not list(m.children()) for m in model.modules()),
        modules=len(list(model.modules())),
        parameters=sum(p.numel() for p in model.parameters()),
        flops=counter.get_total_flops(),
        printed_gflops=_printed_gflops(model, image),
    )


def _printed_gflops(model: nn.Module, image: torch.Tensor) -> float:
    from ultralytics.utils.torch_utils import get_flops

    if isinstance(getattr(model, "stride", None), torch.Tensor):  # a detection model
        return get_flops(model, imgsz=list(image.shape[2:]))
    # A single layer: ultralytics would take its `stride` for that of a detection model, and stops
    # at the error.
    return get_flops(_FirstChannels(model, image.shape[1]), imgsz=list(image.shape[2:]))


class _FirstChannels(nn.Module):
    """Presents a layer to ultralytics' get_flops, which reads the input channels off the first
    parameter's second dimension.
    """

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.register_parameter("first", nn.Parameter(torch.empty(0, channels)))
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


def _input_channels(model: nn.Module) -> int:
    for module in model.modules():
        if isinstance(module, DynamicConv):
            return module.in_features
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise ValueError(
        "cannot tell the number of input channels: the model has no convolution; pass channels=..."
    )
