"""DCNv3, the deformable layer of InternImage (arXiv 2211.05778).

The operator itself, which reads moved points and sums them, stands in `dcnv3_core`. The layer
computes offsets and mask from its input; a softmax makes the mask of a pixel sum to one. Channels
mix in the two Linear layers before and after.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Proxy

from ..checks import (
    MOST_PIXELS,
    as_python,
    check_count,
    check_flag,
    check_number,
    check_numbers,
    check_tensor,
    refuse_script,
)
from .dcnv3_core import dcnv3, output_size, tap_grid


class DCNv3(nn.Module):
    """The layer of InternImage: offsets and mask from a depthwise convolution, `dcnv3` between two
    Linear layers.

        q = GELU(LayerNorm(depthwise(x)));  offset = Linear(q);  mask = softmax(Linear(q)) over the
        points of a group y = Linear(dcnv3(Linear(x), offset, mask))

    Names and shapes of the parameters are those of `DCNv3` and `DCNv3_pytorch` of
    OpenGVLab/InternImage: weights saved there load here, and the reverse. There the layer runs only
    where the output is as large as the input (kernel 3 with pad 1, for example); with stride 2, or
    other kernels and dilations under the default pad, it stops at an error in plain PyTorch, and
    its CUDA operator reads offsets that belong to other pixels. Here each output pixel takes
    offset, mask and centre scale from q at its own centre, whatever the stride and the kernel;
    where the original runs, this is the same.

    Args:
        channels: C, input and output channels.
        kernel_size: k, points along a side.
        dw_kernel_size: side of the depthwise kernel, odd; None takes kernel_size, or one more if
            that is even.
        stride, dilation: in pixels.
        pad: zeros on each side, in pixels, at most ⌊dilation · (k − 1) / 2⌋: with more there would
            be outputs whose centre lies outside the image. None takes that largest value, so that
            an odd kernel gives ⌈size / stride⌉; it is 1, the default of the original, for k = 3.
        group: G, the groups of channels that have points and mask of their own; must divide
            channels.
        offset_scale: widens taps and offsets.
        center_feature_scale: mix the output with Linear(x) at the centre, by a learned share per
            pixel and group.
        remove_center: leave the centre out of the points; odd kernels only.

    Raises:
        ValueError, TypeError: an argument is out of range; the message names it.

    Shapes: (N, H, W, C) -> (N, H', W', C), channels last.

    torch.compile, torch.export, torch.fx, torch.jit.trace and ONNX from opset 16 on take the layer;
    torch.jit.script is refused by name.

    Source: arXiv 2211.05778, Section 3.1. At the start offsets are zero and masks equal, so that
    the layer is average pooling (zeros at the border count) between two Linear layers.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        dw_kernel_size: int | None = None,
        stride: int = 1,
        pad: int | None = None,
        dilation: int = 1,
        group: int = 4,
        offset_scale: float = 1.0,
        center_feature_scale: bool = False,
        remove_center: bool = False,
    ) -> None:
        super().__init__()
        remove_center = check_flag("remove_center", remove_center)
        center_feature_scale = check_flag("center_feature_scale", center_feature_scale)
        points = len(tap_grid(kernel_size, dilation, remove_center))
        kernel_size, dilation = as_python(kernel_size), as_python(dilation)
        channels, group = check_count("channels", channels), check_count("group", group)
        dw_kernel_size = check_count(
            "dw_kernel_size",
            kernel_size // 2 * 2 + 1 if dw_kernel_size is None else dw_kernel_size,
            most=MOST_PIXELS,
        )
        if dw_kernel_size % 2 == 0:
            raise ValueError(
                "dw_kernel_size must be odd, so that it sees as far on both sides, got"
                f" {dw_kernel_size}"
            )
        if channels % group:
            raise ValueError(f"group must divide the {channels} channels, got {group}")
        offset_scale = check_number("offset_scale", offset_scale)
        if not math.isfinite(offset_scale):
            raise ValueError(f"offset_scale must be finite, got {offset_scale}")
        radius = dilation * (kernel_size - 1) // 2
        stride = check_count("stride", stride, most=MOST_PIXELS)
        pad = check_count("pad", radius if pad is None else pad, 0, most=2 * MOST_PIXELS)
        if pad > radius:
            raise ValueError(
                f"pad must be at most {radius} for kernel_size={kernel_size} and"
                f" dilation={dilation}, got {pad}: some outputs would have their centre outside the"
                " image, where no offset is computed. Pad the input itself if you want that"
            )
        self.channels, self.group = channels, group
        self.kernel_size, self.stride, self.pad = kernel_size, stride, pad
        self.dilation, self.offset_scale = dilation, offset_scale
        self.remove_center, self.center_feature_scale = remove_center, center_feature_scale

        check_numbers("the depthwise kernel", (channels, dw_kernel_size, dw_kernel_size))
        check_numbers("the offset layer", (channels, 2 * group * points))
        check_numbers("the projection of all channels", (channels, channels))
        self.dw_conv = nn.Sequential(
            nn.Conv2d(
                channels, channels, dw_kernel_size, padding=dw_kernel_size // 2, groups=channels
            ),
            nn.Sequential(ToChannelsLast(), nn.LayerNorm(channels, eps=1e-6)),
            nn.GELU(),
        )
        self.offset = nn.Linear(channels, group * points * 2)
        self.mask = nn.Linear(channels, group * points)
        self.input_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        if center_feature_scale:
            self.center_feature_scale_proj_weight = nn.Parameter(torch.zeros(group, channels))
            self.center_feature_scale_proj_bias = nn.Parameter(torch.zeros(group))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Points on the grid, equal masks, and Linear layers as in the original."""
        for layer in (self.offset, self.mask, self.input_proj, self.output_proj):
            nn.init.zeros_(layer.bias)
        for layer in (self.offset, self.mask):
            nn.init.zeros_(layer.weight)
        for layer in (self.input_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)

    def points(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Where the layer looks: x (N, H, W, C) -> offset (N, H', W', G, P, 2) and mask (N, H', W',
        G, P) as for `dcnv3`.
        """
        return self._points(self._query(x))

    def forward(self, x: Tensor) -> Tensor:
        query, value = self._query(x), self.input_proj(x)
        options = (
            self.kernel_size,
            self.stride,
            self.pad,
            self.dilation,
            self.offset_scale,
            self.remove_center,
        )
        y = dcnv3(value, *self._points(query), *options)
        if self.center_feature_scale:
            share = F.linear(
                query, self.center_feature_scale_proj_weight, self.center_feature_scale_proj_bias
            ).sigmoid()
            share = share.repeat_interleave(self.channels // self.group, -1)  # (N, H', W', C)
            y = y * (1 - share) + self._at_centres(value) * share
        return self.output_proj(y)

    def _query(self, x: Tensor) -> Tensor:
        """q at the centre of each output pixel: (N, H', W', C)."""
        check_input(x, self.channels, self.input_proj.weight)
        return self._at_centres(self.dw_conv(x.permute(0, 3, 1, 2)))

    def _points(self, query: Tensor) -> tuple[Tensor, Tensor]:
        shape = (self.group, self.mask.out_features // self.group)
        offset = self.offset(query).unflatten(-1, (*shape, 2))
        return offset, self.mask(query).unflatten(-1, shape).softmax(-1)

    def _at_centres(self, x: Tensor) -> Tensor:
        return at_centres(x, self.kernel_size, self.stride, self.pad, self.dilation)

    def __prepare_scriptable__(self) -> DCNv3:
        return refuse_script("DCNv3")

    def extra_repr(self) -> str:
        names = (
            "kernel_size",
            "stride",
            "pad",
            "dilation",
            "group",
            "offset_scale",
            "center_feature_scale",
            "remove_center",
        )
        return ", ".join([str(self.channels), *(f"{name}={getattr(self, name)}" for name in names)])


@torch.fx.wrap  # one node of a graph that torch.fx records: it looks at sizes
def at_centres(x: Tensor, kernel_size: int, stride: int, pad: int, dilation: int) -> Tensor:
    """Every stride-th pixel of x (N, H, W, C), from the centre of the first output pixel to that of
    the last.
    """
    rows, columns = (output_size(n, kernel_size, stride, pad, dilation) for n in x.shape[1:3])
    first = dilation * (kernel_size - 1) // 2 - pad
    return x[:, first::stride, first::stride][:, :rows, :columns]


def check_input(x: Tensor, channels: int, like: Tensor) -> None:
    """`x` of shape (N, H, W, channels), like the layer whose parameter is `like`."""
    if isinstance(x, Proxy):
        return  # torch.fx records a graph: there is no shape yet
    check_tensor("x", x, 4, f"(N, H, W, {channels})", "the layer", like)
    if x.shape[3] != channels:
        hint = "; this layer wants channels last: x.permute(0, 2, 3, 1)" * (x.shape[1] == channels)
        raise ValueError(f"x must have shape (N, H, W, {channels}), got {tuple(x.shape)}{hint}")
    if min(x.shape[1:3]) < 1:
        raise ValueError(f"x must have at least one pixel, got shape {tuple(x.shape)}")


class ToChannelsLast(nn.Module):
    """(N, C, H, W) -> (N, H, W, C); a module, since its place in the Sequential is part of the
    parameters' names.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)
