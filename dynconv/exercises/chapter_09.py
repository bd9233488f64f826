"""Checkers for chapter 9, Ship it."""

from __future__ import annotations

import torch
from torch import nn

from ..functional import dynamic_conv2d
from ..layers import DynamicConv
from .checking import Wrong, attempted, call, close, reject, reject_if, said, tensor


def wrong_by(answer) -> str:
    """9.1: `wrong_by(alpha, shift)`: the error of a shift that is mixed."""
    alpha = torch.tensor([[0.5, 0.7, 0.9], [0.1, 0.2, 0.4], [0.2, 0.5, 0.3]])
    shift = torch.tensor([1.0, -2.0, 0.5, 3.0])
    total = alpha.sum(1, keepdim=True)
    got = tensor(call(answer, alpha, shift), (3, 4))
    mistakes = {
        "that is what would be added. By how much is it more than the shift?": total * shift,
        "the sign is turned: what would be added, minus what should be.": (1 - total) * shift,
        "you took the mean of the α of a sample; they are added up.": (
            (alpha.mean(1, keepdim=True) - 1) * shift
        ),
    }
    reject(got, mistakes, close)
    if not close(got, (total - 1) * shift):
        raise Wrong(
            "the amounts are not right. With a bias t in each expert, Σ αᵢ t is added instead of t."
        )
    return "right: nothing for the third sample, whose α sum to one, as softmax would make them."


def fold(answer) -> str:
    """9.2: `fold(weight, bias, norm)`: a BatchNorm folded into experts that have biases."""
    torch.manual_seed(0)
    layer, norm = DynamicConv(3, 4, 3, bias=True, num_experts=2).double(), _lived_in(4)
    weight, bias = layer.weight.detach(), layer.cond_conv.bias.detach()
    result = attempted(call(answer, weight, bias, norm))
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise Wrong(f"three tensors are wanted, (weight, bias, shift), got {said(result)}.")
    got = [tensor(one, shape) for one, shape in zip(result, ((2, 4, 3, 3, 3), (2, 4), (4,)))]
    s = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - s * norm.running_mean
    signs = {
        "the variance is not the standard deviation: divide by its root.": close(
            got[0], weight * (norm.weight / (norm.running_var + norm.eps))[:, None, None, None]
        ),
        "norm.eps is missing under the root; for a small variance that matters.": close(
            got[0], weight * (norm.weight / norm.running_var.sqrt())[:, None, None, None]
        ),
        "the kernels are right, but the biases of the experts stand before the BatchNorm, too, and"
        " are scaled like them.": close(got[0], weight * s[:, None, None, None])
        and close(got[1], bias),
        "the shift belongs to all experts together. Added to each bias it would be multiplied by"
        " Σα.": close(got[1], bias * s + shift),
        "the mean is scaled before it is taken away: β − s · μ.": close(
            got[2], norm.bias - norm.running_mean
        ),
    }
    reject_if(signs)
    x, alpha = torch.randn(5, 3, 6, 6).double(), torch.rand(5, 2).double()
    wanted = norm(dynamic_conv2d(x, weight, alpha, bias)).detach()
    if not close(dynamic_conv2d(x, got[0], alpha, got[1], shift=got[2]), wanted):
        raise Wrong("the layer with your numbers does not compute what layer and BatchNorm did.")
    return "right: three parts, all that `dynconv.fold_batchnorm` changes in a layer."


def _lived_in(channels: int) -> nn.BatchNorm2d:
    """A BatchNorm in eval mode as after training, whose eps shows."""
    norm = nn.BatchNorm2d(channels, eps=0.05).double().eval().requires_grad_(False)
    norm.running_mean.copy_(torch.linspace(-1, 2, channels))
    norm.running_var.copy_(torch.linspace(0.1, 3, channels))
    norm.weight.copy_(torch.linspace(0.5, 2, channels))
    norm.bias.copy_(torch.linspace(1, -1, channels))
    return norm


