"""The playground's page: what a reader's keys, mouse, files and camera do there, with the real
detector, and what its sentences say. Arithmetic and engine: test_playground.py.
"""

import functools
import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import playground
import pytest
from conftest import ROOT, keep_to
from javascript import calls
from PIL import Image
from playwright.sync_api import expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PART = "_static/playground"
SHELL = """<!doctype html>
<html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>Playground</title>
<meta name="viewport" content="width=device-width"><body><main>{raw}</main></body></html>"""


class Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page without its theme, light and dark, beside the files that the build makes."""
    place = tmp_path_factory.mktemp("site")
    playground.write(place / PART)
    (place / "book").mkdir()
    source = (ROOT / "book/playground.md").read_text(encoding="utf-8")
    raw = re.search(r"```\{raw\} html\n(.*?)```", source, re.DOTALL)[1]
    for theme in ("light", "dark"):
        (place / f"book/{theme}.html").write_text(SHELL.format(theme=theme, raw=raw), "utf-8")
    return place


@pytest.fixture(scope="module")
def facts(folder):
    return json.loads((folder / PART / "facts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def address(folder):
    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/book/"
        server.shutdown()


@pytest.fixture(scope="module")
def visit(browser, address):
    """A function that opens the page; what it asks of other hosts, or throws, fails at the end."""
    contexts, foreign, errors = [], [], []

    def open_page(theme="light", script="", **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        keep_to(address, context, foreign)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url.partition(PART)[2]))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(script)
        page.goto(f"{address}{theme}.html")
        page.get_by_role("button", name="Start").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not foreign and not errors


def begin(page):
    page.get_by_role("button", name="Start").click()
    page.locator(".pg-layer").first.wait_for()
    expect(words(page)).to_contain_text("Found")
    return page


@pytest.fixture(scope="module")
def playing(visit):
    """A page on which the detector runs, with the network cut."""
    page = begin(visit(viewport={"width": 1280, "height": 1000}))
    page.context.set_offline(True)
    return page


@pytest.fixture
def page(playing):
    """It shows the first scene by day, and the routers decide."""
    in_group(playing, "α from", "routers").click()
    playing.get_by_role("button", name="scene 1, day").click()
    expect(words(playing)).to_contain_text("The routers set α")
    return playing


def words(page):
    return page.locator(".dc-summary")


def in_group(page, group, name):
    return page.get_by_role("group", name=group, exact=True).get_by_role("button", name=name)


def bars(page):
    """α as the sliders have them, layer by layer."""
    rows = "layers => layers.map(e => [...e.querySelectorAll('input')].map(i => i.valueAsNumber))"
    return page.locator(".pg-layer").evaluate_all(rows)


def steady(page, read=bars):
    """What is read, when it has come to rest."""
    before = None
    for _ in range(40):
        page.wait_for_timeout(100)
        now = read(page)
        if now == before:
            return now
        before = now
    pytest.fail("the page never comes to rest")


def means(facts, light):
    return [pytest.approx(layer["means"][light], abs=0.0051) for layer in facts["layers"]]


def grey_at(page, x, y):
    """The grey of the picture there (parts of its side), 0 to 255."""
    return page.locator(".pg-picture canvas").evaluate(
        "(c, [x, y]) => c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data[0]",
        [x, y],
    )


def picture(page):
    return steady(page, lambda p: p.locator(".pg-picture canvas").evaluate("c => c.toDataURL()"))


# --- the start ------------------------------------------------------------------------------------


def test_it_starts_by_keys_alone_and_fetches_nothing_before(visit, facts):
    page = visit()
    detector = {f"/{name}" for name in facts["bytes"]}
    assert not detector & {*page.asked}
    megabytes = round(sum(facts["bytes"].values()) / 1e6)
    assert page.get_by_role("button", name="Start").inner_text() == f"Start ({megabytes} MB)"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Start")
    page.keyboard.press("Enter")
    expect(words(page)).to_contain_text("Found")
    assert detector <= {*page.asked}
    assert page.evaluate("document.activeElement.className").endswith("pg-try")
    asked = len(page.asked)
    page.context.set_offline(True)
    for scene in page.locator(".pg-gallery button").all():
        scene.press("Enter")
        expect(scene).to_have_attribute("aria-pressed", "true")
    page.locator(".pg-try").nth(1).press("Enter")
    expect(words(page)).to_contain_text("the mean of night in all layers")
    assert page.asked[asked:] == [], "something is fetched while the reader plays"


def test_a_download_that_breaks_off_says_so_and_can_be_tried_again(visit):
    page = visit()
    page.route("**/*.onnx", lambda route: route.abort())
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("check your connection and try again")
    page.unroute("**/*.onnx")
    page.get_by_role("button", name="Try again").click()
    expect(words(page)).to_contain_text("Found")
    expect(page.get_by_role("alert")).to_have_text("")


@pytest.mark.parametrize("file", ["3-day.png", "3-noisy.png"])
def test_a_scene_that_is_missing_says_so_and_can_be_tried_again(visit, file):
    page = visit()
    page.route(f"**/{file}", lambda route: route.fulfill(status=404))
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text(f"{file} did not arrive whole: check")
    page.unroute(f"**/{file}")
    page.get_by_role("button", name="Try again").click()
    expect(words(page)).to_contain_text("Found")


def test_from_a_file_there_is_a_sentence(browser, folder):
    context = browser.new_context()
    page = context.new_page()
    page.goto((folder / "book/light.html").as_uri())
    expect(page.locator("#playground-missing")).to_be_visible()
    context.close()


def test_without_webassembly_there_is_a_sentence(visit):
    page = visit(script="delete window.WebAssembly")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("WebAssembly, which is missing here")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(visit, theme):
    page = visit(theme, **PHONE)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    begin(page)
    for attempt in page.locator(".pg-try").all():
        attempt.tap()
        steady(page)
        assert page.evaluate(width) <= 390
    ink = "getComputedStyle(document.querySelector('#playground')).color"
    assert page.evaluate(ink) == {"light": "rgb(31, 35, 40)", "dark": "rgb(230, 230, 230)"}[theme]


@pytest.mark.site
def test_it_fits_a_phone_in_the_built_page(browser, site):
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(site + "book/playground.html")
    begin(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("main h1").count() == 1
    context.close()


# --- α --------------------------------------------------------------------------------------------


def test_a_slider_takes_a_layer_over_and_the_router_gets_it_back(page):
    before, layers = steady(page), page.locator(".pg-layer")
    slider = layers.nth(0).get_by_role("slider").nth(0)
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    after = steady(page)
    assert after[0] == pytest.approx([before[0][0] + 0.05, *before[0][1:]], abs=1e-6)
    others = [str(k) for k in range(2, layers.count() + 1)]
    joined = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
    left = f"set by hand in layer 1 and left to the router in layers {joined}."
    expect(words(page)).to_contain_text(left if len(others) > 1 else "set by hand in layer 1")
    expect(words(page)).to_contain_text("as with the routers' own α")
    expect(layers.nth(0)).to_contain_text("yours")
    expect(layers.nth(1)).to_contain_text("router")
    back = page.get_by_role("button", name="give layer 1 back to its router")
    back.press("Enter")
    expect(words(page)).to_contain_text("The routers set α")
    expect(back).to_be_hidden()
    expect(slider).to_be_focused()  # not nowhere, as the button is gone
    assert steady(page) == before


@pytest.mark.parametrize("light", ["day", "night", "inverted", "noisy"])
def test_alpha_of_a_light_is_its_mean_and_the_routers_come_back(page, facts, light):
    before = steady(page)
    in_group(page, "α from", light).click()
    assert steady(page) == means(facts, light)
    expect(words(page)).to_contain_text(f"α is the mean of {light} in all layers.")
    expect(in_group(page, "α from", light)).to_have_attribute("aria-pressed", "true")
    expect(in_group(page, "α from", "routers")).to_have_attribute("aria-pressed", "false")
    in_group(page, "α from", "routers").click()
    expect(words(page)).to_contain_text("The routers set α")
    assert steady(page) == before


def test_frozen_alpha_stays_while_the_picture_changes(page):
    before = steady(page)
    in_group(page, "α from", "freeze").click()
    in_group(page, "Light", "inverted").click()
    expect(words(page)).to_contain_text("α is frozen in all layers.")
    assert steady(page) == before
    in_group(page, "α from", "routers").click()
    expect(words(page)).to_contain_text("The routers set α")
    assert steady(page) != before, "the routers do not answer to the light"


def test_what_is_frozen_is_alpha_of_the_picture_that_is_shown(page):
    """Not of the one before, when both are asked for at once."""
    steady(page)
    press = """names => { for (const name of names)
      [...document.querySelectorAll("#playground button")]
        .find(node => node.textContent.endsWith(name)).click(); }"""
    page.evaluate(press, ["night", "freeze"])
    expect(words(page)).to_contain_text("α is frozen in all layers.")
    frozen = steady(page)
    in_group(page, "α from", "routers").click()
    expect(words(page)).to_contain_text("The routers set α")
    assert steady(page) == frozen


def test_a_hand_on_the_page_ends_what_is_being_tried(page):
    page.locator(".pg-try").nth(0).click()
    page.get_by_role("button", name="scene 4").click()
    page.wait_for_timeout(1200)
    expect(page.get_by_role("button", name="scene 4")).to_have_attribute("aria-pressed", "true")
    expect(in_group(page, "Light", "noisy")).to_have_attribute("aria-pressed", "true")
    assert not page.locator(".pg-try[aria-pressed=true]").count()
    assert page.locator(".pg-look").inner_text() == ""


def test_each_thing_to_try_ends_where_it_says(page):
    def state():
        pressed = page.get_by_role("button", pressed=True)
        return {text.split(" ", 1)[-1] for text in pressed.all_inner_texts()} - {""}

    for number, expected in enumerate(
        [{"routers", "night"}, {"night", "day"}, {"freeze", "inverted"}, {"routers", "day"}]
    ):
        page.locator(".pg-try").nth(number).click()
        page.wait_for_timeout(1200)
        steady(page)
        assert expected <= state(), number
        assert len(page.locator(".pg-look").inner_text()) > 50


# --- pictures of the reader's own -----------------------------------------------------------------


def test_drawing_with_the_mouse(page):
    in_group(page, "Draw", "clear").click()
    empty = picture(page)
    assert len({grey_at(page, x / 10, 0.5) for x in range(10)}) == 1, "the sheet is not empty"
    page.locator(".pg-picture").scroll_into_view_if_needed()
    frame = page.locator(".pg-picture").bounding_box()

    def at(x, y):
        return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]

    page.mouse.move(*at(0.2, 0.5))
    page.mouse.down()
    page.mouse.move(*at(0.8, 0.5), steps=6)
    page.mouse.up()
    picture(page)
    assert grey_at(page, 0.5, 0.5) < 80 < grey_at(page, 0.5, 0.7)
    in_group(page, "Light", "night").click()
    picture(page)
    assert grey_at(page, 0.5, 0.7) < 80, "what is drawn is not relit"
    in_group(page, "Light", "day").click()
    in_group(page, "Draw", "undo").click()
    assert picture(page) == empty, "a stroke is not undone at once"
    in_group(page, "Draw", "square").click()
    page.mouse.click(*at(0.5, 0.5))
    picture(page)
    assert grey_at(page, 0.5, 0.5) < 80
    in_group(page, "Draw", "square").click()  # out of the hand again
    page.mouse.click(*at(0.1, 0.1))
    picture(page)
    assert grey_at(page, 0.1, 0.1) > 80, "it draws without a tool"


def test_a_second_finger_draws_no_line_to_the_first(page):
    in_group(page, "Draw", "clear").click()
    frame = page.locator(".pg-picture").bounding_box()

    def touch(kind, finger, x, y):
        at = {
            "clientX": frame["x"] + x * frame["width"],
            "clientY": frame["y"] + y * frame["height"],
        }
        touched = {"pointerId": finger, "pointerType": "touch", "bubbles": True, **at}
        page.locator(".pg-picture").dispatch_event(f"pointer{kind}", touched)

    # there is no such finger to capture
    page.locator(".pg-picture").evaluate("node => (node.setPointerCapture = () => {})")
    touch("down", 11, 0.2, 0.2)
    touch("down", 12, 0.8, 0.8)
    touch("move", 12, 0.8, 0.7)
    touch("up", 12, 0.8, 0.7)
    touch("move", 11, 0.2, 0.4)
    touch("up", 11, 0.2, 0.4)
    page.locator(".pg-picture").evaluate("node => delete node.setPointerCapture")
    picture(page)
    assert grey_at(page, 0.2, 0.3) < 80 < grey_at(page, 0.5, 0.5)


def test_drawing_by_keys(page):
    in_group(page, "Draw", "clear").press("Enter")
    empty = picture(page)
    page.locator(".pg-picture").focus()
    for key, times in {"Left": 21, "Right": 5, "Up": 21, "Down": 9}.items():
        for _ in range(times):
            page.keyboard.press(f"Arrow{key}")
    expect(page.locator("p.pg-spoken")).to_have_text(
        "The cross is at 25% from the left, 45% from the top."
    )
    seen = {empty}
    for key in "bdst":
        page.keyboard.press(key)
        now = picture(page)
        assert now not in seen, f"{key} draws nothing"
        seen.add(now)
    assert grey_at(page, 0.25, 0.45) < 80 < grey_at(page, 0.75, 0.45)
    expect(words(page)).to_contain_text("Found")
    for _ in range(4):
        page.keyboard.press("Backspace")
    assert picture(page) == empty


def transfer(page, name, kind, content):
    script = """([name, type, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(content)], name, { type }));
      return transfer;
    }"""
    return page.evaluate_handle(script, [name, kind, list(content)])


@pytest.fixture
def photo(tmp_path):
    """A file: black left, white right, twice as wide as high."""
    image = Image.new("RGB", (200, 100), "white")
    image.paste("black", (0, 0, 100, 100))
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def assert_is_the_photo(page):
    picture(page)
    top, left, right = (grey_at(page, *at) for at in ((0.5, 0.1), (0.3, 0.5), (0.7, 0.5)))
    assert (top, left, right) == (114, 0, 255)


def test_a_text_file_gives_a_sentence_and_a_picture_ends_it(page, photo):
    given = transfer(page, "no<b>tes.txt", "text/plain", b"hello")
    page.locator("#playground").dispatch_event("drop", {"dataTransfer": given})
    expect(page.get_by_role("alert")).to_have_text(
        "no<b>tes.txt is no picture that this browser can open: try a PNG, JPEG or WebP file."
    )
    assert page.locator("[role=alert] b").count() == 0, "a file's name became HTML"
    given = transfer(page, "photo.png", "image/png", photo.read_bytes())
    page.locator("#playground").dispatch_event("drop", {"dataTransfer": given})
    expect(page.get_by_role("alert")).to_have_text("")
    assert_is_the_photo(page)


def test_a_picture_is_chosen_or_pasted(page, photo):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="image file").click()
    chooser.value.set_files(photo)
    assert_is_the_photo(page)
    page.get_by_role("button", name="scene 2").click()
    picture(page)
    given = transfer(page, "photo.png", "image/png", photo.read_bytes())
    page.evaluate(
        "d => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: d }))", given
    )
    assert_is_the_photo(page)


def test_a_picture_that_opens_late_gives_way(page, photo):
    page.evaluate(
        "() => { const open = createImageBitmap; window.createImageBitmap = async (file) => {"
        "window.createImageBitmap = open;"
        "await new Promise((resolve) => setTimeout(resolve, 1000)); return open(file); }; }"
    )
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_role("button", name="scene 2").click()
    chosen = picture(page)
    page.wait_for_timeout(1000)
    assert picture(page) == chosen


def test_what_is_transparent_is_white(page, tmp_path):
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "empty.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "empty.png")
    picture(page)
    assert grey_at(page, 0.5, 0.5) == 255


def test_a_link_that_is_dropped_gives_a_sentence(page):
    kept = page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/uri-list", "http://127.0.0.1/photo.png");
          const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
          return !document.querySelector("#playground").dispatchEvent(drop);
        }"""
    )
    assert kept, "the browser would leave the page"
    expect(page.get_by_role("alert")).to_contain_text("That is no file: save the picture first")


