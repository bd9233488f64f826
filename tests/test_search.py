"""The search: what a student types is found, in the browser and with the keyboard, and a page that
nobody searches on loads nothing of it.
"""

import gzip
import json
import re

import pytest
import search
from conftest import HTML, PREFIX, keep_to

SITE = pytest.mark.site
FOLDER = HTML / "_static/search"
KIB = 1024
CHAPTER = "notebooks/02_where_alpha_comes_from.html"
BOX = "#pst-search-dialog"

# What somebody types, and a place that must be among the first three.
QUESTIONS = {
    "softmax temperature": "notebooks/02_where_alpha_comes_from#sigmoid-or-softmax",
    "why one convolution": "notebooks/01_one_kernel_per_image#one-kernel-per-image",
    "alpha sums to one": "notebooks/02_where_alpha_comes_from#sigmoid-or-softmax",
    "ONNX export": "book/api#dynconv.yolo.export",
    "deformable": "notebooks/11_deformable_is_not_dynamic#deformable-is-not-dynamic",
    "out of memory": "notebooks/06_two_models_counted#and-the-clock-and-the-memory",
    "Colab": "book/setup#in-colab",
    "depthwise": "book/glossary#term-depthwise-convolution",
    "router entropy": "book/glossary#term-router",
    "NaN": "book/api#dynconv.lab.training.DivergedError",
    "mAP": "book/glossary#term-mAP50-mAP50-95",
    "resume training": "book/your_data#train-be-killed-go-on",
    "cost of experts": "notebooks/01_one_kernel_per_image#what-it-costs",
    "fuse": "notebooks/09_ship_it#batchnorm-goes-into-the-experts",
    "kernel_size": "book/api#dynconv.DynamicConv",
    "DynamicConv": "book/api#dynconv.DynamicConv",
    "dynconv.DynamicConv": "book/api#dynconv.DynamicConv",
    "dynamic conv": "notebooks/04_from_dynamicconv_to_c2f#from-dynamicconv-to-c2f-dynamicconv",
    "conv2d": "book/api#dynconv.dynamic_conv2d",
    "dynamic convolution": "book/glossary#term-dynamic-convolution",
    "checkpoint": "book/setup#why-a-checkpoint-is-a-program",
    "flops": "notebooks/03_parameters_are_not_flops#parameters-are-not-flops",
    "softmx": "book/glossary#term-softmax",
    "deformible": "notebooks/11_deformable_is_not_dynamic#deformable-is-not-dynamic",
    "equation 3.1": "notebooks/03_parameters_are_not_flops#counting-by-hand",
    "sigmoid vs. softmax": "notebooks/02_where_alpha_comes_from#sigmoid-or-softmax",
    "pretrained weights": "notebooks/12_starnet#pretrained-weights",
    "what is an expert": "book/glossary#term-expert",
    "tempera": "book/glossary#term-temperature",
    "DYNAMIC_conv2D": "book/api#dynconv.dynamic_conv2d",
    "teachers": "book/teachers#for-teachers",
}


# --- what is found --------------------------------------------------------------------------------


