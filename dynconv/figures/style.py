"""The book's colours, hatches and marks: one table for matplotlib and for the figures to touch.

Expert i has one colour, one hatch and one name everywhere. Each colour has a light and a dark form;
both pass 4.5:1 contrast against their page, so that they serve for text too, and the order keeps
neighbours apart for the common forms of colour blindness.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..lab import scenes


class Colour(NamedTuple):
    """One colour in its form for light pages and its form for dark pages (CSS hex)."""

    light: str
    dark: str


EXPERTS = (
    Colour("#0072b2", "#56b4e9"),  # blue
    Colour("#b05e00", "#f0b23c"),  # orange
    Colour("#00795a", "#34c79a"),  # green
    Colour("#a63d7f", "#e79ac6"),  # magenta
    Colour("#5e4fa2", "#a99be8"),  # violet
    Colour("#7a6200", "#d9c05b"),  # olive
    Colour("#9c3b10", "#f08a5d"),  # rust
    Colour("#00707c", "#5ed0db"),  # teal
)
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo", "---")  # matplotlib's names
# The same hatches for SVG and CSS, as (path, stroke width) in a tile of 8 × 8: matplotlib writes up
# to 60 kB for one of its own.
HATCH_TILES = (
    ("", 0),
    ("M-2 2 2-2M0 8 8 0M6 10 10 6", 1.3),
    ("M2 2h.01M6 6h.01", 2.2),
    ("M0 0 8 8M0 8 8 0", 1.1),
    ("M-2 6 2 10M0 0 8 8M6-2 10 2", 1.3),
    ("M0 4h8M4 0v8", 1.1),
    ("M4 2a2 2 0 1 0 .01 0", 1.1),
    ("M0 2h8M0 6h8", 1.3),
)

# Kinds of layers or models that are trained several times; a figure of them shows no experts.
VARIANTS = tuple(EXPERTS[i] for i in (4, 6, 7, 5))

BASELINE = Colour("#6b6b6b", "#a6a6a6")  # a static convolution is grey in every comparison
INK = Colour("#1f2328", "#e6e6e6")  # text, axes
FAINT = Colour("#d0d4da", "#4a4f57")  # grid lines, empty tracks
NEGATIVE = Colour("#2166ac", "#6ab0f3")  # diverging palette, centred at zero
ZERO = Colour("#f7f7f7", "#24272c")
POSITIVE = Colour("#b2182b", "#f4777f")

# The four lights, in the order of the laboratory: a mark and a neutral tint each, never an expert's
# colour. A light without a mark fails here.
_MARKS = ("○", "●", "◐", "▦")
_TINTS = (
    Colour("#b8b8b8", "#d8d8d8"),
    Colour("#3f3f3f", "#707070"),
    Colour("#8f8f8f", "#a8a8a8"),
    Colour("#6f6f6f", "#8c8c8c"),
)
LIGHTS = dict(zip(scenes.LIGHTS, zip(_MARKS, _TINTS, strict=True), strict=True))


def expert_name(index: int) -> str:
    """Name of expert `index`: counted from 0 in code and from 1 in the text, so index 0 is 'expert
    1'.
    """
    return f"expert {index + 1}"


def number(value: float, digits: int = 2) -> str:
    """Fixed digits and a true minus; what rounds to zero has no sign."""
    text = f"{float(value):,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def readable_on(colour) -> str:
    """The colour of text on a coloured ground (red, green, blue from 0 to 1): black or white,
    whichever stands out more, 4.5:1 or better.
    """
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (
        "#010101" if luminance > 0.179 else "#ffffff"
    )  # plain black stands for 'no colour given' in svg.py


def css_variables() -> dict[str, Colour]:
    """Every colour of the book under the CSS name that figures use for it, e.g. `--dc-expert-1`."""
    names = {f"--dc-expert-{i + 1}": colour for i, colour in enumerate(EXPERTS)}
    names |= {f"--dc-{name}": tint for name, (_, tint) in LIGHTS.items()}
    return names | {
        "--dc-baseline": BASELINE,
        "--dc-ink": INK,
        "--dc-faint": FAINT,
        "--dc-negative": NEGATIVE,
        "--dc-zero": ZERO,
        "--dc-positive": POSITIVE,
    }


# What each host writes on its page when it is dark: the built site, JupyterLab, Colab, VS Code.
_DARK_PAGES = (
    "html[data-theme=dark]",
    "body[data-jp-theme-light=false]",
    "html[theme=dark]",
    "body.vscode-dark",
)


def on_dark_pages(selector: str) -> str:
    """A CSS selector for `selector` on a dark page of any host."""
    return ",".join(f"{page} {selector}" for page in _DARK_PAGES)


def theme_css(used_in: str | None = None) -> str:
    """CSS rules that give every `.dc-figure` its colours, light and dark; only those named in the
    text `used_in`.
    """
    colours = {
        name: colour
        for name, colour in css_variables().items()
        if used_in is None or re.search(rf"{name}\b(?!-)", used_in)
    }
    light = ";".join(f"{name}:{colour.light}" for name, colour in colours.items())
    dark = ";".join(f"{name}:{colour.dark}" for name, colour in colours.items())
    return (
        f".dc-figure{{{light}}}\n"
        f"{on_dark_pages('.dc-figure')}{{{dark}}}\n"
        # The site's theme puts HTML outputs of a dark page on a pale box; these figures are at home
        # on the dark page.
        "html[data-theme=dark] .bd-content div.cell_output .text_html:has(.dc-figure.dc-figure)"
        "{background:none;color:inherit;padding:0}"
    )
