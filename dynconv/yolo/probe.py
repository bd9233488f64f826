"""Small networks in which modules that are not ultralytics' own must come out as its own do.

What a `parse_model` makes of a module, its text does not tell for certain: a set elsewhere in the
file may decide who is scaled. So it is asked. A network is built of ultralytics' Conv, C2f, ... and
once more with stand-ins for some of them, classes that do the same and that ultralytics does not
know. Both must have the same parameters, shapes, shortcuts, repeats and connections, at two scales.

This file imports nothing of dynconv, and runs as a program too: `python -m dynconv patch` asks so
whether a copy of ultralytics with the four edits treats the two names that they add as it treats
Conv and C2f.
"""

import contextlib

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C2f, Concat, Conv, Detect
from ultralytics.utils import LOGGER


class ProbeConv(nn.Module):
    """Conv, and not derived from it."""

    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        stock = Conv(c1, c2, k, s)
        self.conv, self.bn, self.act = stock.conv, stock.bn, stock.act

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class C2f_Probe(C2f):
    """C2f, derived from it as C2f_DynamicConv is."""


class ProbeUpsample(nn.Upsample):
    """Takes its arguments as they stand."""


class ProbeConcat(Concat):
    """Takes several inputs, and gives all their channels."""


class ProbeFusion(ProbeConv):
    """Takes several inputs, and gives the channels that its row says."""

    def __init__(self, c1, c2, k=1, s=1):
        super().__init__(c1[0], c2, k, s)

    def forward(self, maps):
        return super().forward(maps[0])


class ProbeDetect(Detect):
    """A head of a reader's own."""


STOCK = {  # what each stands in for
    "ProbeConv": "Conv",
    "C2f_Probe": "C2f",
    "ProbeUpsample": "nn.Upsample",
    "ProbeConcat": "Concat",
    "ProbeFusion": "Conv",
    "ProbeDetect": "Detect",
}
# Depth, width and most channels: the first makes all smaller and the second larger; both have rows
# that repeat, and rows with more channels than the most.
SCALES = {"n": [0.6, 0.25, 64], "x": [1.4, 1.25, 24]}
BACKBONE = [
    [-1, 1, "Conv", [24, 3, 2]],
    [-1, 1, "ProbeConv", [40, 3, 2]],
    [-1, 3, "C2f_Probe", [40, True]],
    [-1, 3, "ProbeConv", [40, {"k": 3}]],
    [-1, 3, "C2f", [40, True]],
    [[-1], 1, "ProbeFusion", [80, 3, 2]],
    [-1, 1, "ProbeConv", [80, 3, 2]],
]
HEAD = [
    [-1, 1, "ProbeUpsample", [None, 2, "nearest"]],
    [[-1, 5], 1, "ProbeConcat", [1]],
    [-1, 3, "C2f_Probe", [36]],
    [-1, 1, "Conv", [20]],
    [-1, 1, "ProbeConv", [28, 3, {"s": 2}]],
    [[9, 11], 1, "ProbeDetect", ["nc"]],
]


# Another class of ultralytics could build by another function: one without boxes and strides.
CLASSIFIER = [
    [-1, 1, "Conv", [24, 3, 2]],
    [-1, 1, "ProbeConv", [40, 3, 2]],
    [-1, 3, "C2f_Probe", [40, True]],
    [-1, 1, "Classify", ["nc"]],
]


def network(scale: str, names: dict[str, str], by_name: bool, backbone=BACKBONE, head=HEAD) -> dict:
    """A model file, with other names for some modules.

    Args:
        by_name: rows may give arguments by name, and begin with a list of one input.
    """

    def row(source, repeats, name, arguments):
        name = names.get(name, name)
        if not by_name and isinstance(arguments[-1], dict):
            arguments = [*arguments[:-1], *arguments[-1].values()]
        if not by_name and source == [-1]:
            source = -1
        return [source, repeats, name, list(arguments)]

    return {
        "nc": 6,
        "scales": SCALES,
        "scale": scale,
        "backbone": [row(*one) for one in backbone],
        "head": [row(*one) for one in head],
    }


def differences(names: dict[str, str] | None = None) -> list[str]:
    """How networks with stand-ins differ from ultralytics' own; [] if they do not.

    Args:
        names: what a model file calls the stand-ins, if not all and not as they are called here.
            Then rows are written as ultralytics itself can read them.
    """
    # Building a YOLOv8 sets `legacy` for all heads, and they would draw other random numbers.
    found, quiet, legacy = [], LOGGER.disabled, Detect.legacy
    try:
        LOGGER.disabled = True
        # the reader's random numbers are not ours to draw, and his device not ours to use
        with torch.random.fork_rng(devices=[]), _on_cpu():
            for cls, scale, *rows in _kinds():
                stock = _described(cls, network(scale, STOCK, False, *rows))
                asked = STOCK | names if names else {}
                mine = _described(cls, network(scale, asked, names is None, *rows))
                found += [
                    f"at scale {scale} {what} is {mine.get(what, 'missing')}, and"
                    f" {stock.get(what, 'missing')} where the module is ultralytics' own"
                    for what in stock | mine
                    if stock.get(what) != mine.get(what)
                ]
    finally:
        LOGGER.disabled, Detect.legacy = quiet, legacy
    return found


def _kinds() -> list[tuple]:
    """What is built: class, scale, rows if others."""
    kinds = [(tasks.DetectionModel, scale) for scale in SCALES]
    if hasattr(tasks, "ClassificationModel"):
        kinds.append((tasks.ClassificationModel, "x", CLASSIFIER[:-1], CLASSIFIER[-1:]))
    return kinds


def _on_cpu() -> contextlib.AbstractContextManager:
    """The context costs a quarter of the time, and most readers have no other default."""
    is_cpu = torch.get_default_device().type == "cpu"
    return contextlib.nullcontext() if is_cpu else torch.device("cpu")


def _described(cls: type, model: dict) -> dict[str, object]:
    """All that says how a network is built: {what: value}."""
    torch.default_generator.manual_seed(0)  # that of the CPU alone, which is put back
    network = cls(model, verbose=False)
    result = {"the list of saved rows": network.save, "stride": network.stride.tolist()}
    for name, module in network.model.named_modules():
        where = "row " + name.replace(".", ", ", 1) if name else "the network"
        for key, value in vars(module).items():
            if key == "f" and isinstance(value, list) and len(value) == 1:
                value = value[0]
            if key not in ("type", "name") and isinstance(
                value, (bool, int, float, str, tuple, list)
            ):
                result[f"{key} of {where}"] = value
        for key, value in module.named_parameters(recurse=False):
            result[f"the shape of {key} of {where}"] = tuple(value.shape)
            result[f"{key} of {where}"] = value.dtype, value.requires_grad, value.sum().item()
    result["legacy"] = getattr(network.model[-1], "legacy", None)
    return result


def main(names: dict[str, str]) -> None:
    """In a tree that has these names by its own edits: print how its networks differ."""
    own = {name: getattr(tasks, name) for name in names.values()}
    for name, cls in zip(names.values(), (ProbeConv, C2f_Probe)):
        setattr(tasks, name, cls)
    found = differences(names)
    vars(tasks).update(own)
    rows = [[-1, 1, name, [16]] for name in own]  # and its own modules can be built at all
    head = [[[-1], 1, "Detect", ["nc"]]]
    tasks.DetectionModel({"nc": 6, "backbone": rows, "head": head}, verbose=False)
    print(found[0] if found else "the same")
