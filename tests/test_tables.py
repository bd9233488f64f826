"""Tables of results: the same cells as HTML and as text, safely."""

import numpy as np
import pytest
import torch

from dynconv.figures.tables import Table


def test_html_and_text_hold_every_cell_in_order():
    table = Table({"layer": ["static", "a < b"], "time": ["1.00", "12.50"]})
    assert repr(table) == "layer     time\nstatic    1.00\na < b    12.50"
    html = table._repr_html_()
    assert html.count("<tr>") == 3 and html.index("static") < html.index("1.00") < html.index(
        "a &lt; b"
    ) < html.index("12.50")
    assert "a < b" not in html


def test_numbers_are_formatted_by_the_table():
    columns = {
        "what": ["n", True, None, float("nan"), "1e3"],
        "count": [2896642, -1234, np.int64(1000), torch.tensor(7), "7"],
        "share": [0.126, -0.5, np.float32(1234.5), torch.tensor(-0.001), None],
    }
    assert Table(columns).rows == [
        ["n", "2,896,642", "0.13"],
        ["True", "−1,234", "−0.50"],
        ["–", "1,000", "1,234.50"],
        ["–", "7", "0.00"],
        ["1e3", "7", "–"],
    ]
    assert [row[2] for row in Table(columns, digits=1).rows[:2]] == ["0.1", "−0.5"]
    assert Table(columns, digits={"share": 3}).rows[0][2] == "0.126"
    with pytest.raises(ValueError, match="digits must be for columns .*'what'.* got 'shares'"):
        Table(columns, digits={"shares": 3})


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_ragged_columns_are_named(columns):
    with pytest.raises(ValueError, match="same number of cells, got"):
        Table(columns)
