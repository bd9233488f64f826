"""Writes constraints.txt anew: what pip would install today for the package, the book, the
tests and the proofs.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# The versions with which the book is built and tested, for every package of the environment.
# The package itself has floors only (pyproject.toml). Renew: `make constraints`, then `make test`.
# Left out: what torch pins by itself (nvidia-*, cuda-*, triton).
"""
# A resolution without installing; `--ignore-installed` asks for the newest, not for what happens to
# be here.
command = [
    sys.executable,
    "-m",
    "pip",
    "install",
    "--quiet",
    "--dry-run",
    "--ignore-installed",
    "--report",
    "-",
]
report = json.loads(subprocess.check_output([*command, ".[test,proof]"], cwd=ROOT))
pins = {
    package["metadata"]["name"]: package["metadata"]["version"] for package in report["install"]
}
pins = {
    n: v
    for n, v in pins.items()
    if n != "dynconv" and not n.startswith(("nvidia-", "cuda-", "triton"))
}
lines = [
    f"{name}=={version}\n" for name, version in sorted(pins.items(), key=lambda pin: pin[0].lower())
]
(ROOT / "constraints.txt").write_text(HEADER + "".join(lines))
print(f"constraints.txt: {len(lines)} versions")
