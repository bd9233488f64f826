"""BatchNorm folded into the experts: the same outputs, or a refusal that leaves all as it was."""

import copy
import io
import re

import pytest
import torch
from life import make_data, output
from tiny import OPTIONS
from torch import nn
from ultralytics import YOLO

import dynconv
from dynconv import DynamicConv, DynamicConvBNAct, yolo

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def lived_in(network):
    """The network in eval mode, each BatchNorm as after some training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.3, 2)
            if module.affine:
                nn.init.uniform_(module.weight, -1, 2)
                nn.init.normal_(module.bias)
    return network.eval()


def check_same(network, before, *inputs):
    """Relative to the largest output: that is what rounding is measured by."""
    for x in inputs:
        y, expected = output(network, x), output(before, x)
        assert (y - expected).abs().max() <= TOLERANCE[x.dtype] * expected.abs().max()


def norms(network):
    return [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "options, norm",
    [
        (dict(kernel_size=3), {}),
        (dict(kernel_size=(1, 3), groups=2, bias=True, num_experts=3), {"eps": 0.1}),
        (dict(bias=True, routing_activation="softmax", temperature=4), {"affine": False}),
        (dict(kernel_size=3, padding="same", dilation=2), {}),
    ],
    ids=["plain", "groups and biases", "softmax, not affine", "same"],
)
def test_the_outputs_stay_what_they_were(options, norm, dtype):
    layer, behind = DynamicConv(8, 12, **options), nn.BatchNorm2d(12, **norm)
    network = lived_in(nn.Sequential(layer, behind, nn.SiLU())).to(dtype)
    before = copy.deepcopy(network)
    report = dynconv.fold_batchnorm(network)
    assert report == ({"0": "1"}, {}) and not norms(network)
    check_same(network, before, torch.randn(3, 8, 9, 10, dtype=dtype))
    for path in ("by_groups", "by_sample", "by_matmul"):
        with dynconv.functional.use_path(getattr(dynconv.functional, path)):
            check_same(network, before, torch.randn(2, 8, 7, 9, dtype=dtype))


def test_a_bias_for_each_expert_would_be_wrong_unless_alpha_sums_to_one():
    """Why there is a shift: the chapter says so."""
    for activation in ("sigmoid", "softmax"):
        layer = DynamicConv(4, 6, 3, bias=True, routing_activation=activation).double()
        network = lived_in(nn.Sequential(layer, nn.BatchNorm2d(6)).double())
        x = torch.randn(2, 4, 8, 8).double()
        expected = output(network, x)
        dynconv.fold_batchnorm(network)
        with torch.no_grad():
            layer.cond_conv.bias += layer.shift
            layer.shift.zero_()
        assert torch.allclose(output(network, x), expected) == (activation == "softmax")


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("first", ["fold", "fuse"])
@pytest.mark.parametrize(
    "name", ["yolov10n-dynamicconv-2-bn-act", "yolo11n-dynamicconv-bn-act", "rows"]
)
def test_a_whole_yolo_with_its_own_fuse(name, first, dtype, tmp_path):
    if name == "rows":  # a BatchNorm that is a row of its own
        rows = [["Conv", [16, 3, 2]], ["DynamicConv", [16, 3, 2]], ["nn.BatchNorm2d", []]]
        rows += [["C2f_DynamicConv", [16]], ["DynamicConvBNAct", [16, 3, 2]], ["Conv", [16, 3, 2]]]
        rows = [[-1, 1, *row] for row in rows]
        head = [[[3, 4, 5], 1, "Detect", ["nc"]]]
        file = tmp_path / "rows.yaml"
        file.write_text(str({"nc": 2, "backbone": rows, "head": head}))
        model = YOLO(file)
    else:
        model = yolo.build(name)
    x = torch.rand(2, 3, 64, 64, dtype=dtype)
    with torch.no_grad():
        model.model.to(dtype).train()(x)  # BatchNorms that fit the network, as after training
    before = copy.deepcopy(model.model.eval())
    dynamic = sum(isinstance(one, DynamicConv) for one in model.model.modules())
    if first == "fuse":
        model.fuse()
    report = dynconv.fold_batchnorm(model)
    check_same(model.model, before, x)
    if first == "fold":
        model.fuse()
    check_same(model.model, before, x)
    assert len(report.folded) + len(report.left) == dynamic and not norms(model.model)
    if name == "rows":
        assert report.folded == {"model.1": "model.2", "model.4.conv": "model.4.norm"}
        assert report.left == {"model.3.m.0.cv2": "behind it stands cat, no plain BatchNorm"}
    check_same(copy.deepcopy(model.model), before, x)
    model.save(tmp_path / "folded.pt")
    if dtype == torch.float32:  # in which ultralytics loads
        check_same(YOLO(tmp_path / "folded.pt").model.eval(), before, x)


def test_what_would_put_fresh_batchnorms_behind_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(make_data(tmp_path))
    model = yolo.build("yolov10n-dynamicconv-1-bn-act")
    model.model.eval()
    dynconv.fold_batchnorm(model)
    model.save(tmp_path / "folded.pt")
    with pytest.raises(ValueError, match="Train from the checkpoint of before"):
        YOLO("folded.pt").train(epochs=1, project=str(tmp_path), **OPTIONS)


class Block(nn.Module):
    """A reader's block, in which several things can stand behind the layer."""

    def __init__(self, forward):
        super().__init__()
        self.conv, self.other = DynamicConv(4, 4, 3), DynamicConv(4, 4, 3)
        self.bn, self.act = nn.BatchNorm2d(4), nn.ReLU()
        self.rest = nn.Sequential(DynamicConv(4, 4), nn.BatchNorm2d(4))
        self.how = forward

    def forward(self, x):
        return self.how(self, x)


