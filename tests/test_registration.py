"""What `register` takes and refuses: constructors, places that a checkpoint can find, modules with
several inputs, heads of one's own.
"""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from life import TINY, make_data, run_python
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Classify, Conv, Detect, Pose, Segment, v10Detect
from ultralytics.utils import LOGGER

from dynconv import DynamicConv, yolo
from dynconv.yolo.rows import held_by_module


@pytest.fixture(autouse=True)
def registry():
    """Leaves the registry as it was."""
    before = yolo.registered()
    yield
    for name in set(yolo.registered()) - set(before):
        yolo.unregister(name)


def network(*rows, head=()):
    return {
        "nc": 2,
        "scales": {"n": [0.5, 0.5, 64]},
        "scale": "n",
        "backbone": [list(row) for row in rows],
        "head": [list(row) for row in head],
    }


CONV = (-1, 1, "Conv", [32, 3, 2])  # 16 channels at width 0.5


def layers(*rows, head=()):
    return tasks.parse_model(network(*rows, head=head), 3, verbose=False)[0]


class Recording(nn.Module):
    """A module that remembers its arguments."""

    def __init__(self, *arguments, **keywords):
        super().__init__()
        self.arguments, self.keywords = arguments, keywords

    def forward(self, x):
        return x


class Required(Recording):
    def __init__(self, c1, c2, k, s=1):
        super().__init__(c1, c2, k, s)


class ByName(Recording):
    def __init__(self, c1, c2, *, ratio, k=3):
        super().__init__(c1, c2, ratio=ratio, k=k)


class Nothing(nn.Module):
    """No constructor of its own, as attention without parameters has none."""

    def forward(self, x):
        return x * torch.sigmoid(x)


# --- constructors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cls, arguments, received",
    [
        (Required, [64, 3, 2], ((3, 32, 3, 2), {})),
        (Required, [64, {"k": 5}], ((3, 32, 5, 1), {})),
        (ByName, [64, {"ratio": 4}], ((3, 32), {"ratio": 4, "k": 3})),
        (Recording, [64, 1, "two"], ((3, 32, 1, "two"), {})),
        (Recording, [64, {"any": "thing"}], ((3, 32), {"any": "thing"})),
    ],
)
def test_every_constructor_that_a_row_can_call_is_taken(cls, arguments, received):
    yolo.register(cls)
    layer = layers((-1, 1, cls.__name__, arguments))[0]
    assert (layer.arguments, layer.keywords) == received


@pytest.mark.parametrize(
    "cls, arguments, message",
    [
        (
            Required,
            [64],
            r"row 1 \(backbone\): Required\(c1, c2, k, s=1\) cannot be built of \[64\]: missing a"
            r" required argument: 'k'",
        ),
        (Required, [64, 3, 2, 1], "cannot be built of .* too many positional arguments"),
        (Required, [64, 3, {"stride": 2}], "cannot be built of .* unexpected keyword .*'stride'"),
        (ByName, [64, 4], "too many .* what follows the \\* is given last, as {name: value}"),
        (Required, [{"k": 3}], "needs its arguments as a list that begins with the output"),
        (Required, ["64, 3"], None),
        (Required, [[64], 3], "its output channels, a whole number, got \\[64\\]"),
    ],
)
def test_a_row_that_the_constructor_does_not_take_is_named(cls, arguments, message):
    yolo.register(cls)
    with pytest.raises((TypeError, ValueError), match=message):
        layers(CONV, (-1, 1, cls.__name__, arguments))


def test_the_decorator_with_options_hands_them_on():
    assert yolo.register(repeat=True)(Recording) is Recording
    assert layers((-1, 4, "Recording", [64]))[0].arguments == (3, 32, 2)
    yolo.unregister(Recording)
    with pytest.raises(ValueError, match="'Recording' is not registered; registered are Bottle"):
        yolo.unregister("Recording")


class Within(Recording):
    """Builds a network of its own, of registered modules too."""

    def __init__(self):
        super().__init__()
        self.inner = layers(CONV, (-1, 1, "DynamicConv", [64, 3]))


