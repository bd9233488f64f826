"""A small picture of each page on the map: what the page is about, drawn from what it is about.

The numbers behind a picture are computed here, or recorded with the book: the mixed kernel, the
softmax at three temperatures, the counts, the intervals, the rows of a model, the verdicts. A
picture has no text, as the title stands below it, and no colour of its own: the classes are in
book/theme_static/style.css, the colours in dynconv/figures/style.py.
"""

from collections import defaultdict
from itertools import chain, product
from pathlib import Path

import front_figure
import numpy as np
import torch
import yaml
from claims import VERDICTS, read_ledger
from scipy import stats
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import dynconv
from dynconv import edits
from dynconv.lab import detector, experiment, scenes

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 120, 60
VARIANTS = ("e5", "e7", "e8")  # as in style.VARIANTS: models of a comparison, the baseline is grey
LEVELS = 5  # of strength in a heat map, so that cells of one strength are one path


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def path(commands, kind, more=""):
    """`commands` is SVG's path data, with numbers where a pair or list of them stands."""
    data = "".join(
        each if isinstance(each, str) else " ".join(map(number, np.ravel(each)))
        for each in commands
    )
    return f'<path class="{kind}" d="{data}"{more}/>'


def boxes(places, kind, more=""):
    """Rectangles (x, y, width, height) as one path."""
    parts = ((("M", (x, y), "h", w, "v", h, "h", -w, "z")) for x, y, w, h in places)
    return path(chain.from_iterable(parts), kind, more)


def dots(places, kind, radius):
    half = "a", (radius, radius, 0, 1, 0)
    turn = *half, " ", (2 * radius, 0), *half, " ", (-2 * radius, 0)
    return path(chain.from_iterable(("M", (x - radius, y), *turn) for x, y in places), kind)


def heat(values, x, y, cell, most=None):
    """A matrix from negative to positive, full colour at `most`."""
    values = np.asarray(values, float)
    strength = np.rint(LEVELS * np.clip(values / (most or abs(values).max()), -1, 1))
    cells = defaultdict(list)
    for row, column in np.ndindex(values.shape):
        cells[strength[row, column]].append((x + cell * column, y + cell * row, cell, cell))
    side = cell * values.shape[1], cell * values.shape[0]
    drawn = [boxes([(x, y, *side)], "zero")]
    for level, places in sorted(cells.items()):
        if level:
            more = f' opacity="{number(abs(level) / LEVELS)}"'
            drawn.append(boxes(places, "positive" if level > 0 else "negative", more))
    return "".join(drawn)


def bars(values, x, kinds, width=6, gap=2, base=54, height=46):
    """Upright bars of values from 0 to 1."""
    return "".join(
        boxes([(x + i * (width + gap), base - height * value, width, height * value)], kind)
        for i, (value, kind) in enumerate(zip(values, kinds, strict=True))
    )


def mixture():
    """Four kernels flow into one, as thick as their α."""
    experts, alpha = np.array(front_figure.EXPERTS), np.array(front_figure.ALPHA)
    drawn = []
    for i, (expert, weight) in enumerate(zip(experts, alpha)):
        top = 3 + 14 * i
        flow = ("M", (29, top + 6), "C", (48, top + 6, 50, 30, 68, 30))
        thick = f' style="stroke-width:{number(1 + 5 * weight)}"'
        drawn.append(path(flow, f"line s{i + 1}", thick))
        drawn.append(heat(expert, 16, top, 4))
    return "".join(drawn) + heat(np.tensordot(alpha, experts, 1), 68, 12, 12)


def temperatures():
    """The same scores as weights: softmax, cold, warm and hot."""
    scores = np.array([0.9, 1.4, 0.2, 0.6])
    kinds = ("e1", "e2", "e3", "e4")
    weights = (np.exp(scores / tau) for tau in (0.2, 1, 5))
    groups = (bars(w / w.sum(), 8 + 37 * i, kinds) for i, w in enumerate(weights))
    return "".join(groups) + path("M4 54.5h112", "line axis")


