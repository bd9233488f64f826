"""Versions of a `tasks.py`, and what somebody's edit of its first collection has done to one."""

from __future__ import annotations

import ast
import os
import re

from .checking import Wrong, reject_if

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


def look_at_edit(got: str, source: str, where: str) -> None:
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
