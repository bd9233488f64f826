"""A figure that is laid out by hand, in inches."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from . import style
from .maps import expert_fill
from .matplotlib_style import FAINT, INK, WIDTH
from .style import number

SUBSCRIPTS = "₁₂₃₄₅₆₇₈"


class Page:
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
        bar.barh(0, alpha, height=1, **expert_fill(i))
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
