"""DCNv3 against its definition, torchvision and the original's names and shapes."""

import pytest
import torch
import torch.nn.functional as F
from definitions import dcnv3 as by_definition
from life import output, stirred

from dynconv.relatives import DCNv3, dcnv3, timing

# --- DCNv3: the core ------------------------------------------------------------------------------


def tensors(
    kernel_size=3,
    stride=1,
    pad=1,
    dilation=1,
    remove_center=False,
    groups=2,
    batch=1,
    size=(3, 4),
    channels=4,
    dtype=torch.float64,
):
    """x, offset, mask that fit each other, with gradients; some points lie outside.

    No point lies on a row or column of pixels, also scaled by 0.5 or 2: there the gradient jumps,
    and rounding would choose the side.
    """
    rows, columns = ((n + 2 * pad - dilation * (kernel_size - 1) - 1) // stride + 1 for n in size)
    shape = batch, rows, columns, groups, kernel_size**2 - remove_center
    offset = torch.randint(-6, 6, (*shape, 2)).to(dtype) / 2 + 0.25
    made = torch.randn(batch, *size, channels, dtype=dtype), offset, torch.rand(shape, dtype=dtype)
    return [tensor.requires_grad_() for tensor in made]


CORE = [  # the last four do not run in the original's layer, or only by luck of the pad
    dict(),
    dict(remove_center=True),
    dict(offset_scale=0.5),
    dict(pad=0),
    dict(groups=4, batch=2),
    dict(groups=1, size=(2, 5)),
    dict(stride=2),
    dict(kernel_size=1, pad=0),
    dict(kernel_size=5, pad=2, size=(3, 3)),
    dict(dilation=2, pad=2, offset_scale=2.0),
    dict(kernel_size=2, pad=0),
    dict(kernel_size=4, dilation=2, pad=3, stride=3, size=(5, 5)),
]


@pytest.mark.parametrize("case", CORE, ids=str)
def test_the_core_is_its_definition_in_value_and_gradient(case):
    options = {key: value for key, value in case.items() if key not in ("groups", "batch", "size")}
    inputs = tensors(**{key: value for key, value in case.items() if key != "offset_scale"})
    y, expected = dcnv3(*inputs, **options), by_definition(*inputs, **options)
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(y)
    for ours, theirs in zip(
        *(torch.autograd.grad((z * weights).sum(), inputs) for z in (y, expected))
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    "case",
    [
        dict(),
        dict(stride=2),
        dict(kernel_size=5, pad=2, groups=8),
        dict(kernel_size=2, pad=0),
        dict(dilation=2, pad=2),
    ],
    ids=str,
)
@pytest.mark.parametrize("offset_scale", [1.0, 0.5])
def test_the_core_equals_torchvision_in_single_precision(case, offset_scale):
    """On maps of real size, and the two contestants of the benchmark compute the same."""
    inputs = tensors(**case, batch=2, size=(13, 17), channels=16, dtype=torch.float32)
    k, s, p, d = (
        case.get(key, default)
        for key, default in dict(kernel_size=3, stride=1, pad=1, dilation=1).items()
    )
    y, theirs = (
        dcnv3(*inputs, k, s, p, d, offset_scale),
        timing.by_deform_conv2d(*inputs, k, s, p, d, offset_scale),
    )
    torch.testing.assert_close(y, theirs, rtol=1e-5, atol=1e-5)
    for a, b in zip(*(torch.autograd.grad(z.square().sum(), inputs) for z in (y, theirs))):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())


def test_low_precision_still_tells_the_pixels_of_a_wide_map_apart():
    x = torch.zeros(1, 1, 700, 1, dtype=torch.bfloat16)
    x[0, 0, 601] = 1
    offset, mask = (
        torch.zeros(1, 1, 700, 1, 1, 2, dtype=torch.bfloat16),
        torch.ones(1, 1, 700, 1, 1, dtype=torch.bfloat16),
    )
    y = dcnv3(x, offset, mask, kernel_size=1, pad=0)
    assert y.dtype == torch.bfloat16 and torch.equal(y, x)


