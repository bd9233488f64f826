"""Claims about StarNet under YOLOv8."""

import functools
import inspect

import timm
import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.models.starnet import Block
from torch import nn

from . import check, cost, loud, said, verdict

NAMED = {"s1", "s2", "s3", "s4"}  # by the post
OTHERS = {"s050", "s100", "s150"}


@functools.cache
def starnet(size):
    return timm.create_model(f"starnet_{size}")


@check
def star_dimensions():
    """How many independent functions of four numbers can many channels be: a rank."""
    x = torch.cat([torch.randn(400, 4, dtype=torch.float64), torch.ones(400, 1)], 1)
    one, two = torch.randn(2, 5, 100, dtype=torch.float64)
    star = torch.linalg.matrix_rank((x @ one) * (x @ two)).item()
    summed = torch.linalg.matrix_rank(x @ one + x @ two).item()
    assert summed == 5
    return verdict(star == 5 * 6 // 2)


@check
def star_block():
    block, x = loud(Block(8, drop_path=0.1)), torch.randn(2, 8, 9, 9)
    for norm in (block.dwconv.bn, block.g.bn):
        norm.running_mean.normal_()
    block.eval()

    def depthwise(x, conv):
        return F.conv2d(x, conv.weight, conv.bias, padding=3, groups=8)

    def pointwise(x, conv):
        return F.conv2d(x, conv.weight, conv.bias)

    y = block.dwconv.bn(depthwise(x, block.dwconv.conv))
    y = F.relu6(pointwise(y, block.f1.conv)) * pointwise(y, block.f2.conv)
    y = block.g.bn(pointwise(y, block.g.conv))
    y = x + depthwise(y, block.dwconv2.conv)
    drops = any(isinstance(module, DropPath) for module in block.modules())
    return verdict(drops and torch.allclose(block(x), y, rtol=1e-4, atol=1e-4))


@check
def star_ratio():
    (ratio,) = said("star-ratio")
    default = inspect.signature(Block).parameters["mlp_ratio"].default
    blocks = [
        module for size in NAMED for module in starnet(size).modules() if isinstance(module, Block)
    ]
    used = {block.f1.conv.out_channels / block.f1.conv.in_channels for block in blocks}
    assert len(used) == 1
    return verdict(used == {ratio}, default == ratio), f"{used.pop():g}"


@check
def star_sizes():
    sizes = {name.partition("_")[2] for name in timm.list_models("starnet_*")}
    assert sizes - NAMED == OTHERS
    counts = {size: sum(p.numel() for p in starnet(size).parameters()) for size in sizes}
    assert max(counts[size] for size in OTHERS) < min(counts[size] for size in NAMED)
    return verdict(NAMED <= sizes and len({counts[size] for size in NAMED}) == 4)


@check
def ultra_light():
    stock = cost("yolov8n", imgsz=64)
    costs = {size: cost(f"yolov8n-starnet-{size}", imgsz=64) for size in NAMED | OTHERS}

    def sizes_with(sign):
        return {
            size
            for size, found in costs.items()
            if sign * (found.parameters - stock.parameters) > 0
            and sign * (found.flops - stock.flops) > 0
        }

    lighter, heavier = sizes_with(-1), sizes_with(+1)
    assert len(lighter - NAMED) == 2
    return verdict(NAMED <= lighter, not NAMED <= heavier)


@check
def star_code():
    """A backbone gives maps of several sizes. Does the block alone?"""
    net = starnet("s1")
    blocks = [module for module in net.modules() if isinstance(module, Block)]
    inside = {id(module) for block in blocks for module in block.modules()}
    outside = [
        module
        for module in net.modules()
        if isinstance(module, nn.Conv2d) and id(module) not in inside and module.stride == (2, 2)
    ]
    assert len(outside) == 5  # the stem, and one in front of each of the four stages
    x = torch.randn(1, 24, 16, 16)
    return verdict(Block(24)(x).shape != x.shape)
