"""The site asks no other host for anything, and what the site does not use is left out."""

import re
from pathlib import Path

PRINTED_TITLE = re.compile(r'(<div id="jb-print-docs-body"[^>]*>\s*)<h1>(.*?)</h1>', re.DOTALL)


def forget_thebe(app, config):
    """Jupyter Book always loads sphinx-thebe, which names unpkg.com on each page: none of its
    handlers is called.
    """
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if not listener.handler.__module__.startswith("sphinx_thebe")
        ]


def tidy(app, exception):
    """Take out what no page needs, and leave one first heading on each.

    The theme's fontawesome.js (1.5 MB) would redraw icons that its web font already draws, and its
    menus open with theme_static/page.js. Source maps and templates are for the authors of the
    theme. The title that is there for print becomes a paragraph: the page has that heading already.
    """
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    unused = ("**/*.map", "**/*.ttf", "*.html", "scripts/fontawesome*", "scripts/bootstrap*")
    for pattern in (f"_static/{each}" for each in unused):
        for file in site.glob(pattern):
            file.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = PRINTED_TITLE.sub(r'\1<p class="h1">\2</p>', text)
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("config-inited", forget_thebe)
    app.connect("build-finished", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
