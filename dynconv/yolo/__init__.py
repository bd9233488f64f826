"""The bridge to ultralytics: blocks that stand on its Conv, their registration, and model YAMLs
that use them.

`import dynconv` is enough: when ultralytics is loaded, before or after, this package is imported
and registers them.
"""

from .. import offline, upstream

with upstream.explained("importing dynconv.yolo"):  # a class may be gone, or no class any more
    from ..layers import DynamicConv as DynamicConv
    from ..relatives import TimmBackbone as TimmBackbone
    from .blocks import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConvBNAct
    from .dcnv3 import DCNv3_YOLO
    from .exporting import DifferentError, Exported, export
    from .flops import repair_flops
    from .messages import quiet
    from .model_files import check_files
    from .modules import MODULES, register_all, register_or_explain
    from .registration import UnsupportedUltralytics, is_active, register, registered, unregister
    from .rows import UnknownModuleError
    from .safe_load import (
        UntrustedCheckpointError,
        allow_safe_load,
        guard_loads,
        load,
        safely,
        trust,
    )
    from .upcycling import Upcycled, upcycle
    from .zoo import PARAMETERS, build, find_by_name, models, path

__all__ = [
    "Bottleneck_DynamicConv",
    "C2f_DynamicConv",
    "DCNv3_YOLO",
    "DifferentError",
    "DynamicConvBNAct",
    "DynamicConvTrainer",
    "Exported",
    "MODULES",
    "PARAMETERS",
    "UnknownModuleError",
    "UnsupportedUltralytics",
    "UntrustedCheckpointError",
    "Upcycled",
    "allow_safe_load",
    "build",
    "export",
    "is_active",
    "load",
    "models",
    "path",
    "quiet",
    "register",
    "register_all",
    "registered",
    "repair_flops",
    "safely",
    "trust",
    "unregister",
    "upcycle",
]


def __getattr__(name: str):
    if name == "DynamicConvTrainer":  # the trainers of ultralytics are imported after this package
        from .trainer import DynamicConvTrainer

        return DynamicConvTrainer
    raise AttributeError(f"module 'dynconv.yolo' has no attribute {name!r}")


def guard() -> None:
    """Nothing runs that nobody asked for, and YOLO_OFFLINE holds for ultralytics' downloads too;
    again when `ultralytics.data` is there.
    """
    guard_loads()
    offline.guard_downloads()


def renew() -> None:
    """What importing this package does to ultralytics; again after a reload of its `nn.tasks`."""
    guard()
    register_or_explain()
    find_by_name()
    check_files()


with upstream.explained("guarding loads and downloads"):
    renew()