def test_a_module_may_build_a_network_while_it_is_built():
    yolo.register(Within, channels=False)
    found = layers(CONV, (-1, 1, "Within", []), (-1, 1, "DynamicConv", [64, 3]), CONV)
    assert [type(layer) for layer in found] == [Conv, Within, DynamicConv, Conv]
    assert type(found[1].inner[1]) is DynamicConv


def test_a_class_without_constructor_takes_no_channels():
    with pytest.raises(
        TypeError, match=r"Nothing must be callable with \(c1, c2\).*channels=False"
    ):
        yolo.register(Nothing)
    yolo.register(Nothing, channels=False)
    assert layers(CONV, (-1, 1, "Nothing", []), CONV)[2].conv.in_channels == 16


def test_an_error_from_a_constructor_says_which_row_was_built():
    with pytest.raises(ValueError, match="groups must divide") as caught:
        layers(CONV, (-1, 1, "DynamicConv", [32, 3, {"groups": 3}]))
    assert caught.value.__notes__ == [
        "row 1 (backbone) of the model builds DynamicConv of [32, 3, {'groups': 3}]"
    ]


def test_a_function_says_the_channels_that_come_out():
    yolo.register(Nothing, channels=lambda c: 4 * c)
    assert layers(CONV, (-1, 1, "Nothing", []), CONV)[2].conv.in_channels == 64
    with pytest.raises(TypeError, match="channels must be True, False or a function .* got 'all'"):
        yolo.register(Nothing, channels="all")


@pytest.mark.parametrize("answer", [None, "64", 32.0, 0, [16]])
def test_channels_that_are_no_whole_number_are_named(answer):
    """Where they are counted, not where the next row is built of them."""
    yolo.register(Nothing, channels=lambda c: answer)
    with pytest.raises((TypeError, ValueError), match="what channels= of Nothing gives must") as e:
        layers(CONV, (-1, 1, "Nothing", []), CONV)
    assert e.value.__notes__ == ["row 1 (backbone) of the model builds Nothing of []"]
    yolo.register(Nothing, channels=lambda c: np.int64(c))
    assert type(layers(CONV, (-1, 1, "Nothing", []), CONV)[2].conv.in_channels) is int


# --- several inputs -------------------------------------------------------------------------------


class Weighted(nn.Module):
    """BiFPN: the learned weighted sum of maps that have the same channels."""

    def __init__(self, ch=()):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(ch)))

    def forward(self, maps):
        return sum(w * x for w, x in zip(self.weight, maps, strict=True))


class Fusing(nn.Module):
    """Each map to c2 channels, then their sum."""

    def __init__(self, c1, c2, n=1, k=1):
        super().__init__()
        self.convolutions = nn.ModuleList(Conv(c, c2, k) for c in c1)
        self.n = n

    def forward(self, maps):
        return sum(conv(x) for conv, x in zip(self.convolutions, maps, strict=True))


class Joining(nn.Module):
    """Concat with weights."""

    def __init__(self, dimension=1):
        super().__init__()
        self.dimension = dimension

    def forward(self, maps):
        return torch.cat(maps, self.dimension)


def forward(model, x=None):
    """What the last of the layers gives, as ultralytics sends a map through them."""
    results = [torch.rand(1, 3, 32, 32) if x is None else x]
    for layer in model:
        wanted = [layer.f] if isinstance(layer.f, int) else layer.f
        given = [results[f] if f < 0 else results[f + 1] for f in wanted]
        results.append(layer(given[0] if isinstance(layer.f, int) else given))
    return results[-1]


SAME = (-1, 1, "Conv", [32, 3, 1])
WIDER = (-1, 1, "Conv", [64, 3, 1])


