"""`yolo.export`: an ONNX file with α, in each of its forms, in each runtime that is here."""

import contextlib
import errno
import functools
import io
import json
import os
import sys

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from ultralytics import RTDETR, YOLO

import dynconv
from dynconv import yolo
from dynconv.lab import recording, routing, scenes, training
from dynconv.yolo.recording import prepared

SIZE, NAME = 64, "yolov10n-dynamicconv-1-bn-act"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scenes.make(tmp_path_factory.mktemp("data"), train=64, val=4, size=SIZE, progress=False)


@pytest.fixture(scope="module")
def images(data):
    return data.images()


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    """A checkpoint after some training (fresh weights make much of the last digits), with the
    BatchNorms of a longer one, whose head finds something already, and whose routers say different
    things of different images.
    """
    folder = tmp_path_factory.mktemp("weights")
    how = training.preset("cpu").settings | {"epochs": 2, "imgsz": SIZE}
    model = YOLO(training.train(NAME, data, how, folder=folder / "runs", quiet=True).weights)
    model.model = recording.calibrated(model, data.images("train"))
    head = model.model.model[-1]
    with torch.no_grad():
        for level in (*head.cv3, *head.one2one_cv3):
            level[-1].bias += 7
        for layer in routing.dynamic_layers(model).values():
            layer.routing.weight *= 3
    model.save(folder / "tiny.pt")
    return folder / "tiny.pt"


@pytest.fixture(scope="module")
def exported(weights, images, tmp_path_factory):
    """Calls `yolo.export` once for each way: (what it returned, what it printed). The files stay as
    they are.
    """

    @functools.cache
    def export(**how):
        file, printed = tmp_path_factory.mktemp("onnx") / "tiny.onnx", io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = yolo.export(weights, file, images=images, imgsz=SIZE, **how)
        assert result.file == file and list(file.parent.iterdir()) == [file]
        return result, printed.getvalue()

    return export


def pixels(paths):
    from PIL import Image

    array = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    return array.transpose(0, 3, 1, 2).astype(np.float32) / 255


def run(file, **feeds):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds)))


def in_torch(weights, x, alpha=None):
    """(the detections, α by layer) of the checkpoint as it stands."""
    network = YOLO(weights).model.eval()
    with torch.no_grad(), routing.fixed(network, alpha or {}):
        y = network(torch.from_numpy(x))[0].numpy()
    return y, routing.record(network, torch.from_numpy(x))


