"""`{front-figure}`: the figure of chapter 1 on a page that has no kernel to make it."""

from docutils import nodes
from docutils.parsers.rst import Directive

from dynconv.figures import widgets
from dynconv.lab import scenes

EDGE = [[0.25, 0, -0.25], [0.5, 0, -0.5], [0.25, 0, -0.25]]
CORNER = [[0.5, 0.25, 0], [0.25, 0, -0.25], [0, -0.25, -0.5]]
SPOT = [[-0.1, -0.1, -0.1], [-0.1, 0.8, -0.1], [-0.1, -0.1, -0.1]]
EXPERTS = [EDGE, [list(row) for row in zip(*EDGE)], CORNER, SPOT]
ALPHA = [0.9, 0.3, 0.1, 0.2]


class FrontFigure(Directive):
    def run(self):
        images = {
            light: scenes.relight(scenes.shapes(1, seed=7), light)[0]
            for light in ("day", "inverted")
        }
        figure = widgets.kernel_mixer(images=images, experts=EXPERTS, alpha=ALPHA)
        return [nodes.raw("", figure._repr_html_(), format="html")]


def setup(app):
    app.add_directive("front-figure", FrontFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
