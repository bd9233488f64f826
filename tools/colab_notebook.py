"""One notebook as Colab runs it: in an empty folder, with nothing beside it, in a kernel that has
`google.colab`; and the HTML that it leaves, each cell's in a frame of its own.
"""

import json
import os
import re
import tempfile
import time
from pathlib import Path

import yaml
from execution import SECONDS_FOR_A_CELL

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = ROOT / "tools/colab"
KEPT = re.compile("PATH|LANG|LC_.*|TMPDIR|SSL_.*|PIP_.*|OMP_.*|.*_proxy", re.IGNORECASE)
PROGRESS = re.compile(r"\r|\d%\||\x1b\[[0-9;]*[A-Zm]")
LOST = "lost on the way from the kernel"
WIDTH, EMPTY = 800, 16  # px: about Colab's width of an output, and the height before it is told


def execute(notebook, python):
    """Run the cells of a notebook and keep their outputs in it. Returns what stopped it, or ''."""
    # here, not above: reading the results needs no Jupyter
    from colab_client import Client
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    with tempfile.TemporaryDirectory() as folder:
        content, kernels, home = (Path(folder, name) for name in ("content", "kernels", "home"))
        for each in (content, kernels / "colab", home):
            each.mkdir(parents=True)
        command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        command.append("--IPKernelApp.kernel_class=google.colab._kernel.Kernel")
        spec = {"argv": command, "display_name": "Colab", "language": "python"}
        (kernels / "colab/kernel.json").write_text(json.dumps(spec))
        client = Client(
            notebook,
            km=AsyncKernelManager(
                kernel_name="colab",
                kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)]),
            ),
            timeout=SECONDS_FOR_A_CELL,
            resources={"metadata": {"path": str(content)}},
        )
        try:
            client.execute(env=surroundings(python, home), cleanup_kc=True)
        except (CellControlSignal, DeadKernelError) as error:  # a cell failed or took too long
            if client.lost:
                return f"{LOST}: {client.lost}"
            named = getattr(error, "ename", type(error).__name__)
            return f"{named}: {getattr(error, 'evalue', error)}".strip().splitlines()[0]
    return ""


def surroundings(python, home):
    """The environment variables of the kernel: nothing of the reader's, and the address from which
    the set-up cell installs leads to this repository's last commit.
    """
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    return kept | {
        "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(STAND_IN),
        "HOME": str(home),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", os.path.expanduser("~/.cache/pip")),
        "MPLCONFIGDIR": str(ROOT / ".venv/colab/matplotlib"),  # Colab has its cache of fonts ready
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # Colab's kernel has no debugger that would warn
        "COLAB_RELEASE_TAG": "a stand-in",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": settings["repository"]["url"],
    }


def messages(notebook):
    """What stands on stderr below the cells, each line once, without progress bars."""
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    lines = [line.strip() for line in "".join(streams).split("\n") if not PROGRESS.search(line)]
    return list(dict.fromkeys(filter(None, lines)))


def pages(notebook):
    """[(number of the code cell, its HTML)], of the cells that show some."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = []
    for number, cell in enumerate(code, 1):
        data = [o.data for o in cell.outputs if o.output_type in ("display_data", "execute_result")]
        if html := "\n".join(each["text/html"] for each in data if "text/html" in each):
            found.append((number, html))
    return found


HOST = """([frame, width, empty]) => {
  const element = document.createElement('iframe');
  element.sandbox = 'allow-scripts';
  element.style = `border:0; width:${width}px; height:${empty}px`;
  addEventListener('message', event => { element.style.height = event.data + 'px'; });
  element.srcdoc = frame;
  const loaded = new Promise(done => element.addEventListener('load', () => done()));
  document.body.append(element);
  return loaded;
}"""
MEASURE = """() => {
  const root = document.documentElement, moving = [...document.querySelectorAll('.dc-figure')];
  const custom = moving.filter(e => e.localName.includes('-'));
  return {height: root.scrollHeight, shown: innerHeight, wide: root.scrollWidth - innerWidth,
          touch: custom.length, ready: custom.filter(e => e.matches('.dc-ready')).length};
}"""


def in_frames(notebook, browser):
    """{'outputs', 'touch': how many; 'highest': px; 'wrong': [what was wrong in which cell]}."""
    total = {"outputs": 0, "touch": 0, "highest": 0, "wrong": []}
    for number, html in pages(notebook):
        seen, wrong = in_a_frame(html, browser)
        total["outputs"] += 1
        total["touch"] += seen["touch"]
        total["highest"] = max(total["highest"], seen["height"])
        total["wrong"] += [f"cell {number}: {each}" for each in dict.fromkeys(wrong)]
    return total


def in_a_frame(html, browser):
    """(what MEASURE tells at the end, what was wrong on the way)."""
    wrong = []
    context = browser.new_context(viewport={"width": WIDTH + 40, "height": 900})
    context.route("**/*", lambda route: (wrong.append(route.request.url), route.abort()))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.set_content("<!doctype html><body></body>")
    page.evaluate(HOST, [(STAND_IN / "frame.html").read_text(), WIDTH, EMPTY])
    frame = page.frames[-1]
    frame.evaluate("html => show(html)", html)
    for theme in ("light", "dark"):
        frame.evaluate("theme => document.documentElement.setAttribute('theme', theme)", theme)
        page.wait_for_timeout(300)
        seen = frame.evaluate(MEASURE)
        if seen["height"] > seen["shown"]:
            wrong.append(f"{seen['height']} px high in a frame of {seen['shown']} px")
        if seen["wide"] > 0:
            wrong.append(f"{seen['wide']} px too wide")
        if seen["ready"] < seen["touch"]:
            wrong.append("a figure to touch has not drawn itself")
    if slider := frame.query_selector("input[type=range]"):
        slider.focus()
        texts = [frame.inner_text("body")]
        for key in ("Home", "End"):
            page.keyboard.press(key)
            texts.append(frame.inner_text("body"))
        if len(set(texts)) == 1:
            wrong.append("the keys move nothing")
    context.close()
    return seen, wrong


def attempt(notebook, python, chromium):
    """All that is to be known of one run. `chromium`: gives a browser, as `chromium.chromium`."""
    for _ in range(2):
        begin = time.monotonic()
        stopped = execute(notebook, python)
        seconds = round(time.monotonic() - begin)
        if not stopped.startswith(LOST):
            break
        print(f"colab: {stopped}; once more", flush=True)
    with chromium() as browser:  # not before: Playwright's event loop and that of Jupyter
        frames = in_frames(notebook, browser)
    return {
        "stopped": stopped,
        "seconds": seconds,
        "messages": messages(notebook),
        "frames": frames,
    }
