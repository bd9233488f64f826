"""The sections of CHANGELOG.md, for tools/release.py and for the feed of the site
(tools/site/feed.py).
"""

import re
from typing import NamedTuple

FILE = "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
HEADING = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)\n", re.MULTILINE)


class Version(NamedTuple):
    number: str
    date: str  # as 2026-11-30
    text: str  # Markdown


def versions(text):
    """What was released, the newest first."""
    numbers_dates_texts = HEADING.split(text)[1:]
    return [Version(*each) for each in zip(*(numbers_dates_texts[i::3] for i in range(3)))]


def unreleased(text):
    """The Markdown below the heading 'Unreleased'; '' if there is none."""
    _, _, rest = text.partition(UNRELEASED)
    return HEADING.split(rest)[0].strip()


def released(text, number, date):
    """The text in which what was unreleased is that version."""
    return text.replace(UNRELEASED, f"## {number} - {date}\n", 1)
