"""The same small picture several times, side by side: curves of many layers, kernels of many
conditions; from plain arrays, nothing is computed here.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..checks import as_array
from . import style
from .maps import frame, limit_of, signed_image
from .matplotlib_style import BASELINE, BOOK_STYLE, INK, WIDTH
from .page import Page


@matplotlib.rc_context(BOOK_STYLE)
def small_curves(
    groups: dict[str, dict], xlabel: str, ylabel: str, baseline: str | None = None, columns: int = 3
) -> Figure:
    """A small axis for each group, all with the same scales, its name above it; one key for all.

    Args:
        groups: {title: {name: (x, y)}}, the same names in each.
        baseline: the name of the grey lines; the others are ink, told apart by their marks.
    """
    names = list(next(iter(groups.values()), {}))
    if not names or any(list(lines) != names for lines in groups.values()):
        raise ValueError(
            "groups must be {title: {name: (x, y)}} with the same names, at least one, in each, got"
            f" { ({title: list(lines) for title, lines in groups.items()}) }"
        )
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(WIDTH, 1.45 * rows + 0.75))
    axes = np.ravel(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False))
    for ax, (title, lines) in zip(axes, groups.items()):
        marks = iter("osD^v")
        for name, (x, y) in lines.items():
            x, y = as_array(f"x of {name!r}", x, 1), as_array(f"y of {name!r}", y, 1)
            colour = BASELINE if name == baseline else INK
            dash, mark = ((0, (3, 2)), "") if name == baseline else ("-", next(marks))
            ax.plot(x, y, color=colour, linestyle=dash, marker=mark, markersize=4, label=name)
        ax.set_title(title)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
    axes[0].set_ylim(0, None)
    for ax in axes[len(groups) :]:
        ax.axis("off")
    figure.supxlabel(xlabel, fontsize=11.5)
    figure.supylabel(ylabel, fontsize=11.5)
    key = axes[0].get_legend_handles_labels()
    figure.legend(*key, loc="outside upper right", ncols=len(names), borderpad=0)
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def signed_rows(rows: dict[str, list], titles: list[str]) -> Figure:
    """Rows of signed maps, say kernels, each with its name, and at its end a scale of its own.

    Args:
        rows: {name: maps}, a map (h, w) for each title.
        titles: above the columns.
    """
    rows = {name: as_array(f"maps of {name!r}", maps, 3) for name, maps in rows.items()}
    if not rows or any(len(maps) != len(titles) for maps in rows.values()):
        raise ValueError(
            f"rows must have one map per title ({len(titles)}), got"
            f" { ({name: len(maps) for name, maps in rows.items()}) }"
        )
    gap, key, numbers = 0.14, 0.14, 0.62
    side = (WIDTH - 0.1 - key - numbers - gap * len(titles)) / len(titles)
    page = Page(0.3 + len(rows) * (side + 0.42))
    for c, title in enumerate(titles):
        page.text(0.05 + c * (side + gap) + side / 2, 0.14, title)
    for r, (name, maps) in enumerate(rows.items()):
        top, limit = 0.3 + r * (side + 0.42), limit_of(maps)
        page.text(0.05, top + 0.14, name, ha="left")
        top += 0.3
        for c, picture in enumerate(maps):
            ax = page.axes(0.05 + c * (side + gap), top, side, side)
            signed_image(ax, picture, limit)
            frame(ax, None)
        left = 0.05 + len(titles) * (side + gap)
        ax = page.axes(left, top, key, side)
        signed_image(ax, np.linspace(limit, -limit, 33)[:, None], limit)
        frame(ax, None)
        ax.set_aspect("auto")
        digits = max(0, 1 - int(np.floor(np.log10(limit))))  # two that count
        for share, value in ((0.06, limit), (0.5, 0), (0.94, -limit)):
            text = style.number(value, digits) if value else "0"
            page.text(left + key + 0.07, top + share * side, text, size=10.5, ha="left")
    return page.figure
