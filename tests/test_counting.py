"""cost() against counts made by hand, and against what ultralytics itself prints."""

import pytest
import torch
from torch import nn
from ultralytics import YOLO

import dynconv
from dynconv import DynamicConv, benchmark


def test_a_static_convolution_is_counted_alike_by_both():
    cost = dynconv.cost(nn.Conv2d(16, 32, 3, 2, 1, bias=False), imgsz=40)
    by_hand = 2 * 32 * 16 * 9 * 20 * 20
    assert cost == (1, 1, 32 * 16 * 9, by_hand, pytest.approx(by_hand / 1e9))
    assert cost.gflops == by_hand / 1e9


@pytest.mark.parametrize("size, kernel_size, num_experts", [(40, 3, 4), (10, 3, 2), (16, 1, 4)])
def test_a_dynamic_convolution_is_convolution_plus_mixing_plus_routing(
    size, kernel_size, num_experts
):
    cost = dynconv.cost(DynamicConv(16, 32, kernel_size, 2, num_experts=num_experts), imgsz=size)
    kernel = 32 * 16 * kernel_size**2
    convolution, mixing, routing = kernel * (size // 2) ** 2, num_experts * kernel, 16 * num_experts
    assert cost.flops == 2 * (convolution + mixing + routing)
    assert cost.parameters == num_experts * kernel + num_experts * (16 + 1)
    # The artefact: the profiler behind ultralytics sees the matrix products, not the convolution
    # with a computed kernel.
    assert cost.printed_gflops == pytest.approx(2 * (mixing + routing) / 1e9)


def test_printed_is_what_ultralytics_prints_and_the_model_is_left_as_it_was():
    yolo = YOLO("yolov10n.yaml")
    before = {key: value.clone() for key, value in yolo.model.state_dict().items()}
    yolo.model.train()
    cost = dynconv.cost(yolo, imgsz=320)
    layers, parameters, _, printed = yolo.info(imgsz=320)
    assert (cost.layers, cost.parameters, cost.printed_gflops) == (
        layers,
        parameters,
        pytest.approx(printed),
    )
    assert parameters == 2_775_520
    assert yolo.model.training and all(
        torch.equal(before[k], v) for k, v in yolo.model.state_dict().items()
    )


def test_rectangles_and_explicit_channels():
    assert dynconv.cost(nn.Conv2d(3, 4, 1), (8, 4)).flops == 2 * 3 * 4 * 8 * 4
    assert dynconv.cost(nn.Identity(), 8, channels=3).flops == 0


def test_layers_are_the_innermost_modules_and_modules_all():
    """Older versions of ultralytics print the second number, current ones the first."""
    nested = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.ReLU(), nn.Identity()))
    assert dynconv.cost(nested, 8)[:2] == (3, 5)


def test_precision_device_and_training_mode_do_not_matter():
    layer = DynamicConv(3, 4, 3)
    expected = dynconv.cost(layer, 8)[:4]
    assert dynconv.cost(layer.double(), 8)[:4] == dynconv.cost(layer.to("meta"), 8)[:4] == expected
    one_pixel = nn.Sequential(
        nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4)
    ).train()  # a BatchNorm that trains refuses a single value
    assert dynconv.cost(one_pixel, 8).flops == 2 * 4 * 3 * 64


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3,), TypeError, "model must be a YOLO or a torch.nn.Module, got int$"),
        ((nn.Conv2d(3, 4, 1), 0), ValueError, "imgsz must be at least 1, got 0"),
        (
            (nn.Conv2d(3, 4, 1), (8, 8, 8)),
            TypeError,
            r"imgsz must be an int or a pair .* got \(8, 8, 8\)",
        ),
        ((nn.Conv2d(3, 4, 1), True), TypeError, "imgsz must be an int or a pair .* got True"),
        ((nn.Conv2d(3, 4, 1), 8, 0), ValueError, "channels must be at least 1, got 0"),
        ((nn.Conv2d(3, 4, 1), 8, "3"), TypeError, "channels must be an int, got '3'"),
        ((nn.ReLU(),), ValueError, "pass channels="),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        dynconv.cost(*arguments)


def test_the_benchmark_compares_equal_layers_and_reports_ratios():
    shape = benchmark.Shape(4, 8, 3, 2, 12, 3)
    layers, x = benchmark.contestants(shape), torch.randn(3, 4, 12, 12)
    torch.testing.assert_close(layers["dynconv"](x), layers["timm"](x))
    torch.testing.assert_close(layers["dynconv"](x), layers["formula"](x))
    assert layers["static"](x).shape == layers["dynconv"](x).shape
    for run in (benchmark.forward, benchmark.training_step):
        result = benchmark.ratios(shape, run, repetitions=3)
        assert result["static"] == 1 and set(result) == {"static", "dynconv", "timm", "formula"}


