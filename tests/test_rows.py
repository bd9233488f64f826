"""What a row of a model YAML can say to a registered module: strings, defaults, arguments by
name.
"""

import re

import pytest
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks

import dynconv
from dynconv import yolo
from dynconv.yolo.rows import place


def build(row, **entries):
    """The layer of a row, written as in a file."""
    text = (
        f"nc: 7\nkpt_shape: [17, 3]\nscales: {{n: [0.5, 0.5, 64]}}\nbackbone:\n  - {row}\nhead: []"
    )
    model = yaml.safe_load(text) | {"scale": "n"} | entries
    before = repr(model)
    layer = tasks.parse_model(model, 3, verbose=False)[0][0]
    if "nn." not in row:
        assert repr(model) == before, "the model of the caller stays as it is"
    return layer


class Words(nn.Module):
    def __init__(self, *words, **named):
        super().__init__()
        self.words, self.named = words, named


@pytest.fixture
def words():
    yolo.register(Words, channels=False)
    yield lambda row: build(row)
    yolo.unregister(Words)


@pytest.mark.parametrize(
    "row, expected",
    [
        ("[64, 3]", {}),
        ("[64, 3, 2, '', 2]", {"padding": (2, 2), "dilation": (2, 2), "stride": (2, 2)}),
        ("[64, 3, 1, '', 1, 1, True, 8]", {"num_experts": 8}),
        ("[64, 3, 2, None, 1, 1, False, 8]", {"num_experts": 8, "padding": (1, 1)}),
        ("[64, 3, 2, same]", {"padding": "same"}),
        ("[64, 3, 1, [1, 1], 1, 3]", None),
        ("[64, 3, {num_experts: 8}]", {"num_experts": 8}),
        (
            "[64, 3, 2, {routing_activation: softmax, temperature: 31}]",
            {"routing_activation": "softmax", "temperature": 31},
        ),
        ("[64, {kernel_size: 5, padding: ''}]", {"kernel_size": (5, 5), "padding": (2, 2)}),
        ("[64, {temperature: 3e1, routing_activation: softmax}]", {"temperature": 30.0}),
    ],
)
def test_a_row_can_say_all_that_the_layer_can(row, expected):
    if expected is None:
        with pytest.raises(ValueError, match="groups must divide"):
            build(f"[-1, 1, DynamicConv, {row}]")
        return
    layer = build(f"[-1, 1, DynamicConv, {row}]")
    assert type(layer) is dynconv.DynamicConv and layer.out_features == 32
    assert {name: getattr(layer, name) for name in expected} == expected
    assert (layer.cond_conv.bias is not None) == ("True" in row)


@pytest.mark.parametrize(
    "written, read",
    [
        ("''", ""),
        ("3x3", "3x3"),
        ("'hf_hub:timm/resnet18.a1_in1k'", "hf_hub:timm/resnet18.a1_in1k"),
        ("in", "in"),
        ("gelu", "gelu"),
        # variables of the function that reads the row; no model's author means them
        *[(word, word) for word in ("m", "save", "ch", "d", "verbose", "layers")],
        # what a model file states, and what ultralytics reads as Python
        ("nc", 7),
        ("kpt_shape", [17, 3]),
        ("None", None),
        ("'True'", True),
        ("1e-3", 0.001),
    ],
)
def test_strings_arrive_as_they_were_written(written, read, words):
    assert words(f"[-1, 1, Words, [{written}]]").words == (read,)
    assert words(f"[-1, 1, Words, [{{name: {written}}}]]").named == {"name": read}


def test_rows_of_ultralytics_own_modules_are_read_as_ever():
    assert build("[-1, 1, nn.Upsample, [None, 2, nearest]]").mode == "nearest"
    with pytest.raises(SyntaxError):
        build("[-1, 1, nn.Upsample, [None, 2, '']]")


def test_arguments_by_name_come_after_the_repeats():
    block = build("[-1, 4, C2f_DynamicConv, [64, {shortcut: True}]]")
    assert len(block.m) == 2 and block.m[0].add
    block = build("[-1, 4, Bottleneck_DynamicConv, [64, {e: 0.25}]]")
    assert [part.cv1.conv.out_channels for part in block] == [8, 8]


