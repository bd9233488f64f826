"""The workflows: they call what there is, with no more rights than they need, a fork publishes the
book under its own address, and the weekly one opens one issue for each thing that fails.
"""

import os
import re
import shlex
import subprocess

import colab_results
import compat_environments
import environment
import pytest
import yaml
from conftest import ROOT

FOLDER = ROOT / ".github"
FILES = sorted(FOLDER.glob("workflows/*.yml"))
ACTIONS = sorted(FOLDER.glob("actions/*/action.yml"))
PINNED = re.compile(r"uses: *[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OURS = re.compile(r"uses: *\./(\.github/actions/\w+)$")
each_file = pytest.mark.parametrize(
    "file", FILES + ACTIONS, ids=lambda file: f"{file.parent.name}-{file.stem}"
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def read(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def workflow(request):
    return read(request.param)


def steps(content):
    """Those of a workflow, or of an action of ours."""
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for job in jobs for step in job["steps"]]


def calls(steps):
    return [step["run"] for step in steps if step.get("run", "").startswith("make")]


@each_file
def test_actions_are_pinned_by_commit_with_the_release_beside_it(file):
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        ours = OURS.search(line)
        assert (ROOT / ours[1] / "action.yml").is_file() if ours else PINNED.search(line), line


def test_one_version_of_each_action_is_used():
    text = "".join(file.read_text(encoding="utf-8") for file in FILES + ACTIONS)
    pins = set(re.findall(r"uses: *([\w.-]+/[\w.-]+)[\w./-]*@(\w+) # (\S+)", text))
    assert len(pins) == len({action for action, *_ in pins}), pins


@each_file
def test_what_is_called_is_there(file):
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    called = calls(steps(read(file)))
    assert called
    for line in called:
        make, target, *settings = shlex.split(line)
        assert make == "make" and target in targets, line
        for setting in settings:
            name, _, value = setting.partition("=")
            assert f"$({name})" in MAKEFILE or f"$(if $({name})" in MAKEFILE, line
            assert name != "ONLY" or value in compat_environments.environments(), line


def test_rights_are_the_least(workflow):
    """A job that may write runs nothing of the repository; one may publish, with GitHub's action,
    and one may write issues, with no action.
    """
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 180
        used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
        if "pages" in job["permissions"]:
            assert job["permissions"] == {"pages": "write", "id-token": "write"}, name
            assert used == ["actions/deploy-pages"] and len(job["steps"]) == 1, name
        elif "write" in job["permissions"].values():
            assert job["permissions"] == {"issues": "write"} and not used, name
            assert not any("make" in step["run"] for step in job["steps"]), name
        else:
            assert job["permissions"] == {"contents": "read"}, name
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_file
def test_no_value_of_others_becomes_code(file):
    for step in steps(read(file)):
        assert "${{" not in step.get("run", ""), "a value comes in by env, or it could be code"


@pytest.mark.parametrize("text", [file.read_text(encoding="utf-8") for file in FILES])
def test_no_pull_request_gets_secrets_or_rights(text):
    assert "pull_request_target" not in text and "workflow_run" not in text
    assert "secrets." not in text


def test_the_book_is_tested_before_it_is_published_and_published_from_main_only():
    book = read(FOLDER / "workflows/book.yml")
    build, publish = book["jobs"]["build"], book["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["if"] == "${{ github.ref == 'refs/heads/main' }}"
    order = [step.get("run") or step["uses"].partition("@")[0] for step in build["steps"]]
    order = [each for each in order if "cache" not in each]
    assert order[1:] == [
        "./.github/actions/environment",
        "make env",
        "make test",
        "make audit",
        "actions/upload-pages-artifact",
    ]
    reports = [step["run"] for step in build["steps"] if step.get("continue-on-error")]
    assert reports == ["make audit"], "all else holds the site up"
    written = [s for s in build["steps"] if re.search("save|upload", s.get("uses", ""))]
    assert len(written) == 3
    assert all("github.ref == 'refs/heads/main'" in step["if"] for step in written)


def test_each_job_with_a_book_begins_with_the_address_of_its_repository(workflow):
    for name, job in workflow["jobs"].items():
        uses = [step.get("uses", "") for step in job["steps"]]
        called = calls(job["steps"])
        if called and not called[0].startswith("make compat"):
            assert uses.count("./.github/actions/environment") == 1, name
    (action,) = ACTIONS
    last = read(action)["runs"]["steps"][-1]
    assert last["run"] == 'make repository URL="$REPOSITORY"'
    assert last["env"]["REPOSITORY"] == "${{ github.server_url }}/${{ github.repository }}"


def test_what_is_kept_is_named_by_what_it_is_made_of():
    (action,) = ACTIONS
    found = {step["id"]: step["with"] for step in read(action)["runs"]["steps"] if "id" in step}
    hashed = {
        name: set(re.findall(r"'([^']+)'", found[name]["key"])) for name in ("venv", "executed")
    }
    assert hashed["venv"] == set(environment.INPUTS)
    assert "restore-keys" not in found["venv"], "of other requirements it would be half another"
    sources = {path.relative_to(ROOT).parts[0] + "/*.ipynb" for path in colab_results.notebooks()}
    assert sources < hashed["executed"] and "dynconv/**" in hashed["executed"]


def test_the_weekly_run_tries_each_notebook_once_on_colabs_packages():
    job = read(FOLDER / "workflows/weekly.yml")["jobs"]["colab"]
    parts = [part.split() for part in job["strategy"]["matrix"]["notebooks"]]
    for path in colab_results.notebooks():
        assert sum(path.stem.startswith(tuple(part)) for part in parts) == 1, path
    assert calls(job["steps"]) == ['make colab NOTEBOOK="$NOTEBOOKS" LIST=newest']


@pytest.mark.parametrize(
    "open_issues, expected",
    [
        ("", ["issue list", "label create", "issue create"]),
        ("12", ["issue list", "issue comment 12"]),
    ],
    ids=["none is open", "one is open"],
)
def test_the_weekly_failure_opens_one_issue_of_its_kind(open_issues, expected, tmp_path):
    jobs = read(FOLDER / "workflows/weekly.yml")["jobs"]
    report = jobs["report"]
    tried = [name for name in jobs if name != "report"]
    kinds = report["strategy"]["matrix"]["include"]
    assert report["needs"] == [kind["kind"] for kind in kinds] == tried
    assert len({kind["title"] for kind in kinds}) == len(kinds)
    assert report["if"] == "${{ !cancelled() }}"
    (step,) = report["steps"]
    assert step["if"] == "${{ needs[matrix.kind].result != 'success' }}"
    stub = tmp_path / "gh"
    stub.write_text(
        '#!/bin/sh\necho "$@" >> calls\n[ "$1 $2" = "issue list" ] && echo "$OPEN" || true\n'
    )
    stub.chmod(0o755)
    values = {"OPEN": open_issues, "RUN": "a link", "KIND": "links", "TITLE": "A title"}
    # as GitHub calls a step whose shell is bash
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(command, cwd=tmp_path, env=path | values, check=True)
    said = (tmp_path / "calls").read_text().splitlines()
    assert len(said) == len(expected)
    assert all(call.startswith(begin) for call, begin in zip(said, expected)), said
    assert "--label weekly-links" in said[0] and "a link" in said[-1]
