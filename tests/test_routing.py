"""Routing: what is recorded, the summaries against scikit-learn, and the kernel swap against
ultralytics' own validation.
"""

import copy
import os

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.feature_selection import f_classif
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import NearestCentroid
from torch import nn

import dynconv
from dynconv import dynamic_conv2d
from dynconv.lab import routing, scoring
from dynconv.yolo import C2f_DynamicConv, DynamicConvBNAct, build

CONDITIONS = ["day", "night"] * 5


class Own(nn.Module):
    """A reader's own dynamic layer, with a router that needs no linear layer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 6, 4, 3, 3))

    def alpha(self, x):
        return torch.sigmoid(x[:, :2].amax((2, 3)))

    def forward(self, x):
        return dynamic_conv2d(x, self.weight, self.alpha(x), padding=1)


def toy():
    torch.manual_seed(0)
    first = DynamicConvBNAct(3, 8, 3, 2)
    return nn.Sequential(first, C2f_DynamicConv(8, 4, 2, True), Own())


def tensor(paths):
    return (
        torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths]))
        .permute(0, 3, 1, 2)
        .float()
        / 255
    )


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A YOLO, ten images of 64 px, and labels of which it finds some: a part of its own boxes,
    moved a little.
    """
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    model = build("yolov10n-dynamicconv-1", nc=3)
    images, labels = [], []
    for part in ("images", "labels"):
        (folder / part / "val").mkdir(parents=True)
    for i in range(10):
        images.append(folder / f"images/val/{i}.png")
        light = 1.0 if CONDITIONS[i] == "day" else 0.2
        Image.fromarray((rng.random((64, 64, 3)) * 255 * light).astype(np.uint8)).save(images[-1])
    model.model = routing.untrained(model, images)
    head = model.model.model[-1]
    for scores, sides in zip(head.cv3, head.cv2):
        scores[-1].bias.data += 4  # fresh weights are too modest to report anything,
        sides[-1].bias.data.view(4, -1)[:, 2:] -= 5  # and their boxes are larger than the image
    judge = scoring.validator(model.model)
    with torch.no_grad():
        found = judge.postprocess(model.model(tensor(images)))
    for i, one in enumerate(found):
        boxes = (one["bboxes"][:80:8].numpy() + rng.normal(0, 1.5, (10, 4))).clip(0, 64)
        rows = [
            (kind, (x0 + x1) / 128, (y0 + y1) / 128, (x1 - x0) / 64, (y1 - y0) / 64)
            for kind, (x0, y0, x1, y1) in zip(one["cls"][:80:8].tolist(), boxes)
        ]
        labels.append(np.array([row for row in rows if min(row[3:]) > 0.05]))
        (folder / f"labels/val/{i}.txt").write_text(
            "\n".join(
                f"{int(kind)} " + " ".join(f"{v:.6f}" for v in box) for kind, *box in labels[-1]
            )
            + "\n"
        )
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: images/val\nval: images/val\nnames: [a, b, c]\n"
    )
    return model, images, labels, folder


# --- record ---------------------------------------------------------------------------------------


def test_alpha_is_what_each_layer_mixes_with():
    """The oracle is the layer's output: with the recorded α given from outside it is the same."""
    network, x = toy().eval(), torch.rand(5, 3, 16, 16)
    alpha = routing.record(network, x, batch=2)
    assert list(alpha) == ["0.conv", "1.m.0.cv2", "1.m.1.cv2", "2"]
    inputs = {}
    for name in alpha:
        layer = network.get_submodule(name)
        layer.register_forward_hook(
            lambda _, given, out, name=name: inputs.__setitem__(name, (given[0], out))
        )
    with torch.no_grad():
        network(x)
        for name, (given, out) in inputs.items():
            layer = network.get_submodule(name)
            stride = getattr(layer, "stride", 1)
            assert alpha[name].shape == (5, len(layer.weight))
            torch.testing.assert_close(
                dynamic_conv2d(
                    given, layer.weight, torch.from_numpy(alpha[name]), stride=stride, padding=1
                ),
                out,
            )


