"""`make colab`: what it writes into the book is what it saw, and what goes wrong in a notebook, or
in the frame of an output, is seen.
"""

import contextlib
import io
import json
import subprocess
import sys

import colab
import colab_client
import colab_notebook
import colab_results
import colab_stack
import nbformat
import pytest
from chromium import chromium
from conftest import REPOSITORY, ROOT

from dynconv.figures import widgets

RESULTS = colab.results()


def test_the_page_the_results_and_the_list_agree():
    page = colab.PAGE.read_text(encoding="utf-8")
    assert f"{colab.BEGIN}\n{colab.table(RESULTS)}\n{colab.END}" in page
    assert "book/on_colab\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    head = colab_stack.LIST.read_text(encoding="utf-8").partition("\n")[0]
    assert head == f"# {RESULTS['list']}"
    assert RESULTS["notebooks"].keys() <= {path.stem for path in colab.notebooks()}
    for name, row in RESULTS["notebooks"].items():
        assert colab.fine(row) and "dynconv" in row["added"], name


def test_a_list_is_taken_over_as_pip_freeze_prints_it(tmp_path, monkeypatch):
    monkeypatch.setattr(colab_stack, "LIST", tmp_path / "list.txt")
    printed = tmp_path / "freeze-2026.txt"
    printed.write_text(
        "# no package\ntorch==2.11.0+cu128\nhuggingface_hub==1.27.0\nnumpy==2.1.3\n"
        "google-colab @ file:///colabtools\nnvidia-nccl-cu12==2.28.9\nnvidia-ml-py==13.6\n"
    )
    colab_stack.renew_list(printed)
    head, *lines = colab_stack.LIST.read_text().splitlines()
    assert "from freeze-2026.txt" in head and len(lines) == 5
    assert colab_stack.versions()["torch"] == "2.11.0"
    assert {"torch==2.11.0", "numpy==2.1.3", "huggingface-hub==1.27.0"} <= set(colab_stack.wanted())
    kept = {line.partition("==")[0] for line in colab_stack.constraints()}
    assert kept == {"torch", "huggingface-hub", "numpy", "nvidia-ml-py"}
    before = colab_stack.LIST.read_text()
    printed.write_text("Package Version\n")
    with pytest.raises(SystemExit, match="no line like"):
        colab_stack.renew_list(printed)
    assert colab_stack.LIST.read_text() == before
    asked = []
    answer = contextlib.nullcontext(io.BytesIO(b"torch==2.12.0+cu129\n"))
    monkeypatch.setattr(
        colab_stack.urllib.request, "urlopen", lambda url, **_: asked.append(url) or answer
    )
    colab_stack.renew_list("newest")
    assert asked == [colab_stack.NEWEST] and colab_stack.versions() == {"torch": "2.12.0"}
    assert "from pip-freeze.txt" in colab_stack.LIST.read_text()


def test_the_environment_is_made_once_and_anew_when_the_list_changes(tmp_path, monkeypatch):
    commands, there = [], {"numpy": "1"}

    def done(command, **_):
        commands.append(" ".join(map(str, command)))
        (tmp_path / "colab").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, "numpy==0" in commands[-1])

    def made(version):
        commands.clear()
        monkeypatch.setattr(colab_stack, "wanted", lambda: [f"numpy=={version}"])
        assert colab_stack.environment() == tmp_path / "colab/bin/python"
        return [each for each in commands if " -m " in each]

    monkeypatch.setattr(colab_stack, "FOLDER", tmp_path / "colab")
    monkeypatch.setattr(colab_stack, "installed", lambda _: dict(there))
    monkeypatch.setattr(colab_stack, "python", lambda: "python3.13")
    monkeypatch.setattr(colab_stack.subprocess, "run", done)
    venv, install = made(1)
    assert venv.startswith("python3.13 -m venv --clear") and install.endswith("numpy==1")
    assert not made(1)
    there["dynconv"] = "0.1.0"  # what a notebook has installed
    (uninstall,) = made(1)
    assert uninstall.endswith("uninstall --quiet --yes dynconv")
    there["numpy"] = "2"  # what a notebook has replaced
    assert len(made(1)) == 2 and len(made(2)) == 2
    with pytest.raises(SystemExit, match="this failed"):
        made(0)
    assert len(made(2)) == 2  # what the failure left is not taken for whole


def test_colabs_python_is_taken_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert colab_stack.python() == sys.executable
    stub = tmp_path / "python3.13"  # as pyenv puts one on PATH for each version that it knows of
    stub.write_text("#!/bin/sh\nexit 127\n")
    stub.chmod(0o755)
    assert colab_stack.python() == sys.executable
    (tmp_path / "versions/3.13.0/bin").mkdir(parents=True)
    own = tmp_path / "versions/3.13.0/bin/python"
    own.symlink_to("/bin/true")
    assert colab_stack.python() == str(own)


