"""The chapters: each was executed, in the copy of which its page is made, with the code and the
package of today.
"""

import execution
import pytest
from conftest import ROOT

MEMORY = {"one": 1.3e9, "all": 2.5e9}  # bytes: what book/teachers.md promises
NAMES = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("[nb]*/*.ipynb"))]


@pytest.fixture(scope="module")
def chapters():
    return {chapter.name: chapter for chapter in execution.chapters()}


def test_no_notebook_is_missing(chapters):
    assert sorted(chapters) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_passed_when_the_book_was_built(chapters, name):
    """`make book` executes it, and leaves a record only if it passed."""
    assert chapters[name].result(), f"{name} has not passed as it stands: run `make book`"
    cells = chapters[name].code_cells(execution.nbformat.read(chapters[name].copy, as_version=4))
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("number", range(1, 7))
def test_needs_no_more_memory_than_is_promised(chapters, number):
    """Its kernel, and that with what it starts, at any time of the execution."""
    (name,) = [name for name in NAMES if name.startswith(f"notebooks/{number:02}_")]
    result = chapters[name].result()
    assert result and all(result["memory"][of] < most for of, most in MEMORY.items()), name
    assert number == 5 or result["memory"]["all"] < MEMORY["one"]  # it alone starts others
