"""What is tried on every exercise, whatever it asks for: right answers in other clothes, and the
wrong ones that need no knowledge of the subject.

An answer is made of the solution: its result goes through one of these functions.
"""

import contextlib
import decimal
import fractions

import numpy as np
import torch


def each_number(change):
    """`change`, applied to each number of whatever a solution returns; a tensor is one number."""

    def changed(result):
        if isinstance(result, (list, tuple)):
            return type(result)(map(changed, result))
        plain = isinstance(result, (bool, str)) or result is None
        return result if plain else change(result)

    return changed


def whole(kind):
    """A kind of whole number, for those; what has a fraction becomes one of float64."""
    return lambda x: kind(x) if float(x).is_integer() else np.float64(x)


def as_tensor(dtype):
    return lambda x: torch.as_tensor(x, dtype=dtype)


def as_array(dtype):
    return lambda x: np.asarray(x, dtype=dtype)


# Right answers of another kind, for results that are a tensor, a number or hold fractions, whole
# numbers in lists.
SAME_TENSOR = {
    "float64": lambda x: x.double(),
    "float32": lambda x: x.float(),
    "NumPy, float64": lambda x: x.double().numpy(),
    "NumPy, float32": lambda x: x.float().numpy(),
    "list": lambda x: x.tolist(),
    "list of tensors with a gradient": lambda x: [*x.clone().float().requires_grad_()],
    "with a gradient": lambda x: x.clone().float().requires_grad_(),
    "of another layout": lambda x: x.mT.contiguous().mT if x.ndim > 1 else x,
}
SAME_NUMBER = {
    "float": float,
    "fraction": fractions.Fraction,
    "decimal": decimal.Decimal,
    "last bits off": lambda x: float(x) * (1 + 4e-16),
    "np.float64": np.float64,
    "np.float32": np.float32,
    "np.int64": whole(np.int64),
    "np.int32": whole(np.int32),
    "0-d array": as_array(np.float64),
    "0-d array of float32": as_array(np.float32),
    "0-d tensor": as_tensor(torch.float64),
    "0-d tensor of float32": as_tensor(torch.float32),
}
SAME_LIST = {"np.int64": np.int64, "np.int32": np.int32}

# Wrong answers, made of the right one.
OTHER_NUMBERS = {
    "NaN": lambda x: x * float("nan"),
    "infinite": lambda x: x * 0 + float("inf"),
    "minus infinite": lambda x: x * 0 - float("inf"),
    "of the other sign": lambda x: -x,
    "one more": lambda x: x + 1,
    "one less": lambda x: x - 1,
    "twice": lambda x: x * 2,
    "half": lambda x: x / 2,
    "zero": lambda x: x * 0,
    "one": lambda x: x * 0 + 1,
    "true": lambda x: torch.ones_like(x, dtype=torch.bool) if isinstance(x, torch.Tensor) else True,
    "complex": lambda x: x + 0.5j,
    "text": lambda x: str(x),
}
OTHER_TENSORS = {
    "transposed": lambda x: x.transpose(0, 1) if x.ndim > 1 else x.flip(0),
    "last axes swapped": lambda x: x.mT if x.ndim > 1 else x.flip(0),
    "batch in reverse": lambda x: x.flip(0),
    "one axis more": lambda x: x[None],
    "one axis less": lambda x: x[0],
    "flat": lambda x: x.flatten()[None],
    "a single NaN": lambda x: torch.where(torch.arange(x.numel()).view_as(x) == 1, torch.nan, x),
    "a single number off": lambda x: x.float() + (torch.arange(x.numel()).view_as(x) == 1),
    "the mean everywhere": lambda x: x.float() * 0 + x.float().mean(),
    "empty": lambda x: x[:0],
    "too few digits": lambda x: (x.float() / 3).half(),
}


def crash(*arguments):
    raise RuntimeError("oops\nand a second line")


def leave(*arguments):
    raise SystemExit


def no_end(*arguments):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def recursion(*arguments):
    return recursion(*arguments)


# Wrong answers that have nothing to do with the right one.
NONSENSE = {
    "None": lambda *a: None,
    "prints": lambda *a: print("the answer"),
    "the first argument": lambda *a: a[0],
    "the last argument": lambda *a: a[-1],
    "all arguments": lambda *a: a,
    "a text": lambda *a: "text",
    "bytes": lambda *a: b"text",
    "true": lambda *a: True,
    "NaN": lambda *a: float("nan"),
    "infinite": lambda *a: float("inf"),
    "huge": lambda *a: 10**400,
    "complex": lambda *a: 1j,
    "an empty list": lambda *a: [],
    "a list": lambda *a: [1, 2],
    "a nested list": lambda *a: [[1, 2], [3]],
    "a list of lists": lambda *a: [[1], [2], [3], [4]],
    "a dictionary": lambda *a: {"a": 1},
    "a generator": lambda *a: (each for each in [1, 2]),
    "an object": lambda *a: object(),
    "a type": lambda *a: int,
    "a function": lambda *a: crash,
    "a module": lambda *a: torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()),
    "an empty tensor": lambda *a: torch.empty(0),
    "a tensor of NaN": lambda *a: torch.full((3, 4), torch.nan),
    "one of each shape": lambda *a: torch.zeros(1, 1, 1, 1, 1),
    "a sparse tensor": lambda *a: torch.eye(3).to_sparse(),
    "an array of objects": lambda *a: np.array([None, "x"], dtype=object),
    "raises": crash,
    "leaves": leave,
    "recurses": recursion,
    "takes nothing": lambda: 1,
    "asks for more": lambda a, b, c, d, e, f, g, h: 1,
    "a context": lambda *a: contextlib.nullcontext(),
}
