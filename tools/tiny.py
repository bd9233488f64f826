"""A data set of eight tiny images, what train() is told with it, and the smallest models: for
whoever must see a run from begin to end, and not its result.
"""

from pathlib import Path

import numpy as np
from PIL import Image

# Arguments of train() in a process that runs in the folder of `make_data`. `project` belongs to
# them, the folder itself: ultralytics puts a relative project into a folder of its own.
OPTIONS = {
    "data": "data.yaml",
    "imgsz": 64,
    "batch": 4,
    "workers": 0,
    "device": "cpu",
    "plots": False,
    "exist_ok": True,
}


def make_data(folder: Path) -> Path:
    """Four images to train on and four to validate with, of noise, with one box each:
    folder/data.yaml.
    """
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        (folder / "images" / part).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / part).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
                folder / "images" / part / f"{i}.png"
            )
            (folder / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [thing]\n"
    )
    return folder


def examples() -> dict[str, str]:
    """The smallest model of each family with each module of ours: {model: the module's name}."""
    from ultralytics.nn.tasks import yaml_model_load

    from dynconv import yolo

    chosen = {}
    names = {module.cls.__name__ for module in yolo.MODULES}
    for model in sorted(yolo.PARAMETERS, key=yolo.PARAMETERS.get):
        content = yaml_model_load(yolo.path(model))
        for row in content["backbone"] + content["head"]:
            if row[2] in names:
                chosen.setdefault((model.partition("-")[0], row[2]), model)
    return {model: module for (_, module), model in sorted(chosen.items())}
