"""The recorded experiment of chapter 7: five models, two data sets, five seeds. `python -m
dynconv.lab.experiment` repeats it.

It takes an hour or two on one core. What was finished is kept in `runs/`, so it can be stopped and
started again. The results go into one JSON file, `dynconv/lab/experiment.json` in the book's
repository.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .. import offline
from . import training
from .scenes import make
from .sweep import sweep

SEEDS = range(5)
# The second is the static control of the last: the same convolutions, none of them dynamic.
MODELS = (
    "yolov10n",
    "yolov10n-conv-2",
    "yolov10n-dynamicconv-1",
    "yolov10n-dynamicconv-2",
    "yolov10n-dynamicconv-2-bn-act",
)
# The CPU preset, trained longer: twice as long on the shapes, and on the harder digits longer and
# with more images.
PARTS = {
    "shapes": ({"train": 300, "val": 400}, {"epochs": 8}),
    "digits": ({"train": 400, "val": 400}, {"epochs": 10}),
}


def run(folder: Path, file: Path, ray: bool | str | None = None) -> None:
    """Train what is missing in `folder`, seed after seed, and write all results, with the score of
    the last weights on images without a frame, to `file`.
    """
    preset = training.preset("cpu")
    finished = []
    for objects, (scenes, settings) in PARTS.items():
        data = make(folder / "datasets", **preset.scenes | scenes | {"objects": objects})
        for one in sweep(
            MODELS, data, preset.settings | settings, seeds=SEEDS, folder=folder, ray=ray
        ):
            score = training.validate(one, data, one.settings["imgsz"])
            finished.append(
                {name: value for name, value in vars(one).items() if name != "folder"}
                | {"score": score}
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(finished, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        help="where the runs are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--file",
        type=Path,
        default=Path("dynconv/lab/experiment.json"),
        help="where the results go (default: %(default)s)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help=(
            "several runs at a time: 'local' for the cores of this machine, 'auto' or an address"
            " for a Ray cluster"
        ),
    )
    arguments = parser.parse_args()
    offline.stay_offline()
    run(arguments.folder, arguments.file, arguments.ray)
