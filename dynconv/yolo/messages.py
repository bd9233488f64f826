"""How much ultralytics says."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from ultralytics.utils import LOGGER


class quiet(AbstractContextManager):
    """Let ultralytics' warnings and errors through, and none of the many lines that it says about
    each model and run.

        yolo.quiet()  # from now on
        with yolo.quiet():  # within the block; at its end the level of before comes back
            ...

    It holds for the whole process. A level that lets through even less is left as it is.
    """

    def __init__(self) -> None:
        self._before = LOGGER.level
        LOGGER.setLevel(max(self._before, logging.WARNING))

    def __exit__(self, *error: object) -> None:
        LOGGER.setLevel(self._before)
