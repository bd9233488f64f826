"""Measured cost: the time of a layer beside its alternatives, and the peak memory of any
computation.

`python -m dynconv.benchmark` times DynamicConv beside a static convolution, timm's CondConv2d and
the M convolutions of the formula: one thread, one process, the contestants in turn within each
repetition, medians of the ratios to the static convolution. Time is the CPU time of this process,
so another program on the machine disturbs it less.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from .checks import as_device, check_count, shown
from .commands import mistakes_named
from .layers import DynamicConv


class Shape(NamedTuple):
    """One layer and its input: B images of (in_features, size, size)."""

    in_features: int
    out_features: int
    kernel_size: int
    stride: int
    size: int
    batch: int

    def __str__(self) -> str:
        k, s = self.kernel_size, self.stride
        return f"{self.in_features}→{self.out_features} k{k} s{s} @{self.size}  B={self.batch}"


SHAPES = [  # down-samplers of YOLOv10n at 640 and 160 pixels, a ResNet layer, a pointwise layer
    Shape(16, 32, 3, 2, 320, 4),
    Shape(64, 64, 3, 2, 80, 16),
    Shape(128, 256, 3, 2, 40, 4),
    Shape(16, 32, 3, 2, 80, 16),
    Shape(128, 256, 3, 2, 10, 16),
    Shape(64, 64, 3, 1, 56, 4),
    Shape(256, 256, 1, 1, 20, 16),
]


class TimmDynamicConv(nn.Module):
    """The module of the tutorials: pooling, Linear, sigmoid, timm's CondConv2d. `like` lends its
    weights.
    """

    def __init__(self, like: DynamicConv) -> None:
        from timm.layers import CondConv2d

        super().__init__()
        self.routing = nn.Linear(like.in_features, like.num_experts)
        self.cond_conv = CondConv2d(
            like.in_features,
            like.out_features,
            like.kernel_size,
            like.stride,
            like.padding,
            like.dilation,
            like.groups,
            bias=like.cond_conv.bias is not None,
            num_experts=like.num_experts,
        )
        self.load_state_dict(like.state_dict())

    def forward(self, x):
        return self.cond_conv(x, torch.sigmoid(self.routing(x.mean((2, 3)))))


class FormulaConv(nn.Module):
    """Y = Σ αᵢ (X ∗ Wᵢ) read literally: M convolutions, then their weighted sum. `like` lends its
    weights.
    """

    def __init__(self, like: DynamicConv) -> None:
        super().__init__()
        self.like = like

    def forward(self, x):
        layer, alpha = self.like, self.like.alpha(x)
        terms = (
            a[:, None, None, None]
            * nn.functional.conv2d(
                x, w, None, layer.stride, layer.padding, layer.dilation, layer.groups
            )
            for a, w in zip(alpha.unbind(1), layer.weight)
        )
        return sum(terms)


def contestants(shape: Shape, num_experts: int = 4) -> dict[str, nn.Module]:
    """The layers to compare; the three dynamic ones compute the same output."""
    layer = DynamicConv(
        shape.in_features,
        shape.out_features,
        shape.kernel_size,
        shape.stride,
        num_experts=num_experts,
    )
    static = nn.Conv2d(
        shape.in_features,
        shape.out_features,
        shape.kernel_size,
        shape.stride,
        layer.padding,
        bias=False,
    )
    return {
        "static": static,
        "dynconv": layer,
        "timm": TimmDynamicConv(layer),
        "formula": FormulaConv(layer),
    }


def forward(layer: nn.Module, x: torch.Tensor) -> None:
    """One forward pass without gradients."""
    with torch.no_grad():
        layer(x)


def training_step(layer: nn.Module, x: torch.Tensor) -> None:
    """One forward and backward pass, with gradients for the input and all parameters."""
    layer.zero_grad()
    layer(x.requires_grad_()).sum().backward()
    x.grad = None


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within this block torch computes with `count` threads; afterwards with as many as before."""
    count = check_count("threads", count)
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def relative_times(
    run: dict[str, Callable[[], object]], repetitions: int = 15, threads: int = 1
) -> dict[str, float]:
    """Median CPU time of each function over that of the first one in the same repetition: {name:
    ratio}, the first is 1.

    Args:
        run: {name: function without arguments}, at least two. They run in turn, in an order that is
            shuffled in each repetition.
        repetitions: how often each is timed, after two rounds that only fill caches.
        threads: torch's threads while they run; afterwards there are as many as before. With one,
            the ratios depend least on the machine and on what else it does.

    The clock is the CPU time of this process: it does not see what a GPU does.

    Raises:
        TypeError: run is no dictionary of functions, or repetitions or threads no int.
        ValueError: fewer than two functions, or repetitions or threads not from 1 to 2**20.
    """
    repetitions = check_count("repetitions", repetitions)
    if not isinstance(run, dict) or not all(map(callable, run.values())):
        raise TypeError(f"run must be a dictionary {{name: function}}, got {shown(run)}")
    if len(run) < 2:
        raise ValueError(f"run must hold at least two functions, got {list(run)}")
    seconds = {name: [] for name in run}
    with torch_threads(threads):
        for repetition in range(repetitions + 2):
            for name in random.sample(list(run), len(run)):
                start = time.process_time_ns()
                run[name]()
                if repetition >= 2:
                    seconds[name].append(max(time.process_time_ns() - start, 1))
    first = next(iter(seconds.values()))
    return {
        name: statistics.median(t / s for t, s in zip(times, first))
        for name, times in seconds.items()
    }


