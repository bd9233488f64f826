"""Static figures: each says what it shows, follows the theme, and never refers to a part of another
figure.
"""

import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import Image

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from dynconv.figures import plots, style


def noise(*shape):
    """The same numbers from 0 to 1 for each figure, whatever was drawn before."""
    return np.random.default_rng(0).random(shape)


EXPERTS, ALPHA, X = np.random.default_rng(1).normal(size=(4, 3, 3)), noise(4), noise(12, 12)
MIXED = np.tensordot(ALPHA, EXPERTS, 1)
T = np.arange(5)


def on_axes(draw):
    figure = Figure(figsize=(4, 3))
    draw(figure.add_subplot())
    return figure


FIGURES = {
    "image": lambda: on_axes(lambda ax: plots.image(ax, X, "X")),
    "response": lambda: on_axes(lambda ax: plots.response(ax, X - 0.5, 1.0, "Y")),
    "kernel": lambda: on_axes(lambda ax: plots.kernel_heatmap(ax, EXPERTS[0], 1.0, "W")),
    "signs": lambda: on_axes(plots.sign_key),
    "alpha": lambda: on_axes(lambda ax: plots.alpha_bars(ax, noise(8))),
    "boxes": lambda: plots.boxes(
        [plots.Box("Conv", 1, 2, bold=True), plots.Box("split", 1, 1, fill=0.4)],
        [((1, 1.7), (1, 1.3))],
        [plots.Note("c", 1.2, 1.5, italic=True)],
        [(1, 2.4, 1.5)],
    ),
    "mixing": lambda: plots.mixing(X, EXPERTS, ALPHA, MIXED, X - 0.5),
    "mixing 8": lambda: plots.mixing(
        X, np.tile(EXPERTS, (2, 1, 1)), np.tile(ALPHA, 2), MIXED, X - 0.5
    ),
    "mixing 1": lambda: plots.mixing(X, EXPERTS[:1], ALPHA[:1], MIXED, X - 0.5),
    "curves": lambda: plots.curves({"baseline": (T, T), "ours": (T, noise(3, 5))}, "epoch", "mAP"),
    "alpha grid": lambda: plots.alpha_grid(
        noise(3, 4, 4),
        np.full((3, 4, 4), 0.1),
        ["a", "b", "c"],
        ["○ day", "● night", "◐ inverted", "▦ noisy"],
    ),
    "small curves": lambda: plots.small_curves(
        {f"layer {i}": {"ours": (T, noise(5)), "baseline": (T, noise(5))} for i in range(4)},
        "epoch",
        "spread",
        baseline="baseline",
    ),
    "signed rows": lambda: plots.signed_rows(
        {"kernel": EXPERTS, "minus mean": EXPERTS / 90}, ["a", "b", "c", "d"]
    ),
    "strip": lambda: plots.strip(noise(8, 12, 12), noise(8), ["○"] * 8, expert=1),
    "matrix": lambda: plots.matrix(
        noise(2, 3), ["day", "all"], ["own", "mean", "day"], "α from", "images"
    ),
    "intervals": lambda: plots.intervals(
        {"a": {"baseline": ([1, 2, 4], 1, 3), "ours": ([2, 3], 1, 4)}, "b": {"ours": ([1], 0, 2)}},
        "mAP",
    ),
    "detections": lambda: plots.detections(
        noise(3, 12, 12), [np.array([[0.5, 0.5, 0.2, 0.4]])] * 3, ["a", "b", "c"], columns=2
    ),
    "bars": lambda: plots.bars({"baseline": 1, "parameters": 4.0, "reported": 0.0004}, "ratio"),
    "places": lambda: plots.reading_places(
        noise(2, 8, 8), [(2, 3)], {"a": (noise(2, 1, 9, 2) * 7, noise(2, 1, 9) - 0.5)}
    ),
    "dots": lambda: plots.dots(
        {"a": {"parameters": 0.7, "time": 2.5}, "b": {"parameters": 1.0, "time": 1.1}},
        "ratio",
        headings={"b": "of b"},
    ),
    "bare matplotlib": lambda: on_axes(
        lambda ax: (
            ax.plot(T, T),
            ax.set_title("black by default"),
            ax.fill([0, 1, 1], [0, 0, 1], "k"),
        )
    ),
}


