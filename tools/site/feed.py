"""`feed.xml`: the versions of CHANGELOG.md for feed readers, as Atom (RFC 4287). Every page names
it, if the book has a public address.
"""

import os
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import changelog
from markdown_it import MarkdownIt

PAGE, FEED = "book/changelog", "feed.xml"
ATOM = "http://www.w3.org/2005/Atom"


def midnight(date):
    return f"{date}T00:00:00Z"


def feed(text, site, title, author):
    """The bytes of the feed."""
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")

    def add(parent, name, text=None, **attributes):
        child = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
        child.text = text
        return child

    versions = changelog.versions(text)
    now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    newest = versions[0].date if versions else time.strftime("%Y-%m-%d", now)
    add(root, "title", f"{title}: changelog")
    add(root, "id", site + FEED)  # an address that stays, of the feed and of each version
    add(root, "link", rel="self", href=site + FEED)
    add(root, "link", rel="alternate", type="text/html", href=f"{site}{PAGE}.html")
    add(root, "updated", midnight(newest))
    add(add(root, "author"), "name", author)
    for number, date, markdown in versions:
        entry = add(root, "entry")
        add(entry, "title", f"Version {number}")
        add(entry, "id", f"{site}{PAGE}.html#version-{number}")
        add(entry, "link", rel="alternate", type="text/html", href=f"{site}{PAGE}.html")
        add(entry, "updated", midnight(date))
        add(entry, "content", MarkdownIt().render(markdown), type="html")
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def write(app, exception):
    if exception or app.builder.format != "html" or not app.config.is_published:
        return
    text = (Path(app.srcdir) / changelog.FILE).read_text(encoding="utf-8")
    found = feed(text, app.config.ogp_site_url, app.config.ogp_site_name, app.config.author)
    (Path(app.outdir) / FEED).write_bytes(found)


def name_it(app, pagename, templatename, context, doctree):
    if app.config.is_published:
        kind = 'type="application/atom+xml" title="Changelog"'
        link = f'<link rel="alternate" {kind} href="{context["pathto"](FEED, 1)}" />'
        # A page without a source, such as the index of names, begins without any.
        context["metatags"] = context.get("metatags", "") + link


def setup(app):
    app.connect("html-page-context", name_it)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
