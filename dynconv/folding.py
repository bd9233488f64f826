"""BatchNorm folded into the experts: a trained network computes the same with fewer operations.

In eval mode a BatchNorm is a fixed scale and a fixed shift of each channel, s · y + t with s = γ /
√(σ² + ε) and t = β − s · μ. Behind y = x ∗ Σ αᵢ Wᵢ the scale goes into every expert, since the sum
is linear in them:

    s · (x ∗ Σ αᵢ Wᵢ) + t = x ∗ Σ αᵢ (s · Wᵢ) + t

The shift is added once, whatever α is. Given to each expert as its bias it would be mixed like the
kernels, and come out as (Σ αᵢ) · t, which is t only if the αᵢ sum to one, as softmax makes them.
"""

from __future__ import annotations

import inspect
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .checks import as_network
from .layers import DynamicConv

FOLDED = "batchnorm_folded"  # a key of an ultralytics network's `yaml`, from which it is rebuilt
_PLAIN = (nn.BatchNorm2d, nn.SyncBatchNorm)  # a class derived from them may do more


class Folded(NamedTuple):
    """What `fold_batchnorm` did, by the names of the modules."""

    folded: dict[str, str]  # dynamic layer -> the BatchNorm that is in its experts now
    left: dict[str, str]  # dynamic layer that stays as it was -> why

    def __str__(self) -> str:
        lines = [f"{len(self.folded)} BatchNorms folded into the experts before them"]
        lines += [f"stays as it was: {name} ({why})" for name, why in self.left.items()]
        return "\n".join(lines)


def fold_batchnorm(model: nn.Module) -> Folded:
    """Fold each BatchNorm that stands directly behind a DynamicConv into its experts, in place.

    In place, as ultralytics' `model.fuse()`, which folds those behind static convolutions and
    leaves these; the two go together, in either order. A layer gets new expert kernels and a
    `shift` (Cout,), the BatchNorm's place an `nn.Identity`, and the outputs stay what they were up
    to rounding. It is for a network that will only predict: keep the checkpoint of before.
    ultralytics builds a network anew from its YAML when it trains, and would put fresh BatchNorms
    behind scaled experts; that is refused then.

    Args:
        model: a YOLO or a module, whose BatchNorms are in eval mode. What stands directly behind a
            layer is read from the `forward` around it, by torch.fx: nn.Sequential,
            DynamicConvBNAct, a block of your own, rows of a YAML.

    Returns:
        a `Folded`; print it for a summary. A layer stays as it was if its output goes elsewhere
        too, if something stands in between, or if torch.fx cannot follow the `forward` around it.

    Raises:
        TypeError: model is no YOLO and no module.
        ValueError: model has no DynamicConv; or a BatchNorm directly behind one is in training
            mode, keeps no running statistics, or gets something else too, so that it is no fixed
            scale of that layer. The model is unchanged then.
    """
    network = as_network("model", model)
    names = {module: name or "the model" for name, module in network.named_modules()}
    dynamic = [module for module in names if isinstance(module, DynamicConv)]
    if not dynamic:
        raise ValueError(f"model has no DynamicConv to fold into ({type(network).__name__})")
    behind, left = _what_stands_behind(network, dynamic)
    for layer, norm in behind.items():
        _refuse_changing(network, norm)
        if norm.num_features != layer.out_features:
            what = f"has {norm.num_features} channels, and the layer {layer.out_features}"
            raise ValueError(_refusal(network, norm, what))
    changes = [(layer, *_scaled(layer, norm)) for layer, norm in behind.items()]

    for layer, experts, bias, shift in changes:  # nothing can fail from here on
        trains = layer.cond_conv.weight.requires_grad
        layer.cond_conv.weight = nn.Parameter(experts, trains)
        layer.cond_conv.bias = None if bias is None else nn.Parameter(bias, trains)
        layer.shift = nn.Parameter(shift, trains)
    norms = set(behind.values())
    for owner in names:
        for name, child in owner._modules.items():
            if child in norms:
                owner._modules[name] = _in_place_of(child)
    if behind and isinstance(getattr(network, "yaml", None), dict):
        network.yaml[FOLDED] = True
    return Folded(
        {names[layer]: names[norm] for layer, norm in behind.items()},
        {names[layer]: why for layer, why in left.items()},
    )


class _Call(NamedTuple):
    """One call of a module, as it stands in a recorded graph."""

    module: nn.Module
    source: nn.Module | str  # whose output it takes
    users: list  # what takes its output