def svg_of(page):
    return page[page.index("<svg ") : page.index("</svg>") + 6]


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_needs_a_description(alt):
    with pytest.raises(ValueError, match="alt must say in one sentence"):
        plots.to_html(Figure(), alt)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_part_of_the_page(name):
    page = plots.to_html(FIGURES[name](), r'a "small" figure of \alpha', "see <this>")
    svg = svg_of(page)
    ET.fromstring(
        svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
    )  # well-formed
    assert 'role="img" aria-label="a &quot;small&quot; figure of \\alpha"' in svg
    assert "<figcaption>see &lt;this&gt;</figcaption>" in page
    assert "<text" in svg or name == "bare matplotlib"
    assert "font-family" not in svg and "DejaVu" not in svg  # the page's font
    assert "<style" not in svg  # it would style the whole page
    assert len(page) < 60_000


@pytest.mark.parametrize("name", FIGURES)
def test_every_colour_follows_the_theme(name):
    page = plots.to_html(FIGURES[name](), "a figure")
    svg = svg_of(page)
    bare = re.sub(r"var\(--[\w-]+,[^)]*\)", "", svg)
    palette = {colour.light for colour in style.css_variables().values()} | {"#000000"}
    assert not palette & set(re.findall(r"#[0-9a-f]{6}\b", bare.lower()))
    # Each variable in use has a light and a dark value in the style beside it.
    for used in set(re.findall(r"var\((--dc-[\w-]+)", page)):
        assert len(re.findall(rf"{used}:#", page)) == 2, used


def test_text_without_a_colour_is_ink():
    page = plots.to_html(on_axes(lambda ax: ax.text(0, 0, "hello", color="black")), "a figure")
    assert (
        ".dc-figure>svg{display:block;width:100%;height:auto;fill:var(--dc-ink,currentColor)}"
        in page
    )


def test_what_a_reader_draws_in_other_colours_stays():
    """Colours and hatches that are not of the palette, and links that are no mark of a theme."""

    def draw(ax):
        ax.bar([0], [1], hatch="//", facecolor="#123456", edgecolor="#654321")
        ax.text(0, 0, "x", url="https://example.org")

    svg = svg_of(plots.to_html(on_axes(draw), "a figure"))
    pattern = svg[svg.index("<pattern") : svg.index("</pattern>")]
    assert "#123456" in pattern and "#654321" in pattern
    assert re.search(r'<a [^>]*href="https://example.org"', svg)


def test_no_two_figures_share_an_id():
    pages = [plots.to_html(make(), "a figure") for make in FIGURES.values()]
    ids = [set(re.findall(r'\bid="([^"]*)"', page)) for page in pages]
    assert sum(map(len, ids)) == len(set().union(*ids))
    for page, own in zip(pages, ids):
        assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', page)) <= own


def test_the_same_figure_is_the_same_text():
    assert plots.to_html(FIGURES["mixing"](), "a figure") == plots.to_html(
        FIGURES["mixing"](), "a figure"
    )


def test_a_signed_map_has_a_light_and_a_dark_form():
    page = plots.to_html(
        on_axes(lambda ax: plots.response(ax, [[-1.0, 0.0, 9.0]], 1.0)), "a figure"
    )
    assert page.count('class="dc-light"') == page.count('class="dc-dark"') == 1
    assert page.count("<image") == 2 and page.count("image-rendering: pixelated") == 2


def test_a_matrix_shows_its_numbers_on_both_themes():
    page = plots.to_html(
        plots.matrix([[0.0, 0.456], [1.0, 2.0]], ["a", "b"], ["c", "d"]), "a matrix"
    )
    assert (
        page.count(">0.46<") == page.count(">2.00<") == 2
    )  # once for the light ground, once for the dark one
    assert (
        page.count('class="dc-light"') == page.count('class="dc-dark"') == 5
    )  # the ground and four numbers


def test_show_closes_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure, ax = plt.subplots()
    plots.show(figure, "an empty plot")
    assert not plt.fignum_exists(figure.number)
    assert "an empty plot" in shown[0].data


def test_the_book_style_is_not_left_behind_by_a_figure():
    before = matplotlib.rcParams.copy()
    plots.curves({"a": (T, T)}, "x", "y")
    assert matplotlib.rcParams == before


