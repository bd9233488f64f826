"""The layer: a router that looks at the whole input, and M expert kernels that it mixes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import (
    Pair,
    as_pair,
    check_channels,
    check_count,
    check_flag,
    check_number,
    check_numbers,
    check_reach,
    shown,
)
from .functional import add_shift, by_groups, dynamic_conv2d

ROUTING_ACTIVATIONS = ("sigmoid", "softmax")
SAVED = (  # what a saved layer says of itself, besides its tensors
    "in_features",
    "out_features",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "num_experts",
    "routing_activation",
    "temperature",
)


class DynamicConv(nn.Module):
    """Convolution whose kernel is mixed anew for each sample: α = sigmoid(Linear(GAP(x))), y = x ∗
    Σ αᵢ Wᵢ.

    The constructor, the defaults and the state_dict are those of the module in the ParameterNet
    code (arXiv 2306.14525, file `parameternet.py`) that YOLO tutorials copy: weights saved there
    load here, and the reverse.

    Args:
        in_features: input channels Cin.
        out_features: output channels Cout.
        kernel_size, stride, dilation: an int or (vertical, horizontal), in pixels.
        padding: '' (default), or None as in a row of ultralytics' Conv: (stride − 1 + dilation ·
            (kernel_size − 1)) // 2 on each side, which keeps the size at stride 1 for odd kernels;
            an int or a pair in pixels; 'valid': none; 'same': output of ⌈size / stride⌉ as in
            TensorFlow. Besides None these are timm's four forms.
        groups: channel groups; must divide both channel counts.
        bias: one bias per expert, mixed like the kernels.
        num_experts: M, the number of kernels.
        routing_activation: 'sigmoid' (the code of CondConv and ParameterNet: each αᵢ lies in 0..1
            on its own) or 'softmax' (arXiv 1912.03458: the αᵢ compete and sum to one).
        temperature: divides the logits before the softmax; large values start training near equal
            weights. It may be changed during training. Sigmoid routing uses 1.

    Raises:
        ValueError, TypeError: an argument is out of range; the message names it.

    Shapes: x (B, Cin, H, W) -> y (B, Cout, H', W').

    torch.compile, torch.export, torch.jit.trace and torch.jit.script take the layer, and torch.fx
    records its convolution as one node, a call of `dynamic_conv2d`. In a graph of torch.fx or
    TorchScript the temperature is a constant. A graph that is exported or traced holds for the
    batch that it was recorded with, unless that was done within `dynconv.export_mode()`; one that
    was scripted holds for any batch but an empty one.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Pair = 1,
        stride: Pair = 1,
        padding: Pair | str | None = "",
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = False,
        num_experts: int = 4,
        *,
        routing_activation: str = "sigmoid",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        in_features = check_count("in_features", in_features)
        out_features = check_count("out_features", out_features)
        groups = check_count("groups", groups)
        num_experts = check_count("num_experts", num_experts, most=2**10)
        if in_features % groups or out_features % groups:
            raise ValueError(
                f"groups must divide in_features = {in_features} and out_features = {out_features},"
                f" got {groups}"
            )
        known = isinstance(routing_activation, str) and routing_activation in ROUTING_ACTIVATIONS
        if not known:
            raise ValueError(
                f"routing_activation must be one of {ROUTING_ACTIVATIONS}, got"
                f" {shown(routing_activation)}"
            )
        temperature = check_number("temperature", temperature)
        if not 0 < temperature < math.inf or (temperature != 1 and routing_activation == "sigmoid"):
            raise ValueError(
                "temperature must be positive and finite, and 1 for sigmoid routing, got"
                f" {temperature} for {routing_activation}"
            )

        self.in_features, self.out_features = in_features, out_features
        self.groups, self.num_experts = groups, num_experts
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride, self.dilation = as_pair("stride", stride, 1), as_pair("dilation", dilation, 1)
        check_reach(self.kernel_size, self.dilation)
        self.padding = self._static_padding(padding)
        inside = (in_features // groups, *self.kernel_size)
        check_numbers("the experts", (num_experts, out_features, *inside))
        self.routing_activation, self.temperature = routing_activation, temperature

        self.routing = nn.Linear(in_features, num_experts)
        self.cond_conv = Experts(
            num_experts,
            out_features,
            in_features // groups,
            self.kernel_size,
            check_flag("bias", bias),
        )
        # One bias (Cout,) for all experts. Only `fold_batchnorm` gives one to a layer.
        self.register_parameter("shift", None)

    def alpha(self, x: Tensor) -> Tensor:
        """The mixing weights that the router chooses, per sample: (B, Cin, H, W) -> α (B, M)."""
        if not torch.jit.is_scripting():
            check_channels("x", x, self.in_features, self.cond_conv.weight)
        logits = self.routing(x.mean((2, 3)))
        return (
            torch.sigmoid(logits)
            if self.routing_activation == "sigmoid"
            else torch.softmax(logits / self.temperature, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return self._in_script(x)
        else:  # TorchScript compiles one branch only
            alpha = self.alpha(x)
            padding = self.padding
            if padding == "same":
                x, padding = pad_same(x, self.kernel_size, self.stride, self.dilation), 0
            return dynamic_conv2d(
                x,
                self.weight,
                alpha,
                self.cond_conv.bias,
                self.stride,
                padding,
                self.dilation,
                self.groups,
                self.shift,
            )

    def _in_script(self, x: Tensor) -> Tensor:
        """The same y in what torch.jit.script can compile: one path, without checks."""
        alpha, experts, bias = self.alpha(x), self.cond_conv.weight, self.cond_conv.bias
        kh, kw = self.kernel_size
        kernels = (alpha @ experts).view(len(x), self.out_features, -1, kh, kw)
        biases = add_shift(None if bias is None else alpha @ bias, self.shift, alpha.shape[0])
        stride, padding, dilation = self.stride, self.padding, self.dilation
        if isinstance(padding, str):  # known before it is compiled, which only then takes 'same'
            across = same_padding(x.shape[3], kw, stride[1], dilation[1])
            x = F.pad(x, across + same_padding(x.shape[2], kh, stride[0], dilation[0]))
            return by_groups(x, kernels, biases, stride, (0, 0), dilation, self.groups)
        else:
            return by_groups(x, kernels, biases, stride, padding, dilation, self.groups)

    @property
    def weight(self) -> Tensor:
        """The expert kernels, (M, Cout, Cin / groups, kh, kw), a view of the stored parameter."""
        return self.cond_conv.weight.view(
            self.num_experts, self.out_features, self.in_features // self.groups, *self.kernel_size
        )

    def __setstate__(self, state: dict) -> None:
        """Called where a whole layer is loaded or copied. One that another version wrote would only
        fail when it is used.
        """
        missing = [name for name in SAVED if name not in state]
        if missing:
            raise TypeError(
                "this DynamicConv was saved by another version of dynconv: it has no"
                f" {', '.join(missing)}. Open the file with that version, save model.state_dict(),"
                " and load that into a model built by this one"
            )
        super().__setstate__(state)
        self._parameters.setdefault("shift", None)  # a layer saved before there was folding

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_features}, {self.out_features}, kernel_size={self.kernel_size},"
            f" stride={self.stride}, padding={self.padding!r}"
        ]
        parts += [f"dilation={self.dilation}"] if self.dilation != (1, 1) else []
        parts += [f"groups={self.groups}"] if self.groups > 1 else []
        parts += [f"num_experts={self.num_experts}, routing_activation={self.routing_activation!r}"]
        parts += [f"temperature={self.temperature}"] if self.temperature != 1 else []
        parts += ["BatchNorm folded"] if self.shift is not None else []
        return ", ".join(parts)

    def _static_padding(self, padding):
        padding = "" if padding is None else padding
        if not isinstance(padding, str):
            return as_pair("padding", padding, 0)
        if padding == "valid":
            return (0, 0)
        if padding == "":
            return tuple(
                (s - 1 + d * (k - 1)) // 2
                for s, d, k in zip(self.stride, self.dilation, self.kernel_size)
            )
        if padding == "same":
            return padding
        raise ValueError(
            f"unknown padding {padding!r}: expected '' or None, 'same', 'valid', an int or a pair"
            " of ints"
        )


@torch.fx.wrap  # one node of a graph that torch.fx records: it looks at sizes
def pad_same(
    x: Tensor, kernel_size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Tensor:
    """x (B, C, H, W) with the zeros of TensorFlow's 'same' around it."""
    down, across = map(same_padding, x.shape[2:], kernel_size, stride, dilation)
    return F.pad(x, across + down)


def same_padding(size: int, kernel_size: int, stride: int, dilation: int) -> list[int]:
    """TensorFlow's 'same' along one side: zeros before and after. The amount depends on the size,
    and an odd zero goes after.
    """
    size = int(size)  # in a traced graph a constant, which the maximum of two must be
    total = max(((size - 1) // stride) * stride + dilation * (kernel_size - 1) + 1 - size, 0)
    return [total // 2, total - total // 2]


class Experts(nn.Module):
    """Storage of M kernels, one per row: weight (M, Cout · Cin/groups · kh · kw), bias (M, Cout) or
    None.

    Flat rows are how timm's CondConv2d stores them, which keeps checkpoints interchangeable.
    """

    def __init__(
        self,
        num_experts: int,
        out_channels: int,
        in_channels_per_group: int,
        kernel_size: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.kernel_shape = (out_channels, in_channels_per_group, *kernel_size)
        self.weight = nn.Parameter(torch.empty(num_experts, math.prod(self.kernel_shape)))
        self.bias = nn.Parameter(torch.empty(num_experts, out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Each expert starts on its own like the kernel of an `nn.Conv2d`: the fan-in is that of
        one kernel, not of all M.
        """
        for row in self.weight.detach():
            nn.init.kaiming_uniform_(row.view(self.kernel_shape), a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.kernel_shape[1:]))
            nn.init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        return (
            f"{self.weight.shape[0]} kernels of shape {self.kernel_shape},"
            f" bias={self.bias is not None}"
        )