def test_recording_leaves_nothing_behind():
    network = toy().train()
    network[1].eval()
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    routing.record(network, torch.rand(3, 3, 16, 16))
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert all(
        torch.equal(value, before[name]) for name, value in network.state_dict().items()
    )  # BatchNorm did not learn
    network[1].m[0].cv2.forward = None
    with pytest.raises(TypeError):
        routing.record(network, torch.rand(3, 3, 16, 16))
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_yolo_its_weights_and_its_network_give_the_same(detector, tmp_path):
    model, images, _, _ = detector
    expected = routing.record(model.model, images)
    assert list(expected) == ["model.1", "model.3", "model.17"]
    model.save(tmp_path / "weights.pt")
    for source, pictures in (
        (model, images),
        (model.model, tensor(images)),
        (tmp_path / "weights.pt", images),
    ):
        alpha = routing.record(source, pictures, batch=4)
        for name in expected:
            np.testing.assert_allclose(
                alpha[name], expected[name], atol=2e-3 if source is not model.model else 1e-5
            )  # half precision; rounding of another batch size


def test_the_control_is_fresh_calibrated_and_apart(detector):
    model, images, _, _ = detector
    before, state = copy.deepcopy(model.model.state_dict()), torch.get_rng_state()
    one, again, other = (routing.untrained(model, images, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    names = [name for name in before if name.endswith("cond_conv.weight")]
    assert names and all(
        torch.equal(one.state_dict()[name], again.state_dict()[name]) for name in names
    )
    assert not any(torch.equal(one.state_dict()[name], other.state_dict()[name]) for name in names)
    assert not any(torch.equal(one.state_dict()[name], before[name]) for name in names)
    assert not any(module.training for module in one.modules())
    # Calibrated: what leaves the first BatchNorm on these images has mean 0 and variance 1, its
    # fresh weights being 1 and 0.
    seen = []
    one.model[0].bn.register_forward_hook(lambda layer, given, out: seen.append(out))
    routing.record(one, images)
    out = torch.cat(seen)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(out.shape[1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        out.var((0, 2, 3)), torch.ones(out.shape[1]), atol=0.2, rtol=0
    )  # but for ε
    assert one.model[0].bn.momentum == 0.03


def test_a_calibrated_network_has_other_statistics_and_the_same_weights(detector):
    """What a BatchNorm of the copy has stored is what a plain average over the images gives, and
    not what was stored before.
    """
    model, images, _, _ = detector
    before = copy.deepcopy(model.model.state_dict())
    copied = routing.calibrated(model, images[:8], batch=8)
    stored = ("running_mean", "running_var", "num_batches_tracked")
    for name, value in copied.state_dict().items():
        assert torch.equal(value, before[name]) or name.endswith(stored), name
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    seen = []
    copied.model[0].conv.register_forward_hook(lambda layer, given, out: seen.append(out))
    routing.record(copied, images[:8], batch=8)
    norm, (out,) = copied.model[0].bn, seen
    torch.testing.assert_close(norm.running_mean, out.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, out.var((0, 2, 3)))
    assert norm.momentum == 0.03 and not any(module.training for module in copied.modules())
    again = routing.calibrated(copied, images[:8], batch=8)
    assert all(map(torch.equal, again.state_dict().values(), copied.state_dict().values()))


def test_a_network_without_a_yaml_starts_as_torch_starts_it():
    network = nn.Sequential(DynamicConvBNAct(3, 8, 3, 2), nn.Conv2d(8, 4, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7.0)
    fresh = routing.untrained(network, torch.rand(4, 3, 16, 16))
    assert not any((parameter == 7).any() for parameter in fresh.parameters())
    assert all((parameter == 7).all() for parameter in network.parameters())
    with pytest.raises(TypeError, match="2, a Own, has parameters and no reset_parameters"):
        routing.untrained(toy(), torch.rand(4, 3, 16, 16))


def png(folder, name, size):
    Image.new("L", size, 100).save(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda f: (nn.Conv2d(3, 1, 1), torch.rand(1, 3, 8, 8)),
            ValueError,
            r"Conv2d has no dynamic layer: no module in it has a method alpha",
        ),
        (
            lambda f: (nn.ELU(0.5), torch.rand(1, 3, 8, 8)),
            ValueError,
            "ELU has no dynamic layer",
        ),  # its alpha is a number
        (lambda f: (toy(), []), ValueError, "there are no images"),
        (
            lambda f: (toy(), "one.png"),
            ValueError,
            "list of paths or a tensor, got the single path 'one.png'",
        ),
        (
            lambda f: (toy(), [png(f, "a.png", (32, 32)), png(f, "b.png", (32, 64))]),
            ValueError,
            r"one size: a.png has \(32, 32\), b.png has \(32, 64\)",
        ),
        (
            lambda f: (toy(), torch.rand(3, 8, 8)),
            ValueError,
            r"float tensor \(B, 3, H, W\) from 0 to 1, got \(3, 8, 8\)",
        ),
        (
            lambda f: (toy(), torch.rand(1, 3, 8, 8) * 255),
            ValueError,
            r"from 0 to 1, got .* to 2\d\d",
        ),
        (
            lambda f: (build("yolov10n-dynamicconv-1", nc=3), torch.rand(1, 3, 40, 64)),
            ValueError,
            r"multiples of the network's stride 32, got \(64, 40\)",
        ),
        (
            lambda f: (f / "none.pt", torch.rand(1, 3, 32, 32)),
            FileNotFoundError,
            r"no weights at '.*none.pt'",
        ),
        (
            lambda f: (7, torch.rand(1, 3, 32, 32)),
            TypeError,
            "must be a YOLO, the path of weights .* got 7",
        ),
    ],
)
def test_what_cannot_be_recorded_is_named(make, error, message, tmp_path):
    with pytest.raises(error, match=message):
        routing.record(*make(tmp_path))


NO_IMAGES = {"no such file": lambda file: None, "a folder": lambda file: file.mkdir()}
if hasattr(os, "mkfifo"):
    NO_IMAGES |= {
        "a named pipe": os.mkfifo,  # who opens it waits for ever
        "a device": lambda file: file.symlink_to("/dev/zero"),
    }


@pytest.mark.parametrize("use", [routing.record, routing.untrained, routing.calibrated])
@pytest.mark.parametrize("kind", NO_IMAGES)
def test_an_image_that_is_no_file_is_named(kind, use, tmp_path):
    NO_IMAGES[kind](tmp_path / "odd.png")
    images = [png(tmp_path, "a.png", (32, 32)), tmp_path / "odd.png"]
    with pytest.raises((ValueError, FileNotFoundError), match=rf"image .*odd\.png.* is {kind}"):
        use(toy(), images)


def test_a_layer_that_runs_twice_is_named():
    layer = dynconv.DynamicConv(3, 3, 3)
    with pytest.raises(RuntimeError, match="0 gave 4 α for 2 images"):
        routing.record(nn.Sequential(layer, layer), torch.rand(2, 3, 8, 8))


# --- summaries ------------------------------------------------------------------------------------

RNG = np.random.default_rng(3)
LABELS = np.array(
    ["b"] * 12 + ["a"] * 7 + ["c"] * 5
)  # groups of unequal size, not in the order of the alphabet
ALPHA = RNG.random((24, 4)) * 0.4 + 0.25 * (LABELS == "a")[:, None] * [1, 0, 0.5, 0]


def test_the_share_of_variance_is_that_of_an_analysis_of_variance():
    N, k = len(ALPHA), 3
    F, _ = f_classif(ALPHA, LABELS)
    alone = [routing.variance_share(ALPHA[:, [m]], LABELS) for m in range(4)]
    np.testing.assert_allclose(alone, F * (k - 1) / (F * (k - 1) + N - k))
    # For several experts: total scatter = scatter within + scatter between, the within taken from
    # numpy's own variance.
    within = sum(ALPHA[LABELS == name].var(0).sum() * (LABELS == name).sum() for name in "abc")
    assert routing.variance_share(ALPHA, LABELS) == pytest.approx(
        1 - within / (ALPHA.var(0).sum() * N)
    )


def test_the_accuracy_is_that_of_scikit_learn():
    expected = cross_val_score(NearestCentroid(), ALPHA, LABELS, cv=LeaveOneOut()).mean()
    assert 0.2 < expected < 0.9
    assert routing.nearest_centroid_accuracy(ALPHA, LABELS) == pytest.approx(expected)


def test_summaries_of_what_is_known():
    alpha = np.repeat([[0.1, 0.9], [0.5, 0.3]], 5, 0)
    lights = ["day"] * 5 + ["night"] * 5
    assert (
        routing.variance_share(alpha, lights) == pytest.approx(1)
        and routing.nearest_centroid_accuracy(alpha, lights) == 1
    )
    assert routing.spread(alpha) == pytest.approx(np.sqrt((0.2**2 + 0.3**2) / 2))
    assert routing.variance_share(np.full((10, 2), 0.5), lights) == 0
    found = routing.means({"a": alpha, "b": alpha[:, :1]}, lights)
    assert list(found) == ["day", "night"] and found["night"]["a"].tolist() == pytest.approx(
        [0.5, 0.3]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: routing.variance_share(ALPHA, LABELS[:5]),
            r"one name per image \(24\), got shape \(5,\)",
        ),
        (lambda: routing.variance_share(ALPHA[:, 0], LABELS), "alpha must have 2 dimensions"),
        (
            lambda: routing.nearest_centroid_accuracy(ALPHA, ["x", *LABELS[1:]]),
            "at least two images, 'x' has one",
        ),
        (lambda: routing.means({"a": ALPHA}, LABELS[:5]), r"one name per image \(24\)"),
        (lambda: routing.mixed_kernels(toy(), {"2": [0.5]}), r"no `weight` of 1 kernels"),
    ],
)
def test_a_summary_of_what_does_not_fit_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_mixed_kernels_are_the_sum():
    network, alpha = toy(), np.array([0.2, 0.7])
    kernel = routing.mixed_kernels(network, {"2": alpha})["2"]
    weight = network[2].weight.detach().numpy()
    np.testing.assert_allclose(kernel, 0.2 * weight[0] + 0.7 * weight[1], rtol=1e-5)


