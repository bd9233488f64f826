"""The relatives inside YOLO: what the models cost, the head that changes in silence, training,
reloading, export.
"""

import copy
import signal

import onnxruntime
import pytest
import torch
from life import TINY, make_data, output, run_python, start_python
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.modules import Conv

import dynconv
from dynconv import yolo
from dynconv.relatives import DeformableConv, TimmBackbone
from dynconv.yolo.dcnv3 import DCNv3_YOLO

# --- what they cost -------------------------------------------------------------------------------

# The file of the package is the record, and models are built and counted against it.
PARAMETERS = {
    name: count for name, count in yolo.PARAMETERS.items() if not name.startswith("yolov10n-")
}


def test_the_models_are_listed_with_a_line_each():
    lines = yolo.models()
    uncounted = lines.keys() ^ yolo.PARAMETERS.keys()
    assert not uncounted, f"write their parameters into PARAMETERS of yolo/zoo.py: {uncounted}"
    relatives = [lines[name] for name in PARAMETERS]
    assert all(line.endswith(".") for line in relatives)
    assert len(set(relatives)) == len(relatives)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_relatives_have_exactly_the_known_size(name):
    model = yolo.build(name).model
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert model.stride.tolist() == [8, 16, 32]


@pytest.mark.parametrize("name", PARAMETERS)
def test_rows_that_are_not_replaced_are_those_of_ultralytics(name):
    """Stock weights must keep fitting. A timm backbone replaces rows 0 to 8, so that all later rows
    count five fewer.
    """
    stock, ours = (
        tasks.yaml_model_load(name.partition("-")[0] + ".yaml"),
        tasks.yaml_model_load(yolo.path(name)),
    )
    assert ours["scales"] == {"n": stock["scales"]["n"]} and ours["nc"] == 80
    mine, theirs = (d["backbone"] + d["head"] for d in (ours, stock))
    if "starnet" in name:
        place = {4: 1, 6: 2} | {
            row: row - 5 for row in range(9, 23)
        }  # of stock row: P3 and P4 of the backbone, then the rest
        moved = [
            [place.get(f, f) if isinstance(f, int) else [place.get(x, x) for x in f], *rest]
            for f, *rest in theirs[9:]
        ]
        mine, theirs = mine[4:], moved
    different = [
        (a, b)
        for a, b in zip(mine, theirs, strict=True)
        if a[:3] != b[:3] or (a[3] != b[3] and not b[2].startswith("nn."))
    ]
    replaced = {
        "DCNv3_YOLO": {"Conv", "C2f"}  # the others take the place of a Conv
    }
    assert all(
        a[0] == b[0] and b[2] in replaced.get(a[2], {"Conv"}) and a[3][0] == b[3][0]
        for a, b in different
    )
    assert (
        len(different)
        == {"yolo11n": 6 if "static-stem" in name else 7, "yolov8n": 0 if "starnet" in name else 1}[
            name.partition("-")[0]
        ]
    )


def test_yolo11_prints_less_costs_as_much_and_is_larger():
    """'6.4 GFLOPs fall to 4.7': what is printed falls, what is computed does not."""
    stock = dynconv.cost(tasks.DetectionModel("yolo11n.yaml", nc=1, verbose=False))
    bare, full = (
        dynconv.cost(yolo.build(f"yolo11n-dynamicconv{form}", nc=1)) for form in ("", "-bn-act")
    )
    assert [round(cost.printed_gflops, 2) for cost in (stock, bare, full)] == [6.50, 4.74, 4.76]
    assert [round(cost.gflops, 2) for cost in (stock, bare, full)] == [6.37, 6.38, 6.38]
    assert round(100 * (bare.parameters / stock.parameters - 1)) == 77
    # BatchNorm: two numbers per channel; the bare form has no BatchNorm.
    assert full.parameters - bare.parameters == 2 * sum([16, 32, 64, 128, 256, 64, 128])


@pytest.mark.parametrize(
    "name, printed, true",
    [
        ("yolov8n-dcnv3", 9.02, 8.90),
        ("yolov8n-dcnv3-c2f", 8.67, 8.56),
        ("yolov8n-starnet-s050", 7.17, 7.08),
        ("yolov8n-starnet-s1", 12.67, 12.54),
    ],
)
def test_the_cost_of_the_relatives(name, printed, true):
    cost = dynconv.cost(yolo.build(name))
    assert (round(cost.printed_gflops, 2), round(cost.gflops, 2)) == (printed, true)


def head_parameters(replacement, rows):
    """Parameters of the Detect head of YOLO11n when C3k2 in some rows is replaced."""
    d = tasks.yaml_model_load("yolo11n.yaml")
    for row in rows:
        section, i = (
            ("backbone", row) if row < len(d["backbone"]) else ("head", row - len(d["backbone"]))
        )
        assert d[section][i][2] == "C3k2"
        d[section][i][2:] = [replacement, d[section][i][3][:1]]
    layers, _ = tasks.parse_model(d, 3, verbose=False)
    return sum(p.numel() for p in layers[-1].parameters())


