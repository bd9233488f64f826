"""The four modifications of the tutorials, as a program that edits a private copy or a checkout of
ultralytics.

Everything here is work on text: neither ultralytics nor torch is imported, so that a tree which no
longer imports can still be looked at and repaired. Whether the edits do in a tree what they should,
text cannot say; a copy of it is tried in a process of its own before the tree is touched. The room
stands above `yolo`, whose import imports ultralytics.

This file is what a caller does; `tasks` is the text of nn/tasks.py, `files` writes all or nothing,
`trying` runs a tree, `Addmodules/` holds the text that edits 1 and 2 write into it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import (
    AlreadyPatched,
    HalfPatched,
    InSitePackages,
    NotPatched,
    NotUltralytics,
    PatchError,
    UnsupportedUltralytics,
    UnwritableTree,
)
from .files import write_all
from .tasks import CHANGED, MISSING, MODULES, PARTLY, REPEATING, THERE, Tasks, find_collections
from .trying import Outcome, difference, run_in

__all__ = [
    "ALL",
    "CHANGED",
    "FILES",
    "MISSING",
    "MODULES",
    "PARTLY",
    "REPEATING",
    "THERE",
    "WHAT",
    "AlreadyPatched",
    "Edit",
    "HalfPatched",
    "InSitePackages",
    "NotPatched",
    "NotUltralytics",
    "Outcome",
    "PatchError",
    "UnsupportedUltralytics",
    "UnwritableTree",
    "apply",
    "find",
    "find_collections",
    "plan",
    "prove",
    "run_with",
    "status",
    "undo",
    "version",
]

ALL = (1, 2, 3, 4)
WHAT = {
    1: "the module's file",
    2: "the folder's __init__.py",
    3: "the import in tasks.py",
    4: "the names in parse_model",
}
TASKS = "nn/tasks.py"
FILES = {1: "nn/Addmodules/DynamicConv.py", 2: "nn/Addmodules/__init__.py", 3: TASKS, 4: TASKS}


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


def find(tree: str | Path) -> Path:
    """The package's folder in a tree: the folder itself, or `ultralytics` in a checkout.

    Raises:
        NotUltralytics: it is in neither place.
    """
    if not str(tree):  # of a shell's variable that is not set; for Path it is the current folder
        raise NotUltralytics("the folder's name is empty: `.` is the current folder.")
    tree = Path(tree)
    try:
        for folder in (tree, tree / "ultralytics"):
            if (folder / TASKS).is_file() and (folder / "__init__.py").is_file():
                return folder.resolve()
        found = "is not a folder"
        if tree.is_dir():
            found = f"has neither {TASKS} nor ultralytics/{TASKS}"
    except OSError as error:  # a name too long, a folder that may not be looked into
        found = f"cannot be looked into: {error.strerror}"
    name = str(tree) if len(str(tree)) < 300 else f"{str(tree)[:60]}... ({len(str(tree))} letters)"
    raise NotUltralytics(
        f"{name} {found}. Give the folder of a checkout of ultralytics, or its package folder"
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
    return state | _read(package).state()


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
    if CHANGED in state.values() or PARTLY in [state[number] for number in edits]:
        raise HalfPatched(f"{package} is in a state in between: {_told(state)}. {_remedy(state)}")
    # Some may be there: of an `apply` that was killed, or since they were chosen before.
    missing = [number for number in edits if state[number] == MISSING]
    result = [
        Edit(number, FILES[number], None, _new_file(number))
        for number in (1, 2)
        if number in missing
    ]
    tasks = _read(package)
    for number in (3, 4):
        if number in missing:
            after = tasks.insert_import() if number == 3 else tasks.insert_names(base, repeat)
            after.check(tasks, number, base, repeat)
            result.append(Edit(number, TASKS, tasks.source, after.source))
            tasks = after
    return result


def apply(
    tree: str | Path, edits: tuple[int, ...] = ALL, *, force: bool = False, **names: tuple[str, ...]
) -> list[Edit]:
    """Make the edits that are missing: all of them, or none if anything goes wrong. If the process
    is killed, the next call makes the rest. Arguments as for `plan`.

    The whole of the four edits is tried before it is written, which takes some seconds: see
    `prove`. Fewer edits or other names leave something out on purpose, and are not tried.

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
    if set(edits) == set(ALL) and not names:
        _prove(package, made)
    # edits 3 and 4 are one write
    write_all(package, {edit.path: edit.after for edit in made}, like=TASKS)
    return made


def prove(tree: str | Path) -> None:
    """Try, in a copy and in a process of its own, whether a tree with the four edits treats
    DynamicConv as it treats Conv, and C2f_DynamicConv as C2f: channels, width, depth, repeats. A
    tree without the edits is tried as `apply` would make it.

    Raises:
        UnsupportedUltralytics: it does not, or no network can be built with them; or see `plan`.
    """
    package = find(tree)
    _prove(package, [] if set(status(tree).values()) == {THERE} else plan(tree))


def _prove(package: Path, made: list[Edit]) -> None:
    found = difference(package, {edit.path: edit.after for edit in made})
    if found:
        raise _read(package).unsupported(
            f"with the edits, the two names are not treated as Conv and C2f are: {found}"
        )


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
        tasks = _read(package).without_edits()
        if set(tasks.state().values()) != {MISSING}:
            raise UnsupportedUltralytics(
                f"{package / TASKS}: the edits could not be taken out cleanly. Restore the file"
                " from its source."
            )
        changes[TASKS] = tasks.source
    changes |= {FILES[number]: None for number in (1, 2) if number in present}
    write_all(package, changes, like=TASKS)
    return present


def run_with(tree: str | Path, code: str, timeout: float = 300) -> Outcome:
    """Run Python code in a new process that imports ultralytics from the tree. It stays offline and
    installs nothing.
    """
    return run_in(find(tree).parent, code, timeout)


def _read(package: Path) -> Tasks:
    where = f"{package / TASKS} (ultralytics {version(package)})"
    return Tasks((package / TASKS).read_bytes(), where)


def _new_file(number: int) -> bytes:
    return (Path(__file__).parent / "Addmodules" / Path(FILES[number]).name).read_bytes()


def _told(state: dict[int, str]) -> str:
    return "; ".join(f"edit {number} ({WHAT[number]}) is {word}" for number, word in state.items())


def _remedy(state: dict[int, str]) -> str:
    if CHANGED not in state.values():
        return "Take back what is there with `--undo`, then patch again."
    return (
        "Put what was changed by hand back as it was (`git diff` shows it), or start from a fresh"
        " copy of ultralytics."
    )
