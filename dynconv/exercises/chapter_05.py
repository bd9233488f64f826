"""Checkers for chapter 5, Four modifications, and one import."""

from __future__ import annotations

import ast
import functools
import math
import os
import re
from typing import NamedTuple

from .checking import Wrong, call, number, reject_if, said, whole_numbers

DEPTH, WIDTH, MAX_CHANNELS = 0.33, 0.25, 1024  # scale n of YOLOv10


class Row(NamedTuple):
    """A row of a YAML, as parse_model meets it."""

    args: list
    n: int  # repeats
    c1: int
    in_base: bool  # in the first collection
    in_repeat: bool  # in the second

    @property
    def channels(self) -> float:
        return min(self.args[0], MAX_CHANNELS) * WIDTH

    def built(self) -> tuple[list, int]:
        """What the module is called with, and how many there are of it."""
        c2, times = math.ceil(self.channels / 8) * 8, max(round(self.n * DEPTH), 1)
        if self.in_repeat:
            return [self.c1, c2, times, *self.args[1:]], 1
        return [self.c1, c2, *self.args[1:]] if self.in_base else self.args, times


ROWS = [
    Row([128, 3, 2], 1, 16, True, False),
    Row([2048, 3, 2], 1, 64, True, False),
    Row([100, 1], 1, 24, True, False),
    Row([256, True], 6, 32, True, True),
    Row([128, True], 1, 32, True, True),
    Row([128, 3, 1], 6, 32, True, False),
    Row([256, True], 4, 32, True, True),
    Row([128, 3, 2], 1, 16, False, False),
    Row([128, 3, 2], 6, 16, False, False),
]


def arguments(answer) -> str:
    """5.1: `arguments(args, n, c1, in_base, in_repeat)`: what the module is called with, and how
    many there are of it."""
    for row in ROWS:
        got = call(answer, list(row.args), *row[1:])
        if not (
            isinstance(got, (tuple, list)) and len(got) == 2 and isinstance(got[0], (tuple, list))
        ):
            raise Wrong(
                "a pair is wanted, the list of arguments and the number of modules, got"
                f" {said(got)}."
            )
        given, count = list(got[0]), number(got[1])
        wanted, times = row.built()
        if (given, count) == (wanted, times):
            continue
        where = (
            f"row {row.args} with n={row.n}, c1={row.c1}, in_base={row.in_base},"
            f" in_repeat={row.in_repeat}"
        )
        reject_if(_signs(row, given, count), where)
        raise Wrong(
            f"{where}: {wanted} and {times} are wanted, you give {said(given)} and {count}."
        )
    return "right: this is what parse_model does with its two collections."


