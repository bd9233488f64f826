"""The ledger of what the posts say: each verdict is found anew, and each claim leads to a code cell
that is there.

A check is called like the id of its claim. It gets the claim for the posts' numbers, which stand in
`says`, and never looks at the verdict. It returns a verdict, or a pair of a verdict and the numbers
that `because` may name.
"""

import ast
import copy
import functools
import inspect
import json
import re
import shutil
import tempfile
from itertools import chain
from pathlib import Path

import nbformat
import pytest
import timm
import torch
import torch.nn.functional as F
import ultralytics
import yaml
from book_site import CLAIMS, VERDICTS, ClaimError, read_claims
from conftest import ROOT
from scipy import stats
from timm.layers import CondConv2d, DropPath
from timm.models.starnet import Block
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import deform_conv2d
from ultralytics import YOLO
from ultralytics.nn.modules import Conv
from ultralytics.nn.tasks import DetectionModel, yaml_model_load

import dynconv
from dynconv import edits, yolo
from dynconv.edits.Addmodules.DynamicConv import DynamicConv as Pasted  # the posts' form
from dynconv.lab import training
from dynconv.relatives import DCNv3, DeformableConv, dcnv3, timing

GROUPS = yaml.safe_load((ROOT / CLAIMS).read_text(encoding="utf-8"))
LEDGER = {claim["id"]: claim for claim in chain.from_iterable(GROUPS.values())}
NAMES = re.compile(
    r"\]\(\S+\)|YAML \d|ImageNet-\d+K|YOLO\w*|DCNv3|ReLU6|\bs\d\b|\d×\d|2·k·k"
)  # whose digits are no numbers
INTERNIMAGE_H = {"box mAP": 65.4, "billion parameters": "1.08"}  # on COCO, arXiv 2211.05778
PARAMETERNET = [
    81.6,
    0.6,
    80.9,
    4.5,
]  # top-1 and GFLOPs, its own and those of Swin-T: abstract of arXiv 2306.14525
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
CHECKS = {}


def check(function):
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


def numbers(text):
    """The numbers of a text as they are written: ['385'], ['2,896,642', '2,896,626']."""
    return NUMBER.findall(NAMES.sub("", text))


def said(name):
    """The posts' numbers in a claim."""
    return [float(number.replace(",", "")) for number in numbers(LEDGER[name]["says"])]


def verdict(plain, conditioned=False):
    """plain: it is as the posts say. conditioned: it is if something is added."""
    return "holds" if plain else "holds with a condition" if conditioned else "wrong"


def reading(printed, true):
    """Of something read off a screen: it is printed as the posts say, and it is so."""
    return "holds" if true else "artefact" if printed else "wrong"


# --- what several checks need: networks, their costs, an edited ultralytics, the chapters ---------


@functools.cache
def network(name, nc=80):
    """Never changed by a check."""
    return DetectionModel(
        name + ".yaml" if "-" not in name else str(yolo.path(name)), nc=nc, verbose=False
    ).eval()


@functools.cache
def cost(name, nc=80, imgsz=640):
    return dynconv.cost(network(name, nc), imgsz=imgsz)


def rows(name):
    """The module of each row of a model file, and its stride: [('Conv', 2), ...]."""
    config = yaml_model_load(name + ".yaml" if "-" not in name else yolo.path(name))
    return [
        (row[2], row[3][2] if len(row[3]) > 2 else 1) for row in config["backbone"] + config["head"]
    ]


def classes(name, parameters):
    """With how many classes a model has so many parameters; None: with none from 1 to 100."""
    counts = {nc: sum(p.numel() for p in network(name, nc).parameters()) for nc in (1, 2)}
    guess = 1 + (parameters - counts[1]) / (counts[2] - counts[1])
    fits = (
        guess.is_integer()
        and 1 <= guess <= 100
        and sum(p.numel() for p in network(name, int(guess)).parameters()) == parameters
    )
    return int(guess) if fits else None


@functools.cache
def private_copy():
    """A copy of the installed ultralytics; it goes when the object goes."""
    folder = tempfile.TemporaryDirectory()
    shutil.copytree(
        Path(ultralytics.__file__).parent,
        Path(folder.name, "ultralytics"),
        ignore=shutil.ignore_patterns("assets", "solutions"),
    )
    return folder


