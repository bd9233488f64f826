"""The ledger of what the posts say: each verdict is found anew or decided by reading, and each
claim leads to a code cell that shows it.
"""

import html
import importlib
import re

import execution
import nbformat
import pytest
import torch
import yaml
from claims import CLAIMS, VERDICTS, ClaimError, read_ledger
from conftest import ROOT
from sphinx.cmd.build import build_main

pytest.register_assert_rewrite("ledger")
ledger = importlib.import_module("ledger")
for group in ledger.GROUPS:
    importlib.import_module(f"ledger.{group}")

BY_READING = [name for name, claim in ledger.LEDGER.items() if "decided_by" in claim]
COMPUTED = [name for name in ledger.LEDGER if name not in BY_READING]


def test_every_claim_has_a_check_or_is_decided_by_reading():
    """Never both; and no check is without its claim."""
    assert ledger.CHECKS.keys() == set(COMPUTED)
    assert len(ledger.LEDGER) == sum(map(len, ledger.GROUPS.values())), "an id is given twice"


@pytest.mark.parametrize("name", COMPUTED)
def test_the_verdict_is_what_comes_out(name):
    claim = ledger.LEDGER[name]
    torch.manual_seed(0)
    found = ledger.CHECKS[name]()
    found, *allowed = found if isinstance(found, tuple) else (found,)
    assert claim["verdict"] == found, (
        f"{CLAIMS} says {claim['verdict']!r} of {name!r}, but it comes out as {found!r}"
    )
    assert set(ledger.numbers(claim["because"])) <= set(allowed), (
        f"a number in the reason of {name!r} was not found by its check"
    )


@pytest.mark.parametrize("name", BY_READING)
def test_a_reason_that_nothing_computes_holds_no_number(name):
    assert not ledger.numbers(ledger.LEDGER[name]["because"])


def around(cells, name):
    """What a reader sees where a link to a code cell leads: the last prose before it, the cell with
    what it put out, and all that follows up to the next cell that is not folded.
    """
    at = next(i for i, cell in enumerate(cells) if cell.id == name)
    before = [i for i in range(at) if cells[i].cell_type == "markdown"]
    after = [i for i in range(at + 1, len(cells)) if is_a_visible_cell(cells[i])]
    seen = cells[max(before, default=at) : at + 1] + cells[at + 1 : min(after, default=len(cells))]
    return " ".join(" ".join(text for cell in seen for text in texts(cell)).split())


def is_a_visible_cell(cell):
    return cell.cell_type == "code" and "hide-input" not in cell.metadata.get("tags", [])


def texts(cell):
    yield cell.source
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        yield output.get("text", "")
        yield data.get("text/plain", "")
        yield data.get("text/markdown", "")
        yield html.unescape(re.sub("<[^>]*>", " ", data.get("text/html", "")))


@pytest.fixture(scope="module")
def executed():
    """The cells of a chapter with what they put out when the book was built."""
    copies = {chapter.source.stem: chapter for chapter in execution.chapters()}

    def cells(stem):
        assert copies[stem].result(), f"{stem} has not passed as it stands: run `make book`"
        return nbformat.read(copies[stem].copy, as_version=4).cells

    return cells


@pytest.mark.parametrize("name", ledger.LEDGER)
def test_where_the_claim_leads_the_decisive_words_stand(name, executed):
    stem, _, cell = ledger.LEDGER[name]["shown"].partition("#")
    there = ledger.LEDGER[name]["there"]
    assert there in around(executed(stem), cell), (
        f"{CLAIMS} says that {there!r} stands at {ledger.LEDGER[name]['shown']}, and it does not"
    )


def test_what_stands_around_a_cell_ends_at_the_next_that_is_visible():
    new, printed = nbformat.v4, nbformat.v4.new_output("stream", text="42\n")
    folded = {"tags": ["hide-input"]}
    cells = [
        new.new_markdown_cell("Long before."),
        new.new_code_cell("earlier", id="earlier"),
        new.new_markdown_cell("Before."),
        new.new_code_cell("print(42)", id="cell", outputs=[printed]),
        new.new_code_cell("check", metadata=folded),
        new.new_markdown_cell("After."),
        new.new_code_cell("later"),
    ]
    assert around(cells, "cell") == "Before. print(42) 42 check After."
    assert around(cells, "earlier") == "Long before. earlier Before."


def test_the_page_can_show_the_ledger():
    """Also in the build, which stops otherwise: ids, posts, verdicts, notebooks and code cells."""
    found = read_ledger(ROOT)
    assert found["claims"] == ledger.GROUPS
    assert {claim["post"] for claim in ledger.LEDGER.values()} == set(found["posts"])


