"""How a figure to touch gets into a page: its module and its data in a custom element, nothing from
elsewhere.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from urllib.parse import quote

from . import style

_FALLBACK = "<p>This figure needs JavaScript.</p>"


class Widget:
    """A figure to touch; as the last expression of a cell it shows itself.

    Args:
        figure: its module is touch/FIGURE.js.
        data: what the module draws.
        fallback: HTML, shown where no script runs.
    """

    def __init__(self, figure: str, data: dict, fallback: str = _FALLBACK):
        self.figure, self.data, self.fallback = figure, data, fallback

    def _repr_html_(self) -> str:
        name = "dc-" + self.figure.replace("_", "-")
        return (
            f"<style>{common_css()}{_source(f'{self.figure}.css')}</style>\n"
            f'<{name} class="dc-figure"><div class="dc-fallback">{self.fallback}</div>'
            f'<script type="application/json">{_safe_json(self.data)}</script></{name}>\n'
            f'<script type="module">\n{module(self.figure)}\ndefine("{name}", draw);\n</script>'
        )


def common_css() -> str:
    """What every figure needs: colours, hatches, and the rules for the parts of the kit."""
    return f"{style.theme_css()}\n{_hatches_css()}\n{_source('kit.css')}"


def module(figure: str) -> str:
    """One figure as a module without imports, the kit and then the figure, without indentation and
    without the comments that have lines of their own.
    """
    kit, drawing = _source("kit.js"), _source(f"{figure}.js")
    drawing, found = re.subn(
        r'^import \{[^}]*\} from "\./kit\.js";\n', "", drawing, flags=re.MULTILINE
    )
    if found != 1:
        raise ValueError(
            f'touch/{figure}.js must import the kit once, import {{ ... }} from "./kit.js";'
            f" found {found}"
        )
    bare = re.sub(r"^ *(//.*|/\*\*[\s\S]*?\*/)\n", "", kit + drawing, flags=re.MULTILINE)
    return re.sub(r"^(export | +)", "", bare, flags=re.MULTILINE)


def _source(name: str) -> str:
    return files(__package__).joinpath("touch", name).read_text(encoding="utf-8")


def _hatches_css() -> str:
    rules = []
    for i, (path, width) in enumerate(style.HATCH_TILES):
        svg = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><path d='{path}'"
            f" fill='none' stroke='#000' stroke-width='{width}' stroke-linecap='round'/></svg>"
        )
        address = quote(svg, safe=" =:/'")
        rules.append(f'--dc-hatch-{i + 1}:url("data:image/svg+xml,{address}")')
    return f".dc-figure{{{';'.join(rules)}}}"


def _safe_json(data: dict) -> str:
    """JSON that cannot end the script element it stands in, whatever a name contains."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )
