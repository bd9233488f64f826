"""The figures to touch: their arithmetic against torch, what they write into a page, and what a
reader's keys do there.
"""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from javascript import calls, node
from scipy.ndimage import map_coordinates, uniform_filter
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import deform_conv2d

import dynconv
from dynconv.figures import custom_element, style, widgets
from dynconv.lab import routing, scenes

FIGURES = Path(widgets.__file__).parent / "touch"
NAMES = sorted(file.stem for file in FIGURES.glob("*.js") if file.stem != "kit")


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    """js(figure, function, *arguments): what a figure's own function returns, in one Node."""
    with calls(tmp_path_factory.mktemp("figures"), FIGURES.glob("*.js")) as call:
        yield call


# --- arithmetic -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(3, 3), (1, 1), (5, 3), (2, 4), (7, 7)])
def test_mixing_and_convolving_equals_torch(js, size):
    rng = np.random.default_rng(0)
    x, experts, alpha = rng.random((6, 9)), rng.normal(size=(4, *size)), rng.random(4)
    kernel = np.einsum("m,mhw->hw", alpha, experts)
    (height, width), x_ = size, torch.tensor(x)[None, None]
    padded = F.pad(
        x_, ((width - 1) // 2, width // 2, (height - 1) // 2, height // 2)
    )  # what torch calls padding="same"
    y = F.conv2d(padded, torch.tensor(kernel)[None, None])[0, 0]

    mixed = js("kit", "mix", experts.tolist(), alpha.tolist())
    np.testing.assert_allclose(mixed, kernel, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        js("kernel_mixer", "convolve", x.tolist(), mixed), y, rtol=0, atol=1e-13
    )


def test_multiplications_are_those_of_a_flop_counter(js):
    experts, (height, width) = torch.randn(4, 1, 3, 3), (48, 40)
    x, alpha = torch.randn(1, 1, height, width), torch.rand(1, 4)
    with FlopCounterMode(display=False) as counter:
        outputs = F.conv2d(x, experts, padding=1)  # (1, M, H, W)
        (alpha @ outputs.view(4, -1)).view(height, width)
    separate = counter.get_total_flops() // 2
    with FlopCounterMode(display=False) as counter:
        F.conv2d(x, (alpha @ experts.view(4, -1)).view(1, 1, 3, 3), padding=1)
    once = counter.get_total_flops() // 2
    assert js("kernel_mixer", "multiplications", experts[:, 0].tolist(), height, width) == {
        "convolveThenMix": separate,
        "mixThenConvolve": once,
    }


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_routing_equals_torch(js, temperature):
    z = torch.tensor([4.0, -4.0, 0.3, 0.0], dtype=torch.float64, requires_grad=True)
    alpha = torch.softmax(z / temperature, 0)
    slopes = torch.autograd.functional.jacobian(
        lambda v: torch.softmax(v / temperature, 0), z
    ).diagonal()
    np.testing.assert_allclose(
        js("sigmoid_softmax", "softmax", z.tolist(), temperature),
        alpha.tolist(),
        rtol=1e-12,
        atol=1e-300,
    )
    for value, slope in zip(alpha.tolist(), slopes.tolist()):
        assert js("sigmoid_softmax", "softmaxSlope", value, temperature) == pytest.approx(
            slope, rel=1e-9, abs=1e-12
        )
    alone = torch.sigmoid(z)
    alone.sum().backward()
    for value, expected, slope in zip(z.tolist(), alone.tolist(), z.grad.tolist()):
        assert js("sigmoid_softmax", "sigmoid", value) == pytest.approx(expected, rel=1e-14)
        assert js("sigmoid_softmax", "sigmoidSlope", expected) == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize(
    ("c_in", "c_out", "k", "M", "side"),
    [(16, 32, 3, 4, 40), (128, 256, 3, 4, 5), (8, 8, 1, 8, 1), (64, 16, 5, 1, 12)],
)
def test_costs_are_those_of_a_flop_counter(js, c_in, c_out, k, M, side):
    x, router = torch.zeros(1, c_in, side, side), torch.nn.Linear(c_in, M)
    experts = torch.zeros(M, c_out, c_in, k, k)
    static = torch.nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        static(x)
    static_flops = counter.get_total_flops()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        alpha = torch.sigmoid(router(x.mean((2, 3))))
        kernel = (alpha @ experts.flatten(1)).view(c_out, c_in, k, k)
        extra = counter.get_total_flops()
        F.conv2d(x, kernel, padding=k // 2)
    stored = experts.numel() + sum(p.numel() for p in router.parameters())

    result = js("cost", "costs", {"cIn": c_in, "cOut": c_out, "k": k, "M": M, "side": side})
    assert result["parameters"] == {"static": static.weight.numel(), "dynamic": stored}
    assert result["flops"] == {
        "static": static_flops,
        "dynamic": counter.get_total_flops(),
        "reported": extra,
    }
    P = c_out * c_in * k * k  # the same ratios as the text writes them
    assert result["ratios"]["parameters"] == pytest.approx(M + M * (c_in + 1) / P)
    assert result["ratios"]["flops"] == pytest.approx(1 + M / side**2 + c_in * M / (side**2 * P))
    assert result["ratios"]["reported"] == pytest.approx(result["ratios"]["flops"] - 1)


def test_the_change_of_a_kernel_is_that_of_numpy(js):
    rng = np.random.default_rng(0)
    experts, a, b = rng.normal(size=(4, 5, 2, 3, 3)), rng.random(4), rng.random(4)
    flat = experts.reshape(4, -1)
    mixed = [np.tensordot(weights, experts, 1) for weights in (a, b)]
    expected = np.linalg.norm(mixed[0] - mixed[1]) / np.linalg.norm(mixed[1])
    assert js(
        "recorded_alpha", "change", (flat @ flat.T).tolist(), a.tolist(), b.tolist()
    ) == pytest.approx(expected, rel=1e-9)
    assert js("recorded_alpha", "change", (flat @ flat.T).tolist(), a.tolist(), a.tolist()) == 0
    np.testing.assert_allclose(
        js("kit", "mix", experts[:, 2, 1].tolist(), a.tolist()), mixed[0][2, 1], atol=1e-12
    )


GRID = {"right": 0, "down": 0, "widen": 1, "turn": 0, "light": 0}


def places(x, k, right, down, widen, turn, light):
    """The offsets of the figure, (2·k·k, H, W), as torchvision takes them: down and right of each
    tap in turn.
    """
    smooth = uniform_filter(uniform_filter(x, 5, mode="nearest"), 5, mode="nearest")
    edged = np.pad(smooth, 1, mode="edge")
    slope = np.stack([edged[2:, 1:-1] - edged[:-2, 1:-1], edged[1:-1, 2:] - edged[1:-1, :-2]])
    length = np.hypot(*slope)
    slope /= length + length.mean()
    pixels = np.indices(x.shape)
    angle, result = np.deg2rad(turn), []
    for tap in np.ndindex(k, k):
        i, j = np.array(tap) - k // 2
        moved = np.array(
            [
                down + widen * (np.sin(angle) * j + np.cos(angle) * i),
                right + widen * (np.cos(angle) * j - np.sin(angle) * i),
            ]
        )
        at = pixels + moved[:, None, None]
        result += [
            light * map_coordinates(s, at, order=1, mode="grid-constant") + m - t
            for s, m, t in zip(slope, moved, (i, j))
        ]
    return np.stack(result)


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"right": -3.75, "down": 0.5},
        {"widen": 0},
        {"widen": 2.35, "turn": -35},
        {"light": 4},
        {"right": 1.25, "down": -4, "widen": 1.5, "turn": 90, "light": 2.5},
    ],
)
def test_sampling_is_a_deformable_convolution(js, k, changes):
    rng = np.random.default_rng(0)
    x, kernel, settings = rng.random((11, 14)), rng.normal(size=(k, k)), GRID | changes
    moved = places(x, k, **settings)
    inputs = (torch.tensor(value)[None, ...] for value in (x[None], moved, kernel[None]))
    y = deform_conv2d(*inputs, padding=k // 2)[0, 0]
    np.testing.assert_allclose(
        js("sampling", "deform", x.tolist(), kernel.tolist(), settings), y, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        js("sampling", "offsets", settings, x.tolist(), 9, 2, k),
        moved[:, 9, 2].reshape(-1, 2),
        rtol=0,
        atol=1e-12,
    )


def test_ordinary_dilated_and_shifted_convolutions_are_deformable_ones(js):
    rng = np.random.default_rng(1)
    x, kernel = rng.random((9, 12)), rng.normal(size=(3, 3))
    x_, w = torch.tensor(x)[None, None], torch.tensor(kernel)[None, None]
    wide = F.conv2d(x_, w, padding=5)  # four rows and columns more on each side
    expected = {
        (): F.conv2d(x_, w, padding=1),
        (("widen", 2),): F.conv2d(x_, w, padding=2, dilation=2),
        (("down", 2), ("right", -3)): wide[:, :, 6 : 6 + 9, 1 : 1 + 12],
        (("turn", 180),): F.conv2d(x_, w.flip((2, 3)), padding=1),
    }
    for changes, y in expected.items():
        np.testing.assert_allclose(
            js("sampling", "deform", x.tolist(), kernel.tolist(), GRID | dict(changes)),
            y[0, 0],
            rtol=0,
            atol=1e-12,
        )


@pytest.mark.parametrize(
    "place", [(2.25, 3.5), (0, 0), (-0.4, 7.3), (-1, 2), (4.6, -0.9), (5, 7), (30, 2)]
)
def test_between_pixels_a_value_is_bilinear_and_outside_zero(js, place):
    x = np.random.default_rng(2).random((5, 8))
    expected = map_coordinates(x, np.array(place)[:, None], order=1, mode="grid-constant")[0]
    assert js("sampling", "bilinear", x.tolist(), *place) == pytest.approx(expected, abs=1e-14)


def test_a_step_towards_light_is_shorter_than_a_pixel(js):
    x = np.zeros((12, 12))
    assert not np.array(
        js("sampling", "uphill", x.tolist()), dtype=float
    ).any()  # nowhere to go; NaN would be any
    x[:, 6:] = 1
    down, right = np.array(js("sampling", "uphill", x.tolist()))
    assert not down.any()
    assert right.min() == 0
    assert 0.5 < right.max() < 1


def test_the_star_of_two_linear_functions_is_that_of_numpy(js):
    rng = np.random.default_rng(0)
    directions, offsets, points = (
        rng.uniform(-180, 180, 2),
        rng.uniform(-1.5, 1.5, 2),
        rng.uniform(-2, 2, (20, 2)),
    )
    f, g = (
        np.cos(d) * points[:, 0] + np.sin(d) * points[:, 1] + o
        for d, o in zip(np.deg2rad(directions), offsets)
    )
    linear = [js("star", "linear", d, o) for d, o in zip(directions, offsets)]
    product = js("star", "coefficients", *linear)
    x, y = points.T
    design = np.stack([x**2, x * y, y**2, x, y, np.ones(20)], 1)
    np.testing.assert_allclose(product, np.linalg.lstsq(design, f * g, rcond=None)[0], atol=1e-10)
    assert js("star", "value", product, *points[3]) == pytest.approx(f[3] * g[3], abs=1e-10)
    labels = rng.integers(0, 2, 20)
    assert (
        js("star", "rightSigns", product, points.tolist(), labels.tolist())
        == ((f * g > 0) == labels).sum()
    )
    assert (
        js("star", "rightSigns", [0] * 6, points.tolist(), labels.tolist()) == 0
    )  # zero is no sign


@pytest.mark.parametrize(
    ("f", "g", "how"),
    [
        ((0, 0), (90, 0), "cross"),
        ((0, 1), (5, 1), "cross"),
        ((45, 0.8), (45, -0.8), "parallel"),
        ((45, 0.8), (-135, 0.8), "parallel"),
        ((30, 0.5), (30, 0.5), "same"),
        ((30, 0.5), (-150, -0.5), "same"),
        ((180, 0), (-180, 0), "same"),
    ],
)
def test_the_zeros_of_the_star_are_named(js, f, g, how):
    assert js("star", "lines", js("star", "linear", *f), js("star", "linear", *g)) == how


def learning_task(how):
    """What the figure is to learn, as it has it and as torch has it: kinds, x and y."""
    kinds = learning().data["kinds"]
    both = [picture for kind in kinds for picture in kind["pictures"]]
    x, y = [], []
    for kind in kinds:
        pictures = both if how == "look alike" else kind["pictures"]
        kernel = (kinds[0] if how == "want the same" else kind)["kernel"]
        x.append(torch.tensor(pictures, dtype=torch.float64)[:, None])
        weight = torch.tensor(kernel, dtype=torch.float64).view(1, 1, 3, 3)
        y.append(F.conv2d(x[-1], weight))
    return kinds, torch.cat(x), torch.cat(y)


def learning_layer(model):
    """The package's layer with the numbers of the figure's, and those of its parts that learn."""
    experts = torch.tensor(model["experts"], dtype=torch.float64)
    sigmoid = model["router"] == "sigmoid"
    layer = dynconv.DynamicConv(
        1,
        1,
        3,
        padding="valid",
        num_experts=len(experts),
        routing_activation="sigmoid" if sigmoid else "softmax",
    ).double()
    routed = model["router"] != "none"  # without a router the logits are 0: each α is 1/M
    with torch.no_grad():
        layer.cond_conv.weight.copy_(experts)
        for name in ("weight", "bias"):
            numbers = torch.tensor(model[name], dtype=torch.float64) * routed
            getattr(layer.routing, name).copy_(numbers.view_as(getattr(layer.routing, name)))
    parts = {"experts": layer.cond_conv.weight}
    if routed:
        parts |= {"weight": layer.routing.weight, "bias": layer.routing.bias}
    return layer, parts


def relative_error(output, wanted):
    return (output - wanted).square().mean() / wanted.var(correction=0)


@pytest.mark.parametrize("how", ["differ", "want the same", "look alike"])
@pytest.mark.parametrize("router", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("M", [1, 2, 4])
def test_learning_is_that_of_torch(js, M, router, how):
    kinds, x, y = learning_task(how)
    data = js("learning", "summarise", js("learning", "tasks", kinds, how))
    model = js("learning", "start", 3, M, router)
    layer, parts = learning_layer(model)
    error = relative_error(layer(x), y)
    error.backward()
    found = js("learning", "gradient", model, data)
    assert found["loss"] == pytest.approx(error.item(), rel=1e-10)
    for name in ("experts", "weight", "bias"):
        wanted = parts[name].grad if name in parts else torch.zeros(M)
        np.testing.assert_allclose(np.ravel(found[name]), wanted.numpy().ravel(), 1e-9, 1e-11)
    alpha = [js("learning", "route", model, pooled) for pooled in x.mean((1, 2, 3)).tolist()]
    np.testing.assert_allclose(alpha, layer.alpha(x).detach(), rtol=1e-12)
    kernel = js("learning", "mixed", model["experts"], alpha[0])
    output = js("learning", "convolve", x[0, 0].tolist(), kernel)
    np.testing.assert_allclose(output, layer(x[:1])[0, 0].detach(), rtol=0, atol=1e-13)

    optimizer, losses = torch.optim.SGD(parts.values(), 0.01), []
    for _ in range(50):
        optimizer.zero_grad()
        error = relative_error(layer(x), y)
        error.backward()
        optimizer.step()
        losses.append(error.item())
    found = js("learning", "descend", model, data, 0.01, 50)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-9, atol=1e-12)
    for name, part in parts.items():
        numbers = part.detach().numpy().ravel()
        np.testing.assert_allclose(np.ravel(found["model"][name]), numbers, rtol=0, atol=1e-10)
    if router == "none":
        assert found["model"]["weight"] == model["weight"]


def learned(js, how, M, router, seed=0, rate=0.01, steps=3000):
    """The errors of a run of the figure, and that of the best single kernel."""
    data = js("learning", "summarise", js("learning", "tasks", learning().data["kinds"], how))
    model = js("learning", "start", seed, M, router)
    best = {"router": "none", "experts": [js("learning", "bestStatic", data)]}
    best |= {"weight": [0], "bias": [0]}
    floor = js("learning", "gradient", best, data)["loss"]
    return js("learning", "descend", model, data, rate, steps)["losses"], floor


@pytest.mark.parametrize("how", ["differ", "want the same", "look alike"])
def test_the_best_single_kernel_is_that_of_least_squares(js, how):
    _, x, y = learning_task(how)
    columns = F.unfold(x, 3).transpose(1, 2).reshape(-1, 9)
    best = torch.linalg.lstsq(columns, y.reshape(-1, 1)).solution
    error = relative_error(columns @ best, y.reshape(-1, 1)).item()
    assert learned(js, how, 1, "none", steps=1)[1] == pytest.approx(error, abs=1e-10)


def test_a_best_kernel_is_found_where_several_are_best(js):
    """Of pictures that are all of two greys, side by side, the columns of a kernel are alike."""
    picture = np.tile([0.2, 0.9], (6, 3)).tolist()
    data = js("learning", "summarise", [{"pictures": [picture], "kernel": [1, 0, 0] * 3}])
    kernel = js("learning", "bestStatic", data)
    best = {"router": "none", "experts": [kernel], "weight": [0], "bias": [0]}
    assert abs(js("learning", "gradient", best, data)["loss"]) < 1e-9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("M", "router"), [(2, "softmax"), (4, "softmax"), (2, "sigmoid")])
