"""Checkers for chapter 2, Where α comes from."""

from __future__ import annotations

import torch

from ..functional import dynamic_conv2d
from ..layers import DynamicConv
from .checking import Wrong, call, close, reject, tensor


def router(answer) -> str:
    """2.1: `router(x, weight, bias)`: (B, C, H, W), (M, C), (M,) -> α (B, M), as the code of the
    tutorials does it.

    Typical mistakes: softmax instead of sigmoid; sum or maximum instead of mean; forget the bias.
    """
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
    M).

    Typical mistakes: forget the factor 1/τ; differentiate only the numerator; use the sigmoid's
    slope.
    """
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
    chooses for `other`.

    Typical mistakes: swap the image as well; average α over the batch.
    """
    torch.manual_seed(0)
    layer = DynamicConv(2, 3, 3, num_experts=2)
    x, other = torch.randn(4, 2, 6, 6), torch.randn(4, 2, 6, 6) + 2
    layer.routing.weight.data.mul_(4)
    with torch.no_grad():
        alpha = layer.alpha(other)
        expected = dynamic_conv2d(x, layer.weight, alpha, padding=1)
        got = tensor(call(answer, layer, x, other), (4, 3, 6, 6)).detach()
        average = alpha.mean(0, keepdim=True).expand(4, -1)
        mistakes = {
            "this is layer(x): the router still looks at x. Ask it about `other`.": layer(x),
            "this is layer(other): the image was swapped as well. Only α is to be foreign.": (
                layer(other)
            ),
            "every sample got the average α. Give sample b of x the α of sample b of other.": (
                dynamic_conv2d(x, layer.weight, average, padding=1)
            ),
        }
        reject(got, mistakes, close)
    if not close(got, expected):
        raise Wrong(
            "the numbers differ from dynamic_conv2d(x, layer.weight, layer.alpha(other),"
            " padding=1)."
        )
    return "right: this is the swap test, and chapter 8 asks it of a whole detector."
