"""The glossary: each entry is short and leads to a chapter that has its word; no word is missing
its place in the alphabet. (That the pages use these words, tests/test_prose.py holds.)
"""

import re

import pytest
from conftest import ROOT
from notebook_files import CHAPTERS, code, markdown

from dynconv import yolo

PAGE = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
LIST = re.search(r"^```\{glossary\}\n(.*)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
ENTRY = re.compile(
    r"(?P<terms>.+)\n  (?P<says>.+) \(\{chapter\}`(?P<chapter>\d+)`\)(?P<others>\n  Not: .+\.)?"
)
ENTRIES = [ENTRY.fullmatch(text.strip()) or text for text in LIST.split("\n\n")]
TERMS = [entry["terms"] for entry in ENTRIES if isinstance(entry, re.Match)]

SAID_AS = {  # how a chapter says it in its sentences
    "colour key": "red",
    "feature pyramid": "P3",
    "printed and true FLOPs": "printed",
    "star operation": "star",
    "Welch's interval": "Welch",
}


def test_every_entry_has_the_form_of_the_others():
    odd = [entry for entry in ENTRIES if isinstance(entry, str)]
    assert not odd, "write a term, and below it, indented, what it means and ({chapter}`N`)"


def test_the_entries_stand_in_the_order_of_the_alphabet():
    order = [term.lower().replace("η²", "eta").replace("α", "alpha") for term in TERMS]
    assert order == sorted(order)
    assert len(order) == len(set(order))


@pytest.mark.parametrize("entry", ENTRIES, ids=TERMS)
def test_an_entry_is_short(entry):
    sentences = re.findall(r"[.?!](?= [A-Z1]|$)", re.sub(r"\{cite:p\}`.*?`", "", entry["says"]))
    assert 1 <= len(sentences) <= 2, entry["says"]


@pytest.mark.parametrize("entry", ENTRIES, ids=TERMS)
def test_the_chapter_of_an_entry_has_its_word(entry):
    (path,) = [path for path in CHAPTERS if int(path.stem[:2]) == int(entry["chapter"])]
    text = plain(markdown(path) + code(path))
    if path.stem.startswith("06"):  # which draws the rows of a model file
        text += plain(yolo.path("yolov10n-dynamicconv-1").read_text(encoding="utf-8"))
    terms = entry["terms"].split(", ")
    terms += [SAID_AS[term] for term in terms if term in SAID_AS]
    assert any(plain(term) in text for term in terms), f"{path.stem} has none of {terms}"


def plain(text):
    """As one compares words: small, without the marks of Markdown and the underscores of code."""
    return " ".join(text.lower().replace("*", "").replace("_", " ").split())
