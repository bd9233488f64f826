"""Writes the site as one zip that is opened from a file: `make zip`, from what `make book` built.

A page that is opened from a file may load scripts, styles, fonts and pictures, and nothing else: no
module, no `fetch`, no preload of a font. The site keeps to that but for the preloads, which are
left out here, and the playground, which says what it needs. What speaks of the public address is
left out too. The same site gives the same bytes.
"""

import re
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build/html"
# For a server, for search engines, or for other books; and no zip within the zip
NOT_FOR_A_FILE = re.compile(
    r"404\.html|objects\.inv|robots\.txt|.*\.xml|\..*|.*-offline\.zip|_static/social/.*"
)
PRELOAD = re.compile(r'\s*<link rel="(?:preload|canonical|alternate)"[^>]*>')
ABOUT = re.compile(r'\s*<meta (?:property|name)="(?:og|article|twitter):[^>]*>')
LINK = re.compile(
    r'<span class="offline-copy"><a [^>]*>(.*?)</a><span class="offline-size">.*?</span></span>'
)
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can say
README = """{title}
{line}
Version {version}

To read: open index.html in a browser, for example by a double click. Nothing is installed, and
nothing is asked of any network; the search works too.

The playground alone needs a web server, since a browser runs no WebAssembly from a file. With
Python there is one: run

    python -m http.server

in this folder, and open http://localhost:8000/ on the same machine. In a room without internet one
such machine can serve all others.

Notebooks for your own machine: 'Download' at the top of a chapter. Where the browser shows one as
text instead, use 'Save link as'.

{rights}
LICENSE.txt holds the licence of the code, LICENSE-prose.txt that of the text. What others made:
book/licence.html.
"""


def settings():
    """(title, version, rights) of the book."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    title = re.search(r"^title: (.*?) *(?:#|$)", config, re.MULTILINE)[1]
    rights = re.search(r'^copyright: "(.*?)"', config, re.MULTILINE)[1]
    return title, project["version"], f"© {rights}."


def name():
    """Of the zip, and with what is before '-offline' of the folder in it."""
    return f"dynconv-book-{settings()[1]}-offline.zip"


def for_a_file(page):
    """The HTML of a page of the site as it is in the zip."""
    for what, instead in ((PRELOAD, ""), (ABOUT, ""), (LINK, r"\1")):
        page = what.sub(instead, page)
    return page


def contents(site):
    """{path in the folder: bytes}"""
    title, version, rights = settings()
    readme = README.format(title=title, line="=" * len(title), version=version, rights=rights)
    files = {
        "README.txt": readme.encode(),
        "LICENSE.txt": (ROOT / "LICENSE").read_bytes(),
        "LICENSE-prose.txt": (ROOT / "LICENSE-prose.md").read_bytes(),
    }
    for file in site.rglob("*"):
        path = file.relative_to(site).as_posix()
        if not file.is_file() or NOT_FOR_A_FILE.fullmatch(path):
            continue
        files[path] = file.read_bytes()
        if file.suffix == ".html":
            files[path] = for_a_file(files[path].decode()).encode()
    return files


def write(site, target):
    """Write the zip; returns its size in bytes."""
    folder = target.name.removesuffix("-offline.zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for path, data in sorted(contents(site).items()):
            entry = zipfile.ZipInfo(f"{folder}/{path}", EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same bytes, whatever system wrote it
            entry.external_attr = 0o644 << 16
            made.writestr(entry, data, compresslevel=9)
    return target.stat().st_size


def main():
    if not (SITE / "index.html").exists():
        sys.exit("zip: there is no site in _build/html; run `make book` first")
    target = ROOT / "dist" / name()
    size = write(SITE, target)
    print(f"zip: {target.relative_to(ROOT)} holds the site ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
