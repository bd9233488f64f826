"""Results as a table that fits a phone: HTML on a page, aligned text in a terminal."""

from __future__ import annotations

from html import escape


class Table:
    """A table of text. As the last expression of a cell it shows itself.

    Args:
        columns: {heading: [cell, ...]}; cells are shown as `str` gives them, so format numbers
            first.

    Raises:
        ValueError: there are no columns, or they differ in length.
    """

    def __init__(self, columns: dict[str, list]) -> None:
        lengths = {heading: len(cells) for heading, cells in columns.items()}
        if not lengths or len(set(lengths.values())) != 1:
            raise ValueError(f"columns must all have the same number of cells, got {lengths}")
        self.headings = [str(heading) for heading in columns]
        self.rows = [[str(cell) for cell in row] for row in zip(*columns.values())]

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
        return (
            "<table"
            f' class="dc-table"><thead>{line("th", self.headings)}</thead><tbody>{body}</tbody></table>'
        )
