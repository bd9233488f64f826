"""The concept questions that the chapters ask."""

from importlib.resources import files

import pytest
from notebook_files import CHAPTERS, calls, code

from dynconv import exercises
from dynconv.exercises import asking

FILES = sorted((files(exercises) / "questions").iterdir(), key=lambda file: file.name)
NUMBERS = [int(file.name.removeprefix("chapter_").removesuffix(".yaml")) for file in FILES]


def rows(number):
    return asking.ask(number).data["questions"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_chapter_asks_four_questions_or_more(number):
    """Each has an answer that cannot be guessed from its place or its length."""
    asked = rows(number)
    assert len(asked) >= 4
    places, longest, shortest = set(), [], []
    for row in asked:
        texts = [choice["choice"] for choice in row["choices"]]
        assert len(set(texts)) == len(texts), row["question"]
        (right,) = [i for i, choice in enumerate(row["choices"]) if choice["right"]]
        places.add(right)
        longest.append(len(texts[right]) == max(map(len, texts)))
        shortest.append(len(texts[right]) == min(map(len, texts)))
    assert len(places) >= 3, "the right answers stand in the same place too often"
    assert sum(longest) <= len(asked) / 2, "the right answer is the longest one too often"
    assert sum(shortest) <= len(asked) / 2, "the right answer is the shortest one too often"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_notebook_asks_them(number):
    (notebook,) = [path for path in CHAPTERS if path.name.startswith(f"{number:02d}_")]
    assert f"ask({number})" in code(notebook) and "ask" in calls(code(notebook))


def test_a_chapter_without_questions_is_named():
    with pytest.raises(ValueError, match="no questions for chapter 99; there are some for .*1"):
        asking.ask(99)


def test_a_file_that_is_wrong_is_named(monkeypatch, tmp_path):
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions/chapter_07.yaml").write_text("- question: what?\n")
    monkeypatch.setattr(asking, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="chapter_07.yaml: question 1 must have the keys"):
        asking.ask(7)
    (tmp_path / "questions/chapter_07.yaml").write_text("- [")
    with pytest.raises(ValueError, match="chapter_07.yaml: "):
        asking.ask(7)