@pytest.fixture
def visit(browser, site):
    """A function that opens a page; `page.asked` lists what was asked for, `page.wrong` errors."""
    contexts = []

    def open_page(name, **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | settings)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.wrong = [], []
        keep_to(site, context, page.wrong)
        page.on("request", lambda request: page.asked.append(request.url.removeprefix(site)))
        page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(site + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


def searched(page, text, within=BOX):
    """Type the text; returns the links of what is shown, without the words to which they lead."""
    field = page.locator(f"{within} form.bd-search input")
    field.fill(text)
    page.wait_for_function(
        "([box, text]) => document.querySelector(`${box} .search-count`)?.dataset.of === text",
        arg=[within, text],
    )
    links = page.locator(f"{within} .search-place").evaluate_all("all => all.map(a => a.href)")
    return [re.sub(r":~:.*", "", link.split(PREFIX)[-1]) for link in links]


@SITE
def test_what_a_student_types_is_found(visit):
    page = visit(CHAPTER)
    page.keyboard.press("Control+k")
    found = {text: searched(page, text)[:3] for text in QUESTIONS}
    missed = {
        text: (place, found[text])
        for text, place in QUESTIONS.items()
        if place.replace("#", ".html#") not in found[text]
    }
    assert not missed
    assert not page.wrong


@SITE
def test_the_places_to_find_are_there():
    """Each leads to an anchor of a page as it is built."""
    for page, places in search.pages_of(HTML):
        text = (HTML / f"{page}.html").read_text("utf-8")
        assert places, page
        for anchor, heading, _, _ in places:
            assert heading and f'id="{anchor}"' in text


@SITE
def test_a_passage_shows_the_words(visit):
    page = visit(CHAPTER)
    page.keyboard.press("Control+k")
    searched(page, "softmax temperature")
    first = page.locator(f"{BOX} .search-place").first
    first.locator(".search-passage mark").first.wait_for()
    marks = {mark.lower() for mark in first.locator("mark").all_inner_texts()}
    assert marks == {"softmax", "temperature"}
    assert len(first.locator(".search-passage").inner_text()) < 220
    assert not page.wrong


@SITE
def test_of_a_heading_with_a_colon_the_right_words_are_marked(visit):
    page = visit("book/setup.html")
    page.keyboard.press("Control+k")
    searched(page, "swap test")
    ways = page.locator(f"{BOX} .search-way", has_text="knowing: the swap test")
    assert ways.first.locator("mark").all_inner_texts() == ["swap", "test"]


@SITE
def test_nothing_is_taken_for_html(visit):
    page = visit(CHAPTER)
    data = {"term-temperature": ["<img src=x> of <b>a temperature</b>", ""]}
    script = search.as_script("book/glossary", data)
    page.route("**/search/book/glossary.js*", lambda route: route.fulfill(body=script))
    page.keyboard.press("Control+k")
    searched(page, "<img src=x> temperature")
    place = page.locator(f"{BOX} .search-place[href*='term-temperature']")
    passage = place.locator(".search-passage")
    passage.locator("mark").first.wait_for()
    assert passage.inner_text() == "<img src=x> of <b>a temperature</b>"
    assert not page.locator(f"{BOX} img").count()
    assert not passage.locator(":not(mark)").count()


@SITE
def test_a_word_that_the_book_does_not_have_is_named(visit):
    page = visit(CHAPTER)
    page.keyboard.press("Control+k")
    searched(page, "router zebrafish")
    count = page.locator(f"{BOX} .search-count")
    assert "‘zebrafish’ stands nowhere" in count.inner_text()
    searched(page, "softmx")
    assert "‘softmx’ stands nowhere in the book; shown is what comes near" in count.inner_text()
    assert searched(page, "zebrafish") == []
    assert "Nothing found" in count.inner_text()
    assert page.locator(f"{BOX} [role=listbox]").is_hidden()


# --- by key and by finger -------------------------------------------------------------------------


@SITE
@pytest.mark.parametrize("key", ["/", "Control+k"])
def test_the_dialog_is_used_by_key(visit, key):
    page = visit(CHAPTER)
    page.locator(".theme-switch-button").focus()
    page.keyboard.press(key)
    field = page.locator(f"{BOX} input")
    assert field.evaluate("e => e === document.activeElement") and field.input_value() == ""
    searched(page, "depthwise")
    assert field.get_attribute("aria-expanded") == "true"
    options = page.locator(f"{BOX} [role=option]")
    assert field.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    page.keyboard.press("ArrowDown")
    assert options.nth(1).get_attribute("aria-selected") == "true"
    assert field.get_attribute("aria-activedescendant") == options.nth(1).get_attribute("id")
    page.keyboard.press("Escape")
    assert not page.locator(BOX).is_visible()
    focused = page.locator(".theme-switch-button")
    assert focused.evaluate("e => e === document.activeElement"), "the focus did not return"
    page.keyboard.press(key)
    searched(page, "deformable")
    page.keyboard.press("ArrowDown")
    target = options.nth(1).get_attribute("href").split("#")[0]
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.split("#")[0] == target)
    assert not page.locator(BOX).is_visible()


@SITE
def test_the_sign_may_still_be_typed(visit):
    page = visit("search.html")
    page.locator("main input").press("/")
    assert page.locator("main input").input_value() == "/"
    assert not page.locator(BOX).is_visible()


@SITE
def test_a_place_on_the_same_page_is_gone_to(visit):
    page = visit(CHAPTER)
    page.locator(".search-button-field").click()
    places = searched(page, "Who learns")
    assert places[0].endswith("#who-learns")
    page.locator(f"{BOX} .search-place").first.click()
    page.wait_for_function("() => scrollY > 500")
    assert page.evaluate("location.hash") == "#who-learns"
    assert not page.locator(BOX).is_visible()


@SITE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_searches_what_its_address_says(visit, scheme):
    phone = {"width": 390, "height": 844}
    settings = {"viewport": phone, "has_touch": True, "is_mobile": True, "color_scheme": scheme}
    page = visit("search.html?q=softmax+temperature", **settings)
    page.locator("main .search-passage mark").first.wait_for()
    assert page.locator("main input").input_value() == "softmax temperature"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert searched(page, "onnx", "main")
    assert page.evaluate("new URL(location).searchParams.get('q')") == "onnx"
    page.locator("main input").press("Enter")
    assert "search.html" in page.url, "a phone's Enter leaves the list to be looked at"
    assert not page.wrong