def test_a_plot_of_the_reader_keeps_its_paper():
    """As Colab and Jupyter show it, in the dark too: dark ink must not stand on nothing."""
    picture = io.BytesIO()
    with matplotlib.rc_context():
        plots.use_book_style()
        figure, _ = plt.subplots()
        figure.savefig(picture, format="png")
        plt.close(figure)
    pixels = np.asarray(Image.open(picture).convert("RGBA"))
    assert (pixels[0, 0] == 255).all() and (pixels[..., 3] == 255).all()


def test_labels_of_curves_that_end_together_stay_apart():
    figure = plots.curves({f"run {i}": (T, T * (1 + i / 1000)) for i in range(4)}, "epoch", "mAP")
    figure.draw_without_rendering()
    heights = sorted(text.get_window_extent().y0 for text in figure.axes[0].texts)
    assert min(np.diff(heights)) >= 10.5 / 72 * figure.dpi


def test_a_key_shows_each_line_as_it_is_drawn():
    names = ["static", "τ = 1", "τ = 10"]
    series = dict.fromkeys(names, (T, T))
    (ax,) = plots.curves(series, "step", "error", baseline="static", key=True).axes
    samples = ax.get_legend().get_lines()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == names and not ax.texts
    for sample, line in zip(samples, ax.lines, strict=True):
        assert sample.get_linestyle() == line.get_linestyle()
        assert sample.get_color() == line.get_color()
    assert len({line.get_linestyle() for line in ax.lines[1:]}) == 2


def test_the_key_of_signs_has_the_colours_of_the_maps():
    figure = on_axes(plots.sign_key)
    (light, _), names = figure.axes[0].images, figure.axes[0].get_xticklabels()
    ends = light.get_array()[0]
    for place, colour in ((0, style.NEGATIVE), (16, style.ZERO), (32, style.POSITIVE)):
        assert matplotlib.colors.to_hex(ends[place]) == colour.light
    assert [name.get_text() for name in names] == ["negative", "positive"]


def test_bands_that_overlap_have_a_colour_each():
    runs = {name: (T, noise(2, 5)) for name in ("baseline", "ours", "theirs", "others")}
    (ax,) = plots.curves(runs, "epoch", "mAP").axes
    colours = [tuple(band.get_facecolor()[0]) for band in ax.collections]
    assert len(set(colours)) == len(runs)


def test_the_mark_of_a_tiny_spread_is_seen_on_its_bar():
    """At its two ends stand lines across the bar, with a rim in the colour of the page."""
    figure = plots.alpha_grid(np.full((1, 1, 2), 0.5), np.full((1, 1, 2), 0.001), ["a"], ["b"])
    rim, ink = figure.axes[0].lines
    assert rim.get_color() == style.ZERO.light and rim.get_linewidth() > ink.get_linewidth() + 1
    for line in (rim, ink):
        across = [(0.499, 0, 0.3), (0.501, 0, 0.3), (0.499, 1, 0.3), (0.501, 1, 0.3)]
        points = {tuple(point) for point in line.get_xydata()}
        assert points >= {(x, i + d) for x, i, half in across for d in (-half, half)}


def test_each_row_of_signed_maps_has_a_scale_of_its_own():
    """A small difference beside a large kernel is not pale, and the scale says that it is small."""
    figure = plots.signed_rows({"kernel": EXPERTS, "difference": EXPERTS / 90}, list("abcd"))
    figure.draw_without_rendering()
    pictures = [ax.images[0].get_array() for ax in figure.axes]
    assert len(pictures) == 10
    for of_kernel, of_difference in zip(pictures[:5], pictures[5:]):
        np.testing.assert_allclose(of_kernel, of_difference, atol=1e-9)
    limit, texts = abs(EXPERTS).max(), [text.get_text() for text in figure.texts]
    assert {f"{limit:.1f}", f"−{limit / 90:.3f}"} <= set(texts)


def test_boxes_lie_where_the_labels_say():
    figure = plots.detections(np.zeros((1, 10, 10)), [np.array([[0.3, 0.6, 0.2, 0.4]])], ["a"])
    (box,) = figure.axes[0].patches  # pixel (0, 0) is drawn from -0.5 to 0.5
    np.testing.assert_allclose([*box.get_xy(), box.get_width(), box.get_height()], [1.5, 3.5, 2, 4])


