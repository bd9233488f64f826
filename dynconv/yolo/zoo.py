"""The model YAMLs that come with the package: listed, found and built."""

from __future__ import annotations

import functools
from pathlib import Path

from ultralytics.nn import tasks

from ..checks import check_count, did_you_mean, shown
from ..upstream import names_of, unsupported
from .modules import foreign
from .registration import MODELS, install

# of each model with 80 classes; `build` compares, since some mistakes raise no error
PARAMETERS = {
    "yolo11n-dynamicconv": 4_630_632,
    "yolo11n-dynamicconv-bn-act": 4_632_008,
    "yolo11n-dynamicconv-static-stem": 4_629_352,
    "yolo11n-dynamicconv-static-stem-bn-act": 4_630_696,
    "yolov10n-c2f-dynamicconv": 3_751_140,
    "yolov10n-conv-2": 3_228_640,
    "yolov10n-dynamicconv-1": 2_955_372,
    "yolov10n-dynamicconv-1-bn-act": 2_955_692,
    "yolov10n-dynamicconv-2": 4_957_048,
    "yolov10n-dynamicconv-2-bn-act": 4_958_392,
    "yolov8n-dcnv3": 3_057_980,
    "yolov8n-dcnv3-c2f": 2_925_884,
    "yolov8n-starnet-s050": 2_362_144,
    "yolov8n-starnet-s1": 4_672_648,
    "yolov8n-starnet-s100": 2_854_216,
    "yolov8n-starnet-s150": 3_364_096,
    "yolov8n-starnet-s2": 5_473_664,
    "yolov8n-starnet-s3": 7_542_432,
    "yolov8n-starnet-s4": 9_274_368,
}


def models() -> dict[str, str]:
    """The models of the package: {name: one line that says what is replaced}."""
    return {
        path.stem: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        for path in sorted(MODELS.glob("*.yaml"))
    }


def path(name: str) -> Path:
    """The YAML file of a model, for `YOLO(path)` and for the `yolo` command.

    Raises:
        ValueError: there is no model of that name; the message says which is nearest.
        TypeError: it is no name.
    """
    names = models()
    if not isinstance(name, str):
        raise TypeError(f"the name of a model must be one of models(), got {shown(name)}")
    if name not in names:
        raise ValueError(
            f"no model is called {name!r}{did_you_mean(name, names)} There are: {', '.join(names)}"
        )
    return MODELS / f"{name}.yaml"


def find_by_name() -> None:
    """Let ultralytics find a model of the package by its bare file name, as it finds its own:
    `YOLO("yolov10n-dynamicconv-1.yaml")`. A file of that name in the current folder comes first.
    Idempotent.
    """
    original = vars(tasks).get("check_yaml")
    if original is None or hasattr(original, "dynconv_original"):
        return

    @functools.wraps(original)
    def check_yaml(*arguments, **keywords):
        file = str((*arguments, *keywords.values(), "")[0])
        packaged = MODELS / file
        if Path(file).name == file and packaged.is_file() and not Path(file).exists():
            return str(packaged)
        return original(*arguments, **keywords)

    check_yaml.dynconv_original = original
    tasks.check_yaml = check_yaml


def build(name: str, nc: int | None = None):
    """A model of the package as an ultralytics YOLO object, with fresh weights.

    Args:
        name: one of `models()`.
        nc: number of classes; 80 if left out. Training sets it to that of the data in any case.

    Raises:
        ValueError, TypeError: unknown name, or nc is no int of at least 1.
        ValueError: the model names a module that means another layer here, such as one that an
            edited ultralytics brings.
        UnsupportedUltralytics: this ultralytics builds another network of it.
    """
    file = path(name)
    nc = nc if nc is None else check_count("nc", nc)
    install()
    for other, where in foreign().items():
        if other in names_of(tasks.yaml_model_load(file)):
            raise ValueError(
                f"{name} is made of dynconv's {other}, but here model files that name it build"
                f" {where}: give that one another name, or take the edits to ultralytics back"
                " (`python -m dynconv patch DIR --undo`)"
            )
    # Imported late: ultralytics may be in the middle of its own import when it brings this module
    # in.
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    yolo = YOLO(file, task="detect")
    found = sum(parameter.numel() for parameter in yolo.model.parameters())
    if found != PARAMETERS.get(name, found):
        raise unsupported(
            f"{name} comes out with {found:,} parameters, expected {PARAMETERS[name]:,}"
        )
    if nc is not None:
        yolo.model = DetectionModel(yolo.model.yaml, nc=nc, verbose=False)
    return yolo
