"""Calls of the operators as data: what the properties draw, and what tests/corpus keeps.

A call is a dictionary: the `function`, its `arguments`, for a layer its `input`, what it runs in,
and what must come `out`:

- `equal`: value and gradients of the definition;
- `named`: a TypeError or a ValueError that names an argument;
- `either`: one of these;
- other words: a TypeError or a ValueError in whose message they occur, as a pattern.

A value is itself, or a tensor, `{shape: [2, 4, 8, 8], dtype: float32, layout: channels_last}`, or
what YAML cannot say, `{python: "10**5000"}`.
"""

import contextlib
import copy
import inspect
import os
import re
from pathlib import Path

import definitions
import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, note, settings
from life import stirred
from torch import nn

from dynconv import DynamicConv, cost, dynamic_conv2d, fold_batchnorm, functional
from dynconv.relatives import DCNv3, DeformableConv, dcnv3

CORPUS = Path(__file__).with_name("corpus")
# `make fuzz` gives a seed, and draws anew each time; else the draws are always the same ones.
LONG = "FUZZ" in os.environ
COMMON = dict(database=None, deadline=None, print_blob=True)


def times(usual: int, long: int = 0):
    """How many examples a property tries: as a rule ten times as many in `make fuzz`."""
    if not LONG:
        return settings(max_examples=usual, derandomize=True, **COMMON)
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=long or 10 * usual, suppress_health_check=slow, **COMMON)


# --- data into values -----------------------------------------------------------------------------

LAYOUTS = {
    "contiguous": lambda t: t.clone(memory_format=torch.contiguous_format),
    "channels_last": lambda t: t.clone(
        memory_format=torch.channels_last if t.dim() == 4 else torch.contiguous_format
    ),
    "transposed": lambda t: (
        t.transpose(-1, -2).contiguous().transpose(-1, -2) if t.dim() > 1 else t
    ),
    "sliced": lambda t: torch.stack((t, t), -1).flatten(-2)[..., ::2],
    "expanded": lambda t: t[:1].expand(t.shape),  # all images alike
    "narrow": lambda t: torch.cat((t, t), 0)[len(t) :],
}
DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "bfloat16", "float16")}
# of the largest number of the definition; of half precision each sum rounds anew
TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}


def value(given):
    """What a call is given, from its data."""
    if isinstance(given, dict) and "shape" in given:
        generator = torch.Generator().manual_seed(given.get("seed", 0))
        made = torch.randn(given["shape"], generator=generator, dtype=torch.float64)
        made = LAYOUTS[given.get("layout", "contiguous")](made.to(DTYPES[given["dtype"]]))
        return made.detach().requires_grad_()
    if isinstance(given, dict) and "python" in given:
        return eval(given["python"], {"np": np, "torch": torch, "nn": nn} | globals())
    return given


def written(call: dict) -> str:
    """A call as an entry of the corpus."""
    lines = ["- found: WHAT WAS WRONG"]
    for key, one in call.items():
        text = yaml.safe_dump(one, sort_keys=False, default_flow_style=True, width=10**6)
        lines.append(f"  {key}: " + text.removesuffix("...\n").strip())
    return "\n".join(lines)


