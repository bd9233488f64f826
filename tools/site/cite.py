"""`{cite-this}`: how to cite the book, from CITATION.cff, as a sentence and as BibTeX."""

import os
import time
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def citation(root, published):
    """What CITATION.cff says, by the fields of BibTeX; the address only if there is one."""
    said = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    names = (
        f"{{{person['name']}}}"
        if "name" in person
        else ", ".join(person[part] for part in ("family-names", "given-names") if part in person)
        for person in said["authors"]
    )
    return {
        "author": " and ".join(names),
        "title": f"{{{said['title']}}}",
        "year": str(said.get("date-released", now.tm_year))[:4],
        "version": said["version"],
        **({"url": said["repository-code"]} if published else {}),
        "note": f"Book of notebooks and Python package, {said['license']}",
    }


class CiteThis(SphinxDirective):
    def run(self):
        file = Path(self.env.srcdir) / "CITATION.cff"
        self.env.note_dependency(str(file))
        fields = citation(file.parent, self.config.is_published)
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        entry = f"@software{{dynconv_book,\n{lines}}}"
        return [nodes.literal_block(entry, entry, language="bibtex")]


def setup(app):
    app.add_directive("cite-this", CiteThis)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