def test_experts_with_a_router_learn_what_no_single_kernel_can(js, M, router, seed):
    losses, floor = learned(js, "differ", M, router, seed, steps=3500)
    assert floor == pytest.approx(1, abs=1e-4)
    assert losses[-1] < 0.05


@pytest.mark.parametrize(("M", "router"), [(1, "softmax"), (1, "none"), (2, "none"), (4, "none")])
def test_one_expert_or_no_router_stays_at_the_line(js, M, router):
    losses, floor = learned(js, "differ", M, router)
    assert min(losses) > floor - 1e-9
    assert losses[-1] < floor + 1e-3


def test_one_expert_under_a_sigmoid_comes_half_way_at_best(js):
    losses, _ = learned(js, "differ", 1, "sigmoid", rate=10**-1.3, steps=6000)
    assert 0.5 < min(losses) < 0.65


@pytest.mark.parametrize("router", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("M", [1, 2, 4])
def test_kinds_that_want_the_same_need_no_router(js, M, router):
    losses, floor = learned(js, "want the same", M, router, steps=1000)
    assert floor < 1e-10
    assert losses[-1] < 0.01


@pytest.mark.parametrize("router", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("M", [1, 2, 4])
def test_kinds_that_look_alike_cannot_be_told_apart(js, M, router):
    losses, floor = learned(js, "look alike", M, router)
    assert floor == pytest.approx(1)
    assert min(losses) > 0.99


def test_a_start_is_as_wide_as_that_of_torch(js):
    """And a seed names it."""
    starts = [js("learning", "start", seed, 4, "softmax") for seed in range(100)]
    assert starts[0] == js("learning", "start", 0, 4, "softmax") != starts[1]
    for name, layer in {
        "experts": torch.nn.Conv2d(1, 10_000, 3).weight,
        "weight": torch.nn.Linear(1, 10_000).weight,
        "bias": torch.nn.Linear(1, 10_000).bias,
    }.items():
        numbers = np.array([start[name] for start in starts])
        assert abs(numbers).max() == pytest.approx(layer.abs().max().item(), rel=0.02)
        assert numbers.std() == pytest.approx(layer.std().item(), rel=0.06)
        assert abs(numbers.mean()) < 0.1 * numbers.std()


@pytest.mark.parametrize(("value", "text"), [(-0.004, "0.00"), (-0.5, "−0.50"), (2, "2.00")])
def test_numbers_have_fixed_digits_and_a_true_minus(js, value, text):
    assert js("kit", "number", value) == text


# --- what is written into a page ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_all_its_parts(name):
    """Its module, its style sheet for what it alone has, its function, and an example here."""
    assert callable(getattr(widgets, name, None)), f"write widgets.{name}(...)"
    assert name in EXAMPLES, f"add an example of widgets.{name} to EXAMPLES"
    sheet = FIGURES / f"{name}.css"
    assert sheet.exists(), f"write {sheet.name}, also if it stays empty"
    drawing, kit = ((FIGURES / f"{file}.js").read_text() for file in (name, "kit"))
    for rule in set(re.findall(r"\.(dc-[a-z-]+[a-z])", sheet.read_text())) - {"dc-figure"}:
        put_together = re.sub("[a-z]+$", "${", rule)  # `dc-at-${name}`
        shown = any(name in text for name in (rule, put_together) for text in (drawing, kit))
        assert shown, f"{sheet.name} styles {rule}, which it never shows"


def test_every_example_is_of_a_figure():
    missing = EXAMPLES.keys() - NAMES
    assert not missing, f"write the module touch/NAME.js, and its style sheet, of {missing}"


@pytest.mark.parametrize("name", NAMES)
def test_the_module_needs_nothing_but_itself(name, tmp_path):
    text = widgets.module(name)
    lines = text.splitlines()
    assert not [line for line in lines if line.startswith(("import", "export"))]
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert len(text) < 20_000
    (tmp_path / "module.mjs").write_text(text)
    done = subprocess.run(
        [node(), "--check", "module.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_name_cannot_end_the_script_element():
    name = "</script><img src=x onerror=alert(1)><!--"
    page = mixer(images={name: np.zeros((4, 4))})._repr_html_()
    data = page.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(data)["images"][0]["name"] == name
    assert "<" not in data


def mixer(**changes):
    settings = dict(image=np.eye(8), experts=np.arange(18.0).reshape(2, 3, 3) - 9)
    if "images" in changes:
        del settings["image"]
    return widgets.kernel_mixer(**(settings | changes))


def recorded_alpha(sizes=(3, 3), **changes):
    """Four images in two lights, two layers of three and two experts, with kernels of these
    sizes.
    """
    rng = np.random.default_rng(0)
    alpha = {"model.1": rng.random((4, 3)), "model.3": rng.random((4, 2))}
    closeups = {}
    for size, (name, rows) in zip(sizes, alpha.items()):
        experts = rng.normal(size=(rows.shape[1], 5, 2, size, size))
        flat = experts.reshape(len(experts), -1)
        closeups[name] = routing.CloseUp(4, 1, experts[:, 4, 1], rows.mean(0), flat @ flat.T)
    conditions = ["day", "night", "day", "night"]
    settings = dict(
        images=rng.random((4, 8, 8)),
        conditions=conditions,
        alpha=alpha,
        means=routing.means(alpha, conditions),
        closeups=closeups,
    )
    return widgets.recorded_alpha(**settings | changes)


def sampling(**changes):
    x = np.random.default_rng(0).random((12, 10))
    return widgets.sampling(
        **(dict(image=x, kernel=[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]], at=(5, 4)) | changes)
    )


def star(**changes):
    """Four points that no line separates."""
    return widgets.star(
        **(dict(points=[(1, 1), (-1, -1), (1, -1), (-1, 1)], labels=[1, 1, 0, 0]) | changes)
    )


def learning(**changes):
    """The task of chapter 2: from pictures of two lights the edges of the day."""
    day = scenes.shapes(6, size=20)
    edges = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]) / 4
    settings = dict(
        pictures={"day": day, "inverted": scenes.relight(day, "inverted")},
        kernels={"day": edges, "inverted": -edges},
    )
    return widgets.learning(**settings | changes)


def asking(**changes):
    question = {
        "question": "How much is 2 · `x` for x = 1?",
        "choices": [
            {"choice": "1", "wrong": "That is `x`."},
            {"choice": "2", "right": "1 + 1."},
            {"choice": "4", "wrong": "That would be 2 · 2 · `x`."},
        ],
    }
    return widgets.questions([question | changes])


def test_the_figure_of_the_routers_is_small():
    layers = {f"model.{i}": np.random.default_rng(i).random((16, 4)) for i in range(6)}
    closeups = {
        name: routing.CloseUp(
            0, 0, np.random.default_rng(0).normal(size=(4, 3, 3)), rows.mean(0), np.eye(4)
        )
        for name, rows in layers.items()
    }
    lights = ["day", "night", "inverted", "noisy"] * 4
    noise = np.random.default_rng(0).random((16, 48, 48))
    assert (
        len(
            widgets.recorded_alpha(
                noise, lights, layers, routing.means(layers, lights), closeups
            )._repr_html_()
        )
        < 100_000
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recorded_alpha(images=np.zeros((4, 8))), r"images must have 3 dimensions"),
        (
            lambda: recorded_alpha(images=np.full((4, 8, 8), 255)),
            r"images must be from 0 to 1, got 255 to 255",
        ),
        (lambda: recorded_alpha(conditions=["day"] * 3), r"one name per image \(4\), got 3"),
        (
            lambda: recorded_alpha(conditions=["day", "night", "day", "dusk"]),
            r"a condition must be one of day, night, inverted, noisy, got 'dusk'",
        ),
        (
            lambda: recorded_alpha(conditions=["day", "night", "day", "noisy"]),
            r"means has no entry for 'noisy'",
        ),
        (
            lambda: recorded_alpha(alpha={"model.1": np.zeros((4, 3))}),
            r"the same layers.* got \['model.1'\] and \['model.1', 'model.3'\]",
        ),
        (
            lambda: recorded_alpha(
                alpha={"model.1": np.zeros((4, 3)), "model.3": np.zeros((4, 3))}
            ),
            r"alpha of 'model.3' must have shape \(4, 2\), images and experts, got \(4, 3\)",
        ),
        (
            lambda: recorded_alpha(
                alpha={"model.1": np.full((4, 3), 1.5), "model.3": np.zeros((4, 2))}
            ),
            r"alpha of 'model.1' must be from 0 to 1",
        ),
        (lambda: recorded_alpha(sizes=(3, 5)), r"one size to be shown, got \[\(3, 3\), \(5, 5\)\]"),
        (lambda: widgets.kernel_mixer(experts=np.zeros((2, 3, 3))), r"at least one picture"),
        (
            lambda: mixer(image=np.zeros((1, 8, 8))),
            r"image 'X' must have 2 dimensions, got shape \(1, 8, 8\)",
        ),
        (
            lambda: mixer(image=np.full((8, 8), 255)),
            r"image 'X' must be from 0 to 1, got 255 to 255",
        ),
        (
            lambda: mixer(images={"a": np.zeros((8, 8)), "b": np.zeros((8, 9))}),
            r"same shape, got 'a' \(8, 8\), 'b' \(8, 9\)",
        ),
        (lambda: mixer(experts=np.zeros((3, 3))), r"experts must have 3 dimensions"),
        (lambda: mixer(experts=np.zeros((9, 3, 3))), r"1 to 8 kernels .* got 9"),
        (lambda: mixer(experts=np.full((2, 3, 3), np.nan)), r"experts must be finite"),
        (lambda: mixer(alpha=[0.5]), r"one value per expert \(2\), got 1"),
        (lambda: mixer(alpha=[0.5, 1.5]), r"alpha must be from 0 to 1, got 0.5 to 1.5"),
        (lambda: widgets.sigmoid_softmax([1.0]), r"2 to 8 numbers"),
        (lambda: widgets.sigmoid_softmax([1.0, 5.0]), r"logits must be from -4 to 4, got 1 to 5"),
        (
            lambda: widgets.sigmoid_softmax(temperature=0),
            r"temperature must be from 0.1 to 10, got 0 to 0",
        ),
        (lambda: widgets.cost(c_in=100), r"c_in must be one of 8, 16, .*512, got 100"),
        (lambda: widgets.cost(kernel_size=2), r"kernel_size must be one of 1, 3, 5, 7, got 2"),
        (lambda: widgets.cost(side=161), r"side must be one of 1 to 160, got 161"),
        (
            lambda: widgets.cost(presets={"a": (8, 8, 3)}),
            r"preset 'a' must be \(c_in, c_out, kernel_size, side\)",
        ),
        (lambda: widgets.cost(presets={"a": (8, 8, 4, 9)}), r"kernel_size of preset 'a'"),
        (
            lambda: sampling(image=np.zeros((1, 8, 8))),
            r"image must have 2 dimensions, got shape \(1, 8, 8\)",
        ),
        (
            lambda: sampling(image=np.full((8, 8), 255)),
            r"image must be from 0 to 1, got 255 to 255",
        ),
        (
            lambda: sampling(image=np.zeros((2, 8))),
            r"at least as large as the kernel, \(3, 3\), got \(2, 8\)",
        ),
        (
            lambda: sampling(kernel=np.zeros((2, 2))),
            r"kernel must have shape \(3, 3\) or \(5, 5\), got \(2, 2\)",
        ),
        (lambda: sampling(kernel=np.zeros((3, 5))), r"kernel must have shape .* got \(3, 5\)"),
        (lambda: sampling(at=(3,)), r"at must be \(row, column\), got \(3,\)"),
        (lambda: sampling(at=(12, 0)), r"row of at must be one of 0 to 11, got 12"),
        (lambda: sampling(at=(0, 1.5)), r"column of at must be one of 0 to 9, got 1.5"),
        (lambda: star(points=None), r"points and labels belong together, got only labels"),
        (lambda: star(labels=None), r"points and labels belong together, got only points"),
        (lambda: star(points=np.zeros((4, 3))), r"points must have shape \(N, 2\), got \(4, 3\)"),
        (lambda: star(points=np.full((4, 2), 3.0)), r"points must be from -2 to 2, got 3 to 3"),
        (lambda: star(labels=[0, 1]), r"labels must have one class per point \(4\), got 2"),
        (
            lambda: learning(kernels={"day": np.ones((3, 3))}),
            r"the same two names .* got \['day', 'inverted'\] and \['day'\]",
        ),
        (
            lambda: learning(pictures={k: np.zeros((8, 8)) for k in ("day", "inverted")}),
            r"pictures of 'day' must have 3 dimensions",
        ),
        (
            lambda: learning(pictures={"day": np.eye(8)[None], "inverted": np.eye(9)[None]}),
            r"one size, at least \(3, 3\), got .*\(9, 9\)",
        ),
        (
            lambda: learning(pictures={k: 255 * np.eye(8)[None] for k in ("day", "inverted")}),
            r"pictures of 'day' must be from 0 to 1, got 0 to 255",
        ),
        (
            lambda: learning(pictures={k: np.full((2, 8, 8), 0.5) for k in ("day", "inverted")}),
            r"pictures of 'day' are of one grey",
        ),
        (
            lambda: learning(kernels={k: np.ones((5, 5)) for k in ("day", "inverted")}),
            r"kernel of 'day' must have shape \(3, 3\), got \(5, 5\)",
        ),
        (
            lambda: learning(kernels={"day": np.ones((3, 3)), "inverted": np.zeros((3, 3))}),
            r"kernel of 'inverted' is zero",
        ),
        (lambda: learning(seed=0.5), r"seed must be a whole number, at least 0, got 0.5"),
        (lambda: learning(learning_rate=1), r"learning_rate must be from 0.001 to 0.05, got 1"),
        (lambda: star(labels=[0, 1, 2, 1]), r"a label must be one of 0, 1, got 2.0"),
    ],
)
def test_a_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_star_may_have_nothing_to_sort():
    assert widgets.star().data == {"points": [], "labels": []}


