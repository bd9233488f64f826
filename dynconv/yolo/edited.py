"""The registration beside the tutorials' four edits: a copy of ultralytics that has the names
already.
"""

from __future__ import annotations

from pathlib import Path

import torch
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from .rows import place

# Arguments to build both of. Each module with channels takes the first, and some of the others.
EXAMPLES = ((8, 8), (8, 16, 3, 2), (8, 16, 3, True), (8, 16, True, 2))
_said: set[str] = set()


def is_same(theirs: object, ours: type) -> bool:
    """Whether two classes build the same layer: parameters of the same names and shapes, and with
    the same values in them the same output.
    """
    if not isinstance(theirs, type):
        return False
    try:
        # the reader's random numbers are not ours to draw
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            examples = [arguments for arguments in EXAMPLES if _takes(ours, arguments)]
            return bool(examples) and all(_agree(theirs, ours, one) for one in examples)
    except (
        Exception
    ):  # another constructor, other names, other shapes: whatever it says, it differs
        return False


def say(same: dict[str, object], other: dict[str, object]) -> None:
    """Tell once of the classes {name: class} that nn/tasks.py has under our names: those that ours
    take the place of, and those that are left.
    """
    tree = Path(tasks.__file__).parents[1]
    parts = []
    if same:
        parts.append(
            f"It has {_list(same)} already. From now on model files build dynconv's own, which are"
            " the same layers and hold the same weights."
        )
    if other:
        parts.append(
            f"It has {_list(other)}, another layer than dynconv's of that name. Model files go on"
            " building that one."
        )
    if any(place(cls).startswith("ultralytics.") for cls in (same | other).values()):
        parts.append(
            f"If `python -m dynconv patch` made the edits, `python -m dynconv patch {tree} --undo`"
            " takes them back; those that were made by hand are taken back by hand."
        )
    text = f"dynconv registers its modules with ultralytics at {tree}. {' '.join(parts)}"
    if parts and text not in _said:
        _said.add(text)
        LOGGER.warning(text)


def _list(classes: dict[str, object]) -> str:
    return ", ".join(f"{name} ({place(cls)})" for name, cls in classes.items())


def _takes(ours: type, arguments: tuple) -> bool:
    try:
        ours(*arguments)
    except (TypeError, ValueError):
        return False
    return True


def _agree(theirs: type, ours: type, arguments: tuple) -> bool:
    mine, other = ours(*arguments).eval(), theirs(*arguments).eval()
    other.load_state_dict(mine.state_dict())
    x = torch.rand(2, arguments[0], 6, 6)
    return torch.allclose(mine(x), other(x), rtol=1e-3, atol=1e-4)
