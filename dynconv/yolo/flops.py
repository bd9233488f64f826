"""Teaches the profiler behind ultralytics' GFLOPs what a dynamic convolution costs."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from ..layers import DynamicConv


def repair_flops() -> Callable[[], None]:
    """Make ultralytics print true GFLOPs for models with DynamicConv, in this process, until
    undone.

    ultralytics counts with thop, which has a rule for each type of layer and watches matrix
    products. A convolution whose kernel is computed is neither, so it counted as nothing. This adds
    the rule: one multiply-add per output element and kernel element, as for any convolution; the
    router is counted by thop's rule for Linear. The mixing of the kernels, M · Cout · Cin / groups
    · kh · kw multiply-adds whatever the image size, is left out: it is below 0.1 % for the models
    of the package at 640 pixels, and versions of ultralytics that count on a small image and scale
    by the area would inflate it. `dynconv.cost(...).flops` has it.

    Returns:
        a function that takes the repair back. Repairing twice changes nothing; undoing twice
        neither.

    Raises:
        ImportError: ultralytics-thop is not installed; ultralytics prints no GFLOPs at all then.
    """
    try:
        rules = importlib.import_module(
            "thop.profile"
        ).register_hooks  # `import thop.profile` would give a function
    except ImportError as error:
        raise ImportError(
            "repair_flops needs thop, with which ultralytics counts: pip install ultralytics-thop"
        ) from error
    rules[DynamicConv] = count_dynamic_conv

    def undo() -> None:
        rules.pop(DynamicConv, None)

    return undo


def count_dynamic_conv(layer: DynamicConv, inputs: tuple, y) -> None:
    """thop's form of a rule: add the multiply-adds of one call to layer.total_ops."""
    kh, kw = layer.kernel_size
    layer.total_ops += y.numel() * (layer.in_features // layer.groups) * kh * kw
