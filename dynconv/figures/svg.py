"""A matplotlib figure as part of a page: inline SVG that follows the page's theme and uses the
page's font.

Artists use the light form of each colour of `style.py`. Here each of those becomes a CSS variable
with a light and a dark value, so that one figure serves both; its text stays text.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import sys

import matplotlib
from matplotlib.figure import Figure

from . import style

# Text as text; ids that do not change from build to build.
_AS_SVG = {"svg.fonttype": "none", "svg.hashsalt": "dynconv", "image.composite_image": False}


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Put the figure into the page and close it. `alt` says what it shows, for those who do not see
    it.
    """
    from IPython.display import HTML, display  # only notebooks call this

    display(HTML(to_html(figure, alt, caption)))
    if pyplot := sys.modules.get("matplotlib.pyplot"):  # only a figure that pyplot made is open
        pyplot.close(figure)


def to_html(figure: Figure, alt: str, caption: str | None = None) -> str:
    """The figure as an HTML `<figure>` with inline SVG that follows the page's theme and font."""
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError(f"alt must say in one sentence what the figure shows, got {alt!r}")
    buffer = io.StringIO()
    with matplotlib.rc_context(_AS_SVG):
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    svg = _themed(_own_ids(buffer.getvalue()))
    width = figure.get_figwidth() * 96  # CSS pixels
    attributes = (
        f'role="img" aria-label="{html.escape(alt.strip())}" style="max-width:{width:.0f}px"'
    )
    svg = re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>",
        lambda match: f"<svg {match[1]} {attributes}>",
        svg,
        count=1,
    )
    note = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f"<style>{style.theme_css(svg + _FIGURE_CSS)}\n{_FIGURE_CSS}</style>\n"
        + f'<figure class="dc-figure">{svg}{note}</figure>'
    )


# The image of a signed map exists twice, once per theme (`plots.response`); the page's theme
# chooses.
_FIGURE_CSS = f"""
.dc-figure{{margin:1rem 0;color:var(--dc-ink,currentColor)}}
.dc-figure>svg{{display:block;width:100%;height:auto;fill:var(--dc-ink,currentColor)}}
.dc-figure>svg *{{stroke-linejoin:round;stroke-linecap:butt}}
.dc-figure>figcaption{{margin-top:.4rem;font:inherit;font-size:.9em;color:inherit;text-align:left}}
.dc-figure .dc-dark,{style.on_dark_pages(".dc-figure .dc-light")}{{display:none}}
{style.on_dark_pages(".dc-figure .dc-dark")}{{display:inline}}"""


def _own_ids(svg: str) -> str:
    """Prefix all ids with a digest of the content: figures on one page then never refer to each
    other's parts.
    """
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(
        r"\s*<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL
    )  # that style would style the whole page
    slug = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(
        r'<a xlink:href="dc-(light|dark)"[^>]*>(.*?)</a>',
        r'<g class="dc-\1">\2</g>',
        svg,
        flags=re.DOTALL,
    )
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{slug}-", svg)


def _themed(svg: str) -> str:
    """Replace the light form of each palette colour by its variable, and matplotlib's font by the
    page's.
    """
    names = {colour.light: name for name, colour in style.css_variables().items()}
    names["#000000"] = "--dc-ink"  # an artist that was given no colour

    def variable(match):
        colour = match[0].lower()
        fallback = "currentColor" if names.get(colour) == "--dc-ink" else colour
        return f"var({names[colour]},{fallback})" if colour in names else colour

    svg = re.sub(
        r"<pattern id=\"([^\"]*)\".*?fill=\"(#\w{6})\".*?</pattern>",
        _small_hatch,
        svg,
        flags=re.DOTALL,
    )
    svg = re.sub(r'\bfill="(#[0-9a-fA-F]{6})"', r'style="fill: \1"', svg)  # the ground of a hatch
    svg = re.sub(r"#[0-9a-fA-F]{6}\b", variable, svg)
    svg = re.sub(
        r"\bfont: ([^;\"]*?)([\d.]+px) [^;\"]*", r"font-size: \2", svg
    )  # matplotlib before 3.10
    return re.sub(r"\s*font-family: [^;\"]*;?", "", svg)


def _small_hatch(match) -> str:
    """An expert's hatch as the book's own small tile; another hatch stays as matplotlib wrote it."""
    colours = [colour.light for colour in style.EXPERTS]
    if match[2].lower() not in colours:
        return match[0]
    path, width = style.HATCH_TILES[colours.index(match[2].lower())]
    return (
        f'<pattern id="{match[1]}" width="6" height="6" patternUnits="userSpaceOnUse" viewBox="0 0'
        ' 8 8">'
        f'<rect width="8" height="8" style="fill:{match[2]}"/>'
        f'<path d="{path}"'
        f' style="fill:none;stroke:{style.ZERO.light};stroke-width:{width};stroke-linecap:round"/></pattern>'
    )