@functools.cache
def edited(*names, chosen=edits.ALL, **options):
    """The parameters of these models, or the error, in a copy of ultralytics with the chosen edits:
    what a new Python says.
    """
    tree = private_copy().name
    edits.apply(tree, chosen, **options)
    try:
        paths, count = (
            [str(yolo.path(name)) for name in names],
            "sum(p.numel() for p in YOLO(path).model.parameters())",
        )
        outcome = edits.run_with(
            tree, f"from ultralytics import YOLO\nfor path in {paths}: print({count})"
        )
    finally:
        edits.undo(tree)
    return outcome.error or [int(count) for count in outcome.output.split()]


@functools.cache
def notebook(stem):
    return nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells


def cell(claim):
    """The place of the claim's cell in its notebook, and the notebook's cells."""
    stem, _, name = claim["shown"].partition("#")
    cells = notebook(stem)
    return next(i for i, each in enumerate(cells) if each.id == name), cells


def beside(claim):
    """What the book says there: the text in the two cells before and after the claim's cell."""
    place, cells = cell(claim)
    return "\n".join(
        each.source for each in cells[max(place - 2, 0) : place + 3] if each.cell_type == "markdown"
    )


@functools.cache
def recorded():
    return json.loads((ROOT / "dynconv/lab/experiment.json").read_text(encoding="utf-8"))


