"""What public functions ask of their arguments. Each message names the value, what was expected,
and what to do.
"""

from __future__ import annotations

import difflib
import functools
import math
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Proxy

Pair = int | tuple[int, int]

# More than any layer has. Larger numbers would end in an overflow or fill the memory somewhere
# inside torch, which then names neither the argument nor the layer.
MOST = 2**20  # channels, experts, groups
MOST_PIXELS = 2**10  # kernel, stride, padding, dilation
MOST_NUMBERS = 2**30  # in one parameter
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """The end of a sentence about an unknown name: '; did you mean ...?' with at most `most` of the
    known ones that are near, or a full stop if none is.
    """
    near = difflib.get_close_matches(name, list(known), most)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "."


def shown(value: object) -> str:
    """What a message shows of a value that somebody handed over where another was expected: one
    line, which the representation of a whole model is not.
    """
    if type(value) in (list, tuple):  # what it holds can be a model, too
        inside = ", ".join(map(shown, value))
        text = f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
        return text if len(text) <= 200 else f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, int) and value.bit_length() > 300:  # too long for Python to print
        return f"an int of {value.bit_length()} bits"
    plain = (str, int, float, type(None), type, list, tuple, dict, os.PathLike)
    text = repr(value) if isinstance(value, plain) else ""
    if len(text) > 80 and isinstance(value, (str, os.PathLike)):  # a path is known by its end
        text = f"{text[:40]} … {text[-37:]}"
    is_line = 0 < len(text) <= 80 and "\n" not in text
    return text if is_line else f"an object of the class {type(value).__name__}"


def is_int(value: object) -> bool:
    """Whether it is a whole number: an int, one of NumPy's integers, or a size that varies while
    torch exports. True and False, which Python takes for 1 and 0, are none, nor are NumPy's.
    """
    whole = isinstance(value, (int, np.integer, torch.SymInt))
    return whole and not isinstance(value, bool)


def check_count(name: str, value: int, least: int = 1, most: int = MOST) -> int:
    """`value`, one of NumPy's as Python's (which is what a checkpoint should hold); a TypeError or
    a ValueError unless it is a whole number, from `least` to `most`.
    """
    if not is_int(value):
        raise TypeError(f"{name} must be an int, got {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {shown(value)}")
    value = as_python(value)
    _check_most(name, value, most)
    return value


def check_file(name: str, path: str | os.PathLike) -> Path:
    """The path of a file that can be opened without waiting; a FileNotFoundError or a ValueError if
    there is none, or something else. (A named pipe would keep its reader waiting for ever.)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {shown(path)}")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"no {name} at {str(path)!r}: there is no such file") from None
    except (OSError, ValueError) as error:  # a loop of links, a name too long or with a zero byte
        raise ValueError(f"{name} cannot be opened at {shown(str(path))}: {error}") from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise ValueError(f"{name} must be a file, and {str(path)!r} is {kind}")
    return Path(path)


def check_number(name: str, value: float) -> float:
    """`value`, one of NumPy's as Python's; a TypeError unless it is a number, and a ValueError if
    it is an int that no float can be.
    """
    if not (is_int(value) or isinstance(value, (float, np.floating))):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if isinstance(value, int):
        _check_most(name, abs(value), 2**53)
    return as_python(value)


def check_choice(name: str, value: str, known: Iterable[str]) -> str:
    """`value`, if it is one of the known words; else a ValueError that lists them."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {name} {shown(value)}: expected one of {tuple(known)}")
    return value


def check_flag(name: str, value: bool) -> bool:
    """`value`, one of NumPy's as Python's; a TypeError unless it is True or False. (Any other value
    would count as one of them, and most often stands one place too early or too late.)
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def _check_most(name: str, value: int, most: int) -> None:
    if isinstance(value, int) and value > most:  # no size that varies while torch exports
        raise ValueError(f"{name} must be at most {most}, got {shown(value)}")


def check_numbers(what: str, shape: Iterable[int]) -> None:
    """A ValueError if a parameter of that shape is larger than any layer has."""
    shape = tuple(shape)
    if math.prod(shape) > MOST_NUMBERS:
        raise ValueError(
            f"{what} would hold {math.prod(shape):.3g} numbers, at most {MOST_NUMBERS} are allowed:"
            f" its shape is {shown(shape)}"
        )


def check_reach(kernel_size: Iterable[int], dilation: Iterable[int]) -> None:
    """A ValueError if a kernel reaches further than any layer's: 'same' pads by that much."""
    for k, d in zip(kernel_size, dilation):
        if d * (k - 1) > 2 * MOST_PIXELS:
            raise ValueError(
                f"dilation * (kernel_size - 1) must be at most {2 * MOST_PIXELS}, got dilation {d}"
                f" and kernel_size {k}"
            )


def as_pair(name: str, value: Pair, least: int, most: int = MOST_PIXELS) -> tuple[int, int]:
    """(vertical, horizontal) of an int or a pair of ints, each from `least` to `most`; else a
    TypeError or a ValueError.
    """
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    pair = tuple(plain) if isinstance(plain, (tuple, list)) else (plain, plain)
    if len(pair) != 2 or not (is_int(pair[0]) and is_int(pair[1])):
        raise TypeError(
            f"{name} must be an int or a pair (vertical, horizontal) of ints, got {shown(value)}"
        )
    if min(pair) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    down, across = as_python(pair[0]), as_python(pair[1])
    _check_most(name, down, most)
    _check_most(name, across, most)
    return down, across


