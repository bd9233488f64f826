"""Checkers for chapter 4, From DynamicConv to C2f_DynamicConv."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from ultralytics.nn.modules import C2f

from ..layers import DynamicConv
from .checking import Wrong, against, call, choose, close, near, number, reject, tensor


def channels_before_last_conv(answer) -> str:
    """4.1: `channels_before_last_conv(c2, n, e)`."""
    for c2, n, e in [(64, 2, 0.5), (48, 3, 0.25), (32, 1, 1.0), (46, 2, 0.25)]:
        c = int(c2 * e)
        expected = (2 + n) * c
        got = number(call(answer, c2, n, e))
        if near(got, expected):
            continue
        mistakes = {
            "both halves of the split are kept, also the one that enters the first bottleneck.": (
                (1 + n) * c
            ),
            "the results of the bottlenecks are not all: the two halves of the split come along.": (
                n * c
            ),
            "the pieces are e · c2 channels wide, not c2.": (2 + n) * c2,
            f"e · c2 is {c2 * e:g} here, and a piece has whole channels: the fraction is cut off,"
            " for each piece.": (
                [(2 + n) * c2 * e, int((2 + n) * c2 * e), (2 + n) * round(c2 * e)]
                if c2 * e % 1
                else []
            ),
        }
        reject(got, mistakes)
        raise Wrong(f"for c2={c2}, n={n}, e={e} the layer itself has {against(expected, got)}.")
    return "right: two halves and one piece per bottleneck."


def what_can_be_merged(answer) -> str:
    """4.2: `what_can_be_merged`: which stacks are one layer, as long as α stays."""
    choose(
        answer,
        {
            "dynamic 3×3, static 1×1": (
                "one layer",
                {"two layers": "nothing stands between them: the chapter has merged just these."},
            ),
            "dynamic 3×3, BatchNorm in use, 1×1": (
                "one layer",
                {
                    "two layers": "after training a BatchNorm multiplies each channel by a number"
                    " and adds one. Both can go into the kernel and a bias."
                },
            ),
            "dynamic 3×3, SiLU, static 1×1": (
                "two layers",
                {"one layer": "a SiLU of a sum is no sum of SiLUs: no kernel does that."},
            ),
            "static 1×1, dynamic 3×3": (
                "one layer",
                {
                    "two layers": "the order does not matter. The router sees the mean of what the"
                    " 1×1 makes, which is the 1×1 of the mean: it can take that over, too."
                },
            ),
        },
    )
    return "right: only what is not linear keeps two layers apart."


def merge(answer) -> str:
    """4.3: `merge(first, second)`: (Cmid, Cin, 1, 1), (Cout, Cmid, 3, 3) -> (Cout, Cin, 3, 3)."""
    torch.manual_seed(0)
    for cmid, cin, cout in [(4, 3, 5), (6, 5, 2)]:
        first, second = torch.randn(cmid, cin, 1, 1), torch.randn(cout, cmid, 3, 3)
        _look_at_merged(call(answer, first, second), first, second)
    return "right: two layers in name, one in fact."


def _look_at_merged(got, first: torch.Tensor, second: torch.Tensor) -> None:
    """Raise Wrong unless one convolution with `got` is that with `first`, then with `second`."""
    (cmid, cin), cout = first.shape[:2], len(second)
    wrong_shapes = {
        "this kernel still takes the channels in the middle. The merged one goes from Cin to"
        " Cout.": (cout, cmid, 3, 3),
        "you multiplied along the channels in the middle; now sum over them.": (
            cout,
            cmid,
            cin,
            3,
            3,
        ),
        "the kernel is turned round: a kernel has the shape (Cout, Cin, 3, 3).": (cin, cout, 3, 3),
    }
    reject(tuple(getattr(got, "shape", ())), wrong_shapes, operator.eq)
    got = tensor(got, (cout, cin, 3, 3))
    x = torch.randn(2, cin, 8, 8, dtype=torch.float64)
    expected = F.conv2d(F.conv2d(x, first.double()), second.double())
    mended = {
        "the kernel is upside down: no flip is needed, a 1×1 convolution does not move pixels.": (
            F.conv2d(x, got.flip(2, 3))
        ),
        "rows and columns of the kernel changed places.": F.conv2d(x, got.mT),
        "you averaged over the channels in the middle. A convolution sums over them.": (
            F.conv2d(x, cmid * got)
        ),
    }
    reject(expected, mended, close)
    if not close(F.conv2d(x, got), expected):
        raise Wrong(
            "convolving once with your kernel differs from convolving twice. Multiply along the"
            " channels in the middle, then sum over them."
        )


def c2f(answer) -> str:
    """4.4: `c2f(block, x)`: what the block C2f makes of x, repaired."""
    torch.manual_seed(0)
    for n in (1, 2, 3):
        block, x = C2f(6, 8, n, True).eval(), torch.randn(2, 6, 7, 5)
        with torch.no_grad():
            wanted = block(x)
            got = tensor(call(answer, block, x), tuple(wanted.shape))
            pieces = [*block.cv1(x).chunk(2, 1)]
            chained, all_from_first = [*pieces], [*pieces]
            for bottleneck in block.m:
                chained.append(bottleneck(chained[-1]))
                all_from_first.append(bottleneck(pieces[0]))
            all_from_second = pieces + [bottleneck(pieces[1]) for bottleneck in block.m]
            mistakes = {
                "the bottlenecks are right; now look at the order in which the pieces are stacked:"
                " as they came.": [
                    block.cv2(torch.cat(chained[::-1], 1)),
                    block.cv2(torch.cat([*chained[2:], *pieces], 1)),
                ],
                "each bottleneck has to work on what the one before it made.": (
                    block.cv2(torch.cat(all_from_second, 1)) if n > 1 else []
                ),
                "the first half goes to the end as it is. Which half enters the bottlenecks?": [
                    block.cv2(torch.cat(stack, 1))
                    for stack in (all_from_first, all_from_first[::-1])
                ],
            }
        reject(got, mistakes, close, f"{n} bottleneck{'s' * (n > 1)}")
        if not close(got, wanted):
            raise Wrong(f"with {n} bottlenecks the numbers differ from those of ultralytics' C2f.")
    return "right: a chain that keeps every link."


def what_the_errors_say(answer) -> str:
    """4.5: `what_the_errors_say`: which statements follow from a table of four variants."""
    choose(
        answer,
        {
            "SiLU makes the difference in this task": (
                "follows",
                {
                    "does not follow": "compare the two pairs that differ in the SiLU only: their"
                    " intervals are far apart."
                },
            ),
            "BatchNorm is useless in a detector": (
                "does not follow",
                {
                    "follows": "this is a small task with two layers. A BatchNorm also keeps the"
                    " scale in a deep network, which is not tried here."
                },
            ),
            "BN + SiLU is better than SiLU alone": (
                "does not follow",
                {"follows": "the intervals overlap nearly altogether: no difference is shown."},
            ),
            "with more steps the bare stack gets there": (
                "does not follow",
                {
                    "follows": "nothing in the table says what more steps do, and by the chapter's"
                    " argument they cannot help."
                },
            ),
        },
    )
    return "right: the table says one thing, and that one clearly."


def extra_parameters(answer) -> str:
    """4.6: `extra_parameters(c, n, num_experts)`."""
    for c, n, experts in [(16, 1, 4), (32, 3, 4), (8, 2, 2)]:
        kernel = 9 * c * c
        dynamic = sum(p.numel() for p in DynamicConv(c, c, 3, num_experts=experts).parameters())
        expected = n * (dynamic - kernel - 2 * c)
        got = number(call(answer, c, n, experts))
        if near(got, expected):
            continue
        mistakes = {
            "that is one bottleneck; there are n of them.": expected // n if n > 1 else [],
            "the BatchNorm of the old convolution goes as well: two numbers per channel.": [
                expected + n * 2 * c,
                expected + n * c,
                expected + n * 4 * c,
            ],
            "the router's Linear has a bias, one number per expert.": [
                expected - n * experts,
                expected - n * experts + n * 2 * c,
            ],
            "the difference is asked for: take off what goes.": n * dynamic,
            "the router is missing: a Linear from c channels to the experts, with bias.": [
                n * (experts - 1) * kernel,
                n * ((experts - 1) * kernel - 2 * c),
            ],
            "one of the experts takes the place of the old kernel, so it is not extra.": (
                expected + n * kernel
            ),
        }
        reject(got, mistakes)
        raise Wrong(
            f"for c={c}, n={n}, M={experts} the blocks themselves differ by"
            f" {against(expected, got)}."
        )
    return "right: equal to what the blocks themselves count."
