"""Checkers for chapter 2, Where α comes from."""

from __future__ import annotations

import torch

from ..functional import dynamic_conv2d
from ..layers import DynamicConv
from ._checking import Wrong, call, close, tensor


def router(answer) -> str:
    """2.1: `router(x, weight, bias)`: (B, C, H, W), (M, C), (M,) -> α (B, M), as the code of the
    tutorials does it.
    """
    torch.manual_seed(0)
    x, weight, bias = torch.randn(3, 4, 6, 5) + 0.3, torch.randn(2, 4), torch.randn(2)
    logits = x.mean((2, 3)) @ weight.T + bias
    got = tensor(call(answer, x, weight, bias), (3, 2))
    if close(got, torch.softmax(logits, 1)):
        raise Wrong(
            "these α compete: that is a softmax. The code uses a sigmoid, so each αᵢ stands on its"
            " own."
        )
    if close(got, logits):
        raise Wrong("these are the logits. Squash them into 0..1.")
    if close(got, torch.sigmoid(x.sum((2, 3)) @ weight.T + bias)):
        raise Wrong(
            "you summed the pixels. Average them, or α would depend on the size of the image."
        )
    if close(got, torch.sigmoid(x.mean((2, 3)) @ weight.T)):
        raise Wrong("the bias of the Linear is missing.")
    if close(got, torch.sigmoid(x.amax((2, 3)) @ weight.T + bias)):
        raise Wrong("that is max pooling. The router takes the mean of each channel.")
    if not close(got, torch.sigmoid(logits)):
        raise Wrong("the numbers differ from sigmoid(Linear(mean over height and width)).")
    return "right: three steps, and the whole image is in α."


def sensitivity(answer) -> str:
    """2.2: `sensitivity(logits, temperature)`: ∂αᵢ/∂zᵢ of a softmax with temperature, (B, M) -> (B,
    M).
    """
    torch.manual_seed(0)
    logits = torch.randn(3, 4)
    for temperature in (1.0, 5.0):
        alpha = torch.softmax(logits / temperature, 1)
        expected = alpha * (1 - alpha) / temperature
        got = tensor(call(answer, logits, temperature), (3, 4))
        if temperature != 1 and close(got, alpha * (1 - alpha)):
            raise Wrong("right at τ = 1 only. zᵢ enters as zᵢ/τ: the chain rule leaves a factor.")
        plain = torch.softmax(logits, 1)
        if temperature != 1 and (
            close(got, plain * (1 - plain)) or close(got, plain * (1 - plain) / temperature)
        ):
            raise Wrong("the temperature must also act inside the softmax: α = softmax(z/τ).")
        if close(got, torch.sigmoid(logits) * (1 - torch.sigmoid(logits))):
            raise Wrong("that is the sigmoid's slope. In a softmax α is shared: α = softmax(z/τ).")
        if close(got, alpha) or close(got, alpha * alpha):
            raise Wrong(
                "when zᵢ grows, αᵢ grows but the denominator grows too: differentiate both."
            )
        if not close(got, expected):
            raise Wrong(
                f"at τ = {temperature:g} the values differ from what autograd finds for ∂αᵢ/∂zᵢ."
            )
    return (
        "right: a large temperature makes all α nearly equal, and every step of the logits small."
    )


def with_foreign_alpha(answer) -> str:
    """2.3: `with_foreign_alpha(layer, x, other)`: x convolved with the kernels that the router
    chooses for `other`.
    """
    torch.manual_seed(0)
    layer, x, other = (
        DynamicConv(2, 3, 3, num_experts=2),
        torch.randn(4, 2, 6, 6),
        torch.randn(4, 2, 6, 6) + 2,
    )
    layer.routing.weight.data.mul_(4)
    with torch.no_grad():
        expected = dynamic_conv2d(x, layer.weight, layer.alpha(other), padding=1)
        got = tensor(call(answer, layer, x, other), (4, 3, 6, 6)).detach()
        if close(got, layer(x)):
            raise Wrong("this is layer(x): the router still looks at x. Ask it about `other`.")
        if close(got, layer(other)):
            raise Wrong(
                "this is layer(other): the image was swapped as well. Only α is to be foreign."
            )
        if close(
            got,
            dynamic_conv2d(
                x, layer.weight, layer.alpha(other).mean(0, keepdim=True).expand(4, -1), padding=1
            ),
        ):
            raise Wrong(
                "every sample got the average α. Give sample b of x the α of sample b of other."
            )
        if not close(got, expected):
            raise Wrong(
                "the numbers differ from dynamic_conv2d(x, layer.weight, layer.alpha(other),"
                " padding=1)."
            )
    return "right: this is the swap test, and chapter 8 asks it of a whole detector."


EXERCISES = {"2.1": router, "2.2": sensitivity, "2.3": with_foreign_alpha}