def parameters_and_operations():
    """Static and dynamic: parameters on the left, operations on the right."""
    static = nn.Conv2d(64, 64, 3, padding=1, bias=False)
    counts = [counted(layer) for layer in (static, dynconv.DynamicConv(64, 64, 3, num_experts=4))]
    groups = (
        bars([count / max(pair) for count in pair], 22 + 44 * i, ("b", "e1"), 14, 4)
        for i, pair in enumerate(zip(*counts))
    )
    return "".join(groups) + path("M12 54.5h96", "line axis")


def counted(layer):
    """The parameters, and the operations for a map of 40 × 40."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer.eval()(torch.zeros(1, 64, 40, 40))
    return sum(p.numel() for p in layer.parameters()), counter.get_total_flops()


def block():
    """C2f: one part passes, the other goes through blocks, and every step is kept."""
    ways = "M8 30h8M24 30h8v-14h56v9M32 30v14h10M58 44h10M84 44h4v-9M62 44v-14h26M96 30h16"
    frames = boxes([(16, 20, 8, 20), (88, 20, 8, 20)], "b")
    layers = "".join(
        boxes([(x + 4 * i, 38, 4, 12)], f"e{i + 1}") for x, i in product((42, 68), range(4))
    )
    return path(ways, "line axis") + frames + layers


def four_edits():
    """A file of many lines, of which some are new."""
    lengths = [34, 52, 46, 60, 40, 64, 30, 56, 48]
    places = [(28, 6 + 5.5 * i, length, 3) for i, length in enumerate(lengths)]
    changed = [1, 3, 4, 7][: len(edits.ALL)]
    kept = [place for i, place in enumerate(places) if i not in changed]
    signs = "".join(f"M18 {number(7.5 + 5.5 * i)}h5m-2.5-2.5v5" for i in changed)
    return boxes(kept, "f") + boxes([places[i] for i in changed], "e3") + path(signs, "line s3")


def of_models(models, field):
    """{model: values of the runs on shapes that are recorded with the book}."""
    runs = [run for run in experiment.recorded() if "shapes" in run["data"]["name"]]
    return {model: [field(run) for run in runs if run["model"] == model] for model in models}


def two_models():
    """The parameters of stock and of the two models of the posts."""
    models = "yolov10n", "yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2"
    counts = of_models(models, lambda run: run["parameters"])
    most = max(max(values) for values in counts.values())
    drawn = (
        boxes([(16, 9 + 15 * i, 92 * counts[model][0] / most, 11)], kind)
        for i, (model, kind) in enumerate(zip(models, ("b", *VARIANTS)))
    )
    return "".join(drawn) + path("M15.5 4v52", "line axis")


def intervals():
    """The difference of each variant from stock, with its 95 % interval: Welch's."""
    models = "yolov10n", "yolov10n-dynamicconv-1", "yolov10n-dynamicconv-2", "yolov10n-conv-2"
    stock, *others = of_models(models, lambda run: run["score"]["mAP50-95"]).values()
    found = [(np.mean(o) - np.mean(stock), *welch(o, stock)) for o in others]
    scale = 46 / max(map(abs, chain.from_iterable(found)))
    drawn = [path("M60 4v52", "line axis dashed")]
    for i, (mean, low, high) in enumerate(found):
        y, kind = 14 + 16 * i, "s" + VARIANTS[i][1]
        low, mean, high = (60 + scale * value for value in (low, mean, high))
        drawn.append(path(("M", (low, y), "H", high), f"line wide {kind}"))
        drawn.append(dots([(mean, y)], VARIANTS[i], 4))
    return "".join(drawn)


def welch(values, others):
    return stats.ttest_ind(values, others, equal_var=False).confidence_interval()


def swapped():
    """How well the playground's detector sees images of each light with the α of each other."""
    matrix = detector.facts()["swap"]["shapes"]
    scores = np.array([[matrix[a][b] for b in scenes.LIGHTS] for a in scenes.LIGHTS])
    return "".join(
        boxes([(35 + 13 * column, 5 + 13 * row, 11, 11)], "b", f' opacity="{number(score)}"')
        for (row, column), score in np.ndenumerate(np.clip(scores, 0.1, 1))
    )


