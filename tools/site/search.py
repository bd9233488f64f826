"""The search: an index of all sections, made when the site is built and loaded when somebody
searches.

A place to find is a section of a page as it is built, an entry of the glossary, or a name of the
package. The index (MiniSearch's, made by search.mjs) knows only which words stand in which place;
the text from which a passage is shown lies in one file for each page. All of them are scripts, so
that a page opened from a file may load them too. What runs in the browser is in book/search, and
what every page has of it, in book/theme_static/search.js.
"""

import hashlib
import json
import re
import shutil
import subprocess
from itertools import count
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
BROWSER = ROOT / "book/search"
MINISEARCH = ROOT / "tools/node_modules/minisearch"
# Sphinx's own search, and what marked its words on a page
SPHINX = ("searchtools.js", "language_data.js", "sphinx_highlight.js")
NO_CONTENT = {"genindex", "search", "404", "index"}
LEFT_OUT = (
    "script, style, nav, button, .headerlink, .dc-fallback, .katex-mathml, .toctree-wrapper,"
    " details.hide, .run-time"
)
PLACES = "section[id], dl.glossary > dt[id], dt.sig[id]"
BLOCKS = "p, li, dt, dd, tr, h1, h2, h3, h4, h5, figcaption, pre, div, section, summary"
SHORT = 200  # letters: a longer output of a cell is left out
# Letters of a formula, flat and with indices or fractions: a longer one is shown as three dots.
SHORT_FORMULA, SHORT_FRACTION = 8, 3
NOT_WRITTEN = "\u2063"  # around what stands otherwise in the page; nobody sees it
KINDS = {"notebooks": "chapter", "book/glossary": "glossary", "book/api": "API"}
COMMENTS = re.compile(r"^[ \t]*(?:/\*\*[\s\S]*?\*/|//.*)\n", re.MULTILINE)
MODULE = re.compile(r'^(?:import .* from "\./.*";\n|export )', re.MULTILINE)


def kind_of(page):
    return KINDS.get(page) or KINDS.get(page.partition("/")[0], "page")


def places_of(html):
    """[(anchor, heading, text, code), ...] of a page, as a reader sees it."""
    article = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    if article is None:
        return []
    badges = [link.find_parent("p") for link in article.select("p > strong > a.download")]
    for each in [*article.select(LEFT_OUT), *badges]:
        each.decompose()
    for output in article.select(".cell_output pre"):
        if len(output.get_text()) > SHORT:
            output.decompose()
    for formula in article.select(".katex-html"):
        text = formula.get_text().replace("\u200b", "")
        most = SHORT_FRACTION if formula.select_one(".vlist") else SHORT_FORMULA
        shown = text if len(text) <= most else "…"
        formula.replace_with(f"{NOT_WRITTEN}{shown}{NOT_WRITTEN}")
    for picture in article.select("img, svg"):
        picture.replace_with(f"\n{picture.get('alt') or picture.get('aria-label') or ''}\n")
    for row in article.select("tr"):
        row.string = " · ".join(filter(None, map(words_of, row.find_all(["th", "td"]))))
    for block in article.select(BLOCKS):
        block.insert_before("\n")
        block.append("\n")
    # The innermost places first: what is left in an outer one is its own text.
    found = []
    for place in reversed(article.select(PLACES)):
        if place.name == "dt":
            heading, content = words_of(place), place.find_next_sibling("dd")
            if "sig" in place.get("class", ()):
                heading = place["id"]
                content.insert(0, NavigableString(f"{words_of(place)}\n"))
        else:
            title = place.find(re.compile("^h[1-6]$"))
            heading, content = words_of(title), place
            title.decompose()
        code = [line for pre in content.select("pre") for line in lines_of(pre.extract())]
        found.append((place["id"], heading, "\n".join(lines_of(content)), "\n".join(code)))
        content.decompose()
        if place.name == "dt":
            place.decompose()
    return found[::-1]


