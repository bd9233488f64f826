"""Draws twenty numbers of the prose and says what holds each, for whoever reads a chapter before it
is merged: `python tools/draw_numbers.py [SEED]`.
"""

import random
import sys
import textwrap
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def main(seed=None):
    sys.path.insert(0, str(TESTS))
    from prose import PAGES, sections, sentences, without_marks
    from prose_numbers import held_by, numbers_of

    found = [
        (page, section, paragraph, sentence, number)
        for page in PAGES
        for section in sections(page)
        for paragraph in section.paragraphs
        for sentence in sentences(paragraph)
        for number in numbers_of(sentence)
    ]
    for page, section, paragraph, sentence, number in random.Random(seed).sample(found, 20):
        print(f"{page.stem}, {section.title or 'opening'}: {number.text}")
        print(
            textwrap.fill(
                without_marks(sentence), 100, initial_indent="    ", subsequent_indent="    "
            )
        )
        print(f"    held by {held_by(page, section, paragraph, number) or 'NOTHING'}")
    print(f"twenty of {len(found)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
