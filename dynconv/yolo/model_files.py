"""A model file that is none is named before ultralytics takes it apart, which it does without a
look: of an empty file it says KeyError: 'backbone'.
"""

from __future__ import annotations

import functools
from pathlib import Path

from ultralytics.nn import tasks

from ..checks import shown
from ..offline import replace
from .yaml_files import check_yaml

EXPECTED = (
    "a model file has a list of rows [from, repeats, module, arguments] under `backbone:`, and"
    " another under `head:`"
)


def check_files() -> None:
    """Let ultralytics' reader of model files ask here. The bridge calls this; idempotent."""
    original = vars(tasks).get("yaml_model_load")
    if original is None or hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def yaml_model_load(path, *arguments, **keywords):
        if Path(path).exists():  # if not, ultralytics looks elsewhere, or says so
            check_yaml(path)
        try:
            d = original(path, *arguments, **keywords)
        except (TypeError, ValueError, AttributeError) as error:  # what its versions say of a list
            raise ValueError(f"{path} is no model: {error}; {EXPECTED}") from error
        _check(str(path), d)
        return d

    replace("yaml_model_load", original, yaml_model_load)


def _check(path: str, d: dict) -> None:
    """What ultralytics reads before it comes to the rows is there. What else they must be, is asked
    when they are built.
    """
    if "backbone" not in d and any(_are_rows(value) for value in d.values()):
        return  # what a newer ultralytics may read
    if not _are_rows(d.get("backbone")):
        found = shown(d["backbone"]) if "backbone" in d else "nothing"
        raise ValueError(f"{path} is no model: there is {found} under `backbone:`; {EXPECTED}")


def _are_rows(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], (list, dict))
        and len(value[0]) > 2
    )
