"""Results as a table that fits a phone: HTML on a page, aligned text in a terminal."""

from __future__ import annotations

import math
from html import escape
from numbers import Integral, Real

from .style import number


class Table:
    """A table of text and numbers. As the last expression of a cell it shows itself.

    Whole numbers have thousands separators, other numbers fixed digits; None is a dash, and so is
    NaN. What is text already stays as it is.

    Args:
        columns: {heading: [cell, ...]}; a cell is text, a number (of numpy and torch too) or None.
        digits: after the decimal point, for all columns or as {heading: digits}, then 2 elsewhere.

    Raises:
        ValueError: there are no columns, they differ in length, or `digits` names none of them.
    """

    def __init__(self, columns: dict[str, list], digits: int | dict[str, int] = 2) -> None:
        lengths = {heading: len(cells) for heading, cells in columns.items()}
        if not lengths or len(set(lengths.values())) != 1:
            raise ValueError(f"columns must all have the same number of cells, got {lengths}")
        chosen = digits if isinstance(digits, dict) else dict.fromkeys(columns, digits)
        if unknown := [heading for heading in chosen if heading not in columns]:
            raise ValueError(f"digits must be for columns {list(columns)}, got {unknown[0]!r}")
        self.headings = [str(heading) for heading in columns]
        texts = [
            [_text(cell, chosen.get(heading, 2)) for cell in cells]
            for heading, cells in columns.items()
        ]
        self.rows = [list(row) for row in zip(*texts)]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows)]
        lines = []
        for row in (self.headings, *self.rows):
            first, *rest = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            )
            lines.append("   ".join([first, *rest]).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def line(tag, row):
            style = ["text-align:left"] + ["text-align:right"] * (len(row) - 1)
            return (
                "<tr>"
                + "".join(
                    f'<{tag} style="{s}">{escape(cell)}</{tag}>' for s, cell in zip(style, row)
                )
                + "</tr>"
            )

        body = "".join(line("td", row) for row in self.rows)
        head = line("th", self.headings)
        return f'<table class="dc-table"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _text(cell, digits: int) -> str:
    if hasattr(cell, "item") and getattr(cell, "ndim", None) == 0:  # of numpy or torch
        cell = cell.item()
    if cell is None or isinstance(cell, float) and math.isnan(cell):
        return "–"
    if isinstance(cell, bool) or not isinstance(cell, Real):
        return str(cell)
    if isinstance(cell, Integral):
        return f"{cell:,}".replace("-", "−")
    return number(cell, digits)
