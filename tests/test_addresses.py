"""Where links lead: to the public repository, or, while there is none, to what this site has."""

import re
import shutil
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest
import social_cards
import yaml
from conftest import ROOT
from PIL import Image
from sphinx.cmd.build import build_main

import dynconv

CONF = """
extensions = ["myst_parser", "addresses", "cite", "social_cards", "sphinxext.opengraph"]
exclude_patterns = ["out"]
templates_path = ["templates"]
html_theme_options = {{"repository_branch": "main", "repository_url": "https://github.com/{owner}/book"}}
html_theme = "basic"
html_last_updated_fmt = "%-d %B %Y"
ogp_site_name = "The book"
ogp_social_cards = {{"enable": False}}

def setup(app):  # the theme of this test does not know the option
    app.connect("config-inited", lambda app, config: config.html_theme_options.clear(), 900)
"""
LAYOUT = """{% extends "!layout.html" %}
{% block footer %}{% include "last-updated.html" %}{% endblock %}"""
PAGE = """# A page

**[Open in Colab](https://colab.research.google.com/github/{owner}/book/blob/main/index.ipynb)** · \
**[Download](https://github.com/{owner}/book/raw/main/index.ipynb)**

[a word](https://{owner}.github.io/book/words.html#term-expert)

```{{unpublished}}
There is no address.
```

```{{not-on-colab}}
It installs from another.
```

```{{cite-this}}
```

```{{toctree}}
words
```
"""
WORDS = """# Words

```{glossary}
expert
  A kernel.
```
"""


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A function: the page as HTML, built for the address of that owner."""

    monkeypatch.setattr(social_cards, "CACHE", tmp_path / "cards")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # 14 November 2023

    def build(owner):
        (tmp_path / "conf.py").write_text(CONF.format(owner=owner))
        page = PAGE.replace("\\\n", "").format(owner=owner)
        (tmp_path / "index.md").write_text(page, encoding="utf-8")
        (tmp_path / "words.md").write_text(WORDS)
        (tmp_path / "index.ipynb").write_text("{}")
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates/layout.html").write_text(LAYOUT)
        shutil.copy(ROOT / "book/theme_templates/last-updated.html", tmp_path / "templates")
        shutil.copy(ROOT / "CITATION.cff", tmp_path)
        assert build_main(["-q", "-W", "-E", str(tmp_path), str(tmp_path / "out")]) == 0
        return (tmp_path / "out/index.html").read_text(encoding="utf-8")

    return build


def test_without_a_public_address_no_link_leads_to_it(built):
    page = built("your_account")
    assert "There is no address." in page
    assert "github.com" not in page and "colab.research" not in page
    assert 'href="_downloads/' in page and "index.ipynb" in page


def test_with_a_public_address_the_links_are_those_of_the_notebook(built):
    page = built("a-teacher")
    assert "There is no address." not in page and "_downloads/" not in page
    assert "colab.research.google.com/github/a-teacher/book/blob/main/index.ipynb" in page
    assert "github.com/a-teacher/book/raw/main/index.ipynb" in page


def test_until_the_address_is_committed_colab_is_not_offered(built, tmp_path):
    """Colab would open what is committed, and that installs from where the book was forked."""

    def git(*command):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True)

    git("init", "--quiet")
    for owner, is_offered in (("origin", False), ("a-teacher", True)):
        address = f"repository:\n  url: https://github.com/{owner}/book\n"
        (tmp_path / "_config.yml").write_text(address)
        git("add", "_config.yml")
        git("commit", "--quiet", "--message", owner)
        page = built("a-teacher")
        assert ("colab.research.google.com" in page) is is_offered
        assert (
            'href="_downloads/' in page and "It installs from another." in page
        ) is not is_offered
        assert "There is no address." not in page and "book/edit/main" in page


def test_a_link_leads_to_a_term_of_the_glossary(built):
    assert 'href="words.html#term-expert"' in built("a-teacher")


def links(page):
    """{words: address} of the links of a page."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>([^<]+)</a>', page)
    return {words: address.replace("&amp;", "&") for address, words in found}


def test_the_foot_says_version_and_date_and_leads_to_the_source(built):
    page = built("a-teacher")
    assert f"Version {dynconv.__version__}, built on 14 November 2023" in " ".join(page.split())
    found = links(page)
    assert found["Edit this page"] == "https://github.com/a-teacher/book/edit/main/index.md"
    report = urlsplit(found["Report a mistake"])
    assert report.path == "/a-teacher/book/issues/new"
    asked = parse_qs(report.query)
    assert asked["page"] == ["https://a-teacher.github.io/book/index.html"]
    assert asked["version"] == [dynconv.__version__] and "A page" in asked["title"][0]
    form = ROOT / ".github/ISSUE_TEMPLATE" / asked["template"][0]
    parts = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
    assert {"page", "version"} <= {part["id"] for part in parts}, "GitHub fills these in"


def test_without_a_public_address_the_foot_says_version_and_date_only(built):
    page = built("your_account")
    assert f"Version {dynconv.__version__}, built on" in " ".join(page.split())
    assert not {"Edit this page", "Report a mistake"} & links(page).keys()


def test_the_citation_is_that_of_the_file(built):
    text = re.sub(r"<[^>]+>", "", built("a-teacher"))
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f"title = {{{{{said['title']}}}}}" in text and "@software{" in text
    assert f"version = {{{said['version']}}}" in text
    assert f"url = {{{said['repository-code']}}}" in text
    assert "url = {" not in re.sub(r"<[^>]+>", "", built("your_account"))


def test_search_engines_and_cards_get_whole_addresses(built, tmp_path):
    page, site = built("a-teacher"), "https://a-teacher.github.io/book/"
    assert f'rel="canonical" href="{site}index.html"' in page
    sitemap = (tmp_path / "out/sitemap.xml").read_text(encoding="utf-8")
    assert re.findall(r"<loc>(.*?)</loc>", sitemap) == [f"{site}index.html", f"{site}words.html"]
    image = re.search(r'property="og:image" content="([^"]*)"', page)[1]
    assert image.startswith(f"{site}_static/cards/")
    drawn = Image.open(tmp_path / "out" / image.removeprefix(site))
    assert drawn.size == (1200, 630)
    assert re.search(r'property="og:image:alt" content="“A page”, [^"]+"', page)
    assert '<meta name="twitter:card" content="summary_large_image" />' in page


def test_without_a_public_address_nothing_is_said_to_search_engines(built, tmp_path):
    page = built("your_account")
    assert "canonical" not in page and "og:image" not in page and "twitter:card" not in page
    assert not (tmp_path / "out/sitemap.xml").exists()
    assert not (tmp_path / "out/_static/cards").exists()
