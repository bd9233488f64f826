"""Refuses model YAMLs that cannot be meant, before anything is built from them.

What a registered module asks of its rows is in `Entry`, one for each.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch.nn
import torchvision.ops
from ultralytics.nn import tasks

from ..checks import did_you_mean, is_int, shown
from ..folding import FOLDED
from ..upstream import names_of, rows_of
from . import model_dict

# What ultralytics adds to the arguments of a head; here by name, since its order changes.
FROM_MODEL = ("reg_max", "end2end", "ch")


class UnknownModuleError(KeyError):
    """A model YAML names a module that neither ultralytics nor the registration knows."""

    def __str__(self) -> str:
        return self.args[0]  # KeyError would show it in quotes, with its line ends escaped


class Entry(NamedTuple):
    """A registered module. `repeat`, `channels` and `inputs` as for `register`."""

    cls: type
    repeat: bool
    channels: bool | Callable[[Any], int]
    inputs: str
    head: type | None  # the head of ultralytics that it is derived from
    before: Any = None  # what nn/tasks.py had under its name

    @property
    def many(self) -> bool:
        return self.inputs == "many"

    @property
    def leads_with_channels(self) -> bool:
        """Whether the first argument of a row is the output channels."""
        return self.channels is True and self.head is None

    def leading(self, c1: Any, c2: Any, n: Any) -> list:
        """What stands in front of the row's other arguments."""
        return [] if not self.leads_with_channels else [c1, c2, n] if self.repeat else [c1, c2]

    def parameters(self) -> list[str]:
        """The names of what the constructor takes; of a head with **keywords, which it hands on,
        also those of the class that it is derived from, and so on.
        """
        names = []
        for cls in self.cls.__mro__ if self.head else (self.cls,):
            if cls is self.cls or "__init__" in vars(cls):
                takes = signature(cls).parameters.values()
                names += [p.name for p in takes if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
                if not any(p.kind is p.VAR_KEYWORD for p in takes):
                    break
        return list(dict.fromkeys(names))

    def named(self, **values: Any) -> dict[str, Any]:
        """Those of the values that the constructor takes by these names."""
        return {name: value for name, value in values.items() if name in self.parameters()}


def signature(cls: type) -> inspect.Signature:
    """The arguments that the constructor takes, without self."""
    if cls.__init__ is torch.nn.Module.__init__:  # says *args, **kwargs, and then refuses any
        return inspect.Signature()
    try:
        takes = inspect.signature(cls)
    except ValueError:  # one written in C
        takes = inspect.signature(lambda *args, **kwargs: None)
    empty = inspect.Signature.empty  # in a message, types would hide the names
    plain = [p.replace(annotation=empty) for p in takes.parameters.values()]
    return takes.replace(parameters=plain, return_annotation=empty)


def place(thing: object) -> str:
    """Where a class is defined: the address by which a checkpoint finds it."""
    return f"{thing.__module__}.{thing.__qualname__}" if isinstance(thing, type) else shown(thing)


def held_by_module(cls: type) -> bool:
    """Whether the address of a class leads to this class, as it must when a checkpoint is written
    and read.
    """
    try:
        # not imported again: in another thread that would wait for an import that goes on
        found = sys.modules.get(cls.__module__) or importlib.import_module(cls.__module__)
        for name in cls.__qualname__.split("."):
            found = getattr(found, name)
    except Exception:  # whatever the import of that module does
        return False
    return found is cls


def split_arguments(arguments: Sequence) -> tuple[list, dict]:
    """The arguments of a row, and those that its last entry gives by name, {name: value}."""
    if arguments and isinstance(arguments[-1], dict):
        return list(arguments[:-1]), arguments[-1]
    return list(arguments), {}


def check_before(d: dict) -> None:
    """Refuse, of whatever modules it is made, a model that must not be built.

    Raises:
        ValueError: it is that of a network whose BatchNorms were folded.
        UnknownModuleError: a row names something that ultralytics has and that is no module, such
            as a function, which would be called with the row's arguments.
    """
    # What has another form may be what a newer ultralytics reads. If it is not, that fails, and
    # `check_rows` says why.
    known = all(isinstance(row, (list, tuple)) and len(row) == 4 for _, row in rows_of(d))
    known = known and {"backbone", "head"} <= d.keys()
    model_dict.check(d if known else d | {"backbone": [], "head": []})
    if d.get(FOLDED):
        raise ValueError(
            "this network went through fold_batchnorm and is for prediction only: built anew from"
            " its YAML, as training does, it would have fresh BatchNorms behind experts that were"
            " scaled. Train from the checkpoint of before"
        )
    for name in names_of(d):
        found = _meant(name)
        if found is not None and not _is_module(found):
            where = next(where for where, row in rows_of(d) if row[2] == name)
            raise UnknownModuleError(
                f"{where} names the module {name!r}, which is {shown(found)} and no subclass of"
                " torch.nn.Module"
            )


def check_rows(d: dict, registered: dict[str, Entry]) -> None:
    """Refuse a model dictionary that would fail without naming the mistake, or build something else
    than it says.

    Names and the form of rows are checked of all modules; scale, repeats, inputs and arguments only
    where a registered module stands, since what ultralytics makes of its own modules is not ours to
    change.

    Args:
        d: a model YAML as ultralytics reads it.
        registered: the registered modules by name.

    Raises:
        UnknownModuleError: a row names no known module.
        TypeError: the constructor of a registered module does not take the row's arguments.
        ValueError: a row has not four entries, or its third is no name; or, with registered
            modules, the scale is missing among several or is none of those in the file, a repeat
            count is no whole number from 1, a row has no arguments or another number of inputs than
            the module takes, or a checkpoint could not hold the module.
    """
    model_dict.check(d)
    rows = rows_of(d)
    for where, row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            raise ValueError(
                f"{where} must be [from, repeats, module, arguments], got {shown(row)}"
            )
        _check_name(where, row[2], registered)
    ours = [i for i, (_, row) in enumerate(rows) if row[2] in registered]
    if ours:
        _check_scale(d)
    for i in ours:
        where, row = rows[i]
        _check_row(where, row, registered[row[2]])


def _check_name(where: str, name: object, registered: dict[str, Entry]) -> None:
    if not isinstance(name, str):
        hint = f": write {name.__name__!r}" if isinstance(name, type) else ""
        raise ValueError(
            f"{where}: the third entry of a row is the name of a module, got {shown(name)}{hint}"
        )
    if not _is_module(_meant(name)):
        known = [*registered, *(k for k, v in vars(tasks).items() if isinstance(v, type))]
        raise UnknownModuleError(
            f"{where} names the module {name!r}, which neither ultralytics nor dynconv"
            f" knows{did_you_mean(name, known)} Registered are"
            f" {', '.join(sorted(registered)) or 'none'}; a module of your own needs"
            " dynconv.yolo.register first."
        )


def _check_row(where: str, row: Sequence, entry: Entry) -> None:
    source, repeats, name, arguments = row
    if not held_by_module(entry.cls):
        raise ValueError(
            f"{where}: {name} is registered as {place(entry.cls)}, but that is no longer this class"
            " (the module was reloaded?), and a checkpoint could not hold it. Register the one that"
            " the module holds now"
        )
    if not is_int(repeats) or repeats < 1:
        raise ValueError(
            f"{where}: the second entry of a row says how often {name} repeats, a whole number"
            f" from 1, got {shown(repeats)}"
        )
    if entry.many and repeats > 1 and not entry.repeat:
        raise ValueError(
            f"{where}: {name} takes several inputs and gives one output, so it cannot stand"
            f" {repeats} times in a row; write 1"
        )
    if isinstance(source, (list, tuple)) != entry.many:
        if entry.many:
            raise ValueError(
                f"{where}: {name} takes several inputs: begin the row with their list, such as"
                f" [-1, 6], got {shown(source)}"
            )
        raise ValueError(
            f"{where}: {name} is registered for one input, and the row gives it the list"
            f" {shown(source)}. If it takes a list of maps, register it with inputs='many'"
        )
    begin = " that begins with the output channels" if entry.leads_with_channels else ""
    if not isinstance(arguments, (list, tuple)) or (begin and not split_arguments(arguments)[0]):
        raise ValueError(
            f"{where}: {name} needs its arguments as a list{begin}, got {shown(arguments)}"
        )
    positional, keywords = split_arguments(arguments)
    if begin and not isinstance(positional[0], str) and not is_int(positional[0]):
        raise ValueError(
            f"{where}: the first argument of {name} is its output channels, a whole number, got"
            f" {shown(positional[0])}"
        )
    if entry.head is None:  # what a head is given, is known when it is built
        given = [*entry.leading("c1", "c2", "n"), *positional[bool(begin) :]]
        keywords = entry.named(ch=()) | keywords if entry.many else keywords
        takes = signature(entry.cls)
        try:
            takes.bind(*given, **keywords)
        except TypeError as error:
            by_name = any(p.kind is p.KEYWORD_ONLY for p in takes.parameters.values())
            hint = "; what follows the * is given last, as {name: value}" * by_name
            raise TypeError(
                f"{where}: {name}{takes} cannot be built of {shown(arguments)}: {error}{hint}"
            ) from None


def _check_scale(d: dict) -> None:
    """A model with several scales must be told which; ultralytics would take the first, and sorted
    by name that is a large one.
    """
    scales = d.get("scales") or ()
    if len(scales) > 1 and not d.get("scale"):
        raise ValueError(
            f"the model{model_dict.named(d)} does not say which of its scales to build:"
            f" {model_dict.letters(scales)}"
        )


def _meant(name: str) -> object:
    """What a row of that name means to ultralytics; None if nothing."""
    if name.startswith("nn."):
        return getattr(torch.nn, name[3:], None)
    if name.startswith("torchvision.ops."):
        return getattr(torchvision.ops, name[16:], None)
    return vars(tasks).get(name)


def _is_module(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, torch.nn.Module)
