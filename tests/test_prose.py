"""The sentences of the book, as far as a machine can hold them. CONTRIBUTING says how the others
are read. A failing message has the page, the sentence, and what to do.
"""

import ast
import functools
import re

import pytest
import yaml
from conftest import ROOT, SITE
from notebook_files import parsed
from prose import PAGES, links, sections, sentences, sources, target, without_marks, words_of
from prose_numbers import code_behind, held_by, holds, in_code, numbers_of, stated

LEDGER, CLAIMS = ROOT / "book/what_the_posts_say.md", "book/data/claims.yaml"

on_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def report(page, found, remedy):
    if found:
        lines = [f"{page.name}: {remedy}", *(f"  {one}" for one in found)]
        pytest.fail("\n".join(lines), pytrace=False)


def said(page):
    """(section, paragraph, sentence) of a page."""
    for section in sections(page):
        for paragraph in section.paragraphs:
            for sentence in sentences(paragraph):
                yield section, paragraph, sentence


def at(section, sentence):
    return f"§ {section.title or 'opening'}: {without_marks(sentence)}"


# --- a number without a cell or a source ----------------------------------------------------------


@on_each_page
def test_a_number_has_its_cell_or_its_source(page):
    """A number in prose stands in the code of its section, and a ratio in an assert there. Else its
    paragraph has a source, or a link to a section that holds it, or names the file that holds it.
    """
    found = [
        f"{number.text!r} {at(section, sentence)}"
        for section, paragraph, sentence in said(page)
        for number in numbers_of(sentence)
        if not held_by(page, section, paragraph, number)
    ]
    report(
        page,
        found,
        "assert these in a cell of their section, or say less, or link to the source or to the"
        " section that shows them, or write behind them <!-- held by: FILE -->",
    )


# --- 'chapter N shows' ----------------------------------------------------------------------------

SHOWS = r"(?:shows?|showed|proves?|proved|measure[sd]?|finds?|found|counts?|tells|trains?|repeats)"
BARE = rf"(?<!\[)\b[Cc]hapter \d+(?:\.\d)? (?:{SHOWS}|did|said|says|promised|works)\b"
LINKED = rf"\[[^\]]*\]\(([^)]+)\)(?: {SHOWS}\b)"
NAMES = r"(?<![\w-])[A-Z][\w]*[A-Z0-9][\w-]*|(?<![\w-])[A-Z]\w+-[A-Z]\w*|`[^`]+`"


@on_each_page
def test_what_another_chapter_is_said_to_show_stands_there(page):
    """'Chapter N shows' is a link to the section that shows it. The names and the numbers of the
    sentence stand in that section.
    """
    found = []
    for section, _, sentence in said(page):
        if re.search(BARE, sentence):
            found.append(f"(no link) {at(section, sentence)}")
        for link in re.findall(LINKED, sentence):
            if link in sources(f"]({link})"):
                continue
            shown = target(page, link)
            if "#" not in link or not shown:
                found.append(f"({link} names no section) {at(section, sentence)}")
            elif missing := missing_in(shown, sentence):
                found.append(f"({link} has no {', '.join(missing)}) {at(section, sentence)}")
    report(
        page,
        found,
        "write [chapter N](NN_name.ipynb#heading-of-the-section) and say only what stands there",
    )


def missing_in(shown, sentence, numbers=True):
    """The names, and the numbers, of a sentence that none of the sections has."""
    whole = "\n".join(text for each in shown for text in [each.title, each.markdown, *each.code])
    said_there = {value for each in shown for value in stated(each)}
    code = [source for each in shown for source in each.code]
    return [
        name
        for name in re.findall(NAMES, re.sub(r"\]\([^)]*\)", "]", sentence))
        if name.strip("`").lower() not in whole.lower()
    ] + [
        number.text
        for number in numbers_of(sentence)
        if numbers and not in_code(code, number) and not holds(said_there, number)
    ]


def test_the_chapter_of_a_claim_has_what_the_reason_speaks_of():
    """The ledger says of each claim which chapter shows it. The names in its reason stand there,
    but for those of a sentence with a source of its own.
    """
    found = [
        f"{claim['id']}: {claim['shown'].partition('#')[0]} has no {', '.join(missing)}: {reason}"
        for claim in claims()
        for reason in sentences(claim["because"])
        if not sources(reason) and (missing := missing_in(chapter_of(claim), reason, numbers=False))
    ]
    report(LEDGER, found, "strike the name, give the sentence a source, or let the chapter show it")


def test_a_claim_repeats_the_verdict_of_its_chapter():
    """What a reason calls no difference, an assert of the claim's chapter calls so in the same
    words: to show no difference is more than to have shown none.
    """
    found = [
        f"{claim['id']}: {reason}"
        for claim in claims()
        for reason in sentences(claim["because"])
        if "no difference" in reason
        and not any(
            words in reason for s in chapter_of(claim) for c in s.code for words in guards(c)
        )
    ]
    report(LEDGER, found, "take the words of the chapter's assert, such as 'no difference shown'")


