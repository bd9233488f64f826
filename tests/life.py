"""What the tests of a model's life share: code in a new process, a data set of eight tiny images, a
network's output.
"""

import os
import subprocess
import sys

import numpy as np
import torch
from PIL import Image

ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "PYTEST_CURRENT_TEST": None,  # where ultralytics finds it, it behaves differently
}
# Arguments of train() in such a folder. Absolute, since ultralytics puts a relative project into a
# folder of its own.
TINY = (
    "data='data.yaml', imgsz=64, batch=4, workers=0, device='cpu', plots=False, exist_ok=True,"
    " project=__import__('os').getcwd()"
)


def start_python(code, cwd, *arguments, **environment):
    """Start a new process that runs code (or, without code, `python` with arguments). A variable of
    value None is removed.
    """
    variables = {
        name: value
        for name, value in (os.environ | ENVIRONMENT | environment).items()
        if value is not None
    }
    command, pipe = [sys.executable, *(["-c", code] if code else arguments)], subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=variables, stdout=pipe, stderr=pipe, text=True)


def run_python(code, cwd, *arguments, **environment):
    """The same, to its end; its last printed line."""
    process = start_python(code, cwd, *arguments, **environment)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, out[-1500:] + err[-1500:]
    return (out.strip().splitlines() or [""])[-1]


def make_data(folder):
    """Four images to train on and four to validate with, of noise, with one box each:
    folder/data.yaml.
    """
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        (folder / "images" / part).mkdir(parents=True)
        (folder / "labels" / part).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
                folder / "images" / part / f"{i}.png"
            )
            (folder / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [thing]\n"
    )
    return folder


def output(model, x):
    """What the model gives, without gradients: of a detection network the first of its outputs."""
    with torch.no_grad():
        y = model(x)
    return y[0] if isinstance(y, (list, tuple)) else y
