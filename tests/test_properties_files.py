"""Data sets as others write them, and layers as ONNX: whatever a file says, it is read as it stands
or refused by name; whatever a layer is, its export gives what it gives.
"""

import itertools
import re

import calls
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from life import stirred
from PIL import Image
from test_properties_models import plain, trees

import dynconv
from dynconv.lab.dataset import DataError, check_dataset

NAMES = ("disc", "square", "star")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of two images."""
    folder = tmp_path_factory.mktemp("set")
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / f"images/{split}/0.png")
        (folder / f"labels/{split}/0.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    return folder


def data_yaml(folder, **changed):
    """The file of the set. Each has a name of its own: ultralytics may keep what it has read."""
    said = {"path": str(folder), "train": "images/train", "val": "images/val", "names": [*NAMES]}
    file = folder / f"data{next(_numbers)}.yaml"
    text = yaml.safe_dump({k: v for k, v in (said | changed).items() if v is not ...})
    file.write_text(text, encoding="utf-8")
    return file


entries = st.sampled_from(["train", "val", "test", "names", "nc", "channels", "download", "path"])
values = st.just(...) | plain | trees | st.lists(st.sampled_from([*NAMES, 3, None, ""]), max_size=4)


@calls.times(60)
@given(st.dictionaries(entries, values, min_size=1, max_size=3))
def test_a_data_yaml_is_read_or_refused_by_name(folder, changed):
    file = data_yaml(folder, **changed)
    try:
        found = check_dataset(file)
    except (DataError, ConnectionError) as error:
        assert file.name in str(error)
    else:
        assert found.classes and all(isinstance(name, str) for name in found.classes)
        assert found.images["train"] and found.images["val"]
    finally:
        file.unlink()


numbers = st.sampled_from("0 1 2 3 -1 0.5 0.25 1.5 nan inf 1e-9 1e400 x".split())
fitting = st.tuples(st.sampled_from("012"), *[st.sampled_from(["0", "0.25", "0.5", "1"])] * 4)
any_numbers = st.lists(numbers, min_size=4, max_size=6)
rows = fitting.map(" ".join) | any_numbers.map(" ".join) | st.text("01. \tx\0é", max_size=12)


def is_right(line):
    """A class that is there, and a box of some size within the image."""
    try:
        cls, *box = map(float, line.split())
    except ValueError:
        return False
    return (
        cls in range(len(NAMES))
        and len(box) == 4
        and all(0 <= value <= 1 for value in box)
        and min(box[2:]) > 0
    )


@calls.times(60)
@given(st.lists(rows, max_size=3))
def test_labels_are_right_or_their_file_is_named(folder, lines):
    file = folder / "labels/train/0.txt"
    data = data_yaml(folder)
    file.write_text("\n".join(lines), encoding="utf-8")
    try:
        check_dataset(data)
    except DataError as error:
        assert re.search(r"\(0\.(png|txt)\)", str(error))
        assert not all(is_right(line) for line in lines if line.strip())
    else:
        assert all(is_right(line) for line in lines if line.strip())
    finally:
        data.unlink()


@st.composite
def layers(draw):
    """A layer, and two sizes of image that it takes."""
    groups = draw(st.sampled_from([1, 2]))
    k, dilation = draw(st.sampled_from([1, 2, 3, (1, 3)])), draw(st.sampled_from([1, 2]))
    layer = dynconv.DynamicConv(
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 3)),
        k,
        stride=draw(st.sampled_from([1, 2, (2, 1)])),
        padding=draw(st.sampled_from([0, 1, (0, 2)])),
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        num_experts=draw(st.integers(1, 5)),
    )
    sides = st.integers(6, 10)
    return stirred(layer).eval(), [(draw(sides), draw(sides)) for _ in range(2)]


@calls.times(6)
@given(layers(), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_an_exported_layer_gives_what_it_gives(tmp_path_factory, drawn, batches):
    layer, sizes = drawn
    first, second = (
        torch.randn(batch, layer.in_features, *size) for batch, size in zip(batches, sizes)
    )
    file = str(tmp_path_factory.getbasetemp() / "layer.onnx")
    free = {0: "batch", 2: "height", 3: "width"}
    with dynconv.export_mode():
        torch.onnx.export(
            layer, (first,), file, input_names=["x"], dynamic_axes={"x": free}, dynamo=False
        )
    session = onnxruntime.InferenceSession(file)
    for x in (first, second):
        (found,) = session.run(None, {"x": x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, layer(x).numpy(), rtol=1e-3, atol=1e-5)
