"""Figures of a chapter are numbered in their order, and links name the number that is there."""

import json
import re

import nbformat
import pytest
from conftest import ROOT
from sphinx.cmd.build import build_main

CONF = """
extensions = ["myst_nb", "executed_chapters", "figure_numbers"]
exclude_patterns = ["out"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
html_theme = "basic"
"""
PLOT = '<figure class="dc-figure"><svg></svg><figcaption>What it shows.</figcaption></figure>'
BARE = '<figure class="dc-figure"><svg></svg></figure>'
TOUCH = '<dc-mixer class="dc-figure"><div></div></dc-mixer>\n<script>1</script>'


def cell(name, *outputs):
    each = [nbformat.v4.new_output("display_data", {"text/html": html}) for html in outputs]
    return nbformat.v4.new_code_cell("1", id=name, outputs=each)


@pytest.fixture
def built(tmp_path):
    """A function: the pages of a chapter and of a page with this text beside it."""

    def build(text, accepted=0):
        (tmp_path / "notebooks").mkdir()
        cells = [
            nbformat.v4.new_markdown_cell("# 99. A chapter\n\n$$a = b \\tag{99.1}$$"),
            cell("plot", PLOT),
            cell("two", TOUCH, BARE),
            cell("none", "<table></table>", TOUCH.replace("dc-mixer", "dc-questions")),
        ]
        metadata = {"language_info": {"name": "python"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
        nbformat.write(notebook, tmp_path / "notebooks/99_name.ipynb")
        (tmp_path / "conf.py").write_text(CONF)
        toctree = "```{toctree}\nnotebooks/99_name\n```"
        (tmp_path / "index.md").write_text(f"# A page\n\n{text}\n\n{toctree}\n", encoding="utf-8")
        assert build_main(["-q", "-W", str(tmp_path), str(tmp_path / "out")]) == accepted
        pages = ("index.html", "notebooks/99_name.html")
        return [(tmp_path / "out" / page).read_text(encoding="utf-8") for page in pages]

    return build


def test_each_figure_has_its_number_and_is_found_by_its_link(built):
    _, chapter = built("")
    numbers = re.findall(r'class="figure-number" href="#([^"]*)">(Figure [\d.]+)</a>', chapter)
    assert numbers == [
        ("cell-plot", "Figure 99.1"),
        ("cell-two", "Figure 99.2"),
        ("cell-two-2", "Figure 99.3"),
    ]
    for name, _ in numbers:
        assert chapter.count(f'id="{name}"') == 1
    assert "Figure 99.1</a> What it shows.</figcaption>" in chapter
    assert "<script>1</script>" in chapter, "what makes a figure to touch move is still there"


def test_a_link_says_the_number_where_the_notebook_says_the_figure(built):
    page, _ = built(
        "See [the last figure](notebooks/99_name.ipynb#cell-two-2), [here](notebooks/99_name.ipynb"
        "#cell-two), and [equation (99.1)](notebooks/99_name.ipynb#equation-99-1)."
    )
    words = re.findall(r'href="notebooks/99_name.html#([^"]*)"><span[^>]*>(.*?)</span>', page)
    assert words == [
        ("cell-two-2", "Figure 99.3"),
        ("cell-two", "here"),
        ("equation-99-1", "equation (99.1)"),
    ]


def test_a_link_to_a_figure_that_is_none_stops_the_build(built, capsys):
    built("[the figure](notebooks/99_name.ipynb#cell-none)", accepted=2)
    assert "'the figure' leads to #cell-none, which is no figure" in capsys.readouterr().err


@pytest.mark.parametrize("file", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda f: f.stem)
def test_formulas_are_numbered_in_order_and_called_by_their_number(file):
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    formulas = re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL)
    chapter = int(file.stem[:2])
    for number, formula in enumerate(formulas, 1):
        assert formula.endswith(f"\\tag{{{chapter}.{number}}}"), f"formula {number}: {formula}"
    for words, of, number in re.findall(r"\[([^\]]*)\]\([^)]*#equation-(\d+)-(\d+)\)", text):
        assert words == f"equation ({of}.{number})"