def test_a_packaged_model_is_found_by_its_file_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("yolov10n-dynamicconv-1", "yolov8n-starnet-s050", "yolo11n-dynamicconv"):
        model = YOLO(f"{name}.yaml").model
        assert sum(p.numel() for p in model.parameters()) == yolo.PARAMETERS[name]
        assert model.yaml["scale"] == "n"
    # a file of the reader's own comes first
    (tmp_path / "yolov10n-dynamicconv-1.yaml").write_text(
        yolo.path("yolov10n-dynamicconv-2").read_text()
    )
    model = YOLO("yolov10n-dynamicconv-1.yaml").model
    assert sum(p.numel() for p in model.parameters()) == yolo.PARAMETERS["yolov10n-dynamicconv-2"]
    for unknown in ("yolov10n-dynamicconv-9.yaml", "folder/yolov10n-dynamicconv-2.yaml"):
        with pytest.raises(FileNotFoundError):
            YOLO(unknown)


@pytest.mark.parametrize("name", ["nn.Nothing", "torchvision.ops.Nothing", "contextlib", "LOGGER"])
def test_a_name_that_is_no_module_is_named(name):
    with pytest.raises(yolo.UnknownModuleError, match=f"row 0 .* names the module '{name}'"):
        build(f"[-1, 1, {name}, [64, 3]]")
    build("[-1, 1, torchvision.ops.Permute, [[0, 2, 3, 1]]]")


@pytest.mark.parametrize("scales", [[0.5, 0.5, 64], {"n": [0.5, 0.5]}, {"n": 0.5}, "n"])
def test_scales_of_another_form_are_named(scales):
    with pytest.raises(
        ValueError, match=r"`scales` .* \{letter: \[depth, width, most channels\]\}"
    ):
        build("[-1, 1, DynamicConv, [64]]", scales=scales)
    with pytest.raises(ValueError, match="does not say which of its scales to build: 1, 2"):
        build("[-1, 1, DynamicConv, [64]]", scales={1: [1, 1, 64], 2: [1, 1, 64]}, scale="")


@pytest.mark.parametrize("arguments", ["64", "[]", "[{temperature: 1}]"])
def test_a_row_without_output_channels_shows_what_it_has(arguments):
    shown = re.escape(str(yaml.safe_load(arguments)))
    with pytest.raises((ValueError, TypeError), match=f"row 0 .*, got {shown}$"):
        build(f"[-1, 1, DynamicConv, {arguments}]")


def test_what_is_no_module_is_told_from_what_nobody_knows():
    with pytest.raises(
        yolo.UnknownModuleError, match="'LOGGER', which is .*Logger and no subclass"
    ):
        build("[-1, 1, LOGGER, [64]]")
    with pytest.raises(
        yolo.UnknownModuleError, match="Registered are .*DynamicConv.*; a module of"
    ):
        build("[-1, 1, Nothing, [64]]")


def test_what_no_network_has_is_refused_before_it_is_built():
    with pytest.raises(ValueError, match="nn.Identity is given 100000000; no network has more"):
        build("[-1, 1, nn.Identity, [100000000]]")


def test_half_a_repeat_and_another_section_are_named():
    with pytest.raises(ValueError, match="how often DynamicConv repeats, .* from 1, got 1.5"):
        build("[-1, 1.5, DynamicConv, [64]]")
    with pytest.raises(ValueError, match="section `neck:` of the model names DynamicConv: .* in"):
        build("[-1, 1, Conv, [64]]", neck=[[-1, 1, "DynamicConv", [64]]])


def test_where_something_is_defined():
    assert place(Words) == f"{__name__}.Words"
    assert place("Words") == "'Words'"


def test_a_name_that_ultralytics_did_not_have_is_gone_with_its_module(words):
    assert tasks.Words is Words
    assert words("[-1, 1, Words, [act]]").words == (None,)  # what the model says of activations
    yolo.unregister(Words)
    assert not hasattr(tasks, "Words")
    yolo.register(Words, channels=False)


def test_the_same_class_of_before_a_reload_in_tasks_is_no_other(monkeypatch):
    before = type("Words", (nn.Module,), {"__module__": __name__})
    monkeypatch.setattr(tasks, "Words", before, raising=False)
    yolo.register(Words, channels=False)
    assert tasks.Words is Words
    yolo.unregister(Words)
    assert tasks.Words is before
