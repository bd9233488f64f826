"""The one list of the modules that model YAMLs may name.

Registration and `allow_safe_load` go by it, and `make compat` trains the smallest model with each
of them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..layers import DynamicConv, Experts
from ..relatives import DCNv3, TimmBackbone
from ..relatives.dcnv3 import ToChannelsLast
from ..upstream import ended_in, explain_instead
from .blocks import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConvBNAct
from .dcnv3 import DCNv3_YOLO
from .edited import is_same, say
from .registration import add, known_as, registered
from .rows import Entry, place


class Module(NamedTuple):
    """A module that model YAMLs may name. `repeat` and `channels` as for `register`."""

    cls: type
    repeat: bool = False
    channels: bool = True
    parts: tuple[type, ...] = ()  # modules of ours inside it: a checkpoint names these too

    @property
    def entry(self) -> Entry:
        return Entry(self.cls, self.repeat, self.channels, "one", None)


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

    A copy of ultralytics with the tutorials' four edits has modules of our names. Where they are
    the same layers, ours take their place; another layer of that name stays, and `foreign` names
    it. Both are said once.

    Raises:
        UnsupportedUltralytics: the installed ultralytics builds its models in an unknown way.
    """
    same, other = {}, {}
    for module in MODULES:
        name, theirs = module.cls.__name__, known_as(module.cls.__name__)
        if name in registered():
            if place(theirs) != place(module.cls):
                continue  # the reader took ours back, and registered another one
        elif theirs is not None and place(theirs) != place(module.cls):
            (same if is_same(theirs, module.cls) else other)[name] = theirs
        if name not in other:
            add(module.entry)
    say(same, other)


def register_or_explain() -> None:
    """The same on import, which must not fail where modules cannot be registered, whatever the
    reason: loading a checkpoint imports this package and needs no registration. Building a model
    does, and says why.
    """
    try:
        register_all()
    except Exception as error:
        names = {module.cls.__name__ for module in MODULES}
        explain_instead(ended_in("registering", error), names, registered)


def foreign() -> dict[str, str]:
    """Names of ours that mean another layer, which was in nn/tasks.py before: {name: its place}."""
    ours = {module.cls.__name__: module.cls for module in MODULES}
    return {
        name: place(found)
        for name, cls in ours.items()
        if (found := known_as(name)) is not None and found is not cls
    }
