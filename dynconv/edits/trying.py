"""A tree tried in a process of its own, since it may be broken, and since another ultralytics may
be imported here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..offline import SWITCHES

# The program that compares networks. Its text is read and not imported, as what it imports is the
# tree's.
PROBE = Path(__file__).parents[1] / "yolo/probe.py"
NAMES = {"ProbeConv": "DynamicConv", "C2f_Probe": "C2f_DynamicConv"}


@dataclass(frozen=True)
class Outcome:
    """What a program printed, and the last line of its traceback ('' if it ended well)."""

    output: str
    error: str


def run_in(folder: Path, code: str, timeout: float = 300) -> Outcome:
    """Run Python code in a new process that imports ultralytics from the folder. It stays offline
    and installs nothing.
    """
    quiet = SWITCHES | {"YOLO_VERBOSE": "false", "PYTHONIOENCODING": "utf-8"}
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    # -P: the folder that we happen to be in does not come first
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=os.environ | quiet | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )
    lines = result.stderr.strip().splitlines()
    return Outcome(
        result.stdout.strip(),
        "" if result.returncode == 0 else lines[-1] if lines else f"exit code {result.returncode}",
    )


def difference(package: Path, contents: dict[str, bytes]) -> str:
    """How the two names of the edits are treated otherwise than Conv and C2f; '' if alike.

    Args:
        package: the folder of an ultralytics. It is copied, and nothing is written into it.
        contents: {path within the package: what it shall hold in the copy}.
    """
    ignored = shutil.ignore_patterns("__pycache__", "assets", "*.pt", "*.onnx")
    with tempfile.TemporaryDirectory(prefix="dynconv-") as folder:
        copy = Path(folder) / "ultralytics"
        shutil.copytree(package, copy, ignore=ignored)
        for name, data in contents.items():
            (copy / name).parent.mkdir(exist_ok=True)
            (copy / name).write_bytes(data)
        code = f"{PROBE.read_text(encoding='utf-8')}\nmain({NAMES!r})\n"
        try:
            outcome = run_in(Path(folder), code)
        except subprocess.TimeoutExpired:
            return "trying it did not end within 5 minutes"
    if outcome.error:
        return f"building a network with them ended in {outcome.error}"
    last = (outcome.output.splitlines() or ["nothing was said"])[-1]
    return "" if last == "the same" else last
