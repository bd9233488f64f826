"""The executed copies of the chapters become their pages, with an anchor for each code cell and the
time that they took.
"""

import datetime
import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).resolve().parents[1]))
import execution

RUN_TIME = "measured in each build"  # the text of the link that each chapter opens with


def executed():
    """{name of the document: Chapter}."""
    chapters = execution.chapters_of_this_build()
    return {str(Path(each.name).with_suffix("")): each for each in chapters}


def read_copy(app, docname, source):
    """Sphinx reads a notebook of the book: give it the executed copy."""
    chapter = executed().get(docname)
    if chapter is None:
        return
    if chapter.result() is None:
        logging.getLogger(__name__).warning("%s is not executed: run `make book`", chapter.name)
    else:
        chapter.write_copy()  # with the prose of today, also without `make book`
        source[0] = chapter.copy.read_text(encoding="utf-8")


def write_run_time(app, doctree, docname):
    """Replace the link text 'measured in each build' by the seconds of the last execution."""
    took = seconds(docname)
    if took is None:
        return
    for link in doctree.findall(nodes.reference):
        if link.astext() == RUN_TIME:
            link.children = []
            link += nodes.inline("", f"{took} s in this build", classes=["run-time"])


def seconds(docname):
    """How long the last execution of the chapter took; None if it is none, or was not executed."""
    chapter = executed().get(docname)
    result = chapter and chapter.result()
    return max(1, round(result["seconds"])) if result else None


def anchor_cells(app, doctree):
    """A code cell with the id 06-solved-code in its notebook is found at #cell-06-solved-code on
    its page.
    """
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    for node in doctree.findall(nodes.container):
        if "cell_index" in node and "id" in cells[node["cell_index"]]:
            node["ids"].append(f"cell-{cells[node['cell_index']]['id']}")
        if node.get("hide_mode") == "all":  # code and output: what a prediction is followed by
            node["prompt_show"], node["prompt_hide"] = "Show the experiment", "Hide the experiment"


class ExecutionTable(SphinxDirective):
    """`{execution-table}`: when each chapter was executed, how long it took, and its memory."""

    def run(self):
        rows = [
            "| Chapter | Finished (UTC) | Seconds | GB, one | GB, all |",
            "|---|---|--:|--:|--:|",
        ]
        chapters = executed()
        for docname in sorted(chapters, key=lambda name: (name.startswith("book/"), name)):
            chapter = chapters[docname]
            result = chapter.result()
            if result:
                held = {key: most / 1e9 for key, most in result["memory"].items()}
                when = datetime.datetime.fromtimestamp(result["finished"], datetime.UTC)
                title = chapter.notebook.cells[0].source.partition("\n")[0].lstrip("# ")
                rows.append(
                    f"| [{title}](/{docname}.ipynb) | {when:%Y-%m-%d %H:%M} |"
                    f" {result['seconds']:.0f} | {held['one']:.2f} | {held['all']:.2f} |"
                )
        return self.parse_text_to_nodes("\n".join(rows))


def setup(app):
    app.add_directive("execution-table", ExecutionTable)
    app.connect("source-read", read_copy)
    app.connect("doctree-read", anchor_cells)
    app.connect("doctree-resolved", write_run_time)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
