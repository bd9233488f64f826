"""The ledger of claims: `book/data/claims.yaml`, checked and laid out, each claim with a link to
the cell that shows it.
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
FIELDS = ["id", "says", "verdict", "because", "shown"]  # of each claim, in this order
READING = "reading"  # `decided_by: reading` may follow the verdict: then no test computes it
VERDICTS = ("holds", "holds with a condition", "artefact", "wrong", "cannot be known")


class ClaimError(ValueError):
    """The ledger of claims cannot be shown as it stands."""


def read_claims(root):
    """The claims below the folder `root`, {group: [claim, ...]}. Each is a dictionary with the keys
    of FIELDS, and with `decided_by` where no test computes the verdict.

    Raises:
        ClaimError: a field is missing or unknown, an id is unfit or given twice, there is no such
            verdict, way to decide, notebook or code cell; the message names it.
    """
    groups = yaml.safe_load((root / CLAIMS).read_text(encoding="utf-8"))
    seen = set()
    for claim in chain.from_iterable(groups.values()):
        complaint = complaint_about(claim, root)
        if not complaint and claim["id"] in seen:
            complaint = f"two claims have the id {claim['id']!r}; rename one of them"
        if complaint:
            raise ClaimError(f"{CLAIMS}: {complaint}")
        seen.add(claim["id"])
    return groups


def complaint_about(claim, root):
    """What is wrong with a claim by itself; '' if nothing is."""
    name = claim.get("id")
    expected = FIELDS.copy()
    if "decided_by" in claim:
        expected.insert(expected.index("verdict") + 1, "decided_by")
    if list(claim) != expected:
        return (
            f"claim {name!r} must have the fields {', '.join(FIELDS)} in this order, and may have"
            f" decided_by after verdict; got {', '.join(claim)}"
        )
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
        return (
            f"the id {name!r} must be words of small letters and digits with hyphens between them"
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
        by = " Decided by reading. " if claim.get("decided_by") == READING else " "
        number = notebook.partition("_")[0].lstrip("0")
        shown = self.link(f"Chapter {number} shows it", f"{chapter}#cell-{cell}")
        here = self.link("#", f"#claim-{claim['id']}", reftitle="Link to this claim")
        return nodes.list_item(
            "",
            nodes.paragraph(
                "", "", self.badge(claim["verdict"]), nodes.Text(" "), nodes.strong("", "", *says)
            ),
            nodes.paragraph("", "", *because, nodes.Text(by), shown, nodes.Text(".\u00a0"), here),
            ids=[f"claim-{claim['id']}"],
        )

    def badge(self, verdict):
        return nodes.inline(
            "", verdict, classes=["verdict", f"verdict-{VERDICTS.index(verdict) + 1}"]
        )

    def link(self, text, uri, **options):
        return nodes.reference("", text, refuri=uri, internal=True, **options)


def setup(app):
    app.add_directive("claims", Claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
