"""`make book` on a tiny book: it fails for every fault, each time, and executes only what has changed."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT

GOOD = "from pathlib import Path\nprint(Path('../dynconv/value.txt').read_text())"


@pytest.fixture
def book(tmp_path):
    """The real tools and settings around one page and one chapter."""
    for folder in ("tools", "book/theme_static"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    (tmp_path / "tools/node_modules").symlink_to(ROOT / "tools/node_modules")
    for name in ("_config.yml", "pyproject.toml", "constraints.txt", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text("{format: jb-book, root: book/index, chapters: [{file: notebooks/chapter}]}")
    (tmp_path / "dynconv").mkdir()
    (tmp_path / "dynconv/value.txt").write_text("first value")
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, GOOD)
    return tmp_path


def write(book, code, page="See [the chapter](../notebooks/chapter.ipynb)."):
    cells = [
        nbformat.v4.new_markdown_cell("# A chapter\n\n[measured in each build](../book/index.md)", id="title"),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), book / "notebooks/chapter.ipynb")
    (book / "book/index.md").write_text(f"# A book\n\n{page}\n")


def build(book):
    """Build as `make book` does: (did it succeed, how many chapters were executed, what it printed)."""
    result = subprocess.run(
        [sys.executable, "tools/build_book.py"], cwd=book, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=300,
    )  # fmt: skip
    return result.returncode == 0, result.stdout.count("Executing notebook"), result.stdout


def html(book):
    return (book / "_build/html/notebooks/chapter.html").read_text(encoding="utf-8")


def test_executes_only_what_changed(book):
    ok, executed, log = build(book)
    assert (ok, executed) == (True, 1), log
    assert "first value" in html(book)
    assert re.search(r"\d+ s in this build", html(book))

    ok, executed, log = build(book)
    assert (ok, executed) == (True, 0), log
    assert "first value" in html(book)
    assert re.search(r"\d+ s in this build", html(book)), "the run time must come from the cache"

    (book / "dynconv/value.txt").write_text("second value")
    ok, executed, log = build(book)
    assert (ok, executed) == (True, 1), log
    assert "second value" in html(book), "the package changed, but an old result is shown"

    (book / "_build/.running").touch()  # as a killed build leaves it
    ok, executed, log = build(book)
    assert (ok, executed) == (True, 1), log


@pytest.mark.parametrize(
    "fault, complaints",
    [
        ({"code": "raise ValueError('broken on purpose')"}, ["broken on purpose"]),
        (
            {"code": GOOD, "page": "See [a page](nowhere.md) and {ref}`a-label`."},
            ["nowhere.md", "undefined label: 'a-label'"],
        ),
    ],
    ids=["failing cell", "broken references"],
)
def test_fails_each_time(book, fault, complaints):
    write(book, **fault)
    for attempt in ("first", "second"):
        ok, _, log = build(book)
        assert not ok, f"the {attempt} build passed:\n{log}"
        assert all(complaint in log for complaint in complaints), log
        assert not (book / "_build/html").exists(), "a failed build must not leave a site"
