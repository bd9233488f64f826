"""What a reader has read is marked, in this browser only (book/theme_static/progress.js)."""

import json

import pytest
from conftest import keep_to

pytestmark = pytest.mark.site

CHAPTER = "notebooks/03_parameters_are_not_flops"
FRONT = "book/index.html"
SECTIONS = ".bd-article > section > section[id]"
WAIT = 8000


@pytest.fixture
def reader(browser, site):
    """A function that opens pages of the site in one browser of one reader."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT)
    foreign = []
    keep_to(site, context, foreign)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def open_page(name):
        page.goto(site + name)
        return page

    yield open_page
    context.close()
    assert not foreign
    assert not errors


def kept(page):
    (text,) = page.evaluate(
        "Object.keys(localStorage).filter(k => k.startsWith('reading ')).map(k => localStorage[k])"
    ) or ["{}"]
    return json.loads(text)


def stay_at_the_end_of(page, number):
    page.locator(SECTIONS).nth(number).evaluate(
        "section => scrollTo({behavior: 'instant',"
        " top: section.getBoundingClientRect().bottom + scrollY - innerHeight / 2})"
    )
    page.wait_for_timeout(2000)


def test_a_section_that_was_read_is_marked_on_its_page_and_on_the_front_page(reader):
    page = reader(f"{CHAPTER}.html")
    assert page.locator(".read-mark").count() == 0
    ids = page.locator(SECTIONS).evaluate_all("all => all.map(each => each.id)")
    stay_at_the_end_of(page, 1)
    state = kept(page)["pages"][CHAPTER]
    assert state["sections"] == ids
    assert ids[1] in state["read"] and ids[-1] not in state["read"]
    text = f"{len(state['read'])} of {len(ids)} sections read"
    assert page.locator(".bd-links .read-mark").get_attribute("aria-label") == text
    page = reader(FRONT)
    card = page.locator(f'.chapter-cards li:has(a[href*="{CHAPTER}"])')
    assert card.locator(".read-mark").inner_text() == text
    following = ids[ids.index(state["read"][-1]) + 1]
    assert card.locator("a").get_attribute("href").endswith(f"{CHAPTER}.html#{following}")
    assert page.locator(".chapter-cards .read-mark").count() == 1


def test_who_only_passes_by_has_read_nothing(reader):
    page = reader(f"{CHAPTER}.html")
    page.evaluate(
        """async () => {
          for (let top = 0; top < document.body.scrollHeight; top += 700) {
            scrollTo({top, behavior: "instant"});
            await new Promise(done => setTimeout(done, 30));
          }
          scrollTo({top: 0, behavior: "instant"});
        }"""
    )
    page.wait_for_timeout(2000)
    read = kept(page).get("pages", {}).get(CHAPTER, {}).get("read", [])
    assert len(read) <= 1  # what stands at the top


def test_a_whole_chapter_is_finished_and_all_can_be_forgotten(reader):
    page = reader(f"{CHAPTER}.html")
    for number in range(page.locator(SECTIONS).count()):
        stay_at_the_end_of(page, number)
    page = reader(FRONT)
    assert page.locator(".chapter-cards .read-mark").inner_text() == "finished"
    page.get_by_role("button", name="Forget them").click()
    assert page.locator(".read-mark").count() == 0
    assert kept(page) == {}
    assert page.get_by_role("button", name="Forget them").is_disabled()
    assert "#" not in page.locator(".chapter-cards a").first.get_attribute("href")


def test_other_pages_are_not_counted(reader):
    page = reader("book/setup.html")
    page.wait_for_timeout(2000)
    assert kept(page) == {}


WHOLE = {"sections": ["a", "b"], "read": ["a"]}


@pytest.mark.parametrize(
    "text",
    ["not JSON", "null", "[]", '{"version": 1, "pages": 7}',
     json.dumps({"version": 9, "pages": {CHAPTER: WHOLE}}),
     json.dumps({"version": 1, "pages": {CHAPTER: {"sections": "<b>", "read": 3}}})],
)  # fmt: skip
def test_what_cannot_be_read_marks_nothing_and_breaks_nothing(reader, text):
    page = reader(FRONT)
    page.evaluate(
        "text => localStorage.setItem('reading ' + new URL('..', location).pathname, text)", text
    )
    page = reader(FRONT)
    assert page.locator(".read-mark").count() == 0


def test_a_field_that_a_later_edition_adds_is_kept(reader):
    page = reader(FRONT)
    later = {"version": 1, "pages": {CHAPTER: {"exercises": {"3.1": "passed"}}}}
    page.evaluate(
        "text => localStorage.setItem('reading ' + new URL('..', location).pathname, text)",
        json.dumps(later),
    )
    page = reader(f"{CHAPTER}.html")
    stay_at_the_end_of(page, 0)
    state = kept(page)["pages"][CHAPTER]
    assert state["exercises"] == {"3.1": "passed"} and state["read"]


def test_a_browser_that_keeps_nothing_shows_the_page_without_marks(browser, site):
    context = browser.new_context()
    context.add_init_script(
        "for (const name of ['getItem', 'setItem', 'removeItem'])"
        " Storage.prototype[name] = () => { throw new DOMException('denied', 'SecurityError'); }"
    )
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site + FRONT)
    assert page.locator(".chapter-cards li").count() > 10
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert not page.locator(".progress-note").is_visible()
    assert not errors
    context.close()


def test_marks_move_nothing(reader):
    page = reader(f"{CHAPTER}.html")
    stay_at_the_end_of(page, 0)
    places = """() => [...document.querySelectorAll('.bd-links li, .chapter-cards li, h2')].map(
      each => [each.offsetLeft, each.offsetTop, each.offsetWidth, each.offsetHeight].join())"""
    page = reader(FRONT)
    with_marks = page.evaluate(places)
    assert page.locator(".read-mark").count() == 2
    page.get_by_role("button", name="Forget them").click()
    assert page.evaluate(places) == with_marks
