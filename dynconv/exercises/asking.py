"""Concept questions, which need no kernel and give no marks.

Those of chapter 3 are all that stands in `questions/chapter_03.yaml`.
"""

from __future__ import annotations

from importlib.resources import files

import yaml

from ..figures.custom_element import Widget
from ..figures.widgets import questions


def ask(chapter: int) -> Widget:
    """The concept questions of a chapter; as the last expression of a cell they show themselves.

    Raises:
        ValueError: the chapter has no questions, or its file is not as `figures.widgets.questions`
            wants it.
    """
    there_are = {
        int(each.name[8:10]): each for each in (files(__package__) / "questions").iterdir()
    }
    if chapter not in there_are:
        raise ValueError(
            f"there are no questions for chapter {chapter!r}; there are some for chapters"
            f" {', '.join(map(str, sorted(there_are)))}"
        )
    file = there_are[chapter]
    try:
        return questions(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{file.name}: {error}") from error
