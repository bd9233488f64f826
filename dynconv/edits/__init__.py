"""The four modifications of the tutorials, as a program that edits a private copy or a checkout of
ultralytics.

Everything here is work on text: neither ultralytics nor torch is imported, so that a tree which no
longer imports can still be looked at and repaired. Places in `nn/tasks.py` are found through the
positions of its syntax tree, by content and not by line number, and an edit only inserts text: the
rest of the file stays as it is, byte by byte.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..offline import SWITCHES

MODULES = ("DynamicConv", "C2f_DynamicConv")  # what a YAML may name after the four edits
REPEATING = ("C2f_DynamicConv",)  # those that also take a repeat count
ALL = (1, 2, 3, 4)
WHAT = {
    1: "the module's file",
    2: "the folder's __init__.py",
    3: "the import in tasks.py",
    4: "the names in parse_model",
}
TASKS = "nn/tasks.py"
FILES = {1: "nn/Addmodules/DynamicConv.py", 2: "nn/Addmodules/__init__.py", 3: TASKS, 4: TASKS}

_IMPORT = b"from ultralytics.nn.Addmodules import C2f_DynamicConv, DynamicConv"
_OURS = Path(__file__).parent / "Addmodules"
THERE, MISSING, PARTLY, CHANGED = "there", "not there", "partly there", "changed by hand"


class PatchError(RuntimeError):
    """Nothing was changed; the message says what was found and what to do."""


class NotUltralytics(PatchError):
    """The folder holds no ultralytics."""


class UnsupportedUltralytics(PatchError):
    """nn/tasks.py is written in a way that the edits, or the registration on import
    (`dynconv.yolo`), do not know.
    """


class InSitePackages(PatchError):
    """The tree is an installed package, not a copy of one's own."""


class AlreadyPatched(PatchError):
    """All the edits are there."""


class NotPatched(PatchError):
    """There is nothing to take away."""


class HalfPatched(PatchError):
    """Some of the edits are there, or something that looks like them."""


class UnwritableTree(PatchError):
    """A file could not be written; those written before it were put back."""


@dataclass(frozen=True)
class Edit:
    """One of the four edits: a file before (None: it does not exist) and after. In a notebook it
    shows itself as a diff.
    """

    number: int
    path: str  # within the package's folder
    before: bytes | None
    after: bytes

    @property
    def what(self) -> str:
        return WHAT[self.number]

    @property
    def diff(self) -> str:
        """The edit as a unified diff."""
        old, new = (
            (text or b"").decode().splitlines(keepends=True) for text in (self.before, self.after)
        )
        name = "/dev/null" if self.before is None else f"a/ultralytics/{self.path}"
        return "".join(difflib.unified_diff(old, new, name, f"b/ultralytics/{self.path}"))

    def _repr_markdown_(self) -> str:
        return f"Edit {self.number}, `{self.path}`:\n\n```diff\n{self.diff}```"


# --- what a caller does ---------------------------------------------------------------------------


def find(tree: str | Path) -> Path:
    """The package's folder in a tree: the folder itself, or `ultralytics` in a checkout.

    Raises:
        NotUltralytics: it is in neither place.
    """
    tree = Path(tree)
    for folder in (tree, tree / "ultralytics"):
        if (folder / TASKS).is_file() and (folder / "__init__.py").is_file():
            return folder.resolve()
    found = (
        "is not a folder" if not tree.is_dir() else f"has neither {TASKS} nor ultralytics/{TASKS}"
    )
    raise NotUltralytics(
        f"{tree} {found}. Give the folder of a checkout of ultralytics, or its package folder"
        " `ultralytics`."
    )


def version(tree: str | Path) -> str:
    """The version that a tree states, without importing it."""
    found = re.search(
        r"__version__ = [\"']([^\"']+)", (find(tree) / "__init__.py").read_text(encoding="utf-8")
    )
    return found[1] if found else "of unknown version"


def status(tree: str | Path) -> dict[int, str]:
    """For each of the four edits: 'there', 'not there', 'partly there' (edit 4 only) or 'changed by
    hand'.

    Raises:
        NotUltralytics, UnsupportedUltralytics: see there.
    """
    package = find(tree)
    state = {}
    for number in (1, 2):
        path = package / FILES[number]
        state[number] = (
            MISSING
            if not path.exists()
            else THERE
            if path.read_bytes() == _new_file(number)
            else CHANGED
        )
    return state | _Tasks.read(package).state()