def test_the_page_shows_every_group_once_and_says_what_each_verdict_means():
    page = (ROOT / "book/what_the_posts_say.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{claims\} ?(.*)$", page, re.MULTILINE) == ["", *ledger.GROUPS]
    assert page.count("```{posts}") == 1
    assert re.findall(r"^(.+)\n: ", page, re.MULTILINE) == list(VERDICTS)


POSTS = {"blog": {"name": "The blog", "title": "Eins", "meaning": "One", "place": "On paper."}}
GOOD = {
    "id": "a-claim",
    "says": "One.",
    "post": "blog",
    "words": "'eins'",
    "verdict": "holds",
    "because": "Two.",
    "shown": "01_chapter#code",
    "there": "1",
}
READ = {
    "id": "another",
    "says": "Three.",
    "post": "blog",
    "verdict": "wrong",
    "decided_by": "reading",
    "because": "Four.",
    "shown": "01_chapter#code",
    "there": "1",
}
FIELDS = "must have the fields id, says, post, verdict, because, shown, there .* may have words"


@pytest.fixture
def book(tmp_path):
    """A folder with one chapter and a ledger of two claims."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / CLAIMS).parent.mkdir(parents=True)
    cells = [
        nbformat.v4.new_code_cell("1", id="code"),
        nbformat.v4.new_markdown_cell("one", id="words"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/01_chapter.ipynb")
    write(tmp_path, {"group": [GOOD, READ]})
    return tmp_path


def write(book, groups, posts=POSTS):
    text = yaml.safe_dump({"posts": posts, "claims": groups}, sort_keys=False)
    (book / CLAIMS).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "claims, message",
    [
        (
            [{key: value for key, value in GOOD.items() if key != "because"}],
            f"'a-claim' {FIELDS} .* got id, says, post, words, verdict, shown",
        ),
        ([GOOD | {"note": "x"}], f"'a-claim' {FIELDS} .* got .*note"),
        ([GOOD | {"decided_by": "reading"}], f"'a-claim' {FIELDS} .* got .*there, decided_by"),
        ([GOOD | {"post": "book"}], "'a-claim' is of the post 'book'; expected one of blog"),
        (
            [READ | {"decided_by": "vote"}],
            "'another' has decided_by 'vote'; expected 'reading', or",
        ),
        ([GOOD | {"id": "A claim"}], "the id 'A claim' must be words of small letters"),
        ([GOOD, GOOD], "two claims have the id 'a-claim'"),
        (
            [GOOD | {"verdict": "true"}],
            "'a-claim' has the verdict 'true'; expected one of holds, holds with a condition,",
        ),
        ([GOOD | {"shown": "02_chapter#code"}], "there is no notebooks/02_chapter.ipynb"),
        (
            [GOOD | {"shown": "01_chapter#words"}],
            "shown in the cell 'words', but notebooks/01_chapter.ipynb has no code cell of that id",
        ),
        ([GOOD | {"shown": "01_chapter"}], "shown in the cell ''"),
    ],
)
def test_a_ledger_that_cannot_be_shown_is_refused_by_name(book, claims, message):
    assert read_ledger(book) == {"posts": POSTS, "claims": {"group": [GOOD, READ]}}
    write(book, {"one": claims[:1], "two": claims[1:]})
    with pytest.raises(ClaimError, match=f"^{CLAIMS}: .*{message}"):
        read_ledger(book)


def test_a_post_of_which_something_is_not_said_is_refused_by_name(book):
    write(book, {"group": [GOOD]}, {"blog": {"name": "The blog", "title": "Eins"}})
    with pytest.raises(ClaimError, match=f"^{CLAIMS}: the post 'blog' must have .* place .* got"):
        read_ledger(book)


def test_the_page_says_who_claims_it_and_which_verdicts_are_decided_by_reading(book):
    (book / "index.rst").write_text(
        ".. posts::\n\n.. claims:: group\n\n.. toctree::\n\n   notebooks/01_chapter\n"
    )
    (book / "notebooks/01_chapter.rst").write_text("A chapter\n=========\n")
    made = [str(book), str(book / "made")]
    assert build_main(["-q", "-b", "text", "-C", "-D", "extensions=claims", *made]) == 0
    page = " ".join((book / "made/index.txt").read_text(encoding="utf-8").split())
    assert "* **The blog**: 'Eins' (One). On paper." in page
    assert "holds **One.** The blog: 'eins' Two. Chapter 1 shows it. #" in page
    assert "wrong **Three.** The blog. Four. Decided by reading; see chapter 1. #" in page
