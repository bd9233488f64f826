"""What is said where ultralytics is another than this package knows.

Nothing of ultralytics is imported here, since it may lack what the bridge in `yolo` stands on. Then
ultralytics and its own models stay as they are, and a model that names a module of ours is refused
as `UnsupportedUltralytics`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from .edits import UnsupportedUltralytics

TASKS = "ultralytics.nn.tasks"
TESTED = "8.3.200 to 8.4.190"  # the versions of ultralytics that `make compat` of the project runs


def unsupported(what: str) -> UnsupportedUltralytics:
    """The refusal, with the version, the place and the remedy."""
    found = (sys.modules.get(name) for name in (TASKS, "ultralytics"))
    place = next((file for file in (getattr(m, "__file__", None) for m in found) if file), "?")
    version = getattr(sys.modules.get("ultralytics"), "__version__", "of unknown version")
    return UnsupportedUltralytics(
        f"ultralytics {version} at {place}: {what}. dynconv is tested with {TESTED}: install one of"
        " these, or edit nn/tasks.py by hand as the book shows"
    )


def ended_in(doing: str, error: Exception) -> Exception:
    """The error as the refusal, if it is one of ultralytics' form; else as it is, such as that
    ultralytics is not installed.
    """
    name = getattr(error, "name", None) or ""
    missing = isinstance(error, ModuleNotFoundError) and not name.startswith("ultralytics.")
    if missing or isinstance(error, UnsupportedUltralytics):
        return error
    refusal = unsupported(f"{doing} ended in {type(error).__name__}: {error}")
    refusal.__cause__ = error
    return refusal


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Errors within the block as `ended_in` has them."""
    try:
        yield
    except Exception as error:
        said = ended_in(doing, error)
        if said is error:
            raise
        raise said from error


def own_names() -> set[str]:
    """Names of the classes in our files, read as text, for where they cannot be imported."""
    here = Path(__file__).parent
    files = [here / "layers.py", *here.glob("relatives/*.py"), *here.glob("yolo/*.py")]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return {name for text in texts for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}


def explain_instead(
    error: Exception, names: Iterable[str], registered: Callable[[], Container[str]] = set
) -> None:
    """Where modules cannot be registered, raise `error` as soon as a model names one of them that
    ultralytics does not know, and not before.

    Args:
        names: of the modules.
        registered: gives the names that ultralytics has from us; called each time.
    """
    tasks = sys.modules[TASKS]

    def explaining(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*arguments, **keywords):
            asked = names_of(model_in(arguments, keywords)).intersection(names)
            # in a copy with the four edits some are ultralytics' own
            if any(name not in vars(tasks) or name in registered() for name in asked):
                raise error
            return function(*arguments, **keywords)

        call.dynconv_error = error
        return call

    # A parse_model that is gone, or that ultralytics does not use, is not asked: its callers are.
    for cls in map(vars(tasks).get, ("DetectionModel", "ClassificationModel")):
        if isinstance(cls, type) and not hasattr(cls.__init__, "dynconv_error"):
            cls.__init__ = explaining(cls.__init__)
    function = vars(tasks).get("parse_model")
    if callable(function) and not hasattr(function, "dynconv_error"):
        tasks.parse_model = explaining(function)


# --- what a model says ----------------------------------------------------------------------------


def rows_of(d: dict) -> list[tuple[str, Any]]:
    """The rows of a model, each with the words that name it in a message."""
    sections = {section: d.get(section) for section in ("backbone", "head")}
    listed = {
        section: rows for section, rows in sections.items() if isinstance(rows, (list, tuple))
    }
    rows = [(section, row) for section, rows in listed.items() for row in rows]
    return [(f"row {i} ({section})", row) for i, (section, row) in enumerate(rows)]


def names_of(d: object) -> set[str]:
    """The names of modules in the rows of a model, as far as it has rows."""
    rows = [row for _, row in rows_of(d)] if isinstance(d, dict) else []
    named = (row[2] for row in rows if isinstance(row, (list, tuple)) and len(row) > 2)
    return {name for name in named if isinstance(name, str)}


def model_in(arguments: tuple, keywords: dict) -> dict | None:
    """The model among the arguments of a function that builds one, also where it is given as the
    path of a file.
    """
    for value in (*arguments, *keywords.values()):
        if isinstance(value, dict):
            return value
        if isinstance(value, (str, os.PathLike)):
            with contextlib.suppress(Exception):  # what is wrong with the file, ultralytics says
                return sys.modules[TASKS].yaml_model_load(value)
    return None
