"""DCNv3 where a YOLO model has a convolution: the block that stands on ultralytics' Conv."""

from __future__ import annotations

from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from ..checks import check_count
from ..relatives.dcnv3 import DCNv3


class DCNv3_YOLO(nn.Module):
    """1×1 Conv (with BN and activation) to c2 channels, DCNv3, BatchNorm, activation. Channels
    first, as all of YOLO.

    The idea is that of the tutorials; their wrapper hands kernel, stride and dilation on but leaves
    the padding at 1, so that with any kernel but 3, or with a stride, it stops at an error in plain
    PyTorch. This one gives the output size of a Conv with the same k and s, for odd k.

    Args:
        c1, c2: input and output channels.
        k, s: points along a side, and stride, in pixels.
        group: channel groups with points of their own; must divide c2 (after a YAML's width scale).
        d: dilation.

    Raises:
        ValueError, TypeError: an argument is out of range; see `DCNv3`.

    Shapes: (B, c1, H, W) -> (B, c2, ⌈H / s⌉, ⌈W / s⌉).
    """

    def __init__(
        self, c1: int, c2: int, k: int = 3, s: int = 1, group: int = 4, d: int = 1
    ) -> None:
        super().__init__()
        c1, c2 = check_count("c1", c1), check_count("c2", c2)
        self.conv = Conv(c1, c2, 1)
        self.dcnv3 = DCNv3(c2, k, stride=s, dilation=d, group=group)
        self.norm = nn.BatchNorm2d(
            c2
        )  # not `bn`: ultralytics' fuse() folds what is called so into a convolution before it
        self.act = Conv.default_act

    def forward(self, x: Tensor) -> Tensor:
        y = self.dcnv3(self.conv(x).permute(0, 2, 3, 1))
        return self.act(self.norm(y.permute(0, 3, 1, 2)))
