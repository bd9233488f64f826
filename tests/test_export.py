"""Export to ONNX and TorchScript at any batch, and the profiler that ultralytics prints GFLOPs
with.
"""

import contextlib
import copy
import json
import sys

import onnxruntime
import pytest
import torch
from life import output, stirred
from ultralytics import YOLO

import dynconv
from dynconv import yolo
from dynconv.relatives import DCNv3


@pytest.mark.parametrize(
    "options",
    [
        dict(kernel_size=3),
        dict(kernel_size=3, stride=2, bias=True),
        dict(kernel_size=(1, 3), groups=2),
        dict(kernel_size=1),
        dict(kernel_size=3, dilation=2, padding="same", bias=True, groups=4),
    ],
)
def test_export_mode_computes_the_same_and_traces_for_any_batch_and_size(options):
    layer, x = dynconv.DynamicConv(8, 12, **options).eval(), torch.randn(2, 8, 10, 11)
    with dynconv.export_mode():
        torch.testing.assert_close(output(layer, x), layer(x))
        traced = torch.jit.trace(layer, x, check_trace=False)
    sizes = [(1, 8, 10, 11), (5, 8, 10, 11)] + (
        [] if options.get("padding") == "same" else [(3, 8, 7, 16)]
    )
    for size in sizes:
        x = torch.randn(size)
        torch.testing.assert_close(output(traced, x), output(layer, x))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_export_mode_ends_with_its_block_also_after_an_error():
    layer = dynconv.DynamicConv(4, 6, 3).eval()

    def takes_any_batch():
        traced = torch.jit.trace(layer, torch.randn(2, 4, 8, 8), check_trace=False)
        try:
            return output(traced, torch.randn(3, 4, 8, 8)).shape == (3, 6, 8, 8)
        except RuntimeError:
            return False

    with pytest.raises(KeyError), dynconv.export_mode():
        assert takes_any_batch()
        raise KeyError
    assert not takes_any_batch()


def exported(format, model, **options):
    """A function that runs the exported file."""
    file = model.export(format=format, imgsz=64, **options)
    if format == "torchscript":
        return torch.jit.load(file)
    session = onnxruntime.InferenceSession(file)
    return lambda x: torch.from_numpy(session.run(None, {"images": x.numpy()})[0])


