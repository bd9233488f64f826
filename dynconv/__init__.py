"""Dynamic convolution, hands on: the package that the chapters of the book import.

The map of the house. Each room imports only from those above it.

    checks          what public functions ask of their arguments
    commands        how a command ends where an argument is wrong
    functional      the operator Y = Σ αᵢ (X ∗ Wᵢ), and the ways to evaluate it
    layers          DynamicConv: a router, and the expert kernels that it mixes
    counting        what a model costs, and what a profiler prints
    folding         BatchNorm folded into the experts before it
    export          ONNX, TorchScript and torch.export for any batch
    benchmark       time beside alternatives, peak memory
    offline         no talk with other hosts
    files/          written whole or not at all, by one process at a time
    relatives/      deformable convolution, DCNv3, backbones from timm
    edits/          the tutorials' four edits to a copy of ultralytics
    upstream        what is said where ultralytics is another than this package knows
    yolo/           blocks, their registration, model files, stock weights for all experts
    lab/            data, training runs, sweeps, what the routers do
    figures/        plots, charts, tables, figures to touch; they compute nothing
    exercises/      what checks a reader's answers

`import dynconv` gives the operator, the layer, its cost and its export; the YOLO blocks come when
they are asked for. `python -m dynconv` makes the four edits, or runs the command `yolo`.
"""

from ._on_ultralytics import watch
from .counting import Cost, cost
from .export import export_mode
from .folding import fold_batchnorm
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
    "fold_batchnorm",
]


def __getattr__(name: str):
    # The YOLO blocks need ultralytics, whose import takes seconds: only those who ask for them wait
    # for it.
    if name in ("Bottleneck_DynamicConv", "C2f_DynamicConv", "DynamicConvBNAct"):
        from . import yolo

        return getattr(yolo, name)
    raise AttributeError(f"module 'dynconv' has no attribute {name!r}")


watch()  # model YAMLs that name the package's modules build as soon as both packages are imported
