"""How the pages look, as far as it can be measured: the width of the text, code that fits, signs in
one line, and what a narrow window makes of them.
"""

import html
import re
from statistics import median

import pytest
from code_lines import Lines
from conftest import HTML
from pygments import highlight
from pygments.lexers import DiffLexer, PythonLexer

pytestmark = pytest.mark.site

CHAPTERS = sorted(path.relative_to(HTML).as_posix() for path in HTML.glob("notebooks/*.html"))
CHAPTER = "notebooks/02_where_alpha_comes_from.html"


@pytest.fixture
def look(browser, site):
    """A function that opens a page in a window of that width."""
    contexts = []

    def open_page(name, width):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(site + name)
        page.evaluate("() => document.fonts.ready.then(() => null)")
        return page

    yield open_page
    for context in contexts:
        context.close()


LETTERS = """() => {  // in each full line of running text
  const lines = [];
  for (const paragraph of document.querySelectorAll(".bd-article section > p:not(:has(*))")) {
    const text = paragraph.firstChild, range = document.createRange();
    let top = null, letters = 0;
    for (let i = 0; i < text.length; i++) {
      range.setStart(text, i);
      range.setEnd(text, i + 1);
      const box = range.getClientRects()[0];
      if (box?.width && top !== null && box.top > top + 8) {
        lines.push(letters);
        letters = 0;
      }
      if (box?.width) top = box.top;
      letters += 1;
    }
  }
  return lines;
}"""


@pytest.mark.parametrize("width", [1024, 1280, 1920])
def test_a_line_of_text_has_65_to_75_letters(look, width):
    lines = look(CHAPTER, width).evaluate(LETTERS)
    assert len(lines) >= 15
    assert 65 <= median(lines) <= 75


TOO_WIDE = """() => [...document.querySelectorAll(".bd-article pre")]
  .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"""


@pytest.mark.parametrize("width", [390, 640])
@pytest.mark.parametrize("name", CHAPTERS)
def test_code_fits(look, name, width):
    page = look(name, width)
    for fold in page.locator(".bd-article details.hide").all():
        fold.evaluate("fold => { fold.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []


# Where each row of each line of code begins, in pixels from the left.
BEGINS = """() => [...document.querySelectorAll(".bd-article .cell_input .code-line")].map(line => {
  const rows = [], letter = document.createRange();
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let bottom = -1;
  for (let node; (node = walker.nextNode()); )
    for (let i = 0; i < node.length; i++) {
      if (!node.data[i].trim()) continue;
      letter.setStart(node, i);
      letter.setEnd(node, i + 1);
      const box = letter.getClientRects()[0];
      if (box.top > bottom) rows.push(box.left);
      bottom = box.bottom - 3;
    }
  return rows;
})"""


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_line_of_code_is_broken_at_1280_pixels(look, name):
    lines = look(name, 1280).evaluate(BEGINS.replace(".cell_input", ":not(.hide) > .cell_input"))
    assert all(len(rows) <= 1 for rows in lines)


def test_on_a_phone_a_long_line_goes_on_below_its_own_code(look):
    lines = look(CHAPTER, 390).evaluate(BEGINS)
    broken = [rows for rows in lines if len(rows) > 1]
    assert len({round(rows[0]) for rows in broken}) > 1, "code of several indentations is broken"
    # A single word may be too long for a row, and then both its rows begin at the same place.
    assert all(min(others) >= first for first, *others in broken)
    assert sum(min(others) > first + 5 for first, *others in broken) > 0.9 * len(broken)


@pytest.mark.parametrize("lexer", [PythonLexer(), DiffLexer()])
def test_lines_of_code_keep_their_text_and_know_their_columns(lexer):
    code = 'def f(x):\n    """Two\n    lines."""\n\n    return x < 1\n-     gone\n'
    page = highlight(code, lexer, Lines())
    assert html.unescape(re.sub("<[^>]+>", "", page)).rstrip() == code.rstrip()
    lines = re.findall(r'<span class="code-line"(?: style="--columns:(\d+)")?>', page)
    assert lines == ["", "4", "4", "", "4", "6"]


MIDDLES = """() => [...document.querySelectorAll(".article-header-buttons .btn")]
  .map(button => [...button.querySelectorAll("i, .fa-solid")].find(sign => sign.offsetWidth))
  .filter(Boolean)
  .map(sign => sign.getBoundingClientRect())
  .map(({ top, bottom }) => (top + bottom) / 2)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_signs_at_the_head_of_a_page_stand_on_one_line(look, width):
    middles = look(CHAPTER, width).evaluate(MIDDLES)
    assert len(middles) >= 3
    assert max(middles) - min(middles) < 1


def test_a_folded_cell_is_a_quiet_line(look):
    summary = look(CHAPTER, 1280).locator("details.hide > summary > p:visible").first
    weight, shadow = summary.evaluate("""line =>
      [getComputedStyle(line).fontWeight, getComputedStyle(line.closest("details")).boxShadow]""")
    assert (weight, shadow) == ("400", "none")


def test_what_follows_a_prediction_is_called_an_experiment(look):
    lines = look(CHAPTER, 1280).locator("details.hide > summary").all_inner_texts()
    assert {line.strip() for line in lines} == {"Show the code", "Show the experiment"}