def test_a_closeup_shows_the_pair_of_channels_that_moves_most():
    network, alpha = toy(), {"2": RNG.random((9, 2))}
    weight = network[2].weight.detach().double().numpy()
    kernels = np.array(
        [np.tensordot(row, weight, 1) for row in alpha["2"]]
    )  # (images, Cout, Cin, 3, 3)
    most = np.unravel_index(kernels.var(0).sum((2, 3)).argmax(), (6, 4))
    found = routing.closeups(network, alpha)["2"]
    assert (found.output, found.input) == most
    np.testing.assert_array_equal(found.experts, weight[:, most[0], most[1]])
    np.testing.assert_allclose(found.mean, alpha["2"].mean(0))
    assert found.mean @ found.gram @ found.mean == pytest.approx((kernels.mean(0) ** 2).sum())


# --- the swap -------------------------------------------------------------------------------------


def test_fixed_alpha_is_used_for_every_image_and_then_no_more():
    network, x = toy().eval(), torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        own = network(x)
        middle = network[1](network[0](x))
        with routing.fixed(network, {"2": [0.2, 0.7]}):
            expected = torch.nn.functional.conv2d(
                middle, 0.2 * network[2].weight[0] + 0.7 * network[2].weight[1], padding=1
            )
            torch.testing.assert_close(network(x), expected)
            with routing.fixed(network, {"2": [1.0, 0.0]}):
                torch.testing.assert_close(
                    network(x), torch.nn.functional.conv2d(middle, network[2].weight[0], padding=1)
                )
            torch.testing.assert_close(
                network(x), expected
            )  # an inner one gives back what it found
            assert np.allclose(routing.record(network, x)["2"], [0.2, 0.7])
        assert torch.equal(network(x), own)
        two = {"0.conv": [0.1, 0.2, 0.3, 0.4], "2": [0.2, 0.7]}
        with routing.fixed(network, two):
            found = routing.record(network, x)
            assert all(
                np.allclose(found[name], value) for name, value in two.items()
            )  # to each layer its own
        with pytest.raises(KeyError), routing.fixed(network, {"2": [0.2, 0.7]}):
            raise KeyError
        assert torch.equal(network(x), own)
    assert not any("alpha" in vars(module) for module in network.modules())


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (
            {"2": [0.1, 0.2], "1.m.0.cv1": [0.1]},
            (
                r"no dynamic layer is called '1.m.0.cv1'; did you mean '1.m.0.cv2'\? There are:"
                r" 0.conv, "
            ),
        ),
        ({"zebra": [0.1, 0.2]}, r"no dynamic layer is called 'zebra'\. There are: 0.conv, "),
        (
            {"2": [0.1, 0.2], "0.conv": [0.1, 0.2]},
            r"alpha of '0.conv' must have one value per expert \(4\), got 2",
        ),
        ({"2": [0.1, float("nan")]}, "alpha of '2' must be finite"),
    ],
)
def test_what_cannot_be_fixed_changes_nothing(alpha, message):
    network = toy()
    with pytest.raises(ValueError, match=message), routing.fixed(network, alpha):
        pass
    assert not any("alpha" in vars(module) for module in network.modules())