def test_an_empty_batch_gives_an_empty_batch():
    assert dcnv3(*tensors(batch=0)).shape == (0, 3, 4, 4)
    assert DCNv3(8)(torch.zeros(0, 6, 7, 8)).shape == (0, 6, 7, 8)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (
            dict(mask=lambda m: m[:, :, :, :, :8]),
            ValueError,
            r"shapes \(1, 3, 4, 2, 9, 2\) and \(1, 3, 4, 2, 9\).*got.*\(1, 3, 4, 2, 8\)",
        ),
        (dict(offset=lambda o: o[:, 1:]), ValueError, r"got \(1, 2, 4, 2, 9, 2\)"),
        (
            dict(offset=lambda o: o.flatten(3)),
            ValueError,
            r"offset must have 6 dimensions \(N, H', W', G, P, 2\)",
        ),
        (
            dict(x=lambda x: x[..., :3]),
            ValueError,
            "the 2 groups of mask must divide the 3 channels of x",
        ),
        (dict(x=lambda x: x.float()), TypeError, "offset is torch.float64 but x is torch.float32"),
        (dict(x=lambda x: x[0]), ValueError, r"x must have 4 dimensions \(N, H, W, C\)"),
    ],
)
def test_the_core_refuses_what_does_not_fit(change, error, message):
    inputs = dict(zip(("x", "offset", "mask"), tensors()))
    with pytest.raises(error, match=message):
        dcnv3(**{name: change.get(name, lambda t: t)(tensor) for name, tensor in inputs.items()})


def test_an_input_that_is_too_small_is_named():
    with pytest.raises(
        ValueError,
        match="output would be empty: kernel_size=5 .* needs an input of at least 5 pixels, got 3",
    ):
        dcnv3(*tensors(), kernel_size=5, pad=0)


# --- DCNv3: the layer -----------------------------------------------------------------------------


def test_parameters_are_named_and_shaped_as_in_internimage():
    """What `DCNv3(16, group=2, center_feature_scale=True, remove_center=True).state_dict()` of
    OpenGVLab/InternImage holds.
    """
    shapes = {
        "dw_conv.0.weight": (16, 1, 3, 3),
        "dw_conv.0.bias": (16,),
        "dw_conv.1.1.weight": (16,),
        "dw_conv.1.1.bias": (16,),
        "offset.weight": (32, 16),
        "offset.bias": (32,),
        "mask.weight": (16, 16),
        "mask.bias": (16,),
        "input_proj.weight": (16, 16),
        "input_proj.bias": (16,),
        "output_proj.weight": (16, 16),
        "output_proj.bias": (16,),
        "center_feature_scale_proj_weight": (2, 16),
        "center_feature_scale_proj_bias": (2,),
    }
    layer = DCNv3(16, group=2, center_feature_scale=True, remove_center=True)
    assert {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()} == shapes
    assert layer.dw_conv[1][1].eps == 1e-6
    plain = {
        name: tuple(tensor.shape)
        for name, tensor in DCNv3(16, dw_kernel_size=5, group=1).state_dict().items()
    }
    assert plain.keys() == {name for name in shapes if not name.startswith("center")}
    assert (
        plain["dw_conv.0.weight"] == (16, 1, 5, 5)
        and plain["offset.weight"] == (18, 16)
        and plain["mask.bias"] == (9,)
    )


