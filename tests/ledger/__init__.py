"""How each verdict of the ledger `book/data/claims.yaml` is found: one module per group of claims,
and here what several checks need.

A check is called like the id of its claim, with _ for -, and never looks at the verdict. It returns
a verdict, or a verdict and the numbers that `because` may name. What the posts say in numbers it
takes from `says`. Claims that are decided by reading have no check.
"""

import ast
import functools
import re
from itertools import chain

import nbformat
import torch
import yaml
from claims import CLAIMS
from conftest import ROOT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn.tasks import DetectionModel, yaml_model_load

import dynconv
from dynconv import yolo

GROUPS = yaml.safe_load((ROOT / CLAIMS).read_text(encoding="utf-8"))["claims"]
LEDGER = {claim["id"]: claim for claim in chain.from_iterable(GROUPS.values())}
CHECKS = {}

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
NAMES = re.compile(  # whose digits are no numbers
    r"\]\(\S+\)|YAML \d|ImageNet-\d+K|YOLO\w*|DCNv3|ReLU6|\bs\d\b|\d×\d|2·k·k"
)


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


def verdict_on_print(printed, true):
    """Of something read off a screen. printed: it stands there as the posts say. true: it is so."""
    return "holds" if true else "artefact" if printed else "wrong"


# --- networks; no check changes one ---------------------------------------------------------------


def model_file(name):
    """The YAML of a model: ultralytics' own have no hyphen in their names, and the book's have."""
    return str(yolo.path(name)) if "-" in name else name + ".yaml"


@functools.cache
def network(name, nc=80):
    """The same weights whatever ran before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DetectionModel(model_file(name), nc=nc, verbose=False).eval()


@functools.cache
def cost(name, nc=80, imgsz=640):
    return dynconv.cost(network(name, nc), imgsz=imgsz)


@functools.cache
def printed_then(name, stock, nc):
    """The GFLOPs as ultralytics printed them when the posts were written: its profiler did not
    count the matrix products of the attention, which are those of the stock model.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(stock, nc)(torch.zeros(1, 3, 640, 640))
    attention = counter.get_flop_counts()["Global"][torch.ops.aten.bmm] / 1e9
    return round(cost(name, nc).printed_gflops - attention, 1)


@functools.cache
def count(name, nc=80):
    """How many parameters; the model itself is not kept."""
    model = DetectionModel(model_file(name), nc=nc, verbose=False)
    return sum(p.numel() for p in model.parameters())


def classes(name, parameters):
    """With how many classes a model has so many parameters; None: with none from 1 to 100."""
    each = count(name, 2) - count(name, 1)
    guess, rest = divmod(int(parameters) - count(name, 1), each)
    nc = 1 + guess
    return nc if rest == 0 and 1 <= nc <= 100 and count(name, nc) == parameters else None


def rows(name):
    """The module of each row of a model file, and its stride: [('Conv', 2), ...]."""
    config = yaml_model_load(model_file(name))
    return [
        (module, arguments[2] if len(arguments) > 2 else 1)
        for _, _, module, arguments in config["backbone"] + config["head"]
    ]


def loud(layer):
    """The layer with parameters that all matter (offsets and masks start at zero)."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.4)
    return layer


# --- the chapters ---------------------------------------------------------------------------------


def shown(name):
    """The code of the cell that shows a claim, parsed: however its lines are broken."""
    stem, _, cell = LEDGER[name]["shown"].partition("#")
    cells = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    return ast.parse(next(each.source for each in cells if each.id == cell))