CAMERA = """
window.tracks = [];
const canvas = Object.assign(document.createElement("canvas"), { width: 200, height: 100 });
window.film = (colour) => {
  const pen = canvas.getContext("2d");
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 200, 100);
};
navigator.mediaDevices.getUserMedia = async () => {
  if (window.refused) throw new DOMException("no", window.refused);
  const stream = canvas.captureStream(30);
  tracks.push(...stream.getTracks());
  setInterval(() => film(window.colour ?? "black"), 50);
  return stream;
};
"""


def test_the_camera(visit):
    page = begin(visit(script=CAMERA))
    camera = page.get_by_role("button", name="camera")
    page.evaluate("window.refused = 'NotAllowedError'")
    camera.click()
    expect(page.get_by_role("alert")).to_contain_text("The camera was refused: allow it")
    page.evaluate("window.refused = 'NotFoundError'")
    camera.click()
    expect(page.get_by_role("alert")).to_contain_text("no camera that the browser can see")
    page.evaluate("window.refused = null")
    camera.click()
    expect(camera).to_have_text("stop the camera")
    for colour, grey in {"black": 0, "white": 255}.items():
        page.evaluate("colour => (window.colour = colour)", colour)
        page.wait_for_function(
            "g => Math.abs(document.querySelector('.pg-picture canvas').getContext('2d')"
            ".getImageData(48, 48, 1, 1).data[0] - g) < 8",
            arg=grey,
        )
    expect(words(page)).to_have_text(re.compile("Found: nothing"))  # said while pictures come
    camera.click()
    expect(camera).to_have_text("camera")
    assert page.evaluate("tracks.map(track => track.readyState)") == ["ended"]
    assert grey_at(page, 0.5, 0.5) > 240, "the last picture is not kept"
    camera.click()
    expect(camera).to_have_text("stop the camera")
    page.get_by_role("button", name="scene 1, day").click()
    assert set(page.evaluate("tracks.map(track => track.readyState)")) == {"ended"}
    camera.click()
    expect(camera).to_have_text("stop the camera")
    page.evaluate("tracks.at(-1).dispatchEvent(new Event('ended'))")  # as when it is unplugged
    expect(page.get_by_role("alert")).to_contain_text("The camera sends no more pictures")
    expect(camera).to_have_text("camera")


