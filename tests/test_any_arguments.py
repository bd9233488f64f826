"""Whatever the operators are called with, they answer, or say with a TypeError or a ValueError
which argument is wrong: some hundred calls of many thousands that were tried, always the same ones.

`python tests/test_any_arguments.py 5000 7` tries 5,000 others, from seed 7 on.
"""

import itertools
import random
import sys

import numpy as np
import pytest
import torch
from torch import nn

from dynconv import DynamicConv, cost, dynamic_conv2d, fold_batchnorm
from dynconv.checks import shown
from dynconv.relatives import DCNv3, DeformableConv

BIG = (2**20, 2**31, 2**32, 2**62, 2**63, 2**70, 10**30, 10**9, 10**5000)
ODD = (
    *BIG,
    *(
        -1,
        0,
        1.5,
        float("nan"),
        float("inf"),
        True,
        False,
        None,
        "2",
        "same",
        "valid",
        "x",
        b"1",
        1j,
    ),
    *((1,), (1, 2, 3), (2**62, 1), [1, 2], (0, 1), (-1, 2), (True, 1), ("a", "b"), [], (), {}),
    *(np.int64(2), np.float32(2), np.array([1, 2]), np.array(2), torch.tensor(2), object()),
)


def draw(r, likely, odd=0.2):
    return r.choice(ODD) if r.random() < odd else r.choice(likely)


def tensor(r, shape, odd=0.4):
    """One of that shape, most often; else of another kind or shape, or none at all."""
    if r.random() >= odd:
        return torch.randn(shape)
    other = list(shape)
    other[r.randrange(len(shape))] = r.choice([0, 1, 2, 3, 5])
    return r.choice(
        [
            lambda: torch.randn(shape).double(),
            lambda: torch.zeros(shape, dtype=r.choice([torch.int64, torch.bool, torch.complex64])),
            lambda: torch.randn(shape).to_sparse(),
            lambda: torch.empty(shape, device="meta"),
            lambda: torch.randn(shape).to(r.choice([torch.float16, torch.bfloat16])),
            lambda: torch.zeros(shape, dtype=torch.float8_e4m3fn),
            lambda: torch.quantize_per_tensor(torch.zeros(shape), 0.1, 0, torch.quint8),
            lambda: torch.full(shape, float("nan")),
            lambda: torch.randn(()).expand(shape),
            lambda: torch.randn(()).expand(*shape[:-1], 2**36),
            lambda: torch.randn(other),
            lambda: torch.randn(*shape, 1),
            lambda: torch.randn(shape[1:]),
            lambda: r.choice([None, 3, "x", np.zeros(shape), torch.zeros(shape).tolist()]),
        ]
    )()


def options(r, odd=0.15, **likely):
    return {name: draw(r, values, odd) for name, values in likely.items() if r.random() < 0.5}


def operator(r):
    batch, experts, groups, k = (
        r.choice([1, 2, 3]),
        r.choice([1, 4]),
        r.choice([1, 2]),
        r.choice([1, 2, 3, 5]),
    )
    given = {
        "x": tensor(r, (batch, 4, r.choice([1, 2, 5, 8]), r.choice([1, 3, 6])), 0.12),
        "weight": tensor(r, (experts, 6, 4 // groups, k, k), 0.12),
        "alpha": tensor(r, (batch, experts), 0.12),
    }
    given |= {"bias": tensor(r, (experts, 6))} if r.random() < 0.4 else {}
    given |= {"shift": tensor(r, (6,))} if r.random() < 0.3 else {}
    given |= options(
        r, stride=[1, 2], padding=[0, 1, "same", "valid"], dilation=[1, 2], groups=[groups]
    )
    return dynamic_conv2d, given


def layer(cls, arguments, shape, **likely):
    def one(r):
        given = {name: draw(r, [value], 0.1) for name, value in arguments.items()}
        given |= options(r, **likely)
        x = tensor(r, [r.choice([1, 5, 8]) if side is None else side for side in shape], 0.3)
        return lambda **given: cls(**given)(x), given | {"(x)": x}

    return one


COMMON = dict(stride=[1, 2], dilation=[1, 2], bias=[True, False], groups=[1, 2])
CALLS = {
    "dynamic_conv2d": operator,
    "DynamicConv": layer(
        DynamicConv,
        dict(in_features=4, out_features=6),
        (2, 4, None, 6),
        kernel_size=[1, 3, (1, 3)],
        padding=["", 0, 1, "same", "valid", None],
        num_experts=[1, 4],
        routing_activation=["sigmoid", "softmax"],
        temperature=[1.0, 2.0],
        **COMMON,
    ),
    "DeformableConv": layer(
        DeformableConv,
        dict(in_channels=4, out_channels=6),
        (2, 4, None, 6),
        kernel_size=[1, 3, (1, 3)],
        padding=[0, 1, None],
        offset_groups=[1, 2],
        modulated=[True, False],
        **COMMON,
    ),
    "DCNv3": layer(
        DCNv3,
        dict(channels=16),
        (2, None, 6, 16),
        kernel_size=[3, 5],
        dw_kernel_size=[3, None],
        stride=[1, 2],
        pad=[0, 1, None],
        dilation=[1, 2],
        group=[1, 2],
        offset_scale=[1.0, 2.0],
        center_feature_scale=[True, False],
        remove_center=[True, False],
    ),
    "cost": lambda r: (
        cost,
        {
            "model": r.choice(
                [DynamicConv(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Identity(), 3, None, "x"]
            ),
            "imgsz": draw(r, [32, 48], 0.5),
        },
    ),
    "fold_batchnorm": lambda r: (
        fold_batchnorm,
        {
            "model": r.choice(
                [
                    nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d(r.choice([4, 5]))).eval(),
                    nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d(4, affine=False)),
                    nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d(4, track_running_stats=False)),
                    *(nn.Conv2d(3, 4, 3), 3, None, "x"),
                ]
            )
        },
    ),
}


def answer(name, seed):
    """What went wrong with one call; '' if it answered, or refused as it should."""
    r = random.Random(f"{name} {seed}")
    torch.manual_seed(seed)
    function, given = CALLS[name](r)
    try:
        function(**{key: value for key, value in given.items() if key != "(x)"})
    except (TypeError, ValueError) as error:
        words = f" {error} "
        names = [key.strip("()") for key in given] + ["output would be empty"]
        names += ["BatchNorm"] * (name == "fold_batchnorm")
        named = any(word in words for word in (f" {n}" if len(n) == 1 else n for n in names))
        return "" if named else f"{name} {seed}: no argument is named: {error!r}"
    except BaseException as error:
        what = {key: shown(value) for key, value in given.items()}
        return f"{name} {seed}: {type(error).__name__}: {str(error)[:200]} of {what}"
    return ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_only_errors_that_name_an_argument(name):
    count = 20 if name in ("cost", "fold_batchnorm") else 120
    assert [found for seed in range(count) if (found := answer(name, seed))] == []


if __name__ == "__main__":
    count, first = map(int, sys.argv[1:3])
    for seed, name in itertools.product(range(first, first + count // len(CALLS)), CALLS):
        if found := answer(name, seed):
            print(found, flush=True)