def plan(
    tree: str | Path,
    edits: tuple[int, ...] = ALL,
    *,
    base: tuple[str, ...] = MODULES,
    repeat: tuple[str, ...] = REPEATING,
) -> list[Edit]:
    """The edits that `apply` would make, in order, checked and not yet written.

    Args:
        tree: a checkout, or the package's folder.
        edits: which of the four; fewer than all leave something out on purpose.
        base, repeat: the names that edit 4 puts into the two collections of parse_model.

    Raises:
        ValueError: edits, base or repeat hold something unknown.
        AlreadyPatched, HalfPatched, NotUltralytics, UnsupportedUltralytics: see there.
    """
    if not edits or not set(edits) <= set(ALL):
        raise ValueError(f"edits must be some of 1, 2, 3, 4, got {edits!r}")
    if not set(base) | set(repeat) <= set(MODULES):
        raise ValueError(
            f"base and repeat must be some of {', '.join(MODULES)}, got {base!r} and {repeat!r}"
        )
    package, state = find(tree), status(tree)
    if all(state[number] == THERE for number in edits):
        raise AlreadyPatched(f"{package} is patched already. `--undo` takes the edits away.")
    if any(state[number] != MISSING for number in edits) or CHANGED in state.values():
        raise HalfPatched(f"{package} is in a state in between: {_told(state)}. {_remedy(state)}")
    result = [
        Edit(number, FILES[number], None, _new_file(number)) for number in (1, 2) if number in edits
    ]
    tasks = _Tasks.read(package)
    for number in (3, 4):
        if number in edits:
            after = tasks.insert_import() if number == 3 else tasks.insert_names(base, repeat)
            after.check(tasks, number, base, repeat)
            result.append(Edit(number, TASKS, tasks.source, after.source))
            tasks = after
    return result


def apply(
    tree: str | Path, edits: tuple[int, ...] = ALL, *, force: bool = False, **names: tuple[str, ...]
) -> list[Edit]:
    """Make the edits: all of them, or none if anything goes wrong. Arguments as for `plan`.

    Args:
        force: also where the tree is an installed package.

    Raises:
        InSitePackages, UnwritableTree, and what `plan` raises: see there.
    """
    package = find(tree)
    if not force and {"site-packages", "dist-packages"} & set((package / TASKS).resolve().parts):
        raise InSitePackages(
            f"{package} is an installed package: every project of this Python would get the edits,"
            " and the next upgrade would remove them. Copy the folder `ultralytics` into your"
            " project and patch that; `--force` patches it here."
        )
    made = plan(tree, edits, **names)
    _write(package, {edit.path: edit.after for edit in made})  # edits 3 and 4 are one write
    return made


def undo(tree: str | Path) -> list[int]:
    """Take away those of the four edits that are there, and nothing else. Returns their numbers.

    Raises:
        NotPatched, HalfPatched, UnwritableTree, NotUltralytics, UnsupportedUltralytics: see there.
    """
    package, state = find(tree), status(tree)
    if CHANGED in state.values():
        raise HalfPatched(
            f"{package} cannot be taken back without losing something: {_told(state)}."
            f" {_remedy(state)}"
        )
    present = [number for number in ALL if state[number] != MISSING]
    if not present:
        raise NotPatched(f"{package} holds none of the four edits.")
    changes = {}
    if {3, 4} & set(present):  # first, since it imports the files
        tasks = _Tasks.read(package).without_edits()
        if set(tasks.state().values()) != {MISSING}:
            raise UnsupportedUltralytics(
                f"{package / TASKS}: the edits could not be taken out cleanly. Restore the file"
                " from its source."
            )
        changes[TASKS] = tasks.source
    _write(package, changes | {FILES[number]: None for number in (1, 2) if number in present})
    return present


@dataclass(frozen=True)
class Outcome:
    """What a program printed, and the last line of its traceback ('' if it ended well)."""

    output: str
    error: str


