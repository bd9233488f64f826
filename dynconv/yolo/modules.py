"""The one list of the modules that model YAMLs may name.

Registration and `allow_safe_load` go by it, and `make compat` trains the smallest model with each
of them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..layers import DynamicConv, Experts
from ..relatives import DCNv3, TimmBackbone
from ..relatives.dcnv3 import ToChannelsLast
from .blocks import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConvBNAct
from .dcnv3 import DCNv3_YOLO
from .registration import register


class Module(NamedTuple):
    """A module that model YAMLs may name. `repeat` and `channels` as for `register`."""

    cls: type
    repeat: bool = False
    channels: bool = True
    parts: tuple[type, ...] = ()  # modules of ours inside it: a checkpoint names these too


MODULES = (
    Module(DynamicConv, parts=(Experts,)),
    Module(DynamicConvBNAct),
    Module(Bottleneck_DynamicConv),
    Module(C2f_DynamicConv, repeat=True),
    Module(DCNv3_YOLO, parts=(DCNv3, ToChannelsLast)),
    Module(TimmBackbone, channels=False),
)


def register_all() -> None:
    """Register `MODULES`. Done on import; again after `registration.uninstall()` or a reload of
    ultralytics.

    Raises:
        UnsupportedUltralytics: the installed ultralytics builds its models in an unknown way.
    """
    for module in MODULES:
        register(module.cls, repeat=module.repeat, channels=module.channels)