@SITE
def test_more_places_come_when_the_list_is_scrolled(visit):
    page = visit(CHAPTER)
    page.keyboard.press("/")
    shown = len(searched(page, "convolution"))
    assert 10 <= shown <= 30 < int(page.locator(f"{BOX} .search-count").inner_text().split()[0])
    page.locator(f"{BOX} .search-place").last.scroll_into_view_if_needed()
    page.locator(f"{BOX} .search-place").nth(shown + 1).wait_for()
    # From the first to the last, which has brought more behind it by the time that one looks.
    page.keyboard.press("ArrowUp")
    selected = page.locator(f"{BOX} .search-place").evaluate_all(
        "all => all.findIndex(each => each.getAttribute('aria-selected') === 'true')"
    )
    assert selected > shown


# --- what is loaded -------------------------------------------------------------------------------


@SITE
def test_nothing_of_it_is_loaded_before_somebody_searches(visit):
    page = visit(CHAPTER)
    assert not [name for name in page.asked if "search" in name]
    page.keyboard.press("/")
    searched(page, "temperature")
    first = [name for name in page.asked if "_static/search/" in name]
    assert any("index.js" in name for name in first)
    assert not any("12_starnet" in name for name in first), "a page that is not shown was loaded"


@SITE
def test_a_phone_can_bear_it():
    def weight(file):
        return len(gzip.compress(file.read_bytes()))

    assert weight(FOLDER / "index.js") + weight(FOLDER / "search.js") <= 120 * KIB
    pages = [file for file in FOLDER.rglob("*.js") if file.parent != FOLDER]
    assert len(pages) > 20 and max(map(weight, pages)) <= 30 * KIB


@SITE
def test_sphinx_search_is_gone():
    assert not [*HTML.glob("searchindex.js"), *HTML.glob("_static/searchtools.js")]
    book = (HTML / "_static/book.js").read_text("utf-8")
    assert "SphinxHighlight" not in book and "Searchtools" not in book
    assert "<noscript>" in (HTML / "search.html").read_text("utf-8")


@SITE
def test_what_does_not_arrive_is_said_and_asked_for_again(visit):
    page, broken = visit(CHAPTER), ["search.js"]
    page.route(
        "**/_static/search/*",
        lambda route: (
            route.abort() if any(name in route.request.url for name in broken) else route.fallback()
        ),
    )
    field, note = page.locator(f"{BOX} input"), page.get_by_text("The search did not arrive")
    page.keyboard.press("/")
    note.wait_for()
    broken[:] = ["index.js"]
    field.press_sequentially("softm")
    page.locator(f"{BOX} [role=status]", has=note).or_(note).last.wait_for()
    broken.clear()
    field.press_sequentially("ax")
    page.locator(f"{BOX} .search-place").first.wait_for()


# --- how a page is cut into places ----------------------------------------------------------------

PAGE = """<html><body><article class="bd-article"><section id="top"><h1>The top
<a class="headerlink" href="#top">#</a></h1><p>Own <b>words</b> of it.</p>
<img src="a.png" alt="A red disc"><svg aria-label="Two bars"><text>1.5</text></svg>
<section id="below"><h2>Below</h2><p>Formula <span class="katex"><span class="katex-mathml">
nobody</span><span class="katex-html">α</span></span>.</p><figcaption>The caption</figcaption>
<div class="highlight"><pre>layer = DynamicConv(3)
</pre></div><div class="cell_output"><pre>short</pre></div>
<div class="cell_output"><pre>LONG</pre></div>
<dl class="glossary"><dt id="term-tap">tap</dt><dd><p>A place &lt;b&gt; of it.</p></dd></dl>
<table><tr><th>left</th><td><p>right</p></td></tr></table></section></section></article></body></html>
""".replace("LONG", "long " * 50)


def test_a_page_is_cut_into_places():
    found = {anchor: rest for anchor, *rest in search.places_of(PAGE)}
    assert list(found) == ["top", "below", "term-tap"]
    assert found["top"] == ["The top", "Own words of it.\nA red disc\nTwo bars", ""]
    heading, text, code = found["below"]
    assert heading == "Below"
    assert text.splitlines() == ["Formula \u2063α\u2063.", "The caption", "left · right"]
    assert code.splitlines() == ["layer = DynamicConv(3)", "short"]
    assert found["term-tap"] == ["tap", "A place <b> of it.", ""]


def test_data_end_no_script():
    script = search.as_script("a", {"x": "</script><b>\u2028"})
    assert json.loads(script[len('bookSearch.take("a",') : -3]) == {"x": "</script><b>\u2028"}
