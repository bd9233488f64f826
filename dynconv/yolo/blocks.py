"""The blocks of the YOLO tutorials that stand on ultralytics' Conv: a bottleneck and a C2f with
DynamicConv inside.

What they stand on is in ultralytics/nn/modules/conv.py (Conv) and ultralytics/nn/modules/block.py
(Bottleneck, C2f).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import C2f, Conv

from ..checks import MOST, as_pair, check_count, check_flag, check_number, check_numbers, shown
from ..layers import DynamicConv


class DynamicConvBNAct(nn.Module):
    """DynamicConv, BatchNorm, activation: the form that ultralytics' own Conv has, for the places
    where one stood.

    The arguments are those of a Conv row in a model YAML. The activation is ultralytics' current
    default (SiLU unless the YAML sets another).

    Args:
        c1, c2: input and output channels.
        k, s: kernel size and stride, in pixels.
        g: channel groups.
        d: dilation.
        num_experts: M.
        layer: what else DynamicConv takes, by name: routing_activation, temperature, padding, bias.

    Shapes: (B, c1, H, W) -> (B, c2, H', W').

    Source: Conv in ultralytics/nn/modules/conv.py, with its convolution made dynamic.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        k: int = 1,
        s: int = 1,
        g: int = 1,
        d: int = 1,
        num_experts: int = 4,
        **layer,
    ) -> None:
        super().__init__()
        c1, c2 = check_count("c1", c1), check_count("c2", c2)
        self.conv = DynamicConv(
            c1, c2, k, s, dilation=d, groups=g, num_experts=num_experts, **layer
        )
        self.norm = nn.BatchNorm2d(
            c2
        )  # not `bn`: ultralytics' fuse() folds what is called so into a static kernel
        self.act = Conv.default_act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


def hidden_channels(c2: int, e: float) -> int:
    """The channels between the convolutions of a bottleneck, as ultralytics counts them; a
    ValueError if none are left.
    """
    e = check_number("e", e)
    if not abs(e * c2) <= MOST:  # nor NaN
        raise ValueError(f"e must be a fraction of c2 = {c2}, got {e}")
    hidden = int(c2 * e)
    if hidden < 1:
        raise ValueError(f"e = {e} leaves none of c2 = {c2} channels for what is between")
    return hidden


class Bottleneck_DynamicConv(nn.Module):
    """ultralytics' Bottleneck with its second convolution dynamic: Conv (with BN and SiLU), then a
    bare DynamicConv.

    As in the tutorials, no BatchNorm and no activation follow the DynamicConv.

    Args:
        c1, c2: input and output channels.
        shortcut: add the input to the output if c1 == c2.
        g: groups of the DynamicConv.
        k: the two kernel sizes.
        e: hidden channels as a fraction of c2.
        layer: what else the DynamicConv takes, by name: num_experts, routing_activation, ...

    Shapes: (B, c1, H, W) -> (B, c2, H, W).

    Source: Bottleneck in ultralytics/nn/modules/block.py, with cv2 made dynamic.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        shortcut: bool = True,
        g: int = 1,
        k: tuple = (3, 3),
        e: float = 0.5,
        **layer,
    ) -> None:
        super().__init__()
        c1, c2 = check_count("c1", c1), check_count("c2", c2)
        shortcut = check_flag("shortcut", shortcut)
        if not isinstance(k, (tuple, list)) or len(k) != 2:
            raise TypeError(f"k must be the two kernel sizes, such as (3, 3), got {shown(k)}")
        hidden, first = hidden_channels(c2, e), as_pair("k", k[0], 1)
        check_numbers(f"the first convolution, with e = {e},", (hidden, c1, *first))
        self.cv1 = Conv(c1, hidden, first, 1)
        self.cv2 = DynamicConv(hidden, c2, k[1], 1, groups=g, **layer)
        self.add = shortcut and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C2f_DynamicConv(C2f):
    """ultralytics' C2f whose n bottlenecks are `Bottleneck_DynamicConv`. Arguments and shapes as
    for C2f; what else the DynamicConv of each bottleneck takes is given by name: num_experts,
    routing_activation, temperature.

    Source: C2f in ultralytics/nn/modules/block.py, with `m` replaced.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        shortcut: bool = False,
        g: int = 1,
        e: float = 0.5,
        **layer,
    ) -> None:
        c1, c2 = check_count("c1", c1), check_count("c2", c2)
        # n as C2f takes it: where the third edit was forgotten, it gets the True of the row.
        n = n if isinstance(n, bool) else check_count("n", n, 0, most=2**10)
        shortcut, g = check_flag("shortcut", shortcut), check_count("g", g)
        hidden = hidden_channels(c2, e)
        check_numbers(f"the last convolution, with e = {e},", (c2, (2 + n) * hidden))
        check_numbers(f"the first convolution, with e = {e},", (2 * hidden, c1))
        super().__init__(c1, c2, n, shortcut, g, e)
        self.m = nn.ModuleList(
            Bottleneck_DynamicConv(self.c, self.c, shortcut, g, k=((3, 3), (3, 3)), e=1.0, **layer)
            for _ in range(n)
        )

    def forward(self, x: Tensor) -> Tensor:
        # What C2f does, in words that torch.fx and torch.jit.script can follow: there it makes a
        # list of what chunk gives, and extends it by a generator.
        first, second = self.cv1(x).chunk(2, 1)
        parts = [first, second]
        for bottleneck in self.m:
            parts.append(bottleneck(parts[-1]))
        return self.cv2(torch.cat(parts, 1))
