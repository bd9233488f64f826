"""Static figures in the book's one visual language, from plain arrays; nothing is computed here.

Draw with the light form of a colour; `show` writes the figure into the page such that it follows the theme (see `svg.py`).
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator, NullLocator

from . import style
from .arrays import as_alpha, as_array
from .svg import show as show
from .svg import to_html as to_html

WIDTH = 5.4  # inches; 518 px on a desktop, 0.69 of that on a phone, where 11.5 pt is still 10.5 px
INK, FAINT, ZERO, BASELINE = (colour.light for colour in (style.INK, style.FAINT, style.ZERO, style.BASELINE))
SUBSCRIPTS = "₁₂₃₄₅₆₇₈"

_BOOK_STYLE = {
    "font.family": "sans-serif", "font.size": 11.5, "axes.titlesize": 11.5, "axes.titleweight": "normal",
    "axes.labelsize": 11.5, "xtick.labelsize": 10.5, "ytick.labelsize": 10.5, "legend.fontsize": 10.5,
    "figure.figsize": (WIDTH, 3.2), "figure.constrained_layout.use": True,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.framealpha": 0,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.edgecolor": BASELINE, "xtick.color": BASELINE, "ytick.color": BASELINE, "grid.color": FAINT,
    "axes.linewidth": 0.8, "xtick.major.width": 0.8, "ytick.major.width": 0.8, "grid.linewidth": 0.8, "hatch.linewidth": 1.0,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2.0,
    "image.interpolation": "none", "image.composite_image": False,  # one crisp pixel per value
}  # fmt: skip


def use_book_style() -> None:
    """Give matplotlib the book's sizes, spines and colours, for figures that a chapter draws itself."""
    matplotlib.rcParams.update(_BOOK_STYLE)


# --- the book's drawings ---------------------------------------------------------------------------------------------


def image(ax, array, title: str | None = None) -> None:
    """A grey image, 0 black to 1 white; it looks the same on every page."""
    ax.imshow(as_array("array", array, 2), cmap="gray", vmin=0, vmax=1, interpolation="none")
    _frame(ax, title)


def response(ax, array, limit: float, title: str | None = None) -> None:
    """A signed map, diverging around 0; values beyond ±limit take the colour of the limit."""
    _signed_image(ax, as_array("array", array, 2), limit)
    _frame(ax, title)


def kernel_heatmap(ax, kernel, limit: float, title: str | None = None) -> None:
    """A kernel as a heat map, diverging around 0. Give every kernel of one figure the same limit."""
    kernel = as_array("kernel", kernel, 2)
    _signed_image(ax, kernel, limit)
    _frame(ax, title)
    height, width = kernel.shape
    cell = ax.get_position().width * ax.figure.get_figwidth() * 72 / width  # points
    if max(height, width) > 3 or cell < 23:  # no room for readable values
        return
    for theme in ("light", "dark"):
        grounds = _signed_colours(kernel, limit, theme)
        for (row, column), value in np.ndenumerate(kernel):
            ax.text(
                column, row, number(value, 1 if cell < 30 else 2), color=style.readable_on(grounds[row, column]),
                ha="center", va="center_baseline", fontsize=10.5 if cell < 30 else 11,
            ).set_url(f"dc-{theme}")  # fmt: skip


