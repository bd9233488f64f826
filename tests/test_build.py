"""`make book` on a tiny book: it fails for every fault, each time, and executes only what has
changed.
"""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT

GOOD = "from pathlib import Path\nprint(Path('../dynconv/value.txt').read_text())"
CLAIM = (
    "only: [{id: a-claim, says: 'One is `1`.', verdict: holds, because: We looked., shown:"
    " chapter#CELL}]"
)
LEDGER = "```{claims}\n```\n\n```{claims} only\n```"


@pytest.fixture
def book(tmp_path):
    """The real tools and settings around one page and one chapter."""
    for folder in ("tools", "book/theme_static"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__"),
        )
    (tmp_path / "tools/node_modules").symlink_to(ROOT / "tools/node_modules")
    for name in ("_config.yml", "pyproject.toml", "constraints.txt", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text(
        "{format: jb-book, root: book/index, chapters: [{file: notebooks/chapter}]}"
    )
    (tmp_path / "book/data").mkdir()
    (tmp_path / "dynconv").mkdir()
    (tmp_path / "dynconv/value.txt").write_text("first value")
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, GOOD)
    return tmp_path


def write(book, code, page="See [the chapter](../notebooks/chapter.ipynb).", shown="code"):
    cells = [
        nbformat.v4.new_markdown_cell(
            "# A chapter\n\n[measured in each build](../book/index.md)", id="title"
        ),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}),
        book / "notebooks/chapter.ipynb",
    )
    (book / "book/index.md").write_text(f"# A book\n\n{page}\n")
    (book / "book/data/claims.yaml").write_text(CLAIM.replace("CELL", shown))


def build(book):
    """Build as `make book` does: (did it succeed, how many chapters were executed, what it
    printed).
    """
    result = subprocess.run(
        [sys.executable, "tools/build_book.py"],
        cwd=book,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    return result.returncode == 0, result.stdout.count("Executing notebook"), result.stdout


def html(book, page="notebooks/chapter"):
    return (book / f"_build/html/{page}.html").read_text(encoding="utf-8")


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


def test_the_ledger_counts_and_leads_to_the_cells(book):
    write(book, GOOD, LEDGER)
    ok, _, log = build(book)
    assert ok, log
    page, chapter = html(book, "book/index"), html(book)
    assert len(re.findall('id="cell-', chapter)) == 1 and 'id="cell-code"' in chapter
    claim = re.search(r'<li id="claim-a-claim">.*?</li>', page, re.DOTALL)[0]
    assert (
        'href="../notebooks/chapter.html#cell-code"' in claim and 'href="#claim-a-claim"' in claim
    )
    words = " ".join(re.sub("<[^>]+>", " ", claim).split())
    assert re.fullmatch(r"holds One is 1 \. We looked\. Chapter chapter shows it \. #", words)
    counts = re.search(r'<p class="claim-counts">.*?</p>', page, re.DOTALL)[0]
    words = " ".join(re.sub("<[^>]+>", " ", counts).split())
    assert (
        words == "1 claims: holds 1 holds with a condition 0 artefact 0 wrong 0 cannot be known 0"
    )


@pytest.mark.parametrize(
    "fault, complaints",
    [
        (
            {"code": "raise ValueError('broken on purpose')", "page": LEDGER, "shown": "nowhere"},
            ["broken on purpose", "shown in the cell 'nowhere'", "no code cell of that id"],
        ),
        (
            {
                "code": GOOD,
                "page": "See [a page](nowhere.md) and {ref}`a-label`.\n\n```{claims} other\n```",
            },
            ["nowhere.md", "undefined label: 'a-label'", "no group 'other'; it has only"],
        ),
    ],
    ids=[
        "failing cell and a claim that no cell shows",
        "broken references and an unknown group of claims",
    ],
)
def test_fails_each_time(book, fault, complaints):
    write(book, **fault)
    for attempt in ("first", "second"):
        ok, _, log = build(book)
        assert not ok, f"the {attempt} build passed:\n{log}"
        assert all(complaint in log for complaint in complaints), log
        assert not (book / "_build/html").exists(), "a failed build must not leave a site"
