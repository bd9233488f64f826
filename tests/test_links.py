"""`make links`: what it makes of the answers of Sphinx's builder."""

import json

import links
import pytest

GOOD = {"filename": "a.md", "lineno": 1, "status": "working", "uri": "https://a.org", "info": ""}
MOVED = GOOD | {"status": "redirected", "uri": "https://b.org", "info": "https://c.org"}
BROKEN = GOOD | {"status": "broken", "uri": "https://d.org", "info": "404 Client Error\n"}
SILENT = GOOD | {"status": "timeout", "uri": "https://e.org", "info": "timed out"}


@pytest.fixture
def said(monkeypatch, tmp_path):
    """Run it with these answers of the builder, or none."""

    def run(*answers):
        file = tmp_path / "links/_build/html/output.json"

        def builder(arguments):
            assert arguments[2:4] == ["--builder", "linkcheck"]
            if answers:
                file.parent.mkdir(parents=True)
                file.write_text("\n".join(map(json.dumps, answers)))
            raise SystemExit(1)

        monkeypatch.setattr(links, "FOLDER", tmp_path / "links")
        monkeypatch.setattr(links, "ANSWERS", file)
        monkeypatch.setattr(links, "jupyter_book", builder)
        links.main()

    return run


def test_a_link_that_moved_leads_somewhere(said, capsys):
    said(GOOD, MOVED)
    assert "all 2 answer" in capsys.readouterr().out


def test_what_gives_no_answer_is_named_once_with_its_page_and_reason(said):
    with pytest.raises(SystemExit) as error:
        said(GOOD, BROKEN, BROKEN | {"filename": "b.md"}, SILENT)
    text = str(error.value)
    assert "https://d.org (a.md:1, 404 Client Error)" in text and "b.md" not in text
    assert "https://e.org (a.md:1, timed out)" in text and "a.org" not in text


def test_no_answers_are_not_taken_for_good_ones(said):
    said(GOOD)
    with pytest.raises(SystemExit, match="not asked"):
        said()
