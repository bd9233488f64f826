"""Everything that is installed or shipped has a licence that somebody has looked at, and stands on
the page 'Licence and credits'.
"""

import json
import re

import licences
import lock
import pytest
from conftest import HTML, ROOT


def on_the_page(part):
    """{package: its licence} of a table of the page."""
    page = licences.PAGE.read_text(encoding="utf-8")
    table = page.split(licences.BEGIN.format(part))[1].split(licences.END.format(part))[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)[1:]
    return {name.strip("`"): licence for licence, names in rows for name in names.split(", ")}


TABLES = {part: on_the_page(part) for part in (licences.READER, licences.BOOK, licences.PROOF)}


def test_each_locked_package_stands_in_one_table():
    files = ("environment.txt", "opencv-headless.txt", "proof.txt")
    locked = sorted({name for file in files for name in lock.versions(file)})
    assert sorted(name for table in TABLES.values() for name in table) == locked, "make licences"
    assert on_the_page(licences.NPM).keys() == licences.from_npm().keys(), "make licences"


@pytest.mark.parametrize("part", [*TABLES, licences.NPM])
def test_each_licence_is_known_and_goes_with_the_agpl(part):
    for package, licence in on_the_page(part).items():
        assert licences.kinds(licence), f"{package}: look at {licence!r}, then tools/licences.toml"
        apart = "not free" in licences.kinds(licence)
        # what torch brings for GPUs, and nothing else
        assert not apart or re.match("nvidia-|cuda-", package), f"{package}: {licence}"


def test_the_page_says_what_the_packages_say():
    """Of those that are installed here: a new version may come under another licence."""
    said = {name: licence for table in TABLES.values() for name, licence in table.items()}
    found = {name: licences.of_python(name) for name in said}
    wrong = {n: (said[n], now) for n, now in found.items() if now not in (said[n], None)}
    unknown = [n for n, now in found.items() if now is None and n not in TABLES[licences.PROOF]]
    assert not wrong and not unknown, "look at these, then `make licences`"
    npm = on_the_page(licences.NPM)
    assert npm == licences.from_npm()


@pytest.mark.parametrize(
    "metadata, licence",
    [
        ({"License-Expression": "MIT AND PSF-2.0"}, "MIT AND PSF-2.0"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"License": "Copyright (c) somebody", "Classifier": "License :: X :: MIT License"}, "MIT"),
        ({"License-Expression": "SSPL-1.0"}, None),
        ({"License-Expression": "MIT AND SSPL-1.0"}, None),
        ({"Classifier": "License :: Other/Proprietary License"}, None),
        ({"License": "UNKNOWN"}, None),
    ],
)
def test_a_licence_is_read_from_metadata_or_left_to_a_person(monkeypatch, metadata, licence):
    class Metadata(dict):
        def get_all(self, name, default):
            return [self[name]] if name in self else default

    monkeypatch.setattr(licences.importlib.metadata, "metadata", lambda name: Metadata(metadata))
    assert licences.of_python("some-package") == licence


def test_each_package_of_npm_is_a_tool_or_in_the_site():
    wanted = json.loads((ROOT / "tools/package.json").read_text())["dependencies"].keys()
    shipped = {name for each in licences.KNOWN["shipped"] for name in each.get("npm", ())}
    assert wanted == shipped | set(licences.KNOWN["tools"]["npm"]), "name it in tools/licences.toml"


def test_what_the_site_brings_goes_with_the_agpl():
    for each in licences.KNOWN["shipped"]:
        assert licences.kinds(each["licence"]) - {"not free"}, each
    assert licences.shipped_as_text() in licences.PAGE.read_text(encoding="utf-8"), "make licences"


@pytest.mark.site
def test_the_site_holds_the_text_of_each_licence(site):
    page = (HTML / "book/licence.html").read_text(encoding="utf-8")
    texts = re.findall(r'href="\.\./(_static/(?:licences|playground)/[^"]+\.txt)"', page)
    assert len(texts) > 8
    for text in texts:
        assert re.search("copyright", (HTML / text).read_text(encoding="utf-8"), re.I), text
