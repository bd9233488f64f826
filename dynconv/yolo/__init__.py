"""The bridge to ultralytics: blocks that stand on its Conv."""

from .blocks import Bottleneck_DynamicConv, C2f_DynamicConv

__all__ = ["Bottleneck_DynamicConv", "C2f_DynamicConv"]
