"""Claims about the four modifications: what a new Python builds in edited copies of ultralytics."""

import ast
import functools
import shutil
import tempfile
from pathlib import Path

import ultralytics

from dynconv import edits, yolo

from . import check, network, verdict

MODELS = ("yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2", "yolov10n-c2f-dynamicconv")
COPIES = {  # what is edited, and which models are built
    "in full": ({}, MODELS),
    "no names": ({"edits": (1, 2, 3)}, MODELS[:1]),
    "no repeat": ({"repeat": ()}, MODELS[2:]),
}
# One Python for all copies, since most of the time goes into importing torch and timm.
BUILD = """
import sys
for folder, paths in {copies}:
    sys.path.insert(0, folder)
    try:
        from ultralytics import YOLO
        print([sum(p.numel() for p in YOLO(path).model.parameters()) for path in paths])
    except Exception as error:
        print(repr(type(error).__name__))
    for name in [name for name in sys.modules if name.partition(".")[0] == "ultralytics"]:
        del sys.modules[name]
"""


@functools.cache
def built():
    """For each of COPIES the parameters of its models, or the name of the error."""
    unused = shutil.ignore_patterns("assets", "solutions")
    copies = []
    with tempfile.TemporaryDirectory() as home:
        for name, (options, models) in COPIES.items():
            folder = Path(home, name)
            source = Path(ultralytics.__file__).parent
            shutil.copytree(source, folder / "ultralytics", ignore=unused)
            edits.apply(folder, **options)
            copies.append((str(folder), [str(yolo.path(model)) for model in models]))
        outcome = edits.run_with(copies[0][0], BUILD.format(copies=copies))
    assert not outcome.error, outcome.error
    return dict(zip(COPIES, map(ast.literal_eval, outcome.output.splitlines())))


@check
def four_modifications():
    return verdict(built()["in full"] == [yolo.PARAMETERS[name] for name in MODELS])


@check
def scaled_channels():
    row = network(MODELS[0]).model[1]
    scaled = (row.in_features, row.out_features) == (16, 32)
    return verdict(scaled and built()["no names"] == "RuntimeError")


@check
def repeat_count():
    right, first_only = yolo.PARAMETERS[MODELS[2]], built()["no repeat"]
    assert isinstance(first_only, list), f"no longer silent: {first_only}"
    both = built()["in full"][2] == right
    return verdict(both and first_only == [right], both)
