"""The site has the colours of the figures: dynconv/figures/style.py is the one source of both."""

from pathlib import Path

from dynconv.figures import style


def of_the_theme():
    """{variable of the theme: Colour}, for what the figures have a colour for."""
    links = style.EXPERTS[0]
    return {
        "--pst-color-text-base": style.INK,
        "--pst-color-text-muted": style.Colour("#59606a", "#a9b0ba"),
        "--pst-color-border": style.FAINT,
        "--pst-color-primary": links,
        "--pst-color-link": links,
        "--pst-color-link-hover": style.INK,
        "--pst-color-inline-code": style.INK,
        "--pst-color-surface": style.ZERO,
        "--pst-color-on-background": style.ZERO,
    }


def css():
    rules = []
    for form in style.Colour._fields:
        colours = of_the_theme() | style.css_variables()  # these for pictures of the pages' own
        values = ";".join(f"{name}:{getattr(c, form)}" for name, c in colours.items())
        rules.append(f'html[data-theme="{form}"]{{{values}}}\n')
    return "".join(rules)


def write_palette(app):
    if app.builder.format == "html":
        static = Path(app.outdir) / "_static"
        static.mkdir(parents=True, exist_ok=True)
        (static / "palette.css").write_text(css(), encoding="utf-8")


def setup(app):
    app.add_css_file("palette.css")
    app.connect("builder-inited", write_palette)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
