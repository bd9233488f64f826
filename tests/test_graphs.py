"""What records or compiles Python: torch.fx, torch.jit.script, torch.export, torch.compile. Each
takes every layer, or names it and the reason.
"""

import copy
import functools
import io
import pickle

import pytest
import torch
from life import stirred
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

import dynconv
from dynconv import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConv, DynamicConvBNAct, yolo
from dynconv.relatives import DCNv3, DeformableConv, TimmBackbone, dcnv3
from dynconv.yolo import DCNv3_YOLO

FIRST, LAST = (2, 8, 10, 12), (2, 10, 12, 8)  # where the channels stand
LAYERS = {
    "DynamicConv": (lambda: DynamicConv(8, 12, 3, bias=True), FIRST),
    "DynamicConv, groups": (
        lambda: DynamicConv(8, 12, 3, 2, groups=2, routing_activation="softmax", temperature=3),
        FIRST,
    ),
    "DynamicConv, same": (lambda: DynamicConv(8, 12, (4, 3), 2, padding="same"), FIRST),
    "DynamicConvBNAct": (lambda: DynamicConvBNAct(8, 12, 3, 2), FIRST),
    "Bottleneck_DynamicConv": (lambda: Bottleneck_DynamicConv(8, 8), FIRST),
    "C2f_DynamicConv": (lambda: C2f_DynamicConv(8, 12, 2, True), FIRST),
    "DeformableConv": (lambda: DeformableConv(8, 12, stride=2, modulated=True), FIRST),
    "DCNv3": (lambda: DCNv3(8, 5, remove_center=True, center_feature_scale=True), LAST),
    "DCNv3_YOLO": (lambda: DCNv3_YOLO(8, 12, 3, 2), FIRST),
    "TimmBackbone": (lambda: TimmBackbone("mobilenetv3_small_050"), (2, 3, 64, 64)),
}
for module in yolo.MODULES:  # a new one that has input and output channels needs no line above
    LAYERS.setdefault(module.cls.__name__, (functools.partial(module.cls, 8, 12), FIRST))
NOT_FOR_SCRIPT = ("DCNv3", "DCNv3_YOLO")


def made(name):
    """The layer, one input, and one of another batch and size."""
    make, (batch, *shape) = LAYERS[name]
    other = [32 * (n // 32) + 32 if n > 32 else n + 3 * (n > 8) for n in shape]
    return stirred(make()).eval(), torch.rand(batch, *shape), torch.rand(batch + 1, *other)


def check_equal(graph, layer, *inputs):
    for x in inputs:
        with torch.no_grad():
            torch.testing.assert_close(graph(x), layer(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_torch_fx_records_it_for_any_batch_and_size(name):
    layer, *inputs = made(name)
    check_equal(torch.fx.symbolic_trace(layer), layer, *inputs)


def test_what_torch_fx_recorded_trains_is_saved_and_names_a_wrong_input():
    layer, x, _ = made("DynamicConv, same")
    # in a network: of a bare layer torch 2.11 cannot pickle the annotation of forward
    graph = torch.fx.symbolic_trace(nn.Sequential(layer))
    graph(x).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in layer.parameters())
    for again in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        check_equal(again, layer, x)
    with pytest.raises(ValueError, match="output would be empty"):
        torch.fx.symbolic_trace(DynamicConv(8, 12, 3, padding="valid"))(x[:, :, :2])


def test_torch_fx_records_what_a_reader_writes_with_the_operators():
    def dynamic(x, weight, alpha):
        return dynconv.dynamic_conv2d(x.relu(), weight, alpha=alpha, padding=1)

    def deformed(x, offset, mask):
        return dcnv3(x.relu(), offset, mask)

    x, offset, mask = (
        torch.rand(2, 6, 6, 8),
        torch.rand(2, 6, 6, 2, 9, 2),
        torch.rand(2, 6, 6, 2, 9),
    )
    for function, inputs in (
        (dynamic, (torch.rand(2, 4, 6, 6), torch.rand(3, 8, 4, 3, 3), torch.rand(2, 3))),
        (deformed, (x, offset, mask)),
    ):
        graph = torch.fx.symbolic_trace(function)
        torch.testing.assert_close(graph(*inputs), function(*inputs))


@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name][1] == FIRST])
def test_features_before_and_behind_it_can_be_taken(name):
    layer, x, _ = made(name)
    network = nn.Sequential(nn.Conv2d(8, 8, 1), layer, nn.ReLU()).eval()
    with torch.no_grad():
        features = create_feature_extractor(network, ["0", "2"])(x)
        torch.testing.assert_close(list(features.values()), [network[0](x), network(x)])


def test_torch_fx_fuses_a_convolution_and_its_batchnorm_beside_it():
    from torch.fx.experimental.optimization import fuse

    layer, x, _ = made("DynamicConv")
    network = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), layer).eval()
    nn.init.uniform_(network[1].running_var, 0.5, 2)
    fused = fuse(network)
    check_equal(fused, network, x)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", LAYERS)
def test_torch_jit_script_compiles_it_or_names_it(name):
    layer, *inputs = made(name)
    if name in NOT_FOR_SCRIPT:
        with pytest.raises(NotImplementedError, match="cannot compile DCNv3.*torch.jit.trace"):
            torch.jit.script(layer)
        return
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(layer), buffer)
    buffer.seek(0)
    check_equal(torch.jit.load(buffer), layer, *inputs)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("operator", [dynconv.dynamic_conv2d, dcnv3])
def test_torch_jit_script_names_the_operator_also_inside_a_readers_module(operator):
    class Reader(nn.Module):
        def forward(self, x, y, z):
            return operator(x, y, z)

    for what in (operator, Reader()):
        with pytest.raises(NotImplementedError, match=f"cannot compile {operator.__name__},"):
            torch.jit.script(what)


@pytest.mark.parametrize("name", LAYERS)
def test_torch_export_takes_it_for_any_batch_within_export_mode(name):
    layer, x, other = made(name)
    batch = torch.export.Dim("batch", min=1, max=64)
    with dynconv.export_mode():
        program = torch.export.export(layer, (x,), dynamic_shapes=({0: batch},))
    check_equal(program.module(), layer, x, torch.rand(5, *x.shape[1:]), x[:1])
    fixed = torch.export.export(layer, (x,)).module()
    check_equal(fixed, layer, x)


def test_torch_export_takes_any_image_size_too():
    """Strided and in groups: the sizes of the output must not be a riddle."""
    layer, x, other = made("DynamicConv, groups")
    auto = torch.export.Dim.AUTO
    with dynconv.export_mode():
        program = torch.export.export(layer, (x,), dynamic_shapes=({0: auto, 2: auto, 3: auto},))
    check_equal(program.module(), layer, x, other, torch.rand(1, 8, 15, 9))


@pytest.mark.parametrize("name", LAYERS)
def test_torch_compile_takes_it_as_one_graph(name):
    """What Dynamo makes of it; backends have their tests in test_functional and test_relatives."""
    torch._dynamo.reset()
    layer, *inputs = made(name)
    check_equal(torch.compile(layer, backend="eager", fullgraph=True), layer, *inputs)
