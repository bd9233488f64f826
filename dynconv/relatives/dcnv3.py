"""DCNv3, the deformable operator of InternImage (arXiv 2211.05778), in plain PyTorch: no compiler,
any device.

Around each output pixel k × k points are placed, moved by learned offsets, and read by bilinear
interpolation; the output is their mean, weighted by a learned mask. Unlike in a convolution no
kernel weighs the points: the mask does, anew at each pixel, and a softmax makes it sum to one.
Channels mix in the two Linear layers before and after.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_count, check_tensor


def dcnv3(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    kernel_size: int = 3,
    stride: int = 1,
    pad: int = 1,
    dilation: int = 1,
    offset_scale: float = 1.0,
    remove_center: bool = False,
) -> Tensor:
    """The core of DCNv3: y[n, i, j, g] = Σₚ mask[n, i, j, g, p] · x_g(centre(i, j) + (tap_p +
    offset[n, i, j, g, p]) · offset_scale).

    x_g(position) reads the channels of group g by bilinear interpolation; beyond its border the
    image is zero. With r = ⌊dilation · (k − 1) / 2⌋, centre(i, j) lies in column j · stride − pad +
    r and row i · stride − pad + r, and the taps are the k × k grid from −r in steps of `dilation`.

    Args:
        x: input, (N, H, W, C), channels last. The G groups are consecutive runs of C / G channels.
        offset: (N, H', W', G, P, 2), in pixels of the input; the last axis is (horizontal,
            vertical). P = k², one less with remove_center. Points are numbered column by column: p
            = k · (column of the tap) + (its row).
        mask: the weight of each point, (N, H', W', G, P).
        kernel_size: k, points along a side.
        stride, pad, dilation: in pixels, the same in both directions. H' = ⌊(H + 2·pad −
            dilation·(k − 1) − 1) / stride⌋ + 1.
        offset_scale: widens the whole grid, taps and offsets alike.
        remove_center: leave out the tap (0, 0); odd kernels only.

    Returns:
        The result y of shape (N, H', W', C), in the dtype of x. Positions and sums are computed in
        float32 at least, since half precision cannot tell the pixels of a large map apart.

    Raises:
        TypeError, ValueError: a shape, dtype, device or option does not fit; the message names it.

    Source: arXiv 2211.05778, eq. 2; numbering and centres as in `dcnv3_core_pytorch` of
    OpenGVLab/InternImage.

    Example:
        >>> x, offset = torch.randn(1, 8, 8, 16), torch.zeros(1, 8, 8, 4, 9, 2)
        >>> dcnv3(x, offset, torch.full((1, 8, 8, 4, 9), 1 / 9)).shape  # 3 × 3 average pooling
        torch.Size([1, 8, 8, 16])
    """
    taps = tap_grid(kernel_size, dilation, remove_center)
    _check_geometry(stride, pad)
    check_tensor("x", x, 4, "(N, H, W, C)", "x", x)
    check_tensor("offset", offset, 6, "(N, H', W', G, P, 2)", "x", x)
    check_tensor("mask", mask, 5, "(N, H', W', G, P)", "x", x)
    batch, height, width, channels = x.shape
    _, rows, columns, groups, points = mask.shape
    expected = (
        batch,
        *(output_size(n, kernel_size, stride, pad, dilation) for n in (height, width)),
        groups,
        len(taps),
    )
    if mask.shape != expected or offset.shape != (*expected, 2):
        raise ValueError(
            f"offset and mask must have shapes {(*expected, 2)} and {tuple(expected)} for x of"
            f" shape {tuple(x.shape)}, got {tuple(offset.shape)} and {tuple(mask.shape)}"
        )
    if groups < 1 or channels % groups:
        raise ValueError(f"the {groups} groups of mask must divide the {channels} channels of x")

    dtype = torch.promote_types(x.dtype, torch.float32)
    # Where each point lies, in pixels: (N, H', W', G, P, 2).
    start = dilation * (kernel_size - 1) // 2 - pad
    across = torch.arange(columns, device=x.device, dtype=dtype) * stride + start
    down = torch.arange(rows, device=x.device, dtype=dtype) * stride + start
    centre = torch.stack(torch.broadcast_tensors(across, down[:, None]), -1)[
        :, :, None, None
    ]  # (H', W', 1, 1, 2)
    horizontal, vertical = (
        centre + (taps.to(x.device, dtype) + offset.to(dtype)) * offset_scale
    ).unbind(-1)
    # grid_sample counts from −1 to 1, from the outer edge of the first pixel to that of the last.
    grid = torch.stack(((2 * horizontal + 1) / width - 1, (2 * vertical + 1) / height - 1), -1)

    # Groups join the batch, and the points become the rows of the sampled map: (N·G, P, H'·W', 2).
    grid = grid.permute(0, 3, 4, 1, 2, 5).reshape(batch * groups, points, rows * columns, 2)
    images = (
        x.to(dtype).permute(0, 3, 1, 2).reshape(batch * groups, channels // groups, height, width)
    )
    sampled = F.grid_sample(
        images, grid, padding_mode="zeros", align_corners=False
    )  # (N·G, C/G, P, H'·W')
    weight = (
        mask.to(dtype).permute(0, 3, 4, 1, 2).reshape(batch * groups, 1, points, rows * columns)
    )
    y = (sampled * weight).sum(2)
    return y.reshape(batch, channels, rows, columns).permute(0, 2, 3, 1).to(x.dtype)


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
        points = len(tap_grid(kernel_size, dilation, remove_center))
        dw_kernel_size = kernel_size // 2 * 2 + 1 if dw_kernel_size is None else dw_kernel_size
        for name, value in dict(
            channels=channels, group=group, dw_kernel_size=dw_kernel_size
        ).items():
            check_count(name, value)
        if dw_kernel_size % 2 == 0:
            raise ValueError(
                "dw_kernel_size must be odd, so that it sees as far on both sides, got"
                f" {dw_kernel_size}"
            )
        if channels % group:
            raise ValueError(f"group must divide the {channels} channels, got {group}")
        if isinstance(offset_scale, bool) or not isinstance(offset_scale, (int, float)):
            raise TypeError(f"offset_scale must be a number, got {offset_scale!r}")
        radius = dilation * (kernel_size - 1) // 2
        pad = radius if pad is None else pad
        _check_geometry(stride, pad)
        if pad > radius:
            raise ValueError(
                f"pad must be at most {radius} for kernel_size={kernel_size} and"
                f" dilation={dilation}, got {pad}: some outputs would have their centre outside the"
                " image, where no offset is computed. Pad the input itself if you want that"
            )
        self.channels, self.group, self.kernel_size, self.stride, self.pad = (
            channels,
            group,
            kernel_size,
            stride,
            pad,
        )
        self.dilation, self.offset_scale, self.remove_center = dilation, offset_scale, remove_center
        self.center_feature_scale = center_feature_scale

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
        check_tensor("x", x, 4, f"(N, H, W, {self.channels})", "the layer", self.input_proj.weight)
        if x.shape[3] != self.channels:
            hint = (
                "; this layer wants channels last: x.permute(0, 2, 3, 1)"
                if x.shape[1] == self.channels
                else ""
            )
            raise ValueError(
                f"x must have shape (N, H, W, {self.channels}), got {tuple(x.shape)}{hint}"
            )
        return self._at_centres(self.dw_conv(x.permute(0, 3, 1, 2)))

    def _points(self, query: Tensor) -> tuple[Tensor, Tensor]:
        shape = (*query.shape[:3], self.group, self.mask.out_features // self.group)
        return self.offset(query).reshape(*shape, 2), self.mask(query).reshape(shape).softmax(-1)

    def _at_centres(self, x: Tensor) -> Tensor:
        """Every stride-th pixel of (N, H, W, C), from the centre of the first output pixel to that
        of the last.
        """
        rows, columns = (
            output_size(n, self.kernel_size, self.stride, self.pad, self.dilation)
            for n in x.shape[1:3]
        )
        first = self.dilation * (self.kernel_size - 1) // 2 - self.pad
        return x[:, first :: self.stride, first :: self.stride][:, :rows, :columns]

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


class ToChannelsLast(nn.Module):
    """(N, C, H, W) -> (N, H, W, C); a module, since its place in the Sequential is part of the
    parameters' names.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def tap_grid(kernel_size: int, dilation: int = 1, remove_center: bool = False) -> Tensor:
    """The points before they are moved, (P, 2): (horizontal, vertical) in pixels from the centre,
    column by column.

    Raises:
        TypeError, ValueError: kernel_size or dilation is no positive int, or an even kernel has no
            centre to remove.
    """
    check_count("kernel_size", kernel_size)
    check_count("dilation", dilation)
    if remove_center and (kernel_size % 2 == 0 or kernel_size == 1):
        reason = (
            "its only tap is the centre"
            if kernel_size == 1
            else "an even kernel has no tap in its centre"
        )
        raise ValueError(
            f"remove_center needs an odd kernel_size of at least 3, got {kernel_size}: {reason}"
        )
    line = torch.arange(kernel_size) * dilation - dilation * (kernel_size - 1) // 2
    taps = torch.cartesian_prod(line, line)
    return taps[taps.any(1)] if remove_center else taps


def output_size(size: int, kernel_size: int, stride: int, pad: int, dilation: int) -> int:
    """Output pixels along a side of `size` input pixels.

    Raises:
        ValueError: not even one fits.
    """
    result = (size + 2 * pad - dilation * (kernel_size - 1) - 1) // stride + 1
    if result < 1:
        raise ValueError(
            f"the output would be empty: kernel_size={kernel_size} with dilation={dilation} and"
            f" pad={pad} needs an input of at least {dilation * (kernel_size - 1) + 1 - 2 * pad}"
            f" pixels, got {size}"
        )
    return result


def _check_geometry(stride: int, pad: int) -> None:
    check_count("stride", stride)
    if not isinstance(pad, int) or isinstance(pad, bool):
        raise TypeError(f"pad must be an int, got {pad!r}")
    if pad < 0:
        raise ValueError(f"pad must be at least 0, got {pad}")
