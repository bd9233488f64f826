"""Claims about DynamicConv in YOLO11, and about deformable convolution."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import deform_conv2d
from ultralytics.nn.modules import Conv

import dynconv
from dynconv.relatives import DeformableConv

from . import check, cost, network, printed_then, said, verdict, verdict_on_print


def convolutions():
    """The rows of stock YOLO11 that are a Conv."""
    return [i for i, row in enumerate(network("yolo11n", 1).model) if type(row) is Conv]


@check
def yolo11_forms():
    names = ("yolo11n", "yolo11n-dynamicconv", "yolo11n-dynamicconv-bn-act")
    stock, bare, full = (network(name, 1) for name in names)
    build = all(model.stride.tolist() == [8, 16, 32] for model in (bare, full))

    def norms(model):
        rows = [model.model[i] for i in convolutions()]
        return [sum(isinstance(m, nn.BatchNorm2d) for m in row.modules()) for row in rows]

    return verdict(build and norms(bare) == norms(stock), build and norms(full) == norms(stock))


@check
def yolo11_every_conv():
    model = network("yolo11n-dynamicconv", 1).model
    every = all(isinstance(model[i], dynconv.DynamicConv) for i in convolutions())
    every = every and convolutions()[0] == 0  # where the image itself comes in
    image = torch.rand(2, 3, 32, 32)
    colour = image.mean((2, 3), keepdim=True).expand_as(image)
    blind = torch.allclose(model[0].alpha(image), model[0].alpha(colour), atol=1e-5)
    return verdict(every and not blind, every)


@check
def yolo11_stock():
    (number,) = said("yolo11-stock")
    one, many = (printed_then("yolo11n", "yolo11n", nc) for nc in (1, 80))
    assert one < many and cost("yolo11n", 1).flops < cost("yolo11n", 80).flops
    today = f"{cost('yolo11n', 1).printed_gflops:.2f}"
    return verdict(one == many == number, one == number), today


@check
def yolo11_gflops():
    (number,) = said("yolo11-gflops")
    stock, found = cost("yolo11n", 1), cost("yolo11n-dynamicconv", 1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network("yolo11n", 1)(torch.zeros(1, 3, 640, 640))
    counts, replaced = counter.get_flop_counts(), convolutions()
    missing = sum(sum(counts[f"DetectionModel.model.{i}"].values()) for i in replaced) / 1e9
    assert len(replaced) == 7
    assert abs(stock.printed_gflops - found.printed_gflops - missing) < 0.05
    assert stock.flops < found.flops < 1.01 * stock.flops or found.flops < 0.9 * stock.flops
    printed = printed_then("yolo11n-dynamicconv", "yolo11n", 1) == number
    return verdict_on_print(printed, found.flops < 0.9 * stock.flops), f"{found.printed_gflops:.2f}"


def reach(layer, x):
    """Which pixels of x the output in the middle depends on while α and offsets are what they are:
    a mask (H, W).
    """
    x = x.clone().requires_grad_()
    layer(x)[0, :, x.shape[2] // 2, x.shape[3] // 2].sum().backward()
    return x.grad[0].abs().sum(0) > 0


@check
def deformable():
    """For two images each: the places that are read, and the kernel that is used. What changes?"""
    images = torch.rand(2, 1, 3, 17, 17)
    dynamic, deforming = dynconv.DynamicConv(3, 4, 3), DeformableConv(3, 4, 3)
    nn.init.normal_(deforming.offset.weight, std=0.5)
    kernels = [torch.einsum("m,m...->...", dynamic.alpha(x)[0], dynamic.weight) for x in images]

    def read_by_dynamic(x):
        alpha = dynamic.alpha(x).detach()
        return reach(lambda z: dynconv.dynamic_conv2d(z, dynamic.weight, alpha, padding=1), x)

    def read_by_deforming(x):
        offset, weight = deforming.offset(x).detach(), deforming.conv.weight
        operator = deform_conv2d(x, offset, weight, deforming.conv.bias, padding=1)
        assert torch.allclose(deforming(x), operator, atol=1e-6), "one kernel for every image"
        return reach(lambda z: deform_conv2d(z, offset, weight, padding=1), x)

    changes = {  # (kernel, places)
        "dynamic": (not torch.allclose(*kernels), differ(map(read_by_dynamic, images))),
        "deformable": (False, differ(map(read_by_deforming, images))),
    }
    assert changes == {"dynamic": (True, False), "deformable": (False, True)}
    return verdict(changes["dynamic"] == changes["deformable"])


def differ(masks):
    return not torch.equal(*masks)


@check
def offset_channels():
    right = [DeformableConv(4, 4, k).offset.out_channels == 2 * k * k for k in (1, 3, 5)]
    x, weight, accepted = torch.randn(1, 4, 9, 9), torch.randn(4, 4, 3, 3), []
    for channels in (2, 17, 18, 19):
        try:
            deform_conv2d(x, torch.zeros(1, channels, 9, 9), weight, padding=1)
            accepted.append(channels)
        except RuntimeError:
            pass
    return verdict(all(right) and accepted == [18])


def sampled(x, offset):
    """The posts' step, in our words: a grid of all pixels, moved by the offset (B, C, H, W), for
    grid_sample.
    """
    rows, columns = (torch.linspace(-1, 1, size) for size in x.shape[2:])
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    grid = torch.stack([across, down], -1)[None] + offset.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid.contiguous(), align_corners=True)


@check
def snippet_runs():
    x, runs = torch.randn(1, 4, 9, 9), {}
    for k in (1, 3, 5):
        try:
            sampled(x, nn.Conv2d(4, 2 * k * k, k, padding=k // 2)(x))
            runs[k] = True
        except RuntimeError as error:
            assert "must match the size of tensor" in str(error)
            runs[k] = False
    assert runs[1] and runs[3] == runs[5]
    return verdict(all(runs.values()))


@check
def snippet_deforms():
    """Move the place of one pixel: how many outputs change? In a deformable convolution the offsets
    of a pixel are its own.
    """
    x, weight = torch.randn(1, 2, 11, 11), torch.randn(2, 2, 3, 3)

    def changed(convolve, channels):
        offset = torch.zeros(1, channels, 11, 11)
        before = convolve(offset)
        offset[0, :, 5, 5] = 0.13
        return int(((convolve(offset) - before).abs().sum(1) > 1e-6).sum())

    warped = changed(lambda offset: F.conv2d(sampled(x, offset), weight, padding=1), 2)
    deformed = changed(lambda offset: deform_conv2d(x, offset, weight, padding=1), 18)
    assert deformed == 1
    return verdict(warped == deformed)
