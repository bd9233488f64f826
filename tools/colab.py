"""Runs the notebooks on Colab's software, and writes what came out into the book.

`make colab` runs this. colab_stack.py makes the environment, colab_notebook.py runs a notebook.
Results go to book/colab.json, and from there into the table of book/on_colab.md, after each
notebook; one that is tried already, with this code and these packages, is not tried again unless it
is named.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys

import colab_notebook
import colab_stack
import compat
import dependencies
import nbformat
from chromium import chromium
from colab_results import RESULTS, fine, notebooks, results
from colab_stack import ROOT

PAGE = ROOT / "book/on_colab.md"
BEGIN, END = "<!-- begin: written by tools/colab.py -->", "<!-- end -->"
SHOWN = ("torch", "torchvision", "timm", "numpy", "ipython", "ipykernel", "ipywidgets")


def digest(path):
    """One line that changes with the code of a notebook, the package, and Colab's list."""
    package = dependencies.Package(ROOT)
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    parts = [*code, package.digest(package.files), *colab_stack.constraints()]
    return dependencies.digest_of_text("\n".join(parts))


def attempt(path):
    """Run one notebook in an environment without the book's package, and say what came out."""
    python = colab_stack.environment()
    before = colab_stack.installed(python)
    notebook = nbformat.read(path, as_version=4)
    row = {"tried": datetime.date.today().isoformat(), "digest": digest(path)}
    row |= colab_notebook.attempt(notebook, python, chromium)
    after = colab_stack.installed(python)
    row["added"] = {name: after[name] for name in sorted(after.keys() - before.keys())}
    row["replaced"] = sorted(name for name in before if after.get(name) != before[name])
    return row


def columns(row):
    """What the table says of a notebook that was tried: when, how long, its frames, all faults."""
    frames = row["frames"]
    high = f"{frames['outputs']}, up to {frames['highest']} px high"
    replaced = [f"{name} replaced" for name in row["replaced"]]
    faults = [*filter(None, [row["stopped"]]), *row["messages"], *replaced, *frames["wrong"]]
    return (
        row["tried"],
        f"{row['seconds']} s",
        high if frames["outputs"] else "none",
        "; ".join(fault.replace("|", "\\|") for fault in faults) or "nothing",
    )


def name(path):
    """How the table calls a notebook, in few letters: a link to its page."""
    number = path.stem.partition("_")[0]
    called = f"chapter {int(number)}" if number.isdigit() else path.stem.replace("_", " ")
    return f"[{called}](../{path.relative_to(ROOT).as_posix()})"


def table(results):
    """The results as the Markdown that the page holds."""
    lines = [
        "| notebook | tried on | took | in frames | what went wrong |",
        "|---|---|---|---|---|",
    ]
    for path in notebooks():
        row = results["notebooks"].get(path.stem)
        cells = columns(row) if row else ("not tried", "", "", "")
        lines.append(f"| {name(path)} | {' | '.join(cells)} |")
    tried = results["notebooks"].values()
    added = sorted({f"{name} {row['added'][name]}" for row in tried for name in row["added"]})
    known = colab_stack.versions()
    lines += [
        "",
        f"Tried with Python {results['python']}, "
        + ", ".join(f"{name} {known[name]}" for name in SHOWN)
        + f". {results['list']}.",
        "",
        f"The set-up cell added {', '.join(added) or 'nothing'}.",
    ]
    return "\n".join(lines)


def write(results):
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(f"colab: {PAGE} must contain the lines {BEGIN} and {END}, for the table")
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    written = between.sub(lambda _: f"{BEGIN}\n{table(results)}\n{END}", text)
    PAGE.write_text(written, encoding="utf-8")
    compat.write_page(compat.results())  # which has a row for Colab


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="make colab", description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="*", help="how a notebook's name begins; default: all")
    said = "renew Colab's list from what `pip freeze` printed, or from its makers: newest"
    parser.add_argument("--list", metavar="FILE", help=said)
    asked = parser.parse_args(arguments)
    if asked.list:
        colab_stack.renew_list(asked.list)
    unknown = [
        name for name in asked.notebook if not any(p.stem.startswith(name) for p in notebooks())
    ]
    if unknown:
        sys.exit(
            f"colab: no notebook's name begins with {unknown}; there are"
            f" {[path.stem for path in notebooks()]}"
        )
    chosen = [path for path in notebooks() if path.stem.startswith(tuple(asked.notebook or [""]))]
    found = results()
    version = subprocess.check_output(
        [colab_stack.environment(), "-c", "import platform; print(platform.python_version())"],
        text=True,
    )
    with open(colab_stack.LIST, encoding="utf-8") as file:
        head = file.readline().lstrip("# ").strip()
    if (found.get("python"), found.get("list")) != (version.strip(), head):
        found = {"python": version.strip(), "list": head, "notebooks": {}}
    for path in chosen:
        old = found["notebooks"].get(path.stem)
        if old and fine(old) and old["digest"] == digest(path) and not asked.notebook:
            continue
        print(f"colab: {path.stem}", flush=True)
        found["notebooks"][path.stem] = row = attempt(path)
        print(f"colab: {path.stem}: {'fine' if fine(row) else json.dumps(row, indent=1)}")
        write(found)
    bad = [name for name, row in found["notebooks"].items() if not fine(row)]
    if bad:
        sys.exit(f"colab: not as it should be: {bad}; see book/on_colab.md")


if __name__ == "__main__":
    main()
