"""Checkers for chapter 1, One kernel per image."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..functional import by_groups, by_matmul, by_sample, by_single, dynamic_conv2d
from .checking import Wrong, call, choose, close, reject, tensor
from .watching import flops, has_loop, operators


def mix_kernels(answer) -> str:
    """1.1: `mix_kernels(alpha, weight)`: (B, M), (M, Cout, Cin, k, k) -> (B, Cout, Cin, k, k)."""
    torch.manual_seed(0)
    for B, M, *kernel in [(3, 4, 5, 2, 3, 3), (2, 3, 4, 6, 5, 5)]:
        alpha, weight = torch.rand(B, M), torch.randn(M, *kernel)
        with operators() as used:
            got = call(answer, alpha, weight)
        _look_at_kernels(got, alpha, weight)
        _look_at_way(used, has_loop(answer))
    return "right: one matrix product makes all the kernels of a batch."


def _look_at_kernels(got, alpha: torch.Tensor, weight: torch.Tensor) -> None:
    """Raise Wrong unless `got` holds one mixed kernel for each row of alpha."""
    (B, M), kernel = alpha.shape, weight.shape[1:]

    def mixed(alpha):
        return torch.einsum("bm,m...->b...", alpha, weight)

    if getattr(got, "shape", None) == (B, M, *kernel):
        raise Wrong(
            f"you weighted every expert, but there are still {M} of them: sum over the experts."
        )
    got = tensor(got, (B, *kernel))
    mistakes = {
        "your α sum to one, the given ones do not. With sigmoid routing Σα is free: use α as it"
        " comes.": [mixed(alpha / alpha.sum(1, keepdim=True)), mixed(alpha.softmax(1))],
        "all samples got the same kernel. Each row of alpha belongs to one sample: keep the batch"
        " dimension.": [mixed(one.expand(B, -1)) for one in (alpha.mean(0), alpha.sum(0), *alpha)],
        "you averaged over the experts. Σ sums; α has weighed them already.": mixed(alpha) / M,
    }
    reject(got, mistakes, close)
    if not close(got, mixed(alpha)):
        raise Wrong(
            "the numbers differ from Σᵢ alpha[b, i] · weight[i]. Check which axis of alpha counts"
            " the experts, and that a reshape keeps the order of the numbers."
        )


def _look_at_way(used: operators, looped: bool) -> None:
    """Raise Wrong unless one matrix product, and no loop, made them, as far as torch did it."""
    products = used.count("mm", "aten.mv", "aten.dot")  # mm, bmm, addmm, baddbmm
    by_hand = not products and used.count("aten.mul", "aten.addc", "aten.lerp")
    if products > 1 or by_hand:
        raise Wrong(
            "the kernels are right. Now make them with a single matrix product:"
            f" {f'you take {products}' if products else 'you multiply and add by hand'}."
        )
    if looped:
        raise Wrong("the kernels are right. Now make them without a loop, or a comprehension.")


def what_becomes_of_y(answer) -> str:
    """1.2: `what_becomes_of_y`: for each change, what it makes of Y, if the layer has no bias."""
    order = "the sum Σᵢ αᵢ Wᵢ does not know the order of its terms."
    part = "only the share of that one expert is gone; it was not the half of Y."
    choose(
        answer,
        {
            "all α doubled": (
                "doubled",
                {
                    "unchanged": "nothing divides the α by their sum: the kernel is doubled.",
                    "something else": "2 Σᵢ αᵢ Wᵢ is twice the kernel, and Y is linear in it.",
                },
            ),
            "experts and their α in another order": (
                "unchanged",
                {"doubled": order, "something else": order},
            ),
            "two equal experts swap their α": (
                "unchanged",
                {
                    "doubled": "the same two products are added, the other way round.",
                    "something else": "a W + b W is (a + b) W, whichever of the two has the a.",
                },
            ),
            "one α set to zero": (
                "something else",
                {
                    "doubled": f"nothing grows: {part}",
                    "unchanged": f"that would be so if its expert were zero: {part}",
                },
            ),
        },
    )
    return "right: α and the experts count only through their sum of products."


def conv_with_bias(answer) -> str:
    """1.3: `conv_with_bias(x, weight, bias, alpha)` for one image, with one convolution."""
    torch.manual_seed(0)
    for M, cout, cin, H, W in [(3, 4, 2, 8, 8), (2, 3, 5, 7, 9)]:
        x, weight = torch.randn(1, cin, H, W), torch.randn(M, cout, cin, 3, 3)
        bias, alpha = torch.randn(M, cout), torch.rand(M) + 0.1
        with FlopCounterMode(display=False) as work, _the_package_refused():
            got = tensor(call(answer, x, weight, bias, alpha), (1, cout, H, W))
        _look_at_output(got, x, weight, bias, alpha)
        one = flops(F.conv2d, x, weight[0], bias[0], 1, 1)
        if work.get_total_flops() > 1.5 * one:
            raise Wrong(
                "the numbers are right, and the work is that of several convolutions. Mix the"
                " kernels first, and convolve once."
            )
    return "right: kernels and biases are mixed by the same α."


def _look_at_output(got, x, weight, bias, alpha) -> None:
    """Raise Wrong unless `got` is Σᵢ αᵢ (X ∗ Wᵢ + bᵢ)."""

    def convolved(alpha, bias_of_all, padded=x, padding=1):
        kernel = torch.tensordot(alpha, weight, 1)
        return F.conv2d(padded, kernel, bias_of_all, padding=padding)

    unpadded = convolved(alpha, alpha @ bias, padding=0)
    around = [F.pad(x, (1, 1, 1, 1), mode=mode) for mode in ("reflect", "replicate", "circular")]
    shares = [alpha.softmax(0), alpha / alpha.sum()]
    mistakes = {
        "the bias is missing. It is part of each expert's output, so α weighs it like the rest.": (
            convolved(alpha, None)
        ),
        "the biases are added without their α. Expand Σᵢ αᵢ (X ∗ Wᵢ + bᵢ): what multiplies bᵢ?": [
            convolved(alpha, each)
            for each in (bias.sum(0), bias.mean(0), alpha.sum() * bias.sum(0), *bias)
        ],
        "the kernels are added without their α: Σᵢ αᵢ (X ∗ Wᵢ) has an α before each.": (
            convolved(torch.ones_like(alpha), alpha @ bias)
        ),
        "your α sum to one, the given ones do not. Use α as it comes.": [
            convolved(share, share @ bias) for share in shares
        ],
        "the zeros stand around the result. Padding goes around the image, before the"
        " convolution.": F.pad(unpadded, (1, 1, 1, 1)),
        "there is something else than zeros around the image: padding 1 means one row of zeros.": [
            convolved(alpha, alpha @ bias, padded, 0) for padded in around
        ],
    }
    reject(got, mistakes, close)
    if not close(got, convolved(alpha, alpha @ bias)):
        raise Wrong("the numbers differ from Σᵢ αᵢ (X ∗ Wᵢ + bᵢ) with padding 1.")


def what_the_counts_say(answer) -> str:
    """1.4: `what_the_counts_say`: which statements follow from the table of multiplications."""
    size = "compare the rows with the same channels: the smaller map has the larger share."
    choose(
        answer,
        {
            "on 160×160 as fast as a static layer": (
                "does not follow",
                {
                    "follows": "the table counts multiplications. Memory traffic and the cost of a"
                    " call are not in it; what takes time has to be timed."
                },
            ),
            "the smaller the map, the more mixing counts": ("follows", {"does not follow": size}),
            "8 experts: the mixing doubles": (
                "follows",
                {"does not follow": "mixing takes M multiplications per kernel number."},
            ),
            "8 experts: the whole layer doubles": (
                "does not follow",
                {
                    "follows": "only the mixing doubles; the convolution stays, and on large maps"
                    " it is nearly all of the work."
                },
            ),
        },
    )
    return "right: a count says what is multiplied, and nothing of time."


def dynamic_conv_strided(answer) -> str:
    """1.5: `dynamic_conv_strided(x, weight, alphas, stride)`, repaired."""
    torch.manual_seed(0)
    for B, stride, size in [(2, 1, 8), (3, 2, 8), (3, 2, 7), (2, 3, 9)]:
        x, weight = torch.randn(B, 2, size, size), torch.randn(3, 4, 2, 3, 3)
        alphas = torch.rand(B, 3)
        wanted = dynamic_conv2d(x, weight, alphas, stride=stride, padding=1)
        with _the_package_refused():
            got = call(answer, x, weight, alphas, stride)
        where = f"stride {stride}, {size} × {size} pixels"
        squeezed = (B, 4 * wanted[0, 0].numel() // size**2, size, size)
        if stride > 1 and getattr(got, "shape", None) == squeezed:
            raise Wrong(
                f"{where}: the result has shape {tuple(got.shape)} for {tuple(wanted.shape)}. The"
                " numbers of 4 channels were laid out as if the map had kept its size."
            )
        got = tensor(got, tuple(wanted.shape))
        mistakes = {
            "a stride leaves positions out; you averaged over them.": (
                F.adaptive_avg_pool2d(
                    dynamic_conv2d(x, weight, alphas, padding=1), wanted.shape[2:]
                )
                if stride > 1
                else []
            ),
            "the numbers are there, in another order: images come first, then channels.": (
                wanted.reshape(4, B, *wanted.shape[2:]).transpose(0, 1)
            ),
        }
        reject(got, mistakes, close, where)
        if not close(got, wanted):
            raise Wrong(f"{where}: the numbers differ from those of a loop over the images.")
    return "right: the size of the result is known only after the convolution."


def pointwise(answer) -> str:
    """1.6: `pointwise(x, weight, alpha)`: 1×1 kernels as a batched matrix product, without any
    convolution."""
    torch.manual_seed(0)
    # as many channels out as in, so that a transposed kernel fits; then other sizes
    for B, M, cout, cin, H, W in [(3, 2, 4, 4, 5, 6), (2, 3, 5, 3, 4, 7)]:
        x, weight = torch.randn(B, cin, H, W), torch.randn(M, cout, cin, 1, 1)
        alpha = torch.rand(B, M)
        with operators() as used, _the_package_refused():
            got = call(answer, x, weight, alpha)
        if used.count("conv"):  # the point of the exercise is to do without
            raise Wrong(
                "no convolution this time: a 1×1 convolution multiplies the channels of each pixel"
                " by a matrix."
            )
        _look_at_pixels(tensor(got, (B, cout, H, W)), x, weight, alpha)
    return "right: this is the path that the package takes for 1×1 kernels."


def _look_at_pixels(got, x, weight, alpha) -> None:
    """Raise Wrong unless the channels of each pixel are multiplied by the matrix of its image."""
    square = weight.shape[1] == weight.shape[2]
    mistakes = {
        "the kernel is transposed: weight[i] maps Cin to Cout as a (Cout, Cin) matrix, applied from"
        " the left.": dynamic_conv2d(x, weight.transpose(1, 2), alpha) if square else [],
        "all samples got the same matrix. Mix one matrix per sample, then use a batched product.": [
            dynamic_conv2d(x, weight, one.expand_as(alpha)) for one in (alpha.mean(0), *alpha)
        ],
        "the kernels are added without their α.": (
            dynamic_conv2d(x, weight, torch.ones_like(alpha))
        ),
        "your α sum to one, the given ones do not. Use α as it comes.": [
            dynamic_conv2d(x, weight, share)
            for share in (alpha.softmax(1), alpha / alpha.sum(1, keepdim=True))
        ],
    }
    reject(got, mistakes, close)
    if not close(got, dynamic_conv2d(x, weight, alpha)):
        raise Wrong(
            "the numbers differ. Flatten the pixels to (B, Cin, H·W), multiply, and give the pixels"
            " their rows back."
        )


@contextmanager
def _the_package_refused() -> Iterator[None]:
    """Raise Wrong in the block once one of the package's own convolutions is called."""
    own = {path.__code__ for path in (by_single, by_groups, by_sample, by_matmul)}

    def look(frame, event, argument):
        if event == "call" and frame.f_code in own:
            raise Wrong(
                "that is the package's own function, which has it all inside. Write it yourself."
            )

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)
