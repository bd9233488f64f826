"""The environments that `make compat` tries the package in, each in `.venv/compat/NAME`.

An environment holds what the package requires, its extras `export` and `ray` included: some
packages in a version that is given, every other one in the newest that fits, whatever constraints
this machine sets for pip. uv resolves and installs, because it keeps each version of a package once
and links it into every environment that holds it: torch with its CUDA is 6 GB, and most of these
environments hold the same. Only wheels are taken, so no code of a package runs before it is tried.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import lock

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
CACHE = ROOT / ".venv/compat"
EXTRAS = ("export", "ray")
# The OpenCV that ultralytics asks for needs the system's OpenGL; the same without windows does not.
INSTEAD = {"opencv-python": "opencv-python-headless"}


class Unsolvable(Exception):
    """These versions cannot be installed together."""


def say(text):
    print(f"compat: {text}", flush=True)


def floors(*extras):
    """{package: the oldest version that the package, or one of its extras, says it works with}."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    return dict(line.split(">=") for line in lines)


def environments():
    """{name: (its Python, {package: the version that is given})}."""
    lowest = floors(*EXTRAS)

    def at_floor(*names):
        return {name: lowest[name] for name in names}

    return {
        "oldest": ("3.11", lowest),
        "oldest-torch": ("3.12", at_floor("torch", "torchvision")),
        "oldest-numpy": ("3.12", at_floor("numpy")),
        "oldest-timm": ("3.12", at_floor("timm")),
        # Newer torch writes ONNX with a package for which this ultralytics does not ask.
        "oldest-ultralytics": (
            "3.12",
            at_floor("ultralytics") | {"torch": "2.8.0", "torchvision": "0.23.0"},
        ),
        "ultralytics-8.4.0": ("3.12", {"ultralytics": "8.4.0"}),
        "ultralytics-8.4.100": ("3.12", {"ultralytics": "8.4.100"}),
        "newest-3.11": ("3.11", {}),
        "newest-3.12": ("3.12", {}),
        "newest-3.13": ("3.13", {}),
    }


def interpreter(version):
    """The path of this Python on this machine, from PATH or pyenv; None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = [
        shutil.which(f"python{version}"),
        *sorted(pyenv.glob(f"versions/{version}.*/bin/python")),
    ]
    for candidate in filter(None, found):
        # pyenv puts a stub on PATH that may lead nowhere; Debian keeps ensurepip apart
        if not subprocess.run(
            [candidate, "-c", "import ensurepip"], capture_output=True
        ).returncode:
            return str(candidate)
    return None


@functools.cache
def uv():
    """The path of uv: that of PATH, or one of its own, made once."""
    if found := shutil.which("uv"):
        return found
    folder = CACHE / "uv"
    if not (folder / "bin/uv").exists():
        (wanted,) = [entry for entry in lock.entries("proof.txt") if entry.startswith("uv==")]
        make = [sys.executable, "-m", "venv", "--clear", folder]
        install = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes"]
        file = CACHE / "uv.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted, encoding="utf-8")
        for command in (make, [*install, "-r", file]):
            if subprocess.run(command).returncode:
                sys.exit("compat: uv could not be installed; the reason stands above")
    return str(folder / "bin/uv")


def ask_uv(*arguments, **how):
    """What uv prints."""
    environment = os.environ | {"UV_CACHE_DIR": str(CACHE / "cache"), "UV_NO_CONFIG": "1"}
    command = [uv(), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, **how)
    if done.returncode:
        raise Unsolvable(" ".join(done.stderr.split()))
    return done.stdout


def resolved(name):
    """(the Python of this machine, each package as `name==version`) of an environment, as of now.

    Raises:
        Unsolvable: there is no such Python, or the versions do not fit together.
    """
    version, given = environments()[name]
    if not (python := interpreter(version)):
        raise Unsolvable(f"there is no Python {version} on this machine")
    wanted = [
        f"{name}=={given[name]}" if name in given else f"{name}>={floor}"
        for name, floor in floors(*EXTRAS).items()
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    overrides = CACHE / "overrides.txt"
    overrides.write_text("".join(f"{name} ; sys_platform == 'never'\n" for name in INSTEAD))
    plain = ("--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:")
    answer = ask_uv(
        *("pip", "compile", *plain, "--overrides", overrides, "--python", python, "-"),
        input="\n".join([*wanted, *INSTEAD.values()]),
    )
    return python, answer.splitlines()


def version_of(python):
    code = "import platform; print(platform.python_version())"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def installed(name, python, wanted):
    """The Python of an environment with exactly these pins, made once."""
    folder = CACHE / name
    stamp, content = folder / "dynconv-packages.txt", "\n".join([version_of(python), *wanted])
    if not stamp.exists() or stamp.read_text() != content:
        stamp.unlink(missing_ok=True)  # written last: an interrupted installation is made anew
        say(f"{name}: making the environment (up to 3 GB to download)")
        ask_uv("venv", "--quiet", "--clear", "--python", python, folder)
        ask_uv(
            *("pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--python", folder / "bin/python", "-r", "-"),
            input="\n".join(wanted),
        )
        stamp.write_text(content)
    return folder / "bin/python"


def known(wanted):
    """{package: version} of those that pyproject.toml names."""
    versions = dict(pin.split("==") for pin in (re.sub(r"\s*;.*", "", line) for line in wanted))
    return {name: versions[name] for name in floors(*EXTRAS)}