@pytest.mark.parametrize("imports, found", [(0, 0), (2, 2)])
def test_a_drawing_that_does_not_import_the_kit_once_is_named(imports, found, monkeypatch):
    """Or the page would have the kit's names not at all, or an import that leads nowhere."""
    line = 'import { define } from "./kit.js";\n'
    monkeypatch.setattr(custom_element, "_source", lambda name: imports * line)
    with pytest.raises(ValueError, match=f"touch/star.js must import the kit once.*found {found}"):
        custom_element.module("star")


def test_tensors_with_gradients_are_fine():
    mixer(image=torch.rand(8, 8), experts=torch.randn(2, 3, 3, requires_grad=True))


CHOICES = [{"choice": "a", "right": "b"}, {"choice": "c", "wrong": "d"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": " "}, "question 1 must be a text.*got ' '"),
        ({"question": "one `"}, "backticks in pairs"),
        ({"hint": "x"}, "question 1 must have the keys question and choices"),
        ({"choices": "abc"}, "choices must be a list, got 'abc'"),
        ({"choices": CHOICES}, "three choices or more.*got 2"),
        ({"choices": CHOICES[1:] * 3}, "one is right, got 3, of which 0"),
        ({"choices": CHOICES[:1] * 3}, "one is right, got 3, of which 3"),
        ({"choices": [*CHOICES, {"choice": "e"}]}, "choice 3 must have the keys choice and right"),
        ({"choices": [*CHOICES, {"choice": 4, "wrong": "f"}]}, "choice 3 must be a text.*got 4"),
    ],
)
def test_a_question_that_cannot_be_asked_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        asking(**changes)


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def open_page(browser, tmp_path):
    """open_page(*widgets): a bare page with these figures; a complaint of the browser fails."""
    pages, problems = [], []

    def open_it(*figures, width=800, script=""):
        file = tmp_path / "page.html"
        body = "".join(figure._repr_html_() for figure in figures)
        file.write_text(
            f'<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><body>'
            f"<script>{script}</script>{body}",
            encoding="utf-8",
        )
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.goto(file.as_uri())
        page.wait_for_selector(".dc-ready")
        pages.append(page)
        return page

    yield open_it
    for page in pages:
        page.close()
    assert not problems


