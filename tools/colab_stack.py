"""Colab's software, as far as a list of its packages tells: `.venv/colab`, an environment with what
the book's package and a notebook need, in the versions of that list.

The list, tools/colab-packages.txt, is what `pip freeze` prints on Colab. What it says of CUDA is
left out: PyPI's torch brings a CUDA of its own.
"""

import datetime
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import compat_environments

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tools/colab-packages.txt"
# Where Colab's makers keep the list of today.
NEWEST = "https://raw.githubusercontent.com/googlecolab/backend-info/main/pip-freeze.txt"
FOLDER = ROOT / ".venv/colab"
PYTHON = "3.13"  # Colab's; its list does not say so
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;+]+)")  # without the build, as in 2.11.0+cu128
# Beside what the package requires: the kernel, and what ultralytics does otherwise if it is there.
ALSO = [
    *("ipykernel", "ipython", "ipywidgets", "pip", "setuptools"),
    *("albumentations", "huggingface_hub", "nvidia-ml-py", "pandas", "polars", "psutil"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    *("requests", "tensorboard", "wandb"),
    *("flatbuffers", "ml_dtypes"),  # which onnx and its runtime require
]


def renew_list(file):
    """Take over what `pip freeze` has printed on Colab; 'newest' is the list of its makers."""
    if file == "newest":
        file = NEWEST
        with urllib.request.urlopen(NEWEST, timeout=60) as answer:
            text = answer.read().decode()
    else:
        text = Path(file).read_text(encoding="utf-8")
    pins = [PIN.match(line) for line in text.splitlines()]
    lines = sorted({f"{pin[1]}=={pin[2]}" for pin in pins if pin}, key=str.lower)
    if not lines:
        sys.exit(f"colab: {file} has no line like 'numpy==2.1.3'; give what `pip freeze` printed")
    today = datetime.date.today().isoformat()
    head = f"# Colab's packages, taken on {today} from {Path(file).name}"
    LIST.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def versions():
    """{package: its version on Colab}."""
    pins = map(PIN.match, LIST.read_text(encoding="utf-8").splitlines())
    return {pin[1].lower().replace("_", "-"): pin[2] for pin in pins if pin}


def wanted():
    """Those packages of the list that are installed by name; others come if these require them."""
    names = [*compat_environments.floors(), *(name.replace("_", "-") for name in ALSO)]
    return [f"{name}=={versions()[name]}" for name in names if name in versions()]


def constraints():
    return [
        f"{name}=={version}"
        for name, version in versions().items()
        if not name.startswith(("nvidia-", "cuda-")) or name == "nvidia-ml-py"
    ]


def python():
    """Colab's Python if this machine has it; else the one that runs this."""
    return compat_environments.interpreter(PYTHON) or sys.executable


def installed(executable):
    """{package: version} in the environment of a Python, whatever folder this runs in."""
    each = "print(*(f'{d.name}=={d.version}' for d in importlib.metadata.distributions()))"
    code = f"import importlib.metadata; {each}"
    pins = map(
        PIN.match, subprocess.check_output([executable, "-I", "-c", code], text=True).split()
    )
    return {pin[1].lower().replace("_", "-"): pin[2] for pin in pins}


def environment():
    """The Python of the environment, made once for each list, without what a notebook has
    installed.
    """
    executable, stamp = FOLDER / "bin/python", FOLDER / "dynconv-packages.json"
    content = {"python": python(), "wanted": wanted(), "constraints": constraints()}
    made = json.loads(stamp.read_text()) if stamp.exists() else {}
    if made.get("content") == content:
        now, before = installed(executable), made["packages"]
        if all(now.get(name) == version for name, version in before.items()):
            if added := sorted(now.keys() - before.keys()):
                run(executable, "-m", "pip", "uninstall", "--quiet", "--yes", *added)
            return executable
    stamp.unlink(missing_ok=True)  # written last: an interrupted installation is made anew
    print("colab: making an environment of Colab's versions (some 3 GB to download)", flush=True)
    run(content["python"], "-m", "venv", "--clear", FOLDER)
    limits = FOLDER / "constraints.txt"
    limits.write_text("\n".join(content["constraints"]) + "\n")
    install = [executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*install, "-c", limits, *content["wanted"])
    if subprocess.run([executable, "-c", "import cv2"], capture_output=True).returncode:
        # Colab has OpenGL, this machine has not; the same OpenCV without windows needs none
        headless = f"opencv-contrib-python-headless=={versions()['opencv-contrib-python']}"
        run(*install, "--no-deps", "--force-reinstall", headless)
    made = {"content": content, "packages": installed(executable)}
    stamp.write_text(json.dumps(made, indent=1))
    return executable


def run(*command):
    if subprocess.run([str(part) for part in command]).returncode:
        sys.exit(f"colab: this failed, its reason stands above: {' '.join(map(str, command))}")
