"""A small Sphinx extension that finishes the site.

It makes the site ask no other host for anything (MathJax is copied from npm, thebe and the scripts
that only it needs are left out), derives the addresses of the published site from `repository.url`,
describes each page by its first paragraph, writes into each chapter how long it ran in this build,
gives every code cell an anchor, draws the figure of the front page, and lays out the ledger of
claims, whose entries lead to those anchors.
"""

import json
import re
import shutil
from collections import Counter
from html import escape
from itertools import chain
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util.docutils import SphinxDirective

MATHJAX = Path(__file__).resolve().parent / "node_modules/mathjax/es5"
UNUSED_TAGS = re.compile(
    r"<script[^>]*/fontawesome\.js[^>]*></script>\n?|<link[^>]*/sphinx-thebe\.css[^>]*>\n?"
)
PRINTED_TITLE = re.compile(r'(<div id="jb-print-docs-body"[^>]*>\s*)<h1>(.*?)</h1>', re.DOTALL)
RUN_TIME = "measured in each build"  # the text of the link that each chapter opens with
CLAIMS = "book/data/claims.yaml"
FIELDS = ["id", "says", "verdict", "because", "shown"]  # of each claim, in this order
VERDICTS = ("holds", "holds with a condition", "artefact", "wrong", "cannot be known")


def forget_thebe(app, config):
    """Jupyter Book always loads sphinx-thebe, which names unpkg.com on each page: none of its
    handlers is called.
    """
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if not listener.handler.__module__.startswith("sphinx_thebe")
        ]


def set_addresses(app, config):
    """GitHub Pages serves https://github.com/owner/name at https://owner.github.io/name/."""
    owner, name = config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    config.ogp_site_url = f"https://{owner}.github.io/{name}/"
    config.notfound_urls_prefix = (  # the 404 page is shown at any depth, so its links are absolute
        f"/{name}/"
    )


def copy_mathjax(app):
    """The one component that the pages load, its fonts, and the TeX extensions that it loads by
    itself (\\boldsymbol).
    """
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static/mathjax"
    static.mkdir(parents=True, exist_ok=True)
    shutil.copy(MATHJAX / "tex-chtml.js", static)
    for folder in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
        shutil.copytree(MATHJAX / folder, static / folder, dirs_exist_ok=True)


def write_run_time(app, doctree, docname):
    """Replace the link text 'measured in each build' by the seconds that myst-nb (or its cache)
    recorded.
    """
    result = NbMetadataCollector.get_exec_data(app.env, docname)
    if not result or result["runtime"] is None:
        return
    for link in doctree.findall(nodes.reference):
        if link.astext() == RUN_TIME:
            link.children = []
            link += nodes.inline(
                "", f"{max(1, round(result['runtime']))} s in this build", classes=["run-time"]
            )


def anchor_cells(app, doctree):
    """A code cell with the id 06-solved-code in its notebook is found at #cell-06-solved-code on
    its page.
    """
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    for node in doctree.findall(nodes.container):
        if "cell_index" in node and "id" in cells[node["cell_index"]]:
            node["ids"].append(f"cell-{cells[node['cell_index']]['id']}")


def describe(app, pagename, templatename, context, doctree):
    """The first paragraph of a page, which says what it is about, describes it to search engines
    and in previews.

    By itself sphinxext-opengraph takes the first 200 characters, which in a chapter are badges and
    a table.
    """
    paragraph = next(doctree.findall(nodes.paragraph), None) if doctree else None
    if paragraph:
        text = " ".join(paragraph.astext().split())
        context["meta"] = {**(context["meta"] or {}), "og:description": text}
        context["metatags"] += f'<meta name="description" content="{escape(text)}" />'


class FrontFigure(Directive):
    """`{front-figure}`: the figure of chapter 1 on a page that has no kernel to make it."""

    def run(self):
        from dynconv.figures import widgets
        from dynconv.lab import scenes

        edge = [[0.25, 0, -0.25], [0.5, 0, -0.5], [0.25, 0, -0.25]]
        corner = [[0.5, 0.25, 0], [0.25, 0, -0.25], [0, -0.25, -0.5]]
        spot = [[-0.1, -0.1, -0.1], [-0.1, 0.8, -0.1], [-0.1, -0.1, -0.1]]
        images = {
            light: scenes.relight(scenes.shapes(1, seed=7), light)[0]
            for light in ("day", "inverted")
        }
        figure = widgets.kernel_mixer(
            images=images, experts=[edge, [*zip(*edge)], corner, spot], alpha=[0.9, 0.3, 0.1, 0.2]
        )
        return [nodes.raw("", figure._repr_html_(), format="html")]


class ClaimError(ValueError):
    """The ledger of claims cannot be shown as it stands."""


