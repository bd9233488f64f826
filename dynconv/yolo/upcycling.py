"""Starts a network with dynamic layers from a trained static one ("upcycling"): every expert begins
as the stock kernel.

Convolution is linear in its kernel: if all M experts hold the same W, then y = x ∗ Σ αᵢ W = Σα · (x
∗ W). The layer gives the stock output times Σα. With softmax routing Σα = 1, and nothing changes at
all. With sigmoid routing a fresh router has logits near 0, each αᵢ near ½ and Σα near M/2; experts
of W · 2/M make up for that.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checks import as_network
from ..layers import DynamicConv
from .blocks import DynamicConvBNAct


class Upcycled(NamedTuple):
    """What `upcycle` did, by the names in the two state_dicts."""

    # expert weights (or biases) -> the stock kernel (or bias) that all experts now hold
    experts: dict[str, str]
    copied: dict[str, str]  # other tensors -> the stock tensor that they now equal
    left_out: dict[str, str]  # tensors of the model that stay as they were -> why
    unused: dict[str, str]  # stock tensors that went nowhere -> why

    def __str__(self) -> str:
        lines = [
            f"{len(self.experts)} stock tensors copied into every expert, {len(self.copied)} copied"
            " as they are"
        ]
        for title, tensors in (("stays as it was", self.left_out), ("stock, unused", self.unused)):
            reasons: dict[str, list[str]] = {}
            for name, why in tensors.items():
                reasons.setdefault(why, []).append(name)
            lines += [
                f"{title}: {len(names)} ({why}), e.g. {names[0]}" for why, names in reasons.items()
            ]
        return "\n".join(lines)


def upcycle(
    model: nn.Module, stock: nn.Module | dict[str, Tensor], normalise: bool = False
) -> Upcycled:
    """Copy stock weights into a model with dynamic layers, in place.

    A DynamicConv that stands where the stock model has a static convolution gets that kernel,
    (Cout, Cin / groups, kh, kw), in each of its M experts (a bias too); in a DynamicConvBNAct the
    BatchNorm comes along. All other tensors are copied if a stock tensor has the same name and
    shape. Routers keep their fresh random weights, and must: from equal experts *and* equal routers
    all experts would learn the same for ever.

    Args:
        model: what receives the weights, a YOLO or a module; a YOLO keeps them when it trains.
        stock: where they come from, a YOLO, a module or a state_dict. Not fused, since BatchNorm is
            gone then.
        normalise: divide the experts by Σα at zero logits, which is M/2 for sigmoid routing and 1
            for softmax, so that the network starts out approximately like the stock one. Without it
            a sigmoid layer starts about M/2 times too large, which a BatchNorm behind it takes back
            when it trains, but not when it only predicts.

    Returns:
        an `Upcycled`; print it for a summary. A bare DynamicConv has no place for the stock
        BatchNorm and no activation, so such a network does not start like the stock one, whatever
        the scale.

    Raises:
        TypeError: model or stock is none of these.
        ValueError: stock is fused, has nothing that fits, or model has no DynamicConv. The model is
            unchanged then.

    Source: upcycling of dense weights into experts, arXiv 2212.05055; Σα for CondConv's sigmoid,
    arXiv 1904.04971.
    """
    network, source = as_network("model", model), _state(stock)
    target = network.state_dict(keep_vars=True)
    dynamic = {
        name: module for name, module in network.named_modules() if isinstance(module, DynamicConv)
    }
    if not dynamic:
        raise ValueError(
            f"model has no DynamicConv to upcycle ({type(network).__name__}): for a static model"
            " use model.load(...)"
        )
    _refuse_fused(target, source)
    special = _expert_pairs(dynamic, target, source, normalise) | _norm_pairs(network, source)
    pairs = [
        special.get(name) or _plain_pair(name, tensor, source, dynamic)
        for name, tensor in target.items()
    ]
    if all(pair.stock is None for pair in pairs):
        raise ValueError(
            "nothing in stock fits the model by name and shape: are they of one family and scale,"
            " as YOLOv10n both?"
        )

    with torch.no_grad():
        for own, key, factor, _ in pairs:
            if factor is not None:
                target[own].copy_((source[key] * factor).flatten().expand_as(target[own]))
            elif key is not None:
                target[own].copy_(source[key])
    if network is not model:
        # ultralytics starts training from the weights of a model only if it has this
        model.ckpt = {"model": network}
    return _report(pairs, target, source)


class _Pair(NamedTuple):
    """A tensor of the model and the stock tensor that it gets."""

    own: str
    stock: str | None  # None: it stays as it was
    factor: float | None = None  # for experts: what the stock kernel is multiplied by
    why: str = ""  # it stays as it was


def _expert_pairs(
    dynamic: dict[str, DynamicConv],
    target: dict[str, Tensor],
    source: dict[str, Tensor],
    normalise: bool,
) -> dict[str, _Pair]:
    """The experts of each dynamic layer, and the convolution that stands in its place in stock."""
    pairs = {}
    for name, layer in dynamic.items():
        factor = 2 / layer.num_experts if layer.routing_activation == "sigmoid" else 1
        for kind, shape in (("weight", layer.weight.shape[1:]), ("bias", (layer.out_features,))):
            own = _join(name, f"cond_conv.{kind}")
            if own not in target:
                continue
            # In the layer's place (nn.Conv2d), or in that of the block around it (Conv).
            keys = [
                key for key in (_join(name, kind), _join(name, f"conv.{kind}")) if key in source
            ]
            if not keys:
                pairs[own] = _Pair(own, None, why="stock has no convolution there")
            elif source[keys[0]].shape != shape:
                shapes = f"{tuple(source[keys[0]].shape)}, an expert {tuple(shape)}"
                pairs[own] = _Pair(own, None, why=f"stock has shape {shapes}")
            else:
                pairs[own] = _Pair(own, keys[0], factor if normalise else 1)
    return pairs


def _norm_pairs(network: nn.Module, source: dict[str, Tensor]) -> dict[str, _Pair]:
    """The BatchNorm of each DynamicConvBNAct (called `norm`) and its stock counterpart (called
    `bn`), where they fit.
    """
    pairs = {}
    for name, block in network.named_modules():
        if isinstance(block, DynamicConvBNAct):
            for key, tensor in block.norm.state_dict().items():
                own, stock = _join(name, f"norm.{key}"), _join(name, f"bn.{key}")
                if stock in source and source[stock].shape == tensor.shape:
                    pairs[own] = _Pair(own, stock)
    return pairs


def _plain_pair(
    name: str, tensor: Tensor, source: dict[str, Tensor], dynamic: dict[str, DynamicConv]
) -> _Pair:
    """Any other tensor, and the stock tensor of the same name and shape."""
    if any(name.startswith(_join(layer, "routing.")) for layer in dynamic):
        return _Pair(name, None, why="a router, which stock does not have")
    if name not in source:
        return _Pair(name, None, why="stock has no tensor of that name")
    if source[name].shape != tensor.shape:
        why = "the shape differs, as it does for another number of classes"
        return _Pair(name, None, why=why)
    return _Pair(name, name)


def _report(pairs: list[_Pair], target: dict[str, Tensor], source: dict[str, Tensor]) -> Upcycled:
    used = {pair.stock for pair in pairs}
    return Upcycled(
        experts={pair.own: pair.stock for pair in pairs if pair.factor is not None},
        copied={pair.own: pair.stock for pair in pairs if pair.stock and pair.factor is None},
        left_out={pair.own: pair.why for pair in pairs if pair.stock is None},
        unused={
            key: "the shape differs" if key in target else "the model has no place for it"
            for key in source
            if key not in used
        },
    )


def _refuse_fused(target: dict[str, Tensor], source: dict[str, Tensor]) -> None:
    for name in target:
        stem = name.removesuffix("bn.weight")
        if stem != name and name not in source and f"{stem}conv.bias" in source:
            raise ValueError(
                f"stock is fused: it has no {name}, BatchNorm is folded into its kernels. Load it"
                " anew and do not call fuse()"
            )


def _join(name: str, rest: str) -> str:
    """The name of a tensor in the module of that name; '' is the whole network."""
    return f"{name}.{rest}" if name else rest


def _state(stock) -> dict[str, Tensor]:
    if not isinstance(stock, dict):
        kinds = "a YOLO or a torch.nn.Module or a state_dict"
        return as_network("stock", stock, kinds).state_dict()
    strange = next(
        (
            f"{k!r}: {type(v).__name__}"
            for k, v in stock.items()
            if not isinstance(k, str) or not isinstance(v, Tensor)
        ),
        None,
    )
    if strange or not stock:
        raise TypeError(
            f"stock must be a state_dict, {{name: tensor}}, but has {strange or 'no entries'}; for"
            " a checkpoint pass YOLO(file)"
        )
    return stock
