"""`python -m dynconv.relatives.timing`: the core of DCNv3 by grid_sample (ours) and by
torchvision.ops.deform_conv2d.

Method and clock are those of `dynconv.benchmark`: one thread, the two in turn within each
repetition, medians of ratios.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from typing import NamedTuple

import torch
from torch import Tensor

from ..benchmark import relative_times
from ..commands import mistakes_named
from .dcnv3 import DCNv3
from .dcnv3_core import dcnv3, tap_grid


class Shape(NamedTuple):
    """Input and layer: N images of (size, size, channels)."""

    batch: int
    size: int
    channels: int
    group: int
    kernel_size: int = 3
    stride: int = 1

    def __str__(self) -> str:
        return (
            f"{self.channels} channels @{self.size}, k{self.kernel_size} s{self.stride},"
            f" {self.group} groups  N={self.batch}"
        )


# the levels of a detector at 640 pixels, the two rows of our YAMLs, many groups, a larger kernel
SHAPES = [
    Shape(1, 80, 64, 4),
    Shape(1, 40, 128, 4),
    Shape(1, 40, 256, 4, stride=2),
    Shape(1, 20, 256, 4),
    Shape(4, 20, 256, 16),
    Shape(1, 40, 128, 8, kernel_size=5),
]


def by_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    kernel_size: int,
    stride: int,
    pad: int,
    dilation: int = 1,
    offset_scale: float = 1.0,
) -> Tensor:
    """What `dcnv3` computes (without remove_center), by torchvision: a depthwise kernel of ones,
    modulated by the mask.

    torchvision numbers the taps row by row and wants (vertical, horizontal) pairs, channels first;
    its taps do not scale, so that what offset_scale adds to them goes into the offset.
    """
    from torchvision.ops import deform_conv2d

    batch, rows, columns, groups = mask.shape[:4]
    k, channels = kernel_size, x.shape[3]
    taps = tap_grid(k, dilation).to(x)
    moved = ((taps + offset) * offset_scale - taps).reshape(batch, rows, columns, groups, k, k, 2)
    moved = moved.flip(-1).permute(0, 3, 5, 4, 6, 1, 2).reshape(batch, -1, rows, columns)
    weight = (
        mask.reshape(batch, rows, columns, groups, k, k)
        .permute(0, 3, 5, 4, 1, 2)
        .reshape(batch, -1, rows, columns)
    )
    ones = x.new_ones(channels, 1, k, k)
    return deform_conv2d(
        x.permute(0, 3, 1, 2), moved, ones, None, stride, pad, dilation, weight
    ).permute(0, 2, 3, 1)


def contestants(shape: Shape) -> tuple[dict, tuple[Tensor, Tensor, Tensor]]:
    """The two as functions of (x, offset, mask), and these tensors: offsets of about a pixel, all
    with gradients.
    """
    k, s = shape.kernel_size, shape.stride
    layer, x = (
        DCNv3(shape.channels, k, stride=s, group=shape.group),
        torch.randn(shape.batch, shape.size, shape.size, shape.channels),
    )
    with torch.no_grad():
        offset, mask = layer.points(x)
        tensors = x, torch.randn_like(offset), torch.randn_like(mask).softmax(-1)
    run = {
        "grid_sample": lambda x, offset, mask: dcnv3(x, offset, mask, k, s, layer.pad),
        "deform_conv2d": lambda x, offset, mask: by_deform_conv2d(x, offset, mask, k, s, layer.pad),
    }
    return run, tuple(t.requires_grad_() for t in tensors)


def ratios(shape: Shape, repetitions: int = 9, threads: int = 1) -> dict[str, float]:
    """Time of torchvision's way over ours: {'forward': ..., 'training step': ...}, each by
    `dynconv.benchmark.relative_times`.
    """
    run, tensors = contestants(shape)

    def forward(core):
        with torch.no_grad():
            core(*tensors)

    def training_step(core):
        torch.autograd.grad(core(*tensors).sum(), tensors)

    kinds = {"forward": forward, "training step": training_step}
    return {
        kind: relative_times(
            {name: functools.partial(step, core) for name, core in run.items()},
            repetitions,
            threads,
        )["deform_conv2d"]
        for kind, step in kinds.items()
    }


@mistakes_named()
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dynconv.relatives.timing", description="Times two ways to compute DCNv3."
    )
    parser.add_argument("--repetitions", type=int, default=9, help="rounds per row (default 9)")
    parser.add_argument("--threads", type=int, default=1, help="threads for torch (default 1)")
    options = parser.parse_args()
    if min(options.repetitions, options.threads) < 1:
        parser.error("--repetitions and --threads must be at least 1")

    print(
        f"time through deform_conv2d relative to ours (1.00); torch {torch.__version__},"
        f" {options.threads} thread(s)"
    )
    print(f"{'':<44}{'forward':>10}{'training step':>16}")
    rows = []
    for shape in SHAPES:
        rows.append(ratios(shape, options.repetitions, options.threads))
        print(
            f"{shape!s:<44}{rows[-1]['forward']:>10.2f}{rows[-1]['training step']:>16.2f}",
            flush=True,
        )
    means = [statistics.geometric_mean(row[kind] for row in rows) for kind in rows[0]]
    print(f"{'geometric mean':<44}{means[0]:>10.2f}{means[1]:>16.2f}")


if __name__ == "__main__":
    main()
