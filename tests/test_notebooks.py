"""What all notebooks of the book have in common, chapters or not. A failing message says what to
write instead.
"""

import ast
import re
import symtable

import nbformat
import pytest
from conftest import REF, REPOSITORY, ROOT, SITE
from notebook_files import (
    CHAPTERS,
    COLAB,
    NOTEBOOKS,
    calls,
    cells,
    code,
    code_lines,
    folded,
    markdown,
    notebook,
    parsed,
    setup,
)

COLUMNS = 76  # the page shows 78 at a width of 1280 px, and Colab about as many
LINES = 20  # of a cell that teaches: what fits a screen together with its output
TRAINERS = {"sweep", "training.train", "training.run"}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_is_committed_without_outputs(path):
    for number, cell in enumerate(cells(path, "code"), 1):
        assert not cell.outputs and cell.execution_count is None, (
            f"code cell {number} holds an output: `make strip`"
        )


def test_has_cell_ids(path):
    raw = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert (raw.nbformat, raw.nbformat_minor) >= (4, 5), "cell ids need nbformat 4.5"
    ids = [cell.get("id") for cell in raw.cells]
    assert all(ids) and len(set(ids)) == len(ids), "cell ids are missing or repeated"


def test_runs_on_any_python_kernel(path):
    """Any other kernel name exists on its author's machine only."""
    assert notebook(path).metadata.kernelspec.name == "python3"


def test_can_be_opened_in_colab_and_downloaded(path):
    name, opening = path.relative_to(ROOT).as_posix(), cells(path)[0].source
    for address in (f"{COLAB}/blob/{REF}/{name}", f"{REPOSITORY}/raw/{REF}/{name}"):
        assert f"]({address})" in opening, f"the first cell must link to {address}"


def test_links_lead_somewhere_on_colab(path):
    """Colab opens other notebooks of a repository, and no page of prose."""
    links = re.findall(r"\]\(([^)\s]+)\)", markdown(path))
    beside = [link for link in links if not re.match("https://|#", link)]
    prose = [link for link in beside if not re.search(r"\.ipynb(#|$)", link)]
    assert not prose, f"write {SITE}/book/NAME.html instead of {prose}"


def test_setup_cell_is_that_of_all_chapters(path):
    assert setup(path) == setup(CHAPTERS[0])


def test_setup_cell_can_run(path):
    """nbmake never takes its Colab branch, so at least its text is checked: it parses and installs
    from our address.
    """
    parsed(setup(path))
    address = REPOSITORY if REF == "main" else f"{REPOSITORY}@{REF}"
    installs = re.findall(r"git\+([^\s\"'#]+)", setup(path))
    assert installs == [address], f"install from git+{address}, once"
    assert '"google.colab" in sys.modules' in setup(path), (
        "elsewhere than on Colab the cell must do nothing"
    )


def test_is_plain_markdown(path):
    """Colab and Jupyter show MyST raw; directives and roles belong in book/*.md."""
    # Braces in TeX are no roles.
    prose = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$", "", markdown(path), flags=re.DOTALL)
    directive, role = r"^\s*(:::|```+\{|~~~+\{|\+\+\+|\([\w-]+\)=).*", r"\{[a-zA-Z][\w:+-]*\}`.*"
    found = re.search(f"{directive}|{role}", prose, re.MULTILINE)
    assert not found, f"MyST, which Colab shows raw: {found[0]!r}"


def test_runs_the_same_code_everywhere(path):
    """A chapter never asks whether it is being tested; sizes come from the device."""
    found = re.search(r"\bCI\b|GITHUB_ACTIONS|PYTEST_CURRENT_TEST", code(path))
    assert not found, f"the chapter asks where it runs: {found[0]}"


def test_code_fits_the_page(path):
    wide = {
        cell.id: [line for line in cell.source.splitlines() if too_wide(line)]
        for cell in cells(path, "code")
    }
    wide = {name: lines for name, lines in wide.items() if lines}
    assert not wide, f"lines of more than {COLUMNS} columns are cut off on the page: {wide}"


def too_wide(line):
    """An address cannot be broken."""
    return len(line) > COLUMNS and "https://" not in line


def test_a_cell_that_teaches_is_short(path):
    visible = [cell for cell in cells(path, "code") if not folded(cell)]
    long = {cell.id: code_lines(cell.source) for cell in visible}
    long = {name: lines for name, lines in long.items() if lines > LINES}
    assert not long, f"split these cells, or fold what is not the subject: {long}"


def test_a_folded_cell_is_folded_everywhere(path):
    """On the page by a tag, on Colab by a form with a title, in JupyterLab by `source_hidden`."""
    for cell in cells(path, "code"):
        ways = {
            "tag hide-input": folded(cell),
            "cellView: form": cell.metadata.get("cellView") == "form",
            "first line '# @title ...'": bool(re.match(r"# @title \S", cell.source)),
            "jupyter.source_hidden": cell.metadata.get("jupyter", {}).get("source_hidden") is True,
        }
        missing = [way for way, there in ways.items() if not there]
        assert len(missing) in (0, len(ways)), f"{cell.id} is folded, but lacks {missing}"


def test_asks_colab_for_a_gpu_if_it_says_what_for(path):
    """A GPU that gains nothing is taken from others, and Colab gives each reader few hours."""
    asks = notebook(path).metadata.get("accelerator") == "GPU"
    says = "T4 GPU" in markdown(path)
    assert asks == says, f"metadata ask for a GPU: {asks}; the text speaks of one: {says}"
    assert not asks or TRAINERS & calls(code(path)), "only training gains from a GPU"


def test_leaves_the_kernel_as_it_is(path):
    """Threads that are taken, or a logger that is silenced, stay so for every later cell."""
    for call in calls(code(path)):
        assert not call.endswith("set_num_threads"), (
            "what the package measures takes one thread by itself and gives the others back"
        )
        assert not call.endswith("getLogger"), "write `yolo.quiet()`"


def test_a_stub_rebinds_no_name_of_an_earlier_cell(path):
    """Else an earlier cell fails when it is run again after the exercise, or works on the stub."""
    taken = set()
    for cell in cells(path, "code"):
        definitions = (ast.FunctionDef, ast.ClassDef)
        defined = {node.name for node in parsed(cell.source).body if isinstance(node, definitions)}
        if "check" in calls(cell.source):
            assert not defined & taken, f"{cell.id}: give another name to {defined & taken}"
        taken |= defined | taken_from_earlier_cells(cell.source)


def taken_from_earlier_cells(source):
    """The names that a cell reads and does not bind itself."""
    cell = symtable.symtable(ast.unparse(parsed(source)), "cell", "exec")
    read, tables = set(), [cell]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is cell or symbol.is_global()):
                read.add(symbol.get_name())
    bound = {symbol.get_name() for symbol in cell.get_symbols() if symbol.is_local()}
    return read - bound
