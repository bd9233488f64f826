"""What a link leads to, shown beside it: a formula, a figure, a term, a section of another page.

For each page there is one script, _static/previews/PAGE.js, with an excerpt of every place that the
page's text links to. book/theme_static/previews.js loads it when a reader first points at a link.
An excerpt is made of the built page: its own HTML without links, scripts, controls and ids.

(Of what exists, sphinx-tippy brings two libraries from another host, and sphinx-hoverxref asks a
server for each card.)
"""

import html
import json
import posixpath
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

ARTICLE = re.compile(r'<article class="bd-article.*?</article>', re.DOTALL)
LINK = re.compile(r'<a class="[^"]*\breference internal\b[^"]*" href="([^"#]*)(#[^"]+)?"')
SCRIPT = re.compile(r'<script (?:defer )?(?=src="([^"]*)_static/book\.js)')
FIGURE = re.compile(r'<style>[^<]*</style>\s*<figure class="dc-figure".*?</figure>', re.DOTALL)
NUMBER = re.compile(r'<a class="figure-number"[^>]*>(.*?)</a>')
FIRST_SECTION = re.compile(r'<section id="([^"]*)"')

STYLES = 4000  # letters before a figure in which its style begins
ENOUGH = 320  # letters: an excerpt ends with the paragraph that reaches them
BLOCKS = {"p", "li", "dd", "pre", "table", "div"}
HEADINGS = {"h1", "h2", "h3", "h4"}
VOID = {"br", "hr", "wbr", "path", "line"}
LEFT_OUT = {"button", "details", "iframe", "img", "input", "nav", "script", "style", "video"}
LEFT_OUT_CLASSES = {"headerlink", "cell", "dc-figure", "figure-caption", "run-time"}
LEFT_OUT_ATTRIBUTES = re.compile(r"id|on.*|href|src|name|for|tabindex|target")


class Excerpt(HTMLParser):
    """The beginning of the element that stands at `start`; a term goes on with what it means."""

    def __init__(self, page, start, enough=ENOUGH):
        super().__init__()
        self.parts, self.letters, self.enough = [], 0, enough
        self.open, self.skipped, self.done = [], [], False
        self.first = True
        for at in range(start, len(page), 2000):  # a page is long, and the beginning is enough
            self.feed(page[at : at + 2000])
            if self.done:
                break
        self.html = "".join(self.parts + [f"</{tag}>" for tag in reversed(self.open)])

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        classes = set((attributes.get("class") or "").split())
        if self.done or self.skipped:
            if self.skipped and tag == self.skipped[0]:
                self.skipped.append(tag)
        elif tag in LEFT_OUT or (classes & LEFT_OUT_CLASSES and not self.first):
            self.skipped = [] if tag in ("img", "input") else [tag]
        elif tag in HEADINGS and self.letters:
            self.done = True
        elif tag != "a":
            kept = "".join(
                f' {name}="{html.escape(value or "")}"'
                for name, value in attributes.items()
                if not LEFT_OUT_ATTRIBUTES.fullmatch(name)
            )
            self.parts.append(f"<{tag}{kept}>")
            if tag not in VOID:
                self.open.append(tag)
        self.first = False

    def handle_endtag(self, tag):
        if self.skipped:
            if tag == self.skipped[0]:
                self.skipped.pop()
        elif not self.done and self.open and tag == self.open[-1]:
            self.open.pop()
            self.parts.append(f"</{tag}>")
            full = tag in BLOCKS and self.letters >= self.enough
            self.done = full or (not self.open and tag != "dt")

    def handle_data(self, data):
        if self.open and not self.done and not self.skipped:
            self.parts.append(html.escape(data, quote=False))
            self.letters += len(data.strip())


def excerpt(page, name):
    """HTML of what stands at #name of a page, or of its beginning; None if that shows nothing."""
    enough = ENOUGH
    if not name and (section := FIRST_SECTION.search(page)):
        name, enough = section[1], 1
    place = re.search(rf'<\w[^>]* id="{re.escape(name)}"', page) if name else None
    if not place:
        return None
    start = place.start()
    if name.startswith("cell-"):
        end = page.find('<div class="cell ', start + 1)
        figures = FIGURE.finditer(page, max(0, start - STYLES), end if end > 0 else len(page))
        if figure := next((each[0] for each in figures if each.end() > start), None):
            figure = NUMBER.sub(r'<b class="figure-number">\1</b>', figure)
            return figure.replace(f' id="{name}"', "")
    found = Excerpt(page, start, enough)
    return found.html if found.letters else None


def collect(app, exception):
    """Write the excerpts for each page, and say in the page where they are."""
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)

    @cache
    def read(name):
        file = site / name
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    @cache
    def shown(name, anchor):
        return excerpt(read(name), anchor)

    for page in sorted(site.glob("[!_]*/**/*.html")):
        here = page.relative_to(site).as_posix()
        article = ARTICLE.search(read(here))
        found = {}
        for address, anchor in LINK.findall(article[0]) if article else ():
            name = posixpath.normpath(posixpath.join(posixpath.dirname(here), address))
            name = name if address else here
            if name.endswith(".html") and (content := shown(name, anchor[1:])):
                found[html.unescape(address + anchor)] = content
        if found:
            written = f"_static/previews/{here.removesuffix('.html')}.js"
            (site / written).parent.mkdir(parents=True, exist_ok=True)
            data = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
            (site / written).write_text(f"window.previews={data}\n", encoding="utf-8")
            told = SCRIPT.sub(rf'\g<0>data-previews="\g<1>{written}" ', read(here))
            page.write_text(told, encoding="utf-8")


def setup(app):
    app.add_css_file("previews.css")
    app.add_js_file("previews.js")
    # when the pages are as they will be read, before tools/site/lean_pages.py
    app.connect("build-finished", collect, priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
