"""Claims about DCNv3 in YOLOv8."""

from itertools import product

import torch
import torch.nn.functional as F

from dynconv.relatives import DCNv3, dcnv3, timing

from . import check, count, loud, said, verdict

INTERNIMAGE_H = {"box mAP": 65.4, "billion parameters": "1.08"}  # on COCO, arXiv 2211.05778


def points(group=2, size=7, channels=8):
    """x, offset and mask for the core of DCNv3, on which nothing is in its initial state."""
    layer, x = loud(DCNv3(channels, group=group)), torch.randn(1, size, size, channels)
    with torch.no_grad():
        return x, *layer.points(x)


@check
def dcnv3_shared_weights():
    small, large = (
        {name: tuple(p.shape) for name, p in DCNv3(8, k, group=2).named_parameters()}
        for k in (3, 5)
    )
    same = all(small[name] == large[name] for name in small if "proj" in name)
    x = torch.randn(1, 7, 7, 8)
    mean = F.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    unmoved, equal = torch.zeros(1, 7, 7, 2, 9, 2), torch.full((1, 7, 7, 2, 9), 1 / 9)
    nothing_else_weighs = torch.allclose(dcnv3(x, unmoved, equal), mean, atol=1e-5)
    return verdict(same and nothing_else_weighs)


@check
def dcnv3_groups():
    x, offset, mask = points(group=4)
    moved = offset.clone()
    moved[:, :, :, 1] += 0.5
    changed = (dcnv3(x, moved, mask) - dcnv3(x, offset, mask)).abs().amax((0, 1, 2)) > 1e-6
    return verdict(changed.tolist() == [False] * 2 + [True] * 2 + [False] * 4)


@check
def dcnv3_softmax():
    _, _, mask = points()
    positive = bool((mask > 0).all())
    return verdict(positive and torch.allclose(mask.sum(-1), torch.ones(mask.shape[:-1])))


@check
def dcnv3_compiler():
    inputs = points()
    runs = torch.allclose(dcnv3(*inputs), timing.by_deform_conv2d(*inputs, 3, 1, 1), atol=1e-5)
    return verdict(not (runs and DCNv3(8)(inputs[0]).device.type == "cpu"))


def wrapper_fits(k, stride, dilation):
    """The wrapper leaves the padding at 1, and the original makes the offsets at the size of the
    input.
    """
    x, kernel = torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, k, k)
    return F.conv2d(x, kernel, stride=stride, padding=1, dilation=dilation).shape == x.shape


@check
def dcnv3_wrapper():
    choices = list(product((1, 3, 5, 7), (1, 2, 3), (1, 2, 3)))
    fitting = [choice for choice in choices if wrapper_fits(*choice)]
    assert fitting in ([(3, 1, 1)], choices)
    return verdict(fitting == choices, bool(fitting)), "3", "1"


@check
def dcnv3_wrapper_default():
    (kernel,) = said("dcnv3-wrapper-default")
    return verdict(wrapper_fits(int(kernel), 1, 1))


@check
def dcnv3_map():
    """The published result, and how far a model of the book with the layer is from the one that
    reached it.
    """
    (number,), billions = said("dcnv3-map"), INTERNIMAGE_H["billion parameters"]
    mine = count("yolov8n-dcnv3")
    assert round(mine / 1e6) == 3
    return verdict(mine > 0.5e9 * float(billions), number == INTERNIMAGE_H["box mAP"]), billions
