"""Diagrams of boxes and arrows, in the book's one style. Places are in units of your own, y
upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from . import style
from .matplotlib_style import BOOK_STYLE, INK

Place = tuple[float, float]
_EDGE = {"boxstyle": "round,pad=0.02,rounding_size=0.08"}
_ARROW = {"arrowstyle": "->", "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}


class Box(NamedTuple):
    """A box with a text, around the place (x, y).

    `bold` draws a strong edge; `fill`, from 0 to 1, how strong its ground is, which makes the text
    bold.
    """

    text: str
    x: float
    y: float
    width: float = 2.0
    height: float = 0.54
    bold: bool = False
    fill: float = 0.0


class Note(NamedTuple):
    """A text beside the boxes; `align` says which of its sides stands at (x, y): left, center,
    right.
    """

    text: str
    x: float
    y: float
    align: str = "left"
    italic: bool = False


@matplotlib.rc_context(BOOK_STYLE)
def boxes(
    boxes: Sequence[Box],
    arrows: Sequence[tuple[Place, Place]] = (),
    notes: Sequence[Note] = (),
    numbers: Sequence[tuple[int, float, float]] = (),
    size: tuple[float, float] = (5.0, 5.0),
    margin: float = 0.1,
) -> Figure:
    """Boxes, arrows from place to place, notes beside them, and numbers on round grounds.

    Args:
        boxes: at least one `Box`.
        arrows: pairs of places, ((x, y) of the tail, (x, y) of the head).
        notes: `Note`s.
        numbers: (number, x, y).
        size: of the figure, in inches.
        margin: around all of that, in your units.

    Raises:
        ValueError: there is no box, or a fill lies outside 0 to 1.

    Example:
        >>> plots.boxes([plots.Box("Conv", 0, 1), plots.Box("split", 0, 0)], [((0, 0.7), (0, 0.3))])
    """
    if not boxes:
        raise ValueError("boxes must hold at least one Box, got none")
    if wrong := [box for box in boxes if not 0 <= box.fill <= 1]:
        raise ValueError(
            f"the fill of a box must be from 0 to 1, got {wrong[0].fill} for {wrong[0].text!r}"
        )
    figure = Figure(figsize=size)
    ax = figure.add_subplot()
    for box in boxes:
        _draw_box(ax, box)
    for tail, head in arrows:
        ax.annotate("", head, tail, arrowprops=_ARROW | {"color": INK})
    for note in notes:
        slant = "italic" if note.italic else "normal"
        ax.text(note.x, note.y, note.text, ha=note.align, va="center", style=slant)
    for value, x, y in numbers:
        ax.add_patch(Circle((x, y), 0.18, facecolor=INK, linewidth=0))
        ax.text(x, y, str(value), ha="center", va="center_baseline", color=style.ZERO.light)
    corners = [
        (b.x + sx * b.width / 2, b.y + sy * b.height / 2)
        for b in boxes
        for sx, sy in ((-1, -1), (1, 1))
    ]
    corners += [place for arrow in arrows for place in arrow]
    corners += [(note.x, note.y) for note in notes] + [(x, y) for _, x, y in numbers]
    xs, ys = zip(*corners)
    ax.set(xlim=(min(xs) - margin, max(xs) + margin), ylim=(min(ys) - margin, max(ys) + margin))
    if numbers:
        ax.set_aspect("equal")  # or the grounds would not be round
    ax.axis("off")
    return figure


def _draw_box(ax, box: Box) -> None:
    corner = box.x - box.width / 2, box.y - box.height / 2
    if box.fill:
        ground = {"facecolor": style.EXPERTS[0].light, "alpha": box.fill, "linewidth": 0}
        ax.add_patch(FancyBboxPatch(corner, box.width, box.height, **_EDGE, **ground))
    edge = {"fill": False, "edgecolor": INK, "linewidth": 2 if box.bold else 1.2}
    ax.add_patch(FancyBboxPatch(corner, box.width, box.height, **_EDGE, **edge))
    weight = "bold" if box.fill else "normal"
    ax.text(box.x, box.y, box.text, ha="center", va="center", weight=weight)
