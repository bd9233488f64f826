"""The built site, page by page, in a browser that reaches no other host."""

import gzip
import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml
from conftest import HTML, PREFIX, ROOT, keep_to
from fontTools.ttLib import TTFont

pytestmark = pytest.mark.site

BUILT = sorted(str(path.relative_to(HTML)) for path in HTML.rglob("*.html")) or ["index.html"]
PHONE = {"viewport": {"width": 390, "height": 844}}
DESK = {"viewport": {"width": 1280, "height": 900}}

# Pages that may hold a slider, by their text: a figure is a custom element `<dc-...>` whose script
# makes its sliders.
MAY_MOVE = [
    name
    for name in BUILT
    if HTML.exists() and re.search("<dc-|range", (HTML / name).read_text("utf-8"))
]
# Chapters that call a figure to touch, in which the reader must find something to move.
PLAYABLE = [
    file.stem
    for file in sorted(ROOT.glob("notebooks/*.ipynb"))
    if re.search(r"\bwidgets\.\w+\(", file.read_text("utf-8"))
]


# --- what a page does when it is opened -----------------------------------------------------------


# Adds up how far what is on the screen jumps while the page comes in (Cumulative Layout Shift).
WATCH_SHIFTS = """
  window.layoutShift = 0;
  const watch = new PerformanceObserver(list => list.getEntries().forEach(entry => {
    if (!entry.hadRecentInput) window.layoutShift += entry.value;
  }));
  watch.observe({type: "layout-shift", buffered: true});
"""
KIB = 1024
LIMIT = {"notebooks": 350 * KIB, "book": 150 * KIB}  # a first visit, as a server sends it (gzip)


@dataclass
class Visit:
    """An open page and all that went wrong on it so far."""

    page: object
    answers: list = field(default_factory=list)  # what the page was sent
    foreign: list = field(default_factory=list)  # requests to other hosts; they are aborted
    failed: list = field(default_factory=list)  # own requests that did not end well
    errors: list = field(default_factory=list)  # what the console shows in red

    def weight(self):
        """Bytes of all that was sent; a server compresses what is not compressed yet."""
        packed = (".woff2", ".png", ".jpg", ".safetensors")
        bodies = {answer.url: answer.body() for answer in self.answers if answer.status == 200}
        return sum(
            len(body) if url.partition("?")[0].endswith(packed) else len(gzip.compress(body))
            for url, body in bodies.items()
        )


