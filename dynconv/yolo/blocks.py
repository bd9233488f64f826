"""The blocks of the YOLO tutorials that stand on ultralytics' Conv: a bottleneck and a C2f with DynamicConv inside."""

from __future__ import annotations

from torch import Tensor, nn
from ultralytics.nn.modules import C2f, Conv

from ..layers import DynamicConv


class Bottleneck_DynamicConv(nn.Module):
    """ultralytics' Bottleneck with its second convolution dynamic: Conv (with BN and SiLU), then a bare DynamicConv.

    As in the tutorials, no BatchNorm and no activation follow the DynamicConv.

    Args:
        c1, c2: input and output channels.
        shortcut: add the input to the output if c1 == c2.
        g: groups of the DynamicConv.
        k: the two kernel sizes.
        e: hidden channels as a fraction of c2.

    Shapes: (B, c1, H, W) -> (B, c2, H, W).
    """

    def __init__(self, c1: int, c2: int, shortcut: bool = True, g: int = 1, k: tuple = (3, 3), e: float = 0.5) -> None:
        super().__init__()
        hidden = int(c2 * e)
        self.cv1 = Conv(c1, hidden, k[0], 1)
        self.cv2 = DynamicConv(hidden, c2, k[1], 1, groups=g)
        self.add = shortcut and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C2f_DynamicConv(C2f):
    """ultralytics' C2f whose n bottlenecks are `Bottleneck_DynamicConv`. Arguments and shapes as for C2f."""

    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = False, g: int = 1, e: float = 0.5) -> None:
        super().__init__(c1, c2, n, shortcut, g, e)
        self.m = nn.ModuleList(Bottleneck_DynamicConv(self.c, self.c, shortcut, g, k=((3, 3), (3, 3)), e=1.0) for _ in range(n))
