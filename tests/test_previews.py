"""Excerpts of what links lead to, and the card that shows them."""

import previews
import pytest

PAGE = """<article class="bd-article"><section id="title"><h1>Title<a class="headerlink"
href="#title">#</a></h1><p>The <a href="x.html" onclick="no()">first</a> paragraph.</p>
<p>The second one.</p></section>
<section id="part"><h2>A part</h2><div class="cell x"><div>code</div></div>
<details><summary>Solution</summary>secret</details><p id="x" onclick="no()">a &lt;b&gt; c</p>
<script>no()</script><h3>The next</h3><p>far</p></section>
<dl><dt id="term-x">word</dt><dd><p>What it means.</p></dd><dt id="term-y">other</dt></dl>
<div class="cell a" id="cell-plot"><style>.s{}</style>
<figure class="dc-figure"><svg viewBox="0 0 1 1"></svg><figcaption><a class="figure-number"
href="#cell-plot">Figure 1.1</a> Seen.</figcaption></figure>
<style>.s{}</style><figure class="dc-figure" id="cell-plot-2"><svg></svg></figure></div>
<div class="cell b" id="cell-code"><pre>print(1)</pre></div></article>"""


@pytest.mark.parametrize(
    "name, shown",
    [
        ("", "<section><h1>Title</h1><p>The first paragraph.</p></section>"),
        ("part", "<section><h2>A part</h2>\n<p>a &lt;b&gt; c</p>\n</section>"),
        ("term-x", "<dt>word</dt><dd><p>What it means.</p></dd>"),
        ("cell-code", '<div class="cell b"><pre>print(1)</pre></div>'),
        ("nowhere", None),
    ],
)
def test_an_excerpt_is_the_beginning_without_what_acts(name, shown):
    found = previews.excerpt(PAGE, name)
    assert (found and found.replace("\n\n", "\n")) == shown


def test_a_figure_is_shown_whole():
    first, second = (previews.excerpt(PAGE, name) for name in ("cell-plot", "cell-plot-2"))
    assert first.startswith("<style>") and 'viewBox="0 0 1 1"' in first
    assert '<b class="figure-number">Figure 1.1</b> Seen.' in first and "<a" not in first
    assert second == '<style>.s{}</style><figure class="dc-figure"><svg></svg></figure>'


def test_an_excerpt_ends_with_the_paragraph_that_is_enough():
    page = '<section id="long"><h2>T</h2>' + 9 * f"<p>{100 * 'a'}</p>" + "</section>"
    found = previews.excerpt(page, "long")
    assert found.count("<p>") == found.count("</p>") == 4 and found.endswith("</section>")


CHAPTER = "notebooks/03_parameters_are_not_flops.html"
EQUATION = 'article a[href="#equation-3-1"]'
CARD = "#preview-card"


@pytest.fixture
def opened(browser, site):
    """A function: the chapter in a new window, and the files of excerpts that it has asked for."""
    windows = []

    def open_page(**settings):
        windows.append(browser.new_context(viewport={"width": 1280, "height": 900}, **settings))
        page, asked = windows[-1].new_page(), []
        page.on("request", lambda request: "/previews/" in request.url and asked.append(request))
        page.goto(site + CHAPTER)
        return page, asked

    yield open_page
    for window in windows:
        window.close()


@pytest.mark.site
def test_the_card_comes_to_the_pointer_and_stays_under_it(opened):
    page, asked = opened()
    assert not asked, "excerpts are loaded when the first card is asked for"
    page.hover(EQUATION)
    page.wait_for_selector(CARD)
    assert page.locator(f"{CARD} .katex").count() and len(asked) == 1
    assert page.get_attribute(EQUATION, "aria-describedby") == "preview-card"
    page.hover(CARD)
    page.wait_for_timeout(500)
    assert page.locator(CARD).count(), "one can go to the card"
    page.keyboard.press("Escape")
    assert not page.locator(CARD).count()
    page.hover(EQUATION)
    page.wait_for_selector(CARD)
    page.hover("h1")
    page.wait_for_selector(CARD, state="detached")
    assert page.get_attribute(EQUATION, "aria-describedby") is None


@pytest.mark.site
def test_the_card_comes_to_the_keys_and_goes_with_them(opened):
    page, _ = opened()
    page.focus(EQUATION)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.wait_for_selector(CARD)
    page.keyboard.press("Tab")
    assert not page.locator(f"{CARD} .katex-display").count()


@pytest.mark.site
def test_a_tap_follows_the_link(opened):
    page, _ = opened(has_touch=True, is_mobile=True)
    page.dispatch_event(EQUATION, "pointerover", {"pointerType": "touch"})  # a finger that stays
    page.wait_for_timeout(500)
    assert not page.locator(CARD).count()
    page.tap(EQUATION)
    page.wait_for_timeout(500)
    assert page.url.endswith("#equation-3-1") and not page.locator(CARD).count()


@pytest.mark.site
def test_nothing_in_an_excerpt_acts(opened):
    page, _ = opened()
    page.hover(EQUATION)
    page.wait_for_selector(CARD)
    acting = page.evaluate(
        """() => Object.values(window.previews).filter(text => {
          const held = new DOMParser().parseFromString(text, "text/html");
          return held.querySelector("script, a, button, input, iframe, [id^='cell-'], [onclick]");
        })"""
    )
    assert not acting


@pytest.mark.site
def test_the_link_to_a_heading_is_seen_by_pointer_and_by_key(opened):
    page, _ = opened()
    heading = page.locator("article section > h2").first
    link = heading.locator("a.headerlink")
    seen = "e => getComputedStyle(e).visibility === 'visible' && +getComputedStyle(e).opacity"
    assert not link.evaluate(seen)
    heading.hover()
    assert link.evaluate(seen)
    page.hover("h1")
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert link.evaluate("e => e === document.activeElement") and link.evaluate(seen)
