"""What the theme and the extensions leave to be done for people who hear the page or use its keys.

`make audit` looks for such faults with axe. Tables and code that scroll get a place in the order of
the keys where they do (book/theme_static/page.js).
"""

import re
from pathlib import Path

MENDED = (
    # A corner of a table with nothing in it heads nothing.
    (re.compile(r'<th(?: (?:class="head|style=")[^"]*")?>(?:<p></p>)?</th>'), "<td></td>"),
    # What is written on a button is its name.
    (re.compile(r'(<summary)[^>]* aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    # These roles are for books in other formats, and axe knows them as faults here.
    (re.compile(r' role="(?:doc-biblioentry|doc-backlink)"'), ""),
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    # All that stands on a page is in one of its parts.
    (
        re.compile(r'<div id="pst-primary-sidebar"'),
        '<div id="pst-primary-sidebar" role="complementary" aria-label="The book"',
    ),
)


def mend(app, exception):
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for fault, mended in MENDED:
            text = fault.sub(mended, text)
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
