"""The two commands that print how long a layer takes beside its alternatives."""

import pytest

from dynconv import benchmark
from dynconv.relatives import timing

COMMANDS = {
    "benchmark": (benchmark, {"static": 1, "dynconv": 2, "timm": 4, "formula": 8}),
    "timing": (timing, {"forward": 2, "training step": 4}),
}
command = pytest.mark.parametrize("module, times", COMMANDS.values(), ids=COMMANDS)


@command
def test_a_row_for_each_shape_and_their_geometric_mean(module, times, monkeypatch, capsys):
    """The first layer takes the given times, the second four times as long."""
    asked, shapes = [], module.SHAPES[:2]

    def ratios(shape, *options):
        asked.append(options[-2:] if module is timing else options[1:])
        return {name: value * (4 if shape is shapes[1] else 1) for name, value in times.items()}

    monkeypatch.setattr(module, "SHAPES", shapes)
    monkeypatch.setattr(module, "ratios", ratios)
    arguments, options = ["--repetitions", "3", "--threads", "2"], (3, 2)
    if module is benchmark:
        arguments, options = [*arguments, "--num-experts", "5"], (3, 5, 2)
    monkeypatch.setattr("sys.argv", ["", *arguments])
    module.main()
    assert set(asked) == {options}
    first, *tables = capsys.readouterr().out.split("forward")
    assert "2 thread(s)" in first
    shown = [name for name in times if name != "static"]
    printed = "forward".join(tables).splitlines()
    for label, factor in ((str(shapes[0]), 1), (str(shapes[1]), 4), ("geometric mean", 2)):
        rows = [line for line in printed if line.startswith(label)]
        assert len(rows) == (2 if module is benchmark else 1)
        for row in rows:
            assert row.removeprefix(label).split() == [
                f"{times[name] * factor:.2f}" for name in shown
            ]


@command
def test_a_count_below_one_is_refused(module, times, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["", "--threads", "0"])
    with pytest.raises(SystemExit):
        module.main()
    assert "--threads must be at least 1" in capsys.readouterr().err