def alpha_bars(ax, alpha, names: list[str] | None = None) -> None:
    """α as one bar per expert, in the expert's colour and hatch, on an axis from 0 to 1."""
    alpha = as_alpha(alpha)
    names = names or [style.expert_name(i) for i in range(len(alpha))]
    if len(names) != len(alpha):
        raise ValueError(f"names must have one entry per expert ({len(alpha)}), got {len(names)}")
    for i, value in enumerate(alpha):
        ax.barh(i, 1, height=0.62, facecolor=FAINT, alpha=0.45, linewidth=0)  # the track: 0 to 1
        ax.barh(i, value, height=0.62, **_expert_fill(i))
        ax.text(1.03, i, number(value), va="center_baseline", ha="left")
    ax.set(xlim=(0, 1), ylim=(len(alpha) - 0.5, -0.5), xticks=[0, 0.5, 1], yticks=range(len(alpha)))
    ax.set_xticklabels(["0", "0.5", "1"])
    ax.set_yticklabels(names, color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


@matplotlib.rc_context(_BOOK_STYLE)
def experts_row(experts, alpha, mixed) -> Figure:
    """The sum as one line: α₁·W₁ + … + α_M·W_M = mixed kernel, all kernels with the same limits."""
    experts, mixed = as_array("experts", experts, 3), as_array("mixed", mixed, 2)
    alpha = as_alpha(alpha, len(experts))
    limit = _limit(experts)
    side = _Page.side(len(experts) + 1)
    page = _Page(side + 0.85)
    for i, x in enumerate(page.columns(len(experts) + 1, side)):
        last = i == len(experts)
        ax = page.axes(x, 0.3, side, side)
        if not last:
            kernel_heatmap(ax, experts[i], limit)
            page.expert(x, side, i, alpha[i], top=0.3)
        else:
            kernel_heatmap(ax, mixed, limit)
            page.text(x + side / 2, 0.14, "Σ αᵢWᵢ")
        if i:
            page.text(x - (page.gap / 2), 0.3 + side / 2, "=" if last else "+", size=14)
    return page.figure


@matplotlib.rc_context(_BOOK_STYLE)
def mixing(x, experts, alpha, mixed, y) -> Figure:
    """The whole story: M experts flow, each as strongly as its α, into one kernel; X convolved once with it is Y."""
    x, mixed, y = as_array("x", x, 2), as_array("mixed", mixed, 2), as_array("y", y, 2)
    experts = as_array("experts", experts, 3)
    alpha = as_alpha(alpha, len(experts))
    limit = _limit(experts)
    side, picture, kernel = min(_Page.side(len(experts)), 1.14), 1.62, 1.2
    top = 0.28
    flow = top + side + 0.52  # where the flows start
    below = flow + 0.75
    page = _Page(below + picture + 0.3)
    centre = WIDTH / 2
    middle = below + picture / 2
    landing = middle - kernel / 2
    for i, left in enumerate(page.columns(len(experts), side)):
        kernel_heatmap(page.axes(left, top, side, side), experts[i], limit)
        page.expert(left, side, i, alpha[i], top)
        page.flow(i, (left + side / 2, flow), (centre + (i - (len(experts) - 1) / 2) * 0.16, landing - 0.06), alpha[i])
    image(page.axes(0.05, below, picture, picture), x)
    kernel_heatmap(page.axes(centre - kernel / 2, landing, kernel, kernel), mixed, limit)
    response(page.axes(WIDTH - 0.05 - picture, below, picture, picture), y, _limit(y))
    inner = (picture + 0.05 + centre - kernel / 2) / 2  # half-way between X and the kernel
    page.text(inner, middle, "∗", size=17)
    page.text(WIDTH - inner, middle, "=", size=17)
    for at, name in ((0.05 + picture / 2, "X"), (WIDTH - 0.05 - picture / 2, "Y")):
        page.text(at, below + picture + 0.15, name)
    page.text(centre, landing + kernel + 0.15, "Σ αᵢWᵢ")
    return page.figure


@matplotlib.rc_context(_BOOK_STYLE)
def curves(series: dict, xlabel: str, ylabel: str, baseline: str | None = "baseline", height: float = 3.2) -> Figure:
    """Lines with their names at their ends. `series` maps a name to (x, y); y of shape (runs, points) adds the spread of the runs.

    The line called `baseline` is grey; 'expert 1', ... take their expert's colour; others are ink, told apart by their dashes.
    """
    if not series:
        raise ValueError("series must hold at least one name: (x, y), got none")
    figure = Figure(figsize=(WIDTH, height))
    ax = figure.add_subplot()
    experts = {style.expert_name(i): colour.light for i, colour in enumerate(style.EXPERTS)}
    dashes = iter(["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5))] * 2)
    ends = []
    for name, (x, y) in series.items():
        x, y = as_array(f"x of {name!r}", x, 1), np.atleast_2d(as_array(f"y of {name!r}", y, None))
        if y.shape[1] != len(x):
            raise ValueError(f"y of {name!r} must have one value per x ({len(x)}), got {y.shape[1]}")
        colour = BASELINE if name == baseline else experts.get(name, INK)
        ax.plot(x, y.mean(0), color=colour, linestyle="-" if colour != INK else next(dashes))
        if len(y) > 1:
            ax.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.15, linewidth=0)
        ends.append((float(y[:, -1].mean()), float(x[-1]), name, colour))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if all(float(x[-1]).is_integer() for x, _ in series.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    # Names keep one line height of distance, in the order of their lines' ends.
    low, high = ax.get_ylim()
    line = (high - low) * 0.2 / (height - 0.9)
    places = _apart(np.array([end[0] for end in ends]), line, low, high)
    for place, (value, x, name, colour) in zip(places, ends):
        ax.annotate(
            name, (x, value), (10, (place - value) / (high - low) * (height - 0.9) * 72), color=colour, va="center",
            xycoords="data", textcoords="offset points", annotation_clip=False,
        )  # fmt: skip
    return figure


@matplotlib.rc_context(_BOOK_STYLE)
def bars(values: dict[str, float], xlabel: str = "", baseline: str | None = "baseline", digits: int = 2, unit: str = "×") -> Figure:
    """One horizontal bar per name with its number at its end; the bar called `baseline` is grey and sets a grey line."""
    if not values:
        raise ValueError("values must hold at least one name: number, got none")
    figure = Figure(figsize=(WIDTH, 0.36 * len(values) + (0.65 if xlabel else 0.4)))
    ax = figure.add_subplot()
    for i, (name, value) in enumerate(values.items()):
        ax.barh(i, value, height=0.5, facecolor=BASELINE if name == baseline else INK, linewidth=0)
        ax.annotate(f"{number(value, digits if value >= 0.01 else 4)}{unit}", (max(value, 0), i), (6, 0), textcoords="offset points", va="center_baseline")
    if baseline in values:
        ax.axvline(values[baseline], color=BASELINE, linewidth=1, linestyle=(0, (3, 2)), zorder=0)
    ax.set(ylim=(len(values) - 0.5, -0.5), xlabel=xlabel, yticks=range(len(values)), xlim=(0, max(*values.values(), 0) * 1.16))
    ax.set_yticklabels(list(values), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return figure


@matplotlib.rc_context(_BOOK_STYLE)
def intervals(groups: dict[str, dict], xlabel: str, baseline: str | None = "baseline") -> Figure:
    """One row per name: a dot for each run and a bar for an interval; the rows of each group have an axis of their own.

    Args:
        groups: {title: {name: (values, low, high)}}.
    """
    if not groups or not all(groups.values()):
        raise ValueError("groups must hold at least one {title: {name: (values, low, high)}}")
    rows = [len(group) for group in groups.values()]
    figure = Figure(figsize=(WIDTH, 0.42 * sum(rows) + 0.75 * len(rows)))
    for ax, (title, group) in zip(np.ravel(figure.subplots(len(rows), height_ratios=rows)), groups.items()):
        for i, (name, (values, low, high)) in enumerate(group.items()):
            colour = BASELINE if name == baseline else INK
            ax.plot([low, high], [i, i], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt")
            ax.plot([np.mean(values)] * 2, [i - 0.22, i + 0.22], color=colour)
            ax.plot(values, [i] * len(values), "o", color=colour, markersize=5, fillstyle="none", markeredgewidth=1.2)
        ax.set(ylim=(len(group) - 0.5, -0.5), yticks=range(len(group)), title=title)
        ax.set_yticklabels(list(group), color=INK)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.spines["left"].set_visible(False)
    ax.set_xlabel(xlabel)
    return figure


@matplotlib.rc_context(_BOOK_STYLE)
def detections(images, boxes, titles: list[str], columns: int = 4) -> Figure:
    """Grey images with the boxes of their objects.

    Args:
        images: of one size, 0 black to 1 white, (count, H, W).
        boxes: for each image (objects, 4): centre x, y, width, height as parts of its side.
        titles: one for each image.
    """
    images = as_array("images", images, 3)
    if not len(images) == len(boxes) == len(titles):
        raise ValueError(f"images, boxes and titles must be equally many, got {len(images)}, {len(boxes)}, {len(titles)}")
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(WIDTH, rows * (WIDTH / columns + 0.22)))
    for ax in (axes := np.ravel(figure.subplots(rows, columns))):
        ax.axis("off")
    for ax, picture, found, title in zip(axes, images, boxes, titles):
        ax.axis("on")
        image(ax, picture, title)
        for x, y, width, height in np.asarray(found) * picture.shape[0]:
            corner = (x - width / 2 - 0.5, y - height / 2 - 0.5)
            ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=style.POSITIVE.light, linewidth=1.4))
    return figure


@matplotlib.rc_context(_BOOK_STYLE)
def alpha_grid(mean, spread, rows: list[str], columns: list[str]) -> Figure:
    """α of many layers under many conditions: in each cell a bar per expert, 0 to 1, with a line from mean − spread to mean + spread.

    `mean` and `spread` have shape (rows, columns, experts).
    """
    mean, spread = as_array("mean", mean, 3), as_array("spread", spread, 3)
    if mean.shape != spread.shape or mean.shape[:2] != (len(rows), len(columns)):
        raise ValueError(f"mean and spread must have shape ({len(rows)}, {len(columns)}, experts), got {mean.shape} and {spread.shape}")
    experts = len(as_alpha(mean[0, 0]))
    left, gap, height = 0.95, 0.16, 0.145 * experts
    width = (WIDTH - left - 0.1 - gap * (len(columns) - 1)) / len(columns)
    page = _Page(0.35 + len(rows) * (height + 0.14) + 0.25)
    for r, row in enumerate(rows):
        top = 0.35 + r * (height + 0.14)
        page.text(left - 0.12, top + height / 2, row, ha="right")
        for c, column in enumerate(columns):
            x = left + c * (width + gap)
            ax = page.axes(x, top, width, height)
            ax.barh((experts - 1) / 2, 1, height=experts, facecolor=FAINT, alpha=0.45, linewidth=0)
            for i, (value, deviation) in enumerate(zip(mean[r, c], spread[r, c])):
                ax.barh(i, value, height=0.8, **_expert_fill(i))
                ax.plot([value - deviation, value + deviation], [i, i], color=INK, linewidth=1.6, solid_capstyle="butt")
            ax.set(xlim=(0, 1), ylim=(experts - 0.5, -0.5))
            ax.axis("off")
            if r == 0:
                page.text(x + width / 2, 0.16, column)
            if r == len(rows) - 1:
                for place, name, side in ((x, "0", "left"), (x + width, "1", "right")):
                    page.text(place, top + height + 0.14, name, size=10.5, ha=side)
    return page.figure


@matplotlib.rc_context(_BOOK_STYLE)
def strip(images, alpha, names: list[str], expert: int, columns: int = 6) -> Figure:
    """Images in a row, or in several, each with its name and the α of one expert below it as a bar from 0 to 1."""
    images, alpha = as_array("images", images, 3), as_array("alpha", alpha, 1)
    if not len(images) == len(alpha) == len(names):
        raise ValueError(f"images, alpha and names must have one entry per image, got {len(images)}, {len(alpha)} and {len(names)}")
    gap = 0.14
    side = (WIDTH - 0.1 - gap * (columns - 1)) / columns
    height = side + 0.62
    page = _Page(height * -(-len(images) // columns))
    for i, (picture, value, name) in enumerate(zip(images, alpha, names)):
        row, column = divmod(i, columns)
        left, top = 0.05 + column * (side + gap), row * height
        image(page.axes(left, top + 0.02, side, side), picture)
        bar = page.axes(left, top + side + 0.09, side, 0.13)
        bar.barh(0, 1, height=1, facecolor=FAINT, alpha=0.45, linewidth=0)
        bar.barh(0, value, height=1, **_expert_fill(expert))
        bar.set(xlim=(0, 1), ylim=(-0.5, 0.5))
        bar.axis("off")
        page.text(left + side / 2, top + side + 0.35, f"{name} {number(value)}")
    return page.figure


@matplotlib.rc_context(_BOOK_STYLE)
def matrix(values, rows: list[str], columns: list[str], xlabel: str = "", ylabel: str = "", limit: float = 1.0) -> Figure:
    """Numbers from 0 to `limit` as a grid of greys with the numbers in it; values beyond take the grey of the limit."""
    values = as_array("values", values, 2)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"values must have shape ({len(rows)}, {len(columns)}), rows and columns, got {values.shape}")
    figure = Figure(figsize=(WIDTH, 0.42 * len(rows) + 0.75))
    ax = figure.add_subplot()
    for theme in ("light", "dark"):
        zero, ink = (np.array(to_rgb(getattr(colour, theme))) for colour in (style.ZERO, style.INK))
        grounds = zero + np.clip(values / limit, 0, 1)[..., None] * 0.85 * (ink - zero)
        ax.imshow(grounds, interpolation="none", aspect="auto").set_url(f"dc-{theme}")
        for (row, column), value in np.ndenumerate(values):
            ax.text(
                column, row, number(value), color=style.readable_on(grounds[row, column]), ha="center", va="center_baseline"
            ).set_url(f"dc-{theme}")  # fmt: skip
    ax.set(xticks=range(len(columns)), yticks=range(len(rows)), xlabel=xlabel, ylabel=ylabel)
    ax.set_xticklabels(columns)
    ax.set_yticklabels(rows)
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure


@matplotlib.rc_context(_BOOK_STYLE)
def reading_places(images, pixels: list[tuple[int, int]], operators: dict) -> Figure:
    """Where operators read the images for a few output pixels: a column per operator, a row per image, a mark per place.

    The size of a mark is that of its weight, relative to the largest of its operator. Round marks weigh positively, square ones negatively.

    Args:
        images: grey, 0 black to 1 white, (N, H, W).
        pixels: (row, column) of each output pixel; a frame is drawn around it.
        operators: {name: (places, weights)}. places (N, len(pixels), P, 2) are (row, column) in pixels of the image, weights (N, len(pixels), P).
    """
    images = as_array("images", images, 3)
    if not operators:
        raise ValueError("operators must hold at least one name: (places, weights), got none")
    gap = 0.14
    side = (WIDTH - 0.1 - gap * (len(operators) - 1)) / max(len(operators), 3)
    page = _Page(0.3 + len(images) * (side + gap))
    for column, (name, (places, weights)) in enumerate(operators.items()):
        places, weights = as_array(f"places of {name!r}", places, 4), as_array(f"weights of {name!r}", weights, 3)
        expected = (len(images), len(pixels))
        if weights.shape[:2] != expected or places.shape != (*weights.shape, 2):
            raise ValueError(
                f"{name!r} must have places {(*expected, 'P', 2)} and weights {(*expected, 'P')}, images and pixels first, got {places.shape} and {weights.shape}"
            )
        limit, left = _limit(weights), 0.05 + column * (side + gap)
        page.text(left + side / 2, 0.14, name)
        for row, picture in enumerate(images):
            ax = page.axes(left, 0.3 + row * (side + gap), side, side)
            image(ax, picture)
            point = side * 72 / max(picture.shape)  # of the figure, per pixel of the image
            for r, c in pixels:
                for colour, width in ((ZERO, 2.6), (INK, 1.1)):  # seen on dark and on bright pixels
                    ax.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=width))
            for (r, c), weight in zip(places[row].reshape(-1, 2), weights[row].ravel()):
                colour = style.POSITIVE if weight >= 0 else style.NEGATIVE
                size = point * (0.25 + 0.5 * abs(weight) / limit)
                ax.plot(c, r, "o" if weight >= 0 else "s", color=colour.light, markersize=size, markeredgecolor=ZERO, markeredgewidth=0.6)
            ax.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
    return page.figure


@matplotlib.rc_context(_BOOK_STYLE)
def dots(rows: dict[str, dict[str, float]], xlabel: str, headings: dict[str, str] | None = None) -> Figure:
    """Ratios to a baseline on a logarithmic axis: a row per name, a mark per kind; the grey line is the baseline, 1.

    Args:
        rows: {name: {kind: ratio}}, the same two or three kinds in each row, all above 0.
        headings: {name: text}, a line of text above the row of that name.
    """
    kinds = list(next(iter(rows.values()), {}))
    values = [value for row in rows.values() for value in row.values()]
    if not 1 <= len(kinds) <= 3 or any(list(row) != kinds for row in rows.values()) or not all(np.isfinite(v) and v > 0 for v in values):
        raise ValueError(f"rows must be {{name: {{kind: ratio}}}} with the same one to three kinds and ratios above 0, got {rows}")
    headings = headings or {}
    if unknown := [name for name in headings if name not in rows]:
        raise ValueError(f"headings must be for names of rows, got {unknown[0]!r}")
    figure = Figure(figsize=(WIDTH, 0.27 * (len(rows) + len(headings)) + 1.05))
    ax = figure.add_subplot()
    ax.axvline(1, color=BASELINE, linewidth=1.4, zorder=1)
    marks = [dict(marker=marker, fillstyle=fill) for marker, fill in (("s", "full"), ("o", "none"), ("D", "none"))]
    ticks, line = {}, -1
    for name, row in rows.items():
        if name in headings:
            line += 1
            ax.text(-0.02, line, headings[name], transform=ax.get_yaxis_transform(), ha="right", va="center_baseline", weight="bold")
        line += 1
        ticks[line] = name
        ax.plot([min(*row.values(), 1), max(*row.values(), 1)], [line, line], color=FAINT, linewidth=1.2, zorder=0)
        for value, mark in zip(row.values(), marks):
            ax.plot(value, line, color=INK, linestyle="", markersize=6, markeredgewidth=1.3, **mark)
    low, high = min(*values, 1) / 1.12, max(*values, 1) * 1.12
    places = [place for place in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8) if low <= place <= high]
    ax.set(xscale="log", xlim=(low, high), ylim=(line + 0.6, -0.6), xlabel=xlabel, yticks=list(ticks), xticks=places)
    ax.set_xticklabels([f"{place:g}" for place in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticklabels(list(ticks.values()), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    key = [Line2D([], [], color=INK, linestyle="", markersize=6, markeredgewidth=1.3, label=kind, **mark) for kind, mark in zip(kinds, marks)]
    figure.legend(handles=key, loc="outside upper right", ncols=len(key), handletextpad=0.1, columnspacing=1.2, borderpad=0)
    return figure


# --- their parts -----------------------------------------------------------------------------------------------------


class _Page:
    """A figure laid out by hand in inches from the top left corner, as wide as the text."""

    gap = 0.24

    def __init__(self, height: float):
        self.width, self.height = WIDTH, height
        self.figure = Figure(figsize=(WIDTH, height), layout="none")

    @classmethod
    def side(cls, count: int) -> float:
        """The side of `count` squares in one row."""
        return (WIDTH - 0.1 - (count - 1) * cls.gap) / count

    @staticmethod
    def columns(count: int, side: float) -> list[float]:
        """The left edges of `count` squares over the whole width."""
        step = (WIDTH - 0.1 - side) / max(count - 1, 1)
        return [0.05 + i * step if count > 1 else (WIDTH - side) / 2 for i in range(count)]

    def axes(self, left, top, width, height):
        return self.figure.add_axes(
            (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        )

    def text(self, x, y, text, size=11.5, **how):
        how = {"ha": "center", "va": "center_baseline", "color": INK} | how
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=size, **how)

    def expert(self, left, side, i, alpha, top):
        """Name above the kernel, α below it: its number and its bar on a track from 0 to 1."""
        self.text(left + side / 2, top - 0.14, style.expert_name(i) if side > 0.75 else f"W{SUBSCRIPTS[i]}", color=style.EXPERTS[i].light)
        bar = self.axes(left, top + side + 0.08, side, 0.13)
        bar.barh(0, 1, height=1, facecolor=FAINT, alpha=0.45, linewidth=0)
        bar.barh(0, alpha, height=1, **_expert_fill(i))
        bar.set(xlim=(0, 1), ylim=(-0.5, 0.5))
        bar.axis("off")
        name = f"α{SUBSCRIPTS[i]} = " if side > 0.75 else ""
        self.text(left + side / 2, top + side + 0.36, name + number(alpha))

    def flow(self, i, start, end, alpha):
        """A curve from an expert down into the mixed kernel, as wide as its α."""
        (x0, y0), (x1, y1) = ((x / self.width, 1 - y / self.height) for x, y in (start, end))
        half = (y0 + y1) / 2
        path = Path([(x0, y0), (x0, half), (x1, half), (x1, y1)], [1, 4, 4, 4])
        for width, colour in ((1.0, FAINT), (9 * float(alpha), style.EXPERTS[i].light)):
            how = {"facecolor": "none", "edgecolor": colour, "linewidth": width, "capstyle": "butt"}
            self.figure.add_artist(PathPatch(path, transform=self.figure.transFigure, **how))


def number(value: float, digits: int = 2) -> str:
    """Fixed digits and a true minus; what rounds to zero has no sign."""
    text = f"{float(value):.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _expert_fill(i: int) -> dict:
    return {"facecolor": style.EXPERTS[i].light, "hatch": style.HATCHES[i], "edgecolor": ZERO, "linewidth": 0}


def _limit(array) -> float:
    return float(np.abs(array).max()) or 1.0


def _signed_image(ax, array, limit: float) -> None:
    """The map in its light and in its dark colours, one above the other; the page shows one of the two (see `svg.py`)."""
    if not limit > 0:
        raise ValueError(f"limit must be above 0: values are drawn between −limit and +limit, got {limit!r}")
    for theme in ("light", "dark"):
        # The url becomes a class in `svg.py`: of an image, matplotlib writes no other name into the SVG.
        ax.imshow(_signed_colours(array, limit, theme), interpolation="none").set_url(f"dc-{theme}")


def _signed_colours(array, limit: float, theme: str) -> np.ndarray:
    """The diverging palette of one theme, as red, green, blue from 0 to 1 in a last axis."""
    zero, negative, positive = (
        np.array(to_rgb(getattr(colour, theme))) for colour in (style.ZERO, style.NEGATIVE, style.POSITIVE)
    )
    strength = np.clip(np.abs(array) / limit, 0, 1)[..., None]
    return zero + strength * (np.where(array[..., None] < 0, negative, positive) - zero)


def _frame(ax, title: str | None) -> None:
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.8)
    if title:
        ax.set_title(title)


def _apart(places: np.ndarray, distance: float, low: float, high: float) -> np.ndarray:
    """Move label places so that neighbours are at least `distance` apart, in order, inside low..high where possible."""
    order = np.argsort(places)
    moved = places.astype(float).copy()
    for below, above in zip(order, order[1:]):
        moved[above] = max(moved[above], moved[below] + distance)
    overflow = max(0.0, moved[order[-1]] - high)
    moved[order[-1]] -= overflow
    for above, below in zip(order[::-1], order[-2::-1]):
        moved[below] = min(moved[below], moved[above] - distance)
    return moved
