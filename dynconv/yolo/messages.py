"""How much ultralytics says."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from ultralytics.utils import LOGGER


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
