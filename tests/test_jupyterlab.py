"""A chapter in JupyterLab, as `make lab` opens it: Run All, then what a reader sees and touches.

`make test` does chapter 1. By hand: LAB_CHAPTERS="01 02 05 08" pytest tests/test_jupyterlab.py
"""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import ROOT, keep_to
from notebook_files import CHAPTERS, code, folded, notebook
from PIL import Image
from test_site import by_keyboard, by_mouse, picture

NUMBERS = os.environ.get("LAB_CHAPTERS", "01").split()
OPENED = [path for path in CHAPTERS if path.stem[:2] in NUMBERS]
SECONDS_TO_START, SECONDS_TO_RUN = 60, 1200
LEGIBLE = 4.5  # the contrast that WCAG asks for text

# Python runs this first in the server and in each kernel: whom do they ask?
WATCH_THE_NETWORK = """
import sys

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if str(host) not in ("None", "", "localhost", "127.0.0.1", "::1", "0.0.0.0"):
        with open({file!r}, "a") as log:
            log.write(f"{{event}} {{host}}\\n")

sys.addaudithook(watch)
"""


@dataclass
class Lab:
    """A running server, and what it and its kernels asked of others."""

    folder: Path
    address: str
    token: str
    log: Path

    def asked(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab by the command of `make lab`, on copies of the chapters alone."""
    own = tmp_path_factory.mktemp("lab")
    chapters, log = own / "chapters", own / "asked.txt"
    for folder in (chapters, own / "python"):
        folder.mkdir()
    for path in OPENED:
        shutil.copy(path, chapters)
    (own / "python/sitecustomize.py").write_text(WATCH_THE_NETWORK.format(file=str(log)))
    folders = {"RUNTIME": "runtime", "CONFIG": "config", "DATA": "data"}
    environment = {name: value for name, value in os.environ.items() if name != "YOLO_OFFLINE"}
    environment |= {f"JUPYTER_{name}_DIR": str(own / value) for name, value in folders.items()}
    environment["PYTHONPATH"] = str(own / "python")
    ask = ["make", "--dry-run", "--no-print-directory", "lab"]  # `make test` is a make around it
    recipe = subprocess.check_output(ask, cwd=ROOT, text=True)
    command = shlex.split(recipe.splitlines()[-1])
    assert command[:2] == ["jupyter", "lab"] and command.pop() == "notebooks", command
    command[0] = str(Path(sys.executable).with_name("jupyter"))
    with open(own / "server.txt", "w") as output:
        server = subprocess.Popen(
            [*command, "--no-browser", str(chapters)], env=environment, stdout=output, stderr=output
        )
    try:
        running = own / f"runtime/jpserver-{server.pid}.json"
        end = time.monotonic() + SECONDS_TO_START
        while not running.exists():
            assert server.poll() is None and time.monotonic() < end, (
                f"JupyterLab does not start: {(own / 'server.txt').read_text()}"
            )
            time.sleep(0.1)
        said = json.loads(running.read_text())
        yield Lab(chapters, said["url"], said["token"], log)
    finally:
        server.terminate()
        server.wait(timeout=60)


@dataclass
class Opened:
    """A chapter in the browser after Run All; `source` is the chapter of the book, `file` the copy
    that was opened.
    """

    source: Path
    file: Path
    page: object
    foreign: list = field(default_factory=list)

    def saved(self):
        """The notebook with its outputs, as the reader would save it."""
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1000)
        return nbformat.read(self.file, as_version=4)

    def menu(self, *names):
        """Click through the menus at the top."""
        for name in names:
            entries = self.page.locator(".lm-MenuBar-item, .lm-Menu-item")
            entries.filter(has=self.page.get_by_text(name, exact=True)).last.click()


@pytest.fixture(scope="module", params=OPENED, ids=lambda path: path.stem)
def run(request, browser, lab):
    """The chapter in JupyterLab, after Run All."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    opened = Opened(request.param, lab.folder / request.param.name, context.new_page())
    keep_to(lab.address, context, opened.foreign)
    page = opened.page
    page.goto(f"{lab.address}lab/tree/{opened.file.name}?reset&token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=SECONDS_TO_START * 1000)
    kernels = f"{lab.address}api/kernels?token={lab.token}"
    end = time.monotonic() + SECONDS_TO_START
    while [kernel["execution_state"] for kernel in context.request.get(kernels).json()] != ["idle"]:
        assert time.monotonic() < end, "JupyterLab starts no kernel for the chapter"
        page.wait_for_timeout(100)
    opened.menu("Run", "Run All Cells")
    end = time.monotonic() + SECONDS_TO_RUN
    while not ended(opened.saved()):
        assert time.monotonic() < end, "the chapter has not come to its end"
    yield opened
    context.request.delete(
        kernels.replace("?", f"/{context.request.get(kernels).json()[0]['id']}?")
    )
    context.close()


def code_cells(content):
    return [cell for cell in content.cells if cell.cell_type == "code"]


def errors(content):
    outputs = [output for cell in code_cells(content) for output in cell.outputs]
    return [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]


def ended(content):
    """JupyterLab runs no cell after one that fails."""
    return bool(errors(content)) or all(cell.execution_count for cell in code_cells(content))


@pytest.fixture
def page(run, lab):
    """The chapter's page; no test of it may have asked another host for anything."""
    yield run.page
    asked = {"page": run.foreign, "server or kernel": lab.asked()}
    assert not any(asked.values()), f"another host is asked: {asked}"


def test_run_all_comes_to_the_end_without_an_error(page, run):
    content = run.saved()
    assert not errors(content)
    assert all(cell.execution_count for cell in code_cells(content))


def test_folded_cells_are_folded(page, run):
    cells = page.locator(".jp-Notebook .jp-Cell")
    shown = cells.evaluate_all("cells => cells.map(c => !c.querySelector('.jp-InputPlaceholder'))")
    kinds = [cell.cell_type for cell in notebook(run.source).cells]
    wanted = [not folded(cell) for cell in notebook(run.source).cells]
    assert len(shown) == len(wanted) and not all(wanted)
    wrong = [i for i in range(len(kinds)) if kinds[i] == "code" and shown[i] != wanted[i]]
    assert not wrong, f"these cells show their code, or hide it, and should not: {wrong}"


@pytest.mark.parametrize("operate", [by_keyboard, by_mouse])
def test_figures_to_touch_move(page, run, operate):
    called = len(re.findall(r"\bwidgets\.\w+\(", code(run.source)))
    figures = page.locator(".jp-Notebook .dc-figure:has(> script):not(dc-questions)").all()
    assert len(figures) == called
    for figure in figures:
        # It draws itself when it comes near; the page moves while cells above find their height.
        end = time.monotonic() + SECONDS_TO_START
        while not figure.locator("input[type=range]").count():
            assert time.monotonic() < end, "a figure to touch has not drawn itself"
            figure.evaluate("figure => figure.scrollIntoView()")
            page.wait_for_timeout(200)
        slider = figure.locator("input[type=range]").first
        slider.scroll_into_view_if_needed()
        value, before = slider.input_value(), picture(slider)
        operate(slider)
        assert slider.input_value() != value and picture(slider) != before


# Of a text that is not drawn, checkVisibility() tells within an SVG nothing.
TEXTS = """figure => {
  const corner = figure.getBoundingClientRect(), texts = [];
  const walk = document.createTreeWalker(figure, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
    let opacity = 1, drawn = text !== '';
    for (let e = parent; e; e = e.parentElement) {
      opacity *= getComputedStyle(e).opacity;
      drawn &&= getComputedStyle(e).display !== 'none';
    }
    if (!drawn) continue;
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    const box = range.getBoundingClientRect(), style = getComputedStyle(parent);
    const colour = (parent.closest('svg') ? style.fill : style.color).match(/[\\d.]+/g).map(Number);
    const place = [box.left - corner.left, box.top - corner.top, box.width, box.height];
    texts.push({text, colour, opacity, place});
  }
  return texts;
}"""


def luminance(colour):
    """Relative luminance of 0..255 RGB, as WCAG defines it."""
    c = np.asarray(colour, float)[..., :3] / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrasts(figure):
    """{text: its contrast with what it stands on, at worst}; that fills most of a text's box."""
    pixels = np.asarray(Image.open(io.BytesIO(figure.screenshot())).convert("RGB"))
    found = {}
    for text in figure.evaluate(TEXTS):
        left, top, width, height = (max(0, round(value)) for value in text["place"])
        box = pixels[top : top + height, left : left + width].reshape(-1, 3)
        ground = np.median(box, axis=0)
        ink = text["opacity"] * np.array(text["colour"][:3]) + (1 - text["opacity"]) * ground
        dark, light = sorted([luminance(ink), luminance(ground)])
        found[text["text"]] = min(found.get(text["text"], 21), (light + 0.05) / (dark + 0.05))
    return found


def test_figures_are_legible_in_the_dark_theme(page, run):
    run.menu("Settings", "Theme", "JupyterLab Dark")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    try:
        figures = page.locator(".jp-Notebook .dc-figure").all()
        assert figures
        for figure in figures:
            figure.scroll_into_view_if_needed()
            found = contrasts(figure)
            assert found, "a figure without any text has not been drawn"
            faint = {text: contrast for text, contrast in found.items() if contrast < LEGIBLE}
            assert not faint, f"contrast below {LEGIBLE}: {faint}"
    finally:
        run.menu("Settings", "Theme", "JupyterLab Light")
