"""Tries the package with the versions that it says it works with, and writes what came out into
the book.

`make compat` runs this. Each attempt is a row of small programs (tools/compat/*.py), each in a
process of its own. They run

- in this environment with several versions of ultralytics: wheels come from PyPI into
  `.venv/compat`, are unpacked there, and stand before the environment's own in PYTHONPATH;
- in an environment of its own, `.venv/compat/oldest`, that holds each dependency of pyproject.toml
  in the oldest version that it allows. That is a download of some 3 GB;
- beside copies of the newest version whose `parse_model` is changed (parse_changes.py).

Results go to book/compatibility.json, and from there into the tables of book/compatibility.md. Both
hold no date, so that a run that finds nothing new changes nothing.
"""

import importlib.metadata
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import parse_changes
from tiny import make_data

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tools/compat"
PYPROJECT = ROOT / "pyproject.toml"
CACHE = ROOT / ".venv/compat"
RESULTS, PAGE = ROOT / "book/compatibility.json", ROOT / "book/compatibility.md"
# of ultralytics: the oldest supported, two in between, the newest tested
VERSIONS = ("8.3.200", "8.4.0", "8.4.100", "8.4.190")
BEGIN, END = "<!-- begin: written by tools/compat.py -->", "<!-- end -->"
STEPS = {  # program: what its column says
    "modules": "imports",
    "build": "builds with exact parameters",
    "train": "trains one epoch",
    "reload": "reloads in a new process",
    "laboratory": "data, α, figures",
}


def examples():
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


def floors(file=None):
    """{package: the oldest version that the package says it works with}."""
    project = tomllib.loads((file or PYPROJECT).read_text(encoding="utf-8"))["project"]
    return dict(line.split(">=") for line in project["dependencies"])


def unpacked(version):
    """The folder with this version of ultralytics, fetched once."""
    folder = CACHE / version
    if not folder.exists():
        wheels = CACHE / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--only-binary", ":all:", "--dest", wheels, f"ultralytics=={version}"]
        if subprocess.run(pip).returncode:
            sys.exit(
                f"compat: ultralytics {version} could not be fetched from PyPI; its output stands"
                " above"
            )
        (wheel,) = wheels.glob(f"ultralytics-{version}-*.whl")
        half = CACHE / f"{version}.half"
        shutil.rmtree(half, ignore_errors=True)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(half)
        half.rename(folder)  # last, so that an interruption leaves nothing that looks complete
    return folder


def oldest(wanted):
    """The Python of an environment that holds exactly these versions, made once."""
    folder, wanted = CACHE / "oldest", [f"{name}=={version}" for name, version in wanted.items()]
    python, stamp = folder / "bin/python", folder / "dynconv-floors.txt"
    if stamp.exists() and stamp.read_text().splitlines() == wanted:
        return python
    stamp.unlink(missing_ok=True)  # written last: an interrupted installation is made anew
    print("compat: making an environment of the oldest versions (some 3 GB to download)")
    install = [python, "-m", "pip", "install", "--quiet"]
    commands = [[sys.executable, "-m", "venv", "--clear", folder], [*install, *wanted]]
    for command in commands:
        if subprocess.run(command).returncode:
            sys.exit(
                "compat: the oldest versions cannot be installed together; pip's reason stands"
                " above. Raise the floors in pyproject.toml that it names"
            )
    if subprocess.run([python, "-c", "import cv2"], capture_output=True).returncode:
        # OpenCV's windows need the system's OpenGL; nothing here opens one (tools/environment.py)
        code = "import importlib.metadata as m; print(m.version('opencv-python'))"
        version = subprocess.check_output([python, "-c", code], text=True).strip()
        headless = [f"opencv-python-headless=={version}", "--no-deps", "--force-reinstall"]
        subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "opencv-python"], check=True)
        subprocess.run([*install, *headless], check=True)
    stamp.write_text("\n".join(wanted) + "\n")
    return python


