"""DynamicConv (ParameterNet, arXiv 2306.14525), a bottleneck and a C2f."""

import torch
from timm.layers import CondConv2d
from torch import nn

from ultralytics.nn.modules import C2f, Conv


class DynamicConv(nn.Module):
    def __init__(
        self, in_features, out_features, kernel_size=1, stride=1,
        padding="", dilation=1, groups=1, bias=False, num_experts=4,
    ):
        super().__init__()
        self.routing = nn.Linear(in_features, num_experts)
        self.cond_conv = CondConv2d(
            in_features, out_features, kernel_size, stride,
            padding, dilation, groups, bias, num_experts,
        )

    def forward(self, x):
        alpha = torch.sigmoid(self.routing(x.mean((2, 3))))  # (B, M)
        return self.cond_conv(x, alpha)


class Bottleneck_DynamicConv(nn.Module):
    def __init__(self, c1, c2, shortcut=True, g=1, k=(3, 3), e=0.5):
        super().__init__()
        hidden = int(c2 * e)
        self.cv1 = Conv(c1, hidden, k[0], 1)
        self.cv2 = DynamicConv(hidden, c2, k[1], 1, groups=g)
        self.add = shortcut and c1 == c2

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C2f_DynamicConv(C2f):
    def __init__(self, c1, c2, n=1, shortcut=False, g=1, e=0.5):
        super().__init__(c1, c2, n, shortcut, g, e)
        self.m = nn.ModuleList(
            Bottleneck_DynamicConv(self.c, self.c, shortcut, g, e=1.0)
            for _ in range(n)
        )
