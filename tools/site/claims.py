"""The ledger of claims: `book/data/claims.yaml`, checked and laid out, each claim with its source
and a link to the cell that shows it.
"""

import json
import re
from collections import Counter
from itertools import chain
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

CLAIMS = "book/data/claims.yaml"
POST = ["name", "title", "meaning", "place"]  # the fields of each post, in this order
FIELDS = ["id", "says", "post", "verdict", "because", "shown", "there"]  # of each claim
OPTIONAL = {"words": "post", "decided_by": "verdict"}  # and the field that each may follow
READING = "reading"  # `decided_by: reading`: no test computes the verdict
VERDICTS = ("holds", "holds with a condition", "artefact", "wrong", "cannot be known")


class ClaimError(ValueError):
    """The ledger of claims cannot be shown as it stands."""


def read_ledger(root):
    """The ledger below the folder `root`: 'posts' is {name: {field: text}}, 'claims' is {group:
    [claim, ...]}, and each claim a dictionary with the keys of FIELDS, and some of OPTIONAL.

    Raises:
        ClaimError: a field is missing or unknown, an id is unfit or given twice, there is no such
            post, verdict, way to decide, notebook or code cell; the message names it.
    """
    ledger = yaml.safe_load((root / CLAIMS).read_text(encoding="utf-8"))
    for name, post in ledger["posts"].items():
        if list(post) != POST:
            raise ClaimError(
                f"{CLAIMS}: the post {name!r} must have the fields {', '.join(POST)} in this order;"
                f" got {', '.join(post)}"
            )
    seen = set()
    for claim in chain.from_iterable(ledger["claims"].values()):
        complaint = complaint_about(claim, ledger["posts"], root)
        if not complaint and claim["id"] in seen:
            complaint = f"two claims have the id {claim['id']!r}; rename one of them"
        if complaint:
            raise ClaimError(f"{CLAIMS}: {complaint}")
        seen.add(claim["id"])
    return ledger


def complaint_about(claim, posts, root):
    """What is wrong with a claim by itself; '' if nothing is."""
    name = claim.get("id")
    expected = FIELDS.copy()
    for field, before in OPTIONAL.items():
        if field in claim:
            expected.insert(expected.index(before) + 1, field)
    if list(claim) != expected:
        may = " and ".join(f"{field} after {before}" for field, before in OPTIONAL.items())
        return (
            f"claim {name!r} must have the fields {', '.join(FIELDS)} in this order, and may have"
            f" {may}; got {', '.join(claim)}"
        )
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
        return (
            f"the id {name!r} must be words of small letters and digits with hyphens between them"
        )
    if claim["post"] not in posts:
        return (
            f"claim {name!r} is of the post {claim['post']!r}; expected one of {', '.join(posts)}"
        )
    if claim["verdict"] not in VERDICTS:
        return (
            f"claim {name!r} has the verdict {claim['verdict']!r}; expected one of"
            f" {', '.join(VERDICTS)}"
        )
    if claim.get("decided_by", READING) != READING:
        return (
            f"claim {name!r} has decided_by {claim['decided_by']!r}; expected {READING!r}, or"
            " nothing where a test computes the verdict"
        )
    stem, _, cell = claim["shown"].partition("#")
    notebook = root / "notebooks" / f"{stem}.ipynb"
    if not notebook.is_file():
        return f"claim {name!r} is shown in {stem!r}, but there is no notebooks/{stem}.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    if cell not in [each.get("id") for each in cells if each["cell_type"] == "code"]:
        return (
            f"claim {name!r} is shown in the cell {cell!r}, but notebooks/{stem}.ipynb has no code"
            " cell of that id"
        )
    return ""


class FromLedger(SphinxDirective):
    """What is laid out from the ledger, which `read` gives."""

    def read(self):
        self.env.note_dependency(CLAIMS)
        try:
            return read_ledger(Path(self.env.srcdir))
        except ClaimError as error:
            raise self.error(str(error)) from None

    def link(self, text, uri, **options):
        return nodes.reference("", text, refuri=uri, internal=True, **options)


class Posts(FromLedger):
    """`{posts}`: what was read, each post at an anchor of its own."""

    def run(self):
        items = []
        for name, post in self.read()["posts"].items():
            meaning = f" ({post['meaning']})" if post["meaning"] else ""
            place, _ = self.parse_inline(post["place"])
            title = nodes.Text(f": '{post['title']}'{meaning}. ")
            heading = nodes.strong("", post["name"])
            paragraph = nodes.paragraph("", "", heading, title, *place)
            items.append(nodes.list_item("", paragraph, ids=[f"post-{name}"]))
        return [nodes.bullet_list("", *items, classes=["posts"])]


class Claims(FromLedger):
    """`{claims} GROUP`: the claims of that group, each at an anchor of its own. `{claims}` alone:
    how many have which verdict.
    """

    optional_arguments = 1

    def run(self):
        ledger = self.read()
        groups, self.posts = ledger["claims"], ledger["posts"]
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
        words, _ = self.parse_inline(claim.get("words", ""))
        post = self.posts[claim["post"]]
        source = [
            self.link(post["name"], f"#post-{claim['post']}"),
            nodes.Text(": " if words else "."),
        ]
        number, there = notebook.partition("_")[0].lstrip("0"), f"{chapter}#cell-{cell}"
        if claim.get("decided_by") == READING:
            shown = [nodes.Text("Decided by reading; see "), self.link(f"chapter {number}", there)]
        else:
            shown = [self.link(f"Chapter {number} shows it", there)]
        here = self.link("#", f"#claim-{claim['id']}", reftitle="Link to this claim")
        return nodes.list_item(
            "",
            nodes.paragraph(
                "", "", self.badge(claim["verdict"]), nodes.Text(" "), nodes.strong("", "", *says)
            ),
            nodes.paragraph("", "", *source, *words, classes=["claim-source"]),
            nodes.paragraph("", "", *because, nodes.Text(" "), *shown, nodes.Text(".\u00a0"), here),
            ids=[f"claim-{claim['id']}"],
        )

    def badge(self, verdict):
        return nodes.inline(
            "", verdict, classes=["verdict", f"verdict-{VERDICTS.index(verdict) + 1}"]
        )


def setup(app):
    app.add_directive("claims", Claims)
    app.add_directive("posts", Posts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