def run(program, arguments, folder, python=sys.executable, before=()):
    """'' if the program ends with 'ok', else what went wrong. `before`: folders to import from
    before any other.
    """
    environment = os.environ | {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "YOLO_CONFIG_DIR": str(folder / "config"),
        "MPLCONFIGDIR": str(folder / "config"),
        "PYTHONPATH": os.pathsep.join(map(str, (*before, ROOT, ROOT / "tools"))),
    }
    try:
        done = subprocess.run(
            # -P: else the programs could be imported in place of modules with such names
            [python, "-P", PROGRAMS / f"{program}.py", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1200,
        )
    except subprocess.TimeoutExpired:
        return "no end after 1200 s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    last = (done.stdout.strip().splitlines() or [""])[-1]
    return "" if last == "ok" else f"expected ok, got {last}"


def attempt(version, **how):
    """{step: 'yes' or what went wrong}, with one version of ultralytics. `how`: as for `run`."""
    models = examples()
    arguments = {
        "modules": [version],
        "train": list(models),
        "reload": [f"{model}={module}" for model, module in models.items()],
    }
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        return {
            step: run(step, arguments.get(step, []), Path(folder), **how) or "yes" for step in STEPS
        }


def changed():
    """{what is changed in parse_model of the newest version: what comes of it}."""
    with tempfile.TemporaryDirectory() as folder:
        copy = parse_changes.copied(unpacked(VERSIONS[-1]) / "ultralytics", folder)
        orders = itertools.cycle(("dynconv", "ultralytics"))
        return {
            what: parse_changes.tried(what, copy, next(orders)) for what in parse_changes.CHANGES
        }


def table(results):
    """The results as the Markdown that the page holds."""
    used = ", ".join(f"{name} {version}" for name, version in results["with"].items())
    lines = [
        f"| ultralytics | {' | '.join(STEPS.values())} |",
        f"| --- |{' --- |' * len(STEPS)}",
        *(
            f"| {row['ultralytics']} | {' | '.join(row[step] for step in STEPS)} |"
            for row in results["versions"]
        ),
        "",
        f"Tried with {used}. Trained and reloaded were {', '.join(results['trained'])}.",
        "",
        "And with every dependency as old as the package allows, all of them together:",
        "",
        "| step | with the oldest versions |",
        "| --- | --- |",
        *(f"| {what} | {results['oldest'][step]} |" for step, what in STEPS.items()),
        "",
        ", ".join(f"{name} {version}" for name, version in results["floors"].items()) + ".",
        "",
        f"With `parse_model` of the newest version changed in {len(results['changes'])} ways:",
        "",
        ":::{dropdown} each change, and what came of it",
        "| what is changed | the package's models are |",
        "| --- | --- |",
        *(f"| {what} | {came_out} |" for what, came_out in results["changes"].items()),
        ":::",
        "",
        "The exact parameters:",
        "",
        "| model | at 80 classes |",
        "| --- | --- |",
        *(f"| {name} | {count:,} |" for name, count in results["parameters"].items()),
    ]
    return "\n".join(lines)


def write_page(results):
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(
            f"compat: {PAGE} must contain the lines {BEGIN} and {END}, between which the table goes"
        )
    new = re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}",
        lambda _: f"{BEGIN}\n{table(results)}\n{END}",
        text,
        flags=re.DOTALL,
    )
    PAGE.write_text(new, encoding="utf-8")


def main():
    from dynconv.yolo import PARAMETERS  # here, not above: it imports ultralytics

    versions, lowest = [], floors()
    for version in VERSIONS:
        versions.append({"ultralytics": version} | attempt(version, before=[unpacked(version)]))
        print("  ".join(f"{key}: {value}" for key, value in versions[-1].items()), flush=True)
    result = attempt(lowest["ultralytics"], python=oldest(lowest))
    print("oldest: " + "  ".join(f"{key}: {value}" for key, value in result.items()), flush=True)
    packages = [name for name in lowest if name != "ultralytics"]
    used = {"Python": platform.python_version()}
    used |= {name: importlib.metadata.version(name) for name in packages}
    results = {
        "with": used,
        "versions": versions,
        "floors": {"Python": platform.python_version()} | lowest,
        "oldest": result,
        "changes": changed(),
        "trained": list(examples()),
        "parameters": PARAMETERS,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_page(results)
    rows = [*versions, {"ultralytics": ""} | result]
    expected = {what: came_out for what, (_, came_out) in parse_changes.CHANGES.items()}
    if results["changes"] != expected or any(row[step] != "yes" for row in rows for step in STEPS):
        sys.exit(
            "compat: not every step works with every version, or a change comes out otherwise; see"
            " the lines above and book/compatibility.json"
        )


if __name__ == "__main__":
    main()
