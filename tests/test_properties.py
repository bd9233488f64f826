"""The operators with random arguments, held against their definitions; and what random arguments
found once (tests/corpus/operators.yaml). `make fuzz` tries more, and others each time.

Whatever the operators are called with, they answer, or say with a TypeError or a ValueError which
argument is wrong.
"""

import calls
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from timm.layers import CondConv2d
from torch import nn

import dynconv
from dynconv import DynamicConv, cost, dynamic_conv2d, fold_batchnorm

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("call", calls.entries("operators"))
def test_what_was_found_once(call):
    calls.check(call)


# --- right arguments: value and gradients are those of the definition -----------------------------

side, few = st.integers(1, 3), st.integers(1, 4)


def pairs(values):
    """An int, or two of them."""
    return values | st.lists(values, min_size=2, max_size=2)


def both(value):
    return [value, value] if isinstance(value, int) else value


@st.composite
def tensors(draw, shape, dtype):
    layout = draw(st.sampled_from(sorted(calls.LAYOUTS)))
    if 0 in shape:
        layout = "contiguous"
    return {"shape": shape, "dtype": dtype, "layout": layout, "seed": draw(st.integers(0, 99))}


@st.composite
def geometries(draw, paddings):
    """Options of a convolution, and the size of an image that it fits into."""
    kernel = draw(st.lists(few, min_size=2, max_size=2))
    options = {name: draw(pairs(side)) for name in ("stride", "dilation")}
    padding = draw(paddings)
    if padding == "same":
        options["stride"] = draw(st.sampled_from([1, [1, 1]]))
    amount = both(padding) if isinstance(padding, int | list) else [0, 0]
    reach = [d * (k - 1) + 1 for d, k in zip(both(options["dilation"]), kernel)]
    size = [max(1, r - 2 * p) + draw(st.integers(0, 5)) for r, p in zip(reach, amount)]
    return kernel, options | {"padding": padding}, size


@st.composite
def convolutions(draw, dtypes=tuple(calls.DTYPES)):
    """A call of dynamic_conv2d that it must answer."""
    kernel, options, size = draw(
        geometries(pairs(st.integers(0, 3)) | st.sampled_from(["same", "valid"]))
    )
    batch, experts, groups = draw(st.integers(0, 5)), draw(st.integers(1, 6)), draw(side)
    inside, cout, dtype = (
        draw(side),
        draw(side | st.just(16)) * groups,
        draw(st.sampled_from(dtypes)),
    )
    shapes = {
        "x": [batch, inside * groups, *size],
        "weight": [experts, cout, inside, *kernel],
        "alpha": [batch, experts],
        "bias": [experts, cout],
        "shift": [cout],
    }
    left_out = draw(st.sets(st.sampled_from(["bias", "shift"])))
    given = {k: draw(tensors(shape, dtype)) for k, shape in shapes.items() if k not in left_out}
    return {"function": "dynamic_conv2d", "arguments": given | options | {"groups": groups}}


@calls.times(30)
@given(convolutions())
def test_every_path_of_the_operator_equals_the_definition(call):
    calls.check(call)
    single = ["by_single"] * (call["arguments"]["x"]["shape"][0] < 2)
    for path in ("by_groups", "by_sample", "by_matmul", *single):
        calls.check(call | {"path": path})


@st.composite
def dynamic_layers(draw):
    kernel, options, size = draw(
        geometries(pairs(st.integers(0, 3)) | st.sampled_from(["", None, "same", "valid"]))
    )
    if options["padding"] in ("", None, "same"):
        options["stride"] = draw(pairs(side))
    groups, dtype = draw(side), draw(st.sampled_from(["float64", "float32"]))
    arguments = {
        "in_features": groups * draw(side),
        "out_features": groups * draw(side),
        "kernel_size": kernel,
        **options,
        "groups": groups,
        "bias": draw(st.booleans()),
        "num_experts": draw(st.integers(1, 6)),
    }
    if draw(st.booleans()):
        arguments |= {
            "routing_activation": "softmax",
            "temperature": draw(st.sampled_from([1, 30.0])),
        }
    shape = [draw(st.integers(0, 3)), arguments["in_features"], *size]
    return {
        "function": "DynamicConv",
        "arguments": arguments,
        "input": {"x": draw(tensors(shape, dtype))},
    }


