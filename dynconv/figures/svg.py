"""A matplotlib figure as part of a page: inline SVG that follows the page's theme and its font.

The contract with those who draw:

- Artists use the light form of each colour of `style.py`. Here each becomes a CSS variable with a
  light and a dark value, so that one figure serves both; its text stays text.
- What exists twice, once per theme (the image of a signed map, a number on a coloured ground), has
  the url `dc-light` or `dc-dark`: of an image, matplotlib writes no other name into the SVG.
- Black, #000000, means that no colour was given, and becomes the ink of the page. Who wants black
  on every page says #010101 (`style.readable_on`).
- A hatch in an expert's colour is replaced by the book's own small tile.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import sys
from collections.abc import Callable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
from matplotlib.figure import Figure

from . import style

THEMES = ("dc-light", "dc-dark")
NO_COLOUR = "#000000"
# Text as text; ids that do not change from build to build.
_AS_SVG = {"svg.fonttype": "none", "svg.hashsalt": "dynconv", "image.composite_image": False}
_HEX = re.compile(r"#[0-9a-fA-F]{6}\b")


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
        metadata = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    root = _without_namespaces(ElementTree.fromstring(buffer.getvalue()))
    for rule in (_drop_what_is_for_files, _mark_themes, _own_ids, _small_hatches, _page_font):
        rule(root)
    _page_colours(root)
    width = figure.get_figwidth() * 96  # CSS pixels
    box = root.get("viewBox")
    root.attrib.clear()
    root.attrib |= {"viewBox": box, "role": "img", "aria-label": alt.strip()}
    root.set("style", f"max-width:{width:.0f}px")
    svg = ElementTree.tostring(root, encoding="unicode")
    css = f"{style.theme_css(svg + _FIGURE_CSS)}\n{_FIGURE_CSS}"
    note = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<style>{css}</style>\n<figure class="dc-figure">{svg}{note}</figure>'


# The page's theme chooses one of what exists twice.
_FIGURE_CSS = f"""
.dc-figure{{margin:1rem 0;color:var(--dc-ink,currentColor)}}
.dc-figure>svg{{display:block;width:100%;height:auto;fill:var(--dc-ink,currentColor)}}
.dc-figure>svg *{{stroke-linejoin:round;stroke-linecap:butt}}
.dc-figure>figcaption{{margin-top:.4rem;font:inherit;font-size:.9em;color:inherit;text-align:left}}
.dc-figure .dc-dark,{style.on_dark_pages(".dc-figure .dc-light")}{{display:none}}
{style.on_dark_pages(".dc-figure .dc-dark")}{{display:inline}}"""


def _without_namespaces(root: Element) -> Element:
    """HTML knows SVG without them."""
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        node.attrib = {name.rpartition("}")[2]: value for name, value in node.attrib.items()}
    return root


def _drop_what_is_for_files(root: Element) -> None:
    """Metadata, and a style sheet that would style the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style"):
                parent.remove(child)


def _mark_themes(root: Element) -> None:
    """A link to `dc-light` or `dc-dark` is no link but a group of that class."""
    for node in root.iter("a"):
        if node.get("href") in THEMES:
            node.tag, node.attrib = "g", {"class": node.get("href")}


def _own_ids(root: Element) -> None:
    """All ids begin with a digest of the content: figures on one page then never refer to each
    other's parts.
    """
    slug = "f" + hashlib.sha256(ElementTree.tostring(root)).hexdigest()[:8]
    for node in root.iter():
        for name, value in node.attrib.items():
            if name == "id":
                node.set(name, f"{slug}-{value}")
            elif name == "href" and value.startswith("#"):
                node.set(name, f"#{slug}-{value[1:]}")
            else:
                node.set(name, value.replace("url(#", f"url(#{slug}-"))


def _small_hatches(root: Element) -> None:
    """An expert's hatch becomes the book's small tile: matplotlib writes up to 60 kB for one."""
    colours = [colour.light for colour in style.EXPERTS]
    for pattern in root.iter("pattern"):
        fills = [node.get("fill", "").lower() for node in pattern.iter() if node.get("fill")]
        expert = next((colours.index(fill) for fill in fills if fill in colours), None)
        if expert is None:
            continue
        path, width = style.HATCH_TILES[expert]
        stroke = f"fill:none;stroke:{style.ZERO.light};stroke-width:{width};stroke-linecap:round"
        name = pattern.get("id")
        pattern.clear()
        pattern.attrib = {"id": name, "width": "6", "height": "6"}
        pattern.attrib |= {"patternUnits": "userSpaceOnUse", "viewBox": "0 0 8 8"}
        ground = {"width": "8", "height": "8", "style": f"fill:{colours[expert]}"}
        ElementTree.SubElement(pattern, "rect", ground)
        ElementTree.SubElement(pattern, "path", {"d": path, "style": stroke})


def _page_font(root: Element) -> None:
    """Sizes stay, families go."""
    for node in root.iter():
        _restyle(node, _without_family)


def _without_family(name: str, value: str) -> tuple[str, str] | None:
    if name == "font-family":
        return None
    if name == "font" and (size := re.search(r"[\d.]+px", value)):  # matplotlib before 3.10
        return "font-size", size[0]
    return name, value


def _page_colours(root: Element) -> None:
    """The light form of each colour of the palette becomes its variable."""
    names = {colour.light: name for name, colour in style.css_variables().items()}
    names[NO_COLOUR] = "--dc-ink"

    def variable(match) -> str:
        colour = match[0].lower()
        if colour not in names:
            return colour
        fallback = "currentColor" if names[colour] == "--dc-ink" else colour
        return f"var({names[colour]},{fallback})"

    for node in root.iter():
        fill = node.attrib.pop("fill", None)  # as an attribute it could hold no variable
        if fill is not None:
            node.set("style", f"fill: {fill}; {node.get('style', '')}".rstrip("; "))
        _restyle(node, lambda name, value: (name, _HEX.sub(variable, value)))


def _restyle(node: Element, rule: Callable[[str, str], tuple[str, str] | None]) -> None:
    """Each declaration of the node's style becomes what the rule makes of it, or goes."""
    text = node.get("style")
    if text is None:
        return
    declarations = (part.partition(":") for part in text.split(";") if part.strip())
    kept = [rule(name.strip(), value.strip()) for name, _, value in declarations]
    node.set("style", "; ".join(f"{name}: {value}" for name, value in filter(None, kept)))
