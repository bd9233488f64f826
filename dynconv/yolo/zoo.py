"""The model YAMLs that come with the package: listed, found and built."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..checks import check_count, did_you_mean

_FOLDER = Path(str(files("dynconv.yolo") / "models"))

# of each model with 80 classes; assert the count after building, since some mistakes raise no error
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
        for path in sorted(_FOLDER.glob("*.yaml"))
    }


def path(name: str) -> Path:
    """The YAML file of a model, for `YOLO(path)` and for the `yolo` command.

    Raises:
        ValueError: there is no model of that name; the message says which is nearest.
    """
    names = models()
    if name not in names:
        raise ValueError(
            f"no model is called {name!r}{did_you_mean(name, names)} There are: {', '.join(names)}"
        )
    return _FOLDER / f"{name}.yaml"


def build(name: str, nc: int | None = None):
    """A model of the package as an ultralytics YOLO object, with fresh weights.

    Args:
        name: one of `models()`.
        nc: number of classes; 80 if left out. Training sets it to that of the data in any case.

    Raises:
        ValueError, TypeError: unknown name, or nc is no int of at least 1.
    """
    if nc is not None:
        check_count("nc", nc)
    # Imported late: ultralytics may be in the middle of its own import when it brings this module
    # in.
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    yolo = YOLO(path(name), task="detect")
    if nc is not None:
        yolo.model = DetectionModel(yolo.model.yaml, nc=nc, verbose=False)
    return yolo
