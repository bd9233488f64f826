"""`make book` on a tiny book: it fails for every fault, each time, and executes what changed."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT, SITE

from dynconv.files.locks import turn

GOOD = "print('a' + ' value')"
CLAIM = (
    "{posts: {blog: {name: The blog, title: Eins, meaning: One, place: On paper.}}, claims: {only:"
    " [{id: a-claim, says: 'One is `1`.', post: blog, verdict: holds, because: We looked.,"
    " shown: chapter#CELL, there: value}]}}"
)
LEDGER = "```{posts}\n```\n\n```{claims}\n```\n\n```{claims} only\n```"


@pytest.fixture
def book(tmp_path):
    """The real tools and settings around one page and one chapter."""
    for folder in ("tools", "book/theme_static", "book/theme_templates", "dynconv"):
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "tools/node_modules").symlink_to(ROOT / "tools/node_modules")
    for name in ("_config.yml", "pyproject.toml", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text(
        "{format: jb-book, root: book/index, chapters: [{file: notebooks/chapter}]}"
    )
    (tmp_path / "book/data").mkdir()
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, GOOD)
    return tmp_path


def write(book, code, page="See [the chapter](../notebooks/chapter.ipynb).", shown="code"):
    title = f"# A chapter\n\n[measured in each build]({SITE}/book/index.html#a-book)"
    cells = [
        nbformat.v4.new_markdown_cell(title, id="title"),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(notebook, book / "notebooks/chapter.ipynb")
    (book / "book/index.md").write_text(f"# A book\n\n{page}\n")
    (book / "book/data/claims.yaml").write_text(CLAIM.replace("CELL", shown))


def build(book):
    """Build as `make book` does: (did it succeed, how many executions passed, what it printed)."""
    result = subprocess.run(
        [sys.executable, "tools/build.py"],
        cwd=book,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    return result.returncode == 0, result.stdout.count("PASSED"), result.stdout


def html(book, page="notebooks/chapter"):
    return (book / f"_build/html/{page}.html").read_text(encoding="utf-8")


def test_executes_once_and_shows_prose_of_today_around_it(book):
    """And lays out the ledger, whose claims lead to the cells."""
    ok, executed, log = build(book)
    assert (ok, executed) == (True, 1), log
    assert "a value" in html(book)
    assert re.search(r"\d+ s in this build", html(book))

    write(book, GOOD, f"Now with the ledger.\n\n{LEDGER}")
    ok, executed, log = build(book)
    assert (ok, executed) == (True, 0), log
    page, chapter = html(book, "book/index"), html(book)
    assert "a value" in chapter and "Now with the ledger." in page
    assert re.search(r"\d+ s in this build", chapter), "the run time must be that of the execution"
    assert len(re.findall('id="cell-', chapter)) == 1 and 'id="cell-code"' in chapter
    claim = re.search(r'<li id="claim-a-claim">.*?</li>', page, re.DOTALL)[0]
    assert 'href="../notebooks/chapter.html#cell-code"' in claim
    assert 'href="#claim-a-claim"' in claim
    words = " ".join(re.sub("<[^>]+>", " ", claim).split())
    said = r"holds One is 1 \. The blog \. We looked\. Chapter chapter shows it \. #"
    assert re.fullmatch(said, words)
    counts = re.search(r'<p class="claim-counts">.*?</p>', page, re.DOTALL)[0]
    words = " ".join(re.sub("<[^>]+>", " ", counts).split())
    verdicts = "holds 1 holds with a condition 0 artefact 0 wrong 0 cannot be known 0"
    assert words == f"1 claims: {verdicts}"


def test_a_failing_cell_fails_each_time(book):
    write(book, "raise ValueError('broken on purpose')")
    (book / "_build/html").mkdir(parents=True)
    (book / "_build/html/index.html").write_text("an older site")
    for attempt in ("first", "second"):
        ok, _, log = build(book)
        assert not ok, f"the {attempt} build passed:\n{log}"
        assert "broken on purpose" in log
        assert not (book / "_build/html").exists(), "a failed build must not leave a site"


def test_pages_that_lead_nowhere_fail_each_time(book):
    page = "See [a page](nowhere.md) and {ref}`a-label`.\n\n```{claims} other\n```"
    write(book, GOOD, f"{page}\n\n{LEDGER}", shown="nowhere")
    complaints = ["nowhere.md", "undefined label: 'a-label'", "no code cell of that id"]
    for attempt in ("first", "second"):
        ok, _, log = build(book)
        assert not ok, f"the {attempt} build passed:\n{log}"
        assert all(complaint in log for complaint in complaints), log
        assert not (book / "_build/html").exists(), "a failed build must not leave a site"


def test_a_second_build_waits_for_the_first(book):
    (book / "_build").mkdir()
    with turn(book / "_build/html", wait=lambda: pytest.fail("nobody else builds here")):
        second = subprocess.Popen(
            [sys.executable, "-u", "tools/build.py"], cwd=book, text=True, stdout=subprocess.PIPE
        )
        assert "waiting for another build" in second.stdout.readline()
        assert not (book / "_build/executed").exists()
    output, _ = second.communicate(timeout=300)
    assert second.returncode == 0, output
    assert "a value" in html(book)
