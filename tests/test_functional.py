"""dynamic_conv2d against its definition, Σᵢ αᵢ (X ∗ Wᵢ), evaluated in float64 one sample and one
expert at a time.
"""

import itertools
import shutil
import threading

import pytest
import torch
from definitions import dynamic_conv2d as definition

from dynconv import dynamic_conv2d, functional

TOLERANCE = 1e-10


def inputs(batch, experts, kernel_size, groups, bias, cin=4, cout=8, size=(11, 9)):
    """Random float64 leaves that require gradients. H ≠ W, so that swapped axes show."""
    kh, kw = kernel_size
    make = lambda *shape: torch.randn(*shape, dtype=torch.float64, requires_grad=True)  # noqa: E731
    return (
        make(batch, cin, *size),
        make(experts, cout, cin // groups, kh, kw),
        make(batch, experts),
        make(experts, cout) if bias else None,
    )


def gradients(y, leaves, seed):
    """Gradients of a random projection of y: unlike a plain sum, it tells positions apart."""
    torch.manual_seed(seed)
    return torch.autograd.grad((y * torch.randn_like(y)).sum(), leaves, allow_unused=True)


def assert_same(got, expected, what, atol=TOLERANCE, rtol=0):
    torch.testing.assert_close(got, expected, atol=atol, rtol=rtol, msg=lambda m: f"{what}: {m}")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 2), (3, 3), (3, 5)])
def test_equals_the_definition_in_value_and_gradients(kernel_size, groups, bias):
    options = itertools.product([1, 2, (3, 1)], [0, 1, (2, 1)], [1, 2, (1, 2)], [1, 3], [0, 1, 3])
    for stride, padding, dilation, experts, batch in options:
        x, weight, alpha, b = inputs(batch, experts, kernel_size, groups, bias)
        case = f"{stride=} {padding=} {dilation=} {experts=} {batch=}"
        y = dynamic_conv2d(x, weight, alpha, b, stride, padding, dilation, groups)
        expected = definition(x, weight, alpha, b, stride, padding, dilation, groups)
        assert_same(y, expected, case)
        leaves = [t for t in (x, weight, alpha, b) if t is not None]
        for name, got, want in zip(
            "x weight alpha bias".split(), gradients(y, leaves, 1), gradients(expected, leaves, 1)
        ):
            if want is None:  # B = 0: the definition never touches alpha
                want = torch.zeros_like(got)
            assert_same(got, want, f"{case}, gradient of {name}")


@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 2), (3, 3), (4, 3)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding_is_that_of_torch(padding, dilation, kernel_size):
    x, weight, alpha, _ = inputs(3, 2, kernel_size, 1, False, size=(11, 12))
    expected = definition(x, weight, alpha, None, 1, padding, dilation, 1)
    torch.testing.assert_close(
        dynamic_conv2d(x, weight, alpha, padding=padding, dilation=dilation),
        expected,
        rtol=0,
        atol=TOLERANCE,
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    "kernel_size, stride, padding, dilation",
    [
        ((1, 1), (1, 1), (0, 0), (1, 1)),
        ((1, 1), (2, 2), (0, 0), (1, 1)),
        ((3, 3), (1, 1), (1, 1), (1, 1)),
        ((3, 5), (2, 1), (2, 1), (1, 2)),
    ],
)
def test_every_path_gives_the_same(kernel_size, stride, padding, dilation, groups, batch, bias):
    x, weight, alpha, b = inputs(batch, 3, kernel_size, groups, bias, size=(12, 14))
    kernels, biases = functional.mix(alpha, weight), functional.mix(alpha, b) if bias else None
    expected = definition(x, weight, alpha, b, stride, padding, dilation, groups)
    paths = [functional.by_groups, functional.by_sample, functional.by_matmul] + [
        functional.by_single
    ] * (batch == 1)
    for path in paths:
        y = path(x, kernels, biases, stride, padding, dilation, groups)
        assert_same(y, expected, path.__name__)


