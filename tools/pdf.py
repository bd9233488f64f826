"""Writes the book as one PDF: `make pdf`, from the site that `make book` has built.

All pages of _toc.yml stand one after the other in one long page, which Chromium prints: so a link
from chapter to chapter leads on inside the PDF, its outline has all headings, and figures to touch
are drawn as they stand. The look is that of a printed page of the site
(book/theme_static/print.css). It is printed twice: only the first print tells on which page a
chapter begins, which the table of contents says in the second.
"""

import json
import logging
import mimetypes
import sys
import tomllib
from datetime import date
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from chromium import chromium
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools/site"))
from addresses import PLACEHOLDER  # noqa: E402

SITE = ROOT / "_build/html"
ADDRESS = "http://book.invalid/"  # no host: every answer is a file of the site
# Text of 10.5 points on A4 has the width of this window, so that figures are drawn as printed.
VIEW = {"width": 658, "height": 971}
logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of how Chromium counts objects
SCRIPT, LOOK = Path(__file__).with_suffix(".js"), Path(__file__).with_suffix(".css")


HEAD = 'font: 9pt "Source Sans 3", sans-serif; color: #59606a;'


def name_of(page):
    """The id that a page of the site has in the long page."""
    return page.replace("/", "-")


def parts():
    """[(caption, [page, ...]), ...] of the book, in its order; the first part has no caption."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = [(p.get("caption", ""), [c["file"] for c in p["chapters"]]) for p in toc["parts"]]
    caption, pages = found[0]
    return [(caption, [toc["root"], *pages]), *found[1:]]


def version():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def address_of_the_site(settings):
    """Where the site is published; empty while the repository's address is a placeholder."""
    owner, name = settings["repository"]["url"].rstrip("/").split("/")[-2:]
    return "" if owner == PLACEHOLDER else f"https://{owner}.github.io/{name}/"


def document(settings, published):
    """The page into which the articles are put: its head, and the title page."""
    rows = [f"Version {version()}, {date.today():%-d %B %Y}"]
    if published:
        rows.append(f'The book with figures to touch: <a href="{published}">{published}</a>')
        rows.append(f"Its source: {settings['repository']['url']}")
    rights = [
        f"© {escape(settings['copyright'])}.",
        "Folded code and hints are left out here; they stand on the website and in the notebooks.",
    ]
    lines = "".join(f"<p>{row}</p>" for row in rows)
    rights = "".join(f"<p>{row}</p>" for row in rights)
    title = escape(settings["title"])
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">
<title>{title}</title><meta name="author" content="{escape(settings["author"])}">
<link rel="stylesheet" href="../_static/book.css"><style>{LOOK.read_text("utf-8")}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container" id="whole">
<div class="title-page"><p class="name">{title}</p>
<p>{escape(settings["author"])}</p>{lines}<div class="rights">{rights}</div></div>
<div class="book-contents"></div>
</div></div></main></body></html>"""


def contents(book, titles, numbers):
    """The table of contents, and what stands at the head of each chapter's pages; before the first
    print a number is a guess that takes the same room.
    """
    rows, heads = [], []
    for caption, pages in book:
        if caption:
            rows.append(f'<p class="part">{escape(caption)}</p>')
        items = "".join(
            f'<li><a href="#{name_of(page)}"><span>{escape(titles[page])}</span>'
            f"<b>{numbers.get(name_of(page), 0)}</b></a></li>"
            for page in pages
        )
        rows.append(f"<ol>{items}</ol>")
        for page in pages:
            name, title = name_of(page), json.dumps(titles[page], ensure_ascii=False)
            heads.append(f"#{name} {{ page: {name}; }}")
            heads.append(f"@page {name} {{ @top-left {{ {HEAD} content: {title}; }} }}")
    return (
        f"<style>{' '.join(heads)}</style>"
        f'<nav class="bd-article page"><h1>Contents</h1>{"".join(rows)}</nav>'
    )


def answer(site, first):
    """What gives each request a file of the site, and the first one the page that is printed."""

    def give(route):
        path = unquote(urlsplit(route.request.url).path).lstrip("/")
        file = site / path
        if path == "book/whole.html":
            route.fulfill(body=first, content_type="text/html")
        elif route.request.url.startswith(ADDRESS) and file.is_file():
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            if path.endswith("book.css"):  # letters are waited for: nobody reads yet
                css = file.read_text("utf-8").replace("display: optional", "display: block")
                route.fulfill(body=css, content_type=kind)
            else:
                route.fulfill(body=file.read_bytes(), content_type=kind)
        else:
            route.fulfill(status=404)

    return give


def places(pdf):
    """{id: number of the page on which it is}, of all that a link leads to"""
    reader = PdfReader(pdf)
    return {
        name.removeprefix("/"): reader.get_destination_page_number(place) + 1
        for name, place in reader.named_destinations.items()
    }


def finish(pdf, settings):
    """Name the author, show the outline at once; and where Chromium writes a heading twice into it
    (at the beginning of a page), once.
    """
    writer = PdfWriter(clone_from=pdf)
    writer.add_metadata({"/Author": settings["author"], "/Subject": f"Version {version()}"})
    writer.page_mode = "/UseOutlines"
    waiting = [writer.root_object["/Outlines"]]
    while waiting:
        item = waiting.pop()
        title = item.get("/Title", "")
        half = title[: len(title) // 2]
        if title == 2 * half:
            item[NameObject("/Title")] = TextStringObject(half)
        waiting += [item[key].get_object() for key in ("/First", "/Next") if key in item]
    writer.write(pdf)


def write(browser, target, book, site=SITE):
    """Print these parts of the book; returns {page: (title, number in the PDF)}."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    published = address_of_the_site(settings)
    pages = [page for _, part in book for page in part]
    target.parent.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport=VIEW, color_scheme="light", reduced_motion="reduce")
    page.set_default_timeout(300_000)
    page.route("**/*", answer(site, document(settings, published)))
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.goto(ADDRESS + "book/whole.html", wait_until="load")
    page.emulate_media(media="print")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    named = [[each, name_of(each)] for each in pages]
    what = {"pages": named, "address": ADDRESS, "published": published}
    found = page.evaluate("what => assemble(what)", what)
    wrong += found["wrong"]
    if wrong:
        sys.exit("pdf: " + "\npdf: ".join(wrong))
    titles, numbers = dict(zip(pages, found["titles"])), {}
    for _ in range(2):
        page.locator(".book-contents").evaluate(
            "(place, html) => { place.innerHTML = html; }", contents(book, titles, numbers)
        )
        page.pdf(
            path=target,
            format="A4",
            print_background=True,
            prefer_css_page_size=False,
            outline=True,
            tagged=True,
        )
        numbers = places(target)
    page.close()
    finish(target, settings)
    return {page: (titles[page], numbers[name_of(page)]) for page in pages}


def main():
    if not (SITE / "index.html").exists():
        sys.exit("pdf: there is no site in _build/html; run `make book` first")
    target = ROOT / f"dist/dynconv-book-{version()}.pdf"
    with chromium() as browser:
        written = write(browser, target, parts())
    print(f"pdf: the {len(written)} pages of the site are in {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
