"""Tables of the chapters, made from what each chapter says of itself.

`{chapters} I` lists the pages of part I in `_toc.yml`, each with the question that it answers;
`{lesson-plan}` lists the chapters with their minutes, for teachers. A notebook says it in its
metadata, under `book`: `question`, and a chapter also `lesson_minutes` and `afterwards`; a prose
page says `question` in its front matter. {chapter}`3` is a link to chapter 3, whatever its file is
called.
"""

import json
import re
from pathlib import Path

import yaml
from docutils import nodes
from exercises_pages import HEAD
from sphinx.util.docutils import SphinxDirective, SphinxRole


class ChapterListError(ValueError):
    """A page does not say of itself what a list needs."""


def of_part(root, numeral):
    """The pages of the part whose caption begins with this numeral, as `_toc.yml` names them."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc["parts"]:
        if part.get("caption", "").startswith(f"{numeral}. "):
            return [entry["file"] for entry in part["chapters"]]
    raise ChapterListError(f"_toc.yml has no part whose caption begins with '{numeral}. '")


def say(root, name, *fields):
    """What the page says of itself: its title and these fields.

    Raises:
        ChapterListError: there is no such page, or a field is missing; the message says where to
            write it.
    """
    notebook, page = root / f"{name}.ipynb", root / f"{name}.md"
    if notebook.exists():
        content = json.loads(notebook.read_text(encoding="utf-8"))
        text, said = "".join(content["cells"][0]["source"]), content["metadata"].get("book", {})
        where = f'{name}.ipynb: its metadata need "book": {{...}} with'
    elif page.exists():
        matter, text = re.fullmatch(
            r"(?:---\n(.*?)---\n)?(.*)", page.read_text(encoding="utf-8"), re.DOTALL
        ).groups()
        said, where = yaml.safe_load(matter or "{}"), f"{name}.md: its front matter needs"
    else:
        raise ChapterListError(
            f"_toc.yml names {name}, and there is neither {name}.ipynb nor {name}.md"
        )
    if missing := [field for field in fields if not said.get(field)]:
        raise ChapterListError(f"{where} {', '.join(missing)}")
    title = re.search(r"^# (.+)", text, re.MULTILINE)[1]
    return [title, *(said[field] for field in fields)]


def numbered(root):
    """{number: name} of the chapters."""
    files = sorted(root.glob("notebooks/[0-9][0-9]_*.ipynb"))
    return {int(file.stem[:2]): f"notebooks/{file.stem}" for file in files}


def link(root, name):
    """The page as MyST links to it from anywhere."""
    return f"/{name}.ipynb" if (root / f"{name}.ipynb").exists() else f"/{name}.md"


def exercise_minutes(root, name):
    """The sum of the minutes that the exercises of a chapter state."""
    cells = json.loads((root / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return sum(int(head["minutes"]) for head in HEAD.finditer(prose))


class TableDirective(SphinxDirective):
    """Lays out `rows()`, Markdown of a table, or fails the build with its error."""

    def run(self):
        try:
            return self.parse_text_to_nodes("\n".join(self.rows(Path(self.env.srcdir))))
        except ChapterListError as error:
            raise self.error(str(error)) from None


class Chapters(TableDirective):
    required_arguments = 1

    def rows(self, root):
        yield from ("| Chapter | Question |", "|---|---|")
        for name in of_part(root, self.arguments[0]):
            title, question = say(root, name, "question")
            yield f"| [{title}]({link(root, name)}) | {question} |"
        yield from self.missing(root)

    def missing(self, root):
        """Of a gap in the numbers behind a chapter of this part."""
        part, there = of_part(root, self.arguments[0]), numbered(root)
        for number in set(range(1, max(there, default=0))) - there.keys():
            if there.get(number - 1) in part:
                yield from ("", f"Chapter {number} is in preparation.")


class LessonPlan(TableDirective):
    def rows(self, root):
        yield "| Chapter | Reading aloud, with figures | Exercises | Students can afterwards |"
        yield "|---|---|---|---|"
        for file in sorted(root.glob("notebooks/*.ipynb")):
            name = f"notebooks/{file.stem}"
            title, minutes, afterwards = say(root, name, "lesson_minutes", "afterwards")
            exercises, address = exercise_minutes(root, name), link(root, name)
            yield f"| [{title}]({address}) | {minutes} min | {exercises} min | {afterwards} |"


class ChapterRole(SphinxRole):
    def run(self):
        name = numbered(Path(self.env.srcdir)).get(int(self.text))
        if name is None:
            text = f"there is no chapter {self.text}"
            return [], [self.inliner.reporter.error(text, line=self.lineno)]
        uri = self.env.app.builder.get_relative_uri(self.env.docname, name)
        return [nodes.reference("", f"chapter {self.text}", refuri=uri, internal=True)], []


def setup(app):
    app.add_directive("chapters", Chapters)
    app.add_role("chapter", ChapterRole())
    app.add_directive("lesson-plan", LessonPlan)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