def crooked(self, x):
    """A forward that torch.fx cannot follow; its part `rest` is used as a list."""
    if x.sum() > 0:
        x = -x
    return self.bn(self.conv(x)) + self.rest[1](x)


@pytest.mark.parametrize(
    "forward, folded, why",
    [
        (lambda self, x: self.act(self.bn(self.conv(x))) + x, {"conv": "bn"}, ""),
        (lambda self, x: self.bn(self.conv(x)) * self.bn(self.conv(-x)), {"conv": "bn"}, ""),
        (lambda self, x: self.rest(self.conv(x)), {"rest.0": "rest.1"}, "stands DynamicConv"),
        (lambda self, x: self.bn(self.act(self.conv(x))), {}, "stands ReLU"),
        (lambda self, x: self.bn(self.conv(x) + x), {}, "stands add"),
        (lambda self, x: self.conv(x), {}, "stands nothing"),
        (lambda self, x: self.bn(y := self.conv(x)) + y, {}, "goes to several places"),
        (lambda self, x: self.bn(x), {}, "does not call it"),
        (crooked, {}, "torch.fx cannot follow the forward of Block: .*control flow"),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_what_stands_directly_behind_is_read_from_the_forward(forward, folded, why):
    network = lived_in(Block(forward))
    before, x = copy.deepcopy(network), torch.randn(2, 4, 6, 6)
    report = dynconv.fold_batchnorm(network)
    assert report.folded == folded
    assert report.left.keys() == {"conv", "other", "rest.0"} - folded.keys()
    if why:
        assert re.search(why, report.left["conv"])
        assert report.left["conv"] in str(report)
    check_same(network, before, x)


def test_a_layer_that_was_folded_before_and_a_block_of_two_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = DynamicConv(4, 6, 3), nn.BatchNorm2d(6)

        def forward(self, x, scale, note=None):
            return self.bn(self.conv(x * scale if note is None else note))

    network, x = lived_in(Two()), torch.randn(2, 4, 6, 6)
    for _ in range(2):
        before = copy.deepcopy(network)
        assert dynconv.fold_batchnorm(network).folded == {"conv": "bn"}
        torch.testing.assert_close(network(x, 2), before(x, 2), rtol=1e-4, atol=1e-4)
        network.bn = lived_in(nn.Sequential(nn.BatchNorm2d(6)))[0]


def test_a_class_derived_from_batchnorm_may_do_more_and_stays():
    from timm.layers import BatchNormAct2d

    network = lived_in(nn.Sequential(DynamicConv(4, 6), BatchNormAct2d(6)))
    assert "stands BatchNormAct2d" in dynconv.fold_batchnorm(network).left["0"]


def shared(self, x):
    return self.bn(self.conv(x)) + self.bn(self.other(x))


@pytest.mark.parametrize(
    "network, message",
    [
        (
            lambda: nn.Sequential(DynamicConv(4, 4), nn.BatchNorm2d(4)).train(),
            "1, a BatchNorm2d.*training mode.*call model.eval",
        ),
        (
            lambda: lived_in(
                nn.Sequential(DynamicConv(4, 4), nn.BatchNorm2d(4, track_running_stats=False))
            ),
            "1, a BatchNorm2d.*no running statistics",
        ),
        (lambda: lived_in(Block(shared)), "bn, a BatchNorm2d.*something else too"),
        (lambda: lived_in(Block(lambda self, x: self.bn(self.conv(x)) + self.bn(x))), "bn, .*else"),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), "no DynamicConv"),
    ],
    ids=["training", "no statistics", "shared", "also for the input", "static"],
)
def test_what_is_refused_stays_as_it_was(network, message):
    network = nn.Sequential(network())
    good = nn.Sequential(DynamicConv(4, 4), nn.BatchNorm2d(4)).eval()
    if "no Dyn" not in message:
        network = nn.Sequential(good, *network)
        message = f"1.{message}"
    state, text = copy.deepcopy(network.state_dict()), str(network)
    with pytest.raises(ValueError, match=message):
        dynconv.fold_batchnorm(network)
    assert str(network) == text
    torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)