EXAMPLES = {
    "kernel_mixer": lambda: mixer(images={"eye": np.eye(8), "flat": np.full((8, 8), 0.5)}),
    "sigmoid_softmax": lambda: widgets.sigmoid_softmax([1.0, -1.0, 0.0]),
    "cost": lambda: widgets.cost(),
    "recorded_alpha": lambda: recorded_alpha(),
    "sampling": lambda: sampling(),
    "star": lambda: star(),
    "learning": lambda: learning(),
    "questions": lambda: asking(),
}
# The picture as text: pixels of canvases, lengths of bars, numbers; not the controls themselves,
# nor the sentence, which comes later.
STATE = """root => {
  const copy = root.cloneNode(true);
  copy.querySelectorAll('.dc-slider, .dc-buttons, .dc-summary').forEach(part => part.remove());
  const pictures = [...root.querySelectorAll('canvas')].map(c => c.toDataURL()).join();
  return pictures + copy.querySelector('.dc-body').innerHTML;
}"""
# All colours but those of X, which is grey on all pages.
COLOURS = """root => [...root.querySelectorAll('canvas:not([aria-label^="X"])')]
  .map(c => c.toDataURL()).concat(getComputedStyle(root).color,
  [...root.querySelectorAll('.dc-fill, .dc-kernel span')]
    .map(f => getComputedStyle(f).backgroundColor))"""