@pytest.mark.parametrize(
    "format, name, simplify",
    [
        ("onnx", "yolov10n-dynamicconv-2-bn-act", {"simplify": True}),
        ("onnx", "yolov10n-c2f-dynamicconv", {"simplify": False}),
        ("torchscript", "yolov10n-dynamicconv-1", {}),
    ],
)
def test_an_exported_network_takes_any_batch_and_gives_what_torch_gives(
    format, name, simplify, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = yolo.build(name)
    reference = copy.deepcopy(model.model).eval().fuse(verbose=False)
    with dynconv.export_mode():
        run = exported(format, model, dynamic=True, **simplify)
    for size in [(1, 3, 64, 64), (2, 3, 64, 64), (5, 3, 64, 64)] + [(2, 3, 96, 64)] * (
        format == "onnx"
    ):
        x = torch.rand(size)
        torch.testing.assert_close(run(x), output(reference, x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_a_fixed_batch_needs_no_export_mode_and_refuses_another_batch(
    format, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for batch in (1, 3):
        model = yolo.build("yolov10n-dynamicconv-1")
        reference, x = (
            copy.deepcopy(model.model).eval().fuse(verbose=False),
            torch.rand(batch, 3, 64, 64),
        )
        run = exported(format, model, batch=batch)
        torch.testing.assert_close(run(x), output(reference, x), rtol=1e-3, atol=1e-3)
        with pytest.raises(Exception, match="(?i)got: 2|invalid|size|shape|weight"):
            run(torch.rand(2, 3, 64, 64))


# --- from a file ----------------------------------------------------------------------------------

# Every module that a model YAML may name, in networks as small as can be. What ultralytics has
# loaded differs from what it has built: its activations work in place.
EVERY_MODULE = {
    "blocks": [
        ["Conv", [16, 3, 2]],
        ["DynamicConv", [16, 3, 2]],
        ["DynamicConvBNAct", [16, 3, 2]],
        ["C2f_DynamicConv", [16, True]],
        ["DCNv3_YOLO", [16, 3, 2]],
        ["Bottleneck_DynamicConv", [16]],
        ["Conv", [16, 3, 2]],
    ],
    "backbone": [
        ["TimmBackbone", ["mobilenetv3_small_050"]],
        ["Index", [16, 0]],
        ["Index", [24, 1]],
        ["Index", [288, 2]],
    ],
}
NAMED = {kind for rows in EVERY_MODULE.values() for kind, _ in rows}
for module in yolo.MODULES:  # a new one that has input and output channels needs no row above
    if module.cls.__name__ not in NAMED:
        EVERY_MODULE["blocks"].insert(-1, [module.cls.__name__, [16]])
# What the head reads.
MAPS = {"blocks": [3, 5, len(EVERY_MODULE["blocks"]) - 1], "backbone": [1, 2, 3]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint of each network, whose points of DCNv3 have moved, as after some training."""
    place, files = tmp_path_factory.mktemp("files"), {}
    for name, rows in EVERY_MODULE.items():
        backbone = [[0 if kind == "Index" else -1, 1, kind, args] for kind, args in rows]
        head = [[MAPS[name], 1, "Detect", ["nc"]]]
        yaml = place / f"{name}.yaml"
        yaml.write_text(json.dumps({"nc": 2, "backbone": backbone, "head": head}))
        model = YOLO(yaml)
        for key, parameter in model.model.named_parameters():
            if "dcnv3.offset" in key:
                torch.nn.init.normal_(parameter, std=0.5)
        files[name] = place / f"{name}.pt"
        model.save(files[name])
    return files


@pytest.mark.parametrize(
    "format, dynamic", [("onnx", False), ("onnx", True), ("torchscript", True)]
)
@pytest.mark.parametrize("name", EVERY_MODULE)
def test_a_network_from_a_file_is_exported_as_one_that_was_built(name, format, dynamic, files):
    reference = YOLO(files[name]).model.eval()
    assert any(getattr(m, "inplace", False) for m in reference.modules())
    with dynconv.export_mode() if dynamic else contextlib.nullcontext():
        run = exported(format, YOLO(files[name]), dynamic=dynamic)
    for size in [(1, 3, 64, 64)] + [(3, 3, 64, 64), (2, 3, 96, 64)] * dynamic:
        x = torch.rand(size)
        torch.testing.assert_close(run(x), output(reference, x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "layer, size, other",
    [
        (dynconv.DynamicConv(8, 12, 3, 2, groups=2, bias=True), (2, 8, 10, 11), (3, 8, 7, 16)),
        (dynconv.DynamicConv(8, 12, padding="valid"), (2, 8, 10, 11), (3, 8, 7, 16)),
        (DCNv3(8, 5, dilation=2, remove_center=True), (2, 16, 15, 8), (3, 12, 20, 8)),
        (DCNv3(8, 2, stride=2, center_feature_scale=True), (2, 16, 15, 8), (3, 12, 20, 8)),
    ],
    ids=["strided, in groups", "pointwise", "without its centre", "even and strided"],
)
def test_a_layer_goes_to_onnx_also_behind_an_operation_in_place(layer, size, other, tmp_path):
    """There the exporter folds no constants, and takes sizes that it saw for all that there are."""
    network = torch.nn.Sequential(torch.nn.SiLU(inplace=True), stirred(layer)).eval()
    options = dict(dynamo=False, input_names=["x"], opset_version=17)
    vary = {"dynamic_axes": {"x": [0, 2, 3] if size[1] == 8 else [0, 1, 2]}}
    with dynconv.export_mode():
        torch.onnx.export(network, (torch.rand(size),), tmp_path / "x.onnx", **options, **vary)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    for shape in (size, other):
        x = torch.rand(shape)
        y = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
        torch.testing.assert_close(y, output(network, x.clone()), rtol=1e-3, atol=1e-3)


# --- the profiler ---------------------------------------------------------------------------------


@pytest.fixture
def repaired():
    undo = yolo.repair_flops()
    yield
    undo()


@pytest.mark.parametrize(
    "options", [dict(stride=2), dict(groups=2, num_experts=8), dict(kernel_size=1)]
)
def test_the_repaired_profiler_counts_all_but_the_mixing(options, repaired):
    layer = dynconv.DynamicConv(8, 16, **{"kernel_size": 3} | options)
    cost = dynconv.cost(layer, imgsz=64)
    assert cost.printed_gflops * 1e9 == pytest.approx(cost.flops - 2 * layer.weight.numel())


def test_ultralytics_prints_what_is_true_until_undone():
    """Beside convolutions thop counts BatchNorm and the like: what must agree is the difference to
    the stock model.
    """
    stock, model = dynconv.cost(YOLO("yolov10n.yaml")), yolo.build("yolov10n-dynamicconv-1-bn-act")
    before = dynconv.cost(model)
    undo = yolo.repair_flops()
    try:
        yolo.repair_flops()
        cost = dynconv.cost(model)
        assert model.info()[3] == pytest.approx(cost.printed_gflops)
    finally:
        undo()
    mixing = (
        sum(
            2 * m.weight.numel()
            for m in model.model.modules()
            if isinstance(m, dynconv.DynamicConv)
        )
        / 1e9
    )
    assert cost.printed_gflops - stock.printed_gflops == pytest.approx(
        cost.gflops - stock.gflops - mixing, abs=1e-6
    )
    assert mixing < 0.001 * cost.gflops and before.printed_gflops < cost.printed_gflops - 0.5
    assert dynconv.cost(model) == before
    undo()


def test_without_thop_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "thop.profile", None)
    with pytest.raises(ImportError, match="pip install ultralytics-thop"):
        yolo.repair_flops()
