"""How figures of the book look in matplotlib: sizes, spines and colours."""

from __future__ import annotations

import matplotlib

from . import style

WIDTH = 5.4  # inches; 518 px on a desktop, 0.69 of that on a phone, where 11.5 pt is still 10.5 px
INK, FAINT, ZERO, BASELINE = (
    colour.light for colour in (style.INK, style.FAINT, style.ZERO, style.BASELINE)
)

BOOK_STYLE = {
    "font.family": "sans-serif",
    "font.size": 11.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "normal",
    "axes.labelsize": 11.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "figure.figsize": (WIDTH, 3.2),
    "figure.constrained_layout.use": True,
    # A figure that `plots.show` puts into the page has no ground of its own. A reader's own plot is
    # a picture, and keeps its white paper on a dark page.
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "savefig.facecolor": "auto",
    "legend.framealpha": 0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": BASELINE,
    "xtick.color": BASELINE,
    "ytick.color": BASELINE,
    "grid.color": FAINT,
    "axes.linewidth": 0.8,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2.0,
    "image.interpolation": "none",
    "image.composite_image": False,  # one crisp pixel per value
}


def use_book_style() -> None:
    """Give matplotlib the book's sizes, spines and colours, for figures that a chapter draws
    itself.
    """
    matplotlib.rcParams.update(BOOK_STYLE)
