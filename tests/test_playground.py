"""The playground without its page: pictures, boxes and the detector in JavaScript beside the
package and PyTorch, and what `start` says when something is missing.
"""

import functools
import gzip
import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import playground
import pytest
import torch
from conftest import HTML, keep_to
from javascript import calls
from PIL import Image

from dynconv.lab import detector, drawing, routing
from dynconv.yolo.recording import given, prepared, run

# The weights are stored in half precision; what is computed with them is not rounded so.
PIXELS, SCORE, ALPHA = 0.1, 0.005, 5e-4
LEAST = 0.25  # the score from which on a box is shown

# What Node can call with the values that JSON has.
BRIDGE = """
import { readFileSync } from "node:fs";
import { decode } from "./boxes.js";
import { open } from "./engine.js";
import { PADDING, greyOf, letterbox, noise, relight } from "./pictures.js";
import * as runtime from "./onnxruntime/ort.wasm.bundle.min.mjs";

const read = (name) => new Uint8Array(readFileSync(new URL(name, import.meta.url)));
const grey = (values) => Float32Array.from(values);
const WASM = "onnxruntime/ort-wasm-simd-threaded.wasm";
let engine;

async function started() {
  const facts = JSON.parse(readFileSync(new URL("facts.json", import.meta.url)));
  return (engine ??= await open(runtime, read(WASM), read("detector.onnx"), facts));
}

/** What comes of it, or the sentence of its error. */
const attempt = async (what) => {
  try {
    return await what();
  } catch (error) {
    return error.message;
  }
};

export { letterbox };
export const padding = () => PADDING;
export const greys = (data) => [...greyOf({ data })];
export const relit = (values, light, more) =>
  attempt(() => [...relight(grey(values), light, more)]);
export const someNoise = (length, seed) => [...noise(length, seed)];
export const decoded = (rows, threshold) => decode(Float32Array.from(rows), threshold);
export const detect = async (values, given = {}, threshold = undefined) => {
  const withNaN = Object.entries(given).map(([name, alpha]) => [name, alpha?.map((a) => a ?? NaN)]);
  const asked = Object.fromEntries(withNaN);
  return attempt(async () => (await started()).detect(grey(values), asked, threshold));
};
export const detectTogether = async (pictures) => {
  const { detect } = await started();
  return Promise.all(pictures.map((values) => detect(grey(values))));
};
export const notOnnx = () =>
  attempt(() => open(runtime, read(WASM), new Uint8Array(100), { layers: [] }));
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files of the playground, as the site has them."""
    place = tmp_path_factory.mktemp("site") / "playground"
    playground.write(place)
    return place


