"""Installs into `.venv` what only the proofs need (the extra `proof` of pyproject.toml).

`make env` leaves it out, so that reading, building and testing wait for nothing. proof.txt has only
what the extra adds to `.venv`, so there are no dependencies to look for, and the OpenCV with
windows that `tools/environment.py` may have replaced stays away.
"""

import subprocess
import sys
from pathlib import Path

LOCKED = Path(__file__).resolve().parent / "locked/proof.txt"

if __name__ == "__main__":
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    only_locked = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    sys.exit(subprocess.run([*pip, *only_locked, "-r", LOCKED]).returncode)