@calls.times(30)
@given(dynamic_layers())
def test_the_dynamic_layer_equals_its_definition(call):
    calls.check(call)


@calls.times(12)
@given(dynamic_layers(), st.sampled_from(["", "same", "valid", 0, 2]), side, side, few)
def test_the_dynamic_layer_equals_timms_convolution(call, padding, stride, dilation, kernel):
    """timm takes no pairs in all of these."""
    arguments = call["arguments"] | dict(
        padding=padding, stride=stride, dilation=dilation, kernel_size=kernel
    )
    names = ("kernel_size", "stride", "padding", "dilation", "groups", "bias", "num_experts")
    cin, cout = (arguments[name] for name in ("in_features", "out_features"))
    theirs = CondConv2d(cin, cout, **{name: arguments[name] for name in names}).double()
    ours = DynamicConv(**arguments).double()
    ours.cond_conv.load_state_dict(theirs.state_dict())
    x = torch.randn(2, cin, 13, 11, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x, ours.alpha(x)), rtol=0, atol=1e-10)


@st.composite
def deformable_layers(draw):
    kernel, options, size = draw(geometries(pairs(st.integers(0, 2)) | st.none()))
    if options["padding"] is None:
        size = [n + 6 for n in size]
    groups, shares, share = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
    )
    arguments = {
        "in_channels": groups * shares * share,
        "out_channels": groups * draw(side),
        "kernel_size": kernel,
        **options,
        "groups": groups,
        "offset_groups": shares,
        "bias": draw(st.booleans()),
        "modulated": draw(st.booleans()),
    }
    shape = [draw(st.integers(0, 2)), arguments["in_channels"], *size]
    x = {"shape": shape, "dtype": "float64", "seed": draw(st.integers(0, 99))}
    return {"function": "DeformableConv", "arguments": arguments, "input": {"x": x}}


@calls.times(12)
@given(deformable_layers())
def test_the_deformable_layer_equals_its_definition(call):
    calls.check(call)


