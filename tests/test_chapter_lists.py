"""The tables of chapters on the front page and on the teachers' page."""

import json

import chapter_lists
import pytest
import yaml
from conftest import ROOT
from sphinx.cmd.build import build_main

PARTS = [
    part["caption"].partition(". ")[0]
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    if ". " in part.get("caption", "")
]


@pytest.fixture
def tiny(tmp_path):
    """A part of one chapter and one prose page."""
    toc = "parts: [{caption: I. First, chapters: [{file: notebooks/01_one}, {file: book/page}]}]"
    (tmp_path / "_toc.yml").write_text(toc)
    for folder in ("notebooks", "book"):
        (tmp_path / folder).mkdir()
    write(tmp_path, {"question": "Why?", "lesson_minutes": 30, "afterwards": "say why"})
    (tmp_path / "book/page.md").write_text("---\nquestion: Which?\n---\n\n# A page\n\nText.\n")
    return tmp_path


def write(folder, said):
    exercise = "### Exercise 1.1\n\n*Fill in · easy · core · 10 min.*"
    cells = [
        {"cell_type": "markdown", "source": ["# 1. One\n", "\n", "A promise."]},
        {"cell_type": "markdown", "source": [exercise]},
        {"cell_type": "markdown", "source": [exercise.replace("10 min", "5 min")]},
    ]
    content = {"cells": cells, "metadata": {"book": said} if said else {}}
    (folder / "notebooks/01_one.ipynb").write_text(json.dumps(content))


def test_a_part_is_listed_with_titles_and_questions(tiny):
    assert chapter_lists.of_part(tiny, "I") == ["notebooks/01_one", "book/page"]
    assert chapter_lists.say(tiny, "notebooks/01_one", "question") == ["1. One", "Why?"]
    assert chapter_lists.say(tiny, "book/page", "question") == ["A page", "Which?"]
    assert chapter_lists.link(tiny, "notebooks/01_one") == "/notebooks/01_one.ipynb"
    assert chapter_lists.link(tiny, "book/page") == "/book/page.md"
    assert chapter_lists.exercise_minutes(tiny, "notebooks/01_one") == 15


@pytest.mark.parametrize("said", [{}, {"question": "Why?", "lesson_minutes": 30}])
def test_what_a_chapter_does_not_say_is_named(tiny, said):
    write(tiny, said)
    with pytest.raises(chapter_lists.ChapterListError, match=r"01_one.*metadata.*afterwards"):
        chapter_lists.say(tiny, "notebooks/01_one", "question", "lesson_minutes", "afterwards")


def test_what_is_not_there_is_named(tiny):
    with pytest.raises(chapter_lists.ChapterListError, match="no part .* begins with 'IV. '"):
        chapter_lists.of_part(tiny, "IV")
    with pytest.raises(chapter_lists.ChapterListError, match="neither book/other.ipynb nor"):
        chapter_lists.say(tiny, "book/other", "question")


def test_a_chapter_of_part_one_fits_a_session_with_its_exercises():
    """So says the page for teachers."""
    for name in chapter_lists.of_part(ROOT, "I"):
        _, minutes = chapter_lists.say(ROOT, name, "lesson_minutes")
        assert minutes + chapter_lists.exercise_minutes(ROOT, name) <= 90, name


def test_a_gap_in_the_numbers_is_told_behind_the_chapter_before_it(tiny, chapters_of):
    (tiny / "notebooks/03_three.ipynb").write_text("{}")
    assert "Chapter 2 is in preparation." in chapters_of(tiny, "I")
    (tiny / "notebooks/02_two.ipynb").write_text("{}")
    assert not any("preparation" in row for row in chapters_of(tiny, "I"))


@pytest.fixture
def chapters_of():
    """A function: the rows of `{chapters} NUMERAL`."""

    def rows(root, numeral):
        directive = object.__new__(chapter_lists.Chapters)
        directive.arguments = [numeral]
        return list(directive.rows(root))

    return rows


@pytest.mark.parametrize("number, ends", [(1, 0), (7, 2)])
def test_a_chapter_is_found_by_its_number(tmp_path, number, ends, capfd):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_one.ipynb").write_text("{}")
    (tmp_path / "index.rst").write_text(f"See :chapter:`{number}`.")
    options = ["-q", "-W", "-C", "-D", "extensions=chapter_lists"]
    assert build_main([*options, str(tmp_path), str(tmp_path / "out")]) == ends
    if ends:
        assert "there is no chapter 7" in capfd.readouterr().err
    else:
        page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
        assert 'href="notebooks/01_one.html">chapter 1</a>' in page


def test_every_chapter_says_all_that_the_lists_need():
    for numeral in PARTS:
        for name in chapter_lists.of_part(ROOT, numeral):
            assert chapter_lists.say(ROOT, name, "question")
    for file in ROOT.glob("notebooks/*.ipynb"):
        name = f"notebooks/{file.stem}"
        assert chapter_lists.say(ROOT, name, "question", "lesson_minutes", "afterwards")
        assert chapter_lists.exercise_minutes(ROOT, name) >= 10
    shown = (ROOT / "book/index.md").read_text(encoding="utf-8")
    assert all(f"{{chapters}} {numeral}\n" in shown for numeral in PARTS)
