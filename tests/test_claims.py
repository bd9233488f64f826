"""The ledger of what the posts say: each verdict is found anew or decided by reading, and each
claim leads to a code cell that is there.
"""

import importlib
import re

import nbformat
import pytest
import torch
import yaml
from claims import CLAIMS, VERDICTS, ClaimError, read_claims
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


def test_the_page_can_show_the_ledger():
    """Also in the build, which stops otherwise: ids, verdicts, notebooks and code cells."""
    assert read_claims(ROOT) == ledger.GROUPS


def test_the_page_shows_every_group_once_and_says_what_each_verdict_means():
    page = (ROOT / "book/what_the_posts_say.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{claims\} ?(.*)$", page, re.MULTILINE) == ["", *ledger.GROUPS]
    assert re.findall(r"^(.+)\n: ", page, re.MULTILINE) == list(VERDICTS)


GOOD = {
    "id": "a-claim",
    "says": "One.",
    "verdict": "holds",
    "because": "Two.",
    "shown": "01_chapter#code",
}
READ = {
    "id": "another",
    "says": "Three.",
    "verdict": "wrong",
    "decided_by": "reading",
    "because": "Four.",
    "shown": "01_chapter#code",
}
FIELDS = "must have the fields id, says, verdict, because, shown .* and may have decided_by"


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


def write(book, groups):
    (book / CLAIMS).write_text(yaml.safe_dump(groups, sort_keys=False), encoding="utf-8")


@pytest.mark.parametrize(
    "claims, message",
    [
        (
            [{key: value for key, value in GOOD.items() if key != "because"}],
            f"'a-claim' {FIELDS} .* got id, says, verdict, shown",
        ),
        ([GOOD | {"note": "x"}], f"'a-claim' {FIELDS} .* got .*note"),
        ([GOOD | {"decided_by": "reading"}], f"'a-claim' {FIELDS} .* got .*shown, decided_by"),
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
    assert read_claims(book) == {"group": [GOOD, READ]}
    write(book, {"one": claims[:1], "two": claims[1:]})
    with pytest.raises(ClaimError, match=f"^{CLAIMS}: .*{message}"):
        read_claims(book)


def test_the_page_says_which_verdicts_are_decided_by_reading(book):
    (book / "index.rst").write_text(
        ".. claims:: group\n\n.. toctree::\n\n   notebooks/01_chapter\n"
    )
    (book / "notebooks/01_chapter.rst").write_text("A chapter\n=========\n")
    made = [str(book), str(book / "made")]
    assert build_main(["-q", "-b", "text", "-C", "-D", "extensions=claims", *made]) == 0
    page = " ".join((book / "made/index.txt").read_text(encoding="utf-8").split())
    assert "holds **One.** Two. Chapter 1 shows it. #" in page
    assert "wrong **Three.** Four. Decided by reading. Chapter 1 shows it. #" in page
