"""The prose of the book as tests read it: pages, their sections, paragraphs and sentences."""

import ast
import functools
import re
from dataclasses import dataclass, field

from conftest import REPOSITORY, ROOT, SITE
from docutils.nodes import make_id
from notebook_files import COLAB, NOTEBOOKS, cells, parsed

PAGES = NOTEBOOKS + sorted((ROOT / "book").glob("*.md"))
OURS = (SITE, REPOSITORY, COLAB)


@dataclass
class Section:
    """From one heading of the second level to the next; the opening of a page has the title ''."""

    title: str
    markdown: str = ""
    code: list = field(default_factory=list)

    @functools.cached_property
    def paragraphs(self):
        """Of the text, and of what code shows as text. An item or a row stands for itself."""
        text = re.sub(r"<!-- begin: written by .*?<!-- end -->", "", self.markdown, flags=re.DOTALL)
        text = text.replace("```{glossary}", "")  # prose; other fences hold code and directives
        text = re.sub(r"^ *(```|~~~).*?^ *\1 *$", "", text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"^ *:(::|\w+:).*", "", text, flags=re.MULTILINE)
        blocks = re.split(r"\n\s*\n|\n(?=\s*[-*|:] )|(?:^|\n)\s*\d+\. ", text)
        shown = [sentence for source in self.code for sentence in shown_by(source)]
        return [" ".join(block.split()) for block in blocks + shown if block.strip()]

    @property
    def headings(self):
        return [self.title, *re.findall(r"^### (.+)", self.markdown, re.MULTILINE)]


@functools.cache
def sections(page):
    found = [Section("")]
    if page.suffix == ".md":
        add_text(found, re.sub(r"\A---\n.*?\n---\n", "", page.read_text("utf-8"), flags=re.DOTALL))
        return found
    for cell in cells(page):
        if cell.cell_type == "markdown":
            add_text(found, cell.source)
        else:
            found[-1].code.append(cell.source)
    return found


def add_text(found, text):
    first, *others = re.split(r"^## ", text, flags=re.MULTILINE)
    found[-1].markdown += first + "\n\n"
    for other in others:
        title, _, rest = other.partition("\n")
        found.append(Section(title.strip(), rest + "\n\n"))


def shown_by(source):
    """The texts that code shows: captions, alternative texts, Markdown; with § for what is computed
    in them.
    """
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Call):
            shown = [word.value for word in node.keywords if word.arg in ("alt", "caption")]
            shown += node.args if ast.unparse(node.func) == "Markdown" else []
            yield from (" ".join("".join(words_of(one)).split()) for one in shown)


def words_of(node):
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            for value in values:
                yield from words_of(value)
        case ast.BinOp(left=left, right=right):
            yield from words_of(left)
            yield from words_of(right)
        case _:
            yield "§"


def sentences(paragraph):
    end = r"(?:(?<=[.!?:])|(?<=[.!?:][*')])|(?<=[.!?:]\*\*))\s+(?=[A-Z*`'\[(])"
    return re.split(end, re.sub(r"<!--.*?-->", "", paragraph))


def without_marks(text):
    """As a reader sees it: no addresses and marks of Markdown."""
    text = re.sub(r"(?<=\])\([^)]*\)|[*`\[\]]", "", text)
    return " ".join(text.split())


def links(text):
    return re.findall(r"\]\(([^)\s]+)\)", text)


def sources(text):
    """Links that lead out of the book, and citations."""
    outside = [one for one in links(text) if one.startswith("http") and not one.startswith(OURS)]
    return outside + re.findall(r"\{cite:\w+\}`[^`]+`", text)


def target(page, link):
    """The section of the book to which a link leads, in a list: all of a page if it names none,
    nothing if it leads out of the book.
    """
    address, _, anchor = link.removeprefix(SITE + "/").partition("#")
    if address.startswith("http"):
        return []
    if link.startswith(SITE):
        stem = ROOT / address.removesuffix(".html")
        file = next((f for s in (".md", ".ipynb") if (f := stem.with_suffix(s)) in PAGES), None)
    else:
        file = (page.parent / address).resolve() if address else page
    if file not in PAGES:
        return []
    found = sections(file)
    if anchor.startswith("term-"):
        return [entry(found, anchor)]
    return [s for s in found if not anchor or anchor in map(make_id, s.headings)]


def entry(found, anchor):
    """The entry of a glossary as a section."""
    text = "\n\n".join(section.markdown for section in found)
    blocks = re.findall(r"^(\S.*)\n((?:  .*\n|\n)+)", text, re.MULTILINE)
    words = {make_id("term-" + name): words for name, words in blocks}
    return Section(anchor, words.get(anchor, ""))
