"""Tries the package with several versions of ultralytics, and writes what came out into the book.

`make compat` runs this. Wheels come from PyPI into `.venv/compat` and are unpacked there; each
version runs in processes of its own, with PYTHONPATH before the environment's ultralytics. Results
go to book/compatibility.json, and from there into the table of book/compatibility.md. Both hold no
date, so that a run that finds nothing new changes nothing.
"""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".venv/compat"
RESULTS, PAGE = ROOT / "book/compatibility.json", ROOT / "book/compatibility.md"
VERSIONS = (
    "8.3.200",
    "8.4.0",
    "8.4.100",
    "8.4.190",
)  # the oldest supported, two in between, the newest tested
BEGIN, END = "<!-- begin: written by tools/compat.py -->", "<!-- end -->"

TRAINED = {  # one model of each kind: the module of ours that its checkpoint must bring back
    "yolov10n-dynamicconv-2-bn-act": "DynamicConvBNAct",
    "yolo11n-dynamicconv": "DynamicConv",
    "yolov8n-dcnv3": "DCNv3_YOLO",
    "yolov8n-starnet-s050": "TimmBackbone",
}
CHECK = (
    "import ultralytics; from dynconv import yolo; assert ultralytics.__version__ == {version!r},"
    " ultralytics.__file__\n"
)
STEPS = {
    "build": (
        CHECK
        + "built = {name: sum(p.numel() for p in yolo.build(name).model.parameters()) for name in"
        " yolo.PARAMETERS}; assert built == yolo.PARAMETERS, built; print('ok')"
    ),
    "train": (
        CHECK + f"for name in {list(TRAINED)}: yolo.build(name).train(epochs=1, name=name,"
        " {tiny})\nprint('ok')"
    ),
    # Without importing dynconv: loading the checkpoint must.
    "reload": (
        f"from ultralytics import YOLO\nfound = []\nfor name, module in {TRAINED}.items():\n m ="
        " YOLO(f'{name}/weights/best.pt'); m.predict('images/val/0.png', imgsz=64,"
        " verbose=False)\n found += [module] * any(type(part).__name__ == module for part in"
        " m.model.modules())\nprint(*found)"
    ),
}
EXPECTED = {"build": "ok", "train": "ok", "reload": " ".join(TRAINED.values())}


def unpacked(version):
    """The folder with this version's package, fetched once."""
    folder = CACHE / version
    if not folder.exists():
        wheels = CACHE / "wheels"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--dest",
            wheels,
        ]
        if subprocess.run([*pip, f"ultralytics=={version}"]).returncode:
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


def run(code, package, folder):
    """'' and the last line printed, or the error's last line and ''."""
    environment = os.environ | {
        name: value for name, value in life().ENVIRONMENT.items() if value is not None
    }
    environment |= {
        "PYTHONPATH": f"{package}{os.pathsep}{ROOT}",
        "YOLO_CONFIG_DIR": str(folder / "config"),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
    except subprocess.TimeoutExpired:
        return "no end after 600 s", ""
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no message"])[-1], ""
    return "", (done.stdout.strip().splitlines() or [""])[-1]


def life():
    """The helper of the tests that makes a tiny data set."""
    sys.path.insert(0, str(ROOT / "tests"))
    import life

    return life


def attempt(version, steps=STEPS):
    """{step: 'yes' or what went wrong} for one version."""
    package, result = unpacked(version), {"version": version}
    with tempfile.TemporaryDirectory() as folder:
        folder = life().make_data(Path(folder))
        for step, code in steps.items():
            error, line = run(
                code.replace("{version!r}", repr(version)).replace("{tiny}", life().TINY),
                package,
                folder,
            )
            if not error and line != EXPECTED[step]:
                error = f"expected {EXPECTED[step]}, got {line}"
            result[step] = error or "yes"
    return result


def table(results):
    """The results as the Markdown that the page holds."""
    rows = [
        f"| {r['version']} | {r['build']} | {r['train']} | {r['reload']} |"
        for r in results["versions"]
    ]
    used = ", ".join(f"{name} {version}" for name, version in results["with"].items())
    sizes = [f"| {name} | {count:,} |" for name, count in results["parameters"].items()]
    return "\n".join(
        [
            (
                "| ultralytics | builds with exact parameters | trains one epoch | reloads in a new"
                " process |"
            ),
            "| --- | --- | --- | --- |",
            *rows,
            "",
            (
                f"Trained and reloaded were {', '.join(TRAINED)}. Tried with {used}. The exact"
                " parameters:"
            ),
            "",
            "| model | at 80 classes |",
            "| --- | --- |",
            *sizes,
        ]
    )


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

    versions = []
    for version in VERSIONS:
        versions.append(attempt(version))
        print("  ".join(f"{key}: {value}" for key, value in versions[-1].items()), flush=True)
    used = {"Python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in ("torch", "numpy")
    }
    results = {"with": used, "parameters": PARAMETERS, "versions": versions}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_page(results)
    if any(value != "yes" for row in versions for key, value in row.items() if key != "version"):
        sys.exit(
            "compat: not every step works with every version; see the lines above and"
            " book/compatibility.json"
        )


if __name__ == "__main__":
    main()
