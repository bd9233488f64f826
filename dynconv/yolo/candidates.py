"""What `register` asks of a class, before and beside its name."""

from __future__ import annotations

import sys

from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from ..checks import check_flag, shown
from .heads import head_of
from .rows import Entry, held_by_module, place, signature


def head_class(cls: type) -> type | None:
    """The nearest head of ultralytics that a class is derived from."""
    heads = "ultralytics.nn.modules.head"
    return next(
        (
            one
            for one in cls.__mro__[1:]
            if one.__module__ == heads and vars(tasks).get(one.__name__) is one
        ),
        None,
    )


def check_task(cls: type) -> None:
    """ultralytics reads the task of a model file from the name of its head. A ValueError if it
    would read a wrong one; a warning if it would read none, and open the file only if told.
    """
    head, name = head_of({"head": [[None, None, cls]]}), cls.__name__
    if head is None or head.trainer:
        return
    told = tasks.guess_model_task({"head": [[None, None, name, None]]})
    if told is None:
        LOGGER.warning(
            f"ultralytics reads the task of a model file from its head's name, and in {name} it"
            f" finds none: open the file with YOLO(file, task={head.task!r})"
        )
    elif told != head.task:
        raise ValueError(
            f"{name} is derived from {head.name}, of the task {head.task!r}, but ultralytics reads"
            f" the task from the name of the head, and in this one {told!r}: give the class another"
            " name"
        )


def check_constructor(entry: Entry) -> None:
    check_flag("repeat", entry.repeat)
    name, wanted = entry.cls.__name__, entry.leading("c1", "c2", "n")
    if not isinstance(entry.inputs, str) or entry.inputs not in ("one", "many"):
        raise ValueError(f"inputs must be 'one' or 'many', got {shown(entry.inputs)}")
    if not (isinstance(entry.channels, bool) or callable(entry.channels)):
        raise TypeError(
            "channels must be True, False or a function of the input's channels, got"
            f" {shown(entry.channels)}"
        )
    if entry.repeat and entry.channels is not True:
        raise TypeError(
            "repeat=True passes the repeat count after c1 and c2, which channels=False leaves out:"
            " choose one of them"
        )
    try:
        signature(entry.cls).bind_partial(*wanted)
    except TypeError as error:
        raise TypeError(
            f"{name} must be callable with ({', '.join(wanted)}) as first arguments: {error}. If it"
            " takes the arguments of its row as they stand, register it with channels=False"
        ) from None


def check_definition(cls: type) -> None:
    """A checkpoint stores only where a class is defined; a ValueError if that leads nowhere."""
    if cls.__module__ == "__main__":
        where = "in __main__ (a script or notebook). A checkpoint that holds it could be loaded"
        where += " nowhere else"
    elif "<locals>" in cls.__qualname__:
        where = f"in a function, as {place(cls)}. A checkpoint could not hold it"
    else:
        return
    raise ValueError(
        f"{cls.__name__} is defined {where}: move the class into a module file and import it from"
        " there"
    )


def check_held(cls: type) -> None:
    """The same, for a class that its module has lost, or never had."""
    if not (_is_running(cls.__module__) or held_by_module(cls)):
        raise ValueError(
            f"{cls.__name__} says that it is {place(cls)}, but that module has another class or"
            " nothing under that name, so that a checkpoint could not hold it. If the module was"
            " reloaded, register the class that it holds now; if the class was generated, write it"
            " in a module file"
        )


def _is_running(module: str) -> bool:
    """Whether the file of a module is being executed, which gives it its classes one by one: so it
    is where `register` is a decorator.
    """
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False
