"""The workflows: they call what there is, with no more rights than they need, and the weekly one
opens one issue.
"""

import os
import re
import subprocess

import compat_environments
import pytest
import yaml
from conftest import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = re.compile(r"uses: *[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def workflow(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_actions_are_pinned_by_commit_with_the_release_beside_it(file):
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines and all(ACTION.search(line) for line in lines), lines


def test_what_is_called_is_there(workflow):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = [step["run"] for step in steps(workflow) if step.get("run", "").startswith("make")]
    assert called
    for line in called:
        make, target, *settings = line.split()
        assert target in targets, line
        for setting in settings:
            name, _, value = setting.partition("=")
            assert f"$({name})" in (ROOT / "Makefile").read_text(), line
            assert name != "ONLY" or value in compat_environments.environments(), line


def test_rights_are_the_least(workflow):
    """A job that may write runs nothing of the repository and no action of others."""
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90
        if "write" in job["permissions"].values():
            assert job["permissions"] == {"issues": "write"}, name
            for step in job["steps"]:
                assert "uses" not in step and "make" not in step["run"], name
        else:
            assert job["permissions"] == {"contents": "read"}, name
    for step in steps(workflow):
        assert "${{" not in step.get("run", ""), "a value comes in by env, or it could be code"
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(
    "open_issues, expected",
    [
        ("", ["issue list", "label create", "issue create"]),
        ("12", ["issue list", "issue comment 12"]),
    ],
    ids=["none is open", "one is open"],
)
def test_the_weekly_failure_opens_one_issue(open_issues, expected, tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text(encoding="utf-8"))
    report = workflow["jobs"]["report"]
    assert report["needs"] == "newest" and "needs.newest.result != 'success'" in report["if"]
    (step,) = report["steps"]
    stub = tmp_path / "gh"
    stub.write_text(
        '#!/bin/sh\necho "$@" >> calls\n[ "$1 $2" = "issue list" ] && echo "$OPEN" || true\n'
    )
    stub.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OPEN": open_issues, "RUN": "a link"}
    # as GitHub calls a step whose shell is bash
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == len(expected)
    assert all(call.startswith(begin) for call, begin in zip(calls, expected)), calls
    assert "a link" in calls[-1]
