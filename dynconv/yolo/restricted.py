"""A pickle module that builds networks and nothing else: what `torch.load` is given for a
checkpoint.

A pickle is a program for a small machine. Its instructions may look up any function by name and
call it. Here a name is looked up only if a network needs it, layers are built without a call of
their constructor, and only functions that put tensors together are called.
"""

from __future__ import annotations

import enum
import importlib
import pathlib
import pickle
import types

import numpy as np
import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils import IterableSimpleNamespace

# Whose modules a checkpoint may name: of installed packages that are imported in any case.
LAYERS = (
    *("torch.nn.modules", "torchvision.ops"),
    *("ultralytics.nn.modules", "ultralytics.nn.tasks", "ultralytics.nn.Addmodules"),
    *("timm.layers", "timm.models"),
)
LOSSES = ("ultralytics.utils.loss", "ultralytics.utils.tal")  # a network that was training has one
# What else is in the files of ultralytics, timm and torch.
OTHERS = {
    "_codecs": {"encode"},
    "builtins": {"set", "slice", "complex", "bytearray"},
    "collections": {"OrderedDict"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"scalar", "_reconstruct"},
    "numpy._core.multiarray": {"scalar", "_reconstruct"},
    "timm.layers.format": {"Format"},
    "timm.models._features": {"FeatureInfo"},
    "torch._utils": {
        "_rebuild_parameter",
        "_rebuild_parameter_with_state",
        "_rebuild_sparse_tensor",
        "_rebuild_tensor",
        "_rebuild_tensor_v2",
        "_rebuild_tensor_v3",
    },
    "torch.serialization": {"_get_layout"},
    "torch.storage": {"TypedStorage", "UntypedStorage"},
    "torchvision.transforms.functional": {"InterpolationMode"},
    "torchvision.transforms.transforms": {
        *("CenterCrop", "Compose", "Normalize", "Resize", "ToTensor")
    },
    "ultralytics.utils": {"IterableSimpleNamespace"},
}
# Names of older versions and of other systems.
RENAMED = {
    "ultralytics.nn.modules.block.Silence": nn.Identity,
    "ultralytics.nn.tasks.YOLOv10DetectionModel": tasks.DetectionModel,
    "ultralytics.yolo.utils.IterableSimpleNamespace": IterableSimpleNamespace,
} | {
    f"{module}.{name}": type(pathlib.Path())
    for module in ("pathlib", "pathlib._local")
    for name in ("PosixPath", "WindowsPath")
}


class RefusedError(Exception):
    """What a file asks for and does not get. The message is the second half of a sentence."""


def find(module: str, name: str, declared: dict[str, object]) -> object:
    """What stands at an address in a checkpoint, if a network may need it.

    Args:
        module, name: the address.
        declared: what else is allowed, by whole addresses.

    Raises:
        RefusedError: it is no such thing, or is not there.
    """
    module = {"__builtin__": "builtins"}.get(module, module)  # as protocol 2 writes it
    address = f"{module}.{name}"
    if address in declared:
        return declared[address]
    if address in RENAMED:
        return RENAMED[address]
    if address == "builtins.getattr":
        return _attribute
    by_rule = any(module == each or module.startswith(f"{each}.") for each in LAYERS)
    if "." not in name and (by_rule or module in (*LOSSES, *OTHERS, "torch")):
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise RefusedError(f"names {address}, which is not there ({error})") from None
        is_class = isinstance(found, type)
        if (
            name in OTHERS.get(module, ())
            or (by_rule and is_class and issubclass(found, nn.Module))
            or (module in LOSSES and is_class and found.__module__ == module)
            or (module == "torch" and _is_of_tensors(found))
        ):
            return found
    raise RefusedError(f"names {address}, which a network has no need of")


def _is_of_tensors(found: object) -> bool:
    if isinstance(found, type):
        return found in (torch.Size, torch.device) or found.__name__.endswith("Storage")
    return isinstance(found, (torch.dtype, torch.layout))


def _is_plain(cls: type) -> bool:
    """Whether its constructor does nothing but hold values. Layers, losses and arrays are built
    without theirs.
    """
    place = cls.__module__
    layer = issubclass(cls, nn.Module) or any(place.startswith(each) for each in LOSSES)
    return not layer and cls is not np.ndarray and not cls.__name__.endswith("Storage")


def _attribute(owner: object, name: str) -> object:
    """Files of ultralytics hold `Detect.forward` and members of an enumeration, which a pickle
    writes as a call of getattr.
    """
    if isinstance(owner, type) and issubclass(owner, enum.Enum) and name in owner.__members__:
        return owner[name]
    cls = owner if isinstance(owner, type) else type(owner)
    if issubclass(cls, nn.Module) and name in ("forward", "forward_fuse", "forward_split"):
        found = getattr(cls, name)
        return found if owner is cls else types.MethodType(found, owner)
    raise RefusedError(f"asks for the attribute {name!r} of {cls.__name__}")


# The unpickler written in Python, since the one in C cannot be asked what it is about to call.
class Unpickler(pickle._Unpickler):
    """Looks at each instruction that can end in a call."""

    declared: dict[str, object] = {}
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> object:
        return find(module, name, self.declared)

    def load_reduce(self) -> None:
        function = self.stack[-2]
        if isinstance(function, type) and not _is_plain(function):
            raise RefusedError(f"calls the constructor of {function.__name__}")
        super().load_reduce()

    def load_build(self) -> None:
        owner = self.stack[-2]
        functions = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
        if isinstance(owner, (type, enum.Enum, *functions)):  # all others would have them changed
            raise RefusedError(f"changes {getattr(owner, '__name__', owner)}")
        if "__setstate__" in getattr(owner, "__dict__", ()):
            raise RefusedError("calls what it has put into an object")
        super().load_build()

    def load_append(self) -> None:
        _require(list, self.stack[-2])
        super().load_append()

    def load_appends(self) -> None:
        _require(list, self.metastack[-1][-1])
        super().load_appends()

    def load_additems(self) -> None:
        _require(set, self.metastack[-1][-1])
        super().load_additems()

    def load_call(self) -> None:
        raise RefusedError("calls a constructor in a way that only Python 2 wrote")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.APPEND[0]] = load_append
    dispatch[pickle.APPENDS[0]] = load_appends
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.INST[0]] = dispatch[pickle.OBJ[0]] = load_call


def _require(kind: type, owner: object) -> None:
    if not isinstance(owner, kind):  # else its own append would be called
        raise RefusedError(f"appends to a {type(owner).__name__}")


def pickle_module(declared: dict[str, object]) -> types.ModuleType:
    """What `torch.load` takes as its pickle_module."""
    module = types.ModuleType("restricted")
    module.Unpickler = type("Unpickler", (Unpickler,), {"declared": declared})
    module.load = lambda file, **options: module.Unpickler(file, **options).load()
    return module
