"""Refuses model YAMLs that cannot be meant, before anything is built from them."""

from __future__ import annotations

import torch.nn
from ultralytics.nn import tasks

from ..checks import did_you_mean, is_int


class UnknownModuleError(KeyError):
    """A model YAML names a module that neither ultralytics nor the registration knows."""

    def __str__(self) -> str:
        return self.args[0]  # KeyError would show it in quotes, with its line ends escaped


def check_rows(d: dict, registered: dict[str, bool]) -> None:
    """Refuse a model dictionary that would fail without naming the mistake, or build something else
    than it says.

    Names and the form of rows are checked in every model; scale, repeats and arguments only where a
    registered module stands, since what ultralytics makes of its own modules is not ours to change.

    Args:
        d: a model YAML as ultralytics reads it.
        registered: the registered modules by name, and whether each takes (c1, c2, ...).

    Raises:
        UnknownModuleError: a row names no known module.
        ValueError: a row has not four entries; or, with registered modules, the scale is missing
            among several or is none of those in the file, a repeat count is no whole number from 1,
            or a row has no arguments.
    """
    rows = [
        (f"row {i} ({section})", row)
        for i, (section, row) in enumerate(
            (s, r) for s in ("backbone", "head") for r in d.get(s, ())
        )
    ]
    for where, row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            raise ValueError(f"{where} must be [from, repeats, module, arguments], got {row!r}")
        name = row[2]
        if isinstance(name, str) and not _is_known(name):
            known = [*registered, *(k for k, v in vars(tasks).items() if isinstance(v, type))]
            raise UnknownModuleError(
                f"{where} names the module {name!r}, which neither ultralytics nor dynconv"
                f" knows{did_you_mean(name, known)} Registered are"
                f" {', '.join(sorted(registered)) or 'none'}; a module of your own needs"
                " dynconv.yolo.register first."
            )
    ours = [(where, row) for where, row in rows if isinstance(row[2], str) and row[2] in registered]
    if ours:
        _check_scale(d)
    for where, (_, repeats, name, arguments) in ours:
        if not is_int(repeats) or repeats < 1:
            raise ValueError(
                f"{where}: the second entry of a row says how often {name} repeats, a whole number"
                f" from 1, got {repeats!r}"
            )
        if not isinstance(arguments, (list, tuple)) or (registered[name] and not arguments):
            begin = " that begins with the output channels" if registered[name] else ""
            raise ValueError(
                f"{where}: {name} needs its arguments as a list{begin}, got {arguments!r}"
            )


def _check_scale(d: dict) -> None:
    """A model with several scales must be told which; ultralytics would take the first, and sorted
    by name that is a large one.
    """
    scales, scale = d.get("scales"), d.get("scale")
    if not scales or scale in scales or (not scale and len(scales) == 1):
        return
    letters, file = ", ".join(scales), f" ({d['yaml_file']})" if "yaml_file" in d else ""
    asked = (
        f"asks for scale {scale!r}, but has"
        if scale
        else "does not say which of its scales to build:"
    )
    raise ValueError(
        f"the model{file} {asked} {letters}. The letter is read from the file's name, the n in"
        " yolov10n-mine.yaml: rename the file, or add the scale to `scales`. In a dictionary set"
        " d['scale']"
    )


def _is_known(name: str) -> bool:
    if name.startswith("nn."):
        return hasattr(torch.nn, name[3:])
    return name.startswith("torchvision.ops.") or name in vars(tasks)
