"""The picture that others show with a link to a page: 1200 × 630 pixels, with the title of the page
and its picture on the map of chapters (pictures.py), in the letters and colours of the book.

Only a published site has cards, as their address is a whole one; no page loads them. They are drawn
by matplotlib and kept below `_build/cards` until what they show changes.
"""

import hashlib
import re
import shutil
import textwrap
from functools import cache
from html import escape, unescape
from pathlib import Path
from xml.etree import ElementTree

import pictures
from fontTools.pens.basePen import BasePen
from fontTools.svgLib.path import parse_path
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D

from dynconv.figures import style

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build/cards"
FONTS = ROOT / "tools/node_modules/@fontsource"
STYLE = ROOT / "book/theme_static/style.css"
WIDTH, HEIGHT = 1200, 630
LINE = 18  # letters of a title in one line
# {family: file}; a letter that the first lacks comes from the second
LETTERS = {
    "Card": "source-serif-4/files/source-serif-4-latin-600-normal.woff2",
    "Card Greek": "source-serif-4/files/source-serif-4-greek-600-normal.woff2",
    "Card sign": "source-sans-3/files/source-sans-3-latin-400-normal.woff2",
}
RULE = re.compile(r"\.picture \.([\w-]+) \{ ([^}]*) \}")


class Pen(BasePen):
    """Takes down what fontTools reads from SVG's path data, for matplotlib."""

    def __init__(self):
        super().__init__(None)
        self.points, self.codes = [], []

    def add(self, code, *points):
        self.points += points
        self.codes += [code] * len(points)

    def _moveTo(self, point):
        self.add(Outline.MOVETO, point)

    def _lineTo(self, point):
        self.add(Outline.LINETO, point)

    def _curveToOne(self, *points):
        self.add(Outline.CURVE4, *points)

    def _closePath(self):
        self.add(Outline.CLOSEPOLY, (0, 0))


@cache
def rules():
    """{class: {property: value}} of the pictures, as style.css has them, with light colours."""
    colours = {name: colour.light for name, colour in style.css_variables().items()}
    found = {}
    for name, text in RULE.findall(STYLE.read_text(encoding="utf-8")):
        said = dict(each.split(": ") for each in text.strip("; ").split("; "))
        for key, value in said.items():
            variable = re.fullmatch(r"var\((.*)\)", value)
            said[key] = colours.get(variable[1], style.ZERO.light) if variable else value
        found[name] = said
    return found


def draw_picture(axes, svg):
    """Draw the paths of one of the pictures."""

    def draw(node, transform):
        if moved := re.match(
            r"translate\(([-\d.]+) ([-\d.]+)\) scale\(([\d.]+)\)", node.get("transform", "")
        ):
            x, y, scale = map(float, moved.groups())
            transform = Affine2D().scale(scale).translate(x, y) + transform
        if node.tag == "path":
            looks = {"fill": "none", "stroke-width": "0"}
            for name in node.get("class", "").split():
                looks |= rules().get(name, {})
            looks |= dict(each.split(":") for each in node.get("style", "").split(";") if each)
            pen = Pen()
            parse_path(node.get("d"), pen)
            dashes = looks.get("stroke-dasharray")
            axes.add_patch(
                PathPatch(
                    Outline(pen.points, pen.codes).transformed(transform),
                    facecolor=looks["fill"],
                    edgecolor=looks.get("stroke", "none"),
                    linewidth=float(looks["stroke-width"]) * axes.points_per_unit,
                    linestyle=(0, [float(d) for d in dashes.split()]) if dashes else "-",
                    alpha=float(looks.get("opacity", 1)) * float(node.get("opacity", 1)),
                )
            )
        for child in node:
            draw(child, transform)

    draw(ElementTree.fromstring(svg), Affine2D())


def use_letters():
    """Let matplotlib know the letters of the site, which npm brings packed."""
    for family, file in LETTERS.items():
        unpacked = CACHE / f"{family}.ttf"
        if not unpacked.exists():
            font = TTFont(FONTS / file)
            font.flavor = None
            font.save(unpacked)
        entry = font_manager.FontEntry(fname=str(unpacked), name=family, weight=400)
        if entry not in font_manager.fontManager.ttflist:
            font_manager.fontManager.ttflist.append(entry)


def draw(title, svg, book, target):
    use_letters()
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor="#ffffff")
    axes = figure.add_axes((0.54, 0.18, 0.41, 0.64), xlim=(0, 120), ylim=(60, 0), aspect="equal")
    axes.points_per_unit = 0.41 * WIDTH / 120 * 72 / 100
    axes.axis("off")
    draw_picture(axes, svg)
    serif = {"family": ["Card", "Card Greek"], "color": style.INK.light}
    sign = {"family": ["Card sign"], "color": style.BASELINE.light}
    lines = textwrap.wrap(title, LINE, break_long_words=False)
    figure.text(0.06, 0.5, "\n".join(lines), va="center", size=38, linespacing=1.15, **serif)
    figure.text(0.06, 0.1, book, va="center", size=20, **sign)
    for i, colour in enumerate(style.EXPERTS[:4]):  # a border of experts
        figure.add_artist(
            PathPatch(
                Outline.unit_rectangle().transformed(
                    Affine2D().scale(0.25, 0.022).translate(i / 4, 0.978)
                ),
                transform=figure.transFigure,
                facecolor=colour.light,
                edgecolor="none",
            )
        )
    figure.savefig(target)


def card(title, svg, book):
    """The file of a card, drawn if there is none yet."""
    code = Path(__file__).read_text(encoding="utf-8") + STYLE.read_text(encoding="utf-8")
    parts = (title, svg, book, code, str(style.css_variables()))
    file = CACHE / f"{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}.png"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draw(title, svg, book, file)
    return file


def name_card(app, pagename, templatename, context, doctree):
    """Say in a page where its card is, and draw it."""
    if not app.config.is_published or not doctree or app.builder.format != "html":
        return
    book = app.config.ogp_site_name
    title = unescape(re.sub(r"<[^>]+>", "", context["title"]))
    name = f"_static/cards/{pagename}.png"
    target = Path(app.outdir) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(card(title, pictures.of_page(pagename), book), target)
    alt = f"“{title}”, a page of {book}, with a small drawing of what it is about"
    context["meta"] = {
        **(context["meta"] or {}),
        "og:image": app.config.ogp_site_url + name,
        "og:image:alt": escape(alt),
    }
    context["metatags"] += (
        f'<meta property="og:image:width" content="{WIDTH}" />'
        f'<meta property="og:image:height" content="{HEIGHT}" />'
        '<meta name="twitter:card" content="summary_large_image" />'
    )


def setup(app):
    app.connect("html-page-context", name_card, priority=410)  # before sphinxext-opengraph
    return {"parallel_read_safe": True, "parallel_write_safe": True}
