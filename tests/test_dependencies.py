"""What must be executed again after an edit: as little as can be, and never too little."""

import dependencies
import execution
import nbformat
import pytest
from conftest import ROOT

PACKAGE = {
    "__init__.py": "from .layers import Layer as Layer\n",
    "layers.py": "class Layer:\n    '''A layer.'''\n",
    "lab/__init__.py": "",
    "lab/training.py": "from ..layers import Layer\n\ndef train():\n    return Layer()\n",
    "lab/sweep.py": "from .training import train\n\ndef sweep():\n    return [train()]\n",
    "lab/data.csv": "1,2",
    "figures/__init__.py": "",
    "figures/charts.py": "def bars():\n    return 'bars'\n",
    "figures/maps.py": "def heat():\n    return 'heat'\n",
    "figures/plots.py": "from .charts import bars as bars\nfrom .maps import heat as heat\n",
    "figures/widgets.py": "def star():\n    return 1\n\ndef cost():\n    return 2\n",
    "figures/touch/kit.js": "kit",
    "figures/touch/star.js": "star",
    "figures/touch/cost.js": "cost",
    "edits/__init__.py": "",
    "edits/files.py": "def edit():\n    return 'edited'\n",
    "edits/Addmodules/DynamicConv.py": "class DynamicConv:\n    pass\n",
    "__main__.py": "from .edits import files\n\nfiles.edit()\n",
    "exercises/__init__.py": "def check():\n    return 'right'\n",
    "exercises/chapter_01.py": "def one():\n    '1.1: A task.'\n",
    "exercises/chapter_02.py": "two = 2\n",
}
PYTHON = {"name": "python"}
CHAPTERS = {
    "01_bars": "from dynconv.figures import plots, widgets\nplots.bars()\nwidgets.star()",
    "02_heat": (
        "from dynconv.exercises import check\nfrom dynconv.figures import plots\n"
        "from dynconv.lab.sweep import sweep\nplots.heat(), sweep(), check()"
    ),
    "03_plain": "1 + 1\n\n2 + 2",
    "04_command": "!python -m dynconv patch",
    "05_name": "import importlib\nimportlib.import_module('dynconv.lab.training')",
}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A small package and three chapters, executed and with trained runs, as the records say."""
    monkeypatch.setattr(execution, "ROOT", tmp_path)
    for name, text in PACKAGE.items():
        file = tmp_path / "dynconv" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "notebooks").mkdir()
    for name, code in CHAPTERS.items():
        write_chapter(tmp_path, name, code)
    for chapter in execution.chapters():
        chapter.write_copy()
        execution.write_record(chapter.copy, 1.0, {})
    execution.forget_old_runs()
    runs(tmp_path).mkdir()
    return tmp_path


def write_chapter(house, name, code, prose="# A chapter"):
    cells = [
        nbformat.v4.new_markdown_cell(prose, id="title"),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": PYTHON})
    nbformat.write(notebook, house / f"notebooks/{name}.ipynb")


def runs(house):
    return house / "_build/executed/notebooks/runs"


def stale(house):
    return {chapter.source.stem[:2] for chapter in execution.chapters() if not chapter.result()}


def test_nothing_is_executed_in_vain(house):
    assert stale(house) == set()


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        ("layers.py", "'''A layer.'''", "'''A better layer.'''", set()),
        ("layers.py", "class Layer:", "class Layer:  # heavy", set()),
        ("layers.py", "'''A layer.'''", "size = 3", {"02", "05"}),
        ("__init__.py", "import Layer as Layer", "import Layer", {"01", "02", "04", "05"}),
        ("figures/charts.py", "'bars'", "'broad bars'", {"01"}),
        ("figures/maps.py", "'heat'", "'hot'", {"02"}),
        ("figures/touch/star.js", "star", "bright star", {"01"}),
        ("figures/touch/cost.js", "cost", "high cost", set()),
        ("figures/touch/kit.js", "kit", "new kit", {"01"}),
        ("figures/plots.py", "charts import bars as", "maps import heat as", {"01"}),
        ("figures/plots.py", "from .maps", "print('imported')\nfrom .maps", {"01", "02"}),
        ("lab/training.py", "Layer()", "[Layer()]", {"02", "05"}),
        ("lab/data.csv", "2", "3", {"02", "05"}),
        ("edits/Addmodules/DynamicConv.py", "pass", "size = 3", {"04"}),
        ("__main__.py", "files.edit()", "print(files.edit())", {"04"}),
        ("exercises/chapter_01.py", "1.1:", "1.9:", {"01"}),
        ("exercises/chapter_01.py", "A task", "A good task", set()),
        ("exercises/chapter_02.py", "2", "22", {"02"}),
    ],
)
def test_an_edit_of_the_package_concerns_whom_it_concerns(house, file, old, new, expected):
    path = house / "dynconv" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert stale(house) == expected


def test_prose_is_no_code(house):
    old = next(
        chapter for chapter in execution.chapters() if chapter.name.endswith("01_bars.ipynb")
    )
    copy = nbformat.read(old.copy, as_version=4)
    copy.cells[1].outputs = [nbformat.v4.new_output("stream", text="what it printed")]
    nbformat.write(copy, old.copy)
    write_chapter(house, "01_bars", CHAPTERS["01_bars"], "# A better chapter")
    assert stale(house) == set()
    chapter = next(each for each in execution.chapters() if each.name == old.name)
    chapter.write_copy()
    title, code = nbformat.read(chapter.copy, as_version=4).cells
    assert title.source == "# A better chapter" and code.outputs[0].text == "what it printed"


def test_code_of_one_chapter_is_that_chapter(house):
    write_chapter(house, "03_plain", "1 + 2")
    assert stale(house) == {"03"}


def test_other_versions_concern_all(house, monkeypatch):
    monkeypatch.setattr(dependencies, "versions", lambda: "other")
    assert stale(house) == {name[:2] for name in CHAPTERS}


@pytest.mark.parametrize(
    "cells",
    [
        [nbformat.v4.new_code_cell("1 + 1"), nbformat.v4.new_code_cell("2 + 2")],
        [nbformat.v4.new_code_cell(CHAPTERS["03_plain"], metadata={"tags": ["raises-exception"]})],
        [nbformat.v4.new_code_cell("x = ")],
    ],
    ids=["another cell", "another tag", "no Python"],
)
def test_cells_are_executed_again_if_they_are_others(house, cells):
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": PYTHON})
    nbformat.write(notebook, house / "notebooks/03_plain.ipynb")
    assert stale(house) == {"03"}


def test_what_a_killed_build_leaves_is_not_taken_as_executed(house):
    """Its executor may live on, and write the copy of an older text over that of today."""
    chapter = next(each for each in execution.chapters() if each.name.endswith("03_plain.ipynb"))
    old = chapter.copy.read_text()
    write_chapter(house, "03_plain", "1 + 2")
    chapter = next(each for each in execution.chapters() if each.name == chapter.name)
    chapter.write_copy()
    execution.write_record(chapter.copy, 1.0, {})
    assert stale(house) == set()
    chapter.copy.write_text(old)
    assert stale(house) == {"03"}


@pytest.mark.parametrize("broken", ["", "{}", '{"digest": 3'])
@pytest.mark.parametrize("suffix", [".json", ".ipynb"])
def test_a_broken_record_or_copy_is_none(house, suffix, broken):
    file = house / "_build/executed/notebooks/03_plain"
    file.with_suffix(suffix).write_text(broken)
    assert stale(house) == {"03"}


def test_a_notebook_that_is_none_is_named(house):
    (house / "notebooks/03_plain.ipynb").write_text("<<<<<<< HEAD")
    with pytest.raises(ValueError, match="notebooks/03_plain.ipynb is no notebook"):
        execution.chapters()


def test_what_is_edited_during_an_execution_is_not_taken_as_executed(house):
    chapter = next(each for each in execution.chapters() if each.name.endswith("03_plain.ipynb"))
    write_chapter(house, "03_plain", "1 + 3")
    execution.write_record(chapter.copy, 1.0, {})
    assert stale(house) == {"03"}


@pytest.mark.parametrize(
    "file, kept",
    [
        ("figures/charts.py", True),
        ("exercises/chapter_02.py", True),
        ("lab/training.py", False),
        ("layers.py", False),
    ],
)
def test_runs_are_kept_unless_a_training_depends_on_the_edit(house, file, kept):
    (house / "dynconv" / file).write_text(PACKAGE[file] + "more = 1\n")
    execution.forget_old_runs()
    assert runs(house).exists() == kept
    assert (house / "_build/executed").exists()


def test_the_real_chapters_depend_on_what_they_show():
    package = dependencies.Package(ROOT)
    found = {chapter.source.stem[:2]: chapter for chapter in execution.chapters()}
    shown = "dynconv.figures.touch."
    for file in (ROOT / "dynconv/figures/touch").glob("*.js"):
        if file.stem != "kit":
            call = {"questions": "ask("}.get(file.stem, f"widgets.{file.stem}(")
            users = {
                name
                for name, chapter in found.items()
                if call in "".join(c.source for c in chapter.notebook.cells)
            }
            assert users == {n for n, c in found.items() if shown + file.stem in c.modules}
    trains = {name for name, chapter in found.items() if "sweep(" in str(chapter.notebook.cells)}
    assert trains <= {name for name, chapter in found.items() if chapter.trains}
    # By registration, which no import shows: models are built with the package's own modules.
    assert all("dynconv.yolo.blocks" in found[name].modules for name in trains)
    assert not {"dynconv.figures.plots", "dynconv.lab.routing"} & package.closure(
        ["dynconv.lab.sweep"]
    )
