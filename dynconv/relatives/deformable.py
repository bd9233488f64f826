"""Deformable convolution (arXiv 1703.06211, 1811.11168): every tap of the kernel reads its own
place, found from the input.

It is not dynamic convolution: the kernel is the same for all images; what depends on the input is
where it looks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torchvision.ops import (
    deform_conv2d,
)  # here: its first import inside a forward pass breaks the tracing of an export

from ..checks import (
    Pair,
    as_pair,
    check_channels,
    check_count,
    check_flag,
    check_numbers,
    check_reach,
    output_size,
)

torch.fx.wrap("deform_conv2d")  # one node of a graph that torch.fx records: it looks at sizes


class DeformableConv(nn.Module):
    """A convolution whose taps are moved by offsets that a second convolution computes from the
    same input.

        y(p) = Σₖ w_k · m_k(p) · x(p + k + Δ_k(p)),  read by bilinear interpolation, zero beyond the
        border

    The offset convolution starts at zero, so that the layer starts as the ordinary convolution
    `conv` (modulated: as half of it, since a mask of sigmoid(0) = 1/2 starts every tap, as in
    DCNv2).

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups, bias: as for
            `torch.nn.Conv2d`.
        padding: in pixels; None keeps the size at stride 1 for odd kernels.
        offset_groups: channel groups with offsets of their own; must divide in_channels.
        modulated: also weigh each tap by a mask in 0..1 (DCNv2). It does not sum to one over the
            taps, as that of DCNv3 does.

    Attributes:
        conv: the ordinary convolution whose weight and bias are used.
        offset: the convolution that gives 2 · offset_groups · kh · kw channels: for each tap, row
            by row, the pair (vertical, horizontal) in pixels of the input. torchvision's order;
            DCNv3 has the other.
        mask: the one that gives offset_groups · kh · kw logits, or None.

    Raises:
        ValueError, TypeError: an argument is out of range; the message names it.

    Shapes: (B, Cin, H, W) -> (B, Cout, H', W') as for Conv2d; in the dtype of the input, also under
    autocast. Where an offset is not finite, as on an image with a NaN, the output is NaN.

    torch.compile, torch.export, torch.fx and TorchScript take the layer. ONNX export stops at
    `torch.onnx.errors.UnsupportedOperatorError`: torch has no translation for torchvision's
    operator. `DCNv3`, on grid_sample, exports from opset 16 on.

    Source: DCN (arXiv 1703.06211), eq. 2 and 3; DCNv2 (arXiv 1811.11168), eq. 1; on
    torchvision.ops.deform_conv2d.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair = 3,
        stride: Pair = 1,
        padding: Pair | None = None,
        dilation: Pair = 1,
        groups: int = 1,
        offset_groups: int = 1,
        bias: bool = True,
        modulated: bool = False,
    ) -> None:
        super().__init__()
        in_channels, out_channels, offset_groups, groups = (
            check_count(name, value)
            for name, value in dict(
                in_channels=in_channels,
                out_channels=out_channels,
                offset_groups=offset_groups,
                groups=groups,
            ).items()
        )
        if in_channels % offset_groups:
            raise ValueError(
                f"offset_groups must divide in_channels = {in_channels}, got {offset_groups}"
            )
        bias, modulated = check_flag("bias", bias), check_flag("modulated", modulated)
        kernel_size, stride, dilation = (
            as_pair(name, value, 1)
            for name, value in dict(
                kernel_size=kernel_size, stride=stride, dilation=dilation
            ).items()
        )
        padding = (
            tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel_size))
            if padding is None
            else as_pair("padding", padding, 0)
        )
        check_reach(kernel_size, dilation)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide in_channels = {in_channels} and out_channels ="
                f" {out_channels}, got {groups}"
            )
        taps = offset_groups * kernel_size[0] * kernel_size[1]
        for what, channels in (("the kernel", out_channels), ("the offset convolution", 2 * taps)):
            check_numbers(what, (channels, in_channels, *kernel_size))
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.offset = nn.Conv2d(in_channels, 2 * taps, kernel_size, stride, padding, dilation)
        self.mask = (
            nn.Conv2d(in_channels, taps, kernel_size, stride, padding, dilation)
            if modulated
            else None
        )
        for layer in (self.offset, self.mask):
            if layer is not None:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        if not torch.jit.is_scripting():
            check_channels("x", x, conv.in_channels, conv.weight)
            if not isinstance(x, Proxy):  # torch.fx records a graph: there is no size yet
                output_size(x, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
        mask = None if self.mask is None else torch.sigmoid(self.mask(x)).to(conv.weight)
        # Autocast gives offsets in half precision, and torchvision's operator takes one dtype only:
        # it gets that of the kernel. An offset that is NaN would make it read outside of the image,
        # which ends the process: it gets 0, and the output of that place is made NaN.
        offset = self.offset(x).to(conv.weight)
        wrong = (offset * 0).sum(1, keepdim=True)
        y = deform_conv2d(
            x.to(conv.weight),
            offset.nan_to_num(0.0, 0.0, 0.0),
            conv.weight,
            conv.bias,
            conv.stride,
            conv.padding,
            conv.dilation,
            mask,
        )
        y = y + wrong
        return y.to(x.dtype)
