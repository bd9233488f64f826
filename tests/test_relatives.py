"""Deformable convolution against what it must reduce to, timm backbones, and what all relatives can
do. DCNv3 has a file of its own, test_dcnv3.py.
"""

import pickle

import pytest
import timm
import torch
import torch.nn.functional as F
from life import output, run_python, stirred
from torch import nn
from torchvision.ops import deform_conv2d
from ultralytics.utils.torch_utils import initialize_weights

from dynconv.relatives import DCNv3, DeformableConv, TimmBackbone

# --- deformable convolution -----------------------------------------------------------------------


def constant_offsets(layer, values):
    """Offsets that do not depend on the input."""
    with torch.no_grad():
        layer.offset.bias.copy_(
            torch.as_tensor(values, dtype=torch.float32).expand_as(layer.offset.bias)
        )
    return layer


CONVOLUTIONS = [
    dict(),
    dict(stride=2, kernel_size=5),
    dict(groups=2, offset_groups=4, bias=False),
    dict(dilation=2, padding=1),
    dict(kernel_size=(1, 3)),
]


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_with_zero_offsets_it_is_an_ordinary_convolution(options):
    """That is how it starts; with a mask each tap starts at one half."""
    x = torch.randn(2, 4, 9, 10)
    layer = DeformableConv(4, 6, **options)
    torch.testing.assert_close(output(layer, x), output(layer.conv, x))
    modulated = DeformableConv(4, 6, **options | {"bias": False}, modulated=True)
    torch.testing.assert_close(output(modulated, x), output(modulated.conv, x) / 2)


def test_a_constant_offset_shifts_the_image():
    """Vertical first: one pixel down and two to the left, in all taps."""
    layer, x = constant_offsets(DeformableConv(4, 6), [1.0, -2.0] * 9), torch.randn(2, 4, 9, 10)
    torch.testing.assert_close(
        output(layer, x)[:, :, 1:-2, 3:-1], output(layer.conv, x)[:, :, 2:-1, 1:-3]
    )


def test_offsets_equal_to_the_taps_dilate_the_kernel():
    layer, x = DeformableConv(4, 6, padding=2), torch.randn(2, 4, 9, 10)
    taps = [value for row in (-1, 0, 1) for column in (-1, 0, 1) for value in (row, column)]
    y = output(
        constant_offsets(layer, taps), x
    )  # padding 2: an output of 11 × 12 whose centres start one pixel outside
    conv = layer.conv
    torch.testing.assert_close(
        y, F.conv2d(x, conv.weight, conv.bias, padding=3, dilation=2).detach()
    )


def test_offsets_and_masks_come_from_the_input():
    layer, x = DeformableConv(4, 6, offset_groups=2, modulated=True), torch.randn(2, 4, 9, 10)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    conv = layer.conv
    expected = deform_conv2d(
        x, layer.offset(x), conv.weight, conv.bias, padding=1, mask=torch.sigmoid(layer.mask(x))
    )
    torch.testing.assert_close(layer(x), expected)
    layer(x).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in layer.parameters())


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(offset_groups=3), ValueError, "offset_groups must divide in_channels = 4, got 3"),
        (dict(kernel_size=0), ValueError, "kernel_size must be at least 1"),
        (dict(stride=(1, 2, 3)), TypeError, "stride must be an int or a pair"),
        (dict(padding="same"), TypeError, "padding must be an int or a pair"),
    ],
)
def test_the_deformable_layer_refuses(options, error, message):
    with pytest.raises(error, match=message):
        DeformableConv(4, 6, **options)


def test_the_deformable_layer_names_a_wrong_input():
    with pytest.raises(ValueError, match=r"x must have shape \(B, 4, H, W\), got \(1, 9, 10, 4\)"):
        DeformableConv(4, 6)(torch.zeros(1, 9, 10, 4))