def test_the_layer_is_its_formula():
    layer, x = (
        stirred(DCNv3(8, group=2, offset_scale=0.7, center_feature_scale=True)),
        torch.randn(2, 5, 6, 8),
    )
    state = layer.state_dict()
    depthwise = F.conv2d(
        x.permute(0, 3, 1, 2),
        state["dw_conv.0.weight"],
        state["dw_conv.0.bias"],
        padding=1,
        groups=8,
    ).permute(0, 2, 3, 1)
    q = F.gelu(
        F.layer_norm(
            depthwise, (8,), state["dw_conv.1.1.weight"], state["dw_conv.1.1.bias"], eps=1e-6
        )
    )
    value = x @ state["input_proj.weight"].T + state["input_proj.bias"]
    offset = (q @ state["offset.weight"].T + state["offset.bias"]).reshape(2, 5, 6, 2, 9, 2)
    mask = (q @ state["mask.weight"].T + state["mask.bias"]).reshape(2, 5, 6, 2, 9).softmax(-1)
    y = by_definition(value, offset, mask, offset_scale=0.7)
    share = (
        q @ state["center_feature_scale_proj_weight"].T + state["center_feature_scale_proj_bias"]
    ).sigmoid()
    share = torch.cat(
        [share[..., :1].expand(-1, -1, -1, 4), share[..., 1:].expand(-1, -1, -1, 4)], -1
    )
    expected = (y * (1 - share) + value * share) @ state["output_proj.weight"].T + state[
        "output_proj.bias"
    ]
    torch.testing.assert_close(output(layer, x), expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_layer_starts_as_average_pooling_between_two_linear_layers():
    layer, x = DCNv3(8), torch.randn(2, 5, 6, 8)
    pooled = F.avg_pool2d(layer.input_proj(x).permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(output(layer, x), layer.output_proj(pooled).detach())


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(kernel_size=1),
        dict(kernel_size=5),
        dict(dilation=2, center_feature_scale=True),
        dict(kernel_size=5, dilation=2, remove_center=True),
    ],
    ids=str,
)
def test_where_the_original_stops_each_output_sees_what_it_sees_at_stride_1(options):
    """The convention: a stride skips outputs, a smaller pad cuts them off at the border; the others
    stay as they are.
    """
    layer, x = stirred(DCNv3(8, **options)), torch.randn(2, 11, 14, 8)
    full = output(layer, x)
    assert full.shape == x.shape
    for stride in (2, 3):
        strided = DCNv3(8, stride=stride, **options)
        strided.load_state_dict(layer.state_dict())
        torch.testing.assert_close(output(strided, x), full[:, ::stride, ::stride])
    if layer.pad:
        cut = DCNv3(8, pad=layer.pad - 1, **options)
        cut.load_state_dict(layer.state_dict())
        torch.testing.assert_close(output(cut, x), full[:, 1:-1, 1:-1])


def test_an_even_kernel_is_one_pixel_short():
    assert output(stirred(DCNv3(8, kernel_size=2)), torch.randn(1, 6, 7, 8)).shape == (1, 5, 6, 8)


def test_every_parameter_learns():
    layer = stirred(DCNv3(8, stride=2, center_feature_scale=True))
    layer(torch.randn(2, 7, 7, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(channels=10), ValueError, "group must divide the 10 channels, got 4"),
        (dict(group=0), ValueError, "group must be at least 1, got 0"),
        (
            dict(kernel_size=4, remove_center=True),
            ValueError,
            "odd kernel_size of at least 3, got 4: an even kernel has no tap",
        ),
        (
            dict(kernel_size=1, remove_center=True),
            ValueError,
            "odd kernel_size of at least 3, got 1: its only tap",
        ),
        (dict(kernel_size=(3, 3)), TypeError, r"kernel_size must be an int, got \(3, 3\)"),
        (
            dict(pad=2),
            ValueError,
            "pad must be at most 1 for kernel_size=3 and dilation=1, got 2.*Pad the input itself",
        ),
        (dict(kernel_size=1, pad=1), ValueError, "pad must be at most 0"),
        (dict(pad=-1), ValueError, "pad must be at least 0, got -1"),
        (dict(pad="same"), TypeError, "pad must be an int, got 'same'"),
        (dict(stride=0), ValueError, "stride must be at least 1, got 0"),
        (dict(dilation=1.5), TypeError, "dilation must be an int"),
        (dict(dw_kernel_size=0), ValueError, "dw_kernel_size must be at least 1"),
        (dict(dw_kernel_size=4), ValueError, "dw_kernel_size must be odd.*got 4"),
        (dict(offset_scale="1"), TypeError, "offset_scale must be a number, got '1'"),
    ],
)
def test_the_layer_refuses_what_it_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        DCNv3(**{"channels": 8} | options)


def test_a_channels_first_input_is_answered_with_the_remedy():
    with pytest.raises(
        ValueError,
        match=r"x must have shape \(N, H, W, 8\), got \(1, 8, 5, 6\); .*x.permute\(0, 2, 3, 1\)",
    ):
        DCNv3(8)(torch.zeros(1, 8, 5, 6))
    with pytest.raises(ValueError, match="got .1, 5, 6, 7.$"):
        DCNv3(8)(torch.zeros(1, 5, 6, 7))


def test_the_benchmark_times_both_ways():
    result = timing.ratios(timing.Shape(1, 6, 8, 2), repetitions=2)
    assert result.keys() == {"forward", "training step"} and min(result.values()) > 0