def entries(name: str) -> list:
    """The entries of a file of the corpus, each with an id that says what it is."""
    found = yaml.safe_load((CORPUS / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(one, id=f"{i} {one['found']}") for i, one in enumerate(found)]


# --- the functions and their definitions ----------------------------------------------------------


def exact(tensors):
    return {name: None if t is None else t.double() for name, t in tensors.items()}


class Function:
    """One whose arguments are tensors and options."""

    def __init__(self, function, definition=None):
        self.function, self.definition = function, definition

    def names(self, handed):
        return inspect.signature(self.function).parameters

    def run(self, arguments, _):
        """What it gives, the tensors that can have a gradient, and what the definition gives."""
        tensors = {name: t for name, t in arguments.items() if isinstance(t, torch.Tensor)}
        y = self.function(**arguments)
        return y, tensors, lambda: self.definition(**arguments | exact(tensors))


class Layer:
    """One that is built first, and then given x; all its parameters are made to matter."""

    def __init__(self, cls, definition):
        self.cls, self.definition = cls, definition

    def names(self, handed):
        return handed

    def run(self, arguments, given):
        x = given["x"]
        layer = stirred(self.cls(**arguments))
        if isinstance(x, torch.Tensor) and x.dtype in DTYPES.values():
            layer = layer.to(x.dtype)
        y = layer(**given)
        tensors = {"x": x, **dict(layer.named_parameters())}
        return y, tensors, lambda: self.definition(arguments, exact(tensors), layer)


def _dynamic_layer(arguments, tensors, layer):
    names = ("kernel_size", "stride", "padding", "dilation", "groups")
    options = {name: arguments[name] for name in names if name in arguments}
    temperature = arguments.get("temperature", 1)
    softmax = arguments.get("routing_activation") == "softmax"
    return definitions.dynamic_layer(
        tensors, tensors["x"], **options, softmax_at=temperature if softmax else None
    )


def _deformable(arguments, tensors, layer):
    geometry = {name: getattr(layer.conv, name) for name in ("kernel_size", "stride", "dilation")}
    groups = {name: int(arguments.get(name, 1)) for name in ("groups", "offset_groups")}
    padding = arguments.get("padding")
    if padding is None:
        pairs = zip(geometry["kernel_size"], geometry["dilation"])
        padding = [d * (k - 1) // 2 for k, d in pairs]
    return definitions.deformable(
        tensors["x"], tensors, padding=definitions.pair(padding), **geometry, **groups
    )


def _dcnv3_layer(arguments, tensors, layer):
    names = ("kernel_size", "stride", "pad", "dilation", "offset_scale", "remove_center")
    options = {name: getattr(layer, name) for name in names}
    return definitions.dcnv3_layer(tensors["x"], tensors, layer.group, options)


FUNCTIONS = {
    "dynamic_conv2d": Function(dynamic_conv2d, definitions.dynamic_conv2d),
    "dcnv3": Function(dcnv3, definitions.dcnv3),
    "DynamicConv": Layer(DynamicConv, _dynamic_layer),
    "DeformableConv": Layer(DeformableConv, _deformable),
    "DCNv3": Layer(DCNv3, _dcnv3_layer),
    "cost": Function(cost),
    "fold_batchnorm": Function(fold_batchnorm),
}
OTHER_NAMES = ("output would be empty", "BatchNorm")  # that a message may name instead


# --- what comes out -------------------------------------------------------------------------------


def wrong(call: dict) -> str:
    """What is wrong with the answer to a call; '' if nothing is."""
    out = call.get("out", "equal")
    torch.manual_seed(0)
    arguments, given = (
        {name: value(one) for name, one in call.get(part, {}).items()}
        for part in ("arguments", "input")
    )
    handed = arguments | given
    before = copy.deepcopy({k: v for k, v in handed.items() if not isinstance(v, nn.Module)})
    path = getattr(functional, call["path"]) if "path" in call else None
    try:
        with functional.use_path(path) if path else contextlib.nullcontext():
            y, tensors, definition = FUNCTIONS[call["function"]].run(arguments, given)
    except (TypeError, ValueError) as error:
        return _wrong_refusal(out, f" {error} ", FUNCTIONS[call["function"]].names(handed))
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    if out not in ("equal", "either"):
        return f"no error, but {type(y).__name__}"
    if changed := [name for name in before if not _same(before[name], handed[name])]:
        return f"it changed {', '.join(changed)}"
    return _difference(y, tensors, definition) if out == "equal" else ""


def _wrong_refusal(out, message, names):
    if out == "equal":
        return f"refused:{message}"
    if out in ("named", "either"):
        names = [f" {name}" if len(name) == 1 else name for name in names]
        named = any(name in message for name in (*names, *OTHER_NAMES))
        return "" if named else f"no argument is named:{message}"
    return "" if re.search(out, message) else f"other words:{message}"


def _same(before, after):
    if isinstance(before, torch.Tensor):
        if before.layout is not torch.strided or before.is_meta or before.is_quantized:
            return True
        return torch.equal(before.nan_to_num(), after.nan_to_num())
    return before is after or isinstance(before, float) or repr(before) == repr(after)


def _difference(y, tensors, definition):
    """Between an answer and the definition, in value and in the gradients of a random projection of
    it: unlike a plain sum, that tells positions apart.
    """
    expected = definition()
    if y.shape != expected.shape:
        return f"shape {tuple(y.shape)}, expected {tuple(expected.shape)}"
    like = tensors["x"].dtype
    if y.dtype != like:
        return f"{y.dtype}, expected {like}"
    tolerance = TOLERANCE[str(like).removeprefix("torch.")]
    weight = torch.randn(y.shape, dtype=torch.float64)
    leaves = {name: t for name, t in tensors.items() if t is not None and t.requires_grad}
    got, want = (_gradients((z * weight).sum(), leaves) for z in (y.double(), expected))
    pairs = {"the value": (y, expected)} | {
        f"the gradient of {name}": (got[name], want[name]) for name in leaves
    }
    for name, (one, other) in pairs.items():
        most = (one.double() - other.double()).abs().max().item() if one.numel() else 0
        scale = 1 + (other.abs().max().item() if other.numel() else 0)
        if not most <= tolerance * scale:
            return f"{name} differs by {most:.3g} of {scale:.3g}"
    return ""


def _gradients(sum, leaves):
    """By name; zeros where the sum does not depend on a tensor, as that of no image."""
    found = [None] * len(leaves)
    if sum.requires_grad:
        found = torch.autograd.grad(sum, list(leaves.values()), allow_unused=True)
    pairs = zip(leaves.items(), found)
    return {name: torch.zeros_like(t) if g is None else g for (name, t), g in pairs}


def check(call: dict) -> None:
    """A call of the corpus, or one that was drawn: it fails with the lines for the corpus."""
    if problem := wrong(call):
        note(f"for tests/corpus:\n{written(call)}")
        raise AssertionError(problem)
