"""Checkers for chapter 2, Where α comes from."""

from __future__ import annotations

import torch

from ..functional import dynamic_conv2d
from ..layers import DynamicConv
from .checking import Wrong, call, close, reject, tensor


def router(answer) -> str:
    """2.1: `router(x, weight, bias)`: (B, C, H, W), (M, C), (M,) -> α (B, M), as the code of the
    tutorials does it."""
    torch.manual_seed(0)
    x, weight, bias = torch.randn(3, 4, 6, 5) + 0.3, torch.randn(2, 4), torch.randn(2)
    logits = x.mean((2, 3)) @ weight.T + bias
    got = tensor(call(answer, x, weight, bias), (3, 2))
    mistakes = {
        "these α compete: that is a softmax. The code uses a sigmoid, so each αᵢ stands on its"
        " own.": torch.softmax(logits, 1),
        "these are the logits. Squash them into 0..1.": logits,
        "you summed the pixels. Average them, or α would depend on the size of the image.": (
            torch.sigmoid(x.sum((2, 3)) @ weight.T + bias)
        ),
        "the bias of the Linear is missing.": torch.sigmoid(x.mean((2, 3)) @ weight.T),
        "that is max pooling. The router takes the mean of each channel.": (
            torch.sigmoid(x.amax((2, 3)) @ weight.T + bias)
        ),
    }
    reject(got, mistakes, close)
    if not close(got, torch.sigmoid(logits)):
        raise Wrong("the numbers differ from sigmoid(Linear(mean over height and width)).")
    return "right: three steps, and the whole image is in α."


def sensitivity(answer) -> str:
    """2.2: `sensitivity(logits, temperature)`: ∂αᵢ/∂zᵢ of a softmax with temperature, (B, M) -> (B,
    M)."""
    torch.manual_seed(0)
    logits = torch.randn(3, 4)
    for temperature in (1.0, 5.0):
        alpha, cold = torch.softmax(logits / temperature, 1), torch.softmax(logits, 1)
        alone = torch.sigmoid(logits)
        expected = alpha * (1 - alpha) / temperature
        got = tensor(call(answer, logits, temperature), (3, 4))
        if close(got, expected):
            continue
        mistakes = {
            "right at τ = 1 only. zᵢ enters as zᵢ/τ: the chain rule leaves a factor.": (
                alpha * (1 - alpha)
            ),
            "the temperature must also act inside the softmax: α = softmax(z/τ).": [
                cold * (1 - cold),
                cold * (1 - cold) / temperature,
            ],
            "that is the sigmoid's slope. In a softmax α is shared: α = softmax(z/τ).": (
                alone * (1 - alone)
            ),
            "when zᵢ grows, αᵢ grows but the denominator grows too: differentiate both.": [
                alpha,
                alpha * alpha,
            ],
        }
        reject(got, mistakes, close)
        raise Wrong(
            f"at τ = {temperature:g} the values differ from what autograd finds for ∂αᵢ/∂zᵢ."
        )
    return (
        "right: a large temperature makes all α nearly equal, and every step of the logits small."
    )


def with_foreign_alpha(answer) -> str:
    """2.3: `with_foreign_alpha(layer, x, other)`: x convolved with the kernels that the router
    chooses for `other`."""
    torch.manual_seed(0)
    x, other = torch.randn(4, 4, 8, 8), torch.randn(4, 4, 8, 8) + 2
    for options in ({}, {"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 2}):
        layer = DynamicConv(4, 6, 3, num_experts=2, **options)
        layer.routing.weight.data.mul_(4)
        with torch.no_grad():
            _look_at_swap(call(answer, layer, x, other), layer, x, other, options)
    return "right: this is the swap test, and chapter 8 asks it of a whole detector."


def _look_at_swap(got, layer: DynamicConv, x, other, options: dict) -> None:
    """Raise Wrong unless `got` is x, convolved by the layer with the α of `other`."""
    alpha = layer.alpha(other)

    def convolved(alpha):
        named = ("stride", "padding", "dilation", "groups")
        given = {name: getattr(layer, name) for name in named}
        return dynamic_conv2d(x, layer.weight, alpha, **given)

    where = (
        ""
        if not options
        else "for a layer with " + "".join(f"{name}={value}" for name, value in options.items())
    )
    expected = convolved(alpha)
    if where and getattr(got, "shape", None) not in (None, expected.shape):
        raise Wrong(
            f"{where} the result has shape {tuple(got.shape)}, and {tuple(expected.shape)} is"
            " wanted. Any layer is to be tested: all that it was made with counts."
        )
    got = tensor(got, tuple(expected.shape))
    if close(got, expected):
        return
    mistakes = {
        "this is layer(x): the router still looks at x. Ask it about `other`.": layer(x),
        "this is layer(other): the image was swapped as well. Only α is to be foreign.": (
            layer(other)
        ),
        "every sample got the average α. Give sample b of x the α of sample b of other.": (
            convolved(alpha.mean(0).expand(4, -1))
        ),
    }
    reject(got, mistakes, close, where)
    raise Wrong(
        f"{where or 'for a plain layer'} the numbers are not those of `x`, convolved with the"
        " kernels that the router chooses for `other`."
    )
