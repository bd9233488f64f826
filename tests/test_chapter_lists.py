"""The cards of chapters on the front page, their pictures, and the table on the teachers' page."""

import json
import re
from xml.etree import ElementTree

import chapter_lists
import pictures
import pytest
from conftest import ROOT
from sphinx.cmd.build import build_main

PARTS = chapter_lists.parts(ROOT)


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
        {
            "cell_type": "markdown",
            "source": ["# 1. One\n", "\n", "A promise.\n", "\n", "| Reading time | 12 min |\n"],
        },
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


@pytest.fixture
def front_page(tiny):
    """A function: the HTML that Sphinx makes of `{chapters} I`, or what it complains about."""

    def build(capfd):
        (tiny / "index.rst").write_text("Front\n=====\n\n.. chapters:: I\n")
        for page in ("notebooks/01_one", "book/page"):
            (tiny / f"{page}.rst").write_text(":orphan:\n\nA page\n======\n")
        options = ["-q", "-W", "-C", "-D", "extensions=chapter_lists", "-D", "exclude_patterns=out"]
        if build_main([*options, str(tiny), str(tiny / "out")]):
            return capfd.readouterr().err
        return (tiny / "out/index.html").read_text(encoding="utf-8")

    return build


def test_a_card_says_what_the_chapter_says_of_itself(tiny, front_page, capfd, monkeypatch):
    write(tiny, {"question": "Why?", "level": "easy"})
    seconds = {"notebooks/01_one": 7}
    monkeypatch.setattr(chapter_lists.executed_chapters, "seconds", seconds.get)
    cards = re.search(r'<ul class="chapter-cards.*?</ul>', front_page(capfd), re.DOTALL)[0]
    one, page = re.findall("<li>.*?</li>", cards, re.DOTALL)
    assert "<svg" in one
    assert 'href="notebooks/01_one.html"' in one
    shown = " ".join(re.sub("<[^>]+>", " ", one).split())
    assert shown == "1. One Why? 12 min to read · 7 s to run · easy"
    shown = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert shown == "A page Which?"


def test_a_level_is_one_of_three(tiny, front_page, capfd):
    write(tiny, {"question": "Why?", "level": "nice"})
    assert "01_one.ipynb: its level is one of" in front_page(capfd)


def test_a_gap_in_the_numbers_is_told_behind_the_chapter_before_it(tiny, front_page, capfd):
    (tiny / "notebooks/03_three.ipynb").write_text("{}")
    assert "Chapter 2 is in preparation." in front_page(capfd)
    (tiny / "notebooks/02_two.ipynb").write_text("{}")
    assert "preparation" not in front_page(capfd)


def test_every_page_of_the_map_has_a_picture_of_its_own():
    pages = [name for numeral in PARTS for name in chapter_lists.of_part(ROOT, numeral)]
    drawn = [pictures.of_page(name) for name in pages]
    assert len(set(drawn)) == len(pages)
    for name, svg in zip(pages, drawn):
        assert ElementTree.fromstring(svg).get("aria-hidden") == "true"
        assert len(svg) < 6000, f"the picture of {name} is heavy"
        assert "nan" not in svg and "inf" not in svg


def test_pictures_have_no_class_without_a_colour():
    used = set(re.findall(r'class="([^"]+)"', "".join(map(pictures.of_page, pictures.PICTURES))))
    style = (ROOT / "book/theme_static/style.css").read_text(encoding="utf-8")
    for kind in {kind for kinds in used for kind in kinds.split()} - {"picture"}:
        assert f".picture .{kind} {{" in style, kind


def test_a_page_without_a_picture_of_its_own_has_the_one_of_the_book():
    assert pictures.of_page("notebooks/13_new") == pictures.of_page(
        "notebooks/01_one_kernel_per_image"
    )


@pytest.mark.parametrize("number, ends", [(1, 0), (7, 2)])
def test_a_chapter_is_found_by_its_number(tmp_path, number, ends, capfd):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_one.ipynb").write_text("{}")
    (tmp_path / "_toc.yml").write_text("parts: []")
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
        assert chapter_lists.say(ROOT, name, "question", "level", "lesson_minutes", "afterwards")
        assert chapter_lists.exercise_minutes(ROOT, name) >= 10
    shown = (ROOT / "book/index.md").read_text(encoding="utf-8")
    assert all(f"{{chapters}} {numeral}\n" in shown for numeral in PARTS)
