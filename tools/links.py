"""Asks every link of the book that leads to another site for an answer, and prints those that give
none. `make links` runs this after `make book`.

Sphinx's own builder asks; its settings stand in `_config.yml`. Links inside the book are held by
each build.
"""

import json
import os
import shutil
import sys

import build
import execution
from jupyter_book.cli.main import main as jupyter_book

FOLDER = build.BUILD / "links"  # apart from the site, with pages that are read anew
ANSWERS = FOLDER / "_build/html/output.json"


def broken(text):
    """['address (its page, why)'] of the lines that the builder wrote, an address with its first
    page.
    """
    found = {}
    for each in map(json.loads, text.splitlines()):
        if each["status"] in ("broken", "timeout"):
            where = f"{each['filename']}:{each['lineno']}"
            found.setdefault(each["uri"], f"{each['uri']} ({where}, {each['info'].strip()})")
    return list(found.values())


def main():
    os.chdir(execution.ROOT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        options = ["--builder", "linkcheck", "--keep-going", "--path-output", str(FOLDER)]
        jupyter_book(["build", str(execution.ROOT), *options])
    except SystemExit:  # a broken link is an error to it
        pass
    if not ANSWERS.exists():
        sys.exit("links: not asked; the reason stands above")
    text = ANSWERS.read_text(encoding="utf-8")
    if wrong := broken(text):
        sys.exit("links: no answer from\n" + "\n".join(f"links: {each}" for each in wrong))
    print(f"links: all {len(text.splitlines())} answer")


if __name__ == "__main__":
    main()
