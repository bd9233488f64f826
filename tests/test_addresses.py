"""Where links lead: to the public repository, or, while there is none, to what this site has."""

import pytest
from sphinx.cmd.build import build_main

CONF = """
extensions = ["myst_parser", "addresses"]
exclude_patterns = ["out"]
html_theme_options = {{"repository_url": "https://github.com/{owner}/book"}}
html_theme = "basic"

def setup(app):  # the theme of this test does not know the option
    app.connect("config-inited", lambda app, config: config.html_theme_options.clear(), 900)
"""
PAGE = """# A page

**[Open in Colab](https://colab.research.google.com/github/{owner}/book/blob/main/index.ipynb)** · \
**[Download](https://github.com/{owner}/book/raw/main/index.ipynb)**

[a word](https://{owner}.github.io/book/words.html#term-expert)

```{{unpublished}}
There is no address.
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
def built(tmp_path):
    """A function: the page as HTML, built for the address of that owner."""

    def build(owner):
        (tmp_path / "conf.py").write_text(CONF.format(owner=owner))
        page = PAGE.replace("\\\n", "").format(owner=owner)
        (tmp_path / "index.md").write_text(page, encoding="utf-8")
        (tmp_path / "words.md").write_text(WORDS)
        (tmp_path / "index.ipynb").write_text("{}")
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


def test_a_link_leads_to_a_term_of_the_glossary(built):
    assert 'href="words.html#term-expert"' in built("a-teacher")
