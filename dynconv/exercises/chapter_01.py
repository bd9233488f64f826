"""Checkers for chapter 1, One kernel per image."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..functional import dynamic_conv2d
from ._checking import Wrong, call, close, tensor


def mix_kernels(answer) -> str:
    """1.1: `mix_kernels(alpha, weight)`: (B, M), (M, Cout, Cin, k, k) -> (B, Cout, Cin, k, k)."""
    torch.manual_seed(0)
    alpha, weight = torch.rand(3, 4), torch.randn(4, 5, 2, 3, 3)
    expected = torch.einsum("bm,m...->b...", alpha, weight)
    got = call(answer, alpha, weight)
    if isinstance(got, torch.Tensor) and got.shape == (3, 4, 5, 2, 3, 3):
        raise Wrong(
            "you weighted every expert, but there are still four of them: sum over the experts."
        )
    got = tensor(got, (3, 5, 2, 3, 3))
    if close(got, torch.einsum("bm,m...->b...", alpha / alpha.sum(1, keepdim=True), weight)):
        raise Wrong(
            "your α sum to one, the given ones do not. With sigmoid routing Σα is free: use α as it"
            " comes."
        )
    if close(got, torch.einsum("bm,m...->b...", alpha.mean(0, keepdim=True).expand(3, -1), weight)):
        raise Wrong(
            "all samples got the same kernel. Each row of alpha belongs to one sample: keep the"
            " batch dimension."
        )
    if not close(got, expected):
        raise Wrong(
            "the numbers differ from Σᵢ alpha[b, i] · weight[i]. Check which axis of alpha counts"
            " the experts."
        )
    return "right: one matrix product makes all the kernels of a batch."


def conv_with_bias(answer) -> str:
    """1.2: `conv_with_bias(x, weight, bias, alpha)` for one image, with one convolution."""
    torch.manual_seed(0)
    x, weight, bias, alpha = (
        torch.randn(1, 2, 8, 8),
        torch.randn(3, 4, 2, 3, 3),
        torch.randn(3, 4),
        torch.tensor([0.9, 0.2, 0.6]),
    )
    expected = dynamic_conv2d(x, weight, alpha[None], bias, padding=1)
    got = tensor(call(answer, x, weight, bias, alpha), (1, 4, 8, 8))
    without = dynamic_conv2d(x, weight, alpha[None], padding=1)
    if close(got, without):
        raise Wrong(
            "the bias is missing. It is part of each expert's output, so α weighs it like the rest."
        )
    if close(got, without + bias.sum(0)[None, :, None, None]) or close(
        got, without + bias.mean(0)[None, :, None, None]
    ):
        raise Wrong(
            "the biases are added without their α. Expand Σᵢ αᵢ (X ∗ Wᵢ + bᵢ): what multiplies bᵢ?"
        )
    if not close(got, expected):
        raise Wrong("the numbers differ from Σᵢ αᵢ (X ∗ Wᵢ + bᵢ) with padding 1.")
    return "right: kernels and biases are mixed by the same α."


def pointwise(answer) -> str:
    """1.3: `pointwise(x, weight, alpha)`: 1×1 kernels as a batched matrix product, without any
    convolution.
    """
    torch.manual_seed(0)
    x, weight, alpha = torch.randn(3, 4, 5, 6), torch.randn(2, 4, 4, 1, 1), torch.rand(3, 2)
    expected = dynamic_conv2d(x, weight, alpha)
    forbidden = F.conv2d

    def refuse(*arguments, **keywords):
        raise Wrong(
            "no convolution this time: a 1×1 convolution multiplies the channels of each pixel by a"
            " matrix."
        )

    F.conv2d = torch.conv2d = refuse  # the point of the exercise is to do without
    try:
        got = call(answer, x, weight, alpha)
    finally:
        F.conv2d = torch.conv2d = forbidden
    got = tensor(got, (3, 4, 5, 6))
    if close(got, dynamic_conv2d(x, weight.transpose(1, 2), alpha)):
        raise Wrong(
            "the kernel is transposed: weight[i] maps Cin to Cout as a (Cout, Cin) matrix, applied"
            " from the left."
        )
    if close(got, dynamic_conv2d(x, weight, alpha.mean(0, keepdim=True).expand(3, -1))):
        raise Wrong(
            "all samples got the same matrix. Mix one matrix per sample, then use a batched"
            " product."
        )
    if not close(got, expected):
        raise Wrong(
            "the numbers differ. Flatten the pixels to (B, Cin, H·W), multiply, and give the pixels"
            " their rows back."
        )
    return "right: this is the path that the package takes for 1×1 kernels."


EXERCISES = {"1.1": mix_kernels, "1.2": conv_with_bias, "1.3": pointwise}
