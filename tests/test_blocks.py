"""The YOLO blocks against the tutorials' formulation of them, written here on ultralytics' own
parts.
"""

import pytest
import torch
from ultralytics.nn.modules import C2f, Conv
from ultralytics.nn.tasks import DetectionModel

from dynconv import Bottleneck_DynamicConv, C2f_DynamicConv, DynamicConv


@pytest.mark.parametrize(
    "c1, c2, shortcut, added", [(8, 8, True, True), (8, 8, False, False), (8, 16, True, False)]
)
def test_bottleneck_is_conv_then_dynamic_conv_with_residual(c1, c2, shortcut, added):
    block, x = Bottleneck_DynamicConv(c1, c2, shortcut).eval(), torch.randn(2, c1, 9, 7)
    assert isinstance(block.cv1, Conv) and isinstance(block.cv2, DynamicConv)
    inner = block.cv2(block.cv1(x))
    torch.testing.assert_close(block(x), x + inner if added else inner)


def test_groups_kernel_sizes_and_width_reach_their_layer():
    block = Bottleneck_DynamicConv(8, 16, g=2, k=(1, 3), e=0.25)
    assert (block.cv1.conv.kernel_size, block.cv1.conv.out_channels, block.cv1.conv.groups) == (
        (1, 1),
        4,
        1,
    )
    assert (
        block.cv2.kernel_size,
        block.cv2.in_features,
        block.cv2.out_features,
        block.cv2.groups,
    ) == ((3, 3), 4, 16, 2)
    c2f = C2f_DynamicConv(8, 16, 2, g=4, e=0.25)
    assert [
        (m.cv1.conv.in_channels, m.cv2.in_features, m.cv2.kernel_size, m.cv2.groups) for m in c2f.m
    ] == [(4, 4, (3, 3), 4)] * 2


def test_c2f_keeps_the_shape_the_keys_and_the_fusion_of_the_original():
    ours, theirs, x = (
        C2f_DynamicConv(8, 16, 2, True).eval(),
        C2f(8, 16, 2, True).eval(),
        torch.randn(2, 8, 9, 7),
    )
    assert [type(m) for m in ours.m] == [Bottleneck_DynamicConv] * 2
    assert ours(x).shape == theirs(x).shape == (2, 16, 9, 7)
    torch.testing.assert_close(ours.forward_split(x), ours(x))
    assert {k for k in ours.state_dict() if not k.startswith("m.")} == {
        k for k in theirs.state_dict() if not k.startswith("m.")
    }
    assert "m.0.cv2.cond_conv.weight" in ours.state_dict()


def test_c2f_equals_its_definition():
    block, x = C2f_DynamicConv(8, 16, 3).eval(), torch.randn(2, 8, 6, 6)
    parts = list(block.cv1(x).chunk(2, 1))
    for bottleneck in block.m:
        parts.append(bottleneck.cv2(bottleneck.cv1(parts[-1])))  # shortcut=False by default
    torch.testing.assert_close(block(x), block.cv2(torch.cat(parts, 1)))


def test_yolov8n_with_every_c2f_replaced_has_the_known_parameter_count():
    """4,575,448 at nc = 80 is what ultralytics builds when the block is registered as it should."""
    from ultralytics.nn.tasks import DetectionModel

    network = DetectionModel("yolov8n.yaml", verbose=False)
    for index, layer in enumerate(network.model):
        if type(layer) is C2f:
            c1, c2 = layer.cv1.conv.in_channels, layer.cv2.conv.out_channels
            network.model[index] = C2f_DynamicConv(c1, c2, len(layer.m), layer.m[0].add)
    assert sum(p.numel() for p in network.parameters()) == 4_575_448


def test_a_row_can_say_all_that_the_layer_can():
    """As ultralytics writes the missing padding of a Conv, and by name in a mapping at the end."""
    softmax = {"num_experts": 2, "routing_activation": "softmax", "temperature": 31}
    backbone = [
        [-1, 1, "DynamicConv", [8, 3, 2, "None", 1, 1, False, 6]],
        [-1, 1, "DynamicConv", [8, 3, 1, "", {"groups": 4, "bias": True, "num_experts": 3}]],
        [-1, 1, "DynamicConvBNAct", [8, 3, softmax]],
        [-1, 2, "C2f_DynamicConv", [8, True, softmax]],
    ]
    head = [[[-1], 1, "Detect", ["nc"]]]
    model = DetectionModel({"nc": 2, "backbone": backbone, "head": head}, verbose=False).model
    one, two, three, four = (
        [m for m in row.modules() if isinstance(m, DynamicConv)] for row in model[:4]
    )
    assert (one[0].padding, one[0].num_experts) == ((1, 1), 6)
    assert (two[0].padding, two[0].groups, two[0].num_experts) == ((1, 1), 4, 3)
    assert two[0].cond_conv.bias is not None
    assert len(four) == 2
    for layer in three + four:
        chosen = layer.num_experts, layer.routing_activation, layer.temperature
        assert chosen == (2, "softmax", 31)


def test_a_block_names_an_argument_that_its_layer_does_not_take():
    with pytest.raises(TypeError, match="experts"):
        C2f_DynamicConv(8, 8, experts=2)