def test_a_mark_lies_where_it_is_read_and_says_its_weight():
    places, weights = np.array([[2.5, 1.0], [0.0, 3.25]]), np.array([0.5, -1.0])
    figure = plots.reading_places(
        np.zeros((1, 8, 8)), [(2, 1)], {"a": (places[None, None], weights[None, None])}
    )
    positive, negative = figure.axes[0].lines
    assert (positive.get_xdata()[0], positive.get_ydata()[0]) == (1.0, 2.5) and (
        negative.get_xdata()[0],
        negative.get_ydata()[0],
    ) == (3.25, 0.0)
    assert (positive.get_marker(), negative.get_marker()) == (
        "o",
        "s",
    ) and positive.get_markersize() < negative.get_markersize()
    frame = figure.axes[0].patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (0.5, 1.5, 1)


def test_a_mark_beyond_the_image_is_not_cut():
    places = np.array([[-1.5, 3.0], [9.0, 3.0]])  # the image has rows 0 to 7
    figure = plots.reading_places(
        np.zeros((1, 8, 8)), [(2, 1)], {"a": (places[None, None], np.ones((1, 1, 2)))}
    )
    (ax,) = figure.axes
    figure.canvas.draw()
    for mark in ax.lines:
        middle = ax.transData.transform((mark.get_xdata()[0], mark.get_ydata()[0]))
        reach = mark.get_markersize() / 2 / 72 * figure.dpi
        box = ax.get_window_extent()
        assert box.x0 < middle[0] - reach and middle[0] + reach < box.x1
        assert box.y0 < middle[1] - reach and middle[1] + reach < box.y1


def test_the_line_of_a_baseline_crosses_no_number():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    values = {"stock": 1.0} | {f"{value:.2f}": value for value in np.arange(0.05, 1.4, 0.05)}
    for longest in (1.4, 4.0):
        figure = plots.bars(values | {"longest": longest}, baseline="stock")
        FigureCanvasAgg(figure).draw()
        (ax,) = figure.axes
        line, _ = ax.transData.transform((1.0, 0))
        for text in ax.texts:
            box = text.get_window_extent()
            assert line < box.x0 - 2 or line > box.x1 + 2, text.get_text()


def test_bars_without_a_baseline_have_no_line():
    assert not plots.bars({"a": 1, "b": 2}).axes[0].lines


@pytest.mark.parametrize("numbers, aspect", [([], "auto"), ([(1, 0, 0)], 1)])
def test_the_ground_of_a_number_is_round_in_a_diagram(numbers, aspect):
    figure = plots.boxes([plots.Box("Conv", 0, 1)], [], numbers=numbers)
    assert figure.axes[0].get_aspect() == aspect


def test_dots_stand_at_their_ratio_beside_their_name():
    figure = plots.dots(
        {"a": {"parameters": 0.7, "time": 2.5}, "b": {"parameters": 1.0, "time": 1.1}},
        "ratio",
        headings={"b": "of b"},
    )
    (ax,) = figure.axes
    rows = dict(zip((label.get_text() for label in ax.get_yticklabels()), ax.get_yticks()))
    found = {
        (line.get_marker(), round(line.get_ydata()[0])): line.get_xdata()[0]
        for line in ax.lines
        if line.get_marker() in "so"
    }
    assert found == {
        ("s", rows["a"]): 0.7,
        ("o", rows["a"]): 2.5,
        ("s", rows["b"]): 1.0,
        ("o", rows["b"]): 1.1,
    }
    assert rows["b"] - rows["a"] == 2  # the heading has a line of its own
    low, high = ax.get_xlim()
    assert low < 0.7 and high > 2.5


def test_dots_of_equal_ratios_do_not_cover_each_other():
    figure = plots.dots({"a": dict.fromkeys(("parameters", "operations", "time"), 1.0)}, "ratio")
    figure.canvas.draw()
    (ax,) = figure.axes
    marks = [line for line in ax.lines if line.get_marker() in "soD"]
    heights = [ax.transData.transform((1, line.get_ydata()[0]))[1] for line in marks]
    points = [72 / figure.dpi * (upper - lower) for upper, lower in zip(heights, heights[1:])]
    assert min(points) > marks[0].get_markersize() + marks[0].get_markeredgewidth()