def as_device(device: str | torch.device) -> torch.device:
    """torch's device of that name; a ValueError if there is none."""
    try:
        return torch.device(device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"device must be one of torch's, got {shown(device)}: {error}") from None


def as_python(value):
    """A number of NumPy as one of Python; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def as_network(name: str, model: object, kinds: str = "a YOLO or a torch.nn.Module") -> nn.Module:
    """The network of an ultralytics YOLO (itself a module, whose train() trains); any other module
    as it is; else a TypeError that says which `kinds` are taken.
    """
    # Not imported: without that module there can be no YOLO.
    engine = sys.modules.get("ultralytics.engine.model")
    network = model.model if isinstance(model, getattr(engine, "Model", ())) else model
    if not isinstance(network, nn.Module):
        remedy = "; for a file pass YOLO(file)" * isinstance(network, (str, os.PathLike))
        raise TypeError(f"{name} must be {kinds}, got {type(network).__name__}{remedy}")
    return network


def output_size(
    x: Tensor,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """(H', W') for x (B, C, H, W); a ValueError if the kernel does not fit into the padded input
    even once.
    """
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], kernel_size, stride, padding, dilation)
    ]
    if min(size) < 1:
        raise ValueError(
            f"the output would be empty: a {tuple(kernel_size)} kernel with dilation"
            f" {dilation} does not fit into a {tuple(x.shape[2:])} input with padding {padding};"
            " use a larger input, more padding or a smaller kernel"
        )
    return size[0], size[1]


def one_node(function: Callable) -> Callable:
    """For a function that looks at the shapes of its tensors: where torch.fx records a graph with
    placeholders that have none, the whole call becomes one node of it, as a call of a function of
    torch does. The checks in it are made when the graph runs. torch.jit.script, which has no such
    nodes, is refused.
    """

    @functools.wraps(function)
    def call(*args, **kwargs):
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, Proxy):
                return argument.tracer.create_proxy("call_function", call, args, kwargs)
        return function(*args, **kwargs)

    call.__prepare_scriptable__ = functools.partial(refuse_script, function.__name__)
    return call


def refuse_script(name: str) -> None:
    """What torch.jit.script finds where it would begin to compile the function or class of that
    name.
    """
    raise NotImplementedError(
        f"torch.jit.script cannot compile {name}, which decides by types and sizes as Python does:"
        " record it with torch.jit.trace, whose result a script may call"
    )


def check_channels(name: str, x: Tensor, channels: int, like: Tensor) -> None:
    """`x` of shape (B, channels, H, W), like the layer whose parameter is `like`."""
    if isinstance(x, Proxy):
        return  # torch.fx records a graph: there is no shape yet
    check_tensor(name, x, 4, f"(B, {channels}, H, W)", "the layer", like)
    if x.shape[1] != channels:
        raise ValueError(f"{name} must have shape (B, {channels}, H, W), got {tuple(x.shape)}")
    if min(x.shape[2:]) < 1:
        raise ValueError(f"{name} must have at least one pixel, got shape {tuple(x.shape)}")


def check_tensor(
    name: str, tensor: Tensor, rank: int, form: str, like_name: str, like: Tensor
) -> None:
    """A floating-point tensor of that rank, on the device and of the dtype of `like`."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor of shape {form}, got {type(tensor).__name__}"
        )
    if tensor.dim() != rank:
        raise ValueError(
            f"{name} must have {rank} dimensions {form}, got shape {tuple(tensor.shape)}"
        )
    if tensor.dtype not in FLOATS:
        raise TypeError(
            f"{name} must be floating point, got {tensor.dtype}; convert it with .float() first"
        )
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be dense, got {tensor.layout}; use .to_dense() first")
    # where sizes vary, as in a graph that is being recorded, a comparison would become part of it
    size = 0 if torch.compiler.is_compiling() else tensor.numel()
    if isinstance(size, int) and size > 2**36:
        raise ValueError(f"{name} would be read as {size:.3g} numbers: {tuple(tensor.shape)}")
    if tensor.device != like.device:
        raise ValueError(
            f"{name} is on {tensor.device} but {like_name} is on {like.device}: move one of them"
            " with .to(...)"
        )
    if tensor.dtype != like.dtype and not autocast_is_on(like):
        raise TypeError(
            f"{name} is {tensor.dtype} but {like_name} is {like.dtype}: convert one of them, or use"
            " torch.autocast"
        )
    if tensor.dtype != like.dtype and torch.float64 in (tensor.dtype, like.dtype):
        raise TypeError(
            f"{name} is {tensor.dtype} but {like_name} is {like.dtype}: autocast leaves float64 as"
            " it is, convert one of them"
        )


def autocast_is_on(tensor: Tensor) -> bool:
    """Whether autocast acts on tensors of that device; the meta device has none."""
    # not torch.amp.is_autocast_available: torch.compile stops at it in torch 2.11
    device = tensor.device.type
    return device != "meta" and torch.is_autocast_enabled(device)


def as_array(name: str, value, ndim: int | None) -> np.ndarray:
    """A finite float64 array from a list, an array or a tensor; a ValueError that names `name` if
    it cannot be one.
    """
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu().double()
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{name} must hold numbers, got {shown(value)}: {error}") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} dimension{'s' * (ndim != 1)}, got shape {array.shape}"
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite and not empty, got shape {array.shape} with"
            f" {(~np.isfinite(array)).sum()} non-finite"
        )
    return array
