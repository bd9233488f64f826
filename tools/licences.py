"""Writes into book/licence.md under which licence each thing is that is installed, or that the site
brings along. `make licences` runs this.

Licences come from the packages' own metadata, for npm from package-lock.json; what those do not say
somebody has read, in licences.toml, which also knows which licences go together with the AGPL.
"""

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book/licence.md"
KNOWN = tomllib.loads((ROOT / "tools/licences.toml").read_text(encoding="utf-8"))
KINDS = {
    licence: kind
    for part in ("compatible", "apart")
    for kind, licences in KNOWN[part].items()
    for licence in licences
}
BEGIN, END = "<!-- begin {}: written by tools/licences.py -->", "<!-- end {} -->"
READER, BOOK, PROOF, NPM = "for the package", "for the book", "for the proofs", "from npm"


def of_python(package):
    """The licence of a package that is installed here, or that somebody has read; None if neither
    says one.
    """
    if package in KNOWN["read"]:
        return KNOWN["read"][package][0]
    try:
        metadata = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    said = [metadata.get("License-Expression"), metadata.get("License")]
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License :: ")
    ]
    if len(classified) == 1:
        said += classified
    for text in filter(None, said):
        licence = KNOWN["names"].get(text.strip(), text.strip())
        if kinds(licence):
            return licence
    return None


def kinds(licence):
    """What kinds of licence an expression is made of; none if one of them is not known."""
    found = {KINDS.get(part) for part in re.split(r" AND | OR |[()]", licence) if part}
    return set() if None in found else found


def needed(package, extras=()):
    """The package and all that it requires, as far as that is installed here."""
    found, wait = set(), [(package, frozenset(extras))]
    while wait:
        name, extras = todo = wait.pop()
        if todo in found:
            continue
        found.add(todo)
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for each in map(Requirement, lines):
            settings = [{"extra": extra} for extra in ("", *extras)]
            if each.marker is None or any(map(each.marker.evaluate, settings)):
                wait.append((canonicalize_name(each.name), frozenset(each.extras)))
    return {name for name, _ in found}


def packages():
    """{what for: the packages that somebody installs for that}, each package once."""
    environment = {*lock.versions("environment.txt"), *lock.versions("opencv-headless.txt")}
    reader = needed("dynconv", ("export", "ray")) & environment
    return {
        READER: sorted(reader),
        BOOK: sorted(environment - reader),
        PROOF: sorted(lock.versions("proof.txt")),
    }


def from_npm():
    """{package: its licence}, of package-lock.json."""
    content = json.loads((ROOT / "tools/package-lock.json").read_text(encoding="utf-8"))
    return {
        path.rpartition("node_modules/")[2]: entry.get("license")
        for path, entry in sorted(content["packages"].items())
        if path
    }


def installed():
    """{licence: {what for: [packages]}}; None for what has no licence that is known."""
    table = {}
    for purpose, names in packages().items():
        for name in names:
            table.setdefault(of_python(name), {}).setdefault(purpose, []).append(name)
    for name, licence in from_npm().items():
        known = licence if licence and kinds(licence) else None
        table.setdefault(known, {}).setdefault(NPM, []).append(name)
    return table


def installed_as_text(table, purpose):
    rows = ["| licence | packages |", "|---|---|"]
    for licence in sorted(table):
        if names := table[licence].get(purpose):
            rows.append(f"| {licence} | `{'`, `'.join(names)}` |")
    return "\n".join(rows)


def text_of(package):
    """Where the licence of a package lies in the site, below _static."""
    return f"licences/{package.strip('@').replace('/', '-')}.txt"


def shipped_as_text():
    rows = ["| in the site | licence | its text |", "|---|---|---|"]
    for each in KNOWN["shipped"]:
        packages = [*each.get("python", ()), *each.get("npm", ())]
        places = {package: each.get("text") or text_of(package) for package in packages}
        links = [f'<a href="../_static/{place}">{name}</a>' for name, place in places.items()]
        rows.append(f"| {each['what']} | {each['licence']} | {', '.join(links) or 'above'} |")
    return "\n".join(rows)


def texts():
    """{name of a part of the page: what stands there}."""
    table = installed()
    parts = {purpose: installed_as_text(table, purpose) for purpose in (READER, BOOK, PROOF, NPM)}
    return {"in the site": shipped_as_text()} | parts


def main():
    unknown = installed().get(None)
    if unknown:
        raise SystemExit(f"licences: look at these, and say in tools/licences.toml: {unknown}")
    page = PAGE.read_text(encoding="utf-8")
    for name, text in texts().items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
