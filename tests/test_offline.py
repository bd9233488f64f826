"""The zip of the site: opened from a file it shows its pages, finds words and lets figures be
moved, and asks for nothing but its own files.
"""

import hashlib
import re
import shutil
import zipfile
from dataclasses import dataclass, field
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import offline
import offline_copy
import pytest
from conftest import HTML

CHAPTER = "notebooks/02_where_alpha_comes_from.html"
FETCHED = re.compile(r'<(?:link|script|img|source|iframe)\b[^>]*?(?:href|src)="([^"]*)"')


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    """The zip that the site offers, unpacked where a path has spaces and letters of its own."""
    place = tmp_path_factory.mktemp("a stick, für alle")
    with zipfile.ZipFile(HTML / offline_copy.FOLDER / offline.name()) as made:
        made.extractall(place)
    (unpacked,) = place.iterdir()
    return unpacked


@dataclass
class Visit:
    page: object
    asked: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


@pytest.fixture
def visit(browser, folder):
    contexts = []

    def open_page(name, **settings):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
        contexts.append(context)
        seen = Visit(context.new_page())
        seen.page.on("request", lambda request: seen.asked.append(request.url))
        seen.page.on("requestfailed", lambda r: seen.wrong.append(f"{r.failure} {r.url}"))
        seen.page.on("console", lambda m: seen.wrong.append(m.text) if m.type == "error" else None)
        seen.page.on("pageerror", lambda error: seen.wrong.append(str(error)))
        seen.page.goto((folder / name).as_uri())
        if str(name) == "index.html":  # it leads on to the front page
            seen.page.wait_for_url("**/book/index.html")
        seen.page.evaluate("() => document.fonts.ready.then(() => null)")
        return seen

    yield open_page
    for context in contexts:
        context.close()


def only_own_files(seen, folder):
    own = folder.as_uri() + "/"
    return not [url for url in seen.asked if not url.startswith((own, "data:", "blob:"))]


@pytest.mark.site
def test_index_html_opens_the_book(visit, folder):
    """It is the one page at the top that somebody would open, and the only folder has it."""
    at_the_top = {path.name for path in folder.iterdir() if path.is_file()}
    assert at_the_top >= {"index.html", "README.txt", "LICENSE.txt", "LICENSE-prose.txt"}
    assert {name for name in at_the_top if name.endswith(".html")} <= {
        "index.html",
        "search.html",
        "genindex.html",
    }
    seen = visit("index.html")
    assert seen.page.locator("h1").inner_text().startswith("Dynamic Convolution")
    assert seen.page.evaluate("[...document.fonts].some(font => font.status === 'loaded')")
    assert not seen.wrong and only_own_files(seen, folder)


@pytest.mark.site
def test_every_page_opens_from_a_file(visit, folder):
    for page in sorted(folder.rglob("*.html")):
        seen = visit(page.relative_to(folder), color_scheme="dark")
        assert not seen.wrong, page.name
        assert only_own_files(seen, folder), page.name
        seen.page.context.close()


@pytest.mark.site
def test_words_are_found_from_a_file(visit, folder):
    seen = visit(CHAPTER)
    seen.page.keyboard.press("Control+k")
    seen.page.keyboard.type("deformable")
    first = seen.page.locator("#pst-search-dialog .search-place").first
    first.locator(".search-passage mark").first.wait_for()
    first.click()
    seen.page.wait_for_url("**/11_deformable_is_not_dynamic.html**")
    assert not seen.wrong and only_own_files(seen, folder)
    seen = visit("search.html")
    seen.page.locator("main input").fill("softmax")
    seen.page.locator("main .search-passage mark").first.wait_for()
    assert not seen.wrong and only_own_files(seen, folder)