def test_modules_with_several_inputs_are_fed_and_the_next_row_gets_their_channels():
    yolo.register(Weighted, inputs="many", channels=False)
    model = layers(CONV, SAME, ([-1, 0], 1, "Weighted", []), CONV)
    assert model[2].weight.shape == (2,) and forward(model).shape == (1, 16, 8, 8)

    yolo.register(Fusing, inputs="many")
    model = layers(CONV, WIDER, ([-1, 0], 1, "Fusing", [48, {"k": 3}]), CONV)
    assert [conv.conv.weight.shape[:2] for conv in model[2].convolutions] == [(24, 32), (24, 16)]
    assert model[3].conv.in_channels == 24 and forward(model).shape == (1, 16, 8, 8)
    # the most channels of the scale count here too
    assert layers(CONV, ([0], 1, "Fusing", [4096]))[1].convolutions[0].conv.out_channels == 32

    yolo.register(Fusing, inputs="many", repeat=True)
    model = layers(CONV, ([-1], 4, "Fusing", [64, 3]))
    assert (model[1].n, model[1].convolutions[0].conv.kernel_size) == (2, (3, 3))

    yolo.register(Joining, inputs="many", channels=sum)
    model = layers(CONV, WIDER, ([-1, 0], 1, "Joining", [1]), CONV)
    assert model[3].conv.in_channels == 48 and forward(model).shape == (1, 16, 8, 8)


@pytest.mark.parametrize(
    "inputs, row, message",
    [
        (
            "one",
            ([-1, 0], 1, "Fusing", [64]),
            r"row 2 \(head\): Fusing is registered for one input, .* \[-1, 0\].* inputs='many'",
        ),
        (
            "many",
            (-1, 1, "Fusing", [64]),
            r"row 2 \(head\): Fusing takes several inputs: .* got -1",
        ),
        ("many", ([-1, 0], 2, "Fusing", [64]), "cannot stand 2 times in a row; write 1"),
        ("many", ([-1, 0], 1, "Fusing", []), "needs its arguments as a list that begins with"),
        ("many", ([-1, 0], 1, "Fusing", [64, 1, 1, 1]), "too many positional arguments"),
    ],
)
def test_inputs_that_do_not_fit_are_named_with_their_row(inputs, row, message):
    yolo.register(Fusing, inputs=inputs)
    with pytest.raises((ValueError, TypeError), match=message):
        layers(CONV, CONV, head=[row])


@pytest.mark.parametrize(
    "row, message",
    [
        ((2, 1, "DynamicConv", [64]), r"row 2 \(head\): DynamicConv reads row 2, but .* 0 to 1"),
        ((-3, 1, "DynamicConv", [64]), "reads row -3, but the rows before it are 0 to 1"),
        (("-1", 1, "DynamicConv", [64]), "which row DynamicConv reads, a whole number .* got '-1'"),
        ((None, 1, "DynamicConv", [64]), "which row DynamicConv reads, .* got None"),
        (([0, 9], 1, "Fusing", [64]), "Fusing reads row 9, but"),
        (([0, 1.5], 1, "Fusing", [64]), "which row Fusing reads, .* got 1.5"),
        (([], 1, "Fusing", [64]), "Fusing needs at least one input"),
    ],
)
def test_a_row_that_reads_what_is_not_there_is_named(row, message):
    yolo.register(Fusing, inputs="many")
    with pytest.raises(ValueError, match=message):
        layers(CONV, CONV, head=[row])
    with pytest.raises(ValueError, match="reads row 0, but is the first: write -1"):
        layers((0, 1, "DynamicConv", [64]))
    numbers = np.int64(-1), np.int64(1), "DynamicConv", [np.int64(64)]
    assert forward(layers(CONV, CONV, numbers)).shape == (1, 32, 8, 8)
    two = layers(CONV, SAME, ([np.int64(-1), np.int64(0)], 1, "Fusing", [64]))
    assert forward(two).shape == (1, 32, 16, 16)


def test_what_is_no_model_at_all_is_named():
    with pytest.raises(TypeError, match="a model must be a dictionary.* got 5"):
        tasks.parse_model(5, 3)


def test_a_class_that_another_module_shows_is_found_there(tmp_path, monkeypatch):
    """As libraries do: the module that a class names is imported when it is asked for."""
    (tmp_path / "inner_part.py").write_text(
        "from torch import nn\n\nclass Shown(nn.Identity):\n    __module__ = 'the_front'\n"
    )
    (tmp_path / "the_front.py").write_text("from inner_part import Shown\n")
    monkeypatch.syspath_prepend(tmp_path)
    cls = importlib.import_module("inner_part").Shown
    assert "the_front" not in sys.modules
    assert held_by_module(cls)
    for name in ("inner_part", "the_front"):
        monkeypatch.delitem(sys.modules, name)


