"""The site asks no other host for anything: MathJax comes from npm, and what the site does not use
is left out.
"""

import re
import shutil
from pathlib import Path

MATHJAX = Path(__file__).resolve().parents[1] / "node_modules/mathjax/es5"
UNUSED_TAGS = re.compile(
    r"<script[^>]*/fontawesome\.js[^>]*></script>\n?|<link[^>]*/sphinx-thebe\.css[^>]*>\n?"
)
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


def copy_mathjax(app):
    """The one component that the pages load, its fonts, and the TeX extensions that it loads by
    itself (\\boldsymbol).
    """
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static/mathjax"
    static.mkdir(parents=True, exist_ok=True)
    shutil.copy(MATHJAX / "tex-chtml.js", static)
    for folder in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
        shutil.copytree(MATHJAX / folder, static / folder, dirs_exist_ok=True)


def tidy(app, exception):
    """Take out what no page needs, and leave one first heading on each.

    The theme's fontawesome.js (1.5 MB) redraws icons that its web font already draws, the style
    sheet of thebe went with thebe, and source maps and templates are for the authors of the theme.
    The title that is there for print becomes a paragraph: the page has that heading already.
    """
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    (site / "_static/scripts/fontawesome.js").unlink(missing_ok=True)
    for pattern in ("_static/**/*.map", "_static/*.html"):
        for file in site.glob(pattern):
            file.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = PRINTED_TITLE.sub(r'\1<p class="h1">\2</p>', UNUSED_TAGS.sub("", text))
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("config-inited", forget_thebe)
    app.connect("builder-inited", copy_mathjax)
    app.connect("build-finished", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
