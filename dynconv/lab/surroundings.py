"""What a run finds in its process, as the run should have it; afterwards all is as before."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without_ray() -> Iterator[None]:
    """ultralytics reports each run to Ray Tune wherever Ray is installed, and imports all of Ray
    for it: seconds, and Ray replaces `print`. Whoever uses Ray Tune has imported it already, and
    keeps the reports.

    The other reports that ultralytics makes (MLflow, DVC, ...) are left as the reader has set them.
    """
    from ultralytics.utils import SETTINGS

    before = SETTINGS.get("raytune")
    # Past the method of its class, which would write the reader's settings file.
    change = functools.partial(dict.__setitem__, SETTINGS, "raytune")
    change(before and "ray.tune" in sys.modules)
    try:
        yield
    finally:
        change(before)


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """ultralytics sets torch's threads itself, whatever was set before: so it is told a number."""
    from ultralytics.utils import torch_utils

    before = torch_utils.NUM_THREADS
    torch_utils.NUM_THREADS = count or before
    try:
        yield
    finally:
        torch_utils.NUM_THREADS = before


@contextlib.contextmanager
def without_skipped_checks() -> Iterator[None]:
    """Before mixed precision on a GPU, ultralytics compares the results of a network that it
    downloads. Offline it warns that it does not, and goes on; a run needs no such warning, since
    one that diverges stops by itself and names `amp`.
    """
    from ultralytics.utils import LOGGER

    LOGGER.addFilter(_no_skipped_check)
    try:
        yield
    finally:
        LOGGER.removeFilter(_no_skipped_check)


def _no_skipped_check(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not ("AMP" in text and "checks skipped. Offline" in text)