def test_a_path_cannot_be_fixed():
    with (
        pytest.raises(TypeError, match="needs the loaded network, not the path 'last.pt'"),
        routing.fixed("last.pt", {}),
    ):
        pass


def test_the_score_is_that_of_ultralytics(detector, tmp_path):
    model, images, labels, folder = detector
    lights = np.array(CONDITIONS)
    (folder / "night.txt").write_text(
        "\n".join(str(path) for path, light in zip(images, lights) if light == "night")
    )
    (folder / "night.yaml").write_text(
        (folder / "data.yaml").read_text().replace("val: images/val", "val: night.txt")
    )
    settings = dict(
        imgsz=64,
        batch=5,
        rect=False,
        plots=False,
        workers=0,
        device="cpu",
        project=str(tmp_path),
        verbose=False,
    )
    network = copy.deepcopy(model.model)
    found = routing.score(network, images, labels, lights, batch=3)
    assert (
        0.05 < found["all"] < 0.95
    )  # neither nothing nor everything, or the comparison would prove little
    assert found["all"] == pytest.approx(
        model.val(data=str(folder / "data.yaml"), **settings).box.map50, abs=2e-3
    )
    assert found["night"] == pytest.approx(
        model.val(data=str(folder / "night.yaml"), **settings).box.map50, abs=2e-3
    )
    assert abs(found["day"] - found["night"]) > 0.005 and list(found) == ["day", "night", "all"]