@pytest.mark.site
def test_a_figure_moves_from_a_file(visit):
    seen = visit("book/index.html")
    figure = seen.page.locator("main .dc-figure:has(> script)").first
    figure.scroll_into_view_if_needed()  # it draws itself when it comes near
    slider = figure.locator("input[type=range]").first
    slider.scroll_into_view_if_needed()
    before, box = figure.inner_html(), slider.bounding_box()
    value, middle = slider.input_value(), box["y"] + box["height"] / 2
    seen.page.mouse.move(box["x"] + box["width"] / 2, middle)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=4)
    seen.page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=4)
    seen.page.mouse.up()
    assert slider.input_value() != value
    assert figure.inner_html() != before
    assert not seen.wrong


@pytest.mark.site
def test_a_link_shows_its_card_from_a_file(visit):
    seen = visit(CHAPTER)
    link = seen.page.locator('.bd-article a.reference.internal[href*="glossary.html#"]').first
    if not link.count():
        link = seen.page.locator(
            ".bd-article section section a.reference.internal[href*='#']"
        ).first
    link.scroll_into_view_if_needed()
    link.hover()
    seen.page.locator(".preview-card").wait_for()
    assert not seen.wrong


@pytest.mark.site
def test_the_playground_says_what_it_needs(visit):
    seen = visit("book/playground.html")
    note = seen.page.locator("#playground-missing")
    assert note.is_visible() and "python -m http.server" in note.inner_text()
    assert not seen.wrong


@pytest.mark.site
def test_nothing_in_it_is_of_a_server(folder):
    """What a page fetches or leads to is in the folder, and no tag tells the public address."""
    for page in folder.rglob("*.html"):
        text = page.read_text("utf-8")
        assert 'rel="preload"' not in text and "og:url" not in text, page.name
        for link in [*FETCHED.findall(text), *re.findall(r'<a\b[^>]*? href="([^"]*)"', text)]:
            if urlsplit(link).scheme in ("http", "https", "data", "mailto"):
                assert link not in FETCHED.findall(text) or link.startswith("data:"), link
                continue
            file = urldefrag(urljoin(page.as_uri(), link))[0].partition("?")[0]
            assert file.startswith(folder.as_uri()), f"{page.name}: {link}"
            assert (folder / unquote(file.removeprefix(folder.as_uri() + "/"))).exists(), link
    assert not list(folder.rglob("*.zip"))


@pytest.mark.site
def test_the_site_offers_it_with_its_size(site):
    size = (HTML / offline_copy.FOLDER / offline.name()).stat().st_size
    for page in ("setup", "teachers"):
        text = (HTML / f"book/{page}.html").read_text("utf-8")
        assert f"{offline_copy.FOLDER}/{offline.name()}" in text
        assert f'<span class="offline-size"> ({size / 1e6:.0f}&nbsp;MB)</span>' in text


PAGE = """<html><head>
  <link rel="preload" href="a.woff2" as="font" crossorigin />
  <meta property="og:url" content="https://x.github.io/y/a.html" />
  <link rel="stylesheet" href="a.css" /></head><body><p>There is
<span class="offline-copy"><a href="b.zip" download>a copy</a>SIZE</span>.
</p></body></html>
""".replace("SIZE", '<span class="offline-size"> (9&nbsp;MB)</span>')


def test_a_page_is_made_for_a_file():
    page = offline.for_a_file(PAGE)
    assert "There is\na copy." in page and 'href="a.css"' in page
    assert not re.search("preload|og:|zip", page)


def test_the_same_site_gives_the_same_bytes(tmp_path):
    """Whenever and in whatever order its files were written; and what is for a server stays out."""
    digests = set()
    for names in (["a.html", "b/c.js", "404.html"], ["404.html", "b/c.js", "a.html"]):
        site = tmp_path / "site"
        shutil.rmtree(site, ignore_errors=True)
        for name in names:
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(f"of {name}")
        target = tmp_path / "made" / offline.name()
        offline.write(site, target)
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
        with zipfile.ZipFile(target) as made:
            top = target.name.removesuffix("-offline.zip")
            assert {f"{top}/a.html", f"{top}/b/c.js"} < set(made.namelist())
            assert f"{top}/404.html" not in made.namelist()
            assert {entry.date_time for entry in made.infolist()} == {offline.EARLIEST}
    assert len(digests) == 1
