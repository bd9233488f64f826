"""The processes that ultralytics starts for several GPUs import this package too, and so ask before
they unpickle the cache of a data set or a checkpoint. (Those that load images are forked, or read
images only.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from ..upstream import unsupported

TRAINS = "trainer.train()"  # in the script that ultralytics writes for each of them


def guard_children(asked: Callable[[], bool]) -> None:
    """Have the package imported there, if it is `asked` for here. Idempotent."""
    from ultralytics.utils import dist

    original = vars(dist).get("generate_ddp_file")
    if original is None or hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def generate_ddp_file(trainer):
        file = original(trainer)
        if asked():
            lines = Path(file).read_text(encoding="utf-8").splitlines(keepends=True)
            k = next((k for k, line in enumerate(lines) if TRAINS in line), None)
            if k is None:
                raise unsupported(f"its script for several GPUs has no line {TRAINS}")
            indent = lines[k][: len(lines[k]) - len(lines[k].lstrip())]
            lines.insert(k, f"{indent}import dynconv.yolo\n\n")
            Path(file).write_text("".join(lines), encoding="utf-8")
        return file

    dist.generate_ddp_file = generate_ddp_file
