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


def missing_edits():
    """Ask who raises the error, and whether a stock model meets it too.
    A: the collections, read for every model, name an unknown class. B:
    the import finds a folder and no class in it. C: only a row that
    names MyConv fails, so no collection names it, and `tasks.py` does
    not know it. D: the class was built with the arguments of the file.
    E: it became another network.
    """
    return {
        "A": "edit 3",
        "B": "edit 2",
        "C": "edits 3 and 4",
        "D": "edit 4",
        "E": "second collection",
    }


def what_catches_it():
    """All but one of these checks ask whether something works. It does.
    To notice that it is not what was meant, a check has to know what
    was meant: a count, or the rows of the next exercise.
    """
    return {
        "stock YOLOv10n builds": "lets it through",
        "the model builds without an error": "lets it through",
        "each row has the class that it names": "lets it through",
        "it trains, and its loss falls": "lets it through",
        "it has the parameters of yolo.PARAMETERS": "catches it",
    }


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
