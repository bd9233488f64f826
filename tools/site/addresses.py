"""Addresses of the published site, from `repository.url`, and what others show of a page: its first
paragraph.
"""

from html import escape

from docutils import nodes


def set_addresses(app, config):
    """GitHub Pages serves https://github.com/owner/name at https://owner.github.io/name/."""
    owner, name = config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    config.ogp_site_url = f"https://{owner}.github.io/{name}/"
    # The 404 page is shown at any depth, so its links are absolute.
    config.notfound_urls_prefix = f"/{name}/"


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
    app.connect("html-page-context", describe, priority=400)  # before sphinxext-opengraph
    return {"parallel_read_safe": True, "parallel_write_safe": True}
