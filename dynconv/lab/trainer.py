"""The trainer of the laboratory: that of ultralytics, without a validation that nobody reads."""

from __future__ import annotations

from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import strip_optimizer

from ..yolo import DynamicConvTrainer, safely

if RANK != -1:  # a process that ultralytics has started for one of several GPUs
    safely().__enter__()  # to its end


class RunTrainer(DynamicConvTrainer):
    """Ends a run with its last epoch.

    ultralytics would now validate best.pt once more, which costs a short run a tenth of its time. A
    `Run` reports the last epoch, whose validation was just made, and never best.pt.
    """

    def final_eval(self):
        """Take the state of the optimiser out of all checkpoints. (ultralytics does it for last.pt
        and best.pt, and leaves those of `save_period` three times as large.)
        """
        if RANK in (-1, 0):
            for file in self.wdir.glob("*.pt"):
                strip_optimizer(file)
