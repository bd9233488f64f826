"""What pages take from the exercises: the solutions, and what students get wrong.

`{solutions}` lays out the solutions of all chapters, each in a closed box: its code, and the remark
that is its docstring. With `show_solutions: false` in `_config.yml` the site has none of them.
`{typical-mistakes}` is a table of the mistakes that the tests make, each of
which must meet a hint of its own: what no test makes, the page cannot claim. Both read the files
and import nothing, so that an edit of prose is on the page in seconds.
"""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

CHECKERS = "dynconv/exercises"
SOLUTIONS = "course/solutions"
MISTAKES = "tests/exercises"
# The line below the heading of an exercise. What is far leads away from the chapter's path.
HEAD = re.compile(
    r"^\*(?P<kind>Predict|Fill in|Repair|Read|Design) · (?P<level>easy|medium|hard) ·"
    r" (?P<weight>core|useful|far) · (?P<minutes>\d+) min\.\*",
    re.MULTILINE,
)


class ExercisesPageError(ValueError):
    """A part of an exercise is missing; the message says which, and where it belongs."""


@dataclass
class Chapter:
    """The files of one chapter that has exercises."""

    root: Path
    number: str  # two digits

    @property
    def checkers(self):
        return self.root / CHECKERS / f"chapter_{self.number}.py"

    @property
    def solutions(self):
        return self.root / SOLUTIONS / f"chapter_{self.number}.py"

    @property
    def mistakes(self):
        return self.root / MISTAKES / f"chapter_{self.number}.py"

    @property
    def notebook(self):
        found = [*self.root.glob(f"notebooks/{self.number}_*.ipynb")]
        if len(found) != 1:
            raise ExercisesPageError(
                f"{self.checkers.name} has exercises for notebooks/{self.number}_*.ipynb, and there"
                f" are {len(found)} of that name"
            )
        return found[0]

    def exercises(self):
        """(number, name) of each checker, in their order."""
        for function in functions(self.checkers).values():
            yield (ast.get_docstring(function) or "").partition(":")[0], function.name

    def recognised(self):
        """{number: [mistake, ...]}: the keys of MISTAKES in the tests of the chapter."""
        for statement in parsed(self.mistakes).body:
            if (
                isinstance(statement, ast.Assign)
                and ast.unparse(statement.targets[0]) == "MISTAKES"
            ):
                table = statement.value
                return {
                    number.value: [mistake.value for mistake in mistakes.keys]
                    for number, mistakes in zip(table.keys, table.values)
                }
        raise ExercisesPageError(f"{self.mistakes} has no table MISTAKES")

    def solution(self, name):
        """(code without its docstring, docstring) of the solution of that name."""
        function = functions(self.solutions).get(name)
        if function is None:
            raise ExercisesPageError(f"{self.solutions} has no function {name}")
        lines = self.solutions.read_text(encoding="utf-8").splitlines()
        first = min([function.lineno, *(each.lineno for each in function.decorator_list)]) - 1
        remark = function.body[0]
        if ast.get_docstring(function) is None:
            raise ExercisesPageError(f"{self.solutions}: {name} has no docstring to remark on it")
        head, body = (
            lines[first : remark.lineno - 1],
            lines[remark.end_lineno : function.end_lineno],
        )
        return "\n".join([*head, "\n".join(body).lstrip("\n")]), ast.get_docstring(function)


def chapters(root):
    """Those with exercises, in order."""
    files = sorted((root / CHECKERS).glob("chapter_*.py"))
    return [Chapter(root, file.stem.removeprefix("chapter_")) for file in files]


def functions(file):
    """{name: definition} of the public functions of a file."""
    found = [node for node in parsed(file).body if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in found if not node.name.startswith("_")}


def parsed(file):
    """The syntax tree of a file."""
    if not file.exists():
        raise ExercisesPageError(f"there is no {file}")
    return ast.parse(file.read_text(encoding="utf-8"))


def solutions(root):
    """Markdown of all solutions: a heading for each chapter and each exercise."""
    for chapter in chapters(root):
        notebook = json.loads(chapter.notebook.read_text(encoding="utf-8"))
        title = "".join(notebook["cells"][0]["source"]).partition("\n")[0].lstrip("# ")
        number = int(chapter.number)
        yield f"## Chapter {number}\n\n[{title}](/notebooks/{chapter.notebook.name})\n"
        for number, name in chapter.exercises():
            code, remark = chapter.solution(name)
            yield f"### Exercise {number}\n\n::::{{dropdown}} Show the solution"
            yield f"```python\n{code}\n```\n\n{remark}\n::::\n"


def kept(root):
    """Markdown of a page without solutions, with the headings that chapters link to."""
    for chapter in chapters(root):
        yield f"## Chapter {int(chapter.number)}\n\nYour teacher keeps the solutions.\n"


def typical_mistakes(root):
    """Markdown of the table, a row for each exercise."""
    yield "| Exercise | Mistakes that its checker recognises |\n|---|---|"
    for chapter in chapters(root):
        recognised = chapter.recognised()
        for number, _ in chapter.exercises():
            if not recognised.get(number):
                raise ExercisesPageError(f"{chapter.mistakes} makes no mistakes for {number}")
            yield f"| {number} | {'; '.join(recognised[number])} |"


class ExercisesDirective(SphinxDirective):
    """Lays out Markdown that is made of the exercises below the book's folder."""

    def run(self):
        root = Path(self.env.srcdir)
        for file in sources(root):
            self.env.note_dependency(file)
        try:
            text = "\n".join(type(self).markdown(root))
        except ExercisesPageError as error:
            raise self.error(str(error)) from None
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Solutions(ExercisesDirective):
    markdown = staticmethod(solutions)

    def run(self):
        if self.config.show_solutions:
            return super().run()
        return self.parse_text_to_nodes("\n".join(kept(Path(self.env.srcdir))), True)


class TypicalMistakes(ExercisesDirective):
    markdown = staticmethod(typical_mistakes)


def sources(root):
    """The files that these pages are made of, as Sphinx names them."""
    places = (CHECKERS, SOLUTIONS, MISTAKES, "notebooks")
    found = [file for place in places for file in sorted((root / place).glob("*[0-9]*"))]
    return [file.relative_to(root).as_posix() for file in found if file.is_file()]


def read_again(app, env, added, changed, removed):
    """The pages that were made before a chapter got its exercises. (Of the files that a page was
    made of, Sphinx knows by itself.)
    """
    today = set(sources(Path(app.srcdir)))
    return [
        page
        for page, files in env.dependencies.items()
        if any(file.startswith(f"{CHECKERS}/chapter_") for file in map(str, files))
        and not today <= set(map(str, files))
    ]


def setup(app):
    app.add_config_value("show_solutions", True, "env", bool)
    app.add_directive("solutions", Solutions)
    app.add_directive("typical-mistakes", TypicalMistakes)
    app.connect("env-get-outdated", read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