@pytest.mark.parametrize("step, whole", [(1, True), (0.5, False)])
def test_epochs_are_whole_numbers(step, whole):
    figure = plots.curves({"a": (np.arange(4) * step, np.arange(4))}, "epoch", "loss")
    assert all(float(tick).is_integer() for tick in figure.axes[0].get_xticks()) == whole


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda ax: plots.image(ax, X[None]),
            r"array must have 2 dimensions, got shape \(1, 12, 12\)",
        ),
        (lambda ax: plots.alpha_bars(ax, ALPHA, ["one"]), r"one entry per expert \(4\), got 1"),
        (lambda ax: plots.response(ax, X, 0), "limit must be above 0"),
        (lambda ax: plots.alpha_bars(ax, np.zeros(9)), "at most 8 experts"),
        (lambda ax: plots.curves({}, "x", "y"), "at least one"),
        (lambda ax: plots.curves({"a": (T, T[:3])}, "x", "y"), r"one value per x \(5\), got 3"),
        (
            lambda ax: plots.mixing(X, np.zeros((9, 3, 3)), np.zeros(9), MIXED, X),
            "at most 8 experts",
        ),
        (lambda ax: plots.bars({}), "at least one"),
        (lambda ax: plots.boxes([], []), "at least one Box, got none"),
        (
            lambda ax: plots.boxes([plots.Box("split", 0, 0, fill=1.2)], []),
            "from 0 to 1, got 1.2 for 'split'",
        ),
        (lambda ax: plots.intervals({"a": {}}, "x"), "at least one"),
        (
            lambda ax: plots.detections(np.zeros((2, 4, 4)), [[]], ["a", "b"]),
            "equally many, got 2, 1, 2",
        ),
        (
            lambda ax: plots.alpha_grid(
                np.zeros((2, 2, 4)), np.zeros((2, 2, 4)), ["a"], ["b", "c"]
            ),
            r"shape \(1, 2, experts\), got \(2, 2, 4\)",
        ),
        (
            lambda ax: plots.alpha_grid(np.zeros((1, 1, 9)), np.zeros((1, 1, 9)), ["a"], ["b"]),
            "at most 8 experts",
        ),
        (
            lambda ax: plots.strip(np.zeros((2, 4, 4)), [0.1, 0.2], ["a"], 0),
            "one entry per image, got 2, 2 and 1",
        ),
        (
            lambda ax: plots.matrix(np.zeros((2, 2)), ["a"], ["b", "c"]),
            r"shape \(1, 2\), rows and columns, got \(2, 2\)",
        ),
        (lambda ax: plots.reading_places(X[None], [(2, 3)], {}), "at least one name"),
        (lambda ax: plots.dots({}, "x"), "one to three kinds"),
        (lambda ax: plots.small_curves({}, "x", "y"), "same names, at least one"),
        (
            lambda ax: plots.small_curves({"a": {"b": (T, T)}, "c": {"d": (T, T)}}, "x", "y"),
            r"got {'a': \['b'\], 'c': \['d'\]}",
        ),
        (
            lambda ax: plots.signed_rows({"kernel": EXPERTS}, ["a"]),
            r"one map per title \(1\), got {'kernel': 4}",
        ),
        (
            lambda ax: plots.dots({"a": {"time": 1}, "b": {"parameters": 1}}, "x"),
            "the same one to three kinds",
        ),
        (lambda ax: plots.dots({"a": {"time": 0}}, "x"), "ratios above 0, got .*'time': 0"),
        (lambda ax: plots.dots({"a": {"time": 1}}, "x", headings={"b": "of b"}), "got 'b'"),
        (
            lambda ax: plots.reading_places(
                X[None], [(2, 3)], {"a": (np.zeros((1, 2, 9, 2)), np.zeros((1, 2, 9)))}
            ),
            r"'a' must have places \(1, 1, 'P', 2\).*got \(1, 2, 9, 2\)",
        ),
        (
            lambda ax: plots.reading_places(
                X[None], [(2, 3)], {"a": (np.zeros((1, 1, 9, 3)), np.zeros((1, 1, 9)))}
            ),
            r"got \(1, 1, 9, 3\) and \(1, 1, 9\)",
        ),
    ],
)
def test_a_wrong_input_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw(Figure().add_subplot())