@st.composite
def dcnv3_geometries(draw):
    kernel, dilation, stride = draw(few), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    reach = dilation * (kernel - 1)
    pad = draw(st.integers(0, reach // 2))
    options = dict(kernel_size=kernel, stride=stride, pad=pad, dilation=dilation)
    options["offset_scale"] = draw(st.sampled_from([1.0, 0.5, 2]))
    options["remove_center"] = draw(st.booleans()) if kernel == 3 else False
    size = [max(1, reach + 1 - 2 * pad) + draw(st.integers(0, 3)) for _ in range(2)]
    return options, [draw(st.integers(0, 2)), *size], draw(st.integers(1, 2)), draw(side)


@st.composite
def dcnv3_calls(draw):
    options, (batch, *size), groups, share = draw(dcnv3_geometries())
    reach = options["dilation"] * (options["kernel_size"] - 1)
    out = [(n + 2 * options["pad"] - reach - 1) // options["stride"] + 1 for n in size]
    shape = [batch, *out, groups, options["kernel_size"] ** 2 - options["remove_center"]]
    seeds = st.integers(0, 99)
    arguments = {
        name: {"shape": shape, "dtype": "float64", "seed": draw(seeds)}
        for name, shape in {
            "x": [batch, *size, groups * share],
            "offset": [*shape, 2],
            "mask": shape,
        }.items()
    }
    return {"function": "dcnv3", "arguments": arguments | options}


@calls.times(12)
@given(dcnv3_calls())
def test_the_core_of_dcnv3_equals_its_definition(call):
    calls.check(call)


@st.composite
def dcnv3_layers(draw):
    options, (batch, *size), group, share = draw(dcnv3_geometries())
    arguments = options | {"channels": group * share, "group": group}
    arguments["dw_kernel_size"] = draw(st.sampled_from([None, 1, 3, 5]))
    arguments["center_feature_scale"] = draw(st.booleans())
    x = {
        "shape": [batch, *size, group * share],
        "dtype": "float64",
        "seed": draw(st.integers(0, 99)),
    }
    return {"function": "DCNv3", "arguments": arguments, "input": {"x": x}}


@calls.times(12)
@given(dcnv3_layers())
def test_the_layer_of_dcnv3_equals_its_definition(call):
    calls.check(call)


# --- the same elsewhere: folded, counted, traced, scripted, compiled, mapped ----------------------


def built(call):
    """The layer of a drawn call, and its input."""
    torch.manual_seed(0)
    layer = calls.stirred(DynamicConv(**call["arguments"])).double().eval()
    shape = call["input"]["x"]["shape"]
    assume(shape[0] > 0)
    return layer, torch.randn(shape, dtype=torch.float64)


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@calls.times(15)
@given(dynamic_layers(), st.booleans())
def test_a_folded_network_gives_what_it_gave(call, affine):
    layer, x = built(call)
    network = nn.Sequential(layer, nn.BatchNorm2d(layer.out_features, affine=affine)).double()
    calls.stirred(network)
    for statistic in (network[1].running_mean, network[1].running_var):
        statistic.uniform_(0.1, 3)
    expected = network.eval()(x)
    assert len(fold_batchnorm(network).folded) == 1 and type(network[1]) is nn.Identity
    close(network(x), expected)


@calls.times(15)
@given(dynamic_layers(), st.integers(0, 9), st.integers(0, 9))
def test_the_cost_is_convolution_plus_mixing_plus_routing(call, more, wider):
    layer, x = built(call)
    height, width = x.shape[2] + more, x.shape[3] + wider
    y = layer(torch.zeros(1, layer.in_features, height, width, dtype=torch.float64))
    kernel, experts = layer.weight[0].numel(), layer.num_experts
    biases = layer.out_features * (layer.cond_conv.bias is not None)
    expected = 2 * (
        y[0, 0].numel() * kernel + experts * (kernel + biases) + layer.in_features * experts
    )
    found = cost(layer, (height, width))
    assert found.flops == expected
    stored = experts * (kernel + biases) + (layer.in_features + 1) * experts
    assert found.parameters == stored and (found.layers, found.modules) == (2, 3)


@calls.times(6)
@given(dynamic_layers(), st.integers(1, 5))
def test_a_traced_layer_takes_any_batch_within_export_mode(call, batch):
    layer, x = built(call)
    with dynconv.export_mode():
        traced = torch.jit.trace(layer, x, check_trace=False)
    more = torch.randn(batch, *x.shape[1:], dtype=torch.float64)
    close(traced(more), layer(more))


@calls.times(6)
@given(dynamic_layers(), st.integers(1, 5))
def test_a_scripted_or_recorded_layer_takes_any_batch(call, batch):
    layer, x = built(call)
    more = torch.randn(batch, *x.shape[1:], dtype=torch.float64)
    for graph in (torch.jit.script(layer), torch.fx.symbolic_trace(layer)):
        close(graph(more), layer(more))


@calls.times(2)
@given(convolutions(dtypes=("float64",)))
def test_a_compiled_operator_gives_the_same(call):
    torch._dynamo.reset()
    arguments = {name: calls.value(one) for name, one in call["arguments"].items()}
    compiled = torch.compile(dynamic_conv2d, backend="aot_eager", fullgraph=True)
    close(compiled(**arguments), dynamic_conv2d(**arguments))


@calls.times(10)
@given(convolutions(dtypes=("float64",)), st.integers(1, 3))
def test_a_mapped_operator_gives_the_same(call, count):
    arguments = {name: calls.value(one) for name, one in call["arguments"].items()}
    given = {k: t.detach() for k, t in arguments.items() if isinstance(t, torch.Tensor)}
    options = {name: one for name, one in arguments.items() if name not in given}
    stacked = {name: torch.stack([t * i for i in range(count)]) for name, t in given.items()}
    mapped = torch.func.vmap(lambda given: dynamic_conv2d(**given, **options))(stacked)
    each = [
        dynamic_conv2d(**{k: t[i] for k, t in stacked.items()}, **options) for i in range(count)
    ]
    close(mapped, torch.stack(each))


# --- wrong arguments: an answer, or a TypeError or ValueError that names one ----------------------

PLAIN = [
    -1,
    0,
    1.5,
    True,
    False,
    None,
    "2",
    "same",
    "valid",
    "x",
    [1, 2],
    [0, 1],
    [1, 2, 3],
    [],
    {},
]
PYTHON = [
    *("2**20", "2**31", "2**62", "2**63", "10**30", "10**5000", "-10**30", "np.array(2)"),
    *("np.int64(2)", "np.float32(2)", "np.array([1, 2])", "np.array([[1, 2]])", "torch.tensor(2)"),
    *("float('nan')", "float('inf')", "(2**62, 1)", "(True, 1)", "('a', 'b')", "(2, 1)", "b'1'"),
    *("1j", "object()", "int", "range(2)", "np.array(['a', 'b'])", "{1, 2}", "(None, None)"),
    *("np.datetime64('nat')", "torch.float32", "lambda: 1", "nn.Identity()", "'\\ud800'", "'\\0'"),
]
odd_values = st.sampled_from(PLAIN) | st.sampled_from([{"python": text} for text in PYTHON])


@st.composite
def odd_tensors(draw, shape):
    """One of another kind or another shape than it must have, or none at all."""
    other = list(shape)
    other[draw(st.integers(0, len(shape) - 1))] = draw(st.sampled_from([0, 1, 2, 3, 5]))
    whole, part, longer = f"({', '.join(map(str, shape))},)", tuple(shape[1:]), (*shape, 1)
    forms = (
        *(f"torch.zeros({other})", f"torch.zeros({longer})", f"torch.zeros({part})"),
        *(f"torch.zeros({whole}, dtype=torch.{t})" for t in ("int64", "bool", "complex64")),
        *(f"torch.zeros({whole}, dtype=torch.{t})" for t in ("float16", "float8_e4m3fn")),
        *(f"torch.zeros({whole}).to_sparse()", f"torch.empty({whole}, device='meta')"),
        f"torch.quantize_per_tensor(torch.zeros({whole}), 0.1, 0, torch.quint8)",
        *(f"torch.full({whole}, float('nan'))", f"torch.full({whole}, float('inf'))"),
        *(f"torch.zeros(()).expand({whole})", f"torch.zeros(()).expand({(*shape[:-1], 2**36)})"),
        *(f"np.zeros({whole})", f"torch.zeros({whole}).tolist()", "torch.zeros(())"),
        f"nn.Parameter(torch.zeros({whole}))",
    )
    return draw(st.sampled_from([{"python": text} for text in forms]) | odd_values)


@st.composite
def spoiled(draw, right):
    """A call with one or two of its arguments made odd."""
    call = draw(right)
    parts = {part: dict(call[part]) for part in ("arguments", "input") if part in call}
    places = [(part, name) for part in parts for name in parts[part]]
    for part, name in draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True)):
        before = parts[part][name]
        if isinstance(before, dict) and "shape" in before:
            parts[part][name] = draw(odd_tensors(before["shape"]))
        else:
            parts[part][name] = draw(odd_values)
    return call | parts | {"out": "either"}


MODELS = [
    *(
        "nn.Conv2d(3, 4, 3)",
        "nn.Identity()",
        "DynamicConv(3, 4, 3)",
        "3",
        "None",
        "'x'",
        "nn.Conv2d",
    ),
    *("nn.Sequential()", "nn.Linear(3, 4)", "nn.Conv2d(3, 4, 3).to('meta')", "nn.LSTM(3, 4)"),
    *(f"nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d({n})).eval()" for n in (4, 5)),
    *("nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d(4, affine=False))", "DCNv3(16)"),
    "nn.Sequential(DynamicConv(3, 4), nn.BatchNorm2d(4, track_running_stats=False))",
]
models = st.sampled_from([{"python": text} for text in MODELS])
costs = st.fixed_dictionaries(
    {"model": models}, optional={"imgsz": st.just(32) | odd_values, "channels": odd_values}
).map(lambda arguments: {"function": "cost", "arguments": arguments, "out": "either"})
folds = models.map(
    lambda model: {"function": "fold_batchnorm", "arguments": {"model": model}, "out": "either"}
)


@pytest.mark.parametrize(
    "right, count",
    [
        pytest.param(right, count, id=name)
        for name, right, count in (
            ("dynamic_conv2d", convolutions(dtypes=("float32",)), 100),
            ("DynamicConv", dynamic_layers(), 100),
            ("DeformableConv", deformable_layers(), 60),
            ("dcnv3", dcnv3_calls(), 60),
            ("DCNv3", dcnv3_layers(), 60),
        )
    ],
)
def test_only_errors_that_name_an_argument(right, count):
    calls.times(count)(given(spoiled(right))(calls.check))()


@calls.times(40)
@given(costs | folds)
def test_a_model_that_cannot_be_counted_or_folded_is_named(call):
    calls.check(call)
