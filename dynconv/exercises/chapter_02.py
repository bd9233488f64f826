"""Checkers for chapter 2, Where α comes from."""

from __future__ import annotations

import copy

import torch

from ..functional import dynamic_conv2d
from ..layers import DynamicConv
from .checking import Wrong, call, choose, close, readers_code, reject, tensor
from .watching import memory


def router(answer) -> str:
    """2.1: `router(x, weight, bias)`: (B, C, H, W), (M, C), (M,) -> α (B, M), as the code of the
    tutorials does it."""
    torch.manual_seed(0)
    for B, C, H, W, M in [(3, 4, 6, 5, 2), (2, 5, 4, 4, 3)]:
        x, weight, bias = torch.randn(B, C, H, W) + 0.3, torch.randn(M, C), torch.randn(M)
        got = tensor(call(answer, x, weight, bias), (B, M))
        pooled, logits = x.mean((2, 3)), x.mean((2, 3)) @ weight.T + bias
        alpha, of_pixels = logits.sigmoid(), torch.einsum("bchw,mc->bmhw", x, weight)
        mistakes = {
            "these α compete: that is a softmax. The code uses a sigmoid, so each αᵢ stands on its"
            " own.": torch.softmax(logits, 1),
            "these α sum to one. Those of a sigmoid stand each on its own: do not divide by their"
            " sum.": alpha / alpha.sum(1, keepdim=True),
            "these are the logits. Squash them into 0..1.": logits,
            "you summed the pixels. Average them, or α would depend on the size of the image.": (
                torch.sigmoid(x.sum((2, 3)) @ weight.T + bias)
            ),
            "the bias of the Linear is missing.": torch.sigmoid(pooled @ weight.T),
            "the bias belongs to the Linear: add it before the sigmoid.": (
                torch.sigmoid(pooled @ weight.T) + bias
            ),
            "all images got the same α: you averaged over the batch, too.": (
                torch.sigmoid(pooled.mean(0) @ weight.T + bias).expand(B, -1)
            ),
            "average first, and squash then: a sigmoid of a mean is no mean of sigmoids.": [
                torch.sigmoid(of_pixels + bias[:, None, None]).mean((2, 3)),
                torch.sigmoid(pooled) @ weight.T + bias,
            ],
            "that is max pooling. The router takes the mean of each channel.": (
                torch.sigmoid(x.amax((2, 3)) @ weight.T + bias)
            ),
        }
        reject(got, mistakes, close)
        if not close(got, alpha):
            raise Wrong("the numbers differ from sigmoid(Linear(mean over height and width)).")
    return "right: three steps, and the whole image is in α."


def what_becomes_of_alpha(answer) -> str:
    """2.2: `what_becomes_of_alpha`: for each change of the logits or of τ, what it does to α."""
    alone = "a sigmoid looks at one logit at a time, so each α follows its own."
    share = "what all logits have in common is in each e^z, and their ratio does not see it."
    milder = "τ divides the logits: they lie closer together, and so do the α."
    sharper = "twice the logits are half the τ: they lie farther apart."
    choose(
        answer,
        {
            "sigmoid, 1 added to all logits": (
                "all larger",
                {
                    "unchanged": alone,
                    "more even": f"each α is larger, whatever that makes of their spread: {alone}",
                    "less even": f"each α is larger, whatever that makes of their spread: {alone}",
                },
            ),
            "softmax, 1 added to all logits": (
                "unchanged",
                {"all larger": "the sum stays one.", "more even": share, "less even": share},
            ),
            "softmax, τ doubled": (
                "more even",
                {
                    "unchanged": milder,
                    "all larger": "the sum stays one.",
                    "less even": f"a small τ is what sharpens. {milder}",
                },
            ),
            "softmax, logits doubled": (
                "less even",
                {
                    "unchanged": f"only a number added to all changes nothing. {sharper}",
                    "all larger": "the sum stays one.",
                    "more even": sharper,
                },
            ),
        },
    )
    return "right: a softmax sees differences of logits, and τ is their unit."