def test_a_constructor_that_wants_one_number_of_channels_is_told_of_the_list():
    yolo.register(Required, inputs="many")
    yolo.unregister(Required)
    yolo.register(Doubling, inputs="many")
    with pytest.raises(TypeError) as caught:
        layers(CONV, ([0], 1, "Doubling", [64]))
    assert caught.value.__notes__[0].endswith("c1 is the list of its inputs' channels")
    with pytest.raises(ValueError, match="inputs must be 'one' or 'many', got 'two'"):
        yolo.register(Doubling, inputs="two")


class Doubling(nn.Conv2d):
    def __init__(self, c1, c2, k=1):
        super().__init__(c1, c2, k)


# --- heads of one's own ---------------------------------------------------------------------------


class MyDetect(Detect):
    """Nothing changed: whatever arguments this version of ultralytics gives."""


class OlderDetect(Detect):
    """Written for an ultralytics that gave a head its classes and channels."""

    def __init__(self, nc=80, hidden=8, ch=()):
        super().__init__(nc, ch=ch)
        self.hidden = hidden


class HandingOn(Detect):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class MyV10(v10Detect):
    pass


class Further(OlderDetect):
    """Derived from one that is derived from ultralytics'."""

    def __init__(self, nc, *, scale, **more):
        super().__init__(nc, **more)
        self.scale = scale


class AndOneMore(OlderDetect):
    """Its own come first in a row, then those of the class before it."""

    def __init__(self, scale, **more):
        super().__init__(**more)
        self.scale = scale


class MySegment(Segment):
    pass


class MyClassify(Classify):
    pass


@pytest.mark.parametrize(
    "cls, arguments, more",
    [
        (MyDetect, ["nc"], {}),
        (OlderDetect, ["nc"], {"hidden": 8}),
        (OlderDetect, ["nc", 24], {"hidden": 24}),
        (OlderDetect, ["nc", {"hidden": 24}], {"hidden": 24}),
        (HandingOn, ["nc"], {}),
        (MyV10, ["nc"], {}),
        (Further, ["nc", {"scale": 2, "hidden": 4}], {"scale": 2, "hidden": 4}),
        (AndOneMore, [5, "nc", {"hidden": 4}], {"scale": 5, "hidden": 4}),
    ],
)
@pytest.mark.parametrize("options", [{}, {"inputs": "many", "channels": False}])
def test_a_head_is_built_as_the_one_that_it_is_derived_from(cls, arguments, more, options):
    yolo.register(cls, **options)
    rows = CONV, CONV, (-1, 1, "Conv", [64, 3, 2])
    model = tasks.DetectionModel(
        network(*rows, head=[([1, 2], 1, cls.__name__, arguments)]), nc=3, verbose=False
    )
    head = model.model[-1]
    assert type(head) is cls and (head.nc, head.reg_max) == (3, 16)
    assert head.stride.tolist() == [4, 8]
    assert [branch[0].conv.in_channels for branch in head.cv2] == [16, 32]
    assert {name: getattr(head, name) for name in more} == more


def test_what_a_head_is_told_by_the_model_reaches_one_of_ones_own():
    yolo.register(MySegment)
    yolo.register(MyClassify)
    rows = CONV, CONV
    segment = layers(*rows, head=[([1], 1, "MySegment", ["nc", 32, 256])])[-1]
    stock = layers(*rows, head=[([1], 1, "Segment", ["nc", 32, 256])])[-1]
    assert (segment.nm, segment.npr, segment.legacy) == (stock.nm, stock.npr, stock.legacy)
    assert layers(*rows, head=[(-1, 1, "MyClassify", ["nc"])])[-1].linear.out_features == 2
    yolo.register(OlderDetect)
    with pytest.raises(
        TypeError, match=r"OlderDetect takes nc, hidden from a row, got \[2, 8, 1\]"
    ):
        layers(*rows, head=[([1], 1, "OlderDetect", ["nc", 8, 1])])
    with pytest.raises(Exception) as caught:
        layers(*rows, head=[([1], 1, "MySegment", ["nc", 32, "many"])])
    assert caught.value.__notes__ == [
        "row 2 (head) of the model builds MySegment of ['nc', 32, 'many']"
    ]