def run_with(tree: str | Path, code: str, timeout: float = 300) -> Outcome:
    """Run Python code in a new process that imports ultralytics from the tree. It stays offline and
    installs nothing.
    """
    folder = str(find(tree).parent)
    quiet = SWITCHES | {"YOLO_VERBOSE": "false", "PYTHONIOENCODING": "utf-8"}
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    # -P: the folder that we happen to be in does not come first
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=os.environ | quiet | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )
    lines = result.stderr.strip().splitlines()
    return Outcome(
        result.stdout.strip(),
        "" if result.returncode == 0 else lines[-1] if lines else f"exit code {result.returncode}",
    )


# --- nn/tasks.py ----------------------------------------------------------------------------------


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


class _Tasks:
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

    @classmethod
    def read(cls, package: Path) -> _Tasks:
        return cls(
            (package / TASKS).read_bytes(), f"{package / TASKS} (ultralytics {version(package)})"
        )

    def unsupported(self, what: str) -> UnsupportedUltralytics:
        return UnsupportedUltralytics(
            f"{self.where}: {what}. Nothing was changed. Use an unedited ultralytics from 8.2.0 on,"
            " or edit by hand as chapter 5 shows."
        )

    def insert_import(self) -> _Tasks:
        return self._with({self.starts[self.import_.end_lineno]: _IMPORT + self.newline})

    def insert_names(self, base: tuple[str, ...], repeat: tuple[str, ...]) -> _Tasks:
        # In front: there every element is followed by a comma, whatever the form of the collection.
        return self._with(
            {
                self._start(node.elts[0]): self._text(node.elts[0], names)
                for node, names in ((self.base, base), (self.repeat, repeat))
            }
        )

    def without_edits(self) -> _Tasks:
        """The text without the edits that are there."""
        source = self.source
        for start, end in sorted(self._edits()[0], reverse=True):
            source = source[:start] + source[end:]
        return _Tasks(source, self.where)

    def state(self) -> dict[int, str]:
        spans, imported, named, foreign = self._edits()
        state = {3: THERE if imported else MISSING, 4: PARTLY}
        if named == ((), ()):
            state[4] = MISSING
        elif named == (MODULES, REPEATING):
            state[4] = THERE
        return state | dict.fromkeys(foreign, CHANGED)

    def check(
        self, original: _Tasks, number: int, base: tuple[str, ...], repeat: tuple[str, ...]
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
                if self.source[slice(*span)].rstrip(b"\r\n") == _IMPORT and not imported:
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

    def _with(self, insertions: dict[int, bytes]) -> _Tasks:
        source = self.source
        for place, text in sorted(insertions.items(), reverse=True):
            source = source[:place] + text + source[place:]
        return _Tasks(source, self.where)


# --- files ----------------------------------------------------------------------------------------


def _new_file(number: int) -> bytes:
    return (_OURS / Path(FILES[number]).name).read_bytes()


def _told(state: dict[int, str]) -> str:
    return "; ".join(f"edit {number} ({WHAT[number]}) is {word}" for number, word in state.items())


def _remedy(state: dict[int, str]) -> str:
    if CHANGED not in state.values():
        return "Take back what is there with `--undo`, then patch again."
    return (
        "Put what was changed by hand back as it was (`git diff` shows it), or start from a fresh"
        " copy of ultralytics."
    )


def _write(package: Path, contents: dict[str, bytes | None]) -> None:
    """Write (None: delete) the files, each at once by a rename. If one fails, those before it are
    put back.
    """
    before, folder = {}, package / "nn/Addmodules"
    new_folder = not folder.exists()
    try:
        for name, data in contents.items():
            path = package / name
            before[name] = path.read_bytes() if path.exists() else None
            _put(path, data)
    except BaseException as error:  # also Ctrl-C
        for name, data in reversed(before.items()):
            with contextlib.suppress(OSError):
                _put(package / name, data)
        if new_folder:
            _remove_if_empty(folder)
        if isinstance(error, OSError):
            raise UnwritableTree(
                f"{error.filename or package} cannot be written ({error.strerror or error})."
                " Everything is as it was. Work on a copy of the tree that belongs to you."
            ) from error
        raise
    _remove_if_empty(folder)


def _put(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
        return
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(exist_ok=True)
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        shutil.copymode(
            path if path.exists() else path.parent.parent / "tasks.py", name
        )  # a temporary file is private
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _remove_if_empty(folder: Path) -> None:
    """Remove the folder if it holds nothing but Python's cache."""
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {"__pycache__"}:
            shutil.rmtree(folder)