@pytest.fixture
def visit(browser, site):
    """A function that opens a page of the site; the contexts are closed after the test."""
    contexts = []

    def open_page(name, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        seen = Visit(context.new_page())
        keep_to(site, context, seen.foreign)
        context.add_init_script(WATCH_SHIFTS)
        seen.page.on("response", lambda answer: seen.answers.append(answer))
        seen.page.on(
            "response",
            lambda r: seen.failed.append(f"{r.status} {r.url}") if r.status >= 400 else None,
        )
        seen.page.on("requestfailed", lambda r: seen.failed.append(f"{r.failure} {r.url}"))
        seen.page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
        seen.page.on("pageerror", lambda e: seen.errors.append(str(e)))
        seen.page.goto(site + name, wait_until="load")
        if name == "index.html":  # it only leads on to the front page
            seen.page.wait_for_url("**/book/index.html")
        seen.page.evaluate("() => document.fonts.ready.then(() => null)")
        return seen

    yield open_page
    for context in contexts:
        context.close()


UNNAMED_PICTURES = """() => {
  const pictures = [...document.querySelectorAll('main :is(img, svg, canvas)')];
  return pictures.filter(picture => {
    if (picture.closest('button, [aria-hidden=true], [role=presentation]')) return false;
    if (picture.parentElement.closest('svg')) return false;
    if (picture.closest('[role=img][aria-label]')) return false;
    const label = document.getElementById(picture.getAttribute('aria-labelledby'));
    const name = picture.getAttribute('alt') || picture.getAttribute('aria-label')
      || picture.querySelector('title')?.textContent || label?.textContent || '';
    return name.trim() === '' || /\\.(png|svg|jpe?g)$/.test(name);
  }).map(picture => picture.outerHTML.slice(0, 160));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", BUILT)
def test_page_opens_cleanly(visit, name, scheme):
    seen = visit(name, **PHONE, color_scheme=scheme)
    assert not seen.foreign, "the page asks another host"
    assert not seen.failed
    assert not seen.errors
    assert seen.page.evaluate("document.documentElement.dataset.theme") == scheme
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} px wide on a phone of 390 px"
    assert seen.page.locator("h1").count() == 1
    assert not seen.page.evaluate(UNNAMED_PICTURES), (
        "pictures without a description (alt or aria-label)"
    )
    folder = name.partition("/")[0]
    if folder in LIMIT:
        assert seen.weight() <= LIMIT[folder], f"{seen.weight() / KIB:.0f} KiB on a first visit"
    shift = seen.page.evaluate("window.layoutShift")
    assert shift < 0.02, f"what is on the screen jumps by {shift:.3f} while the page comes in"


def test_the_fonts_of_icons_hold_no_letters():
    fonts = list(HTML.rglob("fontawesome/webfonts/*.woff2"))
    assert fonts
    for font in fonts:
        assert all(code >= 0xE000 for code in TTFont(font).getBestCmap()), font


def test_icons_are_drawn(visit):
    """They come from the theme's web font, now that its fontawesome.js is left out."""
    page = visit("book/index.html", **DESK).page
    assert page.evaluate(
        "[...document.fonts].some(f => f.family.includes('Awesome') && f.status === 'loaded')"
    )
    icon = page.locator("i[class*='fa-'], span[class*='fa-']").locator("visible=true").first
    assert icon.evaluate("e => getComputedStyle(e, '::before').content") not in (
        "none",
        "normal",
        '""',
    )


def test_a_page_runs_no_script_but_its_own(visit):
    """The policy of the page (tools/site/safe_pages.py) stops what comes in with its contents."""
    page = visit("notebooks/01_one_kernel_per_image.html", **DESK).page
    page.evaluate(
        """() => {
          const script = document.createElement("script"), picture = document.createElement("img");
          script.textContent = "window.intruder = 'a script'";
          picture.setAttribute("onerror", "window.intruder = 'an attribute'");
          picture.src = "data:,";
          document.body.append(script, picture);
          return new Promise(done => setTimeout(done, 300));
        }"""
    )
    assert page.evaluate("window.intruder ?? null") is None


@pytest.mark.parametrize("name", BUILT)
def test_every_page_has_the_policy_and_keeps_its_window(name):
    text = (HTML / name).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    scripts = re.search(r"script-src ([^;]*)", policy)[1].split()
    assert "'unsafe-inline'" not in scripts and "'unsafe-eval'" not in scripts
    assert not re.findall(r"<[^>]* on[a-z]+=", re.sub(r"<script.*?</script>", "", text, flags=re.S))
    outward = re.findall(r'<a [^>]*href="https?:[^>]*>', text)
    assert all('rel="noopener"' in link for link in outward)


def test_menu_opens_and_closes_by_key(visit):
    page = visit("notebooks/01_one_kernel_per_image.html", **DESK).page
    button = page.locator('[data-bs-toggle="dropdown"]').first
    entry = page.locator(".dropdown-menu a, .dropdown-menu button").first
    assert not entry.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    assert entry.is_visible() and button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Tab")
    assert entry.evaluate("e => e === document.activeElement")
    page.keyboard.press("Escape")
    assert not entry.is_visible()
    assert button.evaluate("e => e === document.activeElement")


def test_unknown_address_shows_the_404_page(visit):
    """GitHub Pages answers with 404.html at whatever depth, so its own links must not depend on
    where it is.
    """
    text = (HTML / "404.html").read_text(encoding="utf-8")
    assert f'src="{PREFIX}_static/' in text
    assert 'src="_static/' not in text


# --- what is in the files -------------------------------------------------------------------------


class Links(HTMLParser):
    """Collects the anchors of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in ("script", "img", "iframe", "source") and values.get("src"):
            self.loads.append(values["src"])
        elif tag == "link" and values.get("rel") != "canonical" and values.get("href"):
            self.loads.append(values["href"])


@cache
def read(name):
    return Links((HTML / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BUILT)
def test_links_lead_somewhere(site, name):
    broken = []
    for link in read(name).links:
        target, anchor = urldefrag(urljoin(PREFIX + name, link))
        if urlsplit(target).scheme or link == "#":
            continue
        file = unquote(urlsplit(target).path).removeprefix(PREFIX) or "index.html"
        if not (HTML / file).is_file() or (
            anchor and file.endswith(".html") and unquote(anchor) not in read(file).anchors
        ):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("name", BUILT)
def test_nothing_is_loaded_from_elsewhere(site, name):
    assert not [url for url in read(name).loads if urlsplit(url).netloc]
    assert "unpkg.com" not in (HTML / name).read_text(encoding="utf-8")


def test_site_holds_the_pages_of_the_book_and_no_others(site):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = {toc["root"]} | {
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    }
    made_by_sphinx = {"index", "genindex", "search", "404"}
    assert {name.removesuffix(".html") for name in BUILT} == pages | made_by_sphinx
    sources = {
        str(path.relative_to(HTML / "_sources")).split(".")[0]
        for path in HTML.glob("_sources/**/*.*")
    }
    assert sources <= pages


def test_every_page_leads_on():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [toc["root"]] + [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]
    for page, following in zip(pages, pages[1:]):
        links = [urljoin(PREFIX + page, link) for link in read(page + ".html").links]
        assert f"{PREFIX}{following}.html" in links, f"{page} has no link to {following}"


# --- what moves -----------------------------------------------------------------------------------

# Everything but the picture: a slider's own knob must not count as a change of the picture.
ONLY_THE_PICTURE = """
input, output, button, select, label { visibility: hidden !important }
label svg, label canvas { visibility: visible !important }
"""
FIGURE = (
    "xpath=ancestor-or-self::*[contains(name(), '-') or self::figure or contains(@class,"
    " 'dc-figure')][last()]"
)


def sliders(page):
    return [
        slider for slider in page.locator("main input[type=range]").all() if slider.is_enabled()
    ]


def picture(control):
    """The figure that a control belongs to, as pixels, when it has come to rest."""
    figure = control.locator(FIGURE)
    before = None
    for _ in range(20):
        now = figure.screenshot(style=ONLY_THE_PICTURE, animations="disabled")
        if now == before:
            return now
        before = now
        control.page.wait_for_timeout(60)
    pytest.fail("the figure never comes to rest")


def fraction(slider):
    return slider.evaluate(
        "e => (e.valueAsNumber - (+e.min || 0)) / ((e.max === '' ? 100 : +e.max) - (+e.min || 0))"
    )


def point(slider, at):
    """The place on the slider, relative to its corner, that stands for the value at this fraction
    of its range.
    """
    box = slider.bounding_box()
    return {"x": 8 + at * (box["width"] - 16), "y": box["height"] / 2}


def by_keyboard(slider):
    slider.focus()
    key = "ArrowRight" if fraction(slider) < 0.9 else "ArrowLeft"
    value = slider.input_value()
    slider.page.keyboard.press(key)
    assert slider.input_value() != value, f"{key} does not move the slider"
    for _ in range(9):  # one step may be less than a pixel
        slider.page.keyboard.press(key)


def by_mouse(slider):
    start = fraction(slider)
    slider.hover(position=point(slider, start))  # waits until it stands still, and is not covered
    slider.page.mouse.down()
    box, end = slider.bounding_box(), point(slider, 0.15 if start > 0.5 else 0.85)
    slider.page.mouse.move(box["x"] + end["x"], box["y"] + end["y"], steps=5)
    slider.page.mouse.up()


def by_touch(slider):
    slider.tap(position=point(slider, 0.15 if fraction(slider) > 0.5 else 0.85))


# A figure to touch holds its data in a script; questions have buttons only, see test_widgets.py.
TO_TOUCH = "main .dc-figure:has(> script):not(dc-questions)"

WAYS = {
    "keyboard": (by_keyboard, DESK),
    "mouse": (by_mouse, DESK),
    "touch": (by_touch, {**PHONE, "has_touch": True, "is_mobile": True}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MAY_MOVE)
def test_figures_can_be_moved_in_each_way(visit, name, way):
    """One slider and one button of each; what all of them do is in test_widgets.py."""
    operate, settings = WAYS[way]
    seen = visit(name, **settings)
    for figure in seen.page.locator(TO_TOUCH).all():
        figure.scroll_into_view_if_needed()  # it draws itself when it comes near
        slider = figure.locator("input[type=range]").first
        slider.scroll_into_view_if_needed()
        value, before = slider.input_value(), picture(slider)
        operate(slider)
        assert slider.input_value() != value, "the value of the slider did not change"
        after = picture(slider)
        assert after != before, "the slider did not change the picture"
        button = figure.locator("button:not([aria-pressed=true])").first
        if way == "keyboard":
            button.focus()
            seen.page.keyboard.press("Enter")
        elif way == "mouse":
            button.click()
        else:
            button.tap()
        assert picture(slider) != after, f"{button.inner_text()}: the figure did not change"
    assert not seen.errors


@pytest.mark.parametrize("chapter", PLAYABLE)
def test_chapter_has_something_to_move(visit, chapter):
    assert visit(f"notebooks/{chapter}.html", **DESK).page.locator(TO_TOUCH).count()
