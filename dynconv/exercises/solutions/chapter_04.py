"""Solutions for chapter 4, From DynamicConv to C2f_DynamicConv."""

import torch


def channels_before_last_conv(c2, n, e):
    c = int(c2 * e)
    return (2 + n) * c


def merge(first, second):
    return torch.einsum("mi,omhw->oihw", first[:, :, 0, 0], second)


def extra_parameters(c, n, num_experts):
    goes = 9 * c * c + 2 * c  # one kernel, and the BatchNorm with two numbers per channel
    comes = num_experts * 9 * c * c + num_experts * (c + 1)  # the experts, and the router
    return n * (comes - goes)