def _what_stands_behind(network: nn.Module, dynamic: list) -> tuple[dict, dict]:
    """{layer: the BatchNorm that takes its output, alone}, and {layer: why there is none}."""
    calls: list[_Call] = []
    reasons = dict.fromkeys(dynamic, "the forward around it does not call it")
    _follow(network, calls, reasons)
    users = {layer: [] for layer in dynamic}
    for call in calls:
        if call.module in users:
            users[call.module] += call.users
    behind, left = {}, {}
    for layer, (first, *others) in ((layer, found or [None]) for layer, found in users.items()):
        if first is None:
            left[layer] = reasons[layer]
        elif any(other is not first for other in others):
            left[layer] = "its output goes to several places"
        elif type(first) not in _PLAIN:
            what = first if isinstance(first, str) else type(first).__name__
            left[layer] = f"behind it stands {what}, no plain BatchNorm"
        else:
            behind[layer] = first
    for layer, norm in behind.items():
        if any(call.module is norm and call.source is not layer for call in calls):
            raise ValueError(_refusal(network, norm, "gets the output of something else too"))
    return behind, left


def _follow(module: nn.Module, calls: list[_Call], reasons: dict[nn.Module, str]) -> None:
    """Record the forward of a module and of those in it that hold dynamic layers; if that cannot be
    done, of its parts. Adds to `calls`, and for a layer in no graph to `reasons`.
    """
    try:
        outer = _AsCalled(module)
        graph = _Tracer().trace(outer)
    except Exception as error:  # whatever a forward does with an input that is none
        why = str(error).partition("\n")[0]
        why = f"torch.fx cannot follow the forward of {type(module).__name__}: {why}"
        parts = list(module.children())
        while parts:
            part = parts.pop()
            if isinstance(part, nn.Sequential):  # perhaps a mere list, never called as one
                parts += part
            elif isinstance(part, DynamicConv):
                reasons[part] = why
            elif _holds_dynamic(part):
                _follow(part, calls, reasons)
        return
    called = {node: outer.get_submodule(node.target) for node in graph.nodes if node.op == _CALL}
    for node, one in called.items():
        source = called.get(node.args[0] if node.args else None, "an input")
        calls.append(_Call(one, source, [called.get(user, _word(user)) for user in node.users]))


def _in_place_of(norm: nn.Module) -> nn.Identity:
    """An Identity with what others have noted on the BatchNorm, as ultralytics does whose output a
    row takes.
    """
    identity, own = nn.Identity(), vars(type(norm)(1))
    vars(identity).update({key: value for key, value in vars(norm).items() if key not in own})
    return identity


_CALL = "call_module"


class _Tracer(torch.fx.Tracer):
    """Records the calls of dynamic layers and of all modules without one."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, DynamicConv) or not _holds_dynamic(module)


class _AsCalled(nn.Module):
    """Calls a module with as many inputs as it must have (torch.fx would also give it those that it
    may have, and no module can look at these). Which is which does not matter to what follows what.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        parameters = inspect.signature(module.forward).parameters.values()
        self.inputs = sum(
            one.default is one.empty and one.kind < one.VAR_POSITIONAL for one in parameters
        )

    def forward(self, x):
        return self.module(*[x] * self.inputs)


def _holds_dynamic(module: nn.Module) -> bool:
    return any(isinstance(one, DynamicConv) for one in module.modules())


def _word(node: torch.fx.Node) -> str:
    if node.op == "output":
        return "nothing"
    return getattr(node.target, "__name__", str(node.target))


def _refuse_changing(network: nn.Module, norm: nn.Module) -> None:
    """A ValueError if a BatchNorm is no fixed scale and shift."""
    if norm.running_mean is None or norm.running_var is None:
        what = "keeps no running statistics (track_running_stats=False): what it does depends on"
        raise ValueError(_refusal(network, norm, f"{what} the batch"))
    if norm.training:
        what = "is in training mode, where it scales by what is in the batch: call model.eval()"
        raise ValueError(_refusal(network, norm, f"{what} first"))


def _refusal(network: nn.Module, norm: nn.Module, what: str) -> str:
    [name] = [name for name, module in network.named_modules() if module is norm]
    return f"{name}, a {type(norm).__name__} behind a dynamic layer, {what}; nothing was changed"


def _scaled(layer: DynamicConv, norm: nn.Module) -> tuple[Tensor, Tensor | None, Tensor]:
    """The experts (M, ...) and biases (M, Cout) of the layer times s, and the shift (Cout,) of both
    together; computed in float64, which not every device has.
    """

    def exact(tensor: Tensor | None, default: float) -> Tensor:
        if tensor is None:
            return torch.full((layer.out_features,), default, dtype=torch.float64)
        return tensor.detach().cpu().double()

    s = exact(norm.weight, 1) / (exact(norm.running_var, 1) + norm.eps).sqrt()
    t = exact(norm.bias, 0) - s * exact(norm.running_mean, 0)
    own, biases = layer.cond_conv.weight, layer.cond_conv.bias
    experts = exact(own, 1).unflatten(1, (layer.out_features, -1)) * s[:, None]
    return (
        experts.flatten(1).to(own),
        None if biases is None else (exact(biases, 0) * s).to(own),
        (t + s * exact(layer.shift, 0)).to(own),
    )
