"""Checkers for chapter 5, Four modifications, and one import."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from .checking import Wrong, call, choose, number, reject_if, said, whole_numbers
from .edited_source import SOURCES, look_at_edit

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


def missing_edits(answer) -> str:
    """5.2: `missing_edits`: which edit is missing in each of five broken copies of ultralytics."""
    found_first = "then Python would stop at the import, before any model is built."
    stock = "with edit 4 the collections name it, and a stock model would fail as well."
    choose(
        answer,
        {
            "A": (
                "edit 3",
                {
                    "edit 1": found_first,
                    "edit 2": found_first,
                    "edit 4": "without it no collection names MyConv, and stock models build.",
                    "edits 3 and 4": "without edit 4 no collection names MyConv, and stock builds.",
                    "second collection": "then nothing at all is raised.",
                },
            ),
            "B": (
                "edit 2",
                {
                    "edit 1": "then the `__init__.py` would miss a module named MyConv.",
                    "edit 3": "who raises it? The line that edit 3 wrote is there and runs.",
                    "edit 4": found_first.replace("then", "with edit 4 missing"),
                    "edits 3 and 4": "it is edit 3's own line that fails.",
                    "second collection": "then nothing at all is raised.",
                },
            ),
            "C": (
                "edits 3 and 4",
                {
                    "edit 1": found_first,
                    "edit 2": found_first,
                    "edit 3": f"a name is looked up and not found: so far it fits. But {stock}",
                    "edit 4": "with edit 3 the name would be found.",
                    "second collection": "then nothing at all is raised.",
                },
            ),
            "D": (
                "edit 4",
                {
                    "edit 1": found_first,
                    "edit 2": found_first,
                    "edit 3": "the class was found and built; its sizes are wrong.",
                    "edits 3 and 4": "without edit 3 there is no class to be built.",
                    "second collection": "who puts the input channels in front of the others?",
                },
            ),
            "E": (
                "second collection",
                {
                    "edit 1": "it builds, so the class is there.",
                    "edit 2": "it builds, so the class is there.",
                    "edit 3": "it builds, so the name is known.",
                    "edit 4": "without all of it the channels would be wrong, and it would fail.",
                    "edits 3 and 4": "it builds, so the name is known.",
                },
            ),
        },
    )
    return "right: four say where to look, and the fifth says nothing."


def what_catches_it(answer) -> str:
    """5.3: `what_catches_it`: which checks notice that the second collection was forgotten."""
    builds = "it builds either way: `True` and the repeats find a place that fits."
    choose(
        answer,
        {
            "stock YOLOv10n builds": (
                "lets it through",
                {"catches it": "stock names no C2f_DynamicConv, so it cannot notice."},
            ),
            "the model builds without an error": ("lets it through", {"catches it": builds}),
            "each row has the class that it names": (
                "lets it through",
                {
                    "catches it": "the classes are right, alone or inside an nn.Sequential. What is"
                    " wrong is with which arguments, and how often."
                },
            ),
            "it trains, and its loss falls": (
                "lets it through",
                {"catches it": "another network trains, too. This one has more parameters."},
            ),
            "it has the parameters of yolo.PARAMETERS": (
                "catches it",
                {
                    "lets it through": "two blocks with one bottleneck have more parameters than"
                    " one block with two."
                },
            ),
        },
    )
    return "right: only what says beforehand which model is meant can notice another one."


def wrong_rows(answer) -> str:
    """5.4: `wrong_rows(model)`: the rows of C2f_DynamicConv that are not what the YAML asks for."""
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


def add_to_base(answer) -> str:
    """5.5: `add_to_base(source)`: the text of a tasks.py with DynamicConv in the first collection,
    and else unchanged."""
    for version, source in enumerate(SOURCES, 1):
        got = call(answer, source)
        if not isinstance(got, str):
            raise Wrong(f"a text is wanted, got {said(got)}.")
        look_at_edit(got, source, f"version {version} of the checker")
    return "right: by content, in every version, and nothing else is touched."