# --- sentences and small arithmetic ---------------------------------------------------------------


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    place = tmp_path_factory.mktemp("node")
    files = [*playground.MODULES.glob("*.js"), playground.KIT]
    with calls(place, files) as call:
        yield call


CLASSES = ["disc", "box"]


def boxes(*kinds):
    """Beside each other."""
    return [
        {"kind": kind, "score": 0.9, "x1": 10 * i, "y1": 0, "x2": 10 * i + 9, "y2": 9}
        for i, kind in enumerate(kinds)
    ]


def test_what_was_found_in_words(js):
    assert js("words", "found", [], CLASSES) == "nothing"
    assert js("words", "found", boxes(0), CLASSES) == "one disc"
    assert js("words", "found", boxes(0, 1, 1), CLASSES) == "one disc and two boxs"
    assert js("words", "found", boxes(*[0] * 11), CLASSES) == "11 discs"
    double = {**boxes(0)[0], "x2": 8, "score": 0.3}
    assert js("words", "found", [*boxes(0, 0), double], CLASSES) == "two discs in three boxes"
    other = {**double, "kind": 1}
    assert js("words", "found", [*boxes(0), other], CLASSES) == "one disc and one box"


def test_who_decides_in_words(js):
    say = functools.partial(js, "words", "deciders")
    assert say(["night", "night"]) == "α is the mean of night in all layers"
    assert say(["router", "yours", "router", "router"]) == (
        "α is left to the router in layers 1, 3 and 4 and set by hand in layer 2"
    )


