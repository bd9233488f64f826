"""Model files with random rows, YAML files and pickles of random content; and what these found once
(tests/corpus/models.yaml). `make fuzz` tries more, and others each time.

A network that is built has the size that its rows say. One that is not is refused by an error that
names the row, or the entry of the file. Nothing in a pickle runs.
"""

import io
import math
import pickle
import re
import sys

import calls
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_properties import odd_values
from ultralytics.nn import tasks

from dynconv.yolo import model_dict, restricted, yaml_files

pytestmark = pytest.mark.filterwarnings("ignore")

# --- rows -----------------------------------------------------------------------------------------


def conv(c1, c2, k=1, s=1, g=1):
    """Parameters of ultralytics' Conv: the kernel, and a BatchNorm."""
    return c1 // g * c2 * k * k + 2 * c2


def dynamic(c1, c2, k=1, s=1, padding="", d=1, g=1, bias=False, num_experts=4):
    return num_experts * (c1 // g * c2 * k * k + c2 * bias + c1 + 1)


def dynamic_norm(c1, c2, k=1, s=1, g=1, d=1, num_experts=4):
    return dynamic(c1, c2, k, g=g, num_experts=num_experts) + 2 * c2


def bottleneck(c1, c2, shortcut=True, g=1, k=(3, 3), e=0.5, num_experts=4):
    hidden = int(c2 * e)
    return conv(c1, hidden, k[0]) + dynamic(hidden, c2, k[1], g=g, num_experts=num_experts)


def c2f(c1, c2, n=1, shortcut=False, g=1, e=0.5, num_experts=4):
    c = int(c2 * e)
    inside = n * bottleneck(c, c, g=g, e=1, num_experts=num_experts)
    return conv(c1, 2 * c) + conv((2 + n) * c, c2) + inside


def dcnv3(c1, c2, k=3, s=1, group=4, d=1):
    points, depthwise = group * k * k, c2 * ((k // 2 * 2 + 1) ** 2 + 1)
    inside = 3 * points * (c2 + 1) + 2 * c2 * (c2 + 1)
    return conv(c1, c2) + depthwise + 2 * c2 + inside + 2 * c2


three, half = st.sampled_from([1, 3]), st.sampled_from([0.5, 0.25, 1])
experts = st.fixed_dictionaries({}, optional={"num_experts": st.integers(1, 5)})
# name: (its parameters, arguments after the channels, arguments by name)
MODULES = {
    "Conv": (conv, [three, st.integers(1, 2)], st.just({})),
    "DynamicConv": (
        dynamic,
        [three, st.integers(1, 2), st.sampled_from(["", "same", 1]), st.integers(1, 2)],
        experts | st.fixed_dictionaries({"bias": st.booleans(), "g": st.sampled_from([2, 4])}),
    ),
    "DynamicConvBNAct": (
        dynamic_norm,
        [three, st.integers(1, 2), st.sampled_from([1, 2])],
        experts,
    ),
    "Bottleneck_DynamicConv": (
        bottleneck,
        [st.booleans(), st.sampled_from([1, 2]), st.just([1, 3]), half],
        experts,
    ),
    "C2f_DynamicConv": (c2f, [st.booleans(), st.sampled_from([1, 2]), half], experts),
    "DCNv3_YOLO": (dcnv3, [st.sampled_from([1, 3, 5]), st.integers(1, 2)], st.just({})),
}
OURS = sorted(MODULES.keys() - {"Conv"})
NAMES = {"g": "groups"}  # what the formulas above call otherwise than the layer


@st.composite
def networks(draw):
    """A model dictionary, and how many parameters its rows say that it has."""
    depth, width, most = draw(st.sampled_from([(1, 1, 1024), (0.33, 0.5, 64), (0.5, 0.25, 32)]))
    channels, rows, count = [], [], 0
    for i in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from([*MODULES, "nn.Upsample", "Concat"] if i else list(MODULES)))
        source = draw(st.sampled_from([-1, *range(i), *range(-i, 0)])) if i else -1
        c1 = channels[source] if i else 3
        if name == "nn.Upsample":
            rows.append([source, 1, name, [None, 2, "nearest"]])
            channels.append(c1)
            continue
        if name == "Concat":
            sources = draw(st.lists(st.sampled_from(range(i)), min_size=1, max_size=3))
            rows.append([sources, 1, name, [1]])
            channels.append(sum(channels[one] for one in sources))
            continue
        formula, possible, named = MODULES[name]
        most_given = 2 if name == "DynamicConvBNAct" and c1 == 3 else len(possible)  # no groups
        given = [draw(one) for one in possible[: draw(st.integers(0, most_given))]]
        by_name = draw(named)
        c2, repeats = draw(st.sampled_from([8, 24, 64, 100])), draw(st.integers(1, 3))
        by_name = {key: one for key, one in by_name.items() if key != "g" or not c1 % one}
        named_in_row = {NAMES.get(key, key): one for key, one in by_name.items()}
        rows.append([source, repeats, name, [c2, *given, *[named_in_row] * bool(by_name)]])
        c2 = math.ceil(min(c2, most) * width / 8) * 8
        n = max(round(repeats * depth), 1) if repeats > 1 else 1
        many = [n] if name == "C2f_DynamicConv" else []
        one = formula(c1, c2, *many, *given, **by_name)
        count += one * (1 if many else n)
        channels.append(c2)
    first = draw(st.integers(0, len(rows)))
    scale = draw(st.sampled_from("nx"))
    return {
        "nc": 3,
        "scales": {scale: [depth, width, most]},
        "scale": scale,
        "backbone": rows[:first],
        "head": rows[first:],
    }, count


def build(model):
    return tasks.parse_model(model, 3, verbose=False)[0]


@calls.times(40)
@given(networks())
def test_a_network_has_the_size_that_its_rows_say(drawn):
    model, count = drawn
    before = repr(model)
    assert sum(p.numel() for p in build(model).parameters()) == count
    assert repr(model) == before


# An int among the arguments must not make a network that fills the memory.
odd = odd_values.filter(lambda one: one != {"python": "2**20"}) | st.sampled_from(
    [{"python": text} for text in ("10**7", "[[]]", "{'a': 1}", "[-1, -1]", "[None]")]
)


@st.composite
def spoiled(draw):
    """The same with one value made odd; with what a message must name."""
    model, _ = draw(networks())
    rows = [*model["backbone"], *model["head"]]
    if draw(st.integers(0, 3)) == 0:
        key = draw(st.sampled_from(["nc", "scales", "scale", "backbone", "head", "activation"]))
        return {"model": model | {key: draw(odd)}, "out": key}
    i = draw(st.integers(0, len(rows) - 1))
    row = list(rows[i])
    place = draw(st.integers(0, 4)) if row[2] in OURS else draw(st.integers(0, 3))
    if place == 4:
        arguments = list(row[3])
        arguments[draw(st.integers(0, len(arguments) - 1))] = draw(odd)
        row[3] = arguments
    elif place == 3 and row[2] not in OURS:
        row = row[: draw(st.integers(0, 3))]
    else:
        row[place] = draw(odd)
    first = len(model["backbone"])
    rows[i] = draw(odd) if draw(st.integers(0, 9)) == 0 else row
    return {"model": model | {"backbone": rows[:first], "head": rows[first:]}, "out": rf"row {i}\b"}


def made(value):
    """The data of a call with what YAML cannot say put in."""
    if isinstance(value, dict) and "python" in value:
        return calls.value(value)
    if isinstance(value, dict):
        return {key: made(one) for key, one in value.items()}
    return [made(one) for one in value] if isinstance(value, list) else value


def wrong(entry):
    """What is wrong with what comes of a model; '' if it is built, or refused by name."""
    try:
        build(made(entry["model"]))
    except (TypeError, ValueError, KeyError) as error:
        message = "; ".join([str(error), *getattr(error, "__notes__", ())])
        return "" if re.search(entry["out"], message) else f"{entry['out']} is not named: {message}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return f"it was built, and {entry['out']} not named" if entry.get("found") else ""


def check(entry):
    if problem := wrong(entry):
        calls.note(f"for tests/corpus/models.yaml:\n{calls.written(entry)}")
        raise AssertionError(problem)


@calls.times(80)
@given(spoiled())
def test_a_network_that_cannot_be_built_names_the_row_and_the_entry(entry):
    check(entry)


@pytest.mark.parametrize("entry", calls.entries("models"))
def test_models_that_were_found_once(entry):
    check(entry)


# --- YAML files -----------------------------------------------------------------------------------

words = st.text("ab1é \n'", max_size=4)
plain = st.none() | st.booleans() | st.integers() | st.floats() | words
trees = st.recursive(
    plain, lambda one: st.lists(one, max_size=4) | st.dictionaries(words, one, max_size=4)
)
signs = st.text("&*[]{}:,-?!|>#'\"%@ \n\tab1.~<=\0\ufeff\ud800", max_size=40)


@calls.times(60)
@given(signs | trees.map(yaml.safe_dump) | st.binary(max_size=40))
def test_a_yaml_file_is_read_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    try:
        yaml_files.check_yaml(file)
    except ValueError as error:
        assert str(file) in str(error)


@calls.times(60)
@given(
    trees
    | st.dictionaries(st.sampled_from(["backbone", "head", "nc", "scales", "activation"]), trees)
)
def test_any_tree_is_a_model_or_refused_with_a_word(tree):
    try:
        model_dict.check(tree)
    except (TypeError, ValueError) as error:
        assert re.search("dictionary|`|row|nc", str(error))


# --- pickles --------------------------------------------------------------------------------------

RAN = []


def mark(*arguments, **keywords):
    """What no pickle may call."""
    RAN.append(arguments)
    return mark


class Marked:
    """An object whose own methods no pickle may call."""

    __setstate__ = append = extend = add = update = __setitem__ = mark


GLOBALS = [
    *(f"{__name__} {name}" for name in ("mark", "Marked", "Marked.append", "pickle.loads")),
    *("os system", "os mkdir", "posix system", "subprocess Popen", "importlib import_module"),
    *(
        f"builtins {name}"
        for name in ("eval", "exec", "getattr", "__import__", "open", "map", "type")
    ),
    *(
        f"builtins {name}"
        for name in ("set", "bytearray", "complex", "slice", "list", "dict", "object")
    ),
    *("operator attrgetter", "operator methodcaller", "functools partial", "functools reduce"),
    *(
        "torch load",
        "torch.hub load",
        "torch Size",
        "torch device",
        "torch float32",
        "types FunctionType",
    ),
    *("numpy load", "numpy dtype", "numpy ndarray", "numpy._core.multiarray _reconstruct"),
    *("collections OrderedDict", "_codecs encode", "copyreg _reconstructor", "pickle loads"),
    *(
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor_v2",
        "torch.storage UntypedStorage",
    ),
    *("torch.nn.modules.linear Identity", "torch.nn.modules.container Sequential"),
    *("torch.nn.modules.module Module.__init__", "torch.nn.modules.container ModuleDict"),
    *("torch.nn.modules.module torch", "torch.nn.modules.module functools", "torch.nn.modules os"),
    *("ultralytics.utils IterableSimpleNamespace", "ultralytics.nn.tasks torch_load"),
    *(
        "ultralytics.nn.tasks DetectionModel",
        "ultralytics.nn.modules.conv Conv",
        "pathlib PosixPath",
    ),
    *(
        "ultralytics.utils.loss v8DetectionLoss",
        "timm.layers.format Format",
        "timm.models create_model",
    ),
    *("torchvision.transforms.transforms Compose", "torchvision.ops.misc FrozenBatchNorm2d"),
]
WORDS = [
    *("__setstate__", "append", "extend", "add", "__dict__", "forward", "__init__", "__reduce__"),
    *(
        "_modules",
        "_forward_hooks",
        "__class__",
        "f8",
        "O",
        "utf-8",
        "idna",
        "os",
        "mkdir",
        "__name__",
    ),
    "__import__('os').mkdir('mark')",
]


def text(word):
    return pickle.SHORT_BINUNICODE + bytes([len(word.encode())]) + word.encode()


def named(place):
    module, name = place.split(" ")
    return st.sampled_from(
        [
            pickle.GLOBAL + f"{module}\n{name}\n".encode(),
            text(module) + text(name) + pickle.STACK_GLOBAL,
        ]
    )


places = st.sampled_from(GLOBALS).flatmap(named)
atoms = places | st.sampled_from(
    [
        *map(text, WORDS),
        *(pickle.NONE, pickle.NEWTRUE, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_TUPLE),
        *(
            pickle.EMPTY_SET,
            pickle.BININT1 + b"\0",
            pickle.BININT1 + b"\3",
            pickle.BINFLOAT + bytes(8),
        ),
        *(pickle.BININT1 + b"\0" + pickle.BINPERSID, pickle.EXT1 + b"\1", pickle.BINGET + b"\0"),
    ]
)


def programs(parts):
    """Instructions that make one value of several."""
    join = lambda *ends: lambda drawn: b"".join(drawn) + b"".join(ends)  # noqa: E731
    some = st.lists(parts, max_size=3).map(b"".join)
    packed = some.map(lambda inside: pickle.MARK + inside + pickle.TUPLE)
    pairs = st.lists(st.tuples(st.sampled_from(WORDS).map(text), parts).map(b"".join), max_size=3)
    keywords = pairs.map(
        lambda inside: pickle.EMPTY_DICT + pickle.MARK + b"".join(inside) + pickle.SETITEMS
    )
    inst = st.sampled_from(GLOBALS).map(lambda one: one.replace(" ", "\n").encode() + b"\n")
    return st.one_of(
        packed,
        keywords,
        st.tuples(parts, packed).map(join(pickle.REDUCE)),
        st.tuples(places, packed).map(join(pickle.REDUCE)),
        st.tuples(places, packed).map(join(pickle.NEWOBJ)),
        st.tuples(places, packed, keywords).map(join(pickle.NEWOBJ_EX)),
        st.tuples(parts, keywords | parts).map(join(pickle.BUILD)),
        st.tuples(parts, parts).map(join(pickle.APPEND)),
        st.tuples(parts, st.just(pickle.MARK), some).map(join(pickle.APPENDS)),
        st.tuples(parts, st.just(pickle.MARK), some).map(join(pickle.ADDITEMS)),
        st.tuples(parts, parts, parts).map(join(pickle.SETITEM)),
        st.tuples(st.just(pickle.MARK), places, some).map(join(pickle.OBJ)),
        st.tuples(st.just(pickle.MARK), some, st.just(pickle.INST), inst).map(join()),
        parts.map(lambda one: one + pickle.MEMOIZE),
        parts.map(lambda one: one + pickle.DUP + pickle.TUPLE2),
    )


WATCHED = ("os.", "subprocess.", "shutil.", "socket.", "compile", "ctypes.", "pickle.find_class")
heard = None  # a list while a pickle is read


def listen(event, arguments):
    if heard is not None and (
        event.startswith(WATCHED) or (event == "open" and arguments[1] != "r")
    ):
        heard.append((event, arguments))


sys.addaudithook(listen)


def run(program):
    """What reading a pickle did besides."""
    global heard
    RAN.clear()
    restricted_load = restricted.pickle_module({}).load
    heard = []
    try:
        restricted_load(io.BytesIO(program))
    except MemoryError:
        pass
    except Exception:  # whatever a program that makes no sense ends in
        pass
    finally:
        found, heard = heard, None
    return [*RAN, *found]


@calls.times(150, 3000)
@given(st.recursive(atoms, programs, max_leaves=12))
def test_nothing_in_a_pickle_runs(program):
    calls.note(f"the program: {program!r}")
    assert not run(pickle.PROTO + b"\4" + program + pickle.STOP)
