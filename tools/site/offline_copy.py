"""{offline-copy}`words`: a link to the zip of this site that opens without a network, and its size.

The zip (tools/offline.py) is made when all else of the site is.
"""

from html import escape
from pathlib import Path

import offline
from docutils import nodes
from sphinx.util.docutils import SphinxRole

FOLDER = "_downloads"
SIZE = '<span class="offline-size"></span>'  # empty until the zip is made


class OfflineCopy(SphinxRole):
    def run(self):
        up = "../" * self.env.docname.count("/")
        link = (
            f'<span class="offline-copy"><a href="{up}{FOLDER}/{offline.name()}" download>'
            f"{escape(self.text)}</a>{SIZE}</span>"
        )
        return [nodes.raw(self.rawtext, link, format="html")], []


def make_zip(app, exception):
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    asking = {page: text for page, text in pages.items() if SIZE in text}
    if not asking:
        return  # a book of which no page offers it
    size = offline.write(site, site / FOLDER / offline.name())
    said = SIZE.replace("></", f"> ({size / 1e6:.0f}&nbsp;MB)</")
    for page, text in asking.items():
        page.write_text(text.replace(SIZE, said), encoding="utf-8")


def setup(app):
    app.add_role("offline-copy", OfflineCopy())
    app.connect("build-finished", make_zip, priority=990)  # of the pages as they stay
    return {"parallel_read_safe": True, "parallel_write_safe": True}
