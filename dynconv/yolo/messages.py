"""How much ultralytics says, and how much a message shows of a value."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager

from ultralytics.utils import LOGGER


def shown(value: object) -> str:
    """What a message shows of a value that somebody handed over where another was expected: one
    line, which the representation of a whole model is not.
    """
    plain = (str, int, float, type(None), type, list, tuple, dict, os.PathLike)
    text = repr(value) if isinstance(value, plain) else ""
    if not text or "\n" in text or len(text) > 80:
        return f"an object of the class {type(value).__name__}"
    return text


class quiet(AbstractContextManager):
    """Let ultralytics' warnings and errors through, and none of the many lines that it says about
    each model and run.

    Called, it holds from now on; as `with yolo.quiet():` it holds within the block, at whose end
    the level of before comes back.

    It concerns the whole process. A level that lets through even less is left as it is.
    """

    def __init__(self) -> None:
        self._before = LOGGER.level
        LOGGER.setLevel(max(self._before, logging.WARNING))

    def __exit__(self, *error: object) -> None:
        LOGGER.setLevel(self._before)
