"""Asks PyPI and npm for known weaknesses in the versions that tools/locked and the files
package-lock.json name. `make audit` runs this.

What is found is fixed, or explained in accepted_findings.toml until a day. An answer that did not
come is no clean answer: it ends with a message and an exit status of its own.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from datetime import date
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOCKS = [ROOT / "tools/locked/environment.txt", ROOT / "tools/locked/proof.txt"]
NPM = ["tools", "tools/audit"]  # what the book takes from npm, and what looks at its pages
ACCEPTED = ROOT / "tools/accepted_findings.toml"
CLEAN, FOUND, NOT_ASKED = 0, 1, 3
# Weak beyond doubt. pip-audit calls a package clean that its source does not answer for; so it is
# asked for this one first.
CANARY = "jinja2==3.1.2"


class NotAskedError(Exception):
    """A source gave no answer, or one that says nothing."""


class Finding(NamedTuple):
    package: str
    names: frozenset[str]  # of one weakness: PYSEC-..., GHSA-..., CVE-...
    remedy: str

    def __str__(self):
        return f"{self.package}: {', '.join(sorted(self.names))}; {self.remedy}"


def answer(*command):
    """What a command prints as JSON. (Its exit status says only that something was found.)"""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotAskedError(f"{command[0]} gave no answer ({last})") from None


def ask_pypi(*options):
    """pip-audit's findings for requirements whose versions are pinned."""
    command = ["pip-audit", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    content = answer(*command, "--aliases", "on", *options)
    skipped = [each["skip_reason"] for each in content["dependencies"] if "skip_reason" in each]
    if skipped:
        raise NotAskedError(f"pip-audit has no answer for {len(skipped)} packages ({skipped[0]})")
    return [
        Finding(
            f"{each['name']} {each['version']}",
            frozenset([weakness["id"], *weakness.get("aliases", [])]),
            f"mended in {', '.join(weakness['fix_versions']) or 'no version yet'}",
        )
        for each in content["dependencies"]
        for weakness in each["vulns"]
    ]


def of_python():
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(CANARY + "\n")
        if not ask_pypi("--no-deps", "-r", canary):
            raise NotAskedError(f"pip-audit knows of no weakness in {CANARY}, which has some")
    return ask_pypi("--require-hashes", *(part for lock in LOCKS for part in ("-r", lock)))


def of_npm():
    found = [finding for folder in NPM for finding in ask_npm(folder)]
    return list(dict.fromkeys(found))  # one package can stand in both locks


def ask_npm(folder):
    """npm's findings for the versions of a package-lock.json."""
    content = answer("npm", "audit", "--json", "--package-lock-only", "--prefix", folder)
    if content.get("auditReportVersion") != 2:
        raise NotAskedError(
            f"npm audit of {folder}: {content.get('message', 'an answer of unknown form')}"
        )
    return [
        Finding(
            f"{each['name']} {via['range']}",
            frozenset([via["url"].rpartition("/")[2]]),
            f"{via['title']}; `npm audit fix` knows a remedy: {bool(each['fixAvailable'])}",
        )
        for each in content["vulnerabilities"].values()
        for via in each["via"]
        if isinstance(via, dict)  # else the name of another package, which has a row of its own
    ]


def accepted(today):
    """{name of a weakness: the package it is in}, of what is explained and not overdue."""
    entries = tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).get("finding", [])
    for entry in entries:
        if set(entry) != {"id", "package", "why", "until"} or not isinstance(entry["until"], date):
            sys.exit(
                f"audit: an entry of {ACCEPTED.name} must have id, package, why and until (a date,"
                f" as 2027-01-31), got {entry}"
            )
    return {each["id"]: each["package"] for each in entries if each["until"] >= today}


def main():
    explained, left, silent, used = accepted(date.today()), [], [], set()
    for source in (of_python, of_npm):
        try:
            found = source()
        except NotAskedError as error:
            silent.append(error)
            continue
        for each in found:
            known = {n for n in each.names if explained.get(n) == each.package.split()[0]}
            used |= known
            if not known:
                left.append(each)
    for each in left:
        print(f"audit: {each}")
    for name in explained.keys() - used if not silent else ():
        print(f"audit: {name} is found no longer; its entry in {ACCEPTED.name} can go")
    for error in silent:
        print(f"audit: NOT ASKED: {error}. Nothing is known of these packages; try again elsewhere")
    if left:
        print(
            f"audit: take newer versions (`make lock NEWEST=1`), or explain it in {ACCEPTED.name}"
        )
        return FOUND
    if silent:
        return NOT_ASKED
    print(f"audit: no known weakness in the locked versions; {len(used)} explained")
    return CLEAN


if __name__ == "__main__":
    sys.exit(main())
