"""The trainer of the laboratory: that of ultralytics, without a validation that nobody reads."""

from __future__ import annotations

from ultralytics.utils import RANK

from ..yolo import DynamicConvTrainer, safely
from .repair import strip

if RANK != -1:  # a process that ultralytics has started for one of several GPUs
    safely().__enter__()  # to its end


class RunTrainer(DynamicConvTrainer):
    """Ends a run with its last epoch.

    ultralytics would now validate best.pt once more, which costs a short run a tenth of its time. A
    `Run` reports the last epoch, whose validation was just made, and never best.pt.
    """

    def final_eval(self):
        """Strip all checkpoints. (ultralytics does it for last.pt and best.pt, in place, so that a
        kill leaves none; and keeps those of `save_period` three times as large.)
        """
        if RANK in (-1, 0):
            strip(self.wdir)
