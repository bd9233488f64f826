"""Solutions for chapter 4, From DynamicConv to C2f_DynamicConv."""

import torch


def channels_before_last_conv(c2, n, e):
    r"""Two halves from the split and one result from each bottleneck
    arrive side by side, and each has $c = e \cdot c_2$ channels.
    """
    c = int(c2 * e)
    return (2 + n) * c


def what_can_be_merged():
    """With α held fixed everything but the SiLU is a sum of products,
    and so is one behind the other. A BatchNorm in use has fixed
    numbers; while it trains, it takes them from the batch, and is no
    fixed layer at all.
    """
    return {
        "dynamic 3×3, static 1×1": "one layer",
        "dynamic 3×3, BatchNorm in use, 1×1": "one layer",
        "dynamic 3×3, SiLU, static 1×1": "two layers",
        "static 1×1, dynamic 3×3": "one layer",
    }


def merge(first, second):
    r"""The output channel `o` at tap `hw` sees the input channel `i`
    along every channel `m` in the middle: multiply and sum over `m`. A
    $1 \times 1$ convolution moves no pixel, so the taps stay where they
    are.
    """
    return torch.einsum("mi,omhw->oihw", first[:, :, 0, 0], second)


def c2f(block, x):
    """Two faults, and both keep every shape. The bottlenecks all took
    the first half, so they were no chain, and the half that goes
    around was used up. And the pieces were stacked in reverse, so that
    the last `Conv` met the wrong channels.
    """
    pieces = list(block.cv1(x).chunk(2, dim=1))
    for bottleneck in block.m:
        pieces.append(bottleneck(pieces[-1]))
    return block.cv2(torch.cat(pieces, dim=1))


def what_the_errors_say():
    """Only pairs that differ in one thing say something, and only about
    this task. Two of them differ in the SiLU, and say the same.
    """
    return {
        "SiLU makes the difference in this task": "follows",
        "BatchNorm is useless in a detector": "does not follow",
        "BN + SiLU is better than SiLU alone": "does not follow",
        "with more steps the bare stack gets there": "does not follow",
    }


def extra_parameters(c, n, num_experts):
    """For $M = 4$ that is $27 c^2 + 2c + 4$ per bottleneck: three more
    kernels and a router, less a BatchNorm.
    """
    kernel, router = 9 * c * c, num_experts * (c + 1)
    goes = kernel + 2 * c  # BatchNorm has two numbers per channel
    comes = num_experts * kernel + router
    return n * (comes - goes)
