"""`make audit`: what it makes of the answers of pip-audit and npm, above all of none."""

import json
import subprocess
from datetime import date

import audit_packages as audit
import pytest
from conftest import ROOT

# As pip-audit 2.10 and npm 11 printed them beside a server that gave the documented answers.
CANARY = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [
        {
            "id": "CVE-2024-22195",
            "fix_versions": ["3.1.3"],
            "aliases": ["GHSA-h5c8-rqwp-cp95"],
            "description": "",
        }
    ],
}
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
WEAK = {
    "name": "tornado",
    "version": "6.6.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": [], "aliases": ["CVE-1"], "description": ""}],
}
SKIPPED = {
    "name": "jinja2",
    "skip_reason": "Dependency not found on PyPI and could not be audited: jinja2 (3.1.2)",
}
NPM_CLEAN = {"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {}}
NPM_WEAK = NPM_CLEAN | {
    "vulnerabilities": {
        "eslint": {"name": "eslint", "via": ["minimatch"], "range": "", "fixAvailable": False},
        "minimatch": {
            "name": "minimatch",
            "via": [
                {
                    "source": 1234568,
                    "name": "minimatch",
                    "title": "It stalls",
                    "url": "https://github.com/advisories/GHSA-dddd-eeee-ffff",
                    "severity": "low",
                    "range": "<99.0.0",
                }
            ],
            "range": "",
            "fixAvailable": False,
        },
    }
}
NPM_CLOSED = {"message": "405 Method Not Allowed - POST", "statusCode": 405, "error": {}}


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Audit with these answers and explanations: (exit status, what it printed)."""

    def run(packages, npm=NPM_CLEAN, canary=CANARY, accepted=""):
        def say(command, **how):
            found = npm if command[0] == "npm" else packages
            if "--no-deps" in command:
                found = canary
            text = found if isinstance(found, str) else json.dumps(found)
            if command[0] != "npm" and not isinstance(found, str):
                text = json.dumps({"dependencies": found if found is packages else [found]})
            return subprocess.CompletedProcess(command, 1, text, "the last word of a failure")

        monkeypatch.setattr(audit.subprocess, "run", say)
        monkeypatch.setattr(audit, "ACCEPTED", tmp_path / "accepted.toml")
        audit.ACCEPTED.write_text(accepted)
        return audit.main(), capsys.readouterr().out

    return run


def explain(name, package, until="2999-01-01"):
    return f'[[finding]]\nid = "{name}"\npackage = "{package}"\nwhy = "so"\nuntil = {until}\n'


def test_clean_is_clean(run):
    status, text = run([CLEAN])
    assert status == audit.CLEAN and "no known weakness" in text


def test_what_is_found_is_named(run):
    status, text = run([CLEAN, WEAK], NPM_WEAK)
    assert status == audit.FOUND
    assert "tornado 6.6.1: CVE-1, PYSEC-1; mended in no version yet" in text
    assert "minimatch <99.0.0: GHSA-dddd-eeee-ffff; It stalls" in text
    assert "eslint" not in text, "it is weak by another package only"


def test_each_lock_is_asked_for_and_a_package_in_two_is_named_once(monkeypatch, run):
    locks = subprocess.check_output(["git", "ls-files", "*package-lock.json"], cwd=ROOT, text=True)
    asked = []
    monkeypatch.setattr(audit, "ask_npm", lambda folder: asked.append(folder) or [weak])
    weak = audit.Finding("minimatch <99.0.0", frozenset(["GHSA-1"]), "it stalls")
    status, text = run([CLEAN])
    assert {f"{folder}/package-lock.json" for folder in asked} == set(locks.split())
    assert status == audit.FOUND and text.count("minimatch") == 1


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_a_finding_is_explained_by_any_of_its_names(run, name):
    status, text = run([WEAK], accepted=explain(name, "tornado"))
    assert status == audit.CLEAN and "1 explained" in text


@pytest.mark.parametrize(
    "entry", [explain("CVE-1", "tornado", "2026-01-01"), explain("CVE-1", "jinja2")]
)
def test_an_explanation_ends_and_holds_for_one_package(run, entry):
    assert run([WEAK], accepted=entry)[0] == audit.FOUND


def test_an_explanation_of_nothing_is_named(run):
    status, text = run([CLEAN], accepted=explain("CVE-1", "tornado"))
    assert status == audit.CLEAN and "CVE-1 is found no longer" in text


def test_an_explanation_needs_a_reason_and_a_day(run):
    for entry in (explain("A", "b").replace("why", "because"), explain("A", "b", '"soon"')):
        with pytest.raises(SystemExit, match=r"must have id, package, why and until"):
            run([CLEAN], accepted=entry)


@pytest.mark.parametrize(
    "answers, reason",
    [
        ({"canary": SKIPPED}, "no answer for 1 packages"),
        ({"canary": CLEAN}, "knows of no weakness in jinja2"),
        ({"canary": ""}, "the last word of a failure"),
        ({"packages": [CLEAN, SKIPPED]}, "no answer for 1 packages"),
        ({"npm": NPM_CLOSED}, "405 Method Not Allowed"),
        ({"npm": ""}, "the last word of a failure"),
    ],
)
def test_no_answer_is_not_taken_for_a_clean_one(run, answers, reason):
    status, text = run(**{"packages": [CLEAN]} | answers)
    assert status == audit.NOT_ASKED
    (line,) = text.splitlines()
    assert line.startswith("audit: NOT ASKED: ") and reason in line


def test_what_one_source_found_is_said_though_the_other_is_silent(run):
    status, text = run([CLEAN], NPM_WEAK, canary=SKIPPED)
    assert status == audit.FOUND and "minimatch" in text and "NOT ASKED" in text


def test_the_explanations_in_the_repository_can_be_read():
    assert isinstance(audit.accepted(date.today()), dict)