def claims():
    """All entries of the ledger, in whatever groups."""
    waiting = [yaml.safe_load((ROOT / CLAIMS).read_text(encoding="utf-8"))]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and "because" in one:
            yield one
        elif isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one


def chapter_of(claim):
    return sections(ROOT / "notebooks" / f"{claim['shown'].partition('#')[0]}.ipynb")


# --- a verdict beside a table ---------------------------------------------------------------------

VERDICT = (
    r"no difference(?! how| which| whether)|\b(?:better|worse) than\b"
    r"|(?<!\bno )\b(?:larger|smaller|heavier|faster|more|less|fewer) than"
    r" (?:stock|the|its|every|static|chance)\b"
    r"|(?<!to )\bbeats?\b|\bahead\b|\b(?:lighter|heavier|cheaper|slower)\b|\bthe faster one\b"
)
UNDECIDED = (  # a question, a condition, a wish
    r"\?$|^\W*(?:If|Whether|Which|Who|Test|Suppose)\b|\b(?:must|can|find out|whether)\b"
    r"|\bdoes not show\b|\bsays nothing\b"
)


@on_each_page
def test_a_verdict_beside_results_is_guarded(page):
    """What came out better, lighter or the same, code writes, or an assert has it as its message:
    `assert low < 0 < high, "no difference shown"`. It stands in the section of the sentence, on the
    page of a summary, or in the section to which the sentence links.
    """
    found = [
        at(section, sentence)
        for section, _, sentence in said(page)
        if re.search(VERDICT, without_marks(sentence), re.IGNORECASE)
        and not re.search(UNDECIDED, without_marks(sentence))
        and "§" not in sentence
        and shows_results(page, section)
        and not is_guarded(page, section, sentence)
    ]
    report(
        page,
        found,
        "write the words of the verdict as the message of an assert in the section (or link to the"
        " section whose assert has them), or let code write the sentence",
    )


def shows_results(page, section):
    code = code_behind(page, section)
    return section.title != "Exercises" and (
        not section.code or any(re.search(r"\bTable\(|plots\.show", source) for source in code)
    )


def is_guarded(page, section, sentence):
    code = code_behind(page, section)
    code = code + [s for link in links(sentence) for each in target(page, link) for s in each.code]
    return any(
        words in without_marks(sentence).lower() for source in code for words in guards(source)
    )


@functools.cache
def guards(source):
    """The verdicts, of two words or more, in the messages of its asserts."""
    asserts = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Assert)]
    messages = [" ".join("".join(words_of(node.msg)).lower().split()) for node in asserts]
    return [text for text in messages if " " in text and re.search(VERDICT, text)]


# --- a recommendation of what was never tried -----------------------------------------------------

UNTRIED = {"GPU": r"\bGPUs?\b", "Colab": r"\bColab\b"}
NEEDLESS = r"\b(?:without an?|[Nn]o|needs? no|need an?) GPU\b|\[Open in Colab\]|\bopens in Colab"
SAYS_SO = (
    r"\b(?:never|not|nobody|none|neither)\b.*\b(?:tried|run|ran|measured|tested)\b|\buntried\b"
)


@on_each_page
@pytest.mark.parametrize("thing", UNTRIED)
def test_what_was_never_tried_is_said_to_be_so(page, thing):
    """What the execution status calls not tried is not recommended as if it were. Each page that
    speaks of it says so itself.
    """
    status = (ROOT / "book/execution-status.md").read_text(encoding="utf-8")
    listed = re.search(r"^Not tried here: .*", status, re.MULTILINE)
    assert listed, "book/execution-status.md begins a paragraph with 'Not tried here: '"
    if not re.search(UNTRIED[thing], listed[0]):
        pytest.skip(f"{thing} is tried by now")
    spoken = [
        (section, sentence)
        for section, _, sentence in said(page)
        if re.search(UNTRIED[thing], re.sub(NEEDLESS, "", sentence))
    ]
    if any(re.search(SAYS_SO, without_marks(each[1]), re.IGNORECASE) for each in spoken):
        spoken = []
    report(
        page,
        [at(*one) for one in spoken],
        f"say in one of these sentences that {thing} was not tried here, or strike them",
    )


# --- the glossary's words -------------------------------------------------------------------------


@functools.cache
def rejected():
    """{a name: the name that the glossary has for it}, of its lines 'Not: this, that.'"""
    text = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
    return {
        word.strip(): entry[1]
        for entry in re.finditer(r"^(\w.*)\n((?:  .*\n|\n)+)", text, re.MULTILINE)
        for names in re.findall(r"\b[Nn]ot: ([^.)\n]+)", entry[2])
        for word in re.split(r", | or ", names.replace("*", ""))
    }