def _signs(row: Row, given: list, count: int) -> dict[str, bool]:
    """Mistakes in what a row becomes, the grossest first, and whether they show."""
    wanted, _ = row.built()
    channels, width = row.channels, given[1:2]  # the width is missing in a list that is too short
    not_rounded_up = ([channels], [round(channels)], [int(channels)], [channels // 8 * 8])
    return {
        "a class outside the first collection gets the arguments of the row as they are, you give"
        f" {said(given)}.": not row.in_base and given != row.args,
        "at least one module is made, whatever the depth.": (
            count == 0 or (row.in_repeat and given[2:3] == [0])
        ),
        "c2 takes the place of the row's first argument, and does not come before it.": (
            given[2:] == row.args
        ),
        "the channels are those of the largest model. The width scales them.": (
            width == [row.args[0]]
        ),
        f"the channels are capped at {MAX_CHANNELS} first, and scaled then.": (
            row.args[0] > MAX_CHANNELS and width == [int(row.args[0] * WIDTH)]
        ),
        f"{channels:g} channels are rounded up to a multiple of 8.": (
            width != wanted[1:2] and width in not_rounded_up
        ),
        "a class in the second collection does the repeating itself, so there is one of it.": (
            row.in_repeat and given == wanted
        ),
        "a class in the second collection is told its repeats, as the third argument.": (
            row.in_repeat and given == [*wanted[:2], *row.args[1:]]
        ),
        f"the depth scales the repeats of every row: {row.n} · {DEPTH} is {row.n * DEPTH:.3g},"
        " rounded to the nearest.": (
            row.n > 1
            and (count == row.n or given == wanted or (row.in_repeat and len(given) == len(wanted)))
            and given[:2] + given[3:] == wanted[:2] + wanted[3:]
        ),
    }


def wrong_rows(answer) -> str:
    """5.2: `wrong_rows(model)`: the rows of C2f_DynamicConv that are not what the YAML asks for."""
    right, wrong = _models()
    for model, wanted in ((wrong, [2, 4, 6]), (right, [])):
        got = sorted(whole_numbers(call(answer, model)))
        if got == wanted:
            continue
        signs = {
            "those are all rows that name C2f_DynamicConv. Row 3 is as the YAML asks: one"
            " bottleneck, no shortcut.": {2, 3, 4, 6} <= set(got),
            "row 1 is a Sequential with good reason: two Conv, one after the other. Look at the"
            " row's name too.": 1 in got,
            "those are the stacked ones. Row 4 repeats once, so nothing is stacked; but what became"
            " of its `True`?": got == [2, 6],
            "that one lost its shortcut. Where a block repeats, there are two C2f in a Sequential:"
            " rows 2 and 6.": got == [4],
            "the first row has number 0.": got == [row + 1 for row in wanted] and model is wrong,
            f"in a model that is built rightly you find {got}.": model is right,
        }
        reject_if(signs)
        others, missing = sorted(set(got) - set(wanted)), len(set(wanted) - set(got))
        raise Wrong(
            f"in the checker's wrong model you say {got}: "
            + (f"{others} are as the YAML asks, or name another block." if others else "")
            + (f"{missing} more are not as the YAML asks." if missing and not others else "")
            + ("name each row once." if not others and not missing else "")
        )
    return "right: also the row that no parameter count finds."


@functools.cache
def _models():
    """Two models of one YAML: built rightly, and with C2f_DynamicConv only in the first
    collection.
    """
    from ultralytics.nn.tasks import DetectionModel

    from ..yolo import C2f_DynamicConv, register

    def build():
        backbone = [
            [-1, 1, "Conv", [64, 3, 2]],
            [-1, 6, "Conv", [64, 3, 1]],  # two of them in a Sequential, rightly
            [-1, 6, "C2f_DynamicConv", [64, True]],
            [-1, 1, "C2f_DynamicConv", [64]],
            [-1, 3, "C2f_DynamicConv", [64, True]],
            [-1, 1, "Conv", [64, 3, 2]],
            [-1, 6, "C2f_DynamicConv", [64]],
        ]
        scale = {"scales": {"n": [DEPTH, WIDTH, MAX_CHANNELS]}, "scale": "n"}
        head = [[[6], 1, "Detect", ["nc"]]]
        return DetectionModel({"nc": 2, **scale, "backbone": backbone, "head": head}, verbose=False)

    right = build()
    try:
        register(C2f_DynamicConv, repeat=False)
        return right, build()
    finally:
        register(C2f_DynamicConv, repeat=True)


SOURCES = [
    """from ultralytics.nn.modules import Bottleneck, BottleneckCSP, C2f, C3, Conv, SPPF

def parse_model(d, ch):
    base_modules = frozenset(
        {
            Conv,  # the most common
            Bottleneck,
            BottleneckCSP,
            C2f,
            C3,
        }
    )
    repeat_modules = frozenset({BottleneckCSP, C2f, C3})
    return base_modules, repeat_modules, SPPF
""",
    """from ultralytics.nn.modules import Bottleneck, BottleneckCSP, C2f, C3, Conv

def parse_model(d, ch):
    for m in d:
        if m in {Bottleneck, BottleneckCSP, C2f, C3, Conv}:  # takes channels
            if m in {BottleneckCSP, C2f, C3}:
                return 2
            return 1
""",
    """from ultralytics.nn.modules import (
    Bottleneck, BottleneckCSP, C2f, C3, Conv,
)

def parse_model(d, ch):
    repeat = {BottleneckCSP, C2f, C3}  # this version writes it first
    base = (C3, BottleneckCSP, Conv, Bottleneck,
            C2f)
    return base, repeat
""",
]


def add_to_base(answer) -> str:
    """5.3: `add_to_base(source)`: the text of a tasks.py with DynamicConv in the first collection,
    and else unchanged."""
    for version, source in enumerate(SOURCES, 1):
        got = call(answer, source)
        if not isinstance(got, str):
            raise Wrong(f"a text is wanted, got {said(got)}.")
        _look_at_edit(got, source, f"version {version} of the checker")
    return "right: by content, in every version, and nothing else is touched."


def _look_at_edit(got: str, source: str, where: str) -> None:
    """Raise Wrong unless `got` is `source` with DynamicConv in the first collection."""
    tree = _parsed(got, where)
    signs = {
        "nothing was added. Do not look for the word base_modules; look for a collection that holds"
        " Conv and Bottleneck.": got == source,
        "the import names DynamicConv now, too. That is edit 3, and from another module.": (
            _is_imported(tree)
        ),
    }
    reject_if(signs, where)
    without, collections = _taken_out(tree)
    comments = [line.split("#")[1] for line in source.splitlines() if "#" in line]
    signs = {
        "DynamicConv is in the second collection. Only the first one takes it, the one that holds"
        " Conv and Bottleneck.": any(not names & {"Conv", "Bottleneck"} for names in collections),
        f"DynamicConv is wanted in the first collection once, it is there {len(collections)}"
        " times.": len(collections) != 1,
        "something else changed besides the new name.": (
            ast.dump(without) != ast.dump(ast.parse(source))
        ),
        "a comment got lost. A syntax tree has none: take only the position from it, and insert"
        " text.": any(comment not in got for comment in comments),
        "the name is in its place, and something else changed: spaces, lines, or the end of the"
        " text. Insert the name and a comma, nothing more.": not _is_inserted(got, source),
    }
    reject_if(signs, where)


def _is_inserted(got: str, source: str) -> bool:
    """Whether `got` is `source` with the name and its comma in one place."""
    start, more = len(os.path.commonprefix([got, source])), len(got) - len(source)
    around = got[:start] + got[start + more :]
    name = re.fullmatch(r"[\s,]*DynamicConv[\s,]*", got[start : start + more])
    return around == source and name is not None


def _parsed(source: str, where: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise Wrong(
            f"{where}: the result is not valid Python any more (line {error.lineno}: {error.msg})."
        ) from None


def _is_imported(tree: ast.Module) -> bool:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(alias.name == "DynamicConv" for node in imports for alias in node.names)


def _taken_out(tree: ast.Module) -> tuple[ast.Module, list[set[str]]]:
    """The tree without DynamicConv, and the names beside it, for each time that it was there."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.Tuple)):
            names = [each.id if isinstance(each, ast.Name) else "" for each in node.elts]
            found += [set(names)] * names.count("DynamicConv")
            node.elts = [each for each, name in zip(node.elts, names) if name != "DynamicConv"]
    return tree, found