def loud(layer):
    """The layer with parameters that all matter (offsets and masks start at zero)."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.4)
    return layer


# --- the layer ------------------------------------------------------------------------------------


@check
def one_convolution(claim):
    layer, x = (
        dynconv.DynamicConv(3, 5, 3, num_experts=4).double(),
        torch.randn(2, 3, 9, 9, dtype=torch.float64),
    )
    alpha = layer.alpha(x)
    literal = sum(
        alpha[:, i, None, None, None] * F.conv2d(x, layer.weight[i], padding=1) for i in range(4)
    )
    mixed = torch.cat(
        [
            F.conv2d(x[b : b + 1], torch.einsum("m,m...->...", alpha[b], layer.weight), padding=1)
            for b in range(2)
        ]
    )
    return verdict(max((mixed - literal).abs().max(), (layer(x) - literal).abs().max()) < 1e-13)


@check
def pooled_input(claim):
    layer, x, seen = Pasted(6, 4, 3), torch.randn(2, 6, 8, 8), []
    layer.routing.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    layer(x)
    return verdict(len(seen) == 1 and torch.allclose(seen[0], x.mean((2, 3))))


@check
def condconv(claim):
    pasted, packaged, x = (
        Pasted(6, 4, 3, 2),
        dynconv.DynamicConv(6, 4, 3, 2),
        torch.randn(2, 6, 9, 9),
    )
    router, convolution = nn.Linear(6, 4), CondConv2d(6, 4, 3, 2, "", num_experts=4)
    state = {f"routing.{k}": v for k, v in router.state_dict().items()} | {
        f"cond_conv.{k}": v for k, v in convolution.state_dict().items()
    }
    by_hand = convolution(x, torch.sigmoid(router(x.mean((2, 3)))))
    for layer in (pasted, packaged):
        layer.load_state_dict(state)
    return verdict(
        all(torch.allclose(layer(x), by_hand, atol=1e-5) for layer in (pasted, packaged))
    )


@check
def mlp(claim):
    """By the code, and by the counts: with an MLP as wide as its input no number of classes gives
    what the posts print.
    """
    linears = [module for module in Pasted(6, 4).routing.modules() if isinstance(module, nn.Linear)]
    fits = {"code": [], "text": []}
    for k in (1, 2):
        name, published = f"yolov10n-dynamicconv-{k}", int(said(f"yaml-{k}-parameters")[0])
        channels = [
            module.in_features
            for module in network(name).modules()
            if isinstance(module, dynconv.DynamicConv)
        ]
        fits["code"].append(classes(name, published) is not None)
        fits["text"].append(classes(name, published - sum(c * c + c for c in channels)) is not None)
    assert fits["code"] == [len(linears) == 1] * 2 and fits["text"] == [len(linears) == 2] * 2, (
        f"{len(linears)} Linear, counts fit: {fits}"
    )
    return verdict(len(linears) == 2)


@check
def softmax(claim):
    layer, seen = Pasted(6, 4, 3), []
    layer.cond_conv.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    layer(torch.randn(8, 6, 9, 9))
    return verdict(torch.allclose(seen[0].sum(1), torch.ones(8)))


@check
def selected(claim):
    layer = Pasted(6, 4, 3)
    taking_part = []
    for image in torch.randn(8, 1, 6, 9, 9):
        layer.zero_grad()
        layer(image).square().sum().backward()
        taking_part.append(int((layer.cond_conv.weight.grad.norm(dim=1) > 0).sum()))
    return verdict(min(taking_part) < 4)


@check
def bare(claim):
    """In YAML 1 itself: rows 1 and the first convolution of row 2."""
    row, behind = (
        network("yolov10n-dynamicconv-1").model[1],
        network("yolov10n-dynamicconv-1").model[2].cv1.conv,
    )
    assert behind.kernel_size == (1, 1)
    merged, x = copy.deepcopy(row), torch.randn(2, row.in_features, 20, 20)
    with torch.no_grad():
        merged.weight.copy_(torch.einsum("oc,mcihw->moihw", behind.weight[:, :, 0, 0], row.weight))
        swallowed = torch.allclose(merged(x), behind(row(x)), atol=1e-4)
    parts = [
        {type(module) for module in part.modules()} & {nn.BatchNorm2d, nn.SiLU}
        for part in (network("yolov10n").model[1], Pasted(4, 4))
    ]
    assert len(parts[0]) == 2
    return verdict(parts[1] == parts[0] and not swallowed)


@check
def cheap_mixing(claim):
    static, dynamic = (
        nn.Conv2d(128, 256, 3, padding=1, bias=False),
        dynconv.DynamicConv(128, 256, 3, num_experts=4),
    )
    ratio = {
        side: dynconv.cost(dynamic, side).flops / dynconv.cost(static, side).flops
        for side in (20, 2, 1)
    }
    multiplied = (
        abs(sum(p.numel() for p in dynamic.parameters()) / static.weight.numel() - 4) < 0.01
    )
    cheap = {side: value < 1.02 for side, value in ratio.items()}
    assert ratio[2] >= 2
    return verdict(multiplied and all(cheap.values()), multiplied and cheap[20])


@check
def fewer_flops(claim):
    costs = [
        cost(name) for name in ("yolov10n", "yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2")
    ]
    printed, true = ([getattr(c, field) for c in costs] for field in ("printed_gflops", "flops"))
    return reading(
        printed == sorted(printed, reverse=True),
        true[1] < 0.999 * true[0] or true[2] < 0.999 * true[1],
    )


# --- the four modifications -----------------------------------------------------------------------

MODELS = ("yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2", "yolov10n-c2f-dynamicconv")


@check
def four_modifications(claim):
    return verdict(edited(*MODELS) == [yolo.PARAMETERS[name] for name in MODELS])


@check
def scaled_channels(claim):
    row = network("yolov10n-dynamicconv-1").model[1]
    without = edited("yolov10n-dynamicconv-1", chosen=(1, 2, 3))
    return verdict(
        (row.in_features, row.out_features) == (16, 32) and str(without).startswith("RuntimeError")
    )


@check
def repeat_count(claim):
    both, first_only = edited(*MODELS), edited(MODELS[2], repeat=())
    assert isinstance(both, list) and isinstance(first_only, list), (
        f"no longer silent: {both}, {first_only}"
    )
    right = yolo.PARAMETERS[MODELS[2]]
    return verdict(both[2] == first_only[0] == right, both[2] == right)


# --- the two models -------------------------------------------------------------------------------


@check
def replaced_rows(claim):
    stock = rows("yolov10n")
    meant = [
        {i for i, (module, _) in enumerate(stock) if module == "Conv"},
        {
            i
            for i, (module, stride) in enumerate(stock)
            if module in ("Conv", "SCDown") and stride == 2
        },
    ]
    replaced = [
        {
            i
            for i, (module, _) in enumerate(rows(f"yolov10n-dynamicconv-{k}"))
            if module == "DynamicConv"
        }
        for k in (1, 2)
    ]
    return verdict(replaced == meant, replaced == [some - {0} for some in meant])


def layers(claim, k):
    (number,), found = said(claim["id"]), cost(f"yolov10n-dynamicconv-{k}")
    assert found.layers < found.modules
    return verdict(found.modules == number)


def parameters(claim, k):
    name, (all_of_them, gradients) = f"yolov10n-dynamicconv-{k}", said(claim["id"])
    nc = classes(name, int(all_of_them))
    fits = (
        nc is not None
        and sum(p.numel() for p in network(name, nc).parameters() if p.requires_grad) == gradients
    )
    return verdict(fits and nc == yaml_model_load(yolo.path(name))["nc"], fits), str(nc)


def gflops(claim, k):
    """With the number of classes that the parameters give away."""
    name, (number,) = f"yolov10n-dynamicconv-{k}", said(claim["id"])
    nc = classes(name, int(said(f"yaml-{k}-parameters")[0]))
    stock, found = cost("yolov10n", nc), cost(name, nc)
    unseen = sum(isinstance(row, dynconv.DynamicConv) for row in network(name).model)
    assert (k, unseen) in ((1, 3), (2, 6))
    assert abs(found.flops / stock.flops - 1) < 1e-3 if k == 1 else found.flops > 1.01 * stock.flops
    return reading(
        abs(found.printed_gflops - number) < 0.15 and found.printed_gflops < stock.printed_gflops,
        found.flops < 0.999 * stock.flops,
    )


for k in (1, 2):
    for function in (layers, parameters, gflops):
        CHECKS[f"yaml-{k}-{function.__name__}"] = functools.partial(function, k=k)


@check
def nc_80(claim):
    (nc,) = said("nc-80")
    surplus = [
        cost(f"yolov10n-dynamicconv-{k}", int(nc)).parameters - said(f"yaml-{k}-parameters")[0]
        for k in (1, 2)
    ]
    assert (
        all(yaml_model_load(yolo.path(f"yolov10n-dynamicconv-{k}"))["nc"] == nc for k in (1, 2))
        and min(surplus) >= 0
    )
    return verdict(surplus == [0, 0])


@check
def script_runs(claim):
    """The file is the one that the cell names."""
    place, cells = cell(claim)
    (path,) = re.findall(r'YOLO\("(.+?\.yaml)"\)', cells[place].source)
    shipped = {file.name for file in (Path(ultralytics.__file__).parent / "cfg").rglob("*.yaml")}
    try:
        YOLO(path)
    except FileNotFoundError:
        return verdict(Path(path).name in shipped)
    return "holds"


# --- YOLO11 ---------------------------------------------------------------------------------------


@check
def yolo11_forms(claim):
    stock, bare, full = (
        network(name, 1)
        for name in ("yolo11n", "yolo11n-dynamicconv", "yolo11n-dynamicconv-bn-act")
    )
    build = all(model.stride.tolist() == [8, 16, 32] for model in (bare, full))
    replaced = [i for i, row in enumerate(stock.model) if type(row) is Conv]
    norms = [
        [sum(isinstance(m, nn.BatchNorm2d) for m in model.model[i].modules()) for i in replaced]
        for model in (stock, bare, full)
    ]
    return verdict(build and norms[1] == norms[0], build and norms[2] == norms[0])


@check
def yolo11_every_conv(claim):
    replaced = [i for i, row in enumerate(network("yolo11n", 1).model) if type(row) is Conv]
    model = network("yolo11n-dynamicconv", 1).model
    every = all(isinstance(model[i], dynconv.DynamicConv) for i in replaced) and replaced[0] == 0
    image = torch.rand(2, 3, 32, 32)
    colour = image.mean((2, 3), keepdim=True).expand_as(image)
    blind = torch.allclose(
        model[0].alpha(image), model[0].alpha(colour), atol=1e-5
    )  # where the image itself comes in
    return verdict(every and not blind, every)


@check
def yolo11_stock(claim):
    (number,), found = said("yolo11-stock"), {nc: cost("yolo11n", nc).gflops for nc in (1, 25, 80)}
    near = {nc: abs(value - number) < 0.05 for nc, value in found.items()}
    assert found[80] > found[1]
    return verdict(all(near.values()), near[1] and near[25]), "80"


@check
def yolo11_gflops(claim):
    (number,), stock, found = (
        said("yolo11-gflops"),
        cost("yolo11n", 1),
        cost("yolo11n-dynamicconv", 1),
    )
    model = network("yolo11n", 1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 640, 640))
    counts, replaced = (
        counter.get_flop_counts(),
        [i for i, row in enumerate(model.model) if type(row) is Conv],
    )
    missing = sum(sum(counts[f"DetectionModel.model.{i}"].values()) for i in replaced) / 1e9
    assert len(replaced) == 7 and abs(stock.printed_gflops - found.printed_gflops - missing) < 0.05
    assert stock.flops < found.flops < 1.01 * stock.flops or found.flops < 0.9 * stock.flops
    return reading(abs(found.printed_gflops - number) < 0.15, abs(found.gflops - number) < 0.15)


def reach(layer, x):
    """Which pixels of x the output in the middle depends on while α and offsets are what they are:
    a mask (H, W).
    """
    x = x.clone().requires_grad_()
    layer(x)[0, :, x.shape[2] // 2, x.shape[3] // 2].sum().backward()
    return x.grad[0].abs().sum(0) > 0


@check
def deformable(claim):
    """For two images each: the places that are read, and the kernel that is used. What changes?"""
    images = torch.rand(2, 1, 3, 17, 17)
    dynamic, deforming = dynconv.DynamicConv(3, 4, 3), DeformableConv(3, 4, 3)
    nn.init.normal_(deforming.offset.weight, std=0.5)
    kernels = [torch.einsum("m,m...->...", dynamic.alpha(x)[0], dynamic.weight) for x in images]
    places = []
    for x in images:
        alpha, offset = dynamic.alpha(x).detach(), deforming.offset(x).detach()
        places.append(
            (
                reach(lambda z: dynconv.dynamic_conv2d(z, dynamic.weight, alpha, padding=1), x),
                reach(lambda z: deform_conv2d(z, offset, deforming.conv.weight, padding=1), x),
            )
        )
        assert torch.allclose(
            deforming(x),
            deform_conv2d(x, offset, deforming.conv.weight, deforming.conv.bias, padding=1),
            atol=1e-6,
        )
    moved = [not torch.equal(a, b) for a, b in zip(*places)]
    changes = {
        "dynamic": (not torch.allclose(*kernels), moved[0]),
        "deformable": (False, moved[1]),
    }  # (kernel, places)
    assert changes == {"dynamic": (True, False), "deformable": (False, True)}
    return verdict(changes["dynamic"] == changes["deformable"])


@check
def offset_channels(claim):
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
    rows, columns = x.shape[2:]
    grid = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")[
            ::-1
        ],
        -1,
    )
    return F.grid_sample(
        x, (grid[None] + offset.permute(0, 2, 3, 1)).contiguous(), align_corners=True
    )


@check
def snippet_runs(claim):
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
def snippet_deforms(claim):
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


# --- DCNv3 ----------------------------------------------------------------------------------------


def points(group=2, size=7, channels=8):
    """x, offset and mask for the core of DCNv3, on which nothing is in its initial state."""
    layer, x = loud(DCNv3(channels, group=group)), torch.randn(1, size, size, channels)
    with torch.no_grad():
        return x, *layer.points(x)


@check
def dcnv3_shared_weights(claim):
    small, large = (
        {name: tuple(p.shape) for name, p in DCNv3(8, k, group=2).named_parameters()}
        for k in (3, 5)
    )
    same = all(small[name] == large[name] for name in small if "proj" in name)
    x = torch.randn(1, 7, 7, 8)
    mean = F.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    core = dcnv3(
        x, torch.zeros(1, 7, 7, 2, 9, 2), torch.full((1, 7, 7, 2, 9), 1 / 9)
    )  # nothing else weighs a point
    return verdict(same and torch.allclose(core, mean, atol=1e-5))


@check
def dcnv3_groups(claim):
    x, offset, mask = points(group=4)
    moved = offset.clone()
    moved[:, :, :, 1] += 0.5
    changed = (dcnv3(x, moved, mask) - dcnv3(x, offset, mask)).abs().amax((0, 1, 2)) > 1e-6
    return verdict(changed.tolist() == [False] * 2 + [True] * 2 + [False] * 4)


@check
def dcnv3_softmax(claim):
    _, _, mask = points()
    return verdict(
        bool((mask > 0).all()) and torch.allclose(mask.sum(-1), torch.ones(mask.shape[:-1]))
    )


@check
def dcnv3_compiler(claim):
    inputs = points()
    runs = torch.allclose(dcnv3(*inputs), timing.by_deform_conv2d(*inputs, 3, 1, 1), atol=1e-5)
    return verdict(not (runs and DCNv3(8)(inputs[0]).device.type == "cpu"))


def wrapper_fits(k, stride, dilation):
    """The wrapper leaves the padding at 1, and the original makes the offsets at the size of the
    input.
    """
    x = torch.zeros(1, 1, 20, 20)
    return (
        F.conv2d(x, torch.zeros(1, 1, k, k), stride=stride, padding=1, dilation=dilation).shape
        == x.shape
    )


@check
def dcnv3_wrapper(claim):
    choices = [
        (k, stride, dilation)
        for k in (1, 3, 5, 7)
        for stride in (1, 2, 3)
        for dilation in (1, 2, 3)
    ]
    fitting = [choice for choice in choices if wrapper_fits(*choice)]
    assert fitting == [(3, 1, 1)] or fitting == choices
    return verdict(fitting == choices, bool(fitting)), "3", "1"


@check
def dcnv3_wrapper_default(claim):
    (kernel,) = said("dcnv3-wrapper-default")
    return verdict(wrapper_fits(int(kernel), 1, 1))


@check
def dcnv3_map(claim):
    """The published result, and how far a model of the book with the layer is from the one that
    reached it.
    """
    (number,), billions = said("dcnv3-map"), INTERNIMAGE_H["billion parameters"]
    mine = cost("yolov8n-dcnv3", imgsz=64).parameters
    assert round(mine / 1e6) == 3
    return verdict(mine > 0.5e9 * float(billions), number == INTERNIMAGE_H["box mAP"]), billions


# --- StarNet --------------------------------------------------------------------------------------


@check
def star_dimensions(claim):
    """How many independent functions of four numbers can many channels be: rank over random inputs."""
    torch.manual_seed(0)
    x = torch.cat([torch.randn(400, 4, dtype=torch.float64), torch.ones(400, 1)], 1)
    one, two = torch.randn(2, 5, 100, dtype=torch.float64)
    rank = [torch.linalg.matrix_rank(y).item() for y in ((x @ one) * (x @ two), x @ one + x @ two)]
    assert rank[1] == 5
    return verdict(rank[0] == 5 * 6 // 2)


@check
def star_block(claim):
    block, x = loud(Block(8, drop_path=0.1)), torch.randn(2, 8, 9, 9)
    for norm in (block.dwconv.bn, block.g.bn):
        norm.running_mean.normal_()
    block.eval()
    depthwise = functools.partial(F.conv2d, padding=3, groups=8)
    y = block.dwconv.bn(depthwise(x, block.dwconv.conv.weight, block.dwconv.conv.bias))
    one, two = (
        F.conv2d(y, branch.conv.weight, branch.conv.bias) for branch in (block.f1, block.f2)
    )
    y = block.g.bn(F.conv2d(F.relu6(one) * two, block.g.conv.weight, block.g.conv.bias))
    y = x + depthwise(y, block.dwconv2.conv.weight, block.dwconv2.conv.bias)
    drops = any(isinstance(module, DropPath) for module in block.modules())
    return verdict(drops and torch.allclose(block(x), y, rtol=1e-4, atol=1e-4))


@functools.cache
def starnet(size):
    return timm.create_model(f"starnet_{size}")


@check
def star_ratio(claim):
    (ratio,) = said("star-ratio")
    default = inspect.signature(Block).parameters["mlp_ratio"].default
    blocks = [
        module for k in "1234" for module in starnet(f"s{k}").modules() if isinstance(module, Block)
    ]
    used = {block.f1.conv.out_channels / block.f1.conv.in_channels for block in blocks}
    assert len(used) == 1
    return verdict(used == {ratio}, default == ratio), f"{used.pop():g}"


@check
def star_sizes(claim):
    names = set(timm.list_models("starnet_*"))
    named, others = (
        {f"starnet_s{k}" for k in "1234"},
        {f"starnet_s{k}" for k in ("050", "100", "150")},
    )
    counts = {
        name: sum(p.numel() for p in starnet(name.partition("_")[2]).parameters()) for name in names
    }
    assert names - named == others and max(counts[name] for name in others) < min(
        counts[name] for name in named
    )
    return verdict(named <= names and len({counts[name] for name in named}) == 4)


@check
def ultra_light(claim):
    sizes = ("s1", "s2", "s3", "s4", "s050", "s100", "s150")
    stock, costs = (
        cost("yolov8n", imgsz=128),
        {size: cost(f"yolov8n-starnet-{size}", imgsz=128) for size in sizes},
    )
    lighter = {
        size
        for size, found in costs.items()
        if found.parameters < stock.parameters and found.flops < stock.flops
    }
    heavier = {
        size
        for size, found in costs.items()
        if found.parameters > stock.parameters and found.flops > stock.flops
    }
    named = {"s1", "s2", "s3", "s4"}
    assert len(lighter - named) == 2
    return verdict(named <= lighter, not named <= heavier)


@check
def star_code(claim):
    """A backbone gives maps of several sizes. Does the block alone?"""
    x, net = torch.randn(1, 24, 16, 16), starnet("s1")
    inside = {
        id(module)
        for block in net.modules()
        if isinstance(block, Block)
        for module in block.modules()
    }
    outside = [
        module
        for module in net.modules()
        if isinstance(module, nn.Conv2d) and id(module) not in inside and module.stride == (2, 2)
    ]
    assert len(outside) == 5  # the stem, and one in front of each of the four stages
    return verdict(Block(24)(x).shape != x.shape)


# --- papers and accuracy --------------------------------------------------------------------------


def reported(claim):
    """The published accuracies in the claim's cell: {model: (trained on ImageNet-1K, pre-trained on
    22K)}.
    """
    place, cells = cell(claim)
    assignments = [
        node for node in ast.parse(cells[place].source).body if isinstance(node, ast.Assign)
    ]
    return next(
        ast.literal_eval(node.value) for node in assignments if node.targets[0].id == "reported"
    )


@check
def low_flops_pitfall(claim):
    """Nothing here was pre-trained, and the chapter says so; what is reported supports the claim."""
    gain = {name: large - small for name, (small, large) in reported(claim).items()}
    assert all((value > 1) == name.startswith("ParameterNet") for name, value in gain.items())
    tried = (
        any(run["settings"]["pretrained"] for run in recorded())
        or training.preset("posts").settings["pretrained"]
    )
    return (
        "cannot be known"
        if not tried and "did not repeat those experiments" in beside(claim)
        else verdict(True)
    )


@check
def parameternet_swin(claim):
    accuracy, _, swin, _ = quoted = said("parameternet-swin")
    small, large = reported(claim)["ParameterNet ~600M FLOPs"]
    assert "pre-training" in beside(claim) and not training.preset("posts").settings["pretrained"]
    return verdict(
        quoted == PARAMETERNET and small > swin, quoted == PARAMETERNET and large == accuracy
    )


@check
def paper_backs_posts(claim):
    found = reported(claim)
    by_layer = [
        found[f"ParameterNet ~{size}M FLOPs"][0] - found[f"GhostNet ~{size}M FLOPs"][0]
        for size in (300, 600)
    ]
    by_both = [
        found[f"ParameterNet ~{size}M FLOPs"][1] - found[f"GhostNet ~{size}M FLOPs"][1]
        for size in (300, 600)
    ]
    most_by_layer = any(layer > both / 2 for layer, both in zip(by_layer, by_both))
    return verdict(training.preset("posts").settings["pretrained"] or most_by_layer)


@check
def accuracy_dynamicconv(claim):
    """The recorded experiment, compared as chapter 7 does; and the posts' missing data, which the
    chapter states.
    """
    shown = []
    for objects in ("shapes", "digits"):
        runs = [run for run in recorded() if run["data"]["name"].startswith(objects)]
        pair = (
            "yolov10n-dynamicconv-2-bn-act",
            "yolov10n-conv-2",
        )  # differ in the mixing of kernels only
        scores = [
            [run["score"]["mAP50-95"] for run in runs if run["model"] == model] for model in pair
        ]
        assert list(map(len, scores)) == [5, 5]
        low, high = stats.ttest_ind(*scores, equal_var=False).confidence_interval()
        shown.append(low > 0 or high < 0)
    text = "\n".join(each.source for each in notebook(claim["shown"].partition("#")[0]))
    assert re.search(r"None of them names its data, its seed or the number", text)
    return verdict(all(shown)) if any(shown) else "cannot be known"


def unreported(claim):
    """Looked up: the chapter says that one seed decides nothing, and shows a run of one seed only."""
    place, cells = cell(claim)
    seeds = re.findall(r"seeds?=\[?(\d(?:, \d)*)", cells[place].source)
    return (
        "cannot be known"
        if seeds == ["0"] and re.search(r"one seed", beside(claim), re.IGNORECASE)
        else verdict(False)
    )


CHECKS |= {"accuracy-dcnv3": unreported, "accuracy-starnet": unreported}


# --- the tests ------------------------------------------------------------------------------------


def test_every_claim_has_a_check_and_every_check_a_claim():
    assert CHECKS.keys() == LEDGER.keys()
    assert len(LEDGER) == sum(map(len, GROUPS.values())) >= 30


@pytest.mark.parametrize("name", LEDGER)
def test_the_verdict_is_what_comes_out(name):
    claim = LEDGER[name]
    found = CHECKS[name](claim)
    found, *allowed = found if isinstance(found, tuple) else (found,)
    assert claim["verdict"] == found, (
        f"{CLAIMS} says {claim['verdict']!r} of {name!r}, but it comes out as {found!r}"
    )
    assert set(numbers(claim["because"])) <= set(allowed), (
        f"a number in the reason of {name!r} was not found by its check"
    )


def test_the_page_can_show_the_ledger():
    """Also in the build, which stops otherwise: ids, verdicts, notebooks and code cells."""
    assert read_claims(ROOT) == GROUPS


def test_the_page_shows_every_group_once_and_says_what_each_verdict_means():
    page = (ROOT / "book/what_the_posts_say.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{claims\} ?(.*)$", page, re.MULTILINE) == ["", *GROUPS]
    assert re.findall(r"^(.+)\n: ", page, re.MULTILINE) == list(VERDICTS)


GOOD = {
    "id": "a-claim",
    "says": "One.",
    "verdict": "holds",
    "because": "Two.",
    "shown": "01_chapter#code",
}


@pytest.mark.parametrize(
    "claims, message",
    [
        (
            [{key: value for key, value in GOOD.items() if key != "because"}],
            (
                "'a-claim' must have the fields id, says, verdict, because, shown .* got id, says,"
                " verdict, shown"
            ),
        ),
        ([GOOD | {"note": "x"}], "'a-claim' must have the fields .* got .*note"),
        ([GOOD | {"id": "A claim"}], "the id 'A claim' must be words of small letters"),
        ([GOOD, GOOD], "two claims have the id 'a-claim'"),
        (
            [GOOD | {"verdict": "true"}],
            (
                "'a-claim' has the verdict 'true'; expected one of holds, holds with a condition,"
                " artefact"
            ),
        ),
        ([GOOD | {"shown": "02_chapter#code"}], "there is no notebooks/02_chapter.ipynb"),
        (
            [GOOD | {"shown": "01_chapter#words"}],
            "shown in the cell 'words', but notebooks/01_chapter.ipynb has no code cell of that id",
        ),
        ([GOOD | {"shown": "01_chapter"}], "shown in the cell ''"),
    ],
)
def test_a_ledger_that_cannot_be_shown_is_refused_by_name(tmp_path, claims, message):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / CLAIMS).parent.mkdir(parents=True)
    cells = [
        nbformat.v4.new_code_cell("1", id="code"),
        nbformat.v4.new_markdown_cell("one", id="words"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/01_chapter.ipynb")
    (tmp_path / CLAIMS).write_text(yaml.safe_dump({"group": [GOOD]}, sort_keys=False))
    assert read_claims(tmp_path) == {"group": [GOOD]}
    (tmp_path / CLAIMS).write_text(
        yaml.safe_dump({"one": claims[:1], "two": claims[1:]}, sort_keys=False)
    )
    with pytest.raises(ClaimError, match=message):
        read_claims(tmp_path)
