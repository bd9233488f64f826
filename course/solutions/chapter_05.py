"""Solutions for chapter 5, Four modifications, and one import."""

import ast
import math

from torch import nn


def arguments(args, n, c1, in_base, in_repeat):
    """Ultralytics asks for the second collection only inside the branch
    of the first, and so does the solution. The repeats are scaled for
    every row.
    """
    n = max(round(n * 0.33), 1)
    if not in_base:
        return args, n
    c2 = math.ceil(min(args[0], 1024) * 0.25 / 8) * 8
    if in_repeat:
        return [c1, c2, n, *args[1:]], 1
    return [c1, c2, *args[1:]], n


def wrong_rows(model):
    """A row with one repeat looks right from outside. Its `True`
    arrived as the number of bottlenecks, which is one, and the shortcut
    kept its default, which is off.
    """
    rows, wrong = model.yaml["backbone"] + model.yaml["head"], []
    for i, (_, _, name, args) in enumerate(rows):
        if name == "C2f_DynamicConv":
            block, shortcut = model.model[i], args[1:2] == [True]
            stacked = isinstance(block, nn.Sequential)
            if stacked or block.m[0].add != shortcut:
                wrong.append(i)
    return wrong


def add_to_base(source):
    """The syntax tree says where, the text is changed there. A real
    program also refuses a file in which it finds no such collection, or
    two. `dynconv/edits` does, and checks its result before it writes.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Set, ast.Tuple)):
            names = {element.id for element in node.elts}
            if {"Conv", "Bottleneck"} <= names:
                first = node.elts[0]
                at, column = first.lineno - 1, first.col_offset
                before, after = lines[at][:column], lines[at][column:]
                lines[at] = before + "DynamicConv, " + after
    return "".join(lines)
