"""Typical mistakes in the exercises of chapter 5, each with the hint that it must meet."""

import ast
import re

from torch import nn

from dynconv.exercises.solutions.chapter_05 import add_to_base, arguments, wrong_rows

MISTAKES = {
    "5.1": [
        (lambda args, n, c1, base, repeat: ([c1, *args], n), "The width scales"),
        (
            lambda args, n, c1, base, repeat: (
                [c1, *arguments(args, n, c1, True, False)[0][1:2], *args],
                n,
            ),
            "takes the place",
        ),
        (lambda args, n, c1, base, repeat: ([c1, int(args[0] * 0.25), *args[1:]], 1), "capped"),
        (
            lambda args, n, c1, base, repeat: ([c1, int(min(args[0], 1024) * 0.25), *args[1:]], 1),
            "multiple of 8",
        ),
        (lambda args, n, c1, base, repeat: arguments(args, n, c1, base, False), "told its repeats"),
        (
            lambda args, n, c1, base, repeat: (
                arguments(args, n, c1, base, repeat)[0],
                max(round(n * 0.33), 1),
            ),
            "there is one of it",
        ),
        (
            lambda args, n, c1, base, repeat: arguments(args, n / 0.33, c1, base, repeat),
            "depth scales",
        ),
        (lambda args, n, c1, base, repeat: arguments(args, n, c1, True, repeat), "as they are"),
    ],
    "5.2": [
        (
            lambda model: [i for i, m in enumerate(model.model) if isinstance(m, nn.Sequential)],
            "row 1 is a Sequential with good reason",
        ),
        (
            lambda model: [i for i, row in enumerate(model.yaml["backbone"]) if "C2f_D" in row[2]],
            "all rows that name",
        ),
        (
            lambda model: [
                i for i in wrong_rows(model) if isinstance(model.model[i], nn.Sequential)
            ],
            "became of its `True`",
        ),
        (
            lambda model: [
                i for i in wrong_rows(model) if not isinstance(model.model[i], nn.Sequential)
            ],
            "lost its shortcut",
        ),
        (lambda model: [2, 4, 6], "built rightly you find"),
    ],
    "5.3": [
        (lambda source: source.replace("Conv,", "Conv, DynamicConv,"), "That is edit 3"),
        (
            lambda source: re.sub("(base_modules = frozenset[(]\\s*{)", r"\1 DynamicConv,", source),
            "word base_modules",
        ),
        (
            lambda source: re.sub(
                "([{(])(\\s*)(Conv|Bottleneck\\w*|C3),", r"\1\2DynamicConv, \3,", source
            ),
            "second collection, too|edit 3",
        ),
        (lambda source: ast.unparse(ast.parse(add_to_base(source))), "comment got lost"),
        (lambda source: source[:-1] + "DynamicConv", "not valid Python|something else|0 times"),
        (lambda source: add_to_base(add_to_base(source)), "2 times"),
        (lambda source: add_to_base(source) + "EXTRA = 1\n", "something else changed"),
    ],
}
