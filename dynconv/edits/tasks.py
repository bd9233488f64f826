"""Edits 3 and 4: the text of `nn/tasks.py`, and what is put into it.

Places are found through the positions of the file's syntax tree, by content and not by line number,
and an edit only inserts text: the rest of the file stays as it is, byte by byte.
"""

from __future__ import annotations

import ast

from .errors import UnsupportedUltralytics

MODULES = ("DynamicConv", "C2f_DynamicConv")  # what a YAML may name after the four edits
REPEATING = ("C2f_DynamicConv",)  # those that also take a repeat count
IMPORT = b"from ultralytics.nn.Addmodules import C2f_DynamicConv, DynamicConv"
THERE, MISSING, PARTLY, CHANGED = "there", "not there", "partly there", "changed by hand"


def find_collections(tree: ast.AST) -> tuple[list, list]:
    """The literals in parse_model that hold the modules with (c1, c2, ...), and those with a repeat
    count.

    By content, not by name or place: versions write them as tuple or set, inline or named. Only the
    first has Conv.
    """
    base, repeat = [], []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.Tuple, ast.List)):
            names = {element.id for element in node.elts if isinstance(element, ast.Name)}
            if {"Conv", "C2f", "Bottleneck"} <= names:
                base.append(node)
            elif {"C2f", "C3", "BottleneckCSP"} <= names and "Conv" not in names:
                repeat.append(node)
    return base, repeat


class Tasks:
    """The text of nn/tasks.py, as bytes, with the places that matter. Each edit gives a new one."""

    def __init__(self, source: bytes, where: str) -> None:
        self.source, self.where = source, where
        try:
            source.decode("utf-8")
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            raise self.unsupported(f"it is not valid Python ({error})") from None
        self.newline = b"\r\n" if b"\r\n" in source else b"\n"
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        functions = [
            node
            for node in self.tree.body
            if isinstance(node, ast.FunctionDef) and node.name == "parse_model"
        ]
        imports = [
            node
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "ultralytics.nn.modules"
        ]
        if len(functions) != 1 or len(imports) != 1:
            raise self.unsupported(
                f"it has {len(functions)} functions parse_model and {len(imports)} imports from"
                " ultralytics.nn.modules, expected one of each"
            )
        base, repeat = find_collections(functions[0])
        if len(base) != 1 or len(repeat) != 1:
            raise self.unsupported(
                f"parse_model has {len(base)} collections of modules with channels and"
                f" {len(repeat)} with a repeat count, expected one of each"
            )
        self.import_, self.base, self.repeat = imports[0], base[0], repeat[0]

    def unsupported(self, what: str) -> UnsupportedUltralytics:
        return UnsupportedUltralytics(
            f"{self.where}: {what}. Nothing was changed. Use an unedited ultralytics from 8.2.0 on,"
            " or edit by hand as chapter 5 shows."
        )

    def insert_import(self) -> Tasks:
        return self._with({self.starts[self.import_.end_lineno]: IMPORT + self.newline})

    def insert_names(self, base: tuple[str, ...], repeat: tuple[str, ...]) -> Tasks:
        # In front: there every element is followed by a comma, whatever the form of the collection.
        return self._with(
            {
                self._start(node.elts[0]): self._text(node.elts[0], names)
                for node, names in ((self.base, base), (self.repeat, repeat))
            }
        )

    def without_edits(self) -> Tasks:
        """The text without the edits that are there."""
        source = self.source
        for start, end in sorted(self._edits()[0], reverse=True):
            source = source[:start] + source[end:]
        return Tasks(source, self.where)

    def state(self) -> dict[int, str]:
        spans, imported, named, foreign = self._edits()
        state = {3: THERE if imported else MISSING, 4: PARTLY}
        if named == ((), ()):
            state[4] = MISSING
        elif named == (MODULES, REPEATING):
            state[4] = THERE
        return state | dict.fromkeys(foreign, CHANGED)

    def check(
        self, original: Tasks, number: int, base: tuple[str, ...], repeat: tuple[str, ...]
    ) -> None:
        """The edit made what was wanted, and taking it away again gives the original text."""
        _, imported, named, foreign = self._edits()
        right = imported if number == 3 else named == (tuple(base), tuple(repeat))
        try:
            compile(self.source, self.where, "exec")
        except (SyntaxError, ValueError) as error:
            raise self.unsupported(f"edit {number} would not compile ({error})") from None
        if foreign or not right or self.without_edits().source != original.without_edits().source:
            raise self.unsupported(f"edit {number} does not fit")

    def _edits(self) -> tuple[list[tuple[int, int]], bool, tuple, set[int]]:
        """What is there of edits 3 and 4: spans of our text, whether the import is there, the names
        in the two collections, and which of the two edits is there in words other than ours.
        """
        spans, foreign, imported = [], set(), False
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and (
                "Addmodules" in (getattr(node, "module", None) or "")
                or any(
                    "Addmodules" in alias.name or (alias.asname or alias.name) in MODULES
                    for alias in node.names
                )
            ):
                span = self.starts[node.lineno - 1], self.starts[node.end_lineno]
                if self.source[slice(*span)].rstrip(b"\r\n") == IMPORT and not imported:
                    spans.append(span)
                    imported = True
                else:
                    foreign.add(3)
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name in MODULES:
                foreign.add(3)
        named = []
        for node in (self.base, self.repeat):
            places = [
                i
                for i, element in enumerate(node.elts)
                if isinstance(element, ast.Name) and element.id in MODULES
            ]
            names = tuple(node.elts[i].id for i in places)
            named.append(names)
            if places:
                first, after = places[0], places[-1] + 1
                if after == len(node.elts) or after - first != len(places):
                    foreign.add(4)
                    continue
                span = self._start(node.elts[first]), self._start(node.elts[after])
                if self.source[slice(*span)] == self._text(node.elts[first], names):
                    spans.append(span)
                else:
                    foreign.add(4)
        used = sum(
            isinstance(node, ast.Name) and node.id in MODULES for node in ast.walk(self.tree)
        )
        if used != sum(map(len, named)):  # also named elsewhere, as in `elif m is DynamicConv`
            foreign.add(4)
        return spans, imported, tuple(named), foreign

    def _text(self, element: ast.expr, names: tuple[str, ...]) -> bytes:
        """The names as they are written in front of an element: each on a line of its own if the
        element is, too.
        """
        indentation = self.source[self.starts[element.lineno - 1] : self._start(element)]
        between = self.newline + indentation if not indentation.strip() else b" "
        return b"".join(name.encode() + b"," + between for name in names)

    def _start(self, node: ast.expr) -> int:
        return self.starts[node.lineno - 1] + node.col_offset  # both count bytes

    def _with(self, insertions: dict[int, bytes]) -> Tasks:
        source = self.source
        for place, text in sorted(insertions.items(), reverse=True):
            source = source[:place] + text + source[place:]
        return Tasks(source, self.where)
