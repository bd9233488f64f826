"""The recorded experiment of chapter 7: five models, two data sets, five seeds. `python -m
dynconv.lab.experiment` repeats it.

It takes an hour or two on one core. What was finished is kept in `runs/`, so it can be stopped and
started again. The results go into one JSON file, which comes with the package: `recorded()`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from .. import offline
from ..commands import mistakes_named
from ..files.whole import whole_in_turn
from . import training
from .dataset import check_dataset
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
RECORD = "experiment.json"  # beside this module
# The static control on shapes once more, seed by seed, on the same machine, which was told to leave
# its AVX-512 instructions unused. It was made with ATEN_CPU_CAPABILITY=avx2 and
# ONEDNN_MAX_CPU_ISA=AVX2 in the environment, and --parts shapes --models yolov10n-conv-2.
REPETITION = "experiment_avx2.json"


def recorded() -> list[dict]:
    """What the experiment gave when it was run for this book: for each run a dict of what a
    `training.Run` holds (without its folder), and 'score', that of its last weights on images
    without a frame.
    """
    return _read(RECORD)


def repeated() -> list[dict]:
    """Runs of the record with other instructions of the processor, which round in other places; in
    the form of `recorded`.
    """
    return _read(REPETITION)


def _read(name: str) -> list[dict]:
    return json.loads((files(__package__) / name).read_text(encoding="utf-8"))


def run(
    folder: Path,
    file: Path,
    ray: bool | str | None = None,
    parts: Iterable[str] = (),
    models: Iterable[str] = (),
) -> None:
    """Train what is missing in `folder`, seed after seed, and write all results, as `recorded` has
    them, to `file`. Some `parts` and `models`, or all.
    """
    file.parent.mkdir(parents=True, exist_ok=True)  # before an hour of work, if it cannot be
    if file.is_dir():
        raise IsADirectoryError(f"file must be a file to write, and {str(file)!r} is a folder")
    preset = training.preset("cpu")
    finished = []
    for objects in parts or PARTS:
        scenes, settings = PARTS[objects]
        scenes = preset.scenes | scenes | {"objects": objects}
        settings = preset.settings | settings
        data = check_dataset(make(folder / "datasets", **scenes))
        for one in sweep(models or MODELS, data, settings, seeds=SEEDS, folder=folder, ray=ray):
            values = {name: value for name, value in vars(one).items() if name != "folder"}
            score = training.validate(one, data, one.settings["imgsz"])
            finished.append(values | {"score": score})
    with whole_in_turn(file) as draft:
        draft.write_text(json.dumps(finished, indent=1) + "\n", encoding="utf-8")


def target() -> Path:
    """Where the command writes unless told: the record of this package if it is the source that is
    worked on, else a file in the current folder. (What pip has installed is not to be changed.)
    """
    here = Path(__file__)
    in_source = (here.parents[2] / "pyproject.toml").exists()
    return here.with_name(RECORD) if in_source else Path(RECORD)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dynconv.lab.experiment", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        help="where the runs are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--file", type=Path, default=target(), help="where the results go (default: %(default)s)"
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help=(
            "several runs at a time: 'local' for the cores of this machine, 'auto' or an address"
            " for a Ray cluster"
        ),
    )
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=[], help="only these data sets (default: all)"
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=[], help="only these models (default: all)"
    )
    options = parser.parse_args(arguments)
    offline.stay_offline()
    with mistakes_named():
        run(**vars(options))


if __name__ == "__main__":
    main()