def sensitivity(answer) -> str:
    """2.3: `sensitivity(logits, temperature)`: ∂αᵢ/∂zᵢ of a softmax with temperature, (B, M) -> (B,
    M)."""
    torch.manual_seed(0)
    for temperature, shape in [(1.0, (3, 4)), (5.0, (3, 4)), (0.5, (2, 5))]:
        logits = torch.randn(shape)
        alpha, cold = torch.softmax(logits / temperature, 1), torch.softmax(logits, 1)
        alone = torch.sigmoid(logits)
        expected = alpha * (1 - alpha) / temperature
        got = tensor(call(answer, logits, temperature), shape)
        if close(got, expected):
            continue
        mistakes = {
            "right at τ = 1 only. zᵢ enters as zᵢ/τ: the chain rule leaves a factor.": (
                alpha * (1 - alpha)
            ),
            "the factor of the chain rule is not that one: how far does zᵢ/τ move when zᵢ moves by"
            " one?": [alpha * (1 - alpha) * temperature, alpha * (1 - alpha) / temperature**2],
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
                alpha / temperature,
                alpha * alpha / temperature,
            ],
            "the slopes are zero: the α of an image always sum to one. Differentiate each αᵢ by"
            " itself, not their sum.": torch.zeros(shape),
        }
        reject(got, mistakes, close)
        raise Wrong(
            f"at τ = {temperature:g} the values differ from what autograd finds for ∂αᵢ/∂zᵢ."
        )
    return (
        "right: a large temperature makes all α nearly equal, and every step of the logits small."
    )


def what_the_swap_says(answer) -> str:
    """2.4: `what_the_swap_says`: which statements follow from the table of errors."""
    choose(
        answer,
        {
            "A depends on its α": (
                "follows",
                {
                    "does not follow": "only the α were exchanged, and A's error rose from each"
                    " light: what else could have done that?"
                },
            ),
            "A is better than any static kernel": (
                "does not follow",
                {
                    "follows": "no static kernel stands in the table. That one is out of reach is"
                    " what the proof says, not the swap."
                },
            ),
            "B has the same α for both lights": (
                "does not follow",
                {
                    "follows": "its errors hardly move, but the α may differ all the same: two"
                    " experts that are much alike make the swap mean nothing."
                },
            ),
            "C is evidence that routers learn": (
                "does not follow",
                {
                    "follows": "C was never trained, and its error fell. That a swap moves an"
                    " error shows no learning: it needs a direction, and a control."
                },
            ),
        },
    )
    return "right: a swap says whether α is used, and a control whether that was learned."


def with_foreign_alpha(answer) -> str:
    """2.5: `with_foreign_alpha(layer, x, other)`: x convolved with the kernels that the router
    chooses for `other`."""
    torch.manual_seed(0)
    x, other = torch.randn(4, 4, 8, 8), torch.randn(4, 4, 8, 8) + 2
    for options in ({}, {"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 2}):
        layer = DynamicConv(4, 6, 3, num_experts=2, **options)
        layer.routing.weight.data.mul_(4)
        theirs = copy.deepcopy(layer)
        unchanged = memory(theirs, x)
        with torch.no_grad():
            with readers_code(answer):
                got = answer(theirs, x.clone(), other.clone())
            _look_at_swap(got, layer, x, other, options)
        if not unchanged():
            raise Wrong(
                "the numbers are right, and afterwards the layer is not what it was. Undo what you"
                " change in it, or do without."
            )
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


def a_fair_opponent(answer) -> str:
    """2.6: `a_fair_opponent`: a control for 'it wins because its kernel follows the image'."""
    choose(
        answer,
        {
            "opponent": (
                "static, as many parameters",
                {
                    "static, one kernel": "it differs in two things, the number of parameters and"
                    " the mixing. Whichever wins, you cannot say which of them did it.",
                    "dynamic, untrained": "it loses to anything that was trained. That tells"
                    " training from no training.",
                    "dynamic, α of another image": "that is the swap test: it says whether this"
                    " layer uses its α, and not whether another layer could do without.",
                },
            ),
            "its training": (
                "the same images and steps",
                {
                    "none": "an untrained opponent proves nothing but that training helps.",
                    "until it is as good": "then there is nothing left to compare. The budget has"
                    " to be fixed before the result is known.",
                },
            ),
            "runs of each": (
                "several seeds",
                {
                    "one": "one run of each cannot tell a difference of layers from one of starts.",
                    "the best of several": "the best of many starts flatters whoever has more luck"
                    " to choose from. Report them all.",
                },
            ),
            "judged on": (
                "new images, both lights",
                {
                    "the training images": "there more parameters help in any case.",
                    "new images by day": "by day a static kernel is enough: the claim is about"
                    " images that want different kernels.",
                },
            ),
        },
    )
    return "right: one difference, the same chances, and enough runs to see the spread."
