"""The bridge to ultralytics: registration, its refusals, the model YAMLs and their exact counts,
and a model's life.
"""

import logging

import pytest
import torch
from life import run_python
from tiny import examples
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks

import dynconv
from dynconv import edits, upstream, yolo
from dynconv.yolo import registration


@pytest.fixture
def registry():
    """Leaves the registry as it was."""
    before = yolo.registered()
    yield registration
    for name in set(yolo.registered()) - set(before):
        yolo.unregister(name)


class Doubling(nn.Conv2d):
    """A module of the reader's own: (c1, c2, k)."""

    def __init__(self, c1, c2, k=1):
        super().__init__(c1, c2, k, padding=k // 2)


class Repeating(nn.Module):
    """Takes a repeat count, as C2f does."""

    def __init__(self, c1, c2, n=1, k=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(c1, c2, 1), *(nn.Conv2d(c2, c2, k, padding=k // 2) for _ in range(n))
        )
        self.forward = self.layers.forward


def network(*rows, **entries):
    """A tiny classification-free network from YAML rows, on three input channels."""
    return {
        "nc": 2,
        "scales": {"n": [0.5, 0.5, 64]},
        "scale": "n",
        "backbone": [list(row) for row in rows],
        "head": [],
    } | entries


# --- counts ---------------------------------------------------------------------------------------

# name: (layers, parameters) at nc=25, parameters at nc=80; the first two are what the posts print
COUNTS = {
    "yolov10n-dynamicconv-1": (385, 2_896_642, 2_955_372),
    "yolov10n-dynamicconv-2": (370, 4_898_318, 4_957_048),
    "yolov10n-dynamicconv-1-bn-act": (None, 2_896_642 + 320, 2_955_372 + 320),
    "yolov10n-dynamicconv-2-bn-act": (None, 4_898_318 + 1_344, 4_957_048 + 1_344),
    "yolov10n-c2f-dynamicconv": (None, None, 3_751_140),
    # Stock, and each SCDown a Conv: 9·c1·c2 + 2·c2 parameters, where there were c1·c2 + 9·c2 +
    # 4·c2.
    "yolov10n-conv-2": (
        None,
        None,
        2_775_520 + sum(8 * c1 * c2 - 11 * c2 for c1, c2 in [(64, 128), (128, 256), (128, 128)]),
    ),
}


def test_the_packages_own_table_says_the_same():
    table = {name: count for name, count in yolo.PARAMETERS.items() if name.startswith("yolov10n-")}
    assert table == {name: at_80 for name, (_, _, at_80) in COUNTS.items()}


@pytest.mark.parametrize("name", COUNTS)
def test_the_models_have_exactly_the_known_size(name):
    layers, at_25, at_80 = COUNTS[name]
    model = yolo.build(name).model
    assert sum(p.numel() for p in model.parameters()) == at_80
    model = yolo.build(name, nc=25).model
    assert model.yaml["nc"] == 25
    if at_25:
        assert sum(p.numel() for p in model.parameters()) == at_25
    if layers:  # every module counts as a layer there, the network itself too
        assert len(list(model.modules())) == layers
        gradients = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert gradients == at_25 - 16  # the 16 fixed numbers of the box distribution


def test_models_lists_every_model_with_a_line_and_an_unknown_name_is_answered():
    lines = {name: line for name, line in yolo.models().items() if name.startswith("yolov10n-")}
    assert set(lines) == set(COUNTS) and all(line.endswith(".") for line in lines.values())
    assert all(("DynamicConv" in line) == ("dynamicconv" in name) for name, line in lines.items())
    with pytest.raises(
        ValueError,
        match="no model is called 'yolov10n-dynamicconv-3'; did you mean 'yolov10n-dynamicconv-",
    ):
        yolo.build("yolov10n-dynamicconv-3")
    with pytest.raises(ValueError, match="nc must be .* got 0"):
        yolo.build("yolov10n-dynamicconv-1", nc=0)


def test_rows_that_are_not_replaced_are_those_of_ultralytics():
    """Stock weights must keep fitting: every other row of our YAMLs equals ultralytics' own."""
    stock = tasks.yaml_model_load("yolov10n.yaml")
    for name in COUNTS:
        ours = tasks.yaml_model_load(yolo.path(name))
        assert ours["scales"] == stock["scales"] and ours["nc"] == 80
        for mine, theirs in zip(
            ours["backbone"] + ours["head"], stock["backbone"] + stock["head"], strict=True
        ):
            assert mine[:2] == theirs[:2] and (mine[3] == theirs[3] or theirs[2].startswith("nn."))
            assert (
                mine[2] == theirs[2]
                or "DynamicConv" in mine[2]
                or (name, theirs[2], mine[2]) == ("yolov10n-conv-2", "SCDown", "Conv")
            )


# --- registration ---------------------------------------------------------------------------------


def test_registered_module_gets_scaled_channels_and_its_repeats(registry):
    yolo.register(Doubling)
    yolo.register(Repeating, repeat=True)
    layers, _ = tasks.parse_model(
        network([-1, 1, "Doubling", [32, 3]], [-1, 4, "Repeating", [64]]), 3, verbose=False
    )
    assert (layers[0].in_channels, layers[0].out_channels, layers[0].kernel_size) == (3, 16, (3, 3))
    assert [conv.out_channels for conv in layers[1].layers] == [
        32
    ] * 3  # width 0.5 of 64; depth 0.5 of 4 repeats, and the first


def test_register_is_a_decorator_idempotent_and_can_be_taken_back(registry):
    assert yolo.register(Doubling) is Doubling and yolo.register(repeat=False)(Doubling) is Doubling
    assert yolo.registered()["Doubling"] is Doubling
    yolo.register(Doubling, repeat=True)
    assert registry.known_as("Doubling") is Doubling
    yolo.unregister("Doubling")
    assert "Doubling" not in yolo.registered()
    assert not hasattr(tasks, "Doubling")
    with pytest.raises(
        ValueError, match="'Doubling' is not registered; registered are Bottleneck_DynamicConv"
    ):
        yolo.unregister(Doubling)


class Whole(nn.Module):
    """Takes its arguments as they stand: no c1, no c2."""

    def __init__(self, channels=8, name=None):
        super().__init__()
        self.convolution, self.name = nn.Conv2d(3, channels, 1), name
        self.forward = self.convolution.forward


def test_a_module_that_takes_its_arguments_as_they_stand(registry):
    yolo.register(Whole, channels=False)
    layers, _ = tasks.parse_model(
        network([-1, 1, "Whole", [24, "resnet"]], [-1, 1, "Whole", []], [-1, 1, "Conv", [32]]),
        3,
        verbose=False,
    )
    assert (layers[0].convolution.out_channels, layers[0].name) == (24, "resnet"), (
        "not scaled by the width"
    )
    assert layers[1].convolution.out_channels == 8 and layers[2].conv.in_channels == 3, (
        "the channels are those that came in"
    )
    with pytest.raises(ValueError, match="Whole needs its arguments as a list, got 24"):
        tasks.parse_model(network([-1, 1, "Whole", 24]), 3, verbose=False)
    yolo.register(Doubling)
    assert yolo.register(channels=False)(Doubling) is Doubling
    layers, _ = tasks.parse_model(network([-1, 1, "Doubling", [3, 5]]), 3, verbose=False)
    assert layers[0].out_channels == 5
    with pytest.raises(TypeError, match="repeat=True .* channels=False .* choose one"):
        yolo.register(Whole, repeat=True, channels=False)


def named(name, module="tests.somewhere", base=nn.Module, arguments="self, c1, c2"):
    namespace = {}
    exec(f"def __init__({arguments}): pass", namespace)
    return type(name, (base,), {"__module__": module, "__init__": namespace["__init__"]})


@pytest.mark.parametrize(
    "cls, repeat, error, message",
    [
        (named("Conv"), False, ValueError, "ultralytics has a module of its own called Conv"),
        (named("torch"), False, ValueError, "of its own called torch"),
        (
            named("DynamicConv"),
            False,
            ValueError,
            "already registered as dynconv.layers.DynamicConv",
        ),
        (
            named("Mine", module="__main__"),
            False,
            ValueError,
            "defined in __main__.*move the class into a module",
        ),
        (named("Mine", base=object), False, TypeError, "needs a subclass of torch.nn.Module"),
        (nn.Conv2d(1, 1, 1), False, TypeError, "needs a subclass of torch.nn.Module"),
        (named("Mine", arguments="self, c1"), False, TypeError, r"callable with \(c1, c2\)"),
        (named("Mine", arguments="self, c1, c2"), True, TypeError, r"callable with \(c1, c2, n\)"),
    ],
)
def test_register_refuses_and_changes_nothing(cls, repeat, error, message, registry):
    before = yolo.registered(), dict(vars(tasks))
    with pytest.raises(error, match=message):
        yolo.register(cls, repeat=repeat)
    assert (yolo.registered(), vars(tasks)) == before


def test_an_unknown_module_is_named_with_its_row_and_a_suggestion():
    rows = [-1, 1, "Conv", [8]], [-1, 1, "DynamicConvv", [8]]
    with pytest.raises(
        yolo.UnknownModuleError,
        match=r"row 1 \(backbone\) names the module 'DynamicConvv'.*did you mean 'DynamicConv'",
    ) as caught:
        tasks.parse_model(network(*rows), 3, verbose=False)
    assert isinstance(
        caught.value, KeyError
    )  # what ultralytics raises, so that code that expects it goes on working
    with pytest.raises(yolo.UnknownModuleError, match="'nn.Convv'"):
        tasks.parse_model(network([-1, 1, "nn.Convv", [8]]), 3, verbose=False)


DYNAMIC = [-1, 1, "DynamicConv", [8, 3]]
TWO = {"l": [1, 1, 64], "n": [0.5, 0.5, 64]}


@pytest.mark.parametrize(
    "model, message",
    [
        (
            network([-1, 1, "Conv", [8]], [-1, 1, "DynamicConv"]),
            (
                r"row 1 \(backbone\) must be \[from, repeats, module, arguments\], got \[-1, 1,"
                r" 'DynamicConv'\]"
            ),
        ),
        (network(backbone=["Conv"]), r"row 0 \(backbone\) must be .* got 'Conv'"),
        *[
            (
                network([-1, n, "C2f_DynamicConv", [8]]),
                rf"how often C2f_DynamicConv repeats, a whole number from 1, got {n!r}",
            )
            for n in (0, -1, 2.5, "3", None, True)
        ],
        (
            network([-1, 1, "DynamicConv", []]),
            r"row 0 \(backbone\): DynamicConv needs its arguments .* got \[\]",
        ),
        (network([-1, 1, "DynamicConv", 8]), "needs its arguments .* got 8"),
        (
            network(DYNAMIC, scale="s"),
            "the model asks for scale 's', but has n. The letter is read from the file's name",
        ),
        (
            network(DYNAMIC, scale="", scales=TWO, yaml_file="mine.yaml"),
            r"the model \(mine.yaml\) does not say which of its scales to build: l, n. .* rename",
        ),
        (
            network(DYNAMIC, scale=None, scales=TWO),
            r"does not say which .* In a dictionary set d\['scale'\]",
        ),
    ],
)
def test_a_row_or_scale_that_cannot_be_meant_is_refused_before_anything_is_built(
    model, message, monkeypatch
):
    monkeypatch.setattr(
        dynconv.DynamicConv, "__init__", lambda *_: pytest.fail("a layer was built")
    )
    monkeypatch.setattr(
        yolo.C2f_DynamicConv, "__init__", lambda *_: pytest.fail("a block was built")
    )
    with pytest.raises(ValueError, match=message):
        tasks.parse_model(model, 3, verbose=False)


def test_what_is_unambiguous_or_not_ours_is_built_as_ultralytics_does():
    for entries in ({"scale": ""}, {"scale": "", "scales": {}}, {"scale": "n", "scales": TWO}):
        tasks.parse_model(network(DYNAMIC, **entries), 3, verbose=False)
    layers, _ = tasks.parse_model(
        network([-1, 2.5, "Conv", [8]], scale="", scales=TWO), 3, verbose=False
    )
    assert (
        layers[0][0].conv.out_channels == 8
    )  # its own choice: the first scale, and 2.5 repeats rounded


def test_a_folder_named_like_a_scale_does_not_matter(tmp_path, monkeypatch):
    """ultralytics takes digits and a letter anywhere in the path for a scale, here those of exp1s,
    unless the file exists as named.
    """
    folder = tmp_path / "exp1s"
    folder.mkdir()
    for name in ("yolov10n-mine.yaml", "mine.yaml"):
        (folder / name).write_text(yolo.path("yolov10n-dynamicconv-1").read_text())
        model = YOLO(folder / name).model
        assert (
            sum(p.numel() for p in model.parameters()) == yolo.PARAMETERS["yolov10n-dynamicconv-1"]
        )
    # the package installed in such a folder
    monkeypatch.setattr("dynconv.yolo.zoo.path", lambda name: folder / f"{name}.yaml")
    assert yolo.build("yolov10n-mine").model.yaml["scale"] == "n"
    monkeypatch.chdir(tmp_path)
    assert YOLO("exp1s/yolov10n-mine.yaml").model.yaml["scale"] == "n"


@pytest.fixture
def safe_globals():
    before = torch.serialization.get_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


@pytest.mark.parametrize("name", sorted(examples()))
def test_safe_load_knows_all_classes_of_ours_in_a_checkpoint(name, tmp_path, safe_globals):
    torch.save(yolo.build(name).model, tmp_path / "model.pt")
    yolo.allow_safe_load()
    unknown = torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "model.pt")
    ours = [cls for cls in unknown if cls.startswith("dynconv.")]
    assert not ours, f"add {', '.join(ours)} to the row of its module in dynconv/yolo/modules.py"


def test_every_module_of_ours_in_a_model_file_is_in_the_list():
    """A row that is forgotten in the list is registered by nothing, and known to no checkpoint."""
    listed = {module.cls.__name__ for module in yolo.MODULES}
    stock = {name for name, value in vars(tasks).items() if isinstance(value, type)} - listed
    for name in yolo.models():
        model = tasks.yaml_model_load(yolo.path(name))
        rows = {row[2] for row in model["backbone"] + model["head"] if "." not in row[2]}
        assert rows - stock <= listed, f"{name}.yaml names {rows - stock - listed}"


def test_uninstall_gives_ultralytics_its_own_function_back():
    original = tasks.parse_model.dynconv_original
    try:
        registration.uninstall()
        assert tasks.parse_model is original and not yolo.is_active() and yolo.registered() == {}
        assert not hasattr(tasks, "DynamicConv") and not hasattr(tasks, "dynconv_begin")
        registration.uninstall()  # twice does no harm
        with pytest.raises(KeyError, match="DynamicConv"):
            tasks.parse_model(network([-1, 1, "DynamicConv", [8]]), 3, verbose=False)
    finally:
        yolo.register_all()
    assert (
        yolo.is_active()
        and tasks.parse_model.__wrapped__.__code__.co_filename == original.__code__.co_filename
    )


def test_a_reload_of_ultralytics_is_survived(tmp_path):
    code = (
        "import dynconv, importlib; from ultralytics.nn import tasks; importlib.reload(tasks); from"
        " dynconv import yolo; "
    )
    assert (
        run_python(
            code + "print(yolo.is_active(), yolo.build('yolov10n-dynamicconv-1').model.yaml['nc'])",
            tmp_path,
        )
        == "True 80"
    )


def test_stock_models_are_built_as_before():
    for name, parameters in {"yolov10n.yaml": 2_775_520, "yolov8n.yaml": 3_157_200}.items():
        assert sum(p.numel() for p in YOLO(name).model.parameters()) == parameters


def test_a_changed_ultralytics_is_refused_with_versions_and_remedy(monkeypatch):
    def parse_model(d, ch, verbose=True):
        return d in (1, 2)

    original = tasks.parse_model
    monkeypatch.setattr(tasks, "parse_model", parse_model)
    for cls in (tasks.DetectionModel, tasks.ClassificationModel):
        monkeypatch.setattr(cls, "__init__", cls.__init__)  # put back at the end
    with pytest.raises(
        yolo.UnsupportedUltralytics,
        match=r"ultralytics \d.*looks up .* in test_yolo.*tested with 8.*install one",
    ):
        registration.install()
    assert tasks.parse_model is parse_model
    assert (
        yolo.UnsupportedUltralytics is edits.UnsupportedUltralytics
    )  # one name for what the command and the import refuse
    # On import that is not raised, since checkpoints must load; a model that needs a registered
    # module raises it.
    upstream.explain_instead(
        yolo.UnsupportedUltralytics("the reason"), {"DynamicConv"}, yolo.registered
    )
    assert tasks.parse_model({"backbone": [[-1, 1, "Conv", []]], "head": []}, 3) is False
    ours = {"backbone": [[-1, 1, "DynamicConv", []]], "head": []}
    for build in (lambda: tasks.parse_model(ours, 3), lambda: tasks.DetectionModel(cfg=ours)):
        with pytest.raises(yolo.UnsupportedUltralytics, match="the reason"):
            build()
    monkeypatch.undo()
    assert tasks.parse_model is original
    yolo.build("yolov10n-dynamicconv-1")  # ours had stood below the other one, and works again


@pytest.mark.parametrize(
    "first, second",
    [
        ("dynconv", "ultralytics"),
        ("ultralytics", "dynconv"),
        ("dynconv", "ultralytics.nn.tasks"),
        ("dynconv.yolo", "ultralytics"),
    ],
)
def test_importing_is_enough_in_either_order(first, second, tmp_path):
    code = (
        f"import {first}, {second}; from ultralytics import YOLO; m ="
        f" YOLO({str(yolo.path('yolov10n-dynamicconv-1'))!r}).model; "
    )
    assert run_python(code + "print(sum(p.numel() for p in m.parameters()))", tmp_path) == "2955372"


def test_importing_dynconv_alone_loads_neither_ultralytics_nor_matplotlib(tmp_path):
    code = (
        "import sys, dynconv; print([name for name in ('ultralytics', 'matplotlib', 'timm', 'cv2')"
        " if name in sys.modules])"
    )
    assert run_python(code, tmp_path) == "[]"


# --- small things ---------------------------------------------------------------------------------


def test_quiet_lets_warnings_through_and_gives_the_level_back():
    logger = logging.getLogger("ultralytics")
    before = logger.level
    try:
        logger.setLevel(logging.INFO)
        with yolo.quiet():
            assert logger.level == logging.WARNING
            with pytest.raises(ZeroDivisionError), yolo.quiet():
                raise ZeroDivisionError
            assert logger.level == logging.WARNING
        assert logger.level == logging.INFO
        yolo.quiet()
        assert logger.level == logging.WARNING
        logger.setLevel(logging.ERROR)
        with yolo.quiet():
            assert logger.level == logging.ERROR  # less is let through already
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)


def test_bn_act_block_is_convolution_norm_and_activation():
    block, x = dynconv.DynamicConvBNAct(4, 8, 3, 2).eval(), torch.randn(2, 4, 9, 9)
    torch.testing.assert_close(block(x), nn.functional.silu(block.norm(block.conv(x))))
