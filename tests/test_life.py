"""A model's life beyond building it: offline, with stock weights, loaded safely, resumed, exported, on many devices."""

import copy
import os
import re
import signal
import sys

import onnxruntime
import pytest
import torch
from life import TINY, make_data, run_python, start_python
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules import Conv

import dynconv
from dynconv import functional, offline, yolo


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the tiny data set."""
    return make_data(tmp_path_factory.mktemp("life"))


# --- offline ---------------------------------------------------------------------------------------------------------

# Writes down every question to a name server, every connection and every process that is started.
SPY = "import sys; seen = []; sys.addaudithook(lambda e, a: e in ('socket.getaddrinfo', 'socket.connect', 'subprocess.Popen') and seen.append((e, str(a[:2])))); "
TRAIN = f"from ultralytics import YOLO; YOLO({str(yolo.path('yolov10n-dynamicconv-1'))!r}).train(epochs=1, name='run', {TINY}); "
BARE = {"YOLO_OFFLINE": None, "YOLO_AUTOINSTALL": None}  # the environment of a reader who set nothing


def test_a_training_run_asks_no_host_for_anything(data, tmp_path):
    code = SPY + "import dynconv.offline; dynconv.offline.stay_offline(); " + TRAIN + "print([s for s in seen if 'pip' in s[1] or 'socket' in s[0]])"
    assert run_python(code, data, **BARE, YOLO_CONFIG_DIR=str(tmp_path)) == "[]"


def test_importing_dynconv_switches_nothing(tmp_path):
    code = "import os, dynconv, dynconv.yolo; print([n for n in ('YOLO_OFFLINE', 'YOLO_AUTOINSTALL') if n in os.environ])"
    assert run_python(code, tmp_path, **BARE) == "[]"


def test_too_late_is_an_error_that_changes_nothing(tmp_path):
    code = (
        "import os, ultralytics.utils; from dynconv import offline\n"
        "try: offline.stay_offline()\n"
        "except RuntimeError as error: print(str(error)[:31], 'Restart' in str(error), 'YOLO_OFFLINE' in os.environ)"
    )
    assert run_python(code, tmp_path, **BARE) == "stay_offline() came too late: u True False"
    again = "from dynconv import offline; offline.stay_offline(); import ultralytics.utils as u; offline.stay_offline(); print(u.ONLINE, u.AUTOINSTALL)"
    assert run_python(again, tmp_path, **BARE) == "False False"


def test_online_again_as_before(monkeypatch):
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    monkeypatch.delenv("YOLO_AUTOINSTALL", raising=False)
    monkeypatch.delitem(sys.modules, "ultralytics.utils", raising=False)  # as if ultralytics were not imported
    offline.stay_offline()
    offline.stay_offline()
    assert {name: os.environ[name] for name in offline.SWITCHES} == offline.SWITCHES and offline.is_offline()
    offline.go_online()
    assert os.environ["YOLO_OFFLINE"] == "1" and "YOLO_AUTOINSTALL" not in os.environ
    os.environ["YOLO_OFFLINE"] = "false"
    offline.go_online()  # nothing to take back
    assert os.environ["YOLO_OFFLINE"] == "false" and not offline.is_offline()


def test_a_download_is_refused_with_the_remedy_and_only_while_offline(monkeypatch, tmp_path):
    from ultralytics.data import utils
    from ultralytics.utils import downloads

    asked = []
    monkeypatch.setattr("requests.head", lambda url, **_: asked.append(url) or type("Answer", (), {"ok": True}))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    assert utils.safe_download is downloads.safe_download
    with pytest.raises(ConnectionError, match=r"yolov10n.pt is not on this machine.*go_online\(\)"):
        downloads.attempt_download_asset(tmp_path / "yolov10n.pt")
    assert not downloads.is_url("https://example.org/Arial.ttf", check=True) and not asked
    assert downloads.is_url("https://example.org/image.jpg") and not downloads.is_url("image.jpg")
    (tmp_path / "here.txt").write_text("local")
    assert downloads.safe_download(tmp_path / "here.txt") == tmp_path / "here.txt"
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    assert downloads.is_url("https://example.org/Arial.ttf", check=True) and asked == ["https://example.org/Arial.ttf"]


# --- upcycling -------------------------------------------------------------------------------------------------------


def used_conv(*arguments):
    """A Conv with BatchNorm statistics that matter."""
    conv = Conv(*arguments).eval()
    for tensor in (conv.bn.weight, conv.bn.bias, conv.bn.running_mean):
        nn.init.uniform_(tensor, -1, 1)
    nn.init.uniform_(conv.bn.running_var, 0.5, 2)
    return conv


def output(model, x):
    with torch.no_grad():
        y = model(x)
    return y[0] if isinstance(y, (list, tuple)) else y


def test_an_upcycled_layer_gives_the_stock_output_times_the_sum_of_alpha():
    stock, x = nn.Conv2d(6, 8, 3, 2, 1, groups=2), torch.randn(5, 6, 9, 9)
    for routing, normalise in (("sigmoid", False), ("softmax", False), ("softmax", True)):
        layer = dynconv.DynamicConv(6, 8, 3, 2, groups=2, bias=True, num_experts=3, routing_activation=routing)
        report = yolo.upcycle(layer, stock, normalise)
        assert report.experts == {"cond_conv.weight": "weight", "cond_conv.bias": "bias"} and not report.unused
        assert set(report.left_out) == {"routing.weight", "routing.bias"}
        torch.testing.assert_close(output(layer, x), output(stock, x) * layer.alpha(x).sum(1)[:, None, None, None])
        if routing == "softmax":
            torch.testing.assert_close(output(layer, x), output(stock, x))


@pytest.mark.parametrize("experts", [2, 4, 8])
def test_sigmoid_starts_about_half_m_times_too_large_and_normalise_takes_it_back(experts):
    stock, x = used_conv(8, 16, 3), torch.randn(4, 8, 12, 12)
    errors = {}
    for normalise in (False, True):
        torch.manual_seed(0)
        block = dynconv.DynamicConvBNAct(8, 16, 3, num_experts=experts).eval()
        block.norm.eps = stock.bn.eps
        report = yolo.upcycle(nn.ModuleDict({"0": block}), nn.ModuleDict({"0": stock}), normalise)
        assert {stock for ours, stock in report.copied.items()} == {f"0.bn.{key}" for key in stock.bn.state_dict()} and not report.unused
        factor = block.conv.alpha(x).sum(1).mean().item() * (2 / experts if normalise else 1)
        assert factor == pytest.approx(1 if normalise else experts / 2, rel=0.15)
        errors[normalise] = (output(block, x) - output(stock, x)).norm() / output(stock, x).norm()
        with torch.no_grad():  # at zero logits the normalised block is the stock block
            nn.init.zeros_(block.conv.routing.weight), nn.init.zeros_(block.conv.routing.bias)
        if normalise:
            torch.testing.assert_close(output(block, x), output(stock, x))
    assert errors[True] < 0.25 and (experts == 2 or errors[False] > 2 * errors[True])


def test_a_whole_network_starts_near_the_stock_one_with_normalise_only():
    torch.manual_seed(0)
    stock = YOLO("yolov10n.yaml")
    for module in stock.model.modules():  # as after some training: BatchNorm knows the scale of its input
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    stock.model.train()
    with torch.no_grad():
        for _ in range(2):
            stock.model(torch.rand(2, 3, 64, 64))
    stock.model.eval()
    x = torch.rand(2, 3, 64, 64)
    reference, difference = stock.model.model[:5](x), {}
    for normalise in (False, True):
        model = yolo.build("yolov10n-dynamicconv-1-bn-act")
        report = yolo.upcycle(model, stock, normalise)
        assert list(report.experts.values()) == ["model.1.conv.weight", "model.3.conv.weight", "model.17.conv.weight"]
        assert len(report.copied) == 592 and not report.unused
        assert set(report.left_out.values()) == {"a router, which stock does not have"}
        y = output(model.model.eval().model[:5], x)
        difference[normalise] = ((y - reference).norm() / reference.norm()).item()
    assert difference[True] < 0.15 and difference[False] > 4 * difference[True], difference


def test_the_report_says_what_stayed_and_why():
    report = yolo.upcycle(yolo.build("yolov10n-dynamicconv-2", nc=3), YOLO("yolov10n.yaml").model.state_dict())
    assert report.left_out["model.5.cond_conv.weight"] == "stock has no convolution there"  # a SCDown stood there
    assert report.left_out["model.23.cv3.0.2.weight"].startswith("the shape differs")
    assert report.unused["model.1.bn.weight"] == "the model has no place for it"
    assert report.unused["model.23.cv3.0.2.weight"] == "the shape differs"
    assert re.search(r"^3 stock tensors copied into every expert, \d+ copied as they are\n.*\nstay", str(report))
    c2f = yolo.upcycle(yolo.build("yolov10n-c2f-dynamicconv"), YOLO("yolov10n.yaml"))
    assert c2f.experts["model.2.m.0.cv2.cond_conv.weight"] == "model.2.m.0.cv2.conv.weight" and len(c2f.experts) == 9


def test_training_begins_with_the_upcycled_weights(data):
    """ultralytics builds the model anew when training begins, and would drop weights that it does not know of."""
    code = (
        "from ultralytics import YOLO; from dynconv import yolo; import torch; torch.manual_seed(1); "
        "m = yolo.build('yolov10n-dynamicconv-1'); s = YOLO('yolov10n.yaml'); yolo.upcycle(m, s); seen = []; "
        "w = s.model.model[1].conv.weight.flatten().clone(); "
        "m.add_callback('on_train_start', lambda t: seen.append(torch.equal(t.model.model[1].cond_conv.weight[3], w))); "
        f"m.train(epochs=1, name='upcycled', {TINY}); print(seen)"
    )
    assert run_python(code, data) == "[True]"


FUSED = {"model.0.conv.weight": torch.zeros(16, 3, 3, 3), "model.0.conv.bias": torch.zeros(16)}


@pytest.mark.parametrize("stock, error, message", [
    ("yolov10n.pt", TypeError, "stock must be a YOLO or a torch.nn.Module or a state_dict, got str; for a file pass YOLO"),
    ({"model": nn.Identity()}, TypeError, "stock must be a state_dict.*but has 'model': Identity; for a checkpoint"),
    ({}, TypeError, "has no entries"),
    (FUSED, ValueError, "stock is fused: it has no model.0.bn.weight"),
    ({"layer.weight": torch.zeros(1)}, ValueError, "nothing in stock fits"),
])  # fmt: skip
def test_upcycle_refuses_and_leaves_the_model_unchanged(stock, error, message):
    model = yolo.build("yolov10n-dynamicconv-1")
    before = {key: value.clone() for key, value in model.model.state_dict().items()}
    with pytest.raises(error, match=message):
        yolo.upcycle(model, stock)
    assert all(torch.equal(before[key], value) for key, value in model.model.state_dict().items()) and not model.ckpt


def test_upcycle_needs_a_dynamic_model():
    with pytest.raises(ValueError, match=r"no DynamicConv to upcycle \(Conv2d\).*model.load"):
        yolo.upcycle(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    with pytest.raises(TypeError, match="model must be a YOLO or a torch.nn.Module, got int"):
        yolo.upcycle(3, nn.Conv2d(1, 1, 1))


# --- safe loading ----------------------------------------------------------------------------------------------------

# All five classes of the package in one network: a row of each.
EVERY_CLASS = """
from ultralytics import YOLO; import yaml; from dynconv import yolo
d = yaml.safe_load(yolo.path('yolov10n-c2f-dynamicconv').read_text()); d['scale'] = 'n'
d['backbone'][1][2], d['backbone'][3][2] = 'DynamicConv', 'DynamicConvBNAct'
yaml.safe_dump(d, open('yolov10n-every.yaml', 'w'), sort_keys=False)
"""


def test_with_safe_load_a_run_trains_to_its_end_and_reloads_once_the_layers_are_allowed(data):
    code = EVERY_CLASS + (
        "yolo.allow_safe_load(); m = YOLO('yolov10n-every.yaml'); "
        f"r = m.train(epochs=1, name='safe', {TINY}); print(r.save_dir)"
    )
    folder = run_python(code, data, ULTRALYTICS_SAFE_LOAD="1")
    load = f"from ultralytics import YOLO; m = YOLO('{folder}/weights/best.pt'); print(type(m.model.model[3]).__name__)"
    assert run_python("from dynconv import yolo; yolo.allow_safe_load(); " + load, data, ULTRALYTICS_SAFE_LOAD="1") == "DynamicConvBNAct"
    refused = (
        "from ultralytics import YOLO; import dynconv.yolo\n"
        f"try: YOLO('{folder}/weights/best.pt')\n"
        "except TypeError as error: print('outside the supported' in str(error))"
    )
    assert run_python(refused, data, ULTRALYTICS_SAFE_LOAD="1") == "True", "importing dynconv allows nothing"


def test_classes_of_the_reader_can_be_allowed_too(monkeypatch):
    allowed = []
    monkeypatch.setattr(torch.serialization, "add_safe_globals", allowed.extend)
    yolo.allow_safe_load(nn.Identity)
    assert nn.Identity in allowed and dynconv.DynamicConv in allowed
    allowed.clear()
    with pytest.raises(TypeError, match="subclasses of torch.nn.Module, got 'DynamicConv'"):
        yolo.allow_safe_load(nn.Identity, "DynamicConv")
    assert not allowed


# --- killed and resumed, validated, predicted ------------------------------------------------------------------------


def test_a_run_killed_in_its_second_epoch_is_resumed_in_a_new_process(data):
    code = (
        "import os, signal, torch; from dynconv import yolo; torch.manual_seed(0); m = yolo.build('yolov10n-dynamicconv-1-bn-act'); "
        "m.add_callback('on_train_batch_start', lambda t: t.epoch == 1 and os.kill(os.getpid(), signal.SIGKILL)); "
        f"m.train(epochs=3, name='killed', {TINY})"
    )
    process = start_python(code, data)
    out, err = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, out[-500:] + err[-1500:]
    # Without importing dynconv: loading the checkpoint does. EMA is the running mean of the weights that best.pt keeps.
    code = (
        "import torch; from ultralytics import YOLO; m = YOLO('killed/weights/last.pt'); seen = []\n"
        "m.add_callback('on_train_epoch_start', lambda t: seen.append((t.epoch, t.ema.updates)))\n"
        "m.add_callback('on_train_epoch_end', lambda t: seen.append(type(t.ema.ema.model[1].conv).__name__ + str(not torch.equal("
        "t.ema.ema.model[1].conv.cond_conv.weight, t.model.model[1].conv.cond_conv.weight))))\n"
        "m.train(resume=True); print(seen)"
    )
    assert run_python(code, data) == "[(1, 1), 'DynamicConvTrue', (2, 2), 'DynamicConvTrue']"
    assert len((data / "killed/results.csv").read_text().splitlines()) == 1 + 3
    code = (
        "from ultralytics import YOLO; m = YOLO('killed/weights/best.pt'); "
        f"box = m.val({TINY}, name='val').box; "
        "r = m.predict([f'images/val/{i}.png' for i in range(3)], imgsz=64, batch=3, verbose=False); "
        "one = [m.predict(f'images/val/{i}.png', imgsz=64, verbose=False)[0] for i in range(3)]; "
        "print(0 <= box.map <= 1, len(r), all(a.boxes.data.allclose(b.boxes.data, atol=1e-2) for a, b in zip(r, one)))"
    )
    assert run_python(code, data) == "True 3 True"


def test_a_batch_gets_one_kernel_per_image_in_a_whole_network():
    """What predict(batch=...) rests on, with detections or without."""
    model, x = yolo.build("yolov10n-dynamicconv-2").model.eval(), torch.rand(3, 3, 64, 64)
    x[1] *= 0.1  # so that the routers see different images
    torch.testing.assert_close(output(model.model[:9], x), torch.cat([output(model.model[:9], x[i : i + 1]) for i in range(3)]))


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    dict(kernel_size=3), dict(kernel_size=3, stride=2, bias=True), dict(kernel_size=(1, 3), groups=2), dict(kernel_size=1),
    dict(kernel_size=3, dilation=2, padding="same", bias=True, groups=4),
])  # fmt: skip
def test_export_mode_computes_the_same_and_traces_for_any_batch_and_size(options):
    layer, x = dynconv.DynamicConv(8, 12, **options).eval(), torch.randn(2, 8, 10, 11)
    with dynconv.export_mode():
        torch.testing.assert_close(output(layer, x), layer(x))
        traced = torch.jit.trace(layer, x, check_trace=False)
    sizes = [(1, 8, 10, 11), (5, 8, 10, 11)] + ([] if options.get("padding") == "same" else [(3, 8, 7, 16)])
    for size in sizes:
        x = torch.randn(size)
        torch.testing.assert_close(output(traced, x), output(layer, x))


def test_export_mode_ends_with_its_block_also_after_an_error():
    before = functional.choose_path
    with pytest.raises(KeyError), dynconv.export_mode():
        assert functional.choose_path is not before
        raise KeyError
    assert functional.choose_path is before


def exported(format, model, **options):
    """A function that runs the exported file."""
    file = model.export(format=format, imgsz=64, **options)
    if format == "torchscript":
        return torch.jit.load(file)
    session = onnxruntime.InferenceSession(file)
    return lambda x: torch.from_numpy(session.run(None, {"images": x.numpy()})[0])


@pytest.mark.parametrize("format, name, simplify", [
    ("onnx", "yolov10n-dynamicconv-2-bn-act", {"simplify": True}),
    ("onnx", "yolov10n-c2f-dynamicconv", {"simplify": False}),
    ("torchscript", "yolov10n-dynamicconv-1", {}),
])  # fmt: skip
def test_an_exported_network_takes_any_batch_and_gives_what_torch_gives(format, name, simplify, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = yolo.build(name)
    reference = copy.deepcopy(model.model).eval().fuse(verbose=False)
    with dynconv.export_mode():
        run = exported(format, model, dynamic=True, **simplify)
    for size in [(1, 3, 64, 64), (2, 3, 64, 64), (5, 3, 64, 64)] + [(2, 3, 96, 64)] * (format == "onnx"):
        x = torch.rand(size)
        torch.testing.assert_close(run(x), output(reference, x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_a_fixed_batch_needs_no_export_mode_and_refuses_another_batch(format, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for batch in (1, 3):
        model = yolo.build("yolov10n-dynamicconv-1")
        reference, x = copy.deepcopy(model.model).eval().fuse(verbose=False), torch.rand(batch, 3, 64, 64)
        run = exported(format, model, batch=batch)
        torch.testing.assert_close(run(x), output(reference, x), rtol=1e-3, atol=1e-3)
        with pytest.raises(Exception, match="(?i)got: 2|invalid|size|shape|weight"):
            run(torch.rand(2, 3, 64, 64))
