"""Stock weights in a network with dynamic layers: what is equal, what scales, what is reported,
what is refused.
"""

import re

import pytest
import torch
from life import TINY, make_data, output, run_python
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules import Conv

import dynconv
from dynconv import yolo


def used_conv(*arguments):
    """A Conv with BatchNorm statistics that matter."""
    conv = Conv(*arguments).eval()
    for tensor in (conv.bn.weight, conv.bn.bias, conv.bn.running_mean):
        nn.init.uniform_(tensor, -1, 1)
    nn.init.uniform_(conv.bn.running_var, 0.5, 2)
    return conv


def test_an_upcycled_layer_gives_the_stock_output_times_the_sum_of_alpha():
    stock, x = nn.Conv2d(6, 8, 3, 2, 1, groups=2), torch.randn(5, 6, 9, 9)
    for routing, normalise in (("sigmoid", False), ("softmax", False), ("softmax", True)):
        layer = dynconv.DynamicConv(
            6, 8, 3, 2, groups=2, bias=True, num_experts=3, routing_activation=routing
        )
        report = yolo.upcycle(layer, stock, normalise)
        assert (
            report.experts == {"cond_conv.weight": "weight", "cond_conv.bias": "bias"}
            and not report.unused
        )
        assert set(report.left_out) == {"routing.weight", "routing.bias"}
        torch.testing.assert_close(
            output(layer, x), output(stock, x) * layer.alpha(x).sum(1)[:, None, None, None]
        )
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
        assert {stock for ours, stock in report.copied.items()} == {
            f"0.bn.{key}" for key in stock.bn.state_dict()
        } and not report.unused
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
    for (
        module
    ) in stock.model.modules():  # as after some training: BatchNorm knows the scale of its input
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
        assert list(report.experts.values()) == [
            "model.1.conv.weight",
            "model.3.conv.weight",
            "model.17.conv.weight",
        ]
        assert len(report.copied) == 592 and not report.unused
        assert set(report.left_out.values()) == {"a router, which stock does not have"}
        y = output(model.model.eval().model[:5], x)
        difference[normalise] = ((y - reference).norm() / reference.norm()).item()
    assert difference[True] < 0.15 and difference[False] > 4 * difference[True], difference


def test_the_report_says_what_stayed_and_why():
    report = yolo.upcycle(
        yolo.build("yolov10n-dynamicconv-2", nc=3), YOLO("yolov10n.yaml").model.state_dict()
    )
    assert (
        report.left_out["model.5.cond_conv.weight"] == "stock has no convolution there"
    )  # a SCDown stood there
    assert report.left_out["model.23.cv3.0.2.weight"].startswith("the shape differs")
    assert report.unused["model.1.bn.weight"] == "the model has no place for it"
    assert report.unused["model.23.cv3.0.2.weight"] == "the shape differs"
    assert re.search(
        r"^3 stock tensors copied into every expert, \d+ copied as they are\n.*\nstay", str(report)
    )
    c2f = yolo.upcycle(yolo.build("yolov10n-c2f-dynamicconv"), YOLO("yolov10n.yaml"))
    assert (
        c2f.experts["model.2.m.0.cv2.cond_conv.weight"] == "model.2.m.0.cv2.conv.weight"
        and len(c2f.experts) == 9
    )


def test_training_begins_with_the_upcycled_weights(tmp_path):
    """ultralytics builds the model anew when training begins, and would drop weights that it does
    not know of.
    """
    code = (
        "from ultralytics import YOLO; from dynconv import yolo; import torch;"
        " torch.manual_seed(1); m = yolo.build('yolov10n-dynamicconv-1'); s ="
        " YOLO('yolov10n.yaml'); yolo.upcycle(m, s); w ="
        " s.model.model[1].conv.weight.flatten().clone()\ndef look(t):"
        " print(torch.equal(t.model.model[1].cond_conv.weight[3], w)); raise"
        f" SystemExit\nm.add_callback('on_train_start', look); m.train(epochs=1, {TINY})"
    )
    assert run_python(code, make_data(tmp_path)) == "True"


FUSED = {"model.0.conv.weight": torch.zeros(16, 3, 3, 3), "model.0.conv.bias": torch.zeros(16)}


@pytest.mark.parametrize(
    "stock, error, message",
    [
        (
            "yolov10n.pt",
            TypeError,
            (
                "stock must be a YOLO or a torch.nn.Module or a state_dict, got str; for a file"
                " pass YOLO"
            ),
        ),
        (
            {"model": nn.Identity()},
            TypeError,
            "stock must be a state_dict.*but has 'model': Identity; for a checkpoint",
        ),
        ({}, TypeError, "has no entries"),
        (FUSED, ValueError, "stock is fused: it has no model.0.bn.weight"),
        ({"layer.weight": torch.zeros(1)}, ValueError, "nothing in stock fits"),
    ],
)
def test_upcycle_refuses_and_leaves_the_model_unchanged(stock, error, message):
    model = yolo.build("yolov10n-dynamicconv-1")
    before = {key: value.clone() for key, value in model.model.state_dict().items()}
    with pytest.raises(error, match=message):
        yolo.upcycle(model, stock)
    assert (
        all(torch.equal(before[key], value) for key, value in model.model.state_dict().items())
        and not model.ckpt
    )


def test_upcycle_needs_a_dynamic_model():
    with pytest.raises(ValueError, match=r"no DynamicConv to upcycle \(Conv2d\).*model.load"):
        yolo.upcycle(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    with pytest.raises(TypeError, match="model must be a YOLO or a torch.nn.Module, got int"):
        yolo.upcycle(3, nn.Conv2d(1, 1, 1))