def test_replacing_every_c3k2_changes_the_head_in_silence():
    """parse_model takes a network without C3k2 for one of YOLOv8's time, and gives it the head of
    that time: twice as large.
    """
    every = [2, 4, 6, 8, 13, 16, 19, 22]
    stock, old = (
        sum(p.numel() for p in YOLO(name).model.model[-1].parameters())
        for name in ("yolo11n.yaml", "yolov8n.yaml")
    )
    assert (
        head_parameters("C2f_DynamicConv", every[1:])
        == head_parameters("C2f_DynamicConv", every[:-1])
        == stock
    )
    assert (
        head_parameters("C2f_DynamicConv", every)
        == head_parameters("C2f", every)
        == old
        > 1.9 * stock
    )


def test_stock_weights_go_into_every_expert_of_yolo11():
    report = yolo.upcycle(
        yolo.build("yolo11n-dynamicconv-bn-act"), YOLO("yolo11n.yaml"), normalise=True
    )
    assert [key.split(".")[1] for key in report.experts] == [
        "0",
        "1",
        "3",
        "5",
        "7",
        "17",
        "20",
    ] and not report.unused


# --- the DCNv3 block ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "k, s, d, size",
    [
        (3, 1, 1, (9, 12)),
        (3, 2, 1, (9, 12)),
        (5, 2, 1, (7, 7)),
        (1, 1, 1, (4, 5)),
        (3, 1, 2, (9, 12)),
    ],
)
def test_the_block_is_its_parts_and_has_the_size_of_a_conv(k, s, d, size):
    block, x = DCNv3_YOLO(6, 8, k, s, 2, d).eval(), torch.randn(2, 6, *size)
    nn.init.normal_(block.dcnv3.offset.weight)
    y = block.dcnv3(block.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(output(block, x), nn.functional.silu(block.norm(y)).detach())
    assert y.shape == Conv(6, 8, k, s, d=d)(x).shape and (
        block.dcnv3.group,
        block.dcnv3.dilation,
    ) == (2, d)


def test_a_row_whose_groups_do_not_fit_the_scaled_channels_is_answered():
    d = tasks.yaml_model_load(yolo.path("yolov8n-dcnv3"))
    d["backbone"][7][3][3] = 3
    with pytest.raises(ValueError, match="group must divide the 256 channels, got 3"):
        tasks.DetectionModel(d, verbose=False)


def test_a_deformable_convolution_can_be_registered_and_stand_in_a_row():
    """It takes channels, kernel and stride as Conv does; the package does not register it, since it
    has no BatchNorm and no activation.
    """
    d = tasks.yaml_model_load("yolov8n.yaml") | {"scale": "n"}
    d["backbone"][7][2] = "DeformableConv"
    yolo.register(DeformableConv)
    try:
        model = tasks.DetectionModel(d, nc=3, verbose=False)
    finally:
        yolo.unregister("DeformableConv")
    assert isinstance(model.model[7], DeformableConv) and model.stride.tolist() == [8, 16, 32]
    assert (
        model.model[7].conv.in_channels,
        model.model[7].conv.out_channels,
        model.model[7].conv.stride,
    ) == (128, 256, (2, 2))
    assert output(model.eval(), torch.rand(1, 3, 64, 64)).shape == (1, 4 + 3, 84)


# --- any backbone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, channels",
    [
        ("resnet18", (128, 256, 512)),
        ("mobilenetv3_small_050", (16, 24, 288)),
        ("convnext_atto", (80, 160, 320)),
    ],
)
def test_any_timm_network_can_carry_yolov8(name, channels):
    """By changing a name and three numbers of a YAML; here of the dictionary that it becomes."""
    d = tasks.yaml_model_load(yolo.path("yolov8n-starnet-s050"))
    d["backbone"][0][3] = [name]
    for row, count in zip(d["backbone"][1:4], channels, strict=True):
        row[3][0] = count
    model = tasks.DetectionModel(d, nc=3, verbose=False)
    assert model.stride.tolist() == [8, 16, 32] and model.model[0].channels == list(channels)
    assert output(model.eval(), torch.rand(1, 3, 64, 64)).shape == (1, 4 + 3, 84)


# --- a model's life -------------------------------------------------------------------------------