def test_a_path_is_no_model():
    with pytest.raises(TypeError, match="model must be a YOLO or a torch.nn.Module.*YOLO"):
        dynconv.fold_batchnorm("best.pt")


def test_a_folded_layer_is_traced_scripted_and_does_not_train_what_was_frozen():
    network = lived_in(DynamicConvBNAct(4, 6, 3)).requires_grad_(False)
    before, x = copy.deepcopy(network), torch.randn(2, 4, 6, 6)
    assert "BatchNorm folded" not in str(network.conv)
    dynconv.fold_batchnorm(network)
    assert "BatchNorm folded" in str(network.conv)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for graph in (torch.jit.script(network), torch.fx.symbolic_trace(network)):
        check_same(graph, before, x)
    assert dynconv.fold_batchnorm(network).left == {
        "conv": "behind it stands Identity, no plain BatchNorm"
    }
    buffer = io.BytesIO()
    del network.conv._parameters["shift"]  # as a layer of before there was folding
    torch.save(network, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=False).conv.shift is None


def test_half_precision_is_computed_in_more():
    network = lived_in(nn.Sequential(DynamicConv(8, 12, 3), nn.BatchNorm2d(12))).half()
    expected = copy.deepcopy(network).double()
    dynconv.fold_batchnorm(expected)
    dynconv.fold_batchnorm(network)
    torch.testing.assert_close(network.state_dict(), expected.half().state_dict(), rtol=0, atol=0)


def test_a_shift_of_another_shape_is_named():
    x, weight, alpha = torch.rand(2, 4, 5, 5), torch.rand(3, 6, 4, 1, 1), torch.rand(2, 3)
    with pytest.raises(ValueError, match=r"shift must hold.*\(Cout,\) = \(6,\), got \(3,\)"):
        dynconv.dynamic_conv2d(x, weight, alpha, shift=torch.rand(3))