@pytest.fixture(scope="module")
def facts(folder):
    return json.loads((folder / "facts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def js(folder, tmp_path_factory):
    """js(function, *arguments) in Node, beside a copy of the files."""
    place = tmp_path_factory.mktemp("node")
    playground.write(place)
    (place / "bridge.js").write_text(BRIDGE)
    with calls(place) as call:
        yield functools.partial(call, "bridge")


@pytest.fixture(scope="module")
def network():
    return prepared(detector.load().model, end2end=True)


@pytest.fixture(scope="module")
def greys(folder, facts):
    """The scenes to pick: (count, size, size), 0 to 1."""
    images = [np.asarray(Image.open(folder / scene["file"])) for scene in facts["scenes"]]
    return np.stack(images).astype(np.float32) / 255


def pytorch(network, grey, alphas=None):
    """What PyTorch finds in one picture: boxes (count, 6), {layer: α}. `alphas`: {layer: α}."""
    names = [*routing.dynamic_layers(network)]
    alphas = alphas and [np.array(alphas[name], np.float32) for name in names]
    picture = torch.from_numpy(grey)[None, None].expand(-1, 3, -1, -1)
    outputs = run(network, picture, given(network, 1, alphas))
    return outputs[0][0], {name: alpha[0] for name, alpha in zip(names, outputs[1:])}


def as_rows(boxes):
    rows = [[box[key] for key in ("x1", "y1", "x2", "y2", "score", "kind")] for box in boxes]
    return np.array(rows).reshape(-1, 6)


def assert_equal(found, expected):
    """What `detect` says, with threshold 0, beside what PyTorch says."""
    rows, alphas = expected
    boxes = as_rows(found["boxes"])
    for some, others in ((boxes, rows), (rows, boxes)):
        for box in some[some[:, 4] > LEAST + SCORE]:
            off = abs(others - box)
            near = (off[:, :4].max(1) < PIXELS) & (off[:, 4] < SCORE) & (off[:, 5] == 0)
            assert near.any(), f"only one of the two has the box {box}"
    assert found["alpha"].keys() == alphas.keys()
    for name, alpha in alphas.items():
        np.testing.assert_allclose(found["alpha"][name], alpha, rtol=0, atol=ALPHA, err_msg=name)


# --- pictures and boxes ---------------------------------------------------------------------------


def test_a_picture_is_placed_in_the_square_as_ultralytics_does(js):
    from ultralytics.data.augment import LetterBox

    rng = np.random.default_rng(0)
    halves = [(192, 101), (192, 103), (101, 192)]  # which Python rounds to even numbers
    sizes = [(96, 96), (640, 480), (50, 31), (7, 90), *halves]
    for width, height in [*sizes, *rng.integers(10, 500, (40, 2)).tolist()]:
        framed = LetterBox((96, 96))(image=np.full((height, width, 3), 255, np.uint8))
        rows, columns = (np.flatnonzero((framed[..., 0] == 255).any(axis)) for axis in (1, 0))
        expected = {"x": columns[0], "y": rows[0], "width": len(columns), "height": len(rows)}
        assert js("letterbox", width, height, 96) == expected, (width, height)
    assert js("letterbox", 1, 1000, 96)["width"] == 1


def test_the_padding_is_that_of_ultralytics(js):
    from ultralytics.data.augment import LetterBox

    framed = LetterBox((96, 96))(image=np.full((10, 90, 3), 255, np.uint8))
    assert js("padding") == "rgb({} {} {})".format(*framed[0, 0])


def test_grey_is_that_of_pillow(js):
    colours = np.random.default_rng(0).integers(0, 256, (40, 25, 3)).astype(np.uint8)
    colours[0] = np.arange(25)[:, None] * 10  # greys stay what they are
    grey = np.asarray(Image.fromarray(colours).convert("L"), np.float32) / 255
    data = np.dstack([colours, np.full((40, 25), 255)]).ravel().tolist()
    np.testing.assert_array_equal(np.float32(js("greys", data)), grey.ravel())


@pytest.mark.parametrize("light", drawing.LIGHTS)
def test_light_changes_as_in_the_package(js, greys, light):
    rng = np.random.default_rng([3, 1])  # as relight draws its noise from seed 3
    noise = 0.16 * 3**0.5 * (sum(rng.random(greys[:1].shape) for _ in range(4)) - 2)
    expected = drawing.relight(greys[:1], light, seed=3)
    found = js("relit", greys[0].ravel().tolist(), light, noise.ravel().tolist())
    np.testing.assert_array_equal(np.float32(found), expected.ravel())


def test_a_light_that_is_none_is_named(js):
    assert "no light 'dusk'" in js("relit", [0.5], "dusk", [0])
    assert "each of the 2 pixels" in js("relit", [0.5, 0.5], "noisy", [0])


def test_noise_spreads_as_in_the_package_and_has_a_seed(js):
    noise = np.array(js("someNoise", 96 * 96, 1))
    assert noise.std() == pytest.approx(0.16, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.005)
    assert js("someNoise", 96 * 96, 1) == noise.tolist()
    assert abs(np.corrcoef(noise, js("someNoise", 96 * 96, 2))[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize("threshold", [0.25, 0.001, 0.9999])
def test_boxes_are_those_that_ultralytics_leaves(js, network, greys, threshold):
    from ultralytics.utils.nms import non_max_suppression

    for grey in greys:
        rows, _ = pytorch(network, grey)
        (kept,) = non_max_suppression(torch.from_numpy(rows)[None], threshold, end2end=True)
        found = as_rows(js("decoded", rows.ravel().tolist(), threshold))
        np.testing.assert_array_equal(found, kept)


# --- the detector, in Node ------------------------------------------------------------------------


def test_the_page_knows_the_detector(facts, folder, network, greys):
    """Its layers, scenes and sizes; and the means are those that the layers have."""
    layers = {layer["name"]: layer for layer in facts["layers"]}
    assert [*layers] == [*routing.dynamic_layers(network)]
    assert facts["classes"] == detector.facts()["classes"]
    assert (len(greys), *greys.shape[1:]) == (12, facts["size"], facts["size"])
    lights = [scene["light"] for scene in facts["scenes"]]
    assert sorted(lights) == sorted(3 * drawing.LIGHTS)
    for scene, grey in zip(facts["scenes"], greys):
        day = np.asarray(Image.open(folder / scene["day"])) / 255
        if scene["light"] != "noisy":
            lit = drawing.relight(day[None], scene["light"])[0]
            np.testing.assert_allclose(grey, lit, atol=0.51 / 255)
    drawn = [
        drawing.draw(objects, "train", index, facts["size"], seed=77)
        for objects in detector.OBJECTS
        for index in range(80)
    ]
    images = torch.from_numpy(np.stack([image for image, *_ in drawn]) / np.float32(255))
    alpha = routing.record(network, images[:, None].expand(-1, 3, -1, -1), progress=False)
    for light, expected in routing.means(alpha, [light for *_, light in drawn]).items():
        for name, layer in layers.items():
            assert layer["experts"] == len(expected[name])
            np.testing.assert_allclose(layer["means"][light], expected[name], atol=0.05)


def test_a_download_is_small(folder, facts):
    """Of the weights as they are: a host that packs files may not know this kind."""
    assert facts["bytes"]["detector.onnx"] == (folder / "detector.onnx").stat().st_size < 6e6
    packed = sum(
        len(gzip.compress(file.read_bytes()))
        for file in folder.rglob("*")
        if file.suffix in {".js", ".mjs", ".wasm", ".json", ".css"}
    )
    assert packed < 4e6


def test_boxes_and_alpha_are_those_of_pytorch(js, network, greys):
    for grey in greys:
        found = js("detect", grey.ravel().tolist(), {}, 0)
        assert_equal(found, pytorch(network, grey))
        assert 0 < found["milliseconds"] < 10_000


def test_alpha_of_another_light_does_what_it_does_in_pytorch(js, network, greys, facts):
    """And of no router: all experts alike, none, more than one."""
    changed = []
    settings = [
        {layer["name"]: layer["means"][light] for layer in facts["layers"]}
        for light in drawing.LIGHTS
    ]
    settings += [
        {layer["name"]: [value] * layer["experts"] for layer in facts["layers"]}
        for value in (0, 0.5, 1.5)
    ]
    for alphas in settings:
        for grey in greys[:4]:
            own, other = pytorch(network, grey), pytorch(network, grey, alphas)
            assert_equal(js("detect", grey.ravel().tolist(), alphas, 0), other)
            changed.append(abs(own[0] - other[0]).max())
    assert max(changed) > 1, "no α changes anything"


def test_one_layer_or_one_expert_can_be_given(js, network, greys, facts):
    first, *others = (layer["name"] for layer in facts["layers"])
    experts = facts["layers"][0]["experts"]
    part = [1.0] + [None] * (experts - 1)  # JSON has no NaN
    missing = {
        name: [np.nan] * layer["experts"] for name, layer in zip(others, facts["layers"][1:])
    }
    for alpha in ([0.9] * experts, part):
        asked = {first: alpha, others[0]: None}
        found = js("detect", greys[0].ravel().tolist(), asked, 0)
        alphas = missing | {first: np.array(alpha, np.float32)}
        assert_equal(found, pytorch(network, greys[0], alphas))


def test_frozen_alpha_gives_the_same_boxes_and_keeps_them_fixed(js, greys):
    own = js("detect", greys[0].ravel().tolist(), {}, 0)
    frozen = js("detect", greys[0].ravel().tolist(), own["alpha"], 0)
    assert frozen["alpha"] == own["alpha"]
    np.testing.assert_allclose(as_rows(frozen["boxes"]), as_rows(own["boxes"]), atol=1e-4)
    other = js("detect", greys[1].ravel().tolist(), own["alpha"], 0)
    assert other["alpha"] == own["alpha"]


def test_pictures_that_come_at_once_are_not_mixed_up(js, network, greys):
    some = greys[:4]
    together = js("detectTogether", [grey.ravel().tolist() for grey in some])
    for grey, found in zip(some, together):
        assert_equal(found, pytorch(network, grey))


def test_a_wrong_input_is_named(js, facts):
    picture = [0.5] * facts["size"] ** 2
    name, experts = facts["layers"][0]["name"], facts["layers"][0]["experts"]
    assert f"needs {facts['size']} × {facts['size']} pixels, and got 5" in js("detect", [0.5] * 5)
    assert "no dynamic layer model.99" in js("detect", picture, {"model.99": None})
    assert f"{name} has {experts} experts, and got 1" in js("detect", picture, {name: [0.5]})
    assert js("notOnnx").startswith("The detector does not start in this browser")


# --- the files ------------------------------------------------------------------------------------


def test_the_export_is_made_once_and_again_when_its_code_changes(tmp_path, monkeypatch):
    exports = []
    monkeypatch.setattr(playground, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(playground, "compute", lambda folder: exports.append(folder))
    monkeypatch.setattr(playground, "digest", lambda: "today")
    first = playground.made()
    assert playground.made() == first and len(exports) == 1
    monkeypatch.setattr(playground, "digest", lambda: "tomorrow")
    assert playground.made() != first and len(exports) == 2
    assert not first.exists(), "an old export stays"


def test_an_interrupted_export_is_made_again(tmp_path, monkeypatch):
    def fail(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(playground, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(playground, "digest", lambda: "today")
    monkeypatch.setattr(playground, "compute", fail)
    with pytest.raises(KeyboardInterrupt):
        playground.made()
    monkeypatch.setattr(playground, "compute", lambda folder: (folder / "whole").touch())
    assert (playground.made() / "whole").exists()


def test_the_digest_counts_the_weights_and_the_export():
    import dependencies

    package = dependencies.Package(playground.ROOT)
    code = Path(playground.__file__).read_text(encoding="utf-8")
    used = package.of_code(code)
    assert {"dynconv.lab.detector", "dynconv.yolo.storing", "dynconv.yolo.recording"} <= used
    assert "detector.safetensors" in {file.name for file in package.data["dynconv.lab.detector"]}


def test_other_files_stay_and_licences_go_along(folder):
    (folder / "other.txt").write_text("stays")
    playground.write(folder)
    assert (folder / "other.txt").exists()
    (folder / "other.txt").unlink()
    licence = (folder / "onnxruntime/LICENSE.txt").read_text(encoding="utf-8")
    assert licence.startswith("MIT License") and "Microsoft" in licence
    assert (folder / "onnxruntime/ThirdPartyNotices.txt").exists()
    assert folder.stat().st_mode & 0o005, "a server may not read it"


@pytest.mark.site
def test_no_other_page_loads_it(site):
    loads = re.compile(r"<(?:script|link|img)\b[^>]*_static/playground/")  # a mere <a> does not
    pages = sorted(HTML.rglob("*.html"))
    loading = [page.name for page in pages if loads.search(page.read_text("utf-8"))]
    assert loading == ["playground.html"]
    assert (HTML / "_static/playground/detector.onnx").exists()


# --- in a browser ---------------------------------------------------------------------------------


class Handler(SimpleHTTPRequestHandler):
    """A static server, whose way of failing a test chooses."""

    fault = None  # (name of a file, how)
    asked = []  # what came to the server, not out of the browser's cache
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *args):
        pass

    def end_headers(self):
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages says
        super().end_headers()

    def do_GET(self):
        self.asked.append(self.path.lstrip("/"))
        name, how = self.fault or (None, None)
        if name is None or not self.path.endswith(name):
            return super().do_GET()
        content = Path(self.translate_path(self.path)).read_bytes()
        if how == "missing":
            return self.send_error(404)
        self.send_response(200)
        if how == "packed":
            content = gzip.compress(content, 1)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(content)))
        if how == "breaks off":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()  # without a length, the end of the file is the end of the connection
        if how in ("breaks off", "ends early"):
            content = content[: len(content) // 2]
        self.wfile.write(content)


@pytest.fixture(scope="module")
def address(folder):
    """Where the files are served."""
    (folder / "index.html").write_text("<!doctype html><title>A page</title>")
    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# Functions of the page: what a picture file looks like, and what `start` and `detect` say.
PAGE = """
window.heard = [];
window.begin = async () => {
  const { start } = await import("./engine.js");
  try {
    window.engine = await start(document.baseURI, (done, all) => heard.push([done, all]));
  } catch (error) {
    return error.message;
  }
};
window.greyOfFile = async (file) => {
  const { greyOf } = await import("./pictures.js");
  const image = new Image();
  image.src = file;
  await image.decode();
  const { width, height } = image;
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  pen.drawImage(image, 0, 0);
  return greyOf(pen.getImageData(0, 0, width, height));
};
window.found = async (grey, given = {}) => engine.detect(Float32Array.from(grey), given, 0);
"""


@pytest.fixture
def page(browser, address, monkeypatch):
    """An empty page beside the files, with the functions above; `page.asked` are its requests."""
    monkeypatch.setattr(Handler, "fault", None)
    context, foreign = browser.new_context(), []
    keep_to(address, context, foreign)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url.removeprefix(address)))
    page.add_init_script(PAGE)
    page.goto(address)
    yield page
    assert not foreign
    context.close()


def test_a_scene_in_the_browser_is_what_pytorch_sees(page, facts, network, greys):
    assert page.evaluate("begin()") is None
    page.context.set_offline(True)  # what was fetched is enough
    for scene, grey in zip(facts["scenes"], greys):
        page.context.set_offline(False)
        seen = page.evaluate("async (file) => [...(await greyOfFile(file))]", scene["file"])
        page.context.set_offline(True)
        np.testing.assert_array_equal(np.float32(seen), grey.ravel())
        assert_equal(page.evaluate("found", seen), pytorch(network, grey))
    alphas = {layer["name"]: layer["means"]["inverted"] for layer in facts["layers"]}
    changed = page.evaluate("([grey, given]) => found(grey, given)", [seen, alphas])
    assert_equal(changed, pytorch(network, greys[-1], alphas))


def test_nothing_is_fetched_before_it_is_asked_for(page, facts):
    page.evaluate("import('./engine.js').then(() => null)")
    assert {"", "engine.js", "boxes.js"} >= {name for name in page.asked if "favicon" not in name}
    page.evaluate("begin()")
    fetched = {*facts["bytes"], "facts.json"}
    assert fetched == {*page.asked} - {"", "engine.js", "boxes.js", "favicon.ico"}


@pytest.mark.parametrize("how", [None, "packed", "without a length"])
def test_progress_ends_at_the_whole_whatever_the_server_says(page, monkeypatch, facts, how):
    monkeypatch.setattr(Handler, "fault", how and ("detector.onnx", how))
    assert page.evaluate("begin()") is None
    done, alls = zip(*page.evaluate("heard"))
    assert {*alls} == {sum(facts["bytes"].values())}
    assert done[0] == 0 and done[-1] == alls[0] and [*done] == sorted(done)
    assert len(done) > 10


@pytest.mark.parametrize(
    ("name", "how", "sentence"),
    [
        ("facts.json", "missing", "The site has no file facts.json (its answer is 404): the book"),
        ("facts.json", "ends early", "facts.json did not arrive whole: check"),
        ("detector.onnx", "missing", "The site has no file detector.onnx (its answer is 404)"),
        ("detector.onnx", "ends early", "detector.onnx did not arrive whole ("),
        ("detector.onnx", "breaks off", "detector.onnx did not arrive whole ("),
        (".wasm", "breaks off", "onnxruntime/ort-wasm-simd-threaded.wasm did not arrive whole ("),
        (".mjs", "missing", "The site has no file onnxruntime/ort.wasm.bundle.min.mjs ("),
    ],
)
def test_a_download_that_fails_says_so_and_can_be_tried_again(
    page, monkeypatch, name, how, sentence
):
    monkeypatch.setattr(Handler, "fault", (name, how))
    assert page.evaluate("begin()").startswith(sentence)
    monkeypatch.setattr(Handler, "fault", None)
    assert page.evaluate("begin()") is None, "it cannot be tried again"


def test_what_the_browser_kept_is_used_only_if_it_is_of_today(browser, address, facts):
    """Else the facts of a new detector could meet the weights of an old one."""
    context = browser.new_context()  # without a guard, with which Playwright keeps no files
    page = context.new_page()
    page.add_init_script(PAGE)
    for _ in range(2):
        Handler.asked.clear()
        page.goto(address)
        assert page.evaluate("begin()") is None
    context.close()
    assert {*facts["bytes"], "facts.json"} <= {*Handler.asked}


def test_without_a_network_it_says_so(page):
    page.evaluate("import('./engine.js').then(() => null)")
    page.context.set_offline(True)
    sentence = "facts.json cannot be reached: check your connection and try again."
    assert page.evaluate("begin()") == sentence


@pytest.mark.parametrize(
    ("lacks", "sentence"),
    [
        ("delete window.WebAssembly", "The detector needs WebAssembly, which is missing here: use"),
        ("WebAssembly.validate = () => false", "The WebAssembly of this browser is too old"),
    ],
)
def test_without_webassembly_it_says_so(page, lacks, sentence):
    page.evaluate(f"() => {{ {lacks} }}")
    assert page.evaluate("begin()").startswith(sentence)
    assert "facts.json" not in page.asked, "it is fetched all the same"
