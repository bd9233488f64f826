"""What the tests of a model's life share: code in a new process, and a data set of eight tiny images."""

import os
import subprocess
import sys

import numpy as np
from PIL import Image

ENVIRONMENT = {
    "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false",
    "PYTEST_CURRENT_TEST": None,  # where ultralytics finds it, it behaves differently
}  # fmt: skip
# Arguments of train() in such a folder. Absolute, since ultralytics puts a relative project into a folder of its own.
TINY = "data='data.yaml', imgsz=64, batch=4, workers=0, device='cpu', plots=False, exist_ok=True, project=__import__('os').getcwd()"


def start_python(code, cwd, **environment):
    """Start a new process that runs code, on its own with the environment given (a value None removes a variable)."""
    variables = {name: value for name, value in (os.environ | ENVIRONMENT | environment).items() if value is not None}
    return subprocess.Popen([sys.executable, "-c", code], cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_python(code, cwd, **environment):
    """Run code in a new process; its last printed line."""
    process = start_python(code, cwd, **environment)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, out[-1500:] + err[-1500:]
    return out.strip().splitlines()[-1]


def make_data(folder):
    """Four images to train on and four to validate with, of noise, with one box each: folder/data.yaml."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        (folder / "images" / part).mkdir(parents=True)
        (folder / "labels" / part).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / "images" / part / f"{i}.png")
            (folder / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [thing]\n")
    return folder
