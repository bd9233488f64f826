"""The operator: Y = Σ αᵢ (X ∗ Wᵢ), computed as one convolution per sample with the mixed kernel Σ
αᵢ Wᵢ.

Convolution is linear in its kernel, so mixing M kernels and convolving once equals convolving M
times and mixing the results (CondConv, arXiv 1904.04971, eq. 1 and 2). Mixing first costs one
convolution instead of M.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import (
    Pair,
    as_pair,
    autocast_is_on,
    check_count,
    check_reach,
    check_tensor,
    one_node,
    output_size,
)

# Where the cheapest way to evaluate changes, measured on x86 CPUs (`make bench` measures yours).
# They choose speed, never results.
# multiply-adds per sample from which a strided training step is faster one sample at a time
LOOP_MIN_MACS = 33_000_000


@one_node
def dynamic_conv2d(
    x: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
    shift: Tensor | None = None,
) -> Tensor:
    """Convolve each sample with its own mixture of M kernels: y[b] = Σᵢ alpha[b, i] · (x[b] ∗
    weight[i]).

    Args:
        x: input, (B, Cin, H, W). B may be 0.
        weight: the M expert kernels, (M, Cout, Cin / groups, kh, kw).
        alpha: mixing weights, (B, M). They need not be positive or sum to one.
        bias: one bias per expert, (M, Cout), mixed with the same alpha; or None.
        stride, dilation: an int or (vertical, horizontal), in pixels, at least 1.
        padding: zeros added on each side, an int or (vertical, horizontal) in pixels; or 'valid'
            (none); or 'same' (output as large as the input, stride 1 only; an odd total puts the
            extra zero right and below, as in torch).
        groups: channel groups, as in `torch.nn.functional.conv2d`.
        shift: one bias for all experts, (Cout,), added as it is, whatever alpha; or None.

    Returns:
        y, (B, Cout, H', W') with H' = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, and
        W' likewise.

    Raises:
        TypeError: an input is not floating point, dtypes differ (autocast unites all but float64),
            or an option is not an int.
        ValueError: a shape or device does not fit; the message names the value and what was
            expected.

    torch.fx records a call of it as one node. torch.jit.script refuses it by name: there use the
    layer, `DynamicConv`.

    Source: CondConv (arXiv 1904.04971), Section 3.1; ParameterNet (arXiv 2306.14525), Section 3.2.

    Example:
        >>> x, weight = torch.randn(8, 16, 32, 32), torch.randn(4, 32, 16, 3, 3)
        >>> alpha = torch.softmax(torch.randn(8, 4), dim=1)
        >>> dynamic_conv2d(x, weight, alpha, padding=1).shape
        torch.Size([8, 32, 32, 32])
    """
    groups = check_count("groups", groups)
    _check_tensors(x, weight, alpha, bias, groups, shift)
    stride, dilation = as_pair("stride", stride, 1), as_pair("dilation", dilation, 1)
    x, padding = _resolve_padding(x, padding, weight.shape[3:], stride, dilation)
    out_size = output_size(x, weight.shape[3:], stride, padding, dilation)

    kernels = mix(alpha, weight)  # (B, Cout, Cin / groups, kh, kw)
    biases = add_shift(
        None if bias is None else mix(alpha, bias), shift, alpha.shape[0]
    )  # (B, Cout)
    path = _asked_for
    # Of no image there is nothing to lay out. (`len` would fix the batch of an exported graph.)
    if path is None or kernels.shape[0] == 0:
        path = choose_path(x, kernels, out_size, stride, groups)
    return path(x, kernels, biases, stride, padding, dilation, groups)


_asked_for: Callable | None = None  # the path of the innermost `use_path` block


@contextmanager
def use_path(path: Callable) -> Iterator[None]:
    """Within this block all dynamic convolutions are evaluated by `path`: `by_groups`, `by_sample`,
    `by_matmul`, or `by_single` for a batch of one.

    It holds for the whole process, in all threads, and ends with the block, also after an error;
    then the choice is again what it was before. All paths compute the same y.
    """
    global _asked_for
    before, _asked_for = _asked_for, path
    try:
        yield
    finally:
        _asked_for = before


def mix(alpha: Tensor, experts: Tensor) -> Tensor:
    """Σᵢ alpha[b, i] · experts[i] as one matrix product: alpha (B, M), experts (M, ...) -> (B,
    ...).

    Under autocast the sum stays in the experts' precision: it is cheap, and rounding it would add
    to the rounding of the convolution that follows.
    """
    with (
        torch.autocast(alpha.device.type, enabled=False) if autocast_is_on(alpha) else nullcontext()
    ):
        mixed = alpha.to(experts.dtype) @ experts.flatten(1)
    return mixed.view(alpha.shape[0], *experts.shape[1:])


def add_shift(biases: Tensor | None, shift: Tensor | None, batch: int) -> Tensor | None:
    """What each sample adds to its channels: its mixed biases (B, Cout) and the shift (Cout,) of
    all. TorchScript can compile it.
    """
    if shift is None:
        return biases
    return shift.expand(batch, -1) if biases is None else biases + shift


def choose_path(
    x: Tensor, kernels: Tensor, out_size: tuple[int, int], stride: tuple[int, int], groups: int
) -> Callable:
    """The evaluation path expected to be fastest; all paths compute the same y."""
    batch, cout, cin_per_group, kh, kw = kernels.shape
    if batch <= 1:
        return by_single  # one kernel: an ordinary convolution
    if x.device.type != "cpu":
        return by_groups  # one launch for the whole batch; the rules below were measured on CPUs
    training = torch.is_grad_enabled() and (x.requires_grad or kernels.requires_grad)
    positions = out_size[0] * out_size[1]
    # torch.compile (2.14) fails on the gradient of the two other paths once the image size varies.
    if training and torch.compiler.is_compiling() and _varies(x.shape[2], x.shape[3]):
        return by_matmul
    # 1×1 kernels, and maps so small that laying out B kernels for a convolution can cost more than
    # convolving.
    if groups == 1 and (kh * kw == 1 or positions <= cout // 4):
        return by_matmul
    # A grouped convolution would first copy a channels-last input (known by its strides, which vmap
    # can tell) into another layout.
    if x.stride(1) == 1:
        return by_sample
    # The backward pass of a strided grouped convolution is slow; for large maps B separate ones are
    # faster.
    if training and max(stride) > 1 and positions * cout * cin_per_group * kh * kw > LOOP_MIN_MACS:
        return by_sample
    return by_groups


def by_single(x, kernels, biases, stride, padding, dilation, groups):
    """B = 1: the mixed kernel is the kernel of an ordinary convolution. B = 0: an empty sum, so
    that gradients are zeros.
    """

    def one(mixed):
        if torch.jit.is_tracing():
            # the traced graph will refuse a larger batch; with [0] all would get the first kernel
            return mixed.squeeze(0)
        # not squeeze here: with it inductor (2.14) fails at B = 1 once the image size varies
        return mixed[0] if len(mixed) else mixed.sum(0)

    return F.conv2d(
        x, one(kernels), None if biases is None else one(biases), stride, padding, dilation, groups
    )


def by_groups(
    x: Tensor,
    kernels: Tensor,
    biases: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """All samples side by side as the channel groups of one convolution: (1, B·Cin, H, W) with
    B·groups groups. TorchScript can compile it.
    """
    # unbind, not shape[0]: it makes the batch size a constant for torch.compile, which cannot have
    # a variable `groups`.
    batch = len(kernels.unbind())
    y = F.conv2d(
        x.reshape(1, -1, x.shape[2], x.shape[3]),
        kernels.flatten(0, 1),
        None if biases is None else biases.flatten(),
        stride,
        padding,
        dilation,
        batch * groups,
    )
    return y.view(batch, -1, y.shape[2], y.shape[3])


def by_sample(x, kernels, biases, stride, padding, dilation, groups):
    """One convolution per sample. split and unbind, not x[b]: the gradient of an index is a tensor
    as large as the batch.
    """
    biases = [None] * len(x) if biases is None else biases.unbind()
    pieces = zip(x.split(1), kernels.unbind(), biases)
    return torch.cat(
        [F.conv2d(xb, kb, bb, stride, padding, dilation, groups) for xb, kb, bb in pieces]
    )


def by_matmul(x, kernels, biases, stride, padding, dilation, groups):
    """Patches as columns, then one batched matrix product: (B·g, Cout/g, Cin/g·kh·kw) @ (B·g,
    Cin/g·kh·kw, L).
    """
    # int: the sizes of the layer are constants of an exported graph; only B, H and W may vary there
    cout, cin_per_group, kh, kw = (int(n) for n in kernels.shape[1:])
    height, width = output_size(x, (kh, kw), stride, padding, dilation)
    pixels = (kh, kw, *stride, *padding) == (1, 1, 1, 1, 0, 0)  # the columns are the image itself
    columns = x if pixels else F.unfold(x, (kh, kw), dilation, padding, stride)
    columns = columns.reshape(-1, cin_per_group * kh * kw, height * width)
    rows = kernels.reshape(-1, cout // groups, cin_per_group * kh * kw)
    y = torch.bmm(rows, columns).reshape(x.shape[0], cout, height, width)
    return y if biases is None else y + biases.to(y.dtype)[:, :, None, None]


def _resolve_padding(x, padding, kernel_size, stride, dilation):
    """Turn any padding into (vertical, horizontal); what no symmetric padding can express is added
    to x here.
    """
    if not isinstance(padding, str):
        return x, as_pair("padding", padding, 0)
    if padding == "valid":
        return x, (0, 0)
    if padding != "same":
        raise ValueError(
            f"unknown padding {padding!r}: expected an int, a pair of ints, 'valid' or 'same'"
        )
    if stride != (1, 1):
        raise ValueError(
            f"padding='same' needs stride 1, got stride {stride}; give the padding in pixels"
            " instead"
        )
    check_reach(kernel_size, dilation)
    total = [d * (k - 1) for d, k in zip(dilation, kernel_size)]
    if all(t % 2 == 0 for t in total):
        return x, (total[0] // 2, total[1] // 2)
    (top, left), (bottom, right) = (t // 2 for t in total), (t - t // 2 for t in total)
    return F.pad(x, (left, right, top, bottom)), (0, 0)


def _varies(*sizes: int) -> bool:
    """While torch.compile traces: is any of the sizes not a constant of the graph?"""
    # Imported late: it takes a second, and torch calls it experimental, so that only those who
    # compile depend on it.
    from torch.fx.experimental import symbolic_shapes

    # torch 2.4, our oldest, has none
    has_static_value = getattr(symbolic_shapes, "has_static_value", None)
    return has_static_value is None or not all(has_static_value(size) for size in sizes)


def _check_tensors(x, weight, alpha, bias, groups, shift) -> None:
    check_tensor("x", x, 4, "(B, Cin, H, W)", "x", x)
    check_tensor("weight", weight, 5, "(M, Cout, Cin / groups, kh, kw)", "x", x)
    check_tensor("alpha", alpha, 2, "(B, M)", "x", x)
    if bias is not None:
        check_tensor("bias", bias, 2, "(M, Cout)", "x", x)
    if shift is not None:
        check_tensor("shift", shift, 1, "(Cout,)", "x", x)

    experts, cout, cin_per_group, kh, kw = weight.shape
    batch, cin = x.shape[:2]
    if min(experts, cout, cin_per_group, kh, kw) < 1:
        raise ValueError(
            "weight needs at least one expert, channel and kernel element, got shape"
            f" {tuple(weight.shape)}"
        )
    if cin % groups or cout % groups:
        raise ValueError(f"groups must divide Cin = {cin} and Cout = {cout}, got {groups}")
    if cin != cin_per_group * groups:
        raise ValueError(
            f"x has {cin} channels, but weight {tuple(weight.shape)} with groups={groups} expects"
            f" {cin_per_group * groups}"
        )
    if alpha.shape != (batch, experts):
        raise ValueError(
            f"alpha must hold one weight per sample and expert, shape (B, M) = ({batch},"
            f" {experts}), got {tuple(alpha.shape)}"
        )
    if bias is not None and bias.shape != (experts, cout):
        raise ValueError(
            f"bias must hold one value per expert and output channel, (M, Cout) = ({experts},"
            f" {cout}), got {tuple(bias.shape)}"
        )
    if shift is not None and shift.shape != (cout,):
        raise ValueError(
            f"shift must hold one value per output channel, (Cout,) = ({cout},), got"
            f" {tuple(shift.shape)}"
        )
