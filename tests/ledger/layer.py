"""Claims about the layer."""

import copy

import torch
import torch.nn.functional as F
from timm.layers import CondConv2d
from torch import nn

import dynconv
from dynconv.edits.Addmodules.DynamicConv import DynamicConv as Pasted  # the posts' form

from . import check, classes, cost, network, said, verdict, verdict_on_print


@check
def one_convolution():
    layer = dynconv.DynamicConv(3, 5, 3, num_experts=4).double()
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    alpha = layer.alpha(x)[..., None, None, None]  # (B, M, 1, 1, 1)
    literal = sum(alpha[:, i] * F.conv2d(x, layer.weight[i], padding=1) for i in range(4))
    kernels = (alpha[..., None] * layer.weight).sum(1)  # (B, Cout, Cin, 3, 3)
    mixed = torch.cat(
        [F.conv2d(image[None], kernel, padding=1) for image, kernel in zip(x, kernels)]
    )
    return verdict(all((y - literal).abs().max() < 1e-13 for y in (mixed, layer(x))))


@check
def pooled_input():
    layer, x, seen = Pasted(6, 4, 3), torch.randn(2, 6, 8, 8), []
    layer.routing.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    layer(x)
    return verdict(len(seen) == 1 and torch.allclose(seen[0], x.mean((2, 3))))


@check
def condconv():
    router, convolution = nn.Linear(6, 4), CondConv2d(6, 4, 3, 2, "", num_experts=4)
    state = {f"routing.{key}": value for key, value in router.state_dict().items()}
    state |= {f"cond_conv.{key}": value for key, value in convolution.state_dict().items()}
    x = torch.randn(2, 6, 9, 9)
    by_hand = convolution(x, torch.sigmoid(router(x.mean((2, 3)))))
    layers = [Pasted(6, 4, 3, 2), dynconv.DynamicConv(6, 4, 3, 2)]
    for layer in layers:
        layer.load_state_dict(state)
    return verdict(all(torch.allclose(layer(x), by_hand, atol=1e-5) for layer in layers))


@check
def mlp():
    """By the code, and by the counts: with an MLP as wide as its input no number of classes gives
    what the posts print.
    """
    linears = [module for module in Pasted(6, 4).routing.modules() if isinstance(module, nn.Linear)]
    fits = {"code": [], "text": []}
    for k in (1, 2):
        name, published = f"yolov10n-dynamicconv-{k}", said(f"yaml-{k}-parameters")[0]
        dynamic = [m for m in network(name).modules() if isinstance(m, dynconv.DynamicConv)]
        hidden = sum(m.in_features * (m.in_features + 1) for m in dynamic)
        fits["code"].append(classes(name, published) is not None)
        fits["text"].append(classes(name, published - hidden) is not None)
    assert fits["code"] == [len(linears) == 1] * 2, (len(linears), fits)
    assert fits["text"] == [len(linears) == 2] * 2, (len(linears), fits)
    return verdict(len(linears) == 2)


@check
def softmax():
    layer, seen = Pasted(6, 4, 3), []
    layer.cond_conv.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    layer(torch.randn(8, 6, 9, 9))
    return verdict(torch.allclose(seen[0].sum(1), torch.ones(8)))


@check
def selected():
    layer = Pasted(6, 4, 3)
    taking_part = []
    for image in torch.randn(8, 1, 6, 9, 9):
        layer.zero_grad()
        layer(image).square().sum().backward()
        taking_part.append(int((layer.cond_conv.weight.grad.norm(dim=1) > 0).sum()))
    selects, combines = max(taking_part) == 1, min(taking_part) == 4
    return verdict(selects, combines)


@check
def bare():
    """In YAML 1 itself: row 1, and the first convolution of row 2."""
    model = network("yolov10n-dynamicconv-1").model
    row, behind = model[1], model[2].cv1.conv
    assert behind.kernel_size == (1, 1)
    merged, x = copy.deepcopy(row), torch.randn(2, row.in_features, 20, 20)
    with torch.no_grad():
        merged.weight.copy_(torch.einsum("oc,mcihw->moihw", behind.weight[:, :, 0, 0], row.weight))
        swallowed = torch.allclose(merged(x), behind(row(x)), atol=1e-4)
    beside = {nn.BatchNorm2d, nn.SiLU}
    of_conv = {type(module) for module in network("yolov10n").model[1].modules()} & beside
    of_layer = {type(module) for module in Pasted(4, 4).modules()} & beside
    assert of_conv == beside
    return verdict(of_layer == of_conv and not swallowed)


@check
def cheap_mixing():
    static = nn.Conv2d(128, 256, 3, padding=1, bias=False)
    dynamic = dynconv.DynamicConv(128, 256, 3, num_experts=4)
    ratio = {
        side: dynconv.cost(dynamic, side).flops / dynconv.cost(static, side).flops
        for side in (20, 2, 1)
    }
    assert ratio[2] >= 2
    parameters = sum(p.numel() for p in dynamic.parameters()) / static.weight.numel()
    multiplied = abs(parameters - 4) < 0.01
    cheap = {side: value < 1.02 for side, value in ratio.items()}
    return verdict(multiplied and all(cheap.values()), multiplied and cheap[20])


@check
def fewer_flops():
    names = ("yolov10n", "yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2")
    printed = [cost(name).printed_gflops for name in names]
    true = [cost(name).flops for name in names]
    falls = true[1] < 0.999 * true[0] or true[2] < 0.999 * true[1]
    return verdict_on_print(printed == sorted(printed, reverse=True), falls)
