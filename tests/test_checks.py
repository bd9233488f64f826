"""Whole numbers of NumPy, which a shape, a range or a table of pandas gives, are whole numbers, and
no layer keeps one: a checkpoint with numbers of NumPy does not open where only weights may.
"""

import io

import numpy as np
import pytest
import torch

import dynconv
from dynconv import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConv, DynamicConvBNAct
from dynconv.benchmark import relative_times
from dynconv.checks import shown
from dynconv.relatives import DCNv3, DeformableConv, TimmBackbone, dcnv3
from dynconv.yolo import DCNv3_YOLO


def whole(*values):
    return [np.int64(value) for value in values]


HALF, YES = np.float32(0.5), np.True_
LAYERS = {
    "DynamicConv": lambda: DynamicConv(
        *whole(8, 12, 3, 2, 1, 1, 2),
        YES,
        np.int32(3),
        routing_activation="softmax",
        temperature=HALF,
    ),
    "DynamicConv, pairs": lambda: DynamicConv(8, 12, tuple(whole(3, 1)), np.array([1, 2])),
    "DynamicConvBNAct": lambda: DynamicConvBNAct(*whole(8, 12, 3, 2, 2, 1, 3)),
    "Bottleneck_DynamicConv": lambda: Bottleneck_DynamicConv(
        *whole(8, 8), YES, np.int64(2), tuple(whole(3, 1)), HALF
    ),
    "C2f_DynamicConv": lambda: C2f_DynamicConv(*whole(8, 12, 2), YES, np.int64(2), HALF),
    "DeformableConv": lambda: DeformableConv(*whole(8, 12, 3, 2, 1, 1, 2, 2), YES, YES),
    "DCNv3": lambda: DCNv3(*whole(8, 3, 3, 2, 1, 1, 2), HALF, YES, YES),
    "DCNv3_YOLO": lambda: DCNv3_YOLO(*whole(8, 12, 3, 2, 2, 1)),
    "TimmBackbone": lambda: TimmBackbone("resnet18", np.False_, np.array([8, 16])),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_numbers_of_numpy_and_keep_none(name):
    buffer = io.BytesIO()
    torch.save(LAYERS[name](), buffer)
    kept = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(buffer.getvalue()))
    assert not [kind for kind in kept if "numpy" in kind]


def test_functions_take_them_too():
    x, weight, alpha = torch.rand(2, 8, 9, 9), torch.rand(3, 4, 4, 3, 3), torch.rand(2, 3)
    torch.testing.assert_close(
        dynconv.dynamic_conv2d(x, weight, alpha, None, *whole(2, 1, 1, 2)),
        dynconv.dynamic_conv2d(x, weight, alpha, None, 2, 1, 1, 2),
    )
    offset, mask = torch.rand(1, 4, 4, 2, 9, 2), torch.rand(1, 4, 4, 2, 9)
    image = torch.rand(1, 8, 8, 4)
    torch.testing.assert_close(
        dcnv3(image, offset, mask, *whole(3, 2, 1, 1), HALF),
        dcnv3(image, offset, mask, 3, 2, 1, 1, 0.5),
    )
    layer = DynamicConv(8, 12, 3)
    assert dynconv.cost(layer, whole(64, 32), np.int64(8)) == dynconv.cost(layer, (64, 32), 8)
    assert relative_times({"a": list, "b": list}, *whole(2, 1)).keys() == {"a", "b"}


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float32(2), np.array(2), "2", None])
def test_what_is_no_whole_number_is_named(value):
    """Neither is a truth value, Python's or NumPy's."""
    with pytest.raises(TypeError, match="num_experts must be an int, got "):
        DynamicConv(8, 12, num_experts=value)


@pytest.mark.parametrize("value", [True, np.True_, np.array([1.0, 2.0]), np.array([1, 2, 3]), "2"])
def test_what_is_no_pair_is_named(value):
    with pytest.raises(TypeError, match="stride must be an int or a pair"):
        DynamicConv(8, 12, stride=value)


@pytest.mark.parametrize("value", [True, np.True_, np.array(2.0), "2", None])
def test_what_is_no_number_is_named(value):
    with pytest.raises(TypeError, match="temperature must be a number, got "):
        DynamicConv(8, 12, routing_activation="softmax", temperature=value)


@pytest.mark.parametrize("value", [8, 1, 0.5, "maybe", None, torch.tensor(True)])
def test_what_is_neither_true_nor_false_is_named(value):
    """In a list of arguments it is most often one that stands in the wrong place."""
    with pytest.raises(TypeError, match="bias must be True or False, got "):
        DynamicConv(8, 12, 3, 1, "", 1, 1, value)
    with pytest.raises(TypeError, match="shortcut must be True or False, got "):
        Bottleneck_DynamicConv(8, 8, value)
    with pytest.raises(TypeError, match="shortcut must be True or False, got "):
        C2f_DynamicConv(8, 8, 1, value)
    with pytest.raises(TypeError, match="modulated must be True or False, got "):
        DeformableConv(8, 8, modulated=value)
    with pytest.raises(TypeError, match="remove_center must be True or False, got "):
        DCNv3(8, remove_center=value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Bottleneck_DynamicConv(8, 8, True, 1, 3), "k must be the two .* got 3"),
        (lambda: Bottleneck_DynamicConv(8, 8, True, 1, [3]), r"k must be the two .* got \[3\]"),
        (lambda: Bottleneck_DynamicConv(8, 8, e=0.01), "e = 0.01 leaves none of c2 = 8 channels"),
        (lambda: C2f_DynamicConv(8, 8, e=0), "e = 0 leaves none of c2 = 8 channels"),
        (lambda: C2f_DynamicConv(8, 8, 1, False, 0.25), "g must be an int, got 0.25"),
        (lambda: TimmBackbone("resnet18", strides=[]), r"strides must be a sequence .* got \[\]"),
        (lambda: TimmBackbone("resnet18", options=[1]), r"options must be a dict .* got \[1\]"),
        (
            lambda: DynamicConv(8, 8, routing_activation="softmax", temperature=float("inf")),
            "temperature must be positive and finite",
        ),
    ],
)
def test_what_a_block_cannot_be_built_of_is_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_message_shows_one_line_of_whatever_it_is():
    assert shown([64, (3,), "same"]) == "[64, (3,), 'same']"
    network = torch.nn.Conv2d(1, 1, 1)
    assert shown([64, network]) == "[64, an object of the class Conv2d]"
    assert shown("/a" * 100 + "/data.yaml").endswith("/data.yaml'")
    assert shown(list(range(1000))) == "a list of 1000 values"