@on_each_page
def test_a_thing_has_the_name_that_the_glossary_gives_it(page):
    """The glossary says of some entries what they are not called, 'Not: this, that.' No page calls
    them so, but for code and for words that it quotes.
    """
    found = [
        f"{word!r} is {name!r} in the glossary, {at(section, sentence)}"
        for section, _, sentence in said(page)
        for ours in [unquoted(sentence)]
        for word, name in rejected().items()
        if page.stem != "glossary" and re.search(rf"\b{re.escape(word)}s?\b", ours, re.IGNORECASE)
    ]
    report(page, found, "take the glossary's name")


def unquoted(sentence):
    sentence = re.sub(r"`[^`]*`|\{cite:\w+\}`[^`]*`", "", sentence)
    return re.sub(r"(?<!\w)'[^']*'(?!\w)", "", without_marks(sentence))


# --- the checks themselves ------------------------------------------------------------------------

CHAPTER_3 = f"{SITE}/notebooks/03_parameters_are_not_flops.html"
CHAPTER_7 = f"{SITE}/notebooks/07_short_training_runs.html"
FOUND = {  # by each check, with sentences that once stood in the book
    test_a_number_has_its_cell_or_its_source: [
        "The stack is deeper in name only; the 1,024 numbers of the pointwise layer are a detour.",
        "Within limits: above 64 classes the head's channels grow too.",
        "Our images become larger, and nearly half of what the network then sees is grey.",
        "Mix each kernel once, throw three quarters of the weights and all routers away.",
        "It installs the package beside the torch that is there; that takes about a minute.",
        "The share is below a thousandth of the whole.",
    ],
    test_what_another_chapter_is_said_to_show_stands_there: [
        "Trained on ImageNet-1K alone, it stays below that of Swin-T. Chapter 3 shows it.",
        f"[Chapter 3]({CHAPTER_3}) shows it.",
        f"[Chapter 3]({CHAPTER_3}#counting-by-hand) shows that it stays below Swin-T.",
    ],
    test_a_verdict_beside_results_is_guarded: [
        "It shows how large an effect would have to be: larger than the intervals are wide.",
        "In the book's own runs dynamic convolutions show no difference from static ones.",
        f"In the [experiment]({CHAPTER_7}#more-seeds-recorded) no dynamic model was better than its"
        " static control.",
    ],
    functools.partial(test_what_was_never_tried_is_said_to_be_so, thing="GPU"): [
        "On Colab choose a GPU first."
    ],
    functools.partial(test_what_was_never_tried_is_said_to_be_so, thing="Colab"): [
        "On Colab choose a GPU first."
    ],
    test_a_thing_has_the_name_that_the_glossary_gives_it: ["The attention weights sum to one."],
}


@pytest.mark.parametrize(
    "check, sentence", [(check, sentence) for check, all_ in FOUND.items() for sentence in all_]
)
def test_what_once_stood_wrong_is_found(check, sentence, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n## A section\n\n{sentence}\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="page.md.*\n  "):
        check(page)


@pytest.mark.parametrize(
    "sentence, expected",
    [
        ("In YAML 2 (chapters 7 and 8, exercise 2.1) two steps of 3×3 kernels follow.", []),
        ("An error of 1 is that of a constant; with torch 2.6 in 2024, no error.", []),
        ("Rows 4 and 16 take `nc: 80` and `[128, 3]`.", ["4", "16", "80", "128", "3"]),
        (
            "Three of six layers rise by a tenth of a per cent.",
            ["Three of six", "by a tenth of a per cent"],
        ),
        (
            "Twice the time, four times as much: 2.9 million.",
            ["Twice", "four times", "2.9 million"],
        ),
    ],
)
def test_a_number_is_what_claims_something(sentence, expected):
    assert [number.text for number in numbers_of(sentence)] == expected


@pytest.mark.parametrize(
    "text, code, held",
    [
        ("64 classes", "x = range(64)", True),
        ("64 classes", "x = 8", False),
        ("4096 numbers", "x = 64 * 64", True),
        ("nearly half of it", "x = 0.5", False),
        ("nearly half of it", "assert abs(x - 0.5) < 0.1", True),
        ("nearly half of it", "assert round(x, 2) > 0.4", False),
        ("twice the time", "assert b > 2 * a", True),
        ("rises by 16 per cent", "assert x > 1.16", True),
        ("2.9 million weights", "assert x == 2_869_168", True),
        ("2.8 million weights", "assert x == 2_869_168", False),
        ("seven rows", "# @title Figure\nsize = 7", False),
        ("seven rows", "# @title Check\nassert len(rows) == 7", True),
        ("five lines", "def f():\n    a = 1\n    b = 2\n    c = 3\n    return a", True),
        ("five lines", "x = 5", False),
    ],
)
def test_what_holds_a_number(text, code, held):
    (number,) = numbers_of(text)
    assert bool(in_code([code], number)) == held