PATHS = ("by_single", "by_groups", "by_sample", "by_matmul")
REGIMES = {  # (shape of x, of one kernel, options)
    "one image": ((1, 16, 20, 20), (32, 16, 3, 3), {}),
    "no image": ((0, 16, 20, 20), (32, 16, 3, 3), {}),
    "pointwise": ((4, 16, 20, 20), (32, 16, 1, 1), {}),
    "small map": ((4, 16, 5, 5), (128, 16, 3, 3), {}),
    "small map, training": ((4, 16, 5, 5), (128, 16, 3, 3), {"training": True}),
    "not so small a map": ((4, 16, 10, 10), (128, 16, 3, 3), {}),
    "large map": ((4, 16, 20, 20), (32, 16, 3, 3), {}),
    "groups": ((4, 16, 5, 5), (128, 8, 3, 3), {"groups": 2}),
    "channels last": ((4, 16, 20, 20), (32, 16, 3, 3), {"channels_last": True}),
    "strided, training": ((2, 64, 80, 80), (64, 64, 3, 3), {"stride": 2, "training": True}),
    "large map, training": ((2, 64, 80, 80), (64, 64, 3, 3), {"training": True}),
    "strided": ((2, 64, 80, 80), (64, 64, 3, 3), {"stride": 2}),
}


