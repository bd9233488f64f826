"""A trainer for several GPUs, and for the same numbers whatever else is installed: where it is
imported, the package's modules are registered.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data import augment
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import DEFAULT_CFG, LOGGER, RANK

from ..layers import Experts
from .heads import head_of
from .modules import register_all

register_all()


class DynamicConvTrainer(BaseTrainer):
    """ultralytics' trainer of whatever task the model has; use it as
    `model.train(trainer=dynconv.yolo.DynamicConvTrainer, device=[0, 1])`.

    What is made is ultralytics' own trainer of the task (a PoseTrainer of a model with keypoints,
    and so on) with the methods below. Two things differ from it:

    To train on several GPUs, ultralytics starts one new process for each, which imports the trainer
    and builds the model from its YAML. Nobody imports dynconv there, so the stock trainer ends with
    `KeyError: 'DynamicConv'`. To import this one is to register.

    Where the package albumentations happens to be installed (as on Colab), ultralytics blurs and
    greys some training images of its own accord, and draws other random numbers. This trainer does
    so only if asked with `augmentations=[...]`. Then, and where it is not installed, it changes
    nothing.

    It warns where the optimiser is MuSGD, as with optimizer='auto' in a run of over 10,000 steps:
    experts move less by it than a static kernel.

    For modules of your own, put a subclass into the file that registers them, and pass that. A
    script that imports dynconv and is itself started with `torchrun --nproc_per_node 2 script.py`
    needs no trainer. With ultralytics before 8.4.150, dynconv must be installed (or on PYTHONPATH),
    since the new processes do not get this one's sys.path.

    Raises:
        ValueError: ultralytics has no such task; or the model is made for another one, or is of a
            family with a trainer of its own (RT-DETR, YOLO-World, YOLOE).
    """

    def __new__(cls, cfg=DEFAULT_CFG, overrides: dict | None = None, _callbacks=None):
        asked = overrides or {}
        task = asked.get("task") or get_cfg(cfg).task
        trainers = {name: parts["trainer"] for name, parts in YOLO.__new__(YOLO).task_map.items()}
        if task not in trainers:
            raise ValueError(f"unknown task {task!r}: expected one of {tuple(trainers)}")
        if str(model := asked.get("model", "")).endswith((".yaml", ".yml")):
            with contextlib.suppress(FileNotFoundError):  # ultralytics says it, with a remedy
                _check(model, task)
        return super().__new__(_joined(cls, trainers[task]))

    def get_model(self, cfg=None, weights=None, verbose=True):
        """That of the task, if the model is made for it."""
        if cfg is not None:
            _check(cfg, self.args.task)
        return super().get_model(cfg=cfg, weights=weights, verbose=verbose)

    def build_optimizer(self, model, *arguments, **keywords):
        optimizer = super().build_optimizer(model, *arguments, **keywords)
        experts = {p for m in model.modules() if isinstance(m, Experts) for p in m.parameters()}
        muon = [group["params"] for group in optimizer.param_groups if group.get("use_muon")]
        if RANK in (-1, 0) and experts & set(sum(muon, [])):
            LOGGER.warning(
                f"{type(optimizer).__name__} takes the kernels of a dynamic layer as one matrix, so"
                " that each moves less than a static kernel would, 6 times with 32 output channels"
                " and 15 with 256. Name another optimizer, 'AdamW' or 'SGD', and an lr0 for it"
            )
        return optimizer

    def build_dataset(self, *arguments, **keywords):
        with self._what_was_asked_for():
            return super().build_dataset(*arguments, **keywords)

    def _close_dataloader_mosaic(self):
        # for the last epochs ultralytics makes the transforms anew
        with self._what_was_asked_for():
            super()._close_dataloader_mosaic()

    @contextlib.contextmanager
    def _what_was_asked_for(self) -> Iterator[None]:
        """Within it ultralytics makes its transforms without those of albumentations, which is not
        even imported, unless the reader has named some.
        """
        before = augment.Albumentations
        if not getattr(self.args, "augmentations", None):
            augment.Albumentations = Unchanged
        try:
            yield
        finally:
            augment.Albumentations = before


class Unchanged:
    """Takes the place of ultralytics' Albumentations: no image changes, no random number is
    drawn.
    """

    def __init__(self, *arguments, **keywords):
        pass

    def __call__(self, labels: dict) -> dict:
        return labels


@functools.cache
def _joined(cls: type, trainer: type) -> type:
    """ultralytics' trainer with the methods of ours.

    It goes by our name and place: the processes that ultralytics starts for several GPUs import
    what is there, which by the task finds this class again.
    """
    if issubclass(cls, trainer):
        return cls
    place = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(cls.__name__, (cls, trainer), place)


def _check(model, task: str) -> None:
    """A ValueError if training the model for the task would train it as what it is not."""
    head = head_of(model)
    if head is None:
        return
    if head.trainer:
        name = head.trainer.rpartition(".")[2]
        raise ValueError(
            f"a model with the head {head.name} is trained by {head.trainer}, not by"
            f" DynamicConvTrainer. On one device leave out trainer=. For several put `class"
            f" Mine({name}): pass` into a file that imports dynconv.yolo, and pass that"
        )
    if head.task != task:
        raise ValueError(
            f"the model has the head {head.name}, of the task {head.task!r}, and should be trained"
            f" for the task {task!r}: leave out task=, or say task={head.task!r}"
        )