def words_of(element):
    return " ".join(element.get_text().split())


def lines_of(element):
    lines = (" ".join(line.split()) for line in element.get_text().splitlines())
    return [line for line in lines if line]


def pages_of(site):
    for file in sorted(site.rglob("*.html")):
        page = file.relative_to(site).with_suffix("").as_posix()
        if page not in NO_CONTENT and not page.startswith("_"):
            yield page, places_of(file.read_text(encoding="utf-8"))


def index_of(documents):
    command = ["node", str(Path(__file__).with_suffix(".mjs"))]
    done = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True)
    if done.returncode:
        raise ExtensionError(f"the index of the search was not made: {done.stderr.strip()}")
    return json.loads(done.stdout)


def program():
    """What runs when somebody searches, as one script: modules do not load from a file."""
    library = COMMENTS.sub("", (MINISEARCH / "dist/umd/index.js").read_text(encoding="utf-8"))
    version = json.loads((MINISEARCH / "package.json").read_text(encoding="utf-8"))["version"]
    own = [
        MODULE.sub("", COMMENTS.sub("", (BROWSER / f"{name}.js").read_text(encoding="utf-8")))
        for name in ("words", "results")
    ]
    notice = f"/*! MiniSearch {version}, MIT licence: ../licences/minisearch.txt */\n"
    return f"{notice}{library}\n{{\n{''.join(own)}}}\n"


def as_script(name, data):
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"bookSearch.take({json.dumps(name)},{text});\n"


def write(site):
    """Put the search into the folder of a built site; returns the number of places."""
    folder = site / "_static/search"
    shutil.rmtree(folder, ignore_errors=True)
    number, pages, places, documents, scripts = count(), [], [], [], {}
    for page, found in pages_of(site):
        if not found:
            continue
        title = found[0][1]
        scripts[page] = as_script(page, {anchor: texts for anchor, _, *texts in found})
        for anchor, heading, text, code in found:
            # Of a name of the package the last part is what it is called.
            above, _, name = heading.rpartition(".") if heading == anchor else ("", "", heading)
            words = {"heading": name, "page": f"{title} {above}", "text": text, "code": code}
            documents.append({"id": next(number), **words})
            places.append([len(pages), anchor, "" if anchor == found[0][0] else heading])
        pages.append([page, title, kind_of(page)])
    data = {"pages": pages, "places": places, "index": index_of(documents)}
    scripts["index"] = as_script("index", data)
    digest = hashlib.sha256("".join(scripts.values()).encode()).hexdigest()[:10]
    # What is asked for by this name is of one build, whatever a browser has kept.
    scripts["search"] = program().replace("BUILD_MARK", digest)
    for name, script in scripts.items():
        file = folder / f"{name}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
    shutil.copy(BROWSER / "results.css", folder)
    return len(places)


def leave_out_sphinx(app):
    """Nothing loads Sphinx's index and what reads it, so they are not made."""
    if app.builder.format == "html":
        app.builder.search = False


def page_to_search(app):
    return [("search", {}, "search.html")] if app.builder.format == "html" else []


def without_scripts_of_sphinx(app, pagename, templatename, context, doctree):
    context["script_files"] = [
        script
        for script in context.get("script_files", ())
        if not str(script.filename).split("?")[0].endswith(SPHINX)
    ]


def make_search(app, exception):
    if exception or app.builder.format != "html" or not BROWSER.is_dir():
        return
    site = Path(app.outdir)
    for name in SPHINX:
        (site / "_static" / name).unlink(missing_ok=True)
    write(site)


def setup(app):
    app.connect("builder-inited", leave_out_sphinx)
    app.connect("html-collect-pages", page_to_search)
    app.connect("html-page-context", without_scripts_of_sphinx, priority=800)
    # after the pages are written as they stay, and after purgecss, which would take all words of
    # the texts for names of classes (lean_pages.py)
    app.connect("build-finished", make_search, priority=920)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
