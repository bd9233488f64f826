"""Checkers for chapter 5, Four modifications, and one import."""

from __future__ import annotations

import ast
import math

from ._checking import Wrong, call

DEPTH, WIDTH, MAX_CHANNELS = 0.33, 0.25, 1024  # scale n of YOLOv10
ROWS = [  # arguments of the row, repeats, c1, in the first collection, in the second
    ([128, 3, 2], 1, 16, True, False),
    ([2048, 3, 2], 1, 64, True, False),
    ([100, 1], 1, 24, True, False),
    ([256, True], 6, 32, True, True),
    ([128, True], 1, 32, True, True),
    ([128, 3, 1], 6, 32, True, False),
    ([128, 3, 2], 1, 16, False, False),
]


def arguments(answer) -> str:
    """5.1: `arguments(args, n, c1, in_base, in_repeat)`: what the module is called with, and how
    many there are of it.
    """
    for args, n, c1, in_base, in_repeat in ROWS:
        channels = min(args[0], MAX_CHANNELS) * WIDTH
        c2 = math.ceil(channels / 8) * 8
        times = max(round(n * DEPTH), 1)
        wanted = [c1, c2, *args[1:]] if in_base else list(args)
        if in_repeat:
            wanted, times = [c1, c2, times, *args[1:]], 1
        got = call(answer, list(args), n, c1, in_base, in_repeat)
        if not (
            isinstance(got, (tuple, list))
            and len(got) == 2
            and isinstance(got[0], (tuple, list))
            and isinstance(got[1], int)
        ):
            raise Wrong(
                f"a pair is wanted, the list of arguments and the number of modules, got {got!r}."
            )
        given, count = list(got[0]), got[1]
        row = f"row {args} with n={n}, c1={c1}, in_base={in_base}, in_repeat={in_repeat}"
        if given == wanted and count == times:
            continue
        if not in_base:
            raise Wrong(
                f"{row}: a class outside the first collection gets the arguments of the row as they"
                f" are, you give {given}."
            )
        if given[2:] == args:
            raise Wrong(
                f"{row}: c2 takes the place of the row's first argument, and does not come"
                " before it."
            )
        if given[1:2] == [args[0]]:
            raise Wrong(
                f"{row}: the channels are those of the largest model. The width scales them."
            )
        if args[0] > MAX_CHANNELS and given[1:2] == [int(args[0] * WIDTH)]:
            raise Wrong(f"{row}: the channels are capped at {MAX_CHANNELS} first, and scaled then.")
        if given[1:2] != [c2] and given[1:2] in (
            [channels],
            [round(channels)],
            [int(channels)],
            [channels // 8 * 8],
        ):
            raise Wrong(f"{row}: {channels:g} channels are rounded up to a multiple of 8.")
        if in_repeat and given == wanted and count != 1:
            raise Wrong(
                f"{row}: a class in the second collection does the repeating itself, so there is"
                " one of it."
            )
        if in_repeat and given == [c1, c2, *args[1:]]:
            raise Wrong(
                f"{row}: a class in the second collection is told its repeats, as the third"
                " argument."
            )
        if (in_repeat and n in given[2:3] and n > 1) or (given == wanted and count == n):
            raise Wrong(f"{row}: the depth scales the repeats, {n} · {DEPTH} rounded.")
        raise Wrong(f"{row}: {wanted} and {times} are wanted, you give {given} and {count}.")
    return "right: this is what parse_model does with its two collections."


def wrong_rows(answer) -> str:
    """5.2: `wrong_rows(model)`: the rows of C2f_DynamicConv that are not what the YAML asks for."""
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
        scales = {"n": [DEPTH, WIDTH, MAX_CHANNELS]}
        return DetectionModel(
            {
                "nc": 2,
                "scales": scales,
                "scale": "n",
                "backbone": backbone,
                "head": [[[6], 1, "Detect", ["nc"]]],
            },
            verbose=False,
        )

    right = build()
    try:
        register(C2f_DynamicConv, repeat=False)
        wrong = build()
    finally:
        register(C2f_DynamicConv, repeat=True)
    for model, wanted in ((wrong, [2, 4, 6]), (right, [])):
        got = call(answer, model)
        if not isinstance(got, (list, tuple, set)):
            raise Wrong(f"a list of row numbers is wanted, got {got!r}.")
        got = sorted(got)
        if got == wanted:
            continue
        if set(got) >= {2, 3, 4, 6}:
            raise Wrong(
                "those are all rows that name C2f_DynamicConv. Row 3 is as the YAML asks: one"
                " bottleneck, no shortcut."
            )
        if 1 in got:
            raise Wrong(
                "row 1 is a Sequential with good reason: two Conv, one after the other. Look at the"
                " row's name too."
            )
        if got == [2, 6]:
            raise Wrong(
                "those are the stacked ones. Row 4 repeats once, so nothing is stacked; but what"
                " became of its `True`?"
            )
        if got == [4]:
            raise Wrong(
                "that one lost its shortcut. Where a block repeats, there are two C2f in a"
                " Sequential: rows 2 and 6."
            )
        if model is right:
            raise Wrong(f"in a model that is built rightly you find {got}.")
        raise Wrong(f"in the checker's wrong model the rows {wanted} are wrong, you say {got}.")
    return "right: also the row that no parameter count finds."


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


def _names(node) -> list:
    return [element.id for element in node.elts if isinstance(element, ast.Name)]


def add_to_base(answer) -> str:
    """5.3: `add_to_base(source)`: the text of a tasks.py with DynamicConv in the first collection,
    and else unchanged.
    """
    for number, source in enumerate(SOURCES, 1):
        got = call(answer, source)
        where = f"version {number} of the checker"
        if not isinstance(got, str):
            raise Wrong(f"a text is wanted, got {type(got).__name__}.")
        try:
            tree = ast.parse(got)
        except SyntaxError as error:
            raise Wrong(
                f"{where}: the result is not valid Python any more (line {error.lineno}:"
                f" {error.msg})."
            ) from None
        if got == source:
            raise Wrong(
                f"{where}: nothing was added. Do not look for the word base_modules; look for a"
                " collection that holds Conv and Bottleneck."
            )
        if any(
            "DynamicConv" in (alias.name for alias in node.names)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        ):
            raise Wrong(
                f"{where}: the import names DynamicConv now, too. That is edit 3, and from another"
                " module."
            )
        named = 0
        for node in ast.walk(tree):
            if isinstance(node, (ast.Set, ast.Tuple)) and "DynamicConv" in _names(node):
                if "Conv" not in _names(node):
                    raise Wrong(
                        f"{where}: DynamicConv is in the second collection, too. Only the first one"
                        " has Conv."
                    )
                named += _names(node).count("DynamicConv")
                node.elts = [
                    element
                    for element in node.elts
                    if not (isinstance(element, ast.Name) and element.id == "DynamicConv")
                ]
        if named != 1:
            raise Wrong(
                f"{where}: DynamicConv is wanted in the first collection once, it is there {named}"
                " times."
            )
        if ast.dump(tree) != ast.dump(ast.parse(source)):
            raise Wrong(f"{where}: something else changed besides the new name.")
        if any(line.split("#")[1] not in got for line in source.splitlines() if "#" in line):
            raise Wrong(
                f"{where}: a comment got lost. A syntax tree has none: take only the position from"
                " it, and insert text."
            )
    return "right: by content, in every version, and nothing else is touched."


EXERCISES = {"5.1": arguments, "5.2": wrong_rows, "5.3": add_to_base}
