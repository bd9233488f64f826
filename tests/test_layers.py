"""DynamicConv against the tutorials' module, built here from timm's CondConv2d, and its own
promises.
"""

import io

import pytest
import torch
from timm.layers import CondConv2d
from torch import nn

from dynconv import DynamicConv


class TutorialDynamicConv(nn.Module):
    """The module of ParameterNet's code and of the tutorials: global average pooling, Linear,
    sigmoid, timm's CondConv2d.
    """

    def __init__(
        self,
        cin,
        cout,
        kernel_size=1,
        stride=1,
        padding="",
        dilation=1,
        groups=1,
        bias=False,
        num_experts=4,
    ):
        super().__init__()
        self.routing = nn.Linear(cin, num_experts)
        self.cond_conv = CondConv2d(
            cin, cout, kernel_size, stride, padding, dilation, groups, bias, num_experts
        )

    def forward(self, x):
        pooled = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.cond_conv(x, torch.sigmoid(self.routing(pooled)))


@pytest.mark.parametrize("padding", ["", "same", "valid", 1, 2])
@pytest.mark.parametrize(
    "kernel_size, stride, dilation",
    [(1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (4, 2, 1), (2, 1, 1)],
)
@pytest.mark.parametrize("groups, bias, num_experts", [(1, False, 4), (2, True, 3)])
def test_gives_the_output_of_the_tutorials_module_for_its_state_dict(
    padding, kernel_size, stride, dilation, groups, bias, num_experts
):
    arguments = (4, 6, kernel_size, stride, padding, dilation, groups, bias, num_experts)
    theirs, ours = TutorialDynamicConv(*arguments).double(), DynamicConv(*arguments).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)  # and the reverse
    x = torch.randn(3, 4, 13, 11, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-10)


def test_same_seed_gives_the_same_initial_weights_as_the_tutorials_module():
    torch.manual_seed(7)
    theirs = TutorialDynamicConv(4, 6, 3, bias=True).state_dict()
    torch.manual_seed(7)
    ours = DynamicConv(4, 6, 3, bias=True).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_each_expert_starts_like_a_conv2d():
    layer, static = DynamicConv(16, 64, 3, bias=True, num_experts=3), nn.Conv2d(16, 64, 3)
    bound = static.weight.abs().max().item()  # uniform in ±1/√fan_in
    for expert, bias in zip(layer.weight, layer.cond_conv.bias):
        assert expert.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert expert.std().item() == pytest.approx(static.weight.std().item(), rel=0.05)
        assert bias.abs().max() <= 1 / (16 * 9) ** 0.5
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_alpha_is_sigmoid_by_default_and_softmax_with_temperature():
    x = torch.randn(5, 8, 6, 6)
    layer = DynamicConv(8, 4, 3)
    logits = x.mean((2, 3)) @ layer.routing.weight.T + layer.routing.bias
    torch.testing.assert_close(layer.alpha(x), 1 / (1 + torch.exp(-logits)))
    softmax = DynamicConv(8, 4, 3, routing_activation="softmax", temperature=3.0)
    softmax.load_state_dict(layer.state_dict())
    exponentials = torch.exp(logits / 3.0)
    torch.testing.assert_close(softmax.alpha(x), exponentials / exponentials.sum(1, keepdim=True))
    softmax.temperature = 1e6  # may be changed in training
    torch.testing.assert_close(softmax.alpha(x), torch.full((5, 4), 0.25), rtol=0, atol=1e-4)


def test_forward_uses_the_alpha_that_it_reports():
    layer, x = (
        DynamicConv(3, 5, 3, bias=True).double(),
        torch.randn(4, 3, 8, 8, dtype=torch.float64),
    )
    alpha = layer.alpha(x)
    terms = [
        alpha[:, i, None, None, None]
        * nn.functional.conv2d(x, layer.weight[i], layer.cond_conv.bias[i], padding=1)
        for i in range(4)
    ]
    torch.testing.assert_close(layer(x), sum(terms), rtol=0, atol=1e-10)


def test_one_expert_with_open_gate_is_a_convolution():
    layer, static = DynamicConv(4, 8, 3, num_experts=1), nn.Conv2d(4, 8, 3, padding=1, bias=False)
    layer.cond_conv.weight.data.copy_(static.weight.flatten()[None])
    layer.routing.weight.data.zero_()
    layer.routing.bias.data.fill_(100.0)  # sigmoid(100) = 1
    x = torch.randn(2, 4, 7, 7)
    torch.testing.assert_close(layer(x), static(x))