class DetectingPose(Pose):
    pass


@pytest.mark.parametrize(
    "cls, task", [(OlderDetect, ""), (MySegment, ""), (MyV10, "detect"), (MyClassify, "classify")]
)
def test_a_head_whose_name_says_no_task_is_told_of(cls, task, monkeypatch):
    """With YOLO(file) alone ultralytics stops at "model mode for 'None' task"."""
    said = []
    monkeypatch.setattr(LOGGER, "warning", said.append)
    yolo.register(cls)
    assert len(said) == bool(task) and all(f"YOLO(file, task='{task}')" in text for text in said)


def test_a_head_whose_name_says_another_task_is_refused():
    """ultralytics would train the keypoints as boxes, without a word."""
    message = "DetectingPose is derived from Pose, of the task 'pose', but .* in this one 'detect'"
    with pytest.raises(ValueError, match=message):
        yolo.register(DetectingPose)
    assert "DetectingPose" not in yolo.registered()


MINE = """
import torch
from torch import nn
from ultralytics.nn.modules import Detect
from dynconv import yolo

@yolo.register(inputs="many", channels=False)
class Fusion(nn.Module):
    def __init__(self, ch=()):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(ch)))
    def forward(self, maps):
        return sum(w * x for w, x in zip(self.weight, maps))

@yolo.register
class MyDetect(Detect):
    def __init__(self, nc=80, hidden=8, ch=()):
        super().__init__(nc, ch=ch)
"""


