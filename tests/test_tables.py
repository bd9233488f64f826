"""Tables of results: the same cells as HTML and as text, safely."""

import pytest

from dynconv.figures.tables import Table


def test_html_and_text_hold_every_cell_in_order():
    table = Table({"layer": ["static", "a < b"], "time": ["1.00", "12.50"]})
    assert repr(table) == "layer     time\nstatic    1.00\na < b    12.50"
    html = table._repr_html_()
    assert html.count("<tr>") == 3 and html.index("static") < html.index("1.00") < html.index(
        "a &lt; b"
    ) < html.index("12.50")
    assert "a < b" not in html


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_ragged_columns_are_named(columns):
    with pytest.raises(ValueError, match="same number of cells, got"):
        Table(columns)
