"""Static figures in the book's one visual language, from plain arrays; nothing is computed here.

Here are the pictures of images, kernels and α; charts of results come from `charts.py`. Draw with
the light form of a colour; `show` writes the figure into the page such that it follows the theme
(see `svg.py`).
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from ..checks import as_array
from . import style
from .arrays import as_alpha
from .charts import bars as bars
from .charts import curves as curves
from .charts import dots as dots
from .charts import intervals as intervals
from .charts import matrix as matrix
from .matplotlib_style import BASELINE as BASELINE
from .matplotlib_style import BOOK_STYLE, FAINT, INK, WIDTH, ZERO, number
from .matplotlib_style import use_book_style as use_book_style
from .svg import show as show
from .svg import to_html as to_html

SUBSCRIPTS = "₁₂₃₄₅₆₇₈"


# --- the book's drawings --------------------------------------------------------------------------


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
                column,
                row,
                number(value, 1 if cell < 30 else 2),
                color=style.readable_on(grounds[row, column]),
                ha="center",
                va="center_baseline",
                fontsize=10.5 if cell < 30 else 11,
            ).set_url(f"dc-{theme}")


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


@matplotlib.rc_context(BOOK_STYLE)
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


@matplotlib.rc_context(BOOK_STYLE)
def mixing(x, experts, alpha, mixed, y) -> Figure:
    """The whole story: M experts flow, each as strongly as its α, into one kernel; X convolved once
    with it is Y.
    """
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
        page.flow(
            i,
            (left + side / 2, flow),
            (centre + (i - (len(experts) - 1) / 2) * 0.16, landing - 0.06),
            alpha[i],
        )
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


@matplotlib.rc_context(BOOK_STYLE)
def detections(images, boxes, titles: list[str], columns: int = 4) -> Figure:
    """Grey images with the boxes of their objects.

    Args:
        images: of one size, 0 black to 1 white, (count, H, W).
        boxes: for each image (objects, 4): centre x, y, width, height as parts of its side.
        titles: one for each image.
    """
    images = as_array("images", images, 3)
    if not len(images) == len(boxes) == len(titles):
        raise ValueError(
            f"images, boxes and titles must be equally many, got {len(images)}, {len(boxes)},"
            f" {len(titles)}"
        )
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(WIDTH, rows * (WIDTH / columns + 0.22)))
    for ax in (axes := np.ravel(figure.subplots(rows, columns))):
        ax.axis("off")
    for ax, picture, found, title in zip(axes, images, boxes, titles):
        ax.axis("on")
        image(ax, picture, title)
        for x, y, width, height in np.asarray(found) * picture.shape[0]:
            corner = (x - width / 2 - 0.5, y - height / 2 - 0.5)
            ax.add_patch(
                Rectangle(
                    corner, width, height, fill=False, edgecolor=style.POSITIVE.light, linewidth=1.4
                )
            )
    return figure


@matplotlib.rc_context(BOOK_STYLE)
def alpha_grid(mean, spread, rows: list[str], columns: list[str]) -> Figure:
    """α of many layers under many conditions: in each cell a bar per expert, 0 to 1, with a line
    from mean − spread to mean + spread.

    `mean` and `spread` have shape (rows, columns, experts).
    """
    mean, spread = as_array("mean", mean, 3), as_array("spread", spread, 3)
    if mean.shape != spread.shape or mean.shape[:2] != (len(rows), len(columns)):
        raise ValueError(
            f"mean and spread must have shape ({len(rows)}, {len(columns)}, experts), got"
            f" {mean.shape} and {spread.shape}"
        )
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
                ax.plot(
                    [value - deviation, value + deviation],
                    [i, i],
                    color=INK,
                    linewidth=1.6,
                    solid_capstyle="butt",
                )
            ax.set(xlim=(0, 1), ylim=(experts - 0.5, -0.5))
            ax.axis("off")
            if r == 0:
                page.text(x + width / 2, 0.16, column)
            if r == len(rows) - 1:
                for place, name, side in ((x, "0", "left"), (x + width, "1", "right")):
                    page.text(place, top + height + 0.14, name, size=10.5, ha=side)
    return page.figure


@matplotlib.rc_context(BOOK_STYLE)
def strip(images, alpha, names: list[str], expert: int, columns: int = 6) -> Figure:
    """Images in a row, or in several, each with its name and the α of one expert below it as a bar
    from 0 to 1.
    """
    images, alpha = as_array("images", images, 3), as_array("alpha", alpha, 1)
    if not len(images) == len(alpha) == len(names):
        raise ValueError(
            f"images, alpha and names must have one entry per image, got {len(images)},"
            f" {len(alpha)} and {len(names)}"
        )
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


@matplotlib.rc_context(BOOK_STYLE)
def reading_places(images, pixels: list[tuple[int, int]], operators: dict) -> Figure:
    """Where operators read the images for a few output pixels: a column per operator, a row per
    image, a mark per place.

    The size of a mark is that of its weight, relative to the largest of its operator. Round marks
    weigh positively, square ones negatively.

    Args:
        images: grey, 0 black to 1 white, (N, H, W).
        pixels: (row, column) of each output pixel; a frame is drawn around it.
        operators: {name: (places, weights)}. places (N, len(pixels), P, 2) are (row, column) in
            pixels of the image, weights (N, len(pixels), P).
    """
    images = as_array("images", images, 3)
    if not operators:
        raise ValueError("operators must hold at least one name: (places, weights), got none")
    gap = 0.14
    side = (WIDTH - 0.1 - gap * (len(operators) - 1)) / max(len(operators), 3)
    page = _Page(0.3 + len(images) * (side + gap))
    for column, (name, (places, weights)) in enumerate(operators.items()):
        places, weights = (
            as_array(f"places of {name!r}", places, 4),
            as_array(f"weights of {name!r}", weights, 3),
        )
        expected = (len(images), len(pixels))
        if weights.shape[:2] != expected or places.shape != (*weights.shape, 2):
            raise ValueError(
                f"{name!r} must have places {(*expected, 'P', 2)} and weights {(*expected, 'P')},"
                f" images and pixels first, got {places.shape} and {weights.shape}"
            )
        limit, left = _limit(weights), 0.05 + column * (side + gap)
        page.text(left + side / 2, 0.14, name)
        for row, picture in enumerate(images):
            ax = page.axes(left, 0.3 + row * (side + gap), side, side)
            image(ax, picture)
            point = side * 72 / max(picture.shape)  # of the figure, per pixel of the image
            for r, c in pixels:
                for colour, width in ((ZERO, 2.6), (INK, 1.1)):  # seen on dark and on bright pixels
                    ax.add_patch(
                        Rectangle(
                            (c - 0.5, r - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=width
                        )
                    )
            for (r, c), weight in zip(places[row].reshape(-1, 2), weights[row].ravel()):
                colour = style.POSITIVE if weight >= 0 else style.NEGATIVE
                size = point * (0.25 + 0.5 * abs(weight) / limit)
                ax.plot(
                    c,
                    r,
                    "o" if weight >= 0 else "s",
                    color=colour.light,
                    markersize=size,
                    markeredgecolor=ZERO,
                    markeredgewidth=0.6,
                )
            ax.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
    return page.figure


# --- their parts ----------------------------------------------------------------------------------


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
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def text(self, x, y, text, size=11.5, **how):
        how = {"ha": "center", "va": "center_baseline", "color": INK} | how
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=size, **how)

    def expert(self, left, side, i, alpha, top):
        """Name above the kernel, α below it: its number and its bar on a track from 0 to 1."""
        self.text(
            left + side / 2,
            top - 0.14,
            style.expert_name(i) if side > 0.75 else f"W{SUBSCRIPTS[i]}",
            color=style.EXPERTS[i].light,
        )
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


def _expert_fill(i: int) -> dict:
    return {
        "facecolor": style.EXPERTS[i].light,
        "hatch": style.HATCHES[i],
        "edgecolor": ZERO,
        "linewidth": 0,
    }


def _limit(array) -> float:
    return float(np.abs(array).max()) or 1.0


def _signed_image(ax, array, limit: float) -> None:
    """The map in its light and in its dark colours, one above the other; the page shows one of the
    two (see `svg.py`).
    """
    if not limit > 0:
        raise ValueError(
            f"limit must be above 0: values are drawn between −limit and +limit, got {limit!r}"
        )
    for theme in ("light", "dark"):
        # The url becomes a class in `svg.py`: of an image, matplotlib writes no other name into the
        # SVG.
        ax.imshow(_signed_colours(array, limit, theme), interpolation="none").set_url(f"dc-{theme}")


def _signed_colours(array, limit: float, theme: str) -> np.ndarray:
    """The diverging palette of one theme, as red, green, blue from 0 to 1 in a last axis."""
    zero, negative, positive = (
        np.array(to_rgb(getattr(colour, theme)))
        for colour in (style.ZERO, style.NEGATIVE, style.POSITIVE)
    )
    strength = np.clip(np.abs(array) / limit, 0, 1)[..., None]
    return zero + strength * (np.where(array[..., None] < 0, negative, positive) - zero)


def _frame(ax, title: str | None) -> None:
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.8)
    if title:
        ax.set_title(title)