@pytest.mark.parametrize(
    "name, message",
    [
        ("yolo11n-pose", "PoseModel is a model of the task 'pose'.*use YOLO.path..val"),
        ("yolo11n-cls", "of the task 'classify'"),
        ("rtdetr-l", "gives boxes in another form.*RTDETR.path..val"),
    ],
)
def test_what_is_no_detector_gets_no_score(name, message):
    """Its outputs could be read as boxes, and the score would be of nothing."""
    from ultralytics import RTDETR, YOLO

    model = (RTDETR if name == "rtdetr-l" else YOLO)(f"{name}.yaml")
    with pytest.raises(ValueError, match=message):
        routing.score(model, torch.rand(1, 3, 64, 64), [np.empty((0, 5))])


def test_the_swap_matrix_is_made_of_scores_with_fixed_alpha(detector):
    model, images, labels, _ = detector
    network = copy.deepcopy(model.model)
    with torch.no_grad():
        network.model[1].routing.weight.mul_(
            200
        )  # or these fresh routers would hardly tell the lights apart
    alpha = routing.record(network, images)
    matrix = routing.swap(network, images, labels, CONDITIONS)
    assert list(matrix) == ["own", "mean", "day", "night"] and all(
        list(row) == ["day", "night", "all"] for row in matrix.values()
    )
    assert matrix["own"] == routing.score(network, images, labels, CONDITIONS)
    night = np.array(CONDITIONS) == "night"
    for source, chosen in (("night", night), ("mean", np.full(10, True))):
        with routing.fixed(network, {name: rows[chosen].mean(0) for name, rows in alpha.items()}):
            assert matrix[source] == routing.score(network, images, labels, CONDITIONS)
    assert matrix["night"] != matrix["day"] != matrix["own"]
    alone = routing.swap(
        network, images, labels, CONDITIONS, alpha=alpha, sources=["night"], layers=["model.3"]
    )
    with routing.fixed(network, {"model.3": alpha["model.3"][night].mean(0)}):
        assert alone == {"night": routing.score(network, images, labels, CONDITIONS)}
    assert not any("alpha" in vars(module) for module in network.modules())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            dict(sources=["dusk"]),
            r"unknown source 'dusk': expected one of \('own', 'mean', 'day', 'night'\)",
        ),
        (
            dict(layers=["model.2"]),
            r"unknown layer 'model.2': expected one of \('model.1', 'model.3', 'model.17'\)",
        ),
        (dict(conditions=["all", "day"] * 5), "a condition cannot be called 'all'"),
        (dict(conditions=CONDITIONS[:4]), r"one name per image \(10\)"),
        (dict(labels=[]), r"labels must have one entry per image \(10\), got 0"),
    ],
)
def test_a_swap_of_what_is_not_there_is_refused(detector, changes, message):
    model, images, labels, _ = detector
    arguments = dict(labels=labels, conditions=CONDITIONS) | changes
    with pytest.raises(ValueError, match=message):
        routing.swap(model.model, images, **arguments)


def test_images_without_objects_and_objects_without_a_find_count():
    """Three images by hand: a right box, a missed object, an empty image with a false alarm of
    higher score.
    """

    class Detector(nn.Module):
        """Two anchors; the first answers with the box and the score that are drawn into the image's
        first row.
        """

        def __init__(self):
            super().__init__()
            self.p = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            answer = torch.zeros(len(x), 5, 2)
            answer[:, :, 0] = x[:, 0, 0, :5] * torch.tensor([32.0, 32, 32, 32, 1])
            return answer + 0 * self.p

    x = torch.zeros(3, 3, 32, 32)
    x[0, 0, 0, :5] = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.6])
    x[2, 0, 0, :5] = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.9])
    box = [[0, 0.5, 0.5, 0.5, 0.5]]
    labels = [np.array(box), np.array(box), np.empty((0, 5))]
    found = routing.score(Detector(), x, labels, ["right", "missed", "empty"])
    assert (
        found["right"] == pytest.approx(0.995, abs=0.006)
        and found["missed"] == 0
        and found["empty"] == 0
    )
    # Scores 0.9 (wrong), 0.6 (right): precision ½ up to recall ½, and ultralytics interpolates to 0
    # at recall 1 from there.
    assert 0.2 < found["all"] < 0.4
