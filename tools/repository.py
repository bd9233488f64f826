"""Changes the public address of the book: `make repository URL=https://github.com/owner/name`.

`_config.yml` (repository.url) is the one place that decides it. Notebooks must repeat it (a link to
Colab, an install line), and so do a few other files; this rewrites them all. Running it with the
old address undoes it.
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "_config.yml"
IN_CONFIG = re.compile(r"^repository:\n(?:[ #].*\n)*?  url: (\S+)", re.MULTILINE)
PLACEHOLDER = "your_account"  # the owner in an address that is none
ADDRESS = re.compile(
    r"https://github\.com/([A-Za-z0-9_][A-Za-z0-9_-]{0,38})/([A-Za-z0-9._-]{1,100}?)(?:\.git)?/?"
)


class RepositoryUrlError(ValueError):
    """The address is not that of a repository on GitHub."""


def split(url):
    """('owner', 'name') of https://github.com/owner/name."""
    match = ADDRESS.fullmatch(url)
    if not match or set(match[2]) == {"."}:
        raise RepositoryUrlError(
            f"{url!r} is not of the form https://github.com/owner/name (Colab opens notebooks from"
            " GitHub only). Nothing was changed. Usage: make repository"
            " URL=https://github.com/owner/name"
        )
    return match.groups()


def current():
    """The address that `_config.yml` names."""
    return IN_CONFIG.search(CONFIG.read_text(encoding="utf-8"))[1]


def places(root=None):
    """Every file that may repeat the address; `_config.yml` last, so that an interrupted run can be
    repeated.
    """
    root = root or ROOT
    names = ("README.md", "CONTRIBUTING.md", "LICENSE-prose.md", "CITATION.cff", "pyproject.toml")
    files = [root / name for name in names] + [
        *root.glob("notebooks/*.ipynb"),
        *root.glob("book/*.ipynb"),
        *root.glob("book/**/*.md"),
    ]
    return sorted(file for file in files if file.is_file()) + [root / CONFIG.name]


def rewrite(text, old, new):
    """Replace the repository, its notebooks on Colab, and its pages; leave longer names that only
    begin alike.
    """
    (old_owner, old_name), (new_owner, new_name) = old, new
    end = r"(?![\w-]|\.(?!git\b)\w)"
    text = re.sub(
        rf"(github\.com/|/github/){re.escape(old_owner)}/{re.escape(old_name)}{end}",
        rf"\g<1>{new_owner}/{new_name}",
        text,
    )
    return re.sub(
        rf"\b{re.escape(old_owner)}\.github\.io/{re.escape(old_name)}{end}",
        f"{new_owner}.github.io/{new_name}",
        text,
    )


def main(url):
    new, old = split(url), split(current())
    for file in places():
        text = file.read_text(encoding="utf-8")
        changed = rewrite(text, old, new)
        if changed != text:
            draft = file.with_name(file.name + ".new")
            draft.write_text(changed, encoding="utf-8")
            os.replace(draft, file)  # the file is always whole: the old one or the new one
            print(f"repository: {file.relative_to(ROOT)}")
    print("repository: the address is " + current())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or [""])
    except RepositoryUrlError as error:
        sys.exit(f"RepositoryUrlError: {error}")
