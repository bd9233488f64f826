"""What every model dictionary must be, of whatever modules it is made, before anything is built
from it: of a known form, of a size that a machine can hold, and no program.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence

from torch import nn

from ..checks import is_int, shown

# More than any network has; what is larger would fill the memory before it is refused.
MOST = {"classes": 100_000, "repeats": 1_000, "a number among the arguments": 1_000_000}


def check(d: object) -> None:
    """Refuse a model that must not be built.

    Raises:
        TypeError: it is no dictionary, its sections are no lists, or nc is no whole number.
        ValueError: a section is missing, or nc where a row needs it; a row has not four entries,
            reads a row that is not there or repeats in no known way; a number is larger than any
            network has; `activation` is no layer of torch.nn, which ultralytics would evaluate as
            Python.
    """
    if not isinstance(d, dict):
        raise TypeError(f"a model must be a dictionary, as a YAML file gives it, got {shown(d)}")
    for section in ("backbone", "head"):
        if section not in d:
            raise ValueError(
                f"the model has no section `{section}:`; it has {', '.join(map(str, d))}"
            )
        if not isinstance(d[section], (list, tuple, type(None))):
            raise TypeError(f"`{section}:` must be a list of rows, got {shown(d[section])}")
    if d.get("nc") is not None:
        _check_number("nc", "the number of classes", d["nc"], 1, MOST["classes"])
    if d.get("activation"):
        _check_activation(d["activation"])
    _check_scales(d)
    rows = [(section, row) for section in ("backbone", "head") for row in d[section] or ()]
    for i, (section, row) in enumerate(rows):
        where = f"row {i} ({section})"
        _check_row(where, i, row)
        if d.get("nc") is None and "nc" in list(row[3]):
            raise ValueError(f"{where}: {row[2]} needs `nc:`, the number of classes")


def _check_row(where: str, i: int, row: object) -> None:
    if not isinstance(row, (list, tuple)) or len(row) != 4:
        raise ValueError(f"{where} must be [from, repeats, module, arguments], got {shown(row)}")
    source, repeats, name, arguments = row
    if not isinstance(name, str):
        hint = f": write {name.__name__!r}" if isinstance(name, type) else ""
        raise ValueError(
            f"{where}: the third entry of a row is the name of a module, got {shown(name)}{hint}"
        )
    said = (
        f"{where}: the second entry of a row says how often {name} repeats, a whole number from 1"
    )
    if not is_int(repeats) and not isinstance(repeats, float):
        raise ValueError(f"{said}, got {shown(repeats)}")
    if not repeats <= MOST["repeats"]:
        raise ValueError(f"{said} and at most {MOST['repeats']}, got {shown(repeats)}")
    check_source(where, i, source, name)
    if not isinstance(arguments, (list, tuple)):
        raise ValueError(f"{where}: {name} needs its arguments as a list, got {shown(arguments)}")
    most = MOST["a number among the arguments"]
    for number in _numbers(arguments):
        if not -most <= number <= most:
            raise ValueError(f"{where}: {name} is given {number}; no network has more than {most}")


def check_source(where: str, i: int, source: object, name: str) -> None:
    """Row i reads rows that are there: -1 is the one before, 0 the first of all."""
    sources = source if isinstance(source, (list, tuple)) else [source]
    if not sources:
        raise ValueError(f"{where}: {name} needs at least one input, got {shown(source)}")
    for one in sources:
        if not is_int(one):
            raise ValueError(
                f"{where}: the first entry of a row says which row {name} reads, a whole number"
                f" such as -1, the one before, got {shown(one)}"
            )
        if one != -1 and not -i <= one < i:
            rows = f"the rows before it are 0 to {i - 1}" if i else "is the first: write -1"
            raise ValueError(f"{where}: {name} reads row {one}, but {rows}")


def _check_number(name: str, what: str, value: object, least: int, most: int) -> None:
    if not is_int(value):
        raise TypeError(f"{name}, {what}, must be a whole number, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{name}, {what}, must be from {least} to {most}, got {shown(value)}")


def _numbers(arguments: Sequence, deep: int = 0) -> Iterator[int | float]:
    """Those among the arguments of a row, also in lists in it; at most some levels down, which also
    ends with a list that holds itself.
    """
    if deep > 8:
        raise ValueError("the arguments of a row are lists in lists without end")
    for value in arguments.values() if isinstance(arguments, dict) else arguments:
        if isinstance(value, (list, tuple, dict)):
            yield from _numbers(value, deep + 1)
        elif is_int(value) or (isinstance(value, float) and not math.isnan(value)):
            yield value


def _check_scales(d: dict) -> None:
    scales, scale = d.get("scales"), d.get("scale")
    if not scales:
        return
    form = "`scales` of a model must be {letter: [depth, width, most channels]}"
    if not isinstance(scales, dict):
        raise ValueError(f"{form}, got {shown(scales)}")
    for size in scales.values():
        if not isinstance(size, (list, tuple)) or len(size) != 3:
            raise ValueError(f"{form}, got {shown(scales)}")
        for number in size:
            known = is_int(number) or isinstance(number, float)
            if not known or not 0 < number < math.inf:
                raise ValueError(f"{form} of positive numbers, got {shown(size)}")
    if scale and scale not in list(scales):  # a list, since any value may stand there
        raise ValueError(
            f"the model{named(d)} asks for scale {shown(scale)}, but has {letters(scales)}"
        )


def named(d: dict) -> str:
    """The file of a model, for a message."""
    return f" ({d['yaml_file']})" if "yaml_file" in d else ""


def letters(scales: dict) -> str:
    """Which scales there are, and how one of them is chosen."""
    return (
        f"{', '.join(map(str, scales))}. The letter is read from the file's name, the n in"
        " yolov10n-mine.yaml: rename the file, or add the scale to `scales`. In a dictionary set"
        " d['scale']"
    )


def _check_activation(spec: object) -> None:
    """A call of a class of torch.nn with plain values, as `nn.LeakyReLU(0.1)`."""
    try:
        call = ast.parse(str(spec).strip(), mode="eval").body
        path, _, name = ast.unparse(call.func).rpartition(".")
        cls = getattr(nn, name)
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            ast.literal_eval(value)
        fits = path in ("nn", "torch.nn") and issubclass(cls, nn.Module)
    except Exception:  # whatever else somebody may have written there
        fits = False
    if not fits:
        raise ValueError(
            "`activation` of a model must be a layer of torch.nn with plain values, such as"
            f" nn.SiLU() or nn.LeakyReLU(0.1), got {shown(spec)}; it was not evaluated"
        )