def shipped():
    """Three layers fold into one, and one file runs in a window."""
    layers = boxes([(8, 10, 26, 11)], "e1") + boxes([(8, 24, 26, 11), (8, 38, 26, 11)], "f")
    folded = boxes([(50, 24, 20, 11)], "e1")
    arrows = path("M37 29.5h9m-3-3 3 3-3 3M73 29.5h9m-3-3 3 3-3 3", "line axis")
    window = path("M86 12h28v36H86zM86 19h28", "line axis") + path("M94 25h10v11H94z", "line s2")
    return layers + folded + arrows + window + dots([(89, 15.5), (93, 15.5)], "b", 1)


def rows_unseen():
    """The rows of YOLO11: those that the profiler has no rule for are hollow."""
    text = (ROOT / "dynconv/yolo/models/yolo11n-dynamicconv.yaml").read_text(encoding="utf-8")
    model = yaml.safe_load(text)
    rows = [row[2] == "DynamicConv" for row in model["backbone"] + model["head"]]
    places = [(9 + 13 * (i % 8), 7 + 16 * (i // 8), 10, 13) for i in range(len(rows))]
    seen = [place for place, unseen in zip(places, rows) if not unseen]
    return boxes(seen, "b") + boxes([p for p, u in zip(places, rows) if u], "line s1 dashed")


def moved_points():
    """The nine places that a kernel looks at, and where offsets send them."""
    grid = [(x, y) for y in (11, 30, 49) for x in (41, 60, 79)]
    moved = np.array(grid) + np.random.default_rng(5).normal(0, 4, (9, 2))
    ways = chain.from_iterable(("M", a, "L", tuple(b)) for a, b in zip(grid, moved))
    return dots(grid, "line axis", 2) + path(ways, "line s2") + dots(moved, "e2", 3)


def star():
    """The product of two branches, each linear in the features."""
    line = np.linspace(-1, 1, 5)
    across, down = np.broadcast_to(line, (5, 5)), np.broadcast_to(line[:, None], (5, 5))
    maps = (heat(m, 6 + 41 * i, 17, 5.2) for i, m in enumerate((across, down, across * down)))
    signs = "M36.5 27l6 6m0-6-6 6M77 28.5h6m-6 3.5h6"
    return "".join(maps) + path(signs, "line axis")


def relatives():
    """Three of the ideas side by side."""
    places = ((mixture, 16, 0.37, 3), (moved_points, 34, 0.6, 45), (star, 6, 0.34, 80))
    return "".join(
        f'<g transform="translate({number(x - scale * left)} {number(30 - 30 * scale)})'
        f' scale({scale})">{draw()}</g>'
        for draw, left, scale, x in places
    )


def verdicts():
    """Each claim of the ledger is a square, in the colour of its verdict."""
    claims = list(chain.from_iterable(read_ledger(ROOT)["claims"].values()))
    order = sorted(VERDICTS.index(claim["verdict"]) for claim in claims)
    columns = -(-len(order) // 5)
    side = min(10, 104 / columns)
    places = defaultdict(list)
    for i, verdict in enumerate(order):
        x, y = 60 - columns * side / 2 + side * (i // 5), 30 - 2.5 * side + side * (i % 5)
        places[verdict].append((x, y, side - 1.5, side - 1.5))
    kinds = "e3", "e3 half", "e2", "positive", "b"
    return "".join(boxes(squares, kinds[verdict]) for verdict, squares in places.items())


PICTURES = {
    "01_one_kernel_per_image": mixture,
    "02_where_alpha_comes_from": temperatures,
    "03_parameters_are_not_flops": parameters_and_operations,
    "04_from_dynamicconv_to_c2f": block,
    "05_four_modifications": four_edits,
    "06_two_models_counted": two_models,
    "07_short_training_runs": intervals,
    "08_what_the_routers_learned": swapped,
    "09_ship_it": shipped,
    "10_yolo11": rows_unseen,
    "11_deformable_is_not_dynamic": moved_points,
    "12_starnet": star,
    "relatives_compared": relatives,
    "what_the_posts_say": verdicts,
}


def of_page(name):
    """The picture of a page as SVG; one without a picture of its own has the book's, a mixture."""
    draw = PICTURES.get(Path(name).name, mixture)
    return (
        f'<svg class="picture" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' aria-hidden="true" focusable="false">{draw()}</svg>'
    )
