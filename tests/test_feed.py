"""The feed of the changelog, of which every page tells, if the book has an address."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import changelog
import feed
import pytest
from conftest import ROOT

SITE = "https://a-teacher.github.io/book/"
TEXT = """# Changelog

Words.

## Unreleased

- Tomorrow's.

## 1.1.0 - 2026-12-24

### Added

- `a < b` & more.

## 1.0.0 - 2026-11-30

- All.
"""


def read(text):
    root = ET.fromstring(feed.feed(text, SITE, "The book", "Its authors"))
    return root, {"a": feed.ATOM}


def test_the_changelog_of_the_book_is_read():
    text = (ROOT / changelog.FILE).read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(changelog.versions(text)) + (changelog.UNRELEASED in text)
    included = (ROOT / f"{feed.PAGE}.md").read_text(encoding="utf-8")
    assert f"../{changelog.FILE}" in included


def test_each_version_is_an_entry_the_newest_first():
    root, names = read(TEXT)
    entries = root.findall("a:entry", names)
    said = [(e.findtext("a:title", "", names), e.findtext("a:updated", "", names)) for e in entries]
    assert said == [
        ("Version 1.1.0", "2026-12-24T00:00:00Z"),
        ("Version 1.0.0", "2026-11-30T00:00:00Z"),
    ]
    content = entries[0].find("a:content", names)
    assert content.get("type") == "html"
    assert "<code>a &lt; b</code> &amp; more." in content.text and "All" not in content.text
    assert "Tomorrow" not in ET.tostring(root, encoding="unicode"), "it is no version yet"


@pytest.mark.parametrize("text", [TEXT, "# Changelog\n\n## Unreleased\n\n- News.\n"])
def test_it_has_all_that_atom_asks_for(text):
    """RFC 4287, 4.1.1 and 4.1.2: id, title, updated and an author; each id once."""
    root, names = read(text)
    entries = root.findall("a:entry", names)
    for each in [root, *entries]:
        for name in ("id", "title", "updated"):
            assert each.findtext(f"a:{name}", "", names), name
    assert root.findtext("a:author/a:name", "", names) == "Its authors"
    ids = [each.findtext("a:id", "", names) for each in [root, *entries]]
    assert len(set(ids)) == len(ids) and all(each.startswith(SITE) for each in ids)
    links = {link.get("rel"): link.get("href") for link in root.findall("a:link", names)}
    assert links == {"self": f"{SITE}feed.xml", "alternate": f"{SITE}book/changelog.html"}


@pytest.mark.parametrize("published", [True, False])
def test_pages_name_the_feed_if_there_is_one(published, tmp_path):
    (tmp_path / changelog.FILE).write_text(TEXT)
    config = SimpleNamespace(
        is_published=published, ogp_site_url=SITE, ogp_site_name="The book", author="Its authors"
    )
    builder = SimpleNamespace(format="html")
    app = SimpleNamespace(config=config, builder=builder, srcdir=tmp_path, outdir=tmp_path)
    for context in ({"metatags": "<meta/>"}, {}):  # genindex and search have none
        context["pathto"] = lambda file, resource: f"../{file}"
        feed.name_it(app, "book/index", "page.html", context, None)
        assert ('href="../feed.xml"' in context.get("metatags", "")) is published
    feed.write(app, None)
    assert (tmp_path / "feed.xml").exists() is published
