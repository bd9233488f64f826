"""Executes the chapters that changed and builds the site in `_build/html`. `make book` runs this.

Every build reads and writes all pages anew: Sphinx reports a warning only for the pages that it
reads, so a second build would hide what the first one found.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import execution

BUILD = execution.ROOT / "_build"
HTML = BUILD / "html"
DOCTREES = BUILD / ".doctrees"


def build_site():
    """Jupyter Book over the prose and the executed copies. Returns whether it succeeded."""
    # -W and --keep-going: every warning is reported and fails the build. -n: so does a reference
    # that leads nowhere.
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", ".", "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=execution.ROOT).returncode == 0


def remove_site():
    for folder in (HTML, DOCTREES):
        shutil.rmtree(folder, ignore_errors=True)


def main():
    remove_site()
    built = False
    try:
        built = execution.main() and build_site()
    finally:
        if not built:
            remove_site()  # half a site must not be taken for a site
    if not built:
        sys.exit(
            "\nbook: not built, for the reason given above. There is no site in _build/html now."
        )
    print(f"\nThe book is built: {HTML / 'index.html'}\nOpen that file, or run `make serve`.")


if __name__ == "__main__":
    main()
