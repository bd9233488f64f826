"""The core of DCNv3 (arXiv 2211.05778) in plain PyTorch: no compiler, any device.

Around each output pixel k × k points are placed, moved by learned offsets, and read by bilinear
interpolation; the output is their mean, weighted by a learned mask. Unlike in a convolution no
kernel weighs the points: the mask does, anew at each pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import (
    MOST_PIXELS,
    check_count,
    check_flag,
    check_number,
    check_reach,
    check_tensor,
    one_node,
)


@one_node
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
    offset_scale = check_number("offset_scale", offset_scale)
    stride = check_count("stride", stride, most=MOST_PIXELS)
    pad = check_count("pad", pad, 0, most=2 * MOST_PIXELS)
    check_tensor("x", x, 4, "(N, H, W, C)", "x", x)
    check_tensor("offset", offset, 6, "(N, H', W', G, P, 2)", "x", x)
    check_tensor("mask", mask, 5, "(N, H', W', G, P)", "x", x)
    batch, height, width, channels = x.shape
    # From x, not from mask: what an ONNX exporter takes the shape of a computed tensor for may be
    # that of the image which it saw.
    rows, columns = (output_size(n, kernel_size, stride, pad, dilation) for n in (height, width))
    groups, points = int(mask.shape[3]), kernel_size**2 - bool(remove_center)
    expected = (batch, rows, columns, groups, points)
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
    centre = torch.stack(torch.broadcast_tensors(across, down[:, None]), -1)  # (H', W', 2)
    places = (taps.to(x.device, dtype) + offset.to(dtype)) * offset_scale
    horizontal, vertical = (centre[:, :, None, None] + places).unbind(-1)
    # grid_sample counts from −1 to 1, from the outer edge of the first pixel to that of the last.
    grid = torch.stack(((2 * horizontal + 1) / width - 1, (2 * vertical + 1) / height - 1), -1)

    # Groups join the batch, and the points become the rows of the sampled map: (N·G, P, H'·W', 2).
    grid = grid.permute(0, 3, 4, 1, 2, 5).reshape(batch * groups, points, rows * columns, 2)
    images = x.to(dtype).permute(0, 3, 1, 2)
    images = images.reshape(batch * groups, channels // groups, height, width)
    # (N·G, C/G, P, H'·W')
    sampled = F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    weight = mask.to(dtype).permute(0, 3, 4, 1, 2)
    y = (sampled * weight.reshape(batch * groups, 1, points, rows * columns)).sum(2)
    return y.reshape(batch, channels, rows, columns).permute(0, 2, 3, 1).to(x.dtype)


def tap_grid(kernel_size: int, dilation: int = 1, remove_center: bool = False) -> Tensor:
    """The points before they are moved, (P, 2): (horizontal, vertical) in pixels from the centre,
    column by column.

    Raises:
        TypeError, ValueError: kernel_size or dilation is no positive int, or an even kernel has no
            centre to remove.
    """
    remove_center = check_flag("remove_center", remove_center)
    kernel_size = check_count("kernel_size", kernel_size, most=MOST_PIXELS)
    dilation = check_count("dilation", dilation, most=MOST_PIXELS)
    check_reach([kernel_size], [dilation])
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
    # Not by cartesian_prod, which ONNX lacks: it is folded away only where no operation before it
    # works in place, as ultralytics' activations do in a model from a file.
    taps = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).flatten(0, 1)
    middle = kernel_size**2 // 2
    return torch.cat((taps[:middle], taps[middle + 1 :])) if remove_center else taps


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
