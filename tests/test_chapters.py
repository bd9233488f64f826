"""What all chapters have in common, beside what test_notebooks.py asks of any notebook. A failing
message says what to write instead.
"""

import re

import pytest
from conftest import REF, REPOSITORY, ROOT, SITE
from exercises_pages import HEAD
from notebook_files import CHAPTERS, COLAB, cells, code_lines, folded, markdown

# Silent reading of non-fiction: 238 words a minute, and 175 to 300 for most adults (Brysbaert 2019,
# doi 10.1016/j.jml.2019.104047). Prose with formulas lies at the lower end. The lines of code are
# our own estimate, three seconds for each. A chapter may claim a quarter more or less.
WORDS_PER_MINUTE = 180
CODE_LINES_PER_MINUTE = 20

# Lines of code that a chapter shows, folded cells apart.
MOST_LINES = 330
FEWER_LINES = {"11": 150, "12": 150}  # what the others should come down to

pytestmark = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def test_is_named_by_its_number(path):
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert len({chapter.stem[:2] for chapter in CHAPTERS}) == len(CHAPTERS), (
        "each number once; sorted by name they stand in order"
    )
    assert markdown(path).startswith(f"# {int(path.stem[:2])}. ")


def test_opens_like_all_chapters(path):
    source = cells(path)[0].source
    badges = (
        f"**[Open in Colab]({COLAB}/blob/{REF}/notebooks/{path.name})** · "
        f"**[Download]({REPOSITORY}/raw/{REF}/notebooks/{path.name})**"
    )
    blocks = [block.strip() for block in re.split(r"\n\s*\n", source.strip())]
    assert re.fullmatch(r"# .+", blocks[0]), "first comes the title"
    assert len(blocks) > 3, "copy the first cell of another chapter, and write yours over it"
    promise = re.sub(r"\s+", " ", blocks[1])
    assert (
        re.fullmatch(r"[^#|*>-].*[.?!]", promise) and len(re.findall(r"[.?!](?= |$)", promise)) == 1
    ), f"second comes a promise of one sentence, not {promise!r}"
    assert blocks[2] == badges, f"third comes this line:\n{badges}"
    rest = "\n\n".join(blocks[3:])
    outcomes = re.search(
        r"^.*[Yy]ou will be able to.*\n+((?:[-*] .+\n?(?:  .+\n?)*)+)", rest, re.MULTILINE
    )
    assert outcomes, "fourth comes the list 'You will be able to'"
    tail = rest[outcomes.end() :]
    before = re.search(r"[Pp]rerequisites?\b.*\]\(", tail, re.DOTALL)
    assert before, "fifth come the prerequisites, as links"
    assert claimed_minutes(path), "sixth comes the reading time in minutes"
    run_time = f"[measured in each build]({SITE}/book/execution-status.html)"
    assert run_time in tail, f"and the run time: {run_time}"


def claimed_minutes(path):
    source = cells(path)[0].source
    found = re.search(r"(\d+) ?min", source[source.find("able to") :])
    return found and int(found[1])


def visible_lines(path):
    return sum(code_lines(cell.source) for cell in cells(path, "code") if not folded(cell))


def test_shows_no_more_code_than_can_be_read(path):
    lines, most = visible_lines(path), FEWER_LINES.get(path.stem[:2], MOST_LINES)
    assert lines <= most, (
        f"{lines} lines of code are not folded, {most} at most: fold what is not the subject"
    )


def test_claimed_reading_time_is_true(path):
    words = sum(any(letter.isalnum() for letter in word) for word in markdown(path).split())
    lines = visible_lines(path)
    minutes = words / WORDS_PER_MINUTE + lines / CODE_LINES_PER_MINUTE
    assert abs(claimed_minutes(path) - minutes) <= max(0.25 * minutes, 1), (
        f"{words} words and {lines} lines of code take about {round(minutes)} minutes: write"
        f" {round(minutes)}"
    )


def test_ends_like_all_chapters(path):
    headings = re.findall(r"^## (.+)", markdown(path), re.MULTILINE)
    assert headings[-2:] == ["Summary", "What comes next"]


def test_has_exercises_with_their_parts(path):
    number = int(path.stem[:2])
    parts = re.split(r"^### Exercise (\d+)\.(\d+)", markdown(path), flags=re.MULTILINE)
    names = [(int(chapter), int(exercise)) for chapter, exercise in zip(parts[1::3], parts[2::3])]
    assert len(names) >= 3, "at least three exercises, with headings like '### Exercise 1.1'"
    assert names == [(number, i + 1) for i in range(len(names))], "exercises count N.1, N.2, ..."
    for (chapter, exercise), text in zip(names, parts[3::3]):
        text = re.split(r"^#{1,3} ", text, flags=re.MULTILINE)[0]
        where = f"exercise {chapter}.{exercise}"
        assert HEAD.search(text), (
            f"{where}: a line '*Fill in · easy · core · 5 min.*': {HEAD.pattern}"
        )
        assert "<details>" in text and "<summary>" in text, f"{where}: a hint in <details>"
    solutions = f"]({SITE}/book/solutions.html#chapter-{number})"
    (summary,) = [cell.source for cell in cells(path) if "\n## Summary" in cell.source]
    assert solutions in summary.partition("## Summary")[0], (
        f"before the summary, and nowhere else, a link to the solutions: [the solutions{solutions}"
    )
    assert markdown(path).count("/book/solutions.html") == 1


def test_stands_in_the_table_of_contents_in_its_place(path):
    listed = re.findall(r"file: notebooks/(\w+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert listed == [chapter.stem for chapter in CHAPTERS], (
        f"_toc.yml must have the line '- file: notebooks/{path.stem}', in the order of the numbers"
    )
