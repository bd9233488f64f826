"""The page that compares the relatives: a notebook in `book/`, which keeps the rules of the
chapters that concern any notebook.
"""

import pytest
import test_chapters as chapters
from conftest import REPOSITORY, ROOT

PAGE = ROOT / "book/relatives_compared.ipynb"
RULES = (
    "is_committed_without_outputs",
    "has_cell_ids",
    "runs_on_any_python_kernel",
    "setup_cell_is_that_of_all_chapters",
    "setup_cell_can_run",
    "is_plain_markdown",
    "runs_the_same_code_everywhere",
)


@pytest.mark.parametrize("rule", RULES)
def test_the_page_keeps_the_rules_of_the_chapters(rule):
    getattr(chapters, f"test_{rule}")(PAGE)


def test_the_page_can_be_opened_in_colab():
    opening = chapters.cells(PAGE)[0].source
    assert (
        f"]({chapters.COLAB}/blob/main/book/{PAGE.name})" in opening
        and f"]({REPOSITORY}/raw/main/book/{PAGE.name})" in opening
    )


def test_it_is_the_only_notebook_of_its_kind():
    """Each other one is a chapter, and held by test_chapters.py."""
    assert sorted(ROOT.glob("book/**/*.ipynb")) == [PAGE]
