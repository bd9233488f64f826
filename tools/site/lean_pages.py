"""What a page loads is what pages use: one style sheet without unused rules, one script for which
nothing waits, fonts with the letters and icons that occur, pictures that come when they are near.

The theme and the extensions bring a style sheet and a script each, made for every page that anyone
could write. book/theme_templates/layout.html names one file in their place; what stands in it is
known when all pages are written.
"""

import hashlib
import html
import json
import logging
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

from fontTools import subset
from PIL import Image
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
NPM = ROOT / "tools/node_modules"
STYLE = ROOT / "book/theme_static/style.css"
PURGE = Path(__file__).with_name("purge.mjs")
# What the theme's layout loads before and after what extensions add (its theme.css is basic.css)
THEME_SHEETS = ("basic.css", "styles/pydata-sphinx-theme.css")
THEME_SCRIPTS = ("scripts/pydata-sphinx-theme.js",)
# They say which page this is, to a search while typing that the book does not have
OF_ONE_PAGE = ("DOCUMENTATION_OPTIONS.pagename", "DOCUMENTATION_OPTIONS.search_as_you_type")

OF_THEBE = "_static/sphinx-thebe.css"  # tools/site/no_foreign_host.py leaves thebe out
FONTS = re.compile(r"url\(fonts/((?:source-[a-z]+-\d)-[^)]+\.woff2)\)")  # of letters, in style.css
MARK = "BUILD_MARK"  # in layout.html, behind the names of files that change
FEATURES = ["kern", "liga", "tnum", "lnum", "mark", "ccmp"]
PRELOADED = re.compile(
    r'[ \t]*<link rel="preload" href="(?P<file>(?P<static>[^"]*_static/)fonts/[^"]*)"[^>]*>\n?'
)
FORMULA = re.compile(r'<span class="katex-html"[^>]*>')
TOKEN = re.compile(r"(?P<tag></?\w+)[^>]*>|[^<]+")
COMMENT = re.compile(r"/\*(?!!).*?\*/\s*", re.DOTALL)  # /*! holds a licence
ICON = re.compile(r'"\\(f[0-9a-f]{3})"')
PICTURE = re.compile(r'<img(?P<attributes>(?=[^>]*? src="(?P<file>[^":?#]+\.png)")[^>]*?) ?/?>')


def note_files(app, pagename, templatename, context, doctree):
    """Remember what the extensions would have this page load."""
    noted = app.loaded_by_pages = getattr(app, "loaded_by_pages", {"css": {}, "js": {}})
    for sheet in context.get("css_files", ()):
        name = str(sheet.filename).partition("?")[0]
        if name != OF_THEBE:
            noted["css"][name] = None
    for script in context.get("script_files", ()):
        body = script.attributes.get("body")
        if not (body or "").startswith(OF_ONE_PAGE):
            noted["js"][body or "_static/" + str(script.filename).split("_static/")[-1]] = None


def copy_fonts(app):
    """The fonts that the book's own style sheet names, from npm."""
    if app.builder.format != "html" or not STYLE.exists():
        return
    target = Path(app.outdir) / "_static/fonts"
    target.mkdir(parents=True, exist_ok=True)
    for name in FONTS.findall(STYLE.read_text(encoding="utf-8")):
        (folder,) = (NPM / "@fontsource").glob(f"*/files/{name}")
        shutil.copy(folder, target)


def make_lean(app, exception):
    if exception or app.builder.format != "html" or not hasattr(app, "loaded_by_pages"):
        return
    site = Path(app.outdir)
    pages = {page: page.read_text(encoding="utf-8") for page in sorted(site.rglob("*.html"))}
    write_style_sheet(
        site, [f"_static/{name}" for name in THEME_SHEETS], app.loaded_by_pages["css"]
    )
    write_script(site, app.loaded_by_pages["js"], [f"_static/{name}" for name in THEME_SCRIPTS])
    reduce_fonts(site, "".join(pages.values()))
    contents = b"".join((site / f"_static/book.{kind}").read_bytes() for kind in ("css", "js"))
    mark = hashlib.sha256(contents).hexdigest()[:10]
    for page, text in pages.items():
        text = PICTURE.sub(partial(with_size, page), text.replace(MARK, mark))
        if 'class="katex"' in text:
            text = PRELOADED.sub(with_letters_of_formulas, text, count=1)
        page.write_text(text, encoding="utf-8")