@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda: DCNv3(8, center_feature_scale=True), (2, 9, 10, 8)),
        (lambda: DeformableConv(4, 6, modulated=True), (2, 4, 9, 10)),
    ],
)
def test_both_train_under_autocast(make, shape):
    """As ultralytics does by default on a GPU. bfloat16 has three digits."""
    layer, x = stirred(make()), torch.randn(shape)
    expected = output(layer, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert (y - expected).abs().mean() < 0.05 * expected.abs().mean()
    y.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize(
    "make, shapes",
    [
        (lambda: DCNv3(8), [(2, 9, 10, 8), (1, 12, 7, 8)]),
        (lambda: DeformableConv(4, 6), [(2, 4, 9, 10), (1, 4, 12, 7)]),
    ],
)
def test_both_can_be_compiled(make, shapes):
    """As one graph, with its gradients. What becomes of grid_sample in inductor is torch's own."""
    torch._dynamo.reset()
    layer = stirred(make())
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for shape in shapes:
        x = torch.randn(shape, requires_grad=True)
        y, expected = compiled(x), layer(x)
        torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
        ours, theirs = (torch.autograd.grad(z.square().sum(), x)[0] for z in (y, expected))
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())


def test_torchscript_can_hold_it_and_onnx_names_what_it_lacks(tmp_path):
    layer, x = DeformableConv(4, 6, modulated=True).eval(), torch.randn(2, 4, 9, 10)
    traced = torch.jit.trace(layer, x[:1], check_trace=False)
    torch.testing.assert_close(output(traced, x), output(layer, x))
    with pytest.raises(
        torch.onnx.errors.UnsupportedOperatorError, match="torchvision::deform_conv2d"
    ):
        torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=False, verbose=False)


def test_a_process_that_exports_before_it_runs_the_layer_gets_the_same_answer(tmp_path):
    """torchvision, imported in the middle of a trace, would be traced too."""
    # By its exit code: the exporter prints the graph past Python, before or after what Python
    # prints.
    code = (
        "import sys, torch; from dynconv.relatives import DeformableConv\ntry:"
        " torch.onnx.export(DeformableConv(4, 6).eval(), (torch.randn(1, 4, 9, 9),), 'layer.onnx',"
        " dynamo=False)\nexcept torch.onnx.errors.UnsupportedOperatorError as error:"
        " sys.exit('torchvision::deform_conv2d' not in str(error))\nsys.exit('no error')"
    )
    run_python(code, tmp_path)


# --- timm backbones -------------------------------------------------------------------------------

# A Swin, whose maps are channels last and which wants to be told that images vary in size, made
# small.
SWIN = {
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 1, 1),
    "strict_img_size": False,
}
NETWORKS = {
    "resnet18": {},
    "mobilenetv3_small_050": {},
    "convnext_atto": {},
    "swin_tiny_patch4_window7_224": SWIN,
}
MEAN, STD = (
    torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_with_feature_maps_gives_them_from_a_normalised_image(name):
    backbone, x = TimmBackbone(name, options=NETWORKS[name]).eval(), torch.rand(2, 3, 64, 96)
    reference = timm.create_model(
        name, features_only=True, out_indices=(-3, -2, -1), **NETWORKS[name]
    ).eval()
    reference.load_state_dict(
        {key: backbone.state_dict()[f"net.{key}"] for key in reference.state_dict()}
    )
    assert {key.partition(".")[0] for key in backbone.state_dict()} == {"net"}
    with torch.no_grad():
        maps, expected = backbone(x), reference((x - MEAN) / STD)
    assert [tuple(y.shape) for y in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(backbone.channels, (8, 16, 32))
    ]
    for ours, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(
            ours, theirs.permute(0, 3, 1, 2) if name.startswith("swin") else theirs
        )


def test_other_strides_are_chosen_by_their_number():
    backbone = TimmBackbone("resnet18", strides=(32, 4))
    assert backbone.channels == [512, 64]
    assert [y.shape[2] for y in backbone(torch.rand(1, 3, 64, 64))] == [2, 16]


def test_what_ultralytics_does_to_batchnorm_is_taken_back():
    backbone, x = TimmBackbone("starnet_s050").eval(), torch.rand(1, 3, 64, 64)
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    for (
        norm
    ) in norms:  # statistics as after some training: with other values the trap would not show
        nn.init.uniform_(norm.running_var, 1e-3, 1e-2)
    before = output(backbone, x)
    initialize_weights(backbone)
    assert {norm.eps for norm in norms} == {1e-3} and not torch.allclose(
        output(backbone, x), before, rtol=0.01
    )
    assert torch.equal(output(backbone.eval(), x), before)
    initialize_weights(backbone)
    backbone.train()
    assert {norm.eps for norm in norms} == {1e-5}


@pytest.mark.parametrize("name", ["repvgg_a0", "mobileone_s0"])
def test_a_backbone_lives_on_when_timm_has_merged_its_branches(name):
    """timm's reparameterize_model takes BatchNorms away, of which train() and eval() set eps."""
    backbone, x = TimmBackbone(name).double().eval(), torch.rand(1, 3, 64, 64).double()
    merged = timm.utils.reparameterize_model(backbone)
    assert len(list(merged.modules())) < len(list(backbone.modules()))
    again = pickle.loads(pickle.dumps(merged.train())).eval()
    torch.testing.assert_close(output(again, x), output(backbone, x))


def test_batchnorm_that_became_another_kind_keeps_the_eps_of_the_network():
    backbone = TimmBackbone("resnet18")
    initialize_weights(backbone)
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone).eval()
    assert {m.eps for m in backbone.modules() if isinstance(m, nn.SyncBatchNorm)} == {1e-5}


