"""What all chapters have in common. A failing message says what to write instead."""

import ast
import re

import nbformat
import pytest
from conftest import REPOSITORY, ROOT

CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
WORDS_PER_MINUTE = 180  # prose with formulas, read to be understood
CODE_LINES_PER_MINUTE = 20

pytestmark = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def cells(path, kind=None):
    return [
        cell for cell in nbformat.read(path, as_version=4).cells if kind in (None, cell.cell_type)
    ]


def markdown(path):
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def code(path):
    return "\n\n".join(cell.source for cell in cells(path, "code"))


def setup(path):
    """The setup cell: the second cell of the chapter."""
    cell = cells(path)[1]
    assert cell.cell_type == "code", "the second cell must be the setup cell"
    return cell.source


def test_is_named_by_its_number(path):
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert len({chapter.stem[:2] for chapter in CHAPTERS}) == len(CHAPTERS), (
        "each number once; sorted by name they stand in order"
    )
    assert markdown(path).startswith(f"# {int(path.stem[:2])}. ")


def test_is_committed_without_outputs(path):
    for number, cell in enumerate(cells(path, "code"), 1):
        assert not cell.outputs and cell.execution_count is None, (
            f"code cell {number} holds an output: `make strip`"
        )


def test_has_cell_ids(path):
    raw = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert (raw.nbformat, raw.nbformat_minor) >= (4, 5), "cell ids need nbformat 4.5"
    ids = [cell.get("id") for cell in raw.cells]
    assert all(ids) and len(set(ids)) == len(ids), "cell ids are missing or repeated"


def test_runs_on_any_python_kernel(path):
    """Any other kernel name exists on its author's machine only."""
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"


def test_setup_cell_is_that_of_all_chapters(path):
    assert setup(path) == setup(CHAPTERS[0])


def test_setup_cell_can_run(path):
    """nbmake never takes its Colab branch, so at least its text is checked: it parses and installs
    from our address.
    """
    ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", setup(path), flags=re.MULTILINE))
    installs = re.findall(r"git\+([^\s\"'@#]+)", setup(path))
    assert [url.removesuffix(".git") for url in installs] == [REPOSITORY], (
        f"install from git+{REPOSITORY}, once"
    )
    assert '"google.colab" in sys.modules' in setup(path), (
        "elsewhere than on Colab the cell must do nothing"
    )


def test_is_plain_markdown(path):
    """Colab and Jupyter show MyST raw; directives and roles belong in book/*.md."""
    prose = re.sub(
        r"\$\$.*?\$\$|\$[^$\n]*\$", "", markdown(path), flags=re.DOTALL
    )  # braces in TeX are no roles
    found = re.search(
        r"^\s*(:::|```+\{|~~~+\{|\+\+\+|\([\w-]+\)=).*|\{[a-zA-Z][\w:+-]*\}`.*", prose, re.MULTILINE
    )
    assert not found, f"MyST, which Colab shows raw: {found[0]!r}"


def test_opens_like_all_chapters(path):
    source = cells(path)[0].source
    badges = (
        f"**[Open in Colab]({COLAB}/blob/main/notebooks/{path.name})** · "
        f"**[Download]({REPOSITORY}/raw/main/notebooks/{path.name})**"
    )
    blocks = [block.strip() for block in re.split(r"\n\s*\n", source.strip())]
    assert re.fullmatch(r"# .+", blocks[0]), "first comes the title"
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
    assert "[measured in each build](../book/execution-status.md)" in tail, (
        "and the run time: [measured in each build](../book/execution-status.md)"
    )


def claimed_minutes(path):
    source = cells(path)[0].source
    found = re.search(r"(\d+) ?min", source[source.index("able to") :])
    return found and int(found[1])


def test_claimed_reading_time_is_true(path):
    words = sum(any(letter.isalnum() for letter in word) for word in markdown(path).split())
    lines = sum(bool(line.strip()) for line in code(path).splitlines())
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
        assert re.search(r"^.*[Dd]ifficulty.*\d+ ?min.*$", text, re.MULTILINE), (
            f"{where}: a line with difficulty and minutes"
        )
        assert "<details>" in text and "<summary>" in text, f"{where}: a hint in <details>"
        assert f"](../book/solutions/chapter_{number:02d}.md" in text, (
            f"{where}: a link to its solution"
        )


def test_runs_the_same_code_everywhere(path):
    """A chapter never asks whether it is being tested; sizes come from the device."""
    found = re.search(r"\bCI\b|GITHUB_ACTIONS|PYTEST_CURRENT_TEST", code(path))
    assert not found, f"the chapter asks where it runs: {found[0]}"


def test_stands_in_the_table_of_contents_in_its_place(path):
    listed = re.findall(r"file: notebooks/(\w+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert listed == [chapter.stem for chapter in CHAPTERS]


def test_the_teachers_page_sums_the_minutes_of_the_exercises(path):
    minutes = sum(
        int(found)
        for found in re.findall(r"^\*Difficulty: .*?(\d+) min", markdown(path), re.MULTILINE)
    )
    row = re.search(
        rf"^.*notebooks/{path.name}.*$",
        (ROOT / "book/teachers.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert row and row[0].split("|")[3].strip() == f"{minutes} min", (
        f"the exercises take {minutes} min: write that in book/teachers.md"
    )