def write_style_sheet(site, *groups):
    """_static/book.css: every rule that some page can use, in the order of the sheets."""
    sheets = [name for group in groups for name in group]
    command = ["node", str(PURGE), str(site), *sheets]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ExtensionError(f"unused rules could not be taken out: {done.stderr.strip()}")
    written = site / "_static/book.css"
    parts = []
    for name, rules in zip(sheets, json.loads(done.stdout)):
        folder = Path(name).parent.relative_to("_static")
        # An address in a sheet counts from the sheet's own folder.
        here = rf"url(\1{folder.as_posix()}/"
        rules = COMMENT.sub("", rules)
        parts.append(re.sub(r"url\(([\"']?)(?!data:|#|[\"'])", here, rules))
        (site / name).unlink()
    written.write_text("\n".join(parts), encoding="utf-8")


def write_script(site, *groups):
    """_static/book.js: what the extensions run on every page, one after the other."""
    names = [name for group in groups for name in group]
    is_file = [name.startswith("_static/") for name in names]
    parts = [(site / n).read_text(encoding="utf-8") if f else n for n, f in zip(names, is_file)]
    (site / "_static/book.js").write_text("\n;\n".join(parts), encoding="utf-8")
    for name, f in zip(names, is_file):
        if f:
            (site / name).unlink()


def reduce_fonts(site, text):
    """Leave in each font the letters that the book has, in the icons' fonts those it shows, and in
    the fonts of formulas those of formulas.
    """
    letters = set(re.sub(r"<(style|script)\b.*?</\1>", "", html.unescape(text), flags=re.DOTALL))
    icons = {chr(int(code, 16)) for code in ICON.findall((site / "_static/book.css").read_text())}
    variables, others = letters_of_formulas(text)
    of_font = {"KaTeX_Math-Italic": variables, "KaTeX_Main-Regular": others}
    for font in (site / "_static").rglob("*.woff2"):
        shown = icons if "fontawesome" in font.parts else letters | icons
        in_formulas = of_font.get(font.stem, variables | others)
        reduce(font, font, in_formulas if font.stem.startswith("KaTeX") else shown)


def letters_of_formulas(text):
    """The letters of variables, and all others, in what KaTeX drew for the eye."""
    variables, others = set(), set()
    for formula in FORMULA.finditer(text):
        depth, letters = 1, others
        for token in TOKEN.finditer(text, formula.end()):
            depth += {"<span": 1, "</span": -1}.get(token["tag"], 0)
            if not depth:
                break
            if token["tag"]:
                letters = variables if "mathnormal" in token[0] else others
            else:
                letters.update(html.unescape(token[0]))
    return variables, others


def reduce(source, target, characters):
    """Write the font with these characters only, and without what its letters do not need."""
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)  # it tells of each table
    options = subset.Options(flavor="woff2", layout_features=FEATURES, hinting=False)
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    there = set(map(chr, font.getBestCmap()))
    # A font without any letter is none to a browser, which would ask for the next one.
    subsetter.populate(unicodes=map(ord, characters & there or {max(there)}))
    subsetter.subset(font)
    subset.save_font(font, target, options)


def with_letters_of_formulas(match):
    """The tags that fetch the two fonts of nearly every formula at once, before the text's own."""
    folder = f"{match['static']}katex/fonts/"
    files = [folder + name for name in ("KaTeX_Main-Regular.woff2", "KaTeX_Math-Italic.woff2")]
    return "".join(match[0].replace(match["file"], file) for file in files) + match[0]


def with_size(page, match):
    """The tag of a picture with the room that it will take, and loaded when it comes near."""
    width, height = Image.open(page.parent / html.unescape(match["file"])).size
    size = "" if " width=" in match[0] else f' width="{width}" height="{height}"'
    return f'<img{match["attributes"]}{size} loading="lazy" decoding="async" />'


def setup(app):
    app.connect("builder-inited", copy_fonts)
    app.connect("html-page-context", note_files, priority=900)
    app.connect("build-finished", make_lean, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