def as_static(answer) -> str:
    """9.3: `as_static(layer, alpha)`: the convolution of one α."""
    torch.manual_seed(0)
    cases = {
        "without bias": DynamicConv(4, 6, 3, num_experts=3),
        "with stride and biases": DynamicConv(4, 6, 3, 2, bias=True, num_experts=3),
        "with groups": DynamicConv(4, 6, 3, groups=2, num_experts=3),
        "with dilation": DynamicConv(4, 6, 3, dilation=2, num_experts=3),
    }
    alpha, x = torch.tensor([0.9, 0.2, 0.5]), torch.randn(2, 4, 9, 9)
    for where, layer in cases.items():
        conv = attempted(call(answer, layer, alpha))
        if not isinstance(conv, nn.Conv2d):
            raise Wrong(f"{where}: an nn.Conv2d is wanted, got {said(conv)}.")
        bias = layer.cond_conv.bias
        with torch.no_grad():
            try:
                got = conv(x)
            except RuntimeError as error:
                raise Wrong(f"{where}: your convolution does not run: {str(error)[:150]}") from None
            wanted = _with(layer, alpha, x)
            if got.shape != wanted.shape:
                raise Wrong(
                    f"{where}: for an input {tuple(x.shape)} the output has shape"
                    f" {tuple(got.shape)}, that of the layer {tuple(wanted.shape)}. Stride,"
                    " padding and dilation are those of the layer."
                )
            mistakes = {
                "that is the mean of the kernels; each counts by its α.": _with(
                    layer, torch.full((3,), 1 / 3), x
                ),
                "you divided by Σα, which the layer does not do.": _with(
                    layer, alpha / alpha.sum(), x
                ),
            }
            if bias is not None:
                mixed = (alpha @ bias)[:, None, None]
                mistakes |= {
                    "the biases of the experts are missing.": wanted - mixed,
                    "the biases are mixed like the kernels, not merely added up.": (
                        wanted - mixed + bias.sum(0)[:, None, None]
                    ),
                }
            elif conv.bias is not None:
                mistakes[
                    "an nn.Conv2d starts with a random bias. Say bias=False, or set it to 0."
                ] = [] if close(got, wanted) else wanted + conv.bias[:, None, None]
            reject(got, mistakes, close, where)
            if not close(got, wanted):
                raise Wrong(f"{where}: the output is not that of the layer with this α.")
    return "right: M kernels and a router have become one kernel."


def _with(layer: DynamicConv, alpha: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What the layer gives with one α for all images."""
    options = layer.stride, layer.padding, layer.dilation, layer.groups
    return dynamic_conv2d(x, layer.weight, alpha.expand(len(x), -1), layer.cond_conv.bias, *options)


def as_int8(answer) -> str:
    """9.4: `as_int8(weight)`: experts as whole numbers and scales."""
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 2, 3, 3) * torch.tensor([1, 10, 0.1, 3])[:, None, None, None]
    weight[1] *= 4  # the experts differ as well
    result = attempted(call(answer, weight))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(f"two tensors are wanted, (whole, scale), got {said(result)}.")
    whole, scale = result
    if isinstance(whole, torch.Tensor) and whole.dtype != torch.int8:
        raise Wrong(f"the whole numbers have the type torch.int8, got {whole.dtype}.")
    whole, scale = tensor(whole, tuple(weight.shape)), tensor(scale, (3, 4))
    largest = weight.abs().amax((2, 3, 4)).double()
    mistakes = {
        "the scale is that of the whole expert. Each channel of it has its own.": (
            weight.abs().amax((1, 2, 3, 4))[:, None].expand(3, 4) / 127
        ),
        "the scale is that of a channel in all experts together. Each expert has its own.": (
            weight.abs().amax((0, 2, 3, 4)).expand(3, 4) / 127
        ),
        "you took the largest number, not the largest magnitude: −3 is larger than 2 here.": (
            weight.amax((2, 3, 4)) / 127
        ),
        "127 is the largest whole number, not 128 or 255.": [largest / 128, largest / 255],
        "that is one over the scale: whole · scale has to give the weight.": 127 / largest,
    }
    reject(scale, mistakes, close)
    exact = weight / scale[:, :, None, None, None]
    off = (whole - exact).abs()
    if not off.max() <= 0.51:
        towards_zero = off.max() < 1.01 and (whole.abs() < exact.abs() + 0.01).all()
        reject_if({"you cut off what is behind the point. Round to the nearest.": towards_zero})
        raise Wrong(
            f"whole · scale is off by up to {float(off.max()):.2f} of the scale; rounding to the"
            " nearest is off by 0.5 at most."
        )
    if not close(scale, largest / 127):
        raise Wrong("a smaller scale would be nearer: the largest magnitude becomes 127.")
    return "right: a quarter of the bytes, and folding a BatchNorm would only change the scales."
