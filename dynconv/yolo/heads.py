"""What a model is, read from its head: a detector, a classifier, ..., and who trains it."""

from __future__ import annotations

import os
from typing import NamedTuple

from torch import nn
from ultralytics.nn import tasks


class Head(NamedTuple):
    """`task` is one of ultralytics' tasks. `trainer`: of a family that the trainer of the task
    would train as what it is not, the class that does it; else ''.
    """

    name: str
    task: str
    trainer: str = ""


# Heads of ultralytics. One that is derived from another, as v10Detect from Detect, is what the
# nearest of its ancestors here is, and so is a head of your own.
_HEADS = {
    head.name: head
    for head in (
        Head("Detect", "detect"),
        Head("Segment", "segment"),
        Head("SemanticSegment", "semantic"),
        Head("Depth", "depth"),
        Head("Classify", "classify"),
        Head("Pose", "pose"),
        Head("OBB", "obb"),
        Head("RTDETRDecoder", "detect", "ultralytics.models.rtdetr.RTDETRTrainer"),
        Head("WorldDetect", "detect", "ultralytics.models.yolo.world.WorldTrainer"),
        Head("YOLOEDetect", "detect", "ultralytics.models.yolo.yoloe.YOLOETrainer"),
        Head("YOLOESegment", "segment", "ultralytics.models.yolo.yoloe.YOLOESegTrainer"),
    )
}


def head_of(model: nn.Module | dict | str | os.PathLike) -> Head | None:
    """The head of a network, of what a model YAML says (a dict), or of the path of such a file.

    None if there is no head that ultralytics knows, or one is derived from.
    """
    if isinstance(model, nn.Module):
        found = (_known(type(module)) for module in model.modules())
        return next(filter(None, found), None)
    if not isinstance(model, dict):
        model = tasks.yaml_model_load(model)
    rows = model.get("head") or model.get("backbone") or [[None, None, None]]
    name = rows[-1][2]
    return _known(vars(tasks).get(name) if isinstance(name, str) else name)


def require_detector(head: Head | None, name: str, instead: str) -> None:
    """A ValueError if a model is no detector. (A head that nobody knows is the reader's own
    affair.)

    Args:
        head: of `head_of`.
        name: of the model, for the message.
        instead: what to use.
    """
    if head is not None and head.task != "detect":
        raise ValueError(
            f"{name} is a model of the task {head.task!r} (its head is {head.name}), and the"
            f" laboratory knows detectors only: use {instead}"
        )


def _known(cls) -> Head | None:
    ancestors = cls.__mro__ if isinstance(cls, type) else ()
    return next((_HEADS[one.__name__] for one in ancestors if one.__name__ in _HEADS), None)