CELLS = [
    """
import os, pathlib, subprocess, sys
assert "google.colab" in sys.modules and "google.colab" in str(get_ipython())
assert not list(pathlib.Path().iterdir()) and "YOLO_OFFLINE" not in os.environ
address = subprocess.check_output(["git", "ls-remote", "--get-url", ADDRESS], text=True)
assert address.startswith("file://"), address
""",
    """
print("as it should be")
print("a warning\\n 50%|##   |\\na warning", file=sys.stderr)
from google.colab import userdata
try:
    userdata.get("HF_TOKEN")
except userdata.SecretNotFoundError:
    pass
""",
    "raise ValueError('too much')",
]


def test_a_notebook_is_executed_as_on_colab(monkeypatch):
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    first = f"ADDRESS = {REPOSITORY!r}\n{CELLS[0]}"
    cells = [nbformat.v4.new_code_cell(source) for source in (first, *CELLS[1:])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert colab_notebook.execute(notebook, sys.executable) == "ValueError: too much"
    assert colab_notebook.messages(notebook) == ["a warning", "Colab's vault is asked for HF_TOKEN"]


LOSES_A_REPLY = """
import pathlib
session, first_time = get_ipython().kernel.session, pathlib.Path(FILE)

def send(stream, name, *rest, send=session.send, **options):
    if name == "execute_reply" and not first_time.exists():
        first_time.touch()
        return session.msg(name, rest[0])
    return send(stream, name, *rest, **options)

session.send = send
"""


def test_a_lost_reply_is_noticed_and_the_notebook_runs_once_more(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(colab_client, "SECONDS_FOR_A_REPLY", 0.5)
    source = f"FILE = {str(tmp_path / 'was lost')!r}\n{LOSES_A_REPLY}"
    cells = [nbformat.v4.new_code_cell(each) for each in (source, "print('the end')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    row = colab_notebook.attempt(notebook, sys.executable, contextlib.nullcontext)
    assert row["stopped"] == "" and notebook.cells[1].outputs[0].text == "the end\n"
    said = "colab: lost on the way from the kernel: the reply to cell 1; once more\n"
    assert capsys.readouterr().out == said


@pytest.fixture(scope="module")
def frame():
    """A function: what is seen of a cell's HTML and what is wrong with it."""
    with chromium() as browser:
        yield lambda html: colab_notebook.in_a_frame(html, browser)


def test_a_figure_to_touch_is_as_high_as_its_frame_and_moves(frame):
    figure = widgets.sigmoid_softmax([0.1, -0.3, 0.5, 0.2])
    seen, wrong = frame(figure._repr_html_())
    assert not wrong and seen["touch"] == 1 and seen["height"] > 200


WRONG = {
    "missing is not defined": "<script>missing()</script>",
    "no such thing": "<script type=module>throw Error('no such thing')</script>",
    "http://example.invalid/x.png": "<img src='http://example.invalid/x.png'>",
    "px too wide": "<p style='width: 2000px'>wide</p>",
    "px high in a frame of": (
        "<p><script>setTimeout(() => document.querySelector('p').style.height = '900px', 100)"
        "</script>"
    ),
    "has not drawn itself": "<dc-x class='dc-figure'></dc-x>",
    "the keys move nothing": "<input type=range>",
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_in_a_frame_is_seen(frame, said):
    assert any(said in each for each in frame(WRONG[said])[1])


def test_what_is_tried_is_not_tried_again_unless_it_failed_or_is_named(tmp_path, monkeypatch):
    page, tried = tmp_path / "page.md", []
    page.write_text(f"before\n{colab.BEGIN}\n{colab.END}\nafter\n")
    good = next(iter(RESULTS["notebooks"].values()))

    def attempt(path):
        tried.append(path.stem[:2])
        return good | {"digest": "new", "stopped": "ValueError" if path.stem[:2] == "02" else ""}

    monkeypatch.setattr(colab, "PAGE", page)
    for module in (colab, colab_results):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(colab.compat, "write_page", lambda results: None)
    monkeypatch.setattr(colab, "attempt", attempt)
    monkeypatch.setattr(colab, "digest", lambda path: "new")
    monkeypatch.setattr(colab, "notebooks", lambda: [ROOT / f"0{i}_x.ipynb" for i in (1, 2, 3)])
    monkeypatch.setattr(colab_stack, "environment", lambda: sys.executable)
    for arguments, wanted in ((["01"], ["01"]), ([], ["02", "03"]), ([], ["02"]), (["03"], ["03"])):
        tried.clear()
        try:
            colab.main(arguments)
        except SystemExit as error:
            assert "02_x" in str(error) and tried != ["01"]
        assert tried == wanted
    written = json.loads(colab.RESULTS.read_text())
    assert set(written["notebooks"]) == {"01_x", "02_x", "03_x"}
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "ValueError" in text
    with pytest.raises(SystemExit, match="no notebook's name begins with"):
        colab.main(["99"])


def test_a_notebook_that_was_not_tried_is_said_to_be_so():
    empty = {"python": "3.13.0", "list": "the list", "notebooks": {}}
    assert colab.table(empty).count("not tried") == len(colab.notebooks())
