"""Installs into `.venv` what only the proofs need (the extra `proof` of pyproject.toml).

`make env` leaves it out, so that reading, building and testing wait for nothing. pip gets the
requirements and not the package with its extra, as it would bring back the OpenCV with windows that
`tools/environment.py` may have replaced.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    wanted = project["optional-dependencies"]["proof"]
    sys.exit(subprocess.run([*pip, "-c", ROOT / "constraints.txt", *wanted]).returncode)