def test_a_network_with_fusion_and_a_head_of_ones_own_trains_and_reloads(tmp_path):
    make_data(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    conv, same = [-1, 1, "Conv", [64, 3, 2]], [-1, 1, "DynamicConv", [64, 3, {"num_experts": 2}]]
    model = network(conv, conv, conv, same, ([2, 3], 1, "Fusion", []))
    model["head"] = [[[1, 4], 1, "MyDetect", ["nc"]]]
    (tmp_path / "yolov8n-mine.yaml").write_text(repr(model))
    code = f"import mine; from ultralytics import YOLO; YOLO('yolov8n-mine.yaml').train({TINY})"
    run_python(code, tmp_path, PYTHONPATH=str(tmp_path))
    (best,) = tmp_path.rglob("best.pt")
    code = f"from ultralytics import YOLO; m = YOLO({str(best)!r}); m.predict('images/val/0.png')"
    code += "; print(*(type(m.model.model[i]).__name__ for i in (3, 4, 5)))"
    said = run_python(code, tmp_path, PYTHONPATH=str(tmp_path))
    assert said == "DynamicConv Fusion MyDetect"


# --- places ---------------------------------------------------------------------------------------


def test_a_class_that_no_checkpoint_could_hold_is_refused():
    class Local(Recording):
        pass

    class Empty(nn.Module):
        pass

    # said before anything that is to be mended in a place where it cannot stay
    with pytest.raises(ValueError, match="Empty is defined in a function"):
        yolo.register(Empty)
    with pytest.raises(ValueError, match=r"Local is defined in a function, .*<locals>.Local.*move"):
        yolo.register(Local)
    generated = type("Generated", (Recording,), {"__module__": __name__})
    with pytest.raises(ValueError, match="Generated .* that module has another class or nothing"):
        yolo.register(generated)
    homeless = type("Homeless", (Recording,), {"__module__": "no.such.module"})
    with pytest.raises(ValueError, match="Homeless says that it is no.such.module.Homeless"):
        yolo.register(homeless)
    assert not {"Empty", "Local", "Generated", "Homeless"} & yolo.registered().keys()


@pytest.mark.parametrize("decorator", ["", "@yolo.register"])
def test_a_reloaded_module_is_noticed_before_anything_is_built(decorator, tmp_path, monkeypatch):
    source = f"""
from torch import nn
from dynconv import yolo
{decorator}
class Reloaded(nn.Conv2d):
    def __init__(self, c1, c2, k=1):
        super().__init__(c1, c2, k)
"""
    (tmp_path / "reloaded_blocks.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    blocks = importlib.import_module("reloaded_blocks")
    try:
        first = blocks.Reloaded
        if not decorator:
            yolo.register(first)
        row = (-1, 1, "Reloaded", [64])
        assert type(layers(row)[0]) is first
        importlib.reload(blocks)
        if decorator:  # it registers what the module holds now
            assert type(layers(row)[0]) is blocks.Reloaded is not first
            return
        with pytest.raises(ValueError, match=r"row 0 .* registered as reloaded_blocks.Reloaded,.*"):
            layers(row)
        with pytest.raises(ValueError, match="If the module was reloaded, register the class that"):
            yolo.register(first)
        yolo.register(blocks.Reloaded)
        assert type(layers(row)[0]) is blocks.Reloaded
    finally:
        del sys.modules["reloaded_blocks"]


# --- names ----------------------------------------------------------------------------------------


class Outer:
    class Inner(Recording):
        pass


def test_a_class_that_was_put_into_tasks_first_may_be_registered(monkeypatch):
    """`ultralytics.nn.tasks.Inner = Inner` is the advice of many threads."""
    monkeypatch.setattr(tasks, "Inner", Outer.Inner, raising=False)
    row = (-1, 1, "Inner", [64])
    assert layers(CONV, row)[1].arguments == (64,)
    yolo.register(Outer.Inner)
    assert layers(CONV, row)[1].arguments == (16, 32)
    yolo.unregister("Inner")
    assert tasks.Inner is Outer.Inner and layers(CONV, row)[1].arguments == (64,)


def test_another_class_of_a_known_name_is_named_with_its_place(monkeypatch):
    monkeypatch.setattr(tasks, "Doubling", Recording, raising=False)
    with pytest.raises(ValueError, match=f"its own called Doubling, {__name__}.Recording: give"):
        yolo.register(Doubling)
    with pytest.raises(ValueError, match="its own called Conv, this one: it needs no registration"):
        yolo.register(Conv)
    assert tasks.Conv is Conv


def test_a_module_in_the_place_of_one_of_ours_stays(monkeypatch):
    """Trainers register the package's modules anew."""
    mine = type("DynamicConvBNAct", (Doubling,), {"__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "DynamicConvBNAct", mine, raising=False)
    try:
        yolo.unregister("DynamicConvBNAct")
        yolo.register(mine)
        yolo.register_all()
        assert yolo.registered()["DynamicConvBNAct"] is mine
        with pytest.raises(ValueError, match=f"build {__name__}.DynamicConvBNAct: give that one"):
            yolo.build("yolov10n-dynamicconv-1-bn-act")
        yolo.build("yolov10n-dynamicconv-1")
    finally:
        yolo.unregister("DynamicConvBNAct")
        yolo.register_all()


def test_an_object_where_a_name_or_class_is_expected_gets_one_line():
    model = yolo.build("yolov10n-dynamicconv-1")
    calls = [
        lambda: yolo.build(model),
        lambda: yolo.path(model.model),
        lambda: yolo.unregister(model),
        lambda: yolo.register(model.model),
        lambda: yolo.allow_safe_load(model),
        lambda: layers((-1, 1, model.model, [64])),
        lambda: layers((-1, model, "DynamicConv", [64])),
        lambda: layers((-1, 1, "DynamicConv", [model])),
        lambda: layers((-1, 1, "DynamicConv", [64, 3, model])),
        lambda: layers((-1, 1, "DynamicConv", [64, {"of": model}])),
        lambda: layers((-1, 1, "DynamicConv", {"of": model})),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match="an object of the class ") as caught:
            call()
        said = [str(caught.value), *getattr(caught.value, "__notes__", ())]
        assert all("\n" not in text and len(text) < 400 for text in said)
    with pytest.raises(ValueError, match=r"name of a module, got <class .*Conv'>: write 'Conv'"):
        layers((-1, 1, Conv, [64]))


def test_trying_leaves_the_heads_of_ultralytics_as_they_were():
    """`legacy` decides how a head is built, and so which random numbers it draws from a seed."""
    code = (
        "import dynconv.yolo, ultralytics.nn.tasks\n"
        "from ultralytics.nn.modules import Detect\n"
        "assert Detect.legacy is False"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
