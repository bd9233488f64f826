"""The other public functions: whatever one or two of their arguments are, they answer, or say with
a TypeError or a ValueError which argument is wrong. What was found once is in
tests/corpus/arguments.yaml.
"""

import contextlib
import re

import calls
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_properties import odd_values
from torch import nn

from dynconv import DynamicConv, benchmark, yolo
from dynconv.figures import widgets
from dynconv.lab import presets, routing, scenes
from dynconv.relatives import TimmBackbone

pytestmark = pytest.mark.filterwarnings("ignore")

NETWORK = nn.Sequential(DynamicConv(3, 4, 3), nn.Conv2d(4, 2, 1)).eval()
IMAGES = torch.linspace(0, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
ALPHA = np.arange(24.0).reshape(6, 4) / 24
LIGHTS = ["day", "night"] * 3
GREY = np.linspace(0, 1, 64).reshape(8, 8)
KERNELS = np.arange(18.0).reshape(2, 3, 3) / 18


def fixed(model, alpha):
    with routing.fixed(model, alpha):
        return model(IMAGES)


def register(**given):
    try:
        yolo.register(**given)
    finally:
        with contextlib.suppress(ValueError):
            yolo.unregister("Identity")


# name: (function, right arguments)
FUNCTIONS = {
    function.__name__: (function, right)
    for function, right in (
        (yolo.DynamicConvBNAct, dict(c1=4, c2=8, k=3, s=1, g=1, d=1, num_experts=4, bias=True)),
        (
            yolo.Bottleneck_DynamicConv,
            dict(c1=4, c2=8, shortcut=True, g=1, k=(3, 3), e=0.5, num_experts=4),
        ),
        (yolo.C2f_DynamicConv, dict(c1=4, c2=8, n=1, shortcut=True, g=1, e=0.5, num_experts=4)),
        (yolo.DCNv3_YOLO, dict(c1=4, c2=8, k=3, s=1, group=4, d=1)),
        (TimmBackbone, dict(name="starnet_s1", strides=(8, 16), options={})),
        (yolo.path, dict(name="yolov10n-dynamicconv-1")),
        (yolo.build, dict(name="yolov10n-dynamicconv-1", nc=3)),
        (register, dict(cls=nn.Identity, repeat=False, channels=True, inputs="one")),
        (yolo.unregister, dict(module="Nothing")),
        (yolo.upcycle, dict(model=NETWORK, stock=NETWORK, normalise=True)),
        (yolo.load, dict(file="nothing.pt")),
        (yolo.trust, dict(file="nothing.pt")),
        (yolo.allow_safe_load, dict(more=nn.Identity)),
        (routing.record, dict(model=NETWORK, images=IMAGES, batch=2, progress=False)),
        (routing.dynamic_layers, dict(model=NETWORK)),
        (fixed, dict(model=NETWORK, alpha={"0": [0.1, 0.2, 0.3, 0.4]})),
        (routing.mixed_kernels, dict(model=NETWORK, alpha={"0": [0.1, 0.2, 0.3, 0.4]})),
        (routing.closeups, dict(model=NETWORK, alpha={"0": ALPHA})),
        (routing.untrained, dict(model=NETWORK, images=IMAGES, seed=0, batch=2)),
        (routing.calibrated, dict(model=NETWORK, images=IMAGES, batch=2)),
        (routing.means, dict(alpha={"0": ALPHA}, conditions=LIGHTS)),
        (routing.spread, dict(alpha=ALPHA)),
        (routing.variance_share, dict(alpha=ALPHA, conditions=LIGHTS)),
        (routing.nearest_centroid_accuracy, dict(alpha=ALPHA, conditions=LIGHTS)),
        (scenes.shapes, dict(count=1, size=16, seed=0)),
        (scenes.relight, dict(images=GREY[None], light="noisy", seed=0)),
        (
            scenes.make,
            dict(folder="/proc/nothing", objects="shapes", train=1, val=1, size=32, seed=0),
        ),
        (presets.preset, dict(name="cpu")),
        (benchmark.peak_memory, dict(function=dict, device="cpu")),
        (benchmark.relative_times, dict(run={"a": dict, "b": dict}, repetitions=1, threads=1)),
        (
            widgets.kernel_mixer,
            dict(image=GREY, experts=KERNELS, alpha=[0.5, 0.5], images={"a": GREY}),
        ),
        (widgets.sigmoid_softmax, dict(logits=(0.0, 1.0), temperature=1.0)),
        (widgets.sampling, dict(image=GREY, kernel=KERNELS[0], at=(3, 3))),
    )
}

# What a message may say instead of the argument's name.
WORDS = {
    "c1": "in_features",
    "c2": "group must divide",
    "cls": "subclass of torch.nn.Module",
    "module": "is not registered",
    "more": "subclasses of torch.nn.Module",
    "file": "weights",
    "model": "weights|no dynamic layer|no DynamicConv|not the path|nothing in stock|network",
    "name": "no model is called|unknown preset|no network called",
    "stock": "nothing in stock",
    "image": "picture",
    "g": "groups",
    "k": "kernel_size",
}


@st.composite
def spoiled(draw, name):
    """Right arguments, one or two of them made odd."""
    right = list(FUNCTIONS[name][1])
    odd = draw(st.lists(st.sampled_from(right), min_size=1, max_size=2, unique=True))
    return {"function": name, "odd": {one: draw(odd_values) for one in odd}}


def wrong(call):
    """What is wrong with the answer to a call; '' if nothing is."""
    function, right = FUNCTIONS[call["function"]]
    odd = {name: calls.value(one) for name, one in call["odd"].items()}
    given = right | odd
    try:
        if function is yolo.allow_safe_load:
            function(given["more"])
        else:
            function(**given)
    except (TypeError, ValueError) as error:
        names = [rf"\b{name}\b|{WORDS.get(name, name)}" for name in odd]
        return "" if re.search("|".join(names), str(error)) else f"{names} not in: {error!r}"
    except OSError as error:  # a path that leads nowhere
        return "" if re.search("folder|file|images|No such", str(error)) else repr(error)
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return f"no error, and {list(odd)} not named" if call.get("found") else ""


def check(call):
    if problem := wrong(call):
        calls.note(f"for tests/corpus/arguments.yaml:\n{calls.written(call)}")
        raise AssertionError(problem)


@pytest.mark.parametrize("call", calls.entries("arguments"))
def test_what_was_found_once(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(call)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_errors_that_name_an_argument(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls.times(8, 150)(given(spoiled(name))(check))()
