"""The playground's files: the detector as ONNX, what its page knows of it, and what runs it there.

The export, which compares the file with PyTorch, the scenes and the facts are kept below
`_build/playground` under a digest of the weights and of the code, so that prose costs no export.
`write(folder)` puts together all that the page fetches.
"""

import importlib.util
import json
import shutil
from itertools import count
from pathlib import Path

import dependencies

from dynconv.figures import custom_element, style
from dynconv.files.locks import turn

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build/playground"
MODULES = ROOT / "book/playground"
KIT = ROOT / "dynconv/figures/touch/kit.js"
RUNTIME = ROOT / "tools/node_modules/onnxruntime-web/dist"
# Of onnxruntime-web's builds the smallest: WebAssembly only, its module with all that it loads.
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
NOTICES = ("LICENSE", "ThirdPartyNotices.txt")  # npm's package lacks them, PyPI's has them
FETCHED = (*(f"onnxruntime/{name}" for name in RUNTIME_FILES), "detector.onnx")  # by engine.js

SEED = 1305  # of scenes that no training has seen
SCENES, LEAST = 12, 3  # to pick, three of each light; the fewest objects in one
IMAGES = 200  # of each kind of scene, whose α the means are of


def write(folder):
    """Put all files of the playground in a folder, and leave what else is there."""
    folder = Path(folder)
    runtime = folder / "onnxruntime"
    runtime.mkdir(parents=True, exist_ok=True)
    shutil.copytree(made(), folder, dirs_exist_ok=True)
    for file in [*sorted(MODULES.iterdir()), KIT]:
        shutil.copy(file, folder)
    (folder / "style.css").write_text(custom_element.common_css(), encoding="utf-8")
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, runtime)
    for name in NOTICES:
        source = Path(importlib.util.find_spec("onnxruntime").origin).with_name(name)
        shutil.copy(source, (runtime / name).with_suffix(".txt"))
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    facts["marks"] = {light: mark for light, (mark, _) in style.LIGHTS.items()}
    facts["bytes"] = {name: (folder / name).stat().st_size for name in FETCHED}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def made():
    """The folder of what is computed; made anew if the weights or the code changed."""
    place = CACHE / digest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with turn(CACHE, wait=lambda: print("playground: waiting for another export to finish")):
        if not place.exists():
            for old in CACHE.iterdir():
                shutil.rmtree(old)
            draft = CACHE / "part"
            draft.mkdir()
            compute(draft)
            draft.rename(place)  # now that it is whole
    return place


def digest():
    """One line that changes with the weights and with the code that they are exported by."""
    code, package = Path(__file__).read_text(encoding="utf-8"), dependencies.Package(ROOT)
    used = package.digest(package.of_code(code))
    return dependencies.digest_of_text(f"{code} {used} {dependencies.versions()}")[:16]


def compute(folder):
    """Draw the scenes, export the detector, and write down what the page must know."""
    from dynconv import yolo  # late, as all of this brings torch, which takes seconds
    from dynconv.lab import detector, drawing, routing

    network, known = detector.load(), detector.facts()
    size = known["size"]
    (folder / "scenes").mkdir()
    scenes, images = [], []
    days = [daylight(objects, size) for objects in detector.OBJECTS]
    for number in range(SCENES):
        round_, turn_ = divmod(number, len(drawing.LIGHTS))
        day, light = next(days[round_ % len(days)]), drawing.LIGHTS[turn_]
        lit = drawing.relight(day[None] / 255, light, seed=[SEED, number])[0]
        images.append((lit * 255).round().astype("uint8"))
        files = {"file": f"scenes/{number}-{light}.png", "day": f"scenes/{number}-day.png"}
        save(folder / files["day"], day)
        save(folder / files["file"], images[-1])
        scenes.append({**files, "light": light})
    yolo.export(
        network,
        folder / "detector.onnx",
        images=as_tensor(images),
        precision="float16",
        alpha_inputs=True,
        end2end=True,
    )
    drawn = [
        drawing.draw(objects, "val", index, size, seed=SEED + 1)
        for objects in detector.OBJECTS
        for index in range(IMAGES)
    ]
    alpha = routing.record(network, as_tensor([image for image, *_ in drawn]), progress=False)
    means = routing.means(alpha, [light for *_, light in drawn])
    facts = {
        "size": size,
        "classes": known["classes"],
        "lights": drawing.LIGHTS,
        "layers": [
            {
                "name": name,
                "experts": rows.shape[1],
                "means": {light: means[light][name].tolist() for light in drawing.LIGHTS},
            }
            for name, rows in alpha.items()
        ],
        "scenes": scenes,
    }
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def daylight(objects, size):
    """Scenes by daylight that have enough to find in them."""
    from dynconv.lab import drawing

    step = len(drawing.LIGHTS)  # the light goes round, and the first is 'day'
    for index in count(step=step):
        image, labels, _ = drawing.draw(objects, "val", index, size, seed=SEED)
        if len(labels) >= LEAST:
            yield image


def as_tensor(images):
    """Grey images as a network takes them: (count, 3, H, W) from 0 to 1."""
    import numpy as np
    import torch

    grey = torch.from_numpy(np.stack(images)).float() / 255
    return grey[:, None].expand(-1, 3, -1, -1)


def save(file, grey):
    from PIL import Image

    Image.fromarray(grey).save(file, optimize=True)


def write_into_site(app):
    """A book without the folder of the page (the tests build some) has no playground."""
    if app.builder.format == "html" and MODULES.is_dir():
        write(Path(app.outdir) / "_static/playground")


def setup(app):
    app.connect("builder-inited", write_into_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