def test_times_are_medians_of_ratios_within_a_repetition(monkeypatch):
    """A clock that only the functions move: in each repetition 'b' takes twice 'a', however slow
    the machine is just then.
    """
    clock, order = [0], []

    def work(name, factor):
        order.append(name)
        clock[0] += factor * (1 + len(order) // 2)  # a machine that gets slower and slower

    monkeypatch.setattr(benchmark.time, "process_time_ns", lambda: clock[0])
    assert benchmark.relative_times(
        {"a": lambda: work("a", 10_000), "b": lambda: work("b", 20_000)}, 30
    ) == {"a": 1, "b": pytest.approx(2, rel=0.1)}
    assert order.count("a") == order.count("b") == 32 and {*zip(order[::2], order[1::2])} == {
        ("a", "b"),
        ("b", "a"),
    }


@pytest.mark.parametrize(
    "run, repetitions", [({}, 3), ({"a": print}, 3), ({"a": print, "b": print}, 0)]
)
def test_a_comparison_needs_two_and_a_repetition(run, repetitions):
    with pytest.raises(
        ValueError, match="at least two functions, got|repetitions must be at least"
    ):
        benchmark.relative_times(run, repetitions)


def test_measuring_takes_one_thread_and_gives_the_others_back():
    before, seen = torch.get_num_threads(), []

    def look():
        seen.append(torch.get_num_threads())

    try:
        torch.set_num_threads(3)
        benchmark.relative_times({"a": look, "b": look}, 1)
        benchmark.peak_memory(look)
        assert set(seen) == {1}
        benchmark.relative_times({"a": look, "b": look}, 1, threads=2)
        assert seen[-1] == 2
        with pytest.raises(ZeroDivisionError):
            benchmark.relative_times({"a": look, "b": lambda: 1 / 0})
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        benchmark.relative_times({"a": look, "b": look}, threads=0)


N = 100_000  # so many that a stray scalar does not matter
BYTES = 4 * N


def test_peak_memory_is_the_most_that_lives_at_once():
    kept = []

    def run():
        first = torch.empty(N)
        second = torch.empty(3 * N)  # 4 N live: the peak
        del first, second
        kept.append(torch.empty(2 * N))  # stays, as what the function returns would
        torch.empty(N)  # 3 N

    before = torch.empty(10 * N)
    assert benchmark.peak_memory(run) == 4 * BYTES
    assert (
        benchmark.peak_memory(lambda: None) == 0
        and benchmark.peak_memory(lambda: before.add_(1)) < 100
    )


def test_peak_memory_of_a_training_step_by_arithmetic():
    x = torch.randn(N, requires_grad=True)

    def step():
        x.exp().sum().backward()

    with torch.no_grad():
        assert benchmark.peak_memory(lambda: x.exp().sum()) == pytest.approx(BYTES, rel=1e-3)  # y
    assert benchmark.peak_memory(step) == pytest.approx(
        2 * BYTES, rel=1e-3
    )  # y, kept for the gradient, and the gradient
    assert benchmark.peak_memory(step) == pytest.approx(
        2 * BYTES, rel=1e-3
    )  # added to the first gradient in place


def test_peak_memory_on_a_gpu_asks_torch(monkeypatch):
    """Without a GPU: what torch.cuda would be asked, and in which order."""
    calls = []
    for name, value in {
        "synchronize": None,
        "reset_peak_memory_stats": None,
        "memory_allocated": 100,
        "max_memory_allocated": 350,
    }.items():
        monkeypatch.setattr(
            torch.cuda, name, lambda device, name=name, value=value: calls.append(name) or value
        )
    assert benchmark.peak_memory(lambda: calls.append("run"), "cuda:0") == 250
    assert calls == [
        "synchronize",
        "reset_peak_memory_stats",
        "memory_allocated",
        "run",
        "synchronize",
        "max_memory_allocated",
    ]


def test_peak_memory_refuses_by_name():
    with pytest.raises(
        TypeError, match=r"callable without arguments, as `lambda: model\(x\)` is, got Tensor"
    ):
        benchmark.peak_memory(torch.zeros(1))
    with pytest.raises(ValueError, match="knows 'cpu' and 'cuda', got device 'meta'"):
        benchmark.peak_memory(lambda: None, "meta")
