"""Checkers for chapter 1, One kernel per image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..functional import dynamic_conv2d, use_path
from .checking import Wrong, call, close, flops, operators, reject, tensor


def mix_kernels(answer) -> str:
    """1.1: `mix_kernels(alpha, weight)`: (B, M), (M, Cout, Cin, k, k) -> (B, Cout, Cin, k, k)."""
    torch.manual_seed(0)
    alpha, weight = torch.rand(3, 4), torch.randn(4, 5, 2, 3, 3)

    def mixed(alpha):
        return torch.einsum("bm,m...->b...", alpha, weight)

    expected = mixed(alpha)
    with operators() as used:
        got = call(answer, alpha, weight)
    if getattr(got, "shape", None) == (3, 4, 5, 2, 3, 3):
        raise Wrong(
            "you weighted every expert, but there are still four of them: sum over the experts."
        )
    got = tensor(got, (3, 5, 2, 3, 3))
    mistakes = {
        "your α sum to one, the given ones do not. With sigmoid routing Σα is free: use α as it"
        " comes.": mixed(alpha / alpha.sum(1, keepdim=True)),
        "all samples got the same kernel. Each row of alpha belongs to one sample: keep the batch"
        " dimension.": mixed(alpha.mean(0, keepdim=True).expand(3, -1)),
    }
    reject(got, mistakes, close)
    if not close(got, expected):
        raise Wrong(
            "the numbers differ from Σᵢ alpha[b, i] · weight[i]. Check which axis of alpha counts"
            " the experts."
        )
    products = used.count("mm", "aten.mv", "aten.dot")  # mm, bmm, addmm, baddbmm
    if products > 1 or (used.count("aten.mul") and not products):
        raise Wrong(
            "the kernels are right. Now make them with a single matrix product:"
            f" {f'you take {products}' if products else 'you multiply and add by hand'}."
        )
    return "right: one matrix product makes all the kernels of a batch."


def conv_with_bias(answer) -> str:
    """1.2: `conv_with_bias(x, weight, bias, alpha)` for one image, with one convolution."""
    torch.manual_seed(0)
    x, weight, bias = torch.randn(1, 2, 8, 8), torch.randn(3, 4, 2, 3, 3), torch.randn(3, 4)
    alpha = torch.tensor([0.9, 0.2, 0.6])
    expected = dynamic_conv2d(x, weight, alpha[None], bias, padding=1)
    with FlopCounterMode(display=False) as work, use_path(_the_packages_own):
        got = tensor(call(answer, x, weight, bias, alpha), (1, 4, 8, 8))
    without = dynamic_conv2d(x, weight, alpha[None], padding=1)
    mistakes = {
        "the bias is missing. It is part of each expert's output, so α weighs it like the rest.": (
            without
        ),
        "the biases are added without their α. Expand Σᵢ αᵢ (X ∗ Wᵢ + bᵢ): what multiplies bᵢ?": [
            without + one_bias[None, :, None, None] for one_bias in (bias.sum(0), bias.mean(0))
        ],
    }
    reject(got, mistakes, close)
    if not close(got, expected):
        raise Wrong("the numbers differ from Σᵢ αᵢ (X ∗ Wᵢ + bᵢ) with padding 1.")
    one = flops(F.conv2d, x, weight[0], bias[0], 1, 1)
    if work.get_total_flops() > 1.5 * one:
        raise Wrong(
            "the numbers are right, and the work is that of several convolutions. Mix the kernels"
            " first, and convolve once."
        )
    return "right: kernels and biases are mixed by the same α."


def pointwise(answer) -> str:
    """1.3: `pointwise(x, weight, alpha)`: 1×1 kernels as a batched matrix product, without any
    convolution."""
    torch.manual_seed(0)
    x, weight, alpha = torch.randn(3, 4, 5, 6), torch.randn(2, 4, 4, 1, 1), torch.rand(3, 2)
    expected = dynamic_conv2d(x, weight, alpha)
    with operators() as used, use_path(_the_packages_own):
        got = call(answer, x, weight, alpha)
    if used.count("conv"):  # the point of the exercise is to do without
        raise Wrong(
            "no convolution this time: a 1×1 convolution multiplies the channels of each pixel by a"
            " matrix."
        )
    got = tensor(got, (3, 4, 5, 6))
    mistakes = {
        "the kernel is transposed: weight[i] maps Cin to Cout as a (Cout, Cin) matrix, applied from"
        " the left.": dynamic_conv2d(x, weight.transpose(1, 2), alpha),
        "all samples got the same matrix. Mix one matrix per sample, then use a batched product.": [
            dynamic_conv2d(x, weight, one.expand(3, -1)) for one in (alpha.mean(0), *alpha)
        ],
    }
    reject(got, mistakes, close)
    if not close(got, expected):
        raise Wrong(
            "the numbers differ. Flatten the pixels to (B, Cin, H·W), multiply, and give the pixels"
            " their rows back."
        )
    return "right: this is the path that the package takes for 1×1 kernels."


def _the_packages_own(*arguments):
    raise Wrong("that is the package's own function, which has it all inside. Write it yourself.")
