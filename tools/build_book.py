"""Executes the chapters that changed and builds the site in `_build/html`. `make book` runs this.

Every build reads and writes all pages anew: Sphinx reports a warning only for the pages that it
reads, so a second build would hide what the first one found. Only the results of executed chapters
are kept (by jupyter-cache, which knows them by their cells), and they are thrown away when
something changed that a chapter imports, or when a build was killed.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import environment

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
HTML = BUILD / "html"
DOCTREES = BUILD / ".doctrees"
RUNS = (
    ROOT / "notebooks/runs"
)  # what chapters have trained; `training.train` does not repeat a run that is there
CACHE = BUILD / ".jupyter_cache"
CACHE_KEY = BUILD / ".jupyter_cache_key"
RUNNING = (
    BUILD / ".running"
)  # stands while a build runs: one that is here at the start belongs to a killed build


def what_chapters_use():
    """A digest of the package and of the installed versions: jupyter-cache looks at neither."""
    digest = hashlib.sha256(f"{environment.place()} {environment.digest()}".encode())
    for file in sorted((ROOT / "dynconv").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)} ".encode() + file.read_bytes())
    return digest.hexdigest()


def remove(*folders):
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    BUILD.mkdir(exist_ok=True)
    key = what_chapters_use()
    if RUNNING.exists() or not CACHE_KEY.exists() or CACHE_KEY.read_text() != key:
        remove(CACHE, RUNS)
    CACHE_KEY.write_text(key)
    RUNNING.touch()
    remove(HTML, DOCTREES)
    built = False
    try:
        # -W and --keep-going: every warning is reported and fails the build. -n: so does a
        # reference that leads nowhere.
        jupyter_book = Path(sys.executable).with_name("jupyter-book")
        built = (
            subprocess.run(
                [jupyter_book, "build", ".", "-W", "-n", "--keep-going"], cwd=ROOT
            ).returncode
            == 0
        )
        RUNNING.unlink()
    finally:
        if not built:
            remove(HTML, DOCTREES)  # half a site must not be taken for a site
    if not built:
        sys.exit(
            "\nbook: not built, for the reason given above. Any older site in _build/html is"
            " removed."
        )
    print(f"\nThe book is built: {HTML / 'index.html'}\nOpen that file, or run `make serve`.")


if __name__ == "__main__":
    main()