def check_regime(regime):
    shape, kernel, options = REGIMES[regime]
    x, weight, alpha = torch.randn(shape), torch.randn(2, *kernel), torch.rand(shape[0], 2)
    if options.get("channels_last"):
        x = x.to(memory_format=torch.channels_last)
    weight.requires_grad_(options.get("training", False))
    geometry = (None, options.get("stride", 1), kernel[2] // 2, 1, options.get("groups", 1))
    y, expected = (f(x, weight, alpha, *geometry) for f in (dynamic_conv2d, definition))
    assert_same(y, expected, regime, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("path", [functional.by_matmul, functional.by_sample])
@pytest.mark.parametrize(
    "stride, padding",
    [((2, 1), (0, 0)), ((1, 2), (0, 0)), ((1, 1), (1, 0)), ((1, 1), (0, 1)), ((1, 1), (0, 0))],
)
def test_a_kernel_of_one_pixel_reads_the_image_itself_only_where_it_may(
    kernel, path, stride, padding
):
    x, weight, alpha, _ = inputs(2, 3, kernel, 1, False)
    y = path(x, functional.mix(alpha, weight), None, stride, padding, (1, 1), 1)
    assert_same(y, definition(x, weight, alpha, None, stride, padding, 1, 1), path.__name__)


@pytest.mark.parametrize("bias", [False, True])
def test_a_shift_is_added_whatever_alpha(bias):
    x, weight, alpha, b = inputs(2, 3, (3, 3), 1, bias)
    shift = torch.randn(8, dtype=torch.float64)
    y, expected = (
        dynamic_conv2d(x, weight, alpha, b, shift=shift),
        dynamic_conv2d(x, weight, alpha, b),
    )
    assert_same(y, expected + shift[:, None, None], "shift")


@pytest.mark.parametrize(
    "path, shape, kernel, stride, training",
    [
        ("by_single", (1, 64, 80, 80), (64, 64, 3, 3), 1, False),
        ("by_single", (0, 64, 80, 80), (64, 64, 3, 3), 1, False),
        ("by_groups", (2, 64, 80, 80), (64, 64, 3, 3), 1, True),
        ("by_groups", (2, 64, 80, 80), (64, 64, 3, 3), 2, False),
        ("by_sample", (2, 64, 80, 80), (64, 64, 3, 3), 2, True),
        ("by_sample", (2, 64, 80, 80), (64, 64, 3, 3), (1, 2), True),
        # 33 million multiply-adds of a sample, and a few less
        ("by_sample", (2, 64, 59, 59), (64, 64, 3, 3), 2, True),
        ("by_groups", (2, 64, 57, 57), (64, 64, 3, 3), 2, True),
        ("by_matmul", (2, 64, 80, 80), (64, 64, 1, 1), 1, True),
        ("by_matmul", (2, 16, 4, 8), (128, 16, 3, 3), 1, False),
        ("by_groups", (2, 16, 4, 8), (124, 16, 3, 3), 1, False),
    ],
)
def test_each_rule_chooses_its_path(path, shape, kernel, stride, training):
    """Results do not tell: all paths give the same, at other speeds."""
    x, kernels = torch.empty(shape), torch.empty(shape[0], *kernel, requires_grad=training)
    stride = (stride, stride) if isinstance(stride, int) else stride
    size = tuple((side - 1) // step + 1 for side, step in zip(shape[2:], stride))
    assert functional.choose_path(x, kernels, size, stride, 1).__name__ == path


def test_what_counts_as_training():
    x, kernels = torch.empty(2, 64, 80, 80), torch.empty(2, 64, 64, 3, 3)
    choose = lambda: functional.choose_path(x, kernels, (40, 40), (2, 2), 1)  # noqa: E731
    assert choose() is functional.by_groups
    x.requires_grad_()
    assert choose() is functional.by_sample
    with torch.no_grad():
        assert choose() is functional.by_groups


def test_all_regimes_give_the_same_and_every_path_is_somewhere_the_choice(monkeypatch):
    """Which path is fastest where, `make bench` measures."""
    taken = set()

    def noted(name, path):
        def run(*arguments):
            taken.add(name)
            return path(*arguments)

        return run

    for name in PATHS:
        monkeypatch.setattr(functional, name, noted(name, getattr(functional, name)))
    for regime in REGIMES:
        check_regime(regime)
    assert taken == set(PATHS)


def test_use_path_holds_in_all_threads_and_ends_with_its_block():
    x, weight, alpha = torch.randn(3, 4, 8, 8), torch.randn(2, 6, 4, 3, 3), torch.rand(3, 2)
    seen = []

    def look():
        seen.append(dynamic_conv2d(x, weight, alpha))

    with functional.use_path(lambda *_: "outer"):
        with pytest.raises(KeyError), functional.use_path(lambda *_: "inner"):
            look()
            raise KeyError
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    look()
    assert seen[:2] == ["inner", "outer"] and isinstance(seen[2], torch.Tensor)


def test_gradients_by_finite_differences_to_second_order():
    x, weight, alpha, bias = inputs(2, 2, (3, 3), 1, True, cin=2, cout=2, size=(4, 3))
    run = lambda *leaves: dynamic_conv2d(*leaves, padding=1)  # noqa: E731
    assert torch.autograd.gradcheck(run, (x, weight, alpha, bias))
    assert torch.autograd.gradgradcheck(run, (x, weight, alpha, bias))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("size", [4, 20])
def test_a_sample_does_not_depend_on_its_neighbours(kernel, size):
    x, weight, alpha = (
        torch.randn(4, 8, size, size),
        torch.randn(3, 16, 8, kernel, kernel),
        torch.rand(4, 3),
    )
    y = dynamic_conv2d(x, weight, alpha, padding=kernel // 2)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        dynamic_conv2d(x[order], weight, alpha[order], padding=kernel // 2), y[order]
    )
    torch.testing.assert_close(
        dynamic_conv2d(x[1:2], weight, alpha[1:2], padding=kernel // 2),
        y[1:2],
        rtol=1e-4,
        atol=1e-5,
    )
    x[0], alpha[3] = float("nan"), float("inf")  # a broken neighbour stays alone
    torch.testing.assert_close(dynamic_conv2d(x, weight, alpha, padding=kernel // 2)[1:3], y[1:3])


def test_non_contiguous_and_channels_last_inputs():
    x, weight, alpha, _ = inputs(3, 2, (3, 3), 2, False, cin=4)
    expected = definition(x, weight, alpha, None, 1, 1, 1, 2)
    for layout in (
        x.to(memory_format=torch.channels_last),
        x.transpose(2, 3).contiguous().transpose(2, 3),
        x.expand(3, -1, -1, -1),
    ):
        torch.testing.assert_close(
            dynamic_conv2d(layout, weight, alpha, padding=1, groups=2),
            expected,
            rtol=0,
            atol=TOLERANCE,
        )


def test_a_single_pixel_in_channels_last_strides():
    """The gradient of a grouped float64 convolution of such an input fails in torch (2.14)."""
    x, weight, alpha, _ = inputs(2, 2, (3, 3), 2, False, size=(1, 1))
    pixel = x.as_strided(x.shape, (4, 1, 4, 4))
    leaves, expected = (x, weight, alpha), definition(x, weight, alpha, None, 3, 1, 1, 2)
    y = dynamic_conv2d(pixel, weight, alpha, None, 3, 1, 1, 2)
    torch.testing.assert_close(
        (y, *gradients(y, leaves, 1)),
        (expected, *gradients(expected, leaves, 1)),
        rtol=0,
        atol=TOLERANCE,
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3])
def test_autocast(kernel, batch, bias):
    x, weight, alpha = (
        torch.randn(batch, 8, 12, 12),
        torch.randn(2, 16, 8, kernel, kernel),
        torch.rand(batch, 2),
    )
    bias = torch.randn(2, 16) if bias else None
    weight.requires_grad_()
    exact = dynamic_conv2d(x, weight, alpha, bias, padding=kernel // 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = dynamic_conv2d(
            x, weight, alpha.bfloat16(), bias, padding=kernel // 2
        )  # a router under autocast gives bfloat16
    assert y.dtype == torch.bfloat16
    assert (y - exact).norm() / exact.norm() < 0.02
    y.float().sum().backward()
    assert weight.grad.dtype == torch.float32 and weight.grad.isfinite().all()


def test_under_autocast_the_kernels_are_mixed_in_their_own_precision():
    alpha, experts = torch.rand(3, 2), torch.randn(2, 4, 5)
    exact = functional.mix(alpha, experts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = functional.mix(alpha, experts)
        assert mixed.dtype == torch.float32 and torch.equal(mixed, exact)


def test_autocast_leaves_float64_alone():
    x, weight, alpha, bias = inputs(3, 2, (3, 3), 1, True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert dynamic_conv2d(x, weight, alpha, bias).dtype == torch.float64
        with pytest.raises(
            TypeError,
            match=r"weight is torch.float32 but x is torch.float64: autocast leaves float64",
        ):
            dynamic_conv2d(x, weight.float(), alpha, bias)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_output_has_the_dtype_of_the_input(dtype):
    x, weight, alpha = (
        torch.randn(2, 4, 8, 8).to(dtype),
        torch.randn(2, 4, 4, 3, 3).to(dtype),
        torch.rand(2, 2).to(dtype),
    )
    assert dynamic_conv2d(x, weight, alpha).dtype == dtype


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_meta_tensors_give_the_shape(batch, kernel):
    x, weight, alpha = (
        torch.empty(batch, 4, 20, 20),
        torch.empty(2, 6, 4, kernel, kernel),
        torch.empty(batch, 2),
    )
    y = dynamic_conv2d(x.to("meta"), weight.to("meta"), alpha.to("meta"), padding=kernel // 2)
    assert y.is_meta and y.shape == (batch, 6, 20, 20)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_vmap_and_forward_mode(batch, kernel):
    leaves = tuple(t.detach() for t in inputs(batch, 2, (kernel, kernel), 1, True))
    run = lambda *leaves: dynamic_conv2d(*leaves, padding=kernel // 2)  # noqa: E731
    stacked = [torch.stack([t, 2 * t]) for t in leaves]
    torch.testing.assert_close(
        torch.func.vmap(run)(*stacked), torch.stack([run(*leaves), run(*(2 * t for t in leaves))])
    )
    y, change = torch.func.jvp(
        lambda weight: run(leaves[0], weight, *leaves[2:]),
        (leaves[1],),
        (torch.ones_like(leaves[1]),),
    )
    without_bias = dynamic_conv2d(
        leaves[0], torch.ones_like(leaves[1]), leaves[2], padding=kernel // 2
    )  # y is linear in the weight
    torch.testing.assert_close((y, change), (run(*leaves), without_bias))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_graph_traced_with_one_image_refuses_a_batch():
    """Not: gives every image the kernel of the first."""
    weight, run = torch.randn(2, 6, 4, 3, 3), lambda x, alpha: dynamic_conv2d(x, weight, alpha)
    x, alpha = torch.randn(3, 4, 8, 8), torch.rand(3, 2)
    traced = torch.jit.trace(run, (x[:1], alpha[:1]), check_trace=False)
    torch.testing.assert_close(traced(x[1:2], alpha[1:2]), run(x[1:2], alpha[1:2]))
    with pytest.raises(RuntimeError):
        traced(x, alpha)


# Inductor is where sizes that vary have failed; it needs a C++ compiler. Which sizes vary by
# themselves (dynamic=None) is decided before any backend sees the graph.
@pytest.mark.parametrize(
    "backend, dynamic",
    [
        ("aot_eager", None),
        pytest.param(
            "inductor",
            True,
            marks=pytest.mark.skipif(
                not shutil.which("g++"), reason="needs g++, a C++ compiler, which is not installed"
            ),
        ),
    ],
)
def test_torch_compile_with_changing_batch_and_image_sizes(backend, dynamic, monkeypatch):
    torch._dynamo.reset()
    # As in torch 2.11, where torch.compile does not follow a call of it.
    skipped = torch.compiler.disable(torch.amp.is_autocast_available)
    monkeypatch.setattr(torch.amp, "is_autocast_available", skipped)
    compiled = torch.compile(dynamic_conv2d, backend=backend, dynamic=dynamic, fullgraph=True)
    weight = torch.randn(2, 6, 4, 3, 3, requires_grad=True)
    for batch, size in [(2, 8), (3, 20), (1, 8)]:
        x, alpha = torch.randn(batch, 4, size, size), torch.rand(batch, 2)
        y, expected = (f(x, weight, alpha, padding=1) for f in (compiled, dynamic_conv2d))
        torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            torch.autograd.grad(y.sum(), weight),
            torch.autograd.grad(expected.sum(), weight),
            rtol=1e-4,
            atol=1e-3,
        )


GOOD = dict(x=torch.ones(2, 4, 6, 6), weight=torch.ones(3, 8, 4, 3, 3), alpha=torch.ones(2, 3))
BAD = {
    "x rank": (dict(x=torch.ones(4, 6, 6)), ValueError, r"x must have 4 dimensions.*\(4, 6, 6\)"),
    "weight rank": (
        dict(weight=torch.ones(8, 4, 3, 3)),
        ValueError,
        r"weight must have 5 dimensions",
    ),
    "alpha rank": (dict(alpha=torch.ones(3)), ValueError, r"alpha must have 2 dimensions"),
    "bias rank": (dict(bias=torch.ones(8)), ValueError, r"bias must have 2 dimensions"),
    "not a tensor": (
        dict(alpha=[[1.0, 2.0, 3.0]]),
        TypeError,
        r"alpha must be a torch.Tensor.*got list",
    ),
    "channels": (dict(x=torch.ones(2, 5, 6, 6)), ValueError, r"x has 5 channels.*expects 4"),
    "alpha batch": (
        dict(alpha=torch.ones(1, 3)),
        ValueError,
        r"shape \(B, M\) = \(2, 3\), got \(1, 3\)",
    ),
    "alpha experts": (dict(alpha=torch.ones(2, 4)), ValueError, r"= \(2, 3\), got \(2, 4\)"),
    "bias experts": (
        dict(bias=torch.ones(2, 8)),
        ValueError,
        r"\(M, Cout\) = \(3, 8\), got \(2, 8\)",
    ),
    "bias channels": (
        dict(bias=torch.ones(3, 1)),
        ValueError,
        r"\(M, Cout\) = \(3, 8\), got \(3, 1\)",
    ),
    "groups do not divide": (dict(groups=3), ValueError, r"divide Cin = 4 and Cout = 8, got 3"),
    "groups divide Cin only": (
        dict(weight=torch.ones(3, 9, 2, 3, 3), groups=2),
        ValueError,
        r"divide Cin = 4 and Cout = 9, got 2",
    ),
    "shift rank": (
        dict(shift=torch.ones(1, 8)),
        ValueError,
        r"shift must have 1 dimensions? \(Cout,\), got shape \(1, 8\)",
    ),
    "shift channels": (dict(shift=torch.ones(7)), ValueError, r"\(Cout,\) = \(8,\), got \(7,\)"),
    "shift dtype": (
        dict(shift=torch.ones(8).double()),
        TypeError,
        r"shift is torch.float64 but x is torch.float32",
    ),
    "groups zero": (dict(groups=0), ValueError, r"groups must be at least 1"),
    "groups float": (dict(groups=1.0), TypeError, r"groups must be an int, got 1.0"),
    "no experts": (
        dict(weight=torch.ones(0, 8, 4, 3, 3), alpha=torch.ones(2, 0)),
        ValueError,
        r"at least one expert",
    ),
    "integers": (
        dict(x=torch.ones(2, 4, 6, 6, dtype=torch.uint8)),
        TypeError,
        r"x must be floating point, got torch.uint8",
    ),
    "mixed devices": (
        dict(alpha=torch.ones(2, 3, device="meta")),
        ValueError,
        r"alpha is on meta but x is on cpu: move one of them",
    ),
    "mixed dtypes": (
        dict(x=torch.ones(2, 4, 6, 6, dtype=torch.float64)),
        TypeError,
        r"weight is torch.float32 but x is torch.float64",
    ),
    "empty output": (dict(dilation=3), ValueError, r"output would be empty.*\(3, 3\).*\(6, 6\)"),
    "empty output in one direction": (
        dict(x=torch.ones(2, 4, 6, 2)),
        ValueError,
        r"output would be empty.*\(6, 2\)",
    ),
    "padding name": (dict(padding="full"), ValueError, r"unknown padding 'full'"),
    "padding negative": (dict(padding=-1), ValueError, r"padding must be at least 0, got -1"),
    "padding same with stride": (dict(padding="same", stride=2), ValueError, r"needs stride 1"),
    "stride zero": (dict(stride=0), ValueError, r"stride must be at least 1, got 0"),
    "stride triple": (
        dict(stride=(1, 1, 1)),
        TypeError,
        r"stride must be an int or a pair.*\(1, 1, 1\)",
    ),
    "dilation float": (dict(dilation=1.5), TypeError, r"dilation must be an int or a pair.*1.5"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_any_work(case, monkeypatch):
    change, error, message = BAD[case]
    monkeypatch.setattr(
        functional, "mix", lambda *a: pytest.fail("work began before the input was checked")
    )
    with pytest.raises(error, match=message):
        dynamic_conv2d(**{**GOOD, **change})