def test_pretrained_weights_come_from_a_file_too(tmp_path):
    classifier = timm.create_model("starnet_s050")
    torch.save(classifier.state_dict(), tmp_path / "weights.pth")
    backbone = TimmBackbone(
        "starnet_s050",
        True,
        options={"pretrained_cfg_overlay": {"file": str(tmp_path / "weights.pth")}},
    )
    for key, tensor in backbone.net.state_dict().items():
        assert torch.equal(
            tensor,
            classifier.state_dict()[key.replace("stem_", "stem.").replace("stages_", "stages.")],
        )


def test_without_a_network_the_way_out_is_named(monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError("cannot find the requested files in the local cache")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    with pytest.raises(
        ConnectionError,
        match="weights of starnet_s1 are not on this machine.*pretrained=False, or options=",
    ):
        TimmBackbone("starnet_s1", pretrained=True)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("starnet_s5",), r"no network called 'starnet_s5' .*did you mean .*'starnet_s4'"),
        (("xyzzy",), r"no network called 'xyzzy' .*timm.list_models\("),
        (
            ("vit_tiny_patch16_224",),
            (
                "vit_tiny_patch16_224 gives no feature map at stride 8, 32; its maps have the"
                " strides 16. Choose"
            ),
        ),
        (
            ("convnext_atto", False, (2, 8)),
            "no feature map at stride 2; its maps have the strides 4, 8, 16, 32",
        ),
        (("starnet_s050", True), "no pretrained weights for starnet_s050: use pretrained=False"),
    ],
)
def test_a_backbone_that_cannot_be_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(*arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((nn.Conv2d(3, 8, 3),), "name must be a string, .* such as 'resnet18', got Conv2d$"),
        (("resnet18", False, 8), r"strides must be a sequence such as \(8, 16, 32\), got 8"),
        (("resnet18", False, (8.0,)), "each of strides must be an int, got 8.0"),
    ],
)
def test_a_backbone_names_what_is_no_name_and_no_stride(arguments, message):
    with pytest.raises(TypeError, match=message):
        TimmBackbone(*arguments)


def test_a_backbone_wants_rgb():
    """A grey image would be broadcast to three channels in silence."""
    with pytest.raises(
        ValueError, match=r"RGB images in 0..1, shape \(B, 3, H, W\), got \(1, 1, 64, 64\)"
    ):
        TimmBackbone("starnet_s050")(torch.rand(1, 1, 64, 64))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("modulated", [False, True])
def test_an_image_with_a_value_that_is_not_finite_gives_nan_there_and_no_crash(value, modulated):
    """torchvision's operator reads outside of the image at an offset that is NaN, and the process
    ends.
    """
    layer = DeformableConv(2, 3, modulated=modulated)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.randn(2, 2, 12, 12)
    clean = layer(x)
    x[0, 0, 4, 4] = value
    x.requires_grad_()
    y = layer(x)
    assert y[0, :, 4, 4].isnan().all()
    assert torch.equal(y[1], clean[1]) and y[0, :, 8:, 8:].isfinite().all()
    y.sum().backward()
    y = layer(torch.full((1, 2, 12, 12), value))
    assert y.isnan().all()
    y.sum().backward()
