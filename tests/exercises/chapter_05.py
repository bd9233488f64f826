"""Typical mistakes in the exercises of chapter 5, each with the hint that it must meet."""

import ast
import math
import re

import numpy as np
from solutions.chapter_05 import add_to_base, arguments, wrong_rows
from torch import nn

MISTAKES = {
    "5.1": {
        "forget to scale the width": (
            lambda args, n, c1, base, repeat: ([c1, *args], n),
            "The width scales",
        ),
        "put the channels before the row's first argument": (
            lambda args, n, c1, base, repeat: (
                [c1, *arguments(args, n, c1, True, False)[0][1:2], *args],
                n,
            ),
            "takes the place",
        ),
        "scale without the cap": (
            lambda args, n, c1, base, repeat: ([c1, int(args[0] * 0.25), *args[1:]], 1),
            "capped",
        ),
        "forget the multiple of 8": (
            lambda args, n, c1, base, repeat: ([c1, int(min(args[0], 1024) * 0.25), *args[1:]], 1),
            "multiple of 8",
        ),
        "do not tell a block its repeats": (
            lambda args, n, c1, base, repeat: arguments(args, n, c1, base, False),
            "told its repeats",
        ),
        "tell a block its repeats and stack it as well": (
            lambda args, n, c1, base, repeat: (
                arguments(args, n, c1, base, repeat)[0],
                max(round(n * 0.33), 1),
            ),
            "there is one of it",
        ),
        "round the repeats up": (
            lambda args, n, c1, base, repeat: arguments(
                args, math.ceil(n * 0.33) / 0.33, c1, base, repeat
            ),
            "depth scales .* 4 · 0.33 is 1.32, rounded to the nearest",
        ),
        "scale the repeats of the first collection only": (
            lambda args, n, c1, base, repeat: (
                arguments(args, n, c1, base, repeat) if base else (args, n)
            ),
            "repeats of every row",
        ),
        "forget that there is at least one": (
            lambda args, n, c1, base, repeat: (
                arguments(args, n, c1, base, repeat)[0],
                round(n * 0.33),
            ),
            "at least one module",
        ),
        "forget to scale the depth": (
            lambda args, n, c1, base, repeat: arguments(args, n / 0.33, c1, base, repeat),
            "depth scales",
        ),
        "change the arguments of a class in neither collection": (
            lambda args, n, c1, base, repeat: arguments(args, n, c1, True, repeat),
            "as they are",
        ),
    },
    "5.2": {
        "look for the class where the name is missing": ({"A": "edit 1"}, "stop at the import"),
        "take an error of every model for one of a row": ({"A": "edits 3 and 4"}, "stock builds"),
        "blame the line that is there": ({"B": "edit 3"}, "is there and runs"),
        "forget the stock models": ({"C": "edit 3"}, "a stock model would fail as well"),
        "look for a missing class behind wrong sizes": ({"D": "edit 3"}, "sizes are wrong"),
        "look for an error where none is raised": ({"E": "edit 4"}, "it would fail"),
    },
    "5.3": {
        "take a model that builds for the right one": (
            {"the model builds without an error": "catches it"},
            "find a place that fits",
        ),
        "take a falling loss for the right model": (
            {"it trains, and its loss falls": "catches it"},
            "another network trains, too",
        ),
        "compare classes only": (
            {"each row has the class that it names": "catches it"},
            "how often",
        ),
        "not trust the count": (
            {"it has the parameters of yolo.PARAMETERS": "lets it through"},
            "two blocks with one bottleneck",
        ),
    },
    "5.4": {
        "list every Sequential": (
            lambda model: [i for i, m in enumerate(model.model) if isinstance(m, nn.Sequential)],
            "row 1 is a Sequential with good reason",
        ),
        "list every row that names the block": (
            lambda model: [i for i, row in enumerate(model.yaml["backbone"]) if "C2f_D" in row[2]],
            "all rows that name",
        ),
        "look for stacked blocks only": (
            lambda model: [
                i for i in wrong_rows(model) if isinstance(model.model[i], nn.Sequential)
            ],
            "became of its `True`",
        ),
        "look for lost shortcuts only": (
            lambda model: [
                i for i in wrong_rows(model) if not isinstance(model.model[i], nn.Sequential)
            ],
            "lost its shortcut",
        ),
        "count the rows from 1": (
            lambda model: [i + 1 for i in wrong_rows(model)],
            "first row has number 0",
        ),
        "give the same rows whatever the model": (
            lambda model: [2, 4, 6],
            "built rightly you find",
        ),
    },
    "5.5": {
        "extend the import, too": (
            lambda source: source.replace("Conv,", "Conv, DynamicConv,"),
            "That is edit 3",
        ),
        "rely on the word `base_modules`": (
            lambda source: re.sub("(base_modules = frozenset[(]\\s*{)", r"\1 DynamicConv,", source),
            "word base_modules",
        ),
        "extend the second collection, too": (
            lambda source: re.sub(
                "([{(])(\\s*)(Conv|Bottleneck\\w*|C3),", r"\1\2DynamicConv, \3,", source
            ),
            "second collection|edit 3",
        ),
        "extend the second collection alone": (
            lambda source: source.replace("{BottleneckCSP", "{DynamicConv, BottleneckCSP"),
            "DynamicConv is in the second collection",
        ),
        "lose the last line break": (
            lambda source: add_to_base(source).rstrip(),
            "the end of the text",
        ),
        "lose the blank lines": (
            lambda source: re.sub(r"\n\n", r"\n", add_to_base(source)),
            "something else changed: spaces, lines",
        ),
        "change the indentation": (
            lambda source: add_to_base(source).replace("    ", "\t"),
            "something else changed: spaces",
        ),
        "add a remark": (
            lambda source: add_to_base(source).replace("DynamicConv,", "DynamicConv,  # edit 4\n"),
            "nothing more",
        ),
        "lose the comments": (
            lambda source: ast.unparse(ast.parse(add_to_base(source))),
            "comment got lost",
        ),
        "add the name twice": (lambda source: add_to_base(add_to_base(source)), "2 times"),
    },
}

OTHERS = {
    "5.4": [
        (lambda model: wrong_rows(model)[:1], r"you say \[2\]: 2 more are not as the YAML asks"),
        (lambda model: [*wrong_rows(model), 0], r"\[0\] are as the YAML asks, or name another"),
        (lambda model: 2 * wrong_rows(model), "name each row once"),
    ],
    "5.5": [
        (lambda source: source[:-1] + "DynamicConv", "not valid Python|something else|0 times"),
        (lambda source: add_to_base(source) + "EXTRA = 1\n", "something else changed"),
    ],
}

# Unusual, and right.
RIGHT = {
    "5.1": [lambda *row: list(arguments(*row))],
    "5.4": [
        lambda model: set(wrong_rows(model)),
        lambda model: frozenset(wrong_rows(model)),
        lambda model: np.array(wrong_rows(model)),
    ],
    "5.5": [
        lambda source: add_to_base(source).replace("DynamicConv, ", "DynamicConv,\n            ")
    ],
}
