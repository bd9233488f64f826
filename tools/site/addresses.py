"""Addresses of the published site, from `repository.url`: where a page is edited and a mistake
reported, what search engines read, and what others show of a page, its first paragraph.

Until `make repository URL=...` has named a public repository, the address is a placeholder. Then no
page has a link to it: marks of GitHub and Colab and the links at the foot are left out, 'Download'
gives the notebook of this site, and what stands in `{unpublished}` is shown, which says what is
missing.

A fork is published without a change to its files (.github/workflows/book.yml). But what Colab opens
is what the fork has committed, and that installs from where it was forked. So until the address is
committed, 'Download' gives the site's notebook there too, and `{not-on-colab}` says why.
"""

import re
import subprocess
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pictures
from docutils import nodes
from repository import IN_CONFIG, PLACEHOLDER
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import dynconv

BADGES = re.compile(r"\*\*\[Open in Colab\]\([^)]*\)\*\* · \*\*\[Download\]\([^)]*\)\*\*")


def set_addresses(app, config):
    """GitHub Pages serves https://github.com/owner/name at https://owner.github.io/name/."""
    repository = config.html_theme_options["repository_url"].rstrip("/")
    owner, name = repository.split("/")[-2:]
    config.ogp_site_url = f"https://{owner}.github.io/{name}/"
    # The 404 page is shown at any depth, so its links are absolute.
    config.notfound_urls_prefix = f"/{name}/"
    config.notfound_context = {"title": "Page not found", "body": not_found(f"/{name}/")}
    config.version = config.release = dynconv.__version__
    branch = config.html_theme_options["repository_branch"]
    config.add("repository", (repository, branch), "html", tuple)
    config.add("is_published", owner != PLACEHOLDER, "env", bool)
    on_colab = config.is_published and committed_address(app.srcdir) in (repository, None)
    config.add("is_on_colab", on_colab, "env", bool)
    if config.is_published:
        config.html_baseurl = config.ogp_site_url  # of <link rel="canonical">
    else:
        config.html_theme_options |= {"use_repository_button": False}
    if not on_colab:
        config.html_theme_options |= {"launch_buttons": {}}


def committed_address(folder):
    """The address in the `_config.yml` of the last commit; None if there is no such file."""
    show = ["git", "show", "HEAD:./_config.yml"]
    done = subprocess.run(show, cwd=folder, capture_output=True, encoding="utf-8")
    found = IN_CONFIG.search(done.stdout)
    return found and found[1]


def not_found(prefix):
    return (
        f'<h1>Page not found</h1><div style="max-width: 20rem">{pictures.of_page("404")}</div>'
        "<p>There is no page at this address: it may have moved, or the link has a mistake."
        f' <a href="{prefix}">The front page</a> shows all chapters, and'
        f' <a href="{prefix}search.html">the search</a> finds words in them.</p>'
    )


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


def download_from_here(app, docname, source):
    """Put the site's own notebook in the place of links to a repository that is not there."""
    if not app.config.is_on_colab:
        why = "this copy of the book is not on GitHub, so Colab cannot open it"
        if app.config.is_published:
            why = "on Colab: *File → Upload notebook*"
        badges = f"**{{download}}`Download </{docname}.ipynb>`** ({why})"
        source[0] = BADGES.sub(badges, source[0])


def let_links_lead_to_terms(app, doctree):
    """MyST knows the headings of a page that a link may lead to; here it learns the terms of the
    glossary, glossary.md#term-expert.
    """
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for term in doctree.findall(nodes.term):
        for name in term["ids"]:
            slugs[name] = (term.line, name, term.astext())


class Unpublished(SphinxDirective):
    """`{unpublished}`: shown while the book has no public address."""

    has_content = True

    def run(self):
        return self.parse_content_to_nodes() if self.is_shown() else []

    def is_shown(self):
        return not self.config.is_published


class NotOnColab(Unpublished):
    """`{not-on-colab}`: shown while the book has an address that is not committed."""

    def is_shown(self):
        return self.config.is_published and not self.config.is_on_colab


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


def lead_to_the_source(app, pagename, templatename, context, doctree):
    """Addresses for book/theme_templates/last-updated.html: a notebook is shown by GitHub, where it
    can be downloaded, run and edited; a page of prose opens in GitHub's editor. A report knows its
    page and its version (.github/ISSUE_TEMPLATE/mistake.yml).
    """
    if not app.config.is_published or not doctree:
        return
    repository, branch = app.config.repository
    source = app.env.doc2path(pagename, base=False)
    # A tag is shown, too: only a branch can be edited.
    way = "blob" if source.endswith(".ipynb") or re.match(r"v\d", branch) else "edit"
    title = unescape(re.sub(r"<[^>]+>", "", context["title"]))
    report = {
        "template": "mistake.yml",
        "title": f"Mistake in “{title}”",
        "page": f"{app.config.ogp_site_url}{pagename}.html",
        "version": app.config.release,
    }
    context["edit_address"] = f"{repository}/{way}/{branch}/{quote(source)}"
    context["report_address"] = f"{repository}/issues/new?{urlencode(report)}"


def write_sitemap(app, exception):
    """For search engines: every page that has a source. A robots.txt would not be read, as the site
    does not stand at the top of its host.
    """
    if exception or app.builder.format != "html" or not app.config.is_published:
        return
    pages = (f"{app.config.ogp_site_url}{name}.html" for name in sorted(app.env.found_docs))
    urls = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    (Path(app.outdir) / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )


def setup(app):
    app.add_directive("unpublished", Unpublished)
    app.add_directive("not-on-colab", NotOnColab)
    app.connect("config-inited", set_addresses)
    app.connect("source-read", download_from_here, priority=600)
    app.connect("doctree-read", let_links_lead_to_terms)
    app.connect("source-read", stay_on_the_site, priority=600)  # after the executed copies
    app.connect("html-page-context", describe, priority=400)  # before sphinxext-opengraph
    app.connect("html-page-context", lead_to_the_source)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