def read_claims(root):
    """The claims below the folder `root`, {group: [claim, ...]}. Each is a dictionary with the keys
    of FIELDS.

    Raises:
        ClaimError: a field is missing or unknown, an id is unfit or given twice, there is no such
            verdict, notebook or code cell; the message names it.
    """
    groups = yaml.safe_load((root / CLAIMS).read_text(encoding="utf-8"))
    seen = set()
    for claim in chain.from_iterable(groups.values()):
        name = claim.get("id")
        if list(claim) != FIELDS:
            raise ClaimError(
                f"{CLAIMS}: claim {name!r} must have the fields {', '.join(FIELDS)} in this order,"
                f" got {', '.join(claim)}"
            )
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
            raise ClaimError(
                f"{CLAIMS}: the id {name!r} must be words of small letters and digits with hyphens"
                " between them"
            )
        if name in seen:
            raise ClaimError(f"{CLAIMS}: two claims have the id {name!r}; rename one of them")
        seen.add(name)
        if claim["verdict"] not in VERDICTS:
            raise ClaimError(
                f"{CLAIMS}: claim {name!r} has the verdict {claim['verdict']!r}; expected one of"
                f" {', '.join(VERDICTS)}"
            )
        stem, _, cell = claim["shown"].partition("#")
        notebook = root / "notebooks" / f"{stem}.ipynb"
        if not notebook.is_file():
            raise ClaimError(
                f"{CLAIMS}: claim {name!r} is shown in {stem!r}, but there is no"
                f" notebooks/{stem}.ipynb"
            )
        code = [
            each.get("id")
            for each in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
            if each["cell_type"] == "code"
        ]
        if cell not in code:
            raise ClaimError(
                f"{CLAIMS}: claim {name!r} is shown in the cell {cell!r}, but"
                f" notebooks/{stem}.ipynb has no code cell of that id"
            )
    return groups


class Claims(SphinxDirective):
    """`{claims} GROUP`: the claims of that group, each at an anchor of its own. `{claims}` alone:
    how many have which verdict.
    """

    optional_arguments = 1

    def run(self):
        try:
            groups = read_claims(Path(self.env.srcdir))
        except ClaimError as error:
            raise self.error(str(error)) from None
        self.env.note_dependency(CLAIMS)
        if not self.arguments:
            return [self.counts(list(chain.from_iterable(groups.values())))]
        group = self.arguments[0]
        if group not in groups:
            raise self.error(f"{CLAIMS} has no group {group!r}; it has {', '.join(groups)}")
        return [nodes.bullet_list("", *map(self.entry, groups[group]), classes=["claims"])]

    def counts(self, claims):
        found = Counter(claim["verdict"] for claim in claims)
        paragraph = nodes.paragraph("", f"{len(claims)} claims: ", classes=["claim-counts"])
        for verdict in VERDICTS:
            paragraph += [
                nodes.inline("", "", self.badge(verdict), nodes.Text(f" {found[verdict]}")),
                nodes.Text(" "),
            ]
        return paragraph

    def entry(self, claim):
        notebook, _, cell = claim["shown"].partition("#")
        if f"notebooks/{notebook}" not in self.env.found_docs:
            raise self.error(
                f"{CLAIMS}: claim {claim['id']!r} is shown in notebooks/{notebook}, which is not in"
                " _toc.yml"
            )
        chapter = self.env.app.builder.get_relative_uri(self.env.docname, f"notebooks/{notebook}")
        says, _ = self.parse_inline(claim["says"])
        because, _ = self.parse_inline(claim["because"])
        number = notebook.partition("_")[0].lstrip("0")
        shown = self.link(f"Chapter {number} shows it", f"{chapter}#cell-{cell}")
        here = self.link("#", f"#claim-{claim['id']}", reftitle="Link to this claim")
        return nodes.list_item(
            "",
            nodes.paragraph(
                "", "", self.badge(claim["verdict"]), nodes.Text(" "), nodes.strong("", "", *says)
            ),
            nodes.paragraph("", "", *because, nodes.Text(" "), shown, nodes.Text(".\u00a0"), here),
            ids=[f"claim-{claim['id']}"],
        )

    def badge(self, verdict):
        return nodes.inline(
            "", verdict, classes=["verdict", f"verdict-{VERDICTS.index(verdict) + 1}"]
        )

    def link(self, text, uri, **options):
        return nodes.reference("", text, refuri=uri, internal=True, **options)


def tidy(app, exception):
    """Take out what no page needs, and leave one first heading on each.

    The theme's fontawesome.js (1.5 MB) redraws icons that its web font already draws, the style
    sheet of thebe went with thebe, and source maps and templates are for the authors of the theme.
    The title that is there for print becomes a paragraph: the page has that heading already.
    """
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    (site / "_static/scripts/fontawesome.js").unlink(missing_ok=True)
    for pattern in ("_static/**/*.map", "_static/*.html"):
        for file in site.glob(pattern):
            file.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = PRINTED_TITLE.sub(r'\1<p class="h1">\2</p>', UNUSED_TAGS.sub("", text))
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.add_directive("front-figure", FrontFigure)
    app.add_directive("claims", Claims)
    app.connect("config-inited", forget_thebe)
    app.connect("config-inited", set_addresses)
    app.connect("builder-inited", copy_mathjax)
    app.connect("doctree-read", anchor_cells)
    app.connect("doctree-resolved", write_run_time)
    app.connect("html-page-context", describe, priority=400)  # before sphinxext-opengraph
    app.connect("build-finished", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
