"""Solutions for chapter 1, One kernel per image."""

import torch
import torch.nn.functional as F


def mix_kernels(alpha, weight):
    """Flatten each expert to a row. The matrix product then sums over
    the experts, for all samples at once. This is the line that the
    package uses.
    """
    mixed = alpha @ weight.flatten(1)  # (B, M) @ (M, P) -> (B, P)
    return mixed.view(-1, *weight.shape[1:])


def what_becomes_of_y():
    r"""α and the experts reach Y only through $\sum_i \alpha_i W_i$. A
    factor before the sum is a factor before Y, the order of the terms
    is free, and equal experts may share their α as they like.
    """
    return {
        "all α doubled": "doubled",
        "experts and their α in another order": "unchanged",
        "two equal experts swap their α": "unchanged",
        "one α set to zero": "something else",
    }


def conv_with_bias(x, weight, bias, alpha):
    r"""Multiply out: $\sum_i \alpha_i (X * W_i + b_i)$ is
    $X * \sum_i \alpha_i W_i + \sum_i \alpha_i b_i$. The bias is mixed
    by the same α; `alpha @ bias` does it.
    """
    kernel = torch.einsum("m,m...->...", alpha, weight)
    mixed_bias = alpha @ bias  # Σ αᵢ bᵢ: the bias is mixed too
    return F.conv2d(x, kernel, mixed_bias, padding=1)


def what_the_counts_say():
    """Two statements are about the count, and it bears them out. Time
    is not in the table. And doubling the experts doubles a part that
    is small on large maps.
    """
    return {
        "on 160×160 as fast as a static layer": "does not follow",
        "the smaller the map, the more mixing counts": "follows",
        "8 experts: the mixing doubles": "follows",
        "8 experts: the whole layer doubles": ("does not follow"),
    }


def dynamic_conv_strided(x, weight, alphas, stride):
    """The last line gave the result the height and width of the input.
    With a stride it has other ones, and `view` found a way to fit the
    numbers all the same, with fewer channels. No error, and no sense:
    ask the result for its own size.
    """
    B, cin, H, W = x.shape
    kernels = torch.einsum("bm,mopqr->bopqr", alphas, weight)
    deep = x.reshape(1, B * cin, H, W)
    y = F.conv2d(
        deep, kernels.flatten(0, 1), padding=1, stride=stride, groups=B
    )
    return y.view(B, -1, *y.shape[2:])


def pointwise(x, weight, alpha):
    """A 1×1 kernel is a matrix from Cin to Cout channels. With one
    matrix per image, a batched product does the work of a grouped
    convolution.
    """
    mixed = alpha @ weight.flatten(1)  # (B, Cout·Cin)
    matrices = mixed.view(len(x), *weight.shape[1:3])  # (B, Cout, Cin)
    y = matrices @ x.flatten(2)  # (B, Cout, Cin) @ (B, Cin, H·W)
    return y.view(len(x), -1, *x.shape[2:])