def test_the_nearest_light_is_measured_over_all_layers(js):
    def layer(name, day, night):
        return {"name": name, "means": {"day": day, "night": night}}

    facts = {
        "lights": ["day", "night"],
        "classes": CLASSES,
        "layers": [layer("a", [0, 0], [1, 1]), layer("b", [0.5], [0.6])],
    }
    assert js("words", "nearest", {"a": [0.1, 0], "b": [0.9]}, facts) == "day"
    now = {"boxes": boxes(1), "alpha": {"a": [1, 0.2], "b": [0.9]}}
    assert js("words", "sentence", now, None, ["router"] * 2, facts) == (
        "Found: one box. The routers set α, and it is nearest to the mean of night."
    )
    own = {"boxes": boxes(0)}
    assert js("words", "sentence", now, own, ["frozen"] * 2, facts) == (
        "Found: one box; with the routers' own α: one disc. Now α is frozen in all layers."
    )


def test_marks_stand_apart_in_their_order_and_inside(js):
    assert js("routing", "spread", [50, 10, 90], 11, 0, 100) == [50, 10, 90]
    crowded = js("routing", "spread", [99, 98, 97, 3], 11, 0, 100)
    assert crowded == [100, 89, 78, 3]
    assert js("routing", "spread", [0, 0, 1], 11, 0, 100) == [0, 11, 22]


def test_a_lost_box_has_no_counterpart(js):
    (box,) = boxes(0)
    near, far, other = {**box, "x2": 8}, {**box, "x1": 6, "x2": 15}, {**box, "kind": 1}
    assert js("stage", "lost", [box], [near]) == []
    assert js("stage", "lost", [box], [far]) == [box]
    assert js("stage", "lost", [box], [other]) == [box]
    assert js("stage", "lost", [box], []) == [box]


def test_the_welcome_shows_the_layer_whose_means_differ_most(js):
    layers = [
        {"name": "a", "experts": 2, "means": {"day": [0.1, 0.5], "night": [0.2, 0.5]}},
        {"name": "b", "experts": 2, "means": {"day": [0.1, 0.5], "night": [0.1, 0.9]}},
    ]
    facts = {"layers": layers, "lights": ["day", "night"]}
    assert js("welcome", "liveliest", facts)["name"] == "b"
