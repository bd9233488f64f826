"""Solutions for chapter 2, Where α comes from."""

import torch

from dynconv import dynamic_conv2d


def router(x, weight, bias):
    """Averaging keeps one number per channel. The matrix is transposed
    because `nn.Linear` stores one row per output.
    """
    pooled = x.mean((2, 3))  # (B, C): one number per channel
    return torch.sigmoid(pooled @ weight.T + bias)


def what_becomes_of_alpha():
    r"""A number $c$ added to all logits is a factor $e^{c/\tau}$ above
    and below the fraction line of a softmax, and cancels. A sigmoid
    has no such fraction. τ and a common factor of the logits undo each
    other, since only $z/\tau$ occurs.
    """
    return {
        "sigmoid, 1 added to all logits": "all larger",
        "softmax, 1 added to all logits": "unchanged",
        "softmax, τ doubled": "more even",
        "softmax, logits doubled": "less even",
    }


def sensitivity(logits, temperature):
    r"""With $e_i = e^{z_i/\tau}$ and $r$ the sum of the others,
    $\alpha_i = e_i/(e_i + r)$, and its derivative by $z_i$ is
    $\frac{e_i r}{\tau (e_i + r)^2}$, which is
    $\frac{\alpha_i (1 - \alpha_i)}{\tau}$.
    """
    alpha = torch.softmax(logits / temperature, 1)
    return alpha * (1 - alpha) / temperature


def what_the_swap_says():
    """The swap shows dependence and no more. For 'better than static'
    there must be a static layer, for 'learned' an untrained one under
    the same swap, and equal errors do not make equal α: the experts
    may be alike.
    """
    return {
        "A depends on its α": "follows",
        "A is better than any static kernel": "does not follow",
        "B has the same α for both lights": "does not follow",
        "C is evidence that routers learn": "does not follow",
    }


def with_foreign_alpha(layer, x, other):
    """Only the second argument of the mixture changes. Everything else
    is the layer's own forward pass.
    """
    return dynamic_conv2d(
        x,
        layer.weight,
        layer.alpha(other),
        None,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
    )


def a_fair_opponent():
    """The opponent may differ in one thing only, that its kernel is the
    same for all images. A static layer with as many parameters has a
    larger kernel or more channels in between. For this task the proof
    spares us the trouble: no static convolution of any size can do it.
    For a detector there is no such proof, and chapter 7 has to train
    the control.
    """
    return {
        "opponent": "static, as many parameters",
        "its training": "the same images and steps",
        "runs of each": "several seeds",
        "judged on": "new images, both lights",
    }
