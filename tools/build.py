"""Executes the chapters that changed and builds the site in `_build/html`. `make book` runs this.

Every build reads and writes all pages anew: Sphinx reports a warning only for the pages that it
reads, so a second build would hide what the first one found.
"""

import os
import shutil
import sys

import execution
from jupyter_book.cli.main import main as jupyter_book

from dynconv.files.locks import turn

BUILD = execution.ROOT / "_build"
HTML = BUILD / "html"
DOCTREES = BUILD / ".doctrees"


def build_site():
    """Jupyter Book over the prose and the executed copies. Returns whether it succeeded."""
    # -W and --keep-going: every warning is reported and fails the build. -n: so does a reference
    # that leads nowhere.
    # Called in this process, it need not look at the code of all chapters once more.
    try:
        jupyter_book(["build", str(execution.ROOT), "-W", "-n", "--keep-going"])
    except SystemExit as finished:
        return finished.code == 0


def remove_site():
    for folder in (HTML, DOCTREES):
        shutil.rmtree(folder, ignore_errors=True)


def main():
    os.chdir(execution.ROOT)
    BUILD.mkdir(exist_ok=True)
    with turn(HTML, wait=lambda: print("book: waiting for another build to finish", flush=True)):
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
