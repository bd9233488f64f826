"""The notebooks of the book, as tests read them."""

import ast
import functools
import re

import nbformat
from conftest import REPOSITORY, ROOT

CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = CHAPTERS + sorted((ROOT / "book").glob("**/*.ipynb"))
COLAB = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")


@functools.cache
def notebook(path):
    """Never changed by a test."""
    return nbformat.read(path, as_version=4)


def cells(path, kind=None):
    return [cell for cell in notebook(path).cells if kind in (None, cell.cell_type)]


def markdown(path):
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def code(path):
    return "\n\n".join(cell.source for cell in cells(path, "code"))


def code_lines(source):
    """How many lines are not empty."""
    return sum(bool(line.strip()) for line in source.splitlines())


def parsed(source):
    """Code of a notebook as a tree, with `pass` for what only IPython understands."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))


def calls(source):
    """What the code calls, as it is written: {'print', 'training.train', ...}."""
    nodes = ast.walk(parsed(source))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


def setup(path):
    """The setup cell: the second cell of the notebook."""
    cell = cells(path)[1]
    assert cell.cell_type == "code", "the second cell must be the setup cell"
    return cell.source


def folded(cell):
    """Whether the page shows the cell's code only when it is asked for."""
    return bool({"hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])))
