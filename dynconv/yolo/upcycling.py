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

from ..layers import DynamicConv
from .blocks import DynamicConvBNAct


class Upcycled(NamedTuple):
    """What `upcycle` did, by the names in the two state_dicts."""

    experts: dict[
        str, str
    ]  # expert weights (or biases) -> the stock kernel (or bias) that all experts now hold
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
    network, source = _network(model, "model"), _state(stock)
    target = network.state_dict(keep_vars=True)
    dynamic = {
        name: module for name, module in network.named_modules() if isinstance(module, DynamicConv)
    }
    if not dynamic:
        raise ValueError(
            f"model has no DynamicConv to upcycle ({type(network).__name__}): for a static model"
            " use model.load(...)"
        )
    fused = [
        name
        for name in target
        if name.endswith(".bn.weight") and name not in source and name[:-9] + "conv.bias" in source
    ]
    if fused:
        raise ValueError(
            f"stock is fused: it has no {fused[0]}, BatchNorm is folded into its kernels. Load it"
            " anew and do not call fuse()"
        )

    experts, scale, copied, left_out = {}, {}, _norms(network, source), {}
    for name, layer in dynamic.items():
        for kind, shape in (("weight", layer.weight.shape[1:]), ("bias", (layer.out_features,))):
            own = f"{name}.cond_conv.{kind}".lstrip(".")
            if own not in target:
                continue
            # The stock convolution stands in the layer's place (nn.Conv2d), or in that of the block
            # around it (Conv).
            found = [
                key
                for key in (f"{name}.{kind}".lstrip("."), f"{name}.conv.{kind}".lstrip("."))
                if key in source
            ]
            if not found:
                left_out[own] = "stock has no convolution there"
            elif source[found[0]].shape != shape:
                left_out[own] = (
                    f"stock has shape {tuple(source[found[0]].shape)}, an expert {tuple(shape)}"
                )
            else:
                experts[own] = found[0]
                scale[own] = (
                    2 / layer.num_experts
                    if normalise and layer.routing_activation == "sigmoid"
                    else 1
                )
    for name, tensor in target.items():
        if name in experts or name in left_out or name in copied:
            continue
        if any(name.startswith(f"{layer}.routing.".lstrip(".")) for layer in dynamic):
            left_out[name] = "a router, which stock does not have"
        elif name not in source:
            left_out[name] = "stock has no tensor of that name"
        elif source[name].shape != tensor.shape:
            left_out[name] = "the shape differs, as it does for another number of classes"
        else:
            copied[name] = name
    if not experts and not copied:
        raise ValueError(
            "nothing in stock fits the model by name and shape: are they of one family and scale,"
            " as YOLOv10n both?"
        )

    with torch.no_grad():
        for name, key in experts.items():
            target[name].copy_((source[key] * scale[name]).flatten().expand_as(target[name]))
        for name, key in copied.items():
            target[name].copy_(source[key])
    if network is not model:
        model.ckpt = {
            "model": network
        }  # ultralytics starts training from the weights of a model only if it has this
    used = {*experts.values(), *copied.values()}
    unused = {
        key: "the shape differs" if key in target else "the model has no place for it"
        for key in source
        if key not in used
    }
    return Upcycled(experts, copied, left_out, unused)


def _norms(network: nn.Module, source: dict[str, Tensor]) -> dict[str, str]:
    """The BatchNorm of each DynamicConvBNAct (called `norm`) and its stock counterpart (called
    `bn`), where they fit.
    """
    pairs = {}
    for name, block in network.named_modules():
        if isinstance(block, DynamicConvBNAct):
            for key, tensor in block.norm.state_dict().items():
                stock = f"{name}.bn.{key}".lstrip(".")
                if stock in source and source[stock].shape == tensor.shape:
                    pairs[f"{name}.norm.{key}".lstrip(".")] = stock
    return pairs


def _network(model, what: str) -> nn.Module:
    # Imported late: ultralytics may be in the middle of its own import when it brings this module
    # in.
    from ultralytics.engine.model import Model

    network = model.model if isinstance(model, Model) else model
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"{what} must be a YOLO or a torch.nn.Module{' or a state_dict' * (what == 'stock')},"
            f" got {type(network).__name__}; for a file pass YOLO(file)"
        )
    return network


def _state(stock) -> dict[str, Tensor]:
    if not isinstance(stock, dict):
        return _network(stock, "stock").state_dict()
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
