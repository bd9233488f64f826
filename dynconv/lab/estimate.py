"""How long a run will take, said after its first steps."""

from __future__ import annotations

import time
from collections.abc import Callable


class Estimate:
    """What ultralytics is to call after each step. After some steps it says, once, how long the run
    will take.

    The first steps take longer than those that follow, so they do not count. A run that is as short
    as what is measured gets no estimate.

    Args:
        title: of the run.
        say: is called with the line.
        runs: how many runs like this one are waited for, this one among them; 0 for no estimate.
    """

    WARM_UP, MEASURED = 2, 6  # steps

    def __init__(self, title: str, say: Callable[[str], None], runs: int):
        self.title, self.say, self.runs, self.done = title, say, runs, 0

    def __call__(self, trainer) -> None:
        self.done += 1
        if self.done == self.WARM_UP:
            self.start = time.perf_counter()
        if self.done != self.WARM_UP + self.MEASURED or not self.runs:
            return
        step = (time.perf_counter() - self.start) / self.MEASURED
        epochs = trainer.epochs - trainer.start_epoch
        if len(trainer.train_loader) * epochs < 4 * self.done:
            return
        # A batch of the validation has twice the images, and a third of the arithmetic for each.
        steps = len(trainer.train_loader) + len(trainer.test_loader) * 2 / 3
        epoch = step * steps
        text = f"{self.title}: {epochs} epochs in about {duration(epoch * epochs)}"
        if self.runs > 1:
            whole = epoch * (epochs + trainer.epochs * (self.runs - 1))
            text += f", all {self.runs} runs in about {duration(whole)}"
        self.say(text)


def duration(seconds: float) -> str:
    """As one says it: '40 s', '12 min', '3.5 h'."""
    if seconds < 95:
        return f"{max(round(seconds, -1), 10):.0f} s"
    if seconds < 95 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
