"""Claims about the two models, and the script."""

import ast
import functools
from pathlib import Path

import ultralytics
from ultralytics import YOLO
from ultralytics.nn.tasks import yaml_model_load

import dynconv
from dynconv import yolo

from . import (
    CHECKS,
    check,
    classes,
    cost,
    network,
    printed_then,
    rows,
    said,
    shown,
    verdict,
    verdict_on_print,
)


def yaml(k):
    return f"yolov10n-dynamicconv-{k}"


@check
def replaced_rows():
    stock = list(enumerate(rows("yolov10n")))
    halving = {"Conv", "SCDown"}
    meant = [
        {i for i, (module, _) in stock if module == "Conv"},
        {i for i, (module, stride) in stock if module in halving and stride == 2},
    ]
    replaced = [
        {i for i, (module, _) in enumerate(rows(yaml(k))) if module == "DynamicConv"}
        for k in (1, 2)
    ]
    return verdict(replaced == meant, replaced == [some - {0} for some in meant])


def layers(k):
    (number,), found = said(f"yaml-{k}-layers"), cost(yaml(k))
    assert found.layers < found.modules
    return verdict(found.modules == number)


def parameters(k):
    all_of_them, gradients = said(f"yaml-{k}-parameters")
    nc = classes(yaml(k), all_of_them)
    if nc is None:
        return verdict(False)
    trained = sum(p.numel() for p in network(yaml(k), nc).parameters() if p.requires_grad)
    fits = trained == gradients
    return verdict(fits and nc == yaml_model_load(yolo.path(yaml(k)))["nc"], fits), str(nc)


def gflops(k):
    """With the number of classes that the parameters give away."""
    (number,) = said(f"yaml-{k}-gflops")
    nc = classes(yaml(k), said(f"yaml-{k}-parameters")[0])
    stock, found = cost("yolov10n", nc), cost(yaml(k), nc)
    unseen = sum(isinstance(row, dynconv.DynamicConv) for row in network(yaml(k)).model)
    assert unseen == {1: 3, 2: 6}[k]
    if k == 1:
        assert abs(found.flops / stock.flops - 1) < 1e-3
    else:
        assert found.flops > 1.01 * stock.flops
    printed = printed_then(yaml(k), "yolov10n", nc) == number < found.printed_gflops
    assert found.printed_gflops < stock.printed_gflops
    return verdict_on_print(printed, found.flops < 0.999 * stock.flops)


for function in (layers, parameters, gflops):
    for k in (1, 2):
        CHECKS[f"yaml-{k}-{function.__name__}"] = functools.partial(function, k)


@check
def nc_80():
    (nc,) = said("nc-80")
    surplus = [cost(yaml(k), int(nc)).parameters - said(f"yaml-{k}-parameters")[0] for k in (1, 2)]
    assert min(surplus) >= 0
    assert all(yaml_model_load(yolo.path(yaml(k)))["nc"] == nc for k in (1, 2))
    return verdict(surplus == [0, 0])


@check
def script_runs():
    """The file is the one that the cell gives to YOLO."""
    calls = [
        node
        for node in ast.walk(shown("script-runs"))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "YOLO"
    ]
    (path,) = [ast.literal_eval(call.args[0]) for call in calls]
    shipped = {file.name for file in (Path(ultralytics.__file__).parent / "cfg").rglob("*.yaml")}
    try:
        YOLO(path)
    except FileNotFoundError:
        return verdict(Path(path).name in shipped)
    return "holds"
