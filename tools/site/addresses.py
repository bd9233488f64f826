"""Addresses of the published site, from `repository.url`, and what others show of a page: its first
paragraph.
"""

import re
from html import escape

from docutils import nodes
from sphinx.util import logging


def set_addresses(app, config):
    """GitHub Pages serves https://github.com/owner/name at https://owner.github.io/name/."""
    owner, name = config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    config.ogp_site_url = f"https://{owner}.github.io/{name}/"
    # The 404 page is shown at any depth, so its links are absolute.
    config.notfound_urls_prefix = f"/{name}/"


def stay_on_the_site(app, docname, source):
    """In a notebook on Colab a link to a page of prose must be a whole address. On the site it
    leads to the page beside it, of this build, and Sphinx sees whether it is there.
    """

    def link(match):
        name, anchor = match[1], match[2] or ""
        if name not in app.env.found_docs:
            logging.getLogger(__name__).warning("%s links to %s", docname, match[0])
            return match[0]
        suffix = app.env.doc2path(name).rpartition(".")[2]
        return f"](/{name}.{suffix}{anchor})"

    address = re.escape(app.config.ogp_site_url)
    source[0] = re.sub(rf"\]\({address}([^)#\s]*)\.html(#[^)\s]*)?\)", link, source[0])


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


def setup(app):
    app.connect("config-inited", set_addresses)
    app.connect("source-read", stay_on_the_site, priority=600)  # after the executed copies
    app.connect("html-page-context", describe, priority=400)  # before sphinxext-opengraph
    return {"parallel_read_safe": True, "parallel_write_safe": True}
