"""Formulas are drawn when the site is built: a page shows them at once, and without a script.

KaTeX writes each formula twice, as HTML for the eye and as MathML, which a screen reader reads and
which is copied. TeX that KaTeX cannot read stops the build.
"""

import json
import shutil
from pathlib import Path

import sphinxcontrib.katex
from sphinx.errors import ExtensionError

KATEX = Path(__file__).resolve().parents[1] / "node_modules/katex"


def draw_when_building(app, config):
    config.html_math_renderer = "katex"
    config.katex_prerender = True
    config.katex_css_path = "katex/katex.min.css"
    # `strict` names what KaTeX would draw although it is no TeX, such as an accented letter
    sphinxcontrib.katex.KATEX_DEFAULT_OPTIONS |= {"throwOnError": True, "strict": "error"}
    # On a busy machine the first connection may come before KaTeX listens. This way to connect
    # tries again, and five seconds are little.
    server = sphinxcontrib.katex.KaTeXServer
    server.start_server_process = server.start_network_socket
    sphinxcontrib.katex.STARTUP_TIMEOUT = sphinxcontrib.katex.RENDER_TIMEOUT = 60
    found = json.loads((KATEX / "package.json").read_text(encoding="utf-8"))["version"]
    if found != sphinxcontrib.katex.katex_version:
        raise ExtensionError(
            f"tools/package.json brings the style sheet of KaTeX {found}, but sphinxcontrib-katex"
            f" draws with {sphinxcontrib.katex.katex_version}: name that one there"
        )


def copy_style_sheet(app):
    """KaTeX's style sheet and fonts, which tools/site/lean_pages.py reduces to what occurs."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static/katex"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(KATEX / "dist/katex.min.css", target)
    fonts = shutil.ignore_patterns("*.woff", "*.ttf")
    shutil.copytree(KATEX / "dist/fonts", target / "fonts", ignore=fonts, dirs_exist_ok=True)


def setup(app):
    app.setup_extension("sphinxcontrib.katex")
    app.connect("config-inited", draw_when_building)
    app.connect("builder-inited", copy_style_sheet)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
