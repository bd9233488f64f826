"""Figures of a chapter have numbers, Figure 3.2, and formulas are found by those that they have.

The number of a figure stands before its caption, in the order of the page, and is a link to it. The
notebook knows no numbers, as Colab shows none: a link in it says 'the figure above' or the like,
leads to the cell that draws the figure (03_name.ipynb#cell-03-ratio-figure), and has the number for
its words on the site. A formula brings its number along, as `\\tag{3.1}`, which Colab and Jupyter
show too; it is found at #equation-3-1.
"""

import re

from docutils import nodes
from sphinx.util import logging

CHAPTER = re.compile(r"notebooks/(\d\d)_")
# A plot with its caption, which may be missing, or a figure to touch
FIGURE = re.compile(
    r'<figure class="dc-figure">(?P<plot>.*?)'
    r"(?:<figcaption>(?P<caption>.*?)</figcaption>)?</figure>"
    r"|<(?P<touch>dc-(?!questions)[a-z-]+) .*?</(?P=touch)>",
    re.DOTALL,
)
TO_TOUCH = "To touch."  # the caption of a figure to touch, which says the rest itself
TAG = re.compile(r"\\tag\{(\d+)\.(\d+)\}")
WORDS = re.compile(r"the (?:\w+ )?figure\b", re.IGNORECASE)  # of a link that gets a number


def give_numbers(app, doctree):
    """Write the number of each figure of a chapter into its output, and note who has which."""
    chapter, metadata = CHAPTER.match(app.env.docname), app.env.metadata[app.env.docname]
    slugs = metadata.setdefault("myst_slugs", {})  # what MyST lets links lead to
    numbers = metadata["figure_numbers"] = {}
    for name, cell in cells(doctree):
        slugs[name] = (None, name, "")
        for output in cell.findall(nodes.raw) if chapter else ():

            def numbered(match, cell=name):
                again = sum(known.startswith(cell) for known in numbers)
                name = f"{cell}-{again + 1}" if again else cell  # the first is found by the cell
                numbers[name] = f"{int(chapter[1])}.{len(numbers) + 1}"
                slugs[name] = (None, name, "")
                return with_number(match, name, numbers[name], f' id="{name}"' if again else "")

            output.children = [nodes.Text(FIGURE.sub(numbered, output.astext()))]
    for formula in doctree.findall(nodes.math_block):
        if tag := TAG.search(formula.astext()):
            name = f"equation-{tag[1]}-{tag[2]}"
            formula["ids"].append(name)
            slugs[name] = (None, name, "")


def cells(doctree):
    """(anchor, node) of all code cells."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            yield from ((name, cell) for name in cell["ids"] if name.startswith("cell-"))


def with_number(match, name, number, place):
    link = f'<a class="figure-number" href="#{name}">Figure {number}</a>'
    if match["touch"]:
        return f'{match[0]}<p class="figure-caption"{place}>{link} {TO_TOUCH}</p>'
    caption = f"<figcaption>{link} {match['caption'] or ''}</figcaption>"
    return f'<figure class="dc-figure"{place}>{match["plot"]}{caption}</figure>'


def say_numbers(app, doctree, docname):
    """Links that say 'the figure above' say 'Figure 3.2'."""
    pages = app.env.metadata.values()
    place = {slug: page for page in pages for slug in page.get("myst_slugs", {})}
    for link in doctree.findall(nodes.reference):
        name = link.get("refid") or link.get("refuri", "").partition("#")[2]
        if not (name.startswith("cell-") and WORDS.match(link.astext()) and name in place):
            continue
        numbers = place[name]["figure_numbers"]
        if name in numbers:
            link.children = [nodes.inline("", f"Figure {numbers[name]}")]
        elif numbers:  # a chapter without outputs has none
            text = "%s: '%s' leads to #%s, which is no figure of a chapter"
            logging.getLogger(__name__).warning(text, docname, link.astext(), name)


def setup(app):
    app.add_css_file("numbers.css")
    app.connect("doctree-read", give_numbers, priority=600)  # when cells have their anchors
    app.connect("doctree-resolved", say_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
