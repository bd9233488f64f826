"""Charts of results: numbers of models, layers and runs side by side, from plain arrays; nothing is
computed here.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from ..checks import as_array
from . import style
from .matplotlib_style import BASELINE, BOOK_STYLE, FAINT, INK, WIDTH
from .style import number


@matplotlib.rc_context(BOOK_STYLE)
def curves(
    series: dict,
    xlabel: str,
    ylabel: str,
    baseline: str | None = "baseline",
    height: float = 3.2,
    key: bool = False,
) -> Figure:
    """Lines with their names at their ends, or, where these lie together, in a key with a sample of
    each. `series` maps a name to (x, y); y of shape (runs, points) adds the spread of the runs.

    The line called `baseline` is grey; 'expert 1', ... take their expert's colour; others are told
    apart by their dashes: ink, or with several runs a colour each, so that bands can overlap.
    """
    if not series:
        raise ValueError("series must hold at least one name: (x, y), got none")
    figure = Figure(figsize=(WIDTH, height))
    ax = figure.add_subplot()
    experts = {style.expert_name(i): colour.light for i, colour in enumerate(style.EXPERTS)}
    dashes = iter(["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5))] * 2)
    colours = iter(colour.light for colour in style.VARIANTS * 2)
    ends = []
    for name, (x, y) in series.items():
        x, y = as_array(f"x of {name!r}", x, 1), np.atleast_2d(as_array(f"y of {name!r}", y, None))
        if y.shape[1] != len(x):
            raise ValueError(
                f"y of {name!r} must have one value per x ({len(x)}), got {y.shape[1]}"
            )
        colour = BASELINE if name == baseline else experts.get(name)
        dash = "-" if colour else next(dashes)
        colour = colour or (next(colours) if len(y) > 1 else INK)
        ax.plot(x, y.mean(0), color=colour, linestyle=dash, label=name)
        if len(y) > 1:
            ax.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.2, linewidth=0.8)
        ends.append((float(y[:, -1].mean()), float(x[-1]), name, colour))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if all(float(x[-1]).is_integer() for x, _ in series.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    ax.margins(x=0.02)  # a name at the end of a line stands beyond the axis
    if key:
        ax.legend(handlelength=3.2)
        return figure
    # Names keep one line height of distance, in the order of their lines' ends.
    low, high = ax.get_ylim()
    line = (high - low) * 0.2 / (height - 0.9)
    places = _apart(np.array([end[0] for end in ends]), line, low, high)
    for place, (value, x, name, colour) in zip(places, ends):
        ax.annotate(
            name,
            (x, value),
            (10, (place - value) / (high - low) * (height - 0.9) * 72),
            color=colour,
            va="center",
            xycoords="data",
            textcoords="offset points",
            annotation_clip=False,
        )
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def bars(
    values: dict[str, float],
    xlabel: str = "",
    baseline: str | None = "baseline",
    digits: int = 2,
    unit: str = "×",
) -> Figure:
    """One horizontal bar per name with its number at its end, or beyond the grey line that the bar
    called `baseline` sets, where that would cross the number.
    """
    if not values:
        raise ValueError("values must hold at least one name: number, got none")
    longest, line = max(*values.values(), 0), values.get(baseline, 0)
    room = 0.2 * longest  # that a number takes
    figure = Figure(figsize=(WIDTH, 0.36 * len(values) + (0.65 if xlabel else 0.4)))
    ax = figure.add_subplot()
    for i, (name, value) in enumerate(values.items()):
        ax.barh(i, value, height=0.5, facecolor=BASELINE if name == baseline else INK, linewidth=0)
        ax.annotate(
            f"{number(value, digits if value >= 0.01 else 4)}{unit}",
            (line if line - room < value < line else max(value, 0), i),
            (6, 0),
            textcoords="offset points",
            va="center_baseline",
        )
    if baseline in values:
        ax.axvline(line, color=BASELINE, linewidth=1, linestyle=(0, (3, 2)), zorder=0)
    ax.set(
        ylim=(len(values) - 0.5, -0.5),
        xlabel=xlabel,
        yticks=range(len(values)),
        xlim=(0, longest * 1.16),
    )
    ax.set_yticklabels(list(values), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def intervals(groups: dict[str, dict], xlabel: str, baseline: str | None = "baseline") -> Figure:
    """One row per name: a dot for each run and a bar for an interval; the rows of each group have
    an axis of their own.

    Args:
        groups: {title: {name: (values, low, high)}}.
    """
    if not groups or not all(groups.values()):
        raise ValueError("groups must hold at least one {title: {name: (values, low, high)}}")
    rows = [len(group) for group in groups.values()]
    figure = Figure(figsize=(WIDTH, 0.42 * sum(rows) + 0.75 * len(rows)))
    for ax, (title, group) in zip(
        np.ravel(figure.subplots(len(rows), height_ratios=rows)), groups.items()
    ):
        for i, (name, (values, low, high)) in enumerate(group.items()):
            colour = BASELINE if name == baseline else INK
            ax.plot(
                [low, high], [i, i], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt"
            )
            ax.plot([np.mean(values)] * 2, [i - 0.22, i + 0.22], color=colour)
            ax.plot(
                values,
                [i] * len(values),
                "o",
                color=colour,
                markersize=5,
                fillstyle="none",
                markeredgewidth=1.2,
            )
        ax.set(ylim=(len(group) - 0.5, -0.5), yticks=range(len(group)), title=title)
        ax.set_yticklabels(list(group), color=INK)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.spines["left"].set_visible(False)
    ax.set_xlabel(xlabel)
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def matrix(
    values,
    rows: list[str],
    columns: list[str],
    xlabel: str = "",
    ylabel: str = "",
    limit: float = 1.0,
) -> Figure:
    """Numbers from 0 to `limit` as a grid of greys with the numbers in it; values beyond take the
    grey of the limit.
    """
    values = as_array("values", values, 2)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"values must have shape ({len(rows)}, {len(columns)}), rows and columns, got"
            f" {values.shape}"
        )
    figure = Figure(figsize=(WIDTH, 0.42 * len(rows) + 0.75))
    ax = figure.add_subplot()
    for theme in ("light", "dark"):
        zero, ink = (np.array(to_rgb(getattr(colour, theme))) for colour in (style.ZERO, style.INK))
        grounds = zero + np.clip(values / limit, 0, 1)[..., None] * 0.85 * (ink - zero)
        ax.imshow(grounds, interpolation="none", aspect="auto").set_url(f"dc-{theme}")
        for (row, column), value in np.ndenumerate(values):
            ax.text(
                column,
                row,
                number(value),
                color=style.readable_on(grounds[row, column]),
                ha="center",
                va="center_baseline",
            ).set_url(f"dc-{theme}")
    ax.set(xticks=range(len(columns)), yticks=range(len(rows)), xlabel=xlabel, ylabel=ylabel)
    ax.set_xticklabels(columns)
    ax.set_yticklabels(rows)
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def dots(
    rows: dict[str, dict[str, float]], xlabel: str, headings: dict[str, str] | None = None
) -> Figure:
    """Ratios to a baseline on a logarithmic axis: a row per name, a mark per kind, one below the
    other so that equal ratios do not cover each other; the grey line is the baseline, 1.

    Args:
        rows: {name: {kind: ratio}}, the same two or three kinds in each row, all above 0.
        headings: {name: text}, a line of text above the row of that name.
    """
    kinds = list(next(iter(rows.values()), {}))
    values = [value for row in rows.values() for value in row.values()]
    if (
        not 1 <= len(kinds) <= 3
        or any(list(row) != kinds for row in rows.values())
        or not all(np.isfinite(v) and v > 0 for v in values)
    ):
        raise ValueError(
            "rows must be {name: {kind: ratio}} with the same one to three kinds and ratios"
            f" above 0, got {rows}"
        )
    headings = headings or {}
    if unknown := [name for name in headings if name not in rows]:
        raise ValueError(f"headings must be for names of rows, got {unknown[0]!r}")
    figure = Figure(figsize=(WIDTH, 0.42 * (len(rows) + len(headings)) + 1.05))
    ax = figure.add_subplot()
    ax.axvline(1, color=BASELINE, linewidth=1.4, zorder=1)
    marks = [
        dict(marker=marker, fillstyle=fill)
        for marker, fill in (("s", "full"), ("o", "none"), ("D", "none"))
    ]
    ticks, line = {}, -1
    for name, row in rows.items():
        if name in headings:
            line += 1
            ax.text(
                -0.02,
                line,
                headings[name],
                transform=ax.get_yaxis_transform(),
                ha="right",
                va="center_baseline",
                weight="bold",
            )
        line += 1
        ticks[line] = name
        ax.plot(
            [min(*row.values(), 1), max(*row.values(), 1)],
            [line, line],
            color=FAINT,
            linewidth=1.2,
            zorder=0,
        )
        for i, (value, mark) in enumerate(zip(row.values(), marks)):
            place = line + 0.27 * (i - (len(row) - 1) / 2)
            ax.plot(
                value, place, color=INK, linestyle="", markersize=6, markeredgewidth=1.3, **mark
            )
    low, high = min(*values, 1) / 1.12, max(*values, 1) * 1.12
    places = [place for place in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8) if low <= place <= high]
    ax.set(
        xscale="log",
        xlim=(low, high),
        ylim=(line + 0.6, -0.6),
        xlabel=xlabel,
        yticks=list(ticks),
        xticks=places,
    )
    ax.set_xticklabels([f"{place:g}" for place in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticklabels(list(ticks.values()), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    key = [
        Line2D(
            [], [], color=INK, linestyle="", markersize=6, markeredgewidth=1.3, label=kind, **mark
        )
        for kind, mark in zip(kinds, marks)
    ]
    figure.legend(
        handles=key,
        loc="outside upper right",
        ncols=len(key),
        handletextpad=0.1,
        columnspacing=1.2,
        borderpad=0,
    )
    return figure


def _apart(places: np.ndarray, distance: float, low: float, high: float) -> np.ndarray:
    """Move label places so that neighbours are at least `distance` apart, in order, inside
    low..high where possible.
    """
    order = np.argsort(places)
    moved = places.astype(float).copy()
    for below, above in zip(order, order[1:]):
        moved[above] = max(moved[above], moved[below] + distance)
    overflow = max(0.0, moved[order[-1]] - high)
    moved[order[-1]] -= overflow
    for above, below in zip(order[::-1], order[-2::-1]):
        moved[below] = min(moved[below], moved[above] - distance)
    return moved