@pytest.mark.parametrize("name", NAMES)
def test_each_slider_moves_the_picture_by_keyboard(open_page, name):
    page = open_page(EXAMPLES[name]())
    root = page.locator(".dc-figure")
    for slider in root.locator("input").all():
        before = root.evaluate(STATE)
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert root.evaluate(STATE) != before, slider.evaluate("input => input.labels[0].innerText")


@pytest.mark.parametrize("name", NAMES)
def test_each_button_works(open_page, name):
    page = open_page(EXAMPLES[name]())
    root = page.locator(".dc-figure")
    for slider in root.locator("input").all()[:1]:
        slider.focus()
        page.keyboard.press("End")  # so that 'reset' has something to do
    for button in reversed(
        root.locator("button").all()
    ):  # backwards: the first picture is the one that is already shown
        before = root.evaluate(STATE)
        button.click()
        assert root.evaluate(STATE) != before, button.inner_text()


@pytest.mark.parametrize("name", NAMES)
def test_controls_can_be_used_by_all(open_page, name):
    page = open_page(EXAMPLES[name](), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.locator(".dc-figure :is(input, button)").all():
        assert (
            control.get_attribute("data-lm-suppress-shortcuts") == "true"
        )  # or JupyterLab takes the arrow keys
        assert control.bounding_box()["height"] >= 32
        assert control.evaluate(
            "c => c.tagName === 'BUTTON' ? c.textContent : c.labels[0].innerText"
        ).strip()
    assert page.locator(".dc-summary[aria-live=polite]").inner_text().endswith(".")
    assert not page.locator(".dc-fallback").is_visible()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "go_dark",
    [
        "document.documentElement.dataset.theme = 'dark'",  # the site
        "document.body.setAttribute('data-jp-theme-light', 'false')",  # JupyterLab
        "document.documentElement.setAttribute('theme', 'dark')",  # Colab
    ],
)
def test_a_change_of_theme_recolours(open_page, name, go_dark):
    page = open_page(EXAMPLES[name]())
    root = page.locator(".dc-figure")
    before = root.evaluate(COLOURS)
    page.evaluate(go_dark)
    page.evaluate("new Promise(requestAnimationFrame)")
    after = root.evaluate(COLOURS)
    assert all(a != b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_sliding_moves_nothing_else(open_page, name):
    page = open_page(EXAMPLES[name](), width=390)
    places = (
        "root => [...root.querySelectorAll('label, button, .dc-summary, canvas')].map(e =>"
        " e.getBoundingClientRect().top).concat(root.getBoundingClientRect().bottom).join()"
    )
    root = page.locator(".dc-figure")
    before = root.evaluate(places)
    for slider in root.locator("input").all():
        slider.focus()
        for key in ("Home", "End"):
            page.keyboard.press(key)
            page.wait_for_timeout(250)  # the sentence follows when the reader pauses
            assert root.evaluate(places) == before


def test_an_answer_says_why_once_and_counts_the_tries(open_page):
    page = open_page(asking(question="Is <b>this</b> `<i>` markup?"))
    root = page.locator(".dc-figure")
    line, first, second = root.locator(".dc-summary"), *root.locator("button").all()[:2]
    assert "<b>this</b> <i> markup?" in root.inner_text()  # text is never read as markup
    assert root.locator(".dc-body :is(b, i)").count() == 0
    assert root.locator(".dc-because").all_inner_texts() == ["", "", ""]
    for key in ("Enter", "Space"):  # the same answer again says nothing new
        first.focus()
        page.keyboard.press(key)
        assert root.locator(".dc-because").all_inner_texts() == ["✗ No. That is x.", "", ""]
    assert line.inner_text() == "Choose an answer; each says why."
    second.click()
    assert root.locator(".dc-right").inner_text() == "✓ Right. 1 + 1."
    assert line.inner_text() == "1 of 1 answered, 0 at the first try."


def test_where_no_script_runs_a_fold_says_what_each_answer_says(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(asking()._repr_html_(), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.get_by_text("That is x.").is_hidden()
        page.locator("summary").click()
        assert page.get_by_text("That is x.").is_visible()
    finally:
        context.close()


def test_two_of_the_same_kind_live_on_one_page(open_page):
    page = open_page(EXAMPLES["kernel_mixer"](), EXAMPLES["kernel_mixer"]())
    first, second = page.locator(".dc-figure").all()
    untouched = first.evaluate(STATE)
    assert second.evaluate(STATE) == untouched
    second.locator("input").first.focus()
    page.keyboard.press("End")
    assert second.evaluate(STATE) != untouched
    assert first.evaluate(STATE) == untouched


def test_a_figure_that_a_notebook_moves_keeps_its_state(open_page):
    page = open_page(EXAMPLES["kernel_mixer"]())
    root = page.locator(".dc-figure")
    root.locator("input").first.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(250)
    before = root.evaluate(STATE)
    page.evaluate(
        "const f = document.querySelector('.dc-figure'); f.remove(); document.body.append(f)"
    )
    assert root.evaluate(STATE) == before


def test_the_chosen_image_shows_its_alpha_beside_the_mean_of_its_light(open_page):
    rng = np.random.default_rng(1)
    alpha = {"model.1": rng.random((4, 3)), "model.3": rng.random((4, 2))}
    lights = ["day", "night", "day", "night"]
    page = open_page(recorded_alpha(alpha=alpha, means=routing.means(alpha, lights)))
    page.locator(".dc-thumbs button").nth(3).click()
    assert page.locator(".dc-shown").get_attribute("alt") == "image 4, night"
    rows = page.locator(".dc-recorded-layer").nth(1).locator(".dc-recorded-row").all()
    assert len(rows) == 2
    for m, row in enumerate(rows):
        assert row.inner_text().split()[-1] == f"{alpha['model.3'][3, m]:.2f}"
        assert float(
            row.locator(".dc-fill").evaluate("f => f.style.width").rstrip("%")
        ) == pytest.approx(100 * alpha["model.3"][3, m], abs=0.06)
        mark = row.locator(".dc-own")
        assert float(mark.evaluate("f => f.style.left").rstrip("%")) == pytest.approx(
            100 * alpha["model.3"][[1, 3], m].mean(), abs=0.02
        )
    assert page.locator(".dc-summary").inner_text().startswith("Image ")


def test_a_picture_looks_the_same_on_a_dark_page_of_the_site(open_page):
    page = open_page(recorded_alpha())
    dark, output = "html[data-theme=dark]", ".bd-content div.cell_output img"
    page.add_style_tag(  # pydata-sphinx-theme's
        content=f"""{dark} img:not(.only-dark,.dark-light){{filter:brightness(.8) contrast(1.2)}}
        {dark} {output}{{background-color:#fff;border-radius:.25rem;padding:.5rem}}"""
    )
    page.evaluate(
        "document.documentElement.dataset.theme = 'dark'; document.body.innerHTML = `<div"
        " class=bd-content><div class=cell_output>${document.body.innerHTML}</div></div>`"
    )
    looks = (
        "i => { const s = getComputedStyle(i); return [s.filter, s.padding,"
        " s.backgroundColor].join() }"
    )
    assert {image.evaluate(looks) for image in page.locator(".dc-body img").all()} == {
        "none,0px,rgba(0, 0, 0, 0)"
    }


def test_pointing_at_y_frames_its_patch_of_x(open_page):
    page = open_page(mixer(image=np.eye(8), experts=np.ones((1, 3, 3)), alpha=[1.0]))
    page.locator("canvas").nth(1).hover(
        position={"x": 1, "y": 1}
    )  # the pixel in the top left corner
    assert "Row 1, column 1" in page.locator(".dc-pointed").inner_text()
    assert (
        page.locator(".dc-pointed").inner_text().endswith("2.00.")
    )  # two ones of the diagonal, zeros outside
    assert page.locator(".dc-frame").first.is_visible()


def test_a_pixel_of_a_deformable_convolution_is_chosen_by_pointing(open_page):
    x, kernel = np.random.default_rng(0).random((12, 10)).round(3), np.arange(9.0).reshape(3, 3) - 4
    page = open_page(sampling(image=x, kernel=kernel))
    x_, w = torch.tensor(x)[None, None], torch.tensor(kernel)[None, None]
    ordinary, dilated = (F.conv2d(x_, w, padding=d, dilation=d)[0, 0] for d in (1, 2))
    text = [f"{y[11, 2]:.2f}".replace("-", "−") for y in (ordinary, dilated)]

    box = page.locator(".dc-at-x .dc-picture").bounding_box()
    page.mouse.click(
        box["x"] + 0.25 * box["width"], box["y"] + box["height"] - 2
    )  # the last row, the third column
    assert [field.input_value() for field in page.locator(".dc-at-spot input").all()] == ["12", "3"]
    numbers = page.locator(".dc-at-numbers .dc-number")
    assert numbers.all_inner_texts() == [text[0], text[0], "0.0 px"]
    page.get_by_role("button", name="dilation 2").click()
    assert numbers.all_inner_texts() == [
        text[1],
        text[0],
        "1.4 px",
    ]  # a corner lies one row and one column further out
    values = [f"{v:.2f}" for v in np.pad(x, 2)[11:16:2, 2:7:2].flat]
    assert page.locator(".dc-read span").all_inner_texts() == values
    page.wait_for_timeout(500)
    assert (
        page.locator(".dc-summary").inner_text()
        == f"Pixel row 12, column 3: its nine places lie up to 1.4 px off the grid. Y is {text[1]}"
        f" here; an ordinary convolution gives {text[0]}. The offsets are the same at every"
        " pixel."
    )


def test_each_dot_lies_where_the_pixel_reads_and_shows_its_weight(open_page):
    page = open_page(sampling(kernel=[[0.0, 0, 0], [-2, 0, 1], [0, 0, 0]]))  # at row 5, column 4
    page.get_by_role("button", name="shift").click()
    dots = page.locator(".dc-close g g").evaluate_all(
        "dots => dots.map(d => [d.getAttribute('transform'), d.firstChild.getAttribute('r'),"
        " d.lastChild.getAttribute('d')])"
    )
    assert len(dots) == 9
    radius = {place: float(r) for place, r, _ in dots}
    assert list(radius.values()) == sorted(
        radius.values(), reverse=True
    )  # no small one hides behind a large one
    signs = {place: d.count("M") for place, _, d in dots if d}  # one stroke for minus, two for plus
    assert signs == {
        "translate(6.5,7.5)": 1,
        "translate(8.5,7.5)": 2,
    }  # the left one and the right one, 3 px right and 2 px down
    assert (
        radius["translate(6.5,7.5)"] > radius["translate(8.5,7.5)"] > radius["translate(7.5,7.5)"]
    )


def test_half_a_turn_gives_an_edge_kernel_the_opposite_sign(open_page):
    page = open_page(sampling(kernel=[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]))
    page.get_by_role("slider", name="turn", exact=True).focus()
    page.keyboard.press("End")
    y, ordinary, _ = page.locator(".dc-at-numbers .dc-number").all_inner_texts()
    assert float(y.replace("−", "-")) == -float(ordinary.replace("−", "-")) != 0


def test_the_colours_of_y_keep_their_meaning(open_page):
    x = np.full((6, 6), 0.5)
    x[:, 0] = (
        # the strongest answer of this kernel, which copies X; shifted by 3 px, no pixel reads it
        1.0
    )
    page = open_page(sampling(image=x, kernel=np.diag([0.0, 1, 0]), at=(0, 0)))
    green = (
        "document.querySelectorAll('canvas')[1].getContext('2d').getImageData(0, 0, 1, 1).data[1]"
    )
    page.get_by_role("button", name="shift").click()
    zero, positive = (int(colour.light[3:5], 16) for colour in (style.ZERO, style.POSITIVE))
    assert page.evaluate(green) == pytest.approx((zero + positive) / 2, abs=1)


def test_only_the_light_makes_offsets_differ_between_pixels(open_page):
    page = open_page(sampling())

    def furthest():
        return page.locator(".dc-at-numbers .dc-number").last.inner_text()

    for preset, differ in {"turned": False, "towards light": True}.items():
        page.get_by_role("button", name=preset).click()
        assert page.get_by_role("button", name=preset).get_attribute("aria-pressed") == "true"
        seen = set()
        page.locator(".dc-at-spot input").first.focus()
        for key in ("Home", "End"):
            page.keyboard.press(key)
            seen.add(furthest())
        assert (len(seen) > 1) == differ
    page.get_by_role("button", name="convolution").click()
    assert furthest() == "0.0 px"


def test_a_star_sorts_what_no_sum_can(open_page):
    page = open_page(star())
    scores = page.locator(".dc-plane").evaluate_all(
        "planes => planes.map(p => [p.querySelectorAll('.dc-detail')[1].textContent,"
        " p.querySelectorAll('.dc-line:not([d=\"\"])').length - 1])"
    )
    assert scores == [
        ["2 of 4 right", 2],
        ["2 of 4 right", 2],
        ["1 of 4 right", 3],
        ["4 of 4 right", 0],
    ]  # with as many struck out
    rows = page.locator(".dc-terms [role=row]").evaluate_all(
        "rows => rows.map(r => [...r.children].map(c => c.textContent))"
    )
    assert rows[0] == ["term", "x²", "xy", "y²", "x", "y", "1"]
    assert rows[3] == ["f + g", "0.00", "0.00", "0.00", "1.00", "1.00", "0.00"]
    assert rows[4] == ["f · g", "0.00", "1.00", "0.00", "0.00", "0.00", "0.00"]
    zero, positive = (int(colour.light[3:5], 16) for colour in (style.ZERO, style.POSITIVE))
    greens = (
        page.locator(".dc-terms [role=row]")
        .nth(4)
        .locator("[role=cell]")
        .evaluate_all(
            "cells => cells.map(c => +getComputedStyle(c).backgroundColor.match(/\\d+/g)[1])"
        )
    )
    assert greens == [zero, pytest.approx(zero + (positive - zero) / 3, abs=1)] + 4 * [
        zero
    ]  # full colour is 3
    page.get_by_role(
        "button", name="opposite"
    ).click()  # f = −g + 1.6: their sum is no function of x and y
    assert page.locator(".dc-plane-2 .dc-detail").first.inner_text() == "1.60 everywhere"
    page.wait_for_timeout(500)
    sentence = page.locator(".dc-summary").inner_text().replace("\xa0", " ")
    assert sentence.startswith(
        "f + g is 1.60 everywhere. f · g is zero on two parallel lines, and positive in the band"
        " between them."
    )
    page.get_by_label("direction of g").focus()
    page.keyboard.press("ArrowRight")  # now it is one, but very flat
    assert page.locator(".dc-plane-2 .dc-detail").first.inner_text() == "a line out of view"


def test_it_learns_before_the_eyes_and_stops_when_nobody_sees_it(open_page):
    page = open_page(learning())
    page.evaluate("document.body.style.paddingBottom = '3000px'")
    status, play = page.locator(".dc-status"), page.locator(".dc-play")
    page.wait_for_timeout(300)
    assert status.inner_text() == "step 0, error 1.22", "it waits for the reader"
    play.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.dc-status').textContent.endsWith('error 0.02')", timeout=60_000
    )
    assert play.inner_text() == "pause"
    page.wait_for_timeout(600)
    sentence = page.locator(".dc-summary")
    assert sentence.inner_text().endswith("is below that of the best single kernel.")
    page.keyboard.press("Enter")
    page.wait_for_timeout(600)
    assert sentence.inner_text().endswith("The router helps.")
    first, second = page.locator(".dc-kind").all()
    alpha = [float(kind.locator(".dc-number").first.inner_text()) for kind in (first, second)]
    assert abs(alpha[0] - alpha[1]) > 0.3
    drawn = "path => path.getAttribute('d').split('L').length"
    assert page.locator(".dc-run").evaluate(drawn) > 100

    page.get_by_role("button", name="none").click()
    assert status.inner_text().startswith("step 0, ")
    assert page.locator(".dc-before").evaluate(drawn) > 100, "the run before stays to be seen"
    play.click()
    page.mouse.wheel(0, 2500)
    page.wait_for_function("document.querySelector('.dc-play').textContent === 'learn'")
    stopped = status.inner_text()
    page.wait_for_timeout(300)
    assert status.inner_text() == stopped


def test_a_step_is_one_and_a_reset_another_start(open_page, js):
    page = open_page(learning())
    page.get_by_role("button", name="one step").click()
    page.get_by_role("button", name="one step").click()
    losses, _ = learned(js, "differ", 2, "softmax", steps=3)
    status = page.locator(".dc-status")
    assert status.inner_text() == f"step 2, error {losses[2]:.2f}"
    page.get_by_role("button", name="reset").click()
    (loss,), _ = learned(js, "differ", 2, "softmax", seed=1, steps=1)
    assert status.inner_text() == f"step 0, error {loss:.2f}"
    for name in ("1", "sigmoid", "look alike"):
        choice = page.get_by_role("button", name=name, exact=True)
        choice.click()
        assert choice.get_attribute("aria-pressed") == "true"
    (loss,), _ = learned(js, "look alike", 1, "sigmoid", seed=1, steps=1)
    assert status.inner_text() == f"step 0, error {loss:.2f}"
    assert page.locator(".dc-pair .dc-kernel").count() == 1


def test_a_learning_rate_that_is_too_high_stops_with_a_sentence(open_page):
    page = open_page(learning())
    page.locator("input").first.focus()
    page.keyboard.press("End")
    page.get_by_role("button", name="learn").click()
    page.wait_for_function("document.querySelector('.dc-play').textContent === 'learn'")
    page.wait_for_timeout(600)
    assert "the learning rate is too high" in page.locator(".dc-summary").inner_text()


@pytest.mark.parametrize(("direction", "upwards"), [("ArrowRight", True), ("ArrowLeft", False)])
def test_the_plane_has_y_upwards(open_page, direction, upwards):
    """f grows to the right; turned a little it also grows upwards, or downwards: there its map is
    most positive.
    """
    page = open_page(star())
    page.locator("input").first.focus()
    page.keyboard.press(direction)
    data = page.locator("canvas").first.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    red, _, blue, _ = np.array(data).reshape(64, 64, 4).transpose(2, 0, 1)
    row, column = np.unravel_index(np.argmax(red - blue), red.shape)
    assert column > 60
    assert row < 3 if upwards else row > 60


def test_colab_hears_how_high_a_figure_has_become(open_page):
    """Colab measures the frame of an output before a figure is in it."""
    colab = """
        globalThis.heights = [];
        const resizeIframeToContent = () => heights.push(document.documentElement.scrollHeight);
        globalThis.google = { colab: { output: { resizeIframeToContent } } };
    """
    page = open_page(EXAMPLES["recorded_alpha"](), script=colab)
    page.wait_for_timeout(500)
    told = "[heights.at(-1), document.documentElement.scrollHeight]"
    heard, height = page.evaluate(told)
    assert heard == height
    page.set_viewport_size({"width": 300, "height": 844})
    page.wait_for_timeout(200)
    heard, narrow = page.evaluate(told)
    assert heard == narrow > height


def test_without_scripts_a_sentence_says_what_is_missing(browser, tmp_path):
    (tmp_path / "page.html").write_text(
        "<!doctype html><meta charset=utf-8>" + EXAMPLES["cost"]()._repr_html_(), encoding="utf-8"
    )
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert "needs JavaScript" in page.inner_text("body")
    context.close()