NAMES = {
    "yolov8n-dcnv3": DCNv3_YOLO,
    "yolo11n-dynamicconv-bn-act": yolo.DynamicConvBNAct,
    "yolov8n-starnet-s050": TimmBackbone,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny data set and one epoch of each model on it; the run with the timm backbone is killed
    in its second epoch.
    """
    folder = make_data(tmp_path_factory.mktemp("relatives"))
    code = (
        f"import os, signal; from dynconv import yolo\nfor name in {list(NAMES)}:\n m ="
        " yolo.build(name); killed = 'starnet' in name\n m.add_callback('on_train_batch_start',"
        " lambda t: t.epoch == 1 and os.kill(os.getpid(), signal.SIGKILL))\n m.train(epochs=1 +"
        f" killed, name=name, {TINY})"
    )
    process = start_python(code, folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, out[-500:] + err[-1500:]
    return folder


def best(folder, name):
    return folder / name / "weights/best.pt"


@pytest.mark.parametrize("name", NAMES)
def test_training_keeps_the_modules_and_their_batchnorm(name, trained):
    model = YOLO(best(trained, name)).model
    assert model.yaml["nc"] == 1 and any(isinstance(m, NAMES[name]) for m in model.modules())
    if name == "yolov8n-starnet-s050":
        eps = [
            {m.eps for m in part.modules() if isinstance(m, nn.BatchNorm2d)}
            for part in (model.model[0], model.model[4:])
        ]
        assert eps == [{1e-5}, {1e-3}]


def test_all_reload_and_the_killed_run_resumes_in_a_new_process_that_imports_nothing_else(trained):
    code = (
        f"from ultralytics import YOLO\nfor name in {list(NAMES)}:\n m ="
        " YOLO(f'{name}/weights/best.pt'); r = m.predict('images/val/0.png', imgsz=64,"
        " verbose=False); assert len(r) == 1\nm = YOLO(f'{name}/weights/last.pt'); seen = [];"
        " m.add_callback('on_train_epoch_start', lambda t:"
        " seen.append(t.epoch))\nm.train(resume=True); print(seen,"
        " type(m.model.model[0]).__name__)"
    )
    assert run_python(code, trained) == "[1] TimmBackbone"


def test_checkpoints_load_where_only_allowed_classes_may(trained):
    """DCNv3's need no more than our classes; those with a timm backbone need timm's too, found as
    the docstring says.
    """
    code = """
import importlib
import torch
from ultralytics import YOLO
from dynconv import yolo
yolo.allow_safe_load()
print(type(YOLO("yolov8n-dcnv3/weights/best.pt").model).__name__)
file = "yolov8n-starnet-s050/weights/last.pt"
try:
    YOLO(file)
except TypeError as error:
    print("outside the supported" in str(error))
for name in torch.serialization.get_unsafe_globals_in_checkpoint(file):
    if name.startswith("timm."):
        module, _, name = name.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        torch.serialization.add_safe_globals([cls])
print(type(YOLO(file).model.model[0]).__name__)
"""
    process = start_python(code, trained, ULTRALYTICS_SAFE_LOAD="1")
    out, err = process.communicate(timeout=300)
    assert out.splitlines()[-3:] == ["DetectionModel", "True", "TimmBackbone"], err[-1500:]


@pytest.mark.parametrize(
    "asked, variables",
    [("[False, True, False, True]", {}), ("[True, True, True, True]", {"HF_HUB_OFFLINE": "yes"})],
)
def test_offline_holds_for_pretrained_weights_whenever_timm_was_imported_and_is_taken_back(
    asked, variables, tmp_path
):
    """huggingface_hub reads its switch when it is imported; timm imports it."""
    code = (
        "import timm; from huggingface_hub import is_offline_mode as asked; from dynconv import"
        " offline; seen = [asked()]\nfor switch in (offline.stay_offline, offline.go_online,"
        " offline.stay_offline): switch(); seen.append(asked())\nprint(seen)"
    )
    assert run_python(code, tmp_path, **{"HF_HUB_OFFLINE": None} | variables) == asked


@pytest.mark.parametrize("name", ["yolov8n-dcnv3", "yolov8n-starnet-s050"])
@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_an_exported_model_takes_any_batch_and_size(format, name, tmp_path, monkeypatch):
    """No DynamicConv, so no export_mode either. The offsets are not zero, so that the points
    matter.
    """
    monkeypatch.chdir(tmp_path)
    model = yolo.build(name)
    for parameter in (p for key, p in model.model.named_parameters() if "dcnv3.offset" in key):
        nn.init.normal_(parameter, std=0.5)
    reference = copy.deepcopy(model.model).eval().fuse(verbose=False)
    file = model.export(format=format, imgsz=64, dynamic=True)
    for size in [(1, 3, 64, 64), (3, 3, 96, 64)]:
        x = torch.rand(size)
        y = (
            torch.from_numpy(onnxruntime.InferenceSession(file).run(None, {"images": x.numpy()})[0])
            if format == "onnx"
            else torch.jit.load(file)(x)
        )
        y = y[0] if isinstance(y, (list, tuple)) else y
        torch.testing.assert_close(y, output(reference, x), rtol=1e-3, atol=1e-3)


def test_onnx_before_opset_16_cannot_hold_dcnv3_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        torch.onnx.errors.UnsupportedOperatorError,
        match="grid_sampler.*version 15.*added in version 16",
    ):
        yolo.build("yolov8n-dcnv3").export(format="onnx", imgsz=64, opset=15, verbose=False)
