"""Static figures in the book's one visual language, from plain arrays; nothing is computed here.

Chapters find all of them here. Whole pictures are drawn in this file; the parts of them, one to an
axis, in `maps.py`; results in `charts.py`, many alike in `panels.py`; boxes and arrows in
`diagrams.py`. Draw with the light form of a colour; `show` writes the figure into the page such
that it follows the theme (`svg.py`).
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..checks import as_array
from . import style
from .arrays import as_alpha
from .charts import bars as bars
from .charts import curves as curves
from .charts import dots as dots
from .charts import intervals as intervals
from .charts import matrix as matrix
from .diagrams import Box as Box
from .diagrams import Note as Note
from .diagrams import boxes as boxes
from .maps import alpha_bars as alpha_bars
from .maps import expert_fill, limit_of
from .maps import image as image
from .maps import kernel_heatmap as kernel_heatmap
from .maps import response as response
from .maps import sign_key as sign_key
from .matplotlib_style import BASELINE as BASELINE
from .matplotlib_style import BOOK_STYLE, FAINT, INK, WIDTH, ZERO
from .matplotlib_style import use_book_style as use_book_style
from .page import Page
from .panels import signed_rows as signed_rows
from .panels import small_curves as small_curves
from .style import number
from .svg import show as show
from .svg import to_html as to_html

GAP = (np.nan, np.nan)  # where a line is interrupted


@matplotlib.rc_context(BOOK_STYLE)
def mixing(x, experts, alpha, mixed, y) -> Figure:
    """The whole story: M experts flow, each as strongly as its α, into one kernel; X convolved once
    with it is Y.
    """
    x, mixed, y = as_array("x", x, 2), as_array("mixed", mixed, 2), as_array("y", y, 2)
    experts = as_array("experts", experts, 3)
    alpha = as_alpha(alpha, len(experts))
    limit = limit_of(experts)
    side, picture, kernel = min(Page.side(len(experts)), 1.14), 1.62, 1.2
    top = 0.28
    flow = top + side + 0.52  # where the flows start
    below = flow + 0.75
    page = Page(below + picture + 0.45)
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
    response(page.axes(WIDTH - 0.05 - picture, below, picture, picture), y, limit_of(y))
    inner = (picture + 0.05 + centre - kernel / 2) / 2  # half-way between X and the kernel
    page.text(inner, middle, "∗", size=17)
    page.text(WIDTH - inner, middle, "=", size=17)
    for at, name in ((0.05 + picture / 2, "X"), (WIDTH - 0.05 - picture / 2, "Y")):
        page.text(at, below + picture + 0.15, name)
    page.text(centre, landing + kernel + 0.15, "Σ αᵢWᵢ")
    sign_key(page.axes(centre - 0.85, below + picture + 0.1, 1.7, 0.09))
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
    """α of many layers under many conditions: in each cell a bar per expert, 0 to 1, with an I
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
    page = Page(0.35 + len(rows) * (height + 0.14) + 0.25)
    for r, row in enumerate(rows):
        top = 0.35 + r * (height + 0.14)
        page.text(left - 0.12, top + height / 2, row, ha="right")
        for c, column in enumerate(columns):
            x = left + c * (width + gap)
            ax = page.axes(x, top, width, height)
            ax.barh((experts - 1) / 2, 1, height=experts, facecolor=FAINT, alpha=0.45, linewidth=0)
            marks = []
            for i, (value, deviation) in enumerate(zip(mean[r, c], spread[r, c])):
                ax.barh(i, value, height=0.8, **expert_fill(i))
                low, high = value - deviation, value + deviation
                marks += [(low, i), (high, i), GAP, (low, i - 0.3), (low, i + 0.3), GAP]
                marks += [(high, i - 0.3), (high, i + 0.3), GAP]
            # A rim parts the I from its bar: the spread may be one pixel wide.
            for colour, pen in ((ZERO, 3.4), (INK, 1.4)):
                ax.plot(*zip(*marks), color=colour, linewidth=pen)
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
    page = Page(height * -(-len(images) // columns))
    for i, (picture, value, name) in enumerate(zip(images, alpha, names)):
        row, column = divmod(i, columns)
        left, top = 0.05 + column * (side + gap), row * height
        image(page.axes(left, top + 0.02, side, side), picture)
        bar = page.axes(left, top + side + 0.09, side, 0.13)
        bar.barh(0, 1, height=1, facecolor=FAINT, alpha=0.45, linewidth=0)
        bar.barh(0, value, height=1, **expert_fill(expert))
        bar.set(xlim=(0, 1), ylim=(-0.5, 0.5))
        bar.axis("off")
        page.text(left + side / 2, top + side + 0.35, f"{name} {number(value)}")
    return page.figure


@matplotlib.rc_context(BOOK_STYLE)
def reading_places(images, pixels: list[tuple[int, int]], operators: dict) -> Figure:
    """Where operators read the images for a few output pixels: a column per operator, a row per
    image, a mark per place.

    The size of a mark is that of its weight, relative to the largest of its operator. Round marks
    weigh positively, square ones negatively. Where places lie beyond the image, all panels show
    that much more around it, so that no mark is cut.

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
    page = Page(0.3 + len(images) * (side + gap))
    expected = (len(images), len(pixels))
    checked = {}
    for name, (places, weights) in operators.items():
        places, weights = (
            as_array(f"places of {name!r}", places, 4),
            as_array(f"weights of {name!r}", weights, 3),
        )
        if weights.shape[:2] != expected or places.shape != (*weights.shape, 2):
            raise ValueError(
                f"{name!r} must have places {(*expected, 'P', 2)} and weights {(*expected, 'P')},"
                f" images and pixels first, got {places.shape} and {weights.shape}"
            )
        checked[name] = places, weights
    height, width = images.shape[1:]
    beyond = max(
        max(-places.min(), (places - (height - 1, width - 1)).max(), 0)
        for places, _ in checked.values()
    )
    for column, (name, (places, weights)) in enumerate(checked.items()):
        limit, left = limit_of(weights), 0.05 + column * (side + gap)
        page.text(left + side / 2, 0.14, name)
        for row, picture in enumerate(images):
            ax = page.axes(left, 0.3 + row * (side + gap), side, side)
            image(ax, picture)
            # of the figure, per pixel of the image
            point = side * 72 / (max(height, width) + 2 * beyond)
            for r, c in pixels:
                for colour, line in ((ZERO, 2.6), (INK, 1.1)):  # seen on dark and on bright pixels
                    ax.add_patch(
                        Rectangle(
                            (c - 0.5, r - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=line
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
            edge = beyond + 0.5  # room for half a mark
            ax.set(xlim=(-edge, width - 1 + edge), ylim=(height - 1 + edge, -edge))
    return page.figure
