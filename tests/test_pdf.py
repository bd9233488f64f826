"""Pages of the built site as a PDF (tools/pdf.py), and a page that a reader prints: read back."""

import re

import pdf
import pytest
from conftest import HTML
from pypdf import PdfReader

pytestmark = pytest.mark.site

CHAPTER, OTHER = "notebooks/02_where_alpha_comes_from", "book/solutions"
BOOK = [("", ["book/index"]), ("A part", [CHAPTER]), ("Another", [OTHER])]


@pytest.fixture(scope="module")
def book(site, browser, tmp_path_factory):
    """A book of three pages, one with two figures to touch, and what was written where."""
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    return pdf.write(browser, target, BOOK), PdfReader(target)


def outline(items, depth=0):
    for item in items:
        if isinstance(item, list):
            yield from outline(item, depth + 1)
        else:
            yield depth, item.title


def words(text):
    """The words without what a line's end or a ligature does to them."""
    return re.sub(r"\W+", " ", text.replace("ﬁ", "fi").replace("ﬂ", "fl")).strip()


def text(page):
    return words(page.extract_text())


def test_each_page_begins_where_the_contents_say(book):
    written, reader = book
    assert list(written) == [page for _, pages in BOOK for page in pages]
    contents = text(reader.pages[1])
    for title, number in written.values():
        assert words(title) in text(reader.pages[number - 1])
        assert f"{words(title)} {number}" in contents
        assert str(number) in text(reader.pages[number - 1]).split()  # at the foot
    assert [number for _, number in written.values()] == sorted({n for _, n in written.values()})
    assert words("A part") in contents


def test_the_outline_has_each_heading_once(book):
    written, reader = book
    found = list(outline(reader.outline))
    assert [title for depth, title in found if depth == 0][1:] == [t for t, _ in written.values()]
    assert (1, "Exercises") in found
    assert (
        len([1 for _, title in found if title.startswith("Exercise 2.1")]) == 2
    )  # and its solution


def test_links_between_pages_lead_inside(book):
    written, reader = book
    places = reader.named_destinations
    first, last = written[CHAPTER][1] - 1, written[OTHER][1] - 1
    links = [
        annotation.get_object()
        for page in reader.pages[first:last]
        for annotation in page.get("/Annots", ())
    ]
    inside = [link["/Dest"] for link in links if "/Dest" in link]
    assert any(place.startswith("/book-solutions") for place in inside)
    assert all(place in places for place in inside)
    assert not [link for link in links if pdf.ADDRESS in str(link.get("/A"))]


def test_solutions_are_open_and_hints_closed(book):
    written, reader = book
    first, last = written[CHAPTER][1] - 1, written[OTHER][1] - 1
    chapter = " ".join(map(text, reader.pages[first:last]))
    assert "Exercise 2 1" in chapter and "Hint" not in chapter
    assert "def router" in " ".join(map(text, reader.pages[last:]))


def test_what_is_wrong_with_a_page_is_told(site, browser, tmp_path):
    """A figure that is not drawn, and a link that leads nowhere."""
    page = (HTML / f"{CHAPTER}.html").read_text("utf-8")
    broken = re.sub(r"customElements\.define\(", "console.log(", page)
    broken = broken.replace("</article>", '<a href="#nowhere">?</a></article>')
    (tmp_path / "notebooks").mkdir()
    (tmp_path / f"{CHAPTER}.html").write_text(broken, "utf-8")
    (tmp_path / "_static").symlink_to(HTML / "_static")
    with pytest.raises(SystemExit) as error:
        pdf.write(browser, tmp_path / "x.pdf", [("", [CHAPTER])], tmp_path)
    assert "not drawn: <dc-" in str(error.value)
    assert f'leads nowhere: <a href="#{pdf.name_of(CHAPTER)}--nowhere">' in str(error.value)


def test_a_printed_page_is_light_and_has_no_menus(site, browser, tmp_path):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site}{CHAPTER}.html")
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
          window.printed = [...document.querySelectorAll(".dc-figure:has(> script)")]
            .map(figure => figure.matches(".dc-ready"));
          window.ink = document.documentElement.dataset.theme;
        })"""
    )
    page.pdf(path=tmp_path / "page.pdf", format="Letter")
    assert page.evaluate("printed") and all(page.evaluate("printed"))
    assert page.evaluate("ink") == "light"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"  # again
    shown = text(PdfReader(tmp_path / "page.pdf").pages[0])
    assert shown.removeprefix("1 ").startswith("2 Where α comes from")  # 1: the number at the foot
    page.emulate_media(media="print")
    page.set_viewport_size(pdf.VIEW)  # as wide as paper
    page.locator(".code-line:not(details *)").first.evaluate("line => line.append('x'.repeat(200))")
    wide = page.locator("pre, table, img, div.math").evaluate_all(
        "all => all.filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert not wide, "cut on paper"
    context.close()