@pytest.mark.parametrize("any_batch", [False, True])
@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-4), ("float16", 1e-2)])
def test_the_file_gives_detections_and_alpha(
    precision, tolerance, any_batch, weights, images, exported
):
    x = pixels(images)
    result, printed = exported(precision=precision, any_batch=any_batch)
    file = result.file
    assert result.images == len(images) and str(result) in printed
    step = len(x) if any_batch else 1
    parts = [run(file, images=x[k : k + step]) for k in range(0, len(x), step)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    expected, alpha = in_torch(weights, x)
    assert list(found) == ["output0", *(f"alpha.{name}" for name in alpha)]
    assert abs(found["output0"][:, 4:] - expected[:, 4:]).max() < tolerance
    assert expected[:, 4:].max() > 0.2 and result.scores < tolerance
    for name, rows in alpha.items():
        assert rows.std(0).max() > 1e-3
        np.testing.assert_allclose(found[f"alpha.{name}"], rows, atol=tolerance)
    model = onnx.load(file)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    facts = {one.key: one.value for one in model.metadata_props}
    says = json.loads(facts["dynconv"])
    assert says["names"] == {"0": "disc", "1": "square", "2": "triangle"}
    assert says["imgsz"] == [SIZE, SIZE] and says["experts"] == dict.fromkeys(alpha, 4)
    assert (says["stride"], says["end2end"], says["args"]["dynamic"]) == (32, False, any_batch)


def test_half_of_the_precision_is_half_of_the_file_and_int8_a_quarter(exported):
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        result, _ = exported(precision=precision, any_batch=False)
        sizes[precision] = result.file.stat().st_size
        assert result.scores < 0.25
    assert 0.45 < sizes["float16"] / sizes["float32"] < 0.55
    assert 0.2 < sizes["int8"] / sizes["float32"] < 0.35


def test_int8_gives_each_channel_of_each_expert_a_scale_and_leaves_the_mixed_kernel(
    weights, exported
):
    graph = onnx.load(exported(precision="int8", any_batch=False)[0].file).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    source = YOLO(weights).model.eval()
    dynconv.fold_batchnorm(source)
    for layer in routing.dynamic_layers(source).values():
        rows = layer.weight.detach().flatten(0, 1).flatten(1).numpy()
        stem = next(
            name.removesuffix(".int8")
            for name, value in stored.items()
            if name.endswith(".int8") and value.shape == rows.shape
        )
        scale = stored[f"{stem}.scale"]
        assert scale.shape == rows.shape[:1] and stored[f"{stem}.int8"].dtype == np.int8
        np.testing.assert_allclose(scale, abs(rows).max(1) / 127, rtol=1e-4)
        off = abs(stored[f"{stem}.int8"] * scale[:, None] - rows)
        assert (off <= scale[:, None] * 0.5001).all()
    by_name = {out: node for node in graph.node for out in node.output}
    kinds = [by_name[node.input[1]].op_type for node in graph.node if node.op_type == "Conv"]
    assert kinds.count("DequantizeLinear") > 50 and kinds.count("Squeeze") == 3


@pytest.mark.parametrize("any_batch", [False, True])
def test_alpha_that_is_given_takes_the_place_of_the_routers(any_batch, weights, images, exported):
    file, x = exported(alpha_inputs=True, any_batch=any_batch)[0].file, pixels(images[:1])
    _, own = in_torch(weights, x)
    one, two, _ = own
    nobody = np.full((1, 4), np.nan, np.float32)
    mine = np.float32([[0.9, 0.1, 0.4, 0]])
    for given in ({}, {one: mine}, {one: mine, two: mine}):
        expected, alpha = in_torch(weights, x, {name: rows[0] for name, rows in given.items()})
        feeds = {f"given.{name}": given.get(name, nobody) for name in own}
        found = run(file, images=x, **feeds)
        assert abs(found["output0"] - expected)[:, 4:].max() < 1e-4
    single = np.float32([[np.nan, np.nan, 0.7, np.nan]])  # one expert alone
    found = run(file, images=x, **feeds | {f"given.{one}": single})
    mixed = np.where(np.isnan(single), own[one], single)
    np.testing.assert_allclose(found[f"alpha.{one}"], mixed, atol=1e-4)
    with pytest.raises(ValueError, match=f"given.{one}.*missing"):  # said by onnxruntime
        YOLO(file, task="detect").predict(images[0], imgsz=SIZE, verbose=False)


@pytest.mark.parametrize("end2end", [True, False])
def test_yolo_opens_the_file_and_finds_what_the_checkpoint_finds(
    end2end, weights, images, exported
):
    file = exported(end2end=end2end)[0].file
    model, how = YOLO(weights), dict(imgsz=SIZE, verbose=False, conf=0.1, rect=False)
    head = {"nms": False} if end2end else {}  # 'no suppression', which the file knows by itself
    for image in images:
        found = YOLO(file, task="detect").predict(image, **how)[0]
        expected = model.predict(image, **how, **head)[0].boxes.data
        assert found.names == {0: "disc", 1: "square", 2: "triangle"}
        assert len(expected)
        torch.testing.assert_close(found.boxes.data[:5], expected[:5], atol=1e-2, rtol=1e-3)


def openvino(file, feeds):
    core = pytest.importorskip("openvino").Core()
    model = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model(feeds)
    return [found[output] for output in model.outputs]


def tract(file, feeds):
    model = pytest.importorskip("tract").onnx().load(str(file)).into_model().into_runnable()
    return [output.to_numpy() for output in model.run(list(feeds.values()))]


def opencv(file, feeds):
    import cv2

    network = cv2.dnn.readNetFromONNX(str(file))
    for name, value in feeds.items():
        network.setInput(value, name)
    return network.forward(network.getUnconnectedOutLayersNames())


def reference(file, feeds):
    return onnx.reference.ReferenceEvaluator(str(file)).run(None, feeds)


@pytest.mark.parametrize("runtime", [openvino, tract, opencv, reference])
@pytest.mark.parametrize(
    "how",
    [
        {"precision": "float32", "any_batch": False},
        {"precision": "float32", "any_batch": True},
        {"alpha_inputs": True, "any_batch": False},
        {"precision": "float16", "any_batch": False},
    ],
    ids=str,
)
def test_other_runtimes_compute_the_same(runtime, how, weights, images, exported):
    file, x = exported(**how)[0].file, pixels(images[:2] if how["any_batch"] else images[:1])
    feeds = {"images": x}
    if how.get("alpha_inputs"):
        alpha = np.float32([[0.9, 0.1, 0.4, 0]])
        for name in routing.dynamic_layers(weights):
            feeds[f"given.{name}"] = alpha
            alpha = np.full((1, 4), np.nan, np.float32)
    found = runtime(file, feeds)
    for mine, theirs in zip(found, run(file, **feeds).values(), strict=True):
        np.testing.assert_allclose(np.reshape(mine, theirs.shape), theirs, atol=1e-3, rtol=1e-3)


def test_a_static_model_and_one_without_folding(weights, images, tmp_path):
    alone = yolo.export(
        yolo.build("yolov10n-conv-2"), tmp_path / "twin.onnx", images=images, imgsz=SIZE
    )
    assert list(run(alone.file, images=pixels(images[:1]))) == ["output0"]
    yolo.export(weights, tmp_path / "raw.onnx", images=images, imgsz=SIZE, fold=False)
    kinds = [node.op_type for node in onnx.load(tmp_path / "raw.onnx").graph.node]
    assert kinds.count("BatchNormalization") == 3


def test_a_file_that_differs_is_refused_and_not_left_behind(weights, images, tmp_path, monkeypatch):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(b"of before")
    how = dict(images=images, imgsz=SIZE)
    with pytest.raises(yolo.DifferentError, match=r"tiny.onnx differs.*more than 1e-06"):
        yolo.export(weights, file, precision="int8", tolerance=1e-6, **how)

    def spoilt(network):
        with torch.no_grad():
            routing.dynamic_layers(network)["model.1.conv"].cond_conv.weight.mul_(1.1)

    monkeypatch.setattr("dynconv.yolo.exporting.fold_batchnorm", spoilt)
    with pytest.raises(yolo.DifferentError, match="more than 0.001"):
        yolo.export(weights, file, **how)
    assert file.read_bytes() == b"of before" and list(tmp_path.iterdir()) == [file]


def test_it_is_written_under_one_other_name_so_that_no_kill_leaves_more(
    weights, images, tmp_path, monkeypatch
):
    file, drafts = tmp_path / "tiny.onnx", []
    file.write_bytes(b"of before")

    def stop(network, draft, *_):
        drafts.append(draft)
        draft.write_bytes(b"half")
        assert file.read_bytes() == b"of before"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("dynconv.yolo.exporting.record", stop)
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is full.*Not written was: .*tiny.onnx"):
            yolo.export(weights, file, images=images, imgsz=SIZE)
    assert drafts == [tmp_path / "tiny.onnx.part"] * 2
    assert file.read_bytes() == b"of before" and list(tmp_path.iterdir()) == [file]


def test_weights_that_one_file_cannot_hold_are_refused(weights, images, tmp_path, monkeypatch):
    monkeypatch.setattr("dynconv.yolo.exporting.MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"weights have 0\.01 GiB, and one ONNX file holds less"):
        yolo.export(weights, tmp_path / "tiny.onnx", images=images, imgsz=SIZE)
    assert not list(tmp_path.iterdir())


def test_the_model_stays_as_it_is_and_the_file_stands_beside_the_weights(weights, capsys):
    model = YOLO(weights)
    state, text = {k: v.clone() for k, v in model.model.state_dict().items()}, str(model.model)
    result = yolo.export(model, imgsz=SIZE)  # on ultralytics' own photographs
    assert result.file == weights.with_suffix(".onnx") and result.images == 2
    assert str(model.model) == text
    torch.testing.assert_close(model.model.state_dict(), state, rtol=0, atol=0)


@pytest.mark.parametrize(
    "how, error, message",
    [
        (dict(precision="fp16"), ValueError, "precision must be one of .*'float16'.*got 'fp16'"),
        (dict(imgsz=50), ValueError, "imgsz must be a multiple of 32, got 50"),
        (dict(file="model.pt"), ValueError, "end with .onnx, got 'model.pt'"),
        (dict(file="nowhere/a.onnx"), FileNotFoundError, "no folder 'nowhere'"),
        (dict(file="folder.onnx"), ValueError, "folder.onnx' cannot be written: .* no file"),
        (dict(images="a.png"), ValueError, "list of paths, got the single path 'a.png'"),
        (dict(images=[]), ValueError, "at least one image"),
        (dict(images=torch.zeros(2, 3, 32, 32)), ValueError, r"\(B, 3, 64, 64\).*got \(2, 3, 32"),
        (dict(images=2 * torch.ones(1, 3, 64, 64)), ValueError, "from 0 to 1"),
        (dict(weights="nowhere.pt"), FileNotFoundError, "no weights at 'nowhere.pt'"),
        (dict(weights=torch.nn.ReLU()), TypeError, "path of a checkpoint or a YOLO, got"),
        (dict(weights="yolo11n-cls.yaml"), ValueError, "classify"),
        (dict(weights="rtdetr-l.yaml"), ValueError, "RTDETRDecoder gives boxes"),
        (dict(weights="yolo11n.yaml", end2end=True), ValueError, "without suppression"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_exported_is_named(how, error, message, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    how = {"weights": weights, "imgsz": SIZE} | how
    if str(how["weights"]).endswith(".yaml"):
        how["weights"] = (RTDETR if "rtdetr" in how["weights"] else YOLO)(how["weights"])
    with pytest.raises(error, match=message):
        yolo.export(**how)
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder.onnx"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_onnx_the_remedy_is_named(missing, weights, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"onnx and onnxruntime.*pip install 'dynconv\[export\]'"):
        yolo.export(weights)


def test_a_head_that_cannot_be_set_is_named(monkeypatch):
    """In ultralytics 8.4.0 `end2end` has no setter."""
    network = yolo.build("yolov10n-dynamicconv-1").model
    monkeypatch.setattr(type(network.model[-1]), "end2end", property(lambda head: True))
    prepared(network, True)
    with pytest.raises(ValueError, match="end2end=True and cannot be set to False"):
        prepared(network, False)
