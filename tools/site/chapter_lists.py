"""Lists of the chapters, made from what each chapter says of itself.

`{chapters} I` lays out the pages of part I in `_toc.yml` as cards: a picture (pictures.py), the
question that the page answers, how long it takes to read and took to run, and its level.
`{lesson-plan}` is a table of the chapters with their minutes, for teachers. A notebook says it in
its metadata, under `book`: `question`, and a chapter also `level`, `lesson_minutes` and
`afterwards`; a prose page says `question` in its front matter. {chapter}`3` is a link to chapter 3,
whatever its file is called.
"""

import json
import re
from pathlib import Path

import executed_chapters
import pictures
import yaml
from docutils import nodes
from exercises_pages import HEAD
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

LEVELS = ("easy", "medium", "hard")  # of a chapter, as of an exercise


class ChapterListError(ValueError):
    """A page does not say of itself what a list needs."""


def parts(root):
    """{numeral: pages} of the parts of `_toc.yml` whose caption begins with a numeral."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    captions = {part.get("caption", ""): part["chapters"] for part in toc.get("parts", ())}
    return {
        caption.partition(". ")[0]: [entry["file"] for entry in chapters]
        for caption, chapters in captions.items()
        if ". " in caption
    }


def of_part(root, numeral):
    """The pages of the part whose caption begins with this numeral, as `_toc.yml` names them."""
    try:
        return parts(root)[numeral]
    except KeyError:
        raise ChapterListError(
            f"_toc.yml has no part whose caption begins with '{numeral}. '"
        ) from None


def mark_page(app, pagename, templatename, context, doctree):
    """Say on a page of a part that it is one: theme_static/progress.js keeps what is read of it."""
    for numeral, pages in parts(Path(app.srcdir)).items():
        if pagename in pages:
            tag = f'<meta name="book-part" content="{numeral}" />'
            context["metatags"] = context.get("metatags", "") + tag


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


def facts(root, name):
    """What a card says below the question of a page: its minutes, its seconds, its level."""
    notebook = root / f"{name}.ipynb"
    if not notebook.exists():
        return []
    content = json.loads(notebook.read_text(encoding="utf-8"))
    level = content["metadata"]["book"].get("level")
    if level not in (None, *LEVELS):
        raise ChapterListError(f"{name}.ipynb: its level is one of {LEVELS}, not {level!r}")
    minutes = re.search(
        r"^\| Reading time \| (\d+) min", "".join(content["cells"][0]["source"]), re.M
    )
    seconds = executed_chapters.seconds(name)
    found = {"{} min to read": minutes and minutes[1], "{} s to run": seconds, "{}": level}
    return [text.format(value) for text, value in found.items() if value]


class ChapterListDirective(SphinxDirective):
    """Lays out `content_of(root)`, or fails the build with its error."""

    def run(self):
        try:
            return self.content_of(Path(self.env.srcdir))
        except ChapterListError as error:
            raise self.error(str(error)) from None


class Chapters(ChapterListDirective):
    required_arguments = 1

    def content_of(self, root):
        cards = nodes.bullet_list(classes=["chapter-cards"])
        cards += [self.card(root, name) for name in of_part(root, self.arguments[0])]
        return [cards, *(nodes.paragraph("", text) for text in self.missing(root))]

    def card(self, root, name):
        title, question = say(root, name, "question")
        link = addnodes.pending_xref(
            "", nodes.inline("", title), refdomain="std", reftype="doc", reftarget=f"/{name}",
            refexplicit=True, refwarn=True,
        )  # fmt: skip
        return nodes.list_item(
            "",
            nodes.raw("", pictures.of_page(name), format="html"),
            nodes.paragraph("", "", link, classes=["card-title"]),
            nodes.paragraph("", question, classes=["card-question"]),
            nodes.paragraph("", " · ".join(facts(root, name)), classes=["card-facts"]),
        )

    def missing(self, root):
        """Of a gap in the numbers behind a chapter of this part."""
        part, there = of_part(root, self.arguments[0]), numbered(root)
        for number in set(range(1, max(there, default=0))) - there.keys():
            if there.get(number - 1) in part:
                yield f"Chapter {number} is in preparation."


class LessonPlan(ChapterListDirective):
    def content_of(self, root):
        return self.parse_text_to_nodes("\n".join(self.rows(root)))

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
    app.connect("html-page-context", mark_page)
    app.add_role("chapter", ChapterRole())
    app.add_directive("lesson-plan", LessonPlan)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