def test_every_parameter_gets_a_gradient_and_training_reduces_the_loss():
    torch.manual_seed(0)
    layer, x, target = (
        DynamicConv(3, 4, 3, 2, bias=True),
        torch.randn(8, 3, 12, 12),
        torch.randn(8, 4, 6, 6),
    )
    optimizer, losses = torch.optim.SGD(layer.parameters(), 0.1), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        losses.append(loss.item())
        assert all(p.grad.abs().sum() > 0 for p in layer.parameters())
        optimizer.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same", "stride": (2, 1), "dilation": (2, 3), "groups": 2},
        {"padding": (2, 1), "stride": (1, 2), "dilation": (3, 2), "bias": True},
    ],
)
def test_a_scripted_layer_gives_the_same(options, folded):
    layer = DynamicConv(4, 6, (3, 2), **options).double().eval()
    if folded:
        layer.shift = nn.Parameter(torch.randn(6, dtype=torch.float64))
    x = torch.randn(3, 4, 14, 10, dtype=torch.float64)
    torch.testing.assert_close(torch.jit.script(layer)(x), layer(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "options, said",
    [
        ({}, "padding=(0, 0), num_experts=4, routing_activation='sigmoid'"),
        ({"dilation": (1, 2)}, "padding=(0, 0), dilation=(1, 2), num_experts=4,"),
        ({"padding": "same", "groups": 2}, "padding='same', groups=2, num_experts=4,"),
        ({"num_experts": 3, "bias": True}, "padding=(0, 0), num_experts=3,"),
    ],
)
def test_what_a_layer_says_of_itself(options, said):
    layer = DynamicConv(4, 6, stride=2, **options)
    assert layer.extra_repr().startswith(f"4, 6, kernel_size=(1, 1), stride=(2, 2), {said}")
    assert layer.extra_repr().endswith("'sigmoid'")
    layer.shift = nn.Parameter(torch.zeros(6))
    assert layer.extra_repr().endswith("'sigmoid', BatchNorm folded")
    layer = DynamicConv(4, 6, **options, routing_activation="softmax", temperature=2)
    assert layer.extra_repr().endswith("routing_activation='softmax', temperature=2")
    assert repr(DynamicConv(4, 6, 3, bias=True, groups=2).cond_conv) == (
        "Experts(4 kernels of shape (6, 2, 3, 3), bias=True)"
    )


def test_a_layer_of_another_version_is_named_and_one_of_before_folding_is_taken():
    layer = DynamicConv(4, 6, 3)
    state = layer.__getstate__()
    del state["_parameters"]["shift"]
    copy = DynamicConv.__new__(DynamicConv)
    copy.__setstate__(state)
    x = torch.randn(2, 4, 5, 5)
    assert copy.shift is None and torch.equal(copy(x), layer(x))
    del state["groups"], state["temperature"]
    with pytest.raises(
        TypeError, match="another version of dynconv: it has no groups, temperature"
    ):
        copy.__setstate__(state)


def test_empty_batch_saving_copying_and_autocast():
    layer = DynamicConv(4, 8, 3, 2, bias=True)
    assert layer(torch.empty(0, 4, 10, 8)).shape == (0, 8, 5, 4)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    copy = torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    x = torch.randn(2, 4, 10, 8)
    torch.testing.assert_close(copy(x), layer(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(num_experts=0), ValueError, "num_experts must be at least 1, got 0"),
        (dict(num_experts=2.0), TypeError, "num_experts must be an int, got 2.0"),
        (dict(in_features=0), ValueError, "in_features must be at least 1"),
        (
            dict(groups=3),
            ValueError,
            "groups must divide in_features = 4 and out_features = 8, got 3",
        ),
        (
            dict(padding="full"),
            ValueError,
            "unknown padding 'full': expected '' or None, 'same', 'valid'",
        ),
        (dict(out_features=0), ValueError, "out_features must be at least 1"),
        (dict(out_features=9, groups=2), ValueError, "in_features = 4 and out_features = 9, got 2"),
        (dict(groups=0), ValueError, "^groups must be at least 1, got 0"),
        (dict(num_experts=2**10 + 1), ValueError, "num_experts must be at most 1024, got 1025"),
        (dict(dilation=0), ValueError, "^dilation must be at least 1, got 0"),
        (dict(stride=0), ValueError, "^stride must be at least 1, got 0"),
        (dict(padding=-1), ValueError, "^padding must be at least 0, got -1"),
        (dict(bias="no"), TypeError, "^bias must be True or False, got 'no'"),
        (dict(routing_activation=None), ValueError, "one of .'sigmoid', 'softmax'., got None"),
        (
            dict(routing_activation="softmax", temperature=float("inf")),
            ValueError,
            "must be positive and finite",
        ),
        (dict(kernel_size=0), ValueError, "kernel_size must be at least 1, got 0"),
        (dict(stride=(2, 2, 2)), TypeError, "stride must be an int or a pair"),
        (
            dict(routing_activation="relu"),
            ValueError,
            "routing_activation must be one of .* got 'relu'",
        ),
        (
            dict(routing_activation="softmax", temperature=0),
            ValueError,
            "temperature must be positive",
        ),
        (dict(temperature="1"), TypeError, "temperature must be a number, got '1'"),
        (dict(temperature=2.0), ValueError, "1 for sigmoid routing, got 2.0"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        DynamicConv(**{**dict(in_features=4, out_features=8, kernel_size=3), **change})


@pytest.mark.parametrize(
    "x, error, message",
    [
        (torch.ones(2, 5, 8, 8), ValueError, r"\(B, 4, H, W\), got \(2, 5, 8, 8\)"),
        (
            torch.ones(4, 8, 8),
            ValueError,
            r"x must have 4 dimensions \(B, 4, H, W\), got shape \(4, 8, 8\)",
        ),
        ([1.0], TypeError, r"x must be a torch.Tensor of shape \(B, 4, H, W\), got list"),
        (
            torch.ones(2, 4, 8, 8, dtype=torch.float64),
            TypeError,
            "x is torch.float64 but the layer is torch.float32: convert one",
        ),
        (
            torch.ones(2, 4, 8, 8, device="meta"),
            ValueError,
            r"x is on meta but the layer is on cpu: move one of them",
        ),
        (
            torch.ones(2, 4, 8, 8, dtype=torch.long),
            TypeError,
            "must be floating point, got torch.int64",
        ),
        (torch.ones(2, 4, 1, 0), ValueError, "at least one pixel"),
    ],
)
def test_bad_inputs_are_named(x, error, message):
    with pytest.raises(error, match=message):
        DynamicConv(4, 8, 3, padding="valid")(x)
