"""Dynamic convolution: the operator, the layer, its YOLO blocks, and what a book needs to explain
them.
"""

from ._on_ultralytics import watch
from .counting import Cost, cost
from .export import export_mode
from .functional import dynamic_conv2d
from .layers import DynamicConv

__version__ = "0.1.0"
__all__ = [
    "Bottleneck_DynamicConv",
    "C2f_DynamicConv",
    "Cost",
    "DynamicConv",
    "DynamicConvBNAct",
    "cost",
    "dynamic_conv2d",
    "export_mode",
]


def __getattr__(name: str):
    # The YOLO blocks need ultralytics, whose import takes seconds: only those who ask for them wait
    # for it.
    if name in ("Bottleneck_DynamicConv", "C2f_DynamicConv", "DynamicConvBNAct"):
        from . import yolo

        return getattr(yolo, name)
    raise AttributeError(f"module 'dynconv' has no attribute {name!r}")


watch()  # model YAMLs that name the package's modules build as soon as both packages are imported