def ratios(
    shape: Shape,
    run: Callable = forward,
    repetitions: int = 15,
    num_experts: int = 4,
    threads: int = 1,
) -> dict[str, float]:
    """`relative_times` of the contestants, relative to the static convolution.

    Args:
        shape: layer and input.
        run: `forward` or `training_step`.
        repetitions: how often each contestant runs; within a repetition their order is shuffled.
        num_experts: M.
        threads: torch's threads while they run.
    """
    layers, x = (
        contestants(shape, num_experts),
        torch.randn(shape.batch, shape.in_features, shape.size, shape.size),
    )
    return relative_times(
        {name: functools.partial(run, layer, x) for name, layer in layers.items()},
        repetitions,
        threads,
    )


def peak_memory(function: Callable[[], object], device: str | torch.device = "cpu") -> int:
    """The most bytes of tensors that torch held at once while function() ran, beyond what was held
    when it began.

    On CPU torch's profiler lists every block that torch takes and gives back, and the peak of their
    running sum is returned; a block that was there before counts as held until the end, even if
    function() frees it. One thread computes, since some operators take scratch memory for each
    thread. On CUDA it is `torch.cuda.max_memory_allocated` less what was allocated at
    the start.

    Not seen: what libraries take for themselves (scratch of oneDNN, cuDNN's workspace outside
    torch's allocator), blocks that torch keeps in reserve, Python, the program itself. So it is
    less than what the operating system shows, but it is the same number in each run.

    Args:
        function: what to measure, called once without arguments; for a training step `lambda:
            step(model, x)`.
        device: where its tensors live, 'cpu' or a CUDA device.

    Raises:
        TypeError: function cannot be called.
        ValueError: another kind of device.
    """
    if not callable(function):
        raise TypeError(
            "function must be callable without arguments, as `lambda: model(x)` is, got"
            f" {type(function).__name__}"
        )
    device = as_device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != "cpu":
        raise ValueError(f"peak_memory knows 'cpu' and 'cuda', got device {str(device)!r}")
    os.environ["KINETO_LOG_LEVEL"] = (
        "99"  # or the profiler writes to stderr when it starts and stops, past Python
    )
    with torch_threads(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning: Profiler clears events")  # torch 2.11; one here
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            function()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        del profiler  # read beside its records, the file costs memory that the process keeps
        events = json.loads(trace.read_bytes())["traceEvents"]
    blocks = sorted(
        (e for e in events if e["name"] == "[memory]" and e["args"]["Device Type"] == 0),
        key=lambda e: e["ts"],
    )  # 0: CPU
    return max(itertools.accumulate((e["args"]["Bytes"] for e in blocks), initial=0))


@mistakes_named()
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dynconv.benchmark", description="Times DynamicConv beside its alternatives."
    )
    parser.add_argument("--repetitions", type=int, default=15, help="rounds per row (default 15)")
    parser.add_argument("--num-experts", type=int, default=4, help="M, kernels (default 4)")
    parser.add_argument("--threads", type=int, default=1, help="threads for torch (default 1)")
    options = parser.parse_args()
    if min(options.repetitions, options.num_experts, options.threads) < 1:
        parser.error("--repetitions, --num-experts and --threads must be at least 1")

    print(
        f"time relative to a static convolution (1.00); torch {torch.__version__},"
        f" {options.threads} thread(s), M = {options.num_experts}"
    )
    for title, run in (("forward", forward), ("training step", training_step)):
        print(f"\n{title:<30}{'dynconv':>10}{'timm':>10}{'formula':>10}")
        rows = []
        for shape in SHAPES:
            rows.append(
                ratios(shape, run, options.repetitions, options.num_experts, options.threads)
            )
            print(
                f"{shape!s:<30}"
                + "".join(f"{rows[-1][name]:>10.2f}" for name in ("dynconv", "timm", "formula")),
                flush=True,
            )
        means = {
            name: statistics.geometric_mean(row[name] for row in rows)
            for name in ("dynconv", "timm", "formula")
        }
        print(f"{'geometric mean':<30}" + "".join(f"{value:>10.2f}" for value in means.values()))


if __name__ == "__main__":
    main()
