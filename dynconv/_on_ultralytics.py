"""Registers the package's modules as soon as ultralytics is there, in either order of the two
imports.

Importing ultralytics takes seconds, so `import dynconv` does not do it. If it is loaded already,
the bridge is imported at once; if not, a finder waits for `ultralytics.nn.tasks` and imports the
bridge right after it.

It also finds what the tutorials paste into a copy of ultralytics, where a copy has it no longer:
checkpoints that were written with the edits name it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

TASKS = "ultralytics.nn.tasks"
DATA = "ultralytics.data"  # reads caches and runs programs, which the bridge guards
PASTED = "ultralytics.nn.Addmodules"


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the watched modules as usual, and has the bridge imported (after a reload: renewed)
    when they have run.
    """

    def find_spec(self, name, path=None, target=None):
        if name == PASTED:
            return _pasted(path)
        if name not in (TASKS, DATA):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module):
                run(module)
                _bring(name)

            spec.loader.exec_module = run_and_register
        return spec


def _bring(name: str) -> None:
    """Import the bridge, or have it do again what a new module undoes. Whatever goes wrong with it,
    the import of ultralytics that leads here goes on; a model of ours then says what it was.
    """
    try:
        bridge = sys.modules.get("dynconv.yolo")
        again = "renew" if name == TASKS else "guard"
        if bridge is None and name == TASKS:
            importlib.import_module("dynconv.yolo")
        # if it has not, the bridge itself is being imported, and will do it
        elif hasattr(bridge, again):
            getattr(bridge, again)()
    except Exception as error:
        from .upstream import ended_in, explain_instead, own_names

        if TASKS in sys.modules:
            explain_instead(ended_in("importing dynconv.yolo", error), own_names())


def _pasted(path):
    """None, which is to look on, if this copy of ultralytics has the folder; else our own."""
    spec = importlib.machinery.PathFinder.find_spec(PASTED, path)
    if spec is not None and spec.origin is not None:
        return None
    file = Path(__file__).parent / "edits/Addmodules/__init__.py"
    return importlib.util.spec_from_file_location(
        PASTED, file, submodule_search_locations=[str(file.parent)]
    )


def watch() -> None:
    """Import the bridge now if ultralytics is loaded, else as soon as it is."""
    if TASKS in sys.modules and "dynconv.yolo" not in sys.modules:
        _bring(TASKS)
    if not any(
        type(finder).__name__ == "_Finder" and type(finder).__module__ == __name__
        for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _Finder())
