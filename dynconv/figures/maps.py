"""One picture in one axis: a grey image, a signed map, a kernel, α as bars."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from ..checks import as_array
from . import style
from .arrays import as_alpha
from .matplotlib_style import FAINT, INK, ZERO
from .style import number


def image(ax, array, title: str | None = None) -> None:
    """A grey image, 0 black to 1 white; it looks the same on every page."""
    ax.imshow(as_array("array", array, 2), cmap="gray", vmin=0, vmax=1, interpolation="none")
    frame(ax, title)


def response(ax, array, limit: float, title: str | None = None) -> None:
    """A signed map, diverging around 0; values beyond ±limit take the colour of the limit."""
    signed_image(ax, as_array("array", array, 2), limit)
    frame(ax, title)


def kernel_heatmap(ax, kernel, limit: float, title: str | None = None) -> None:
    """A kernel as a heat map, diverging around 0. Give all kernels of a figure the same limit."""
    kernel = as_array("kernel", kernel, 2)
    signed_image(ax, kernel, limit)
    frame(ax, title)
    height, width = kernel.shape
    cell = ax.get_position().width * ax.figure.get_figwidth() * 72 / width  # points
    if max(height, width) > 3 or cell < 23:  # no room for readable values
        return
    for theme in ("light", "dark"):
        grounds = signed_colours(kernel, limit, theme)
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


def sign_key(ax) -> None:
    """What the colours of signed numbers mean, as a strip that fills its axis."""
    ends = np.linspace(-1, 1, 33)[None]
    signed_image(ax, ends, 1)
    frame(ax, None)
    ax.set(aspect="auto", xticks=[0, 32])
    negative, positive = ax.set_xticklabels(["negative", "positive"])
    negative.set_ha("left")
    positive.set_ha("right")
    ax.tick_params(length=0)


def alpha_bars(ax, alpha, names: list[str] | None = None) -> None:
    """α as one bar per expert, in the expert's colour and hatch, on an axis from 0 to 1."""
    alpha = as_alpha(alpha)
    names = names or [style.expert_name(i) for i in range(len(alpha))]
    if len(names) != len(alpha):
        raise ValueError(f"names must have one entry per expert ({len(alpha)}), got {len(names)}")
    for i, value in enumerate(alpha):
        ax.barh(i, 1, height=0.62, facecolor=FAINT, alpha=0.45, linewidth=0)  # the track: 0 to 1
        ax.barh(i, value, height=0.62, **expert_fill(i))
        ax.text(1.03, i, number(value), va="center_baseline", ha="left")
    ax.set(xlim=(0, 1), ylim=(len(alpha) - 0.5, -0.5), xticks=[0, 0.5, 1], yticks=range(len(alpha)))
    ax.set_xticklabels(["0", "0.5", "1"])
    ax.set_yticklabels(names, color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def signed_image(ax, array, limit: float) -> None:
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
        ax.imshow(signed_colours(array, limit, theme), interpolation="none").set_url(f"dc-{theme}")


def signed_colours(array, limit: float, theme: str) -> np.ndarray:
    """The diverging palette of one theme, as red, green, blue from 0 to 1 in a last axis."""
    zero, negative, positive = (
        np.array(to_rgb(getattr(colour, theme)))
        for colour in (style.ZERO, style.NEGATIVE, style.POSITIVE)
    )
    strength = np.clip(np.abs(array) / limit, 0, 1)[..., None]
    return zero + strength * (np.where(array[..., None] < 0, negative, positive) - zero)


def expert_fill(i: int) -> dict:
    """How a bar of expert `i` is filled: its colour and its hatch."""
    return {
        "facecolor": style.EXPERTS[i].light,
        "hatch": style.HATCHES[i],
        "edgecolor": ZERO,
        "linewidth": 0,
    }


def limit_of(array) -> float:
    """The largest |value|, or 1 if there is none above 0."""
    return float(np.abs(array).max()) or 1.0


def frame(ax, title: str | None) -> None:
    """A thin frame without ticks, and the title above it."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.8)
    if title:
        ax.set_title(title)
