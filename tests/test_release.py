"""`make release`, in a repository of its own: one commit is the version, one goes on, and if
anything fails nothing has happened.
"""

import datetime
import re
import shutil
import subprocess
import tomllib

import changelog
import pytest
import release
import repository
import yaml
from conftest import REF, ROOT

URL = "https://github.com/a-teacher/course"
COLAB = URL.replace("github.com", "colab.research.google.com/github")
TAG = "v7.8.9"

pytestmark = pytest.mark.skipif(REF != "main", reason="a version is made from main, not of one")


def git(*command):
    return subprocess.check_output(["git", *command], cwd=release.ROOT, text=True).strip()


def commit(**files):
    for name, text in files.items():
        (release.ROOT / name.replace("__", ".")).write_text(text, encoding="utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "a change")


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """The files of this repository that a version changes, published at an address of its own."""
    names = [*release.PLACES, changelog.FILE, ".gitignore", "_config.yml"]
    for file in [*(ROOT / name for name in names), *repository.places()]:
        target = tmp_path / "repo" / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for name, value in (("author", "A"), ("committer", "A")):
        monkeypatch.setenv(f"GIT_{name.upper()}_NAME", value)
        monkeypatch.setenv(f"GIT_{name.upper()}_EMAIL", "a@example.org")
    for module in (release, repository):
        monkeypatch.setattr(module, "ROOT", tmp_path / "repo")
    monkeypatch.setattr(repository, "CONFIG", tmp_path / "repo/_config.yml")
    monkeypatch.setattr(release, "build", build)
    git("init", "--quiet", "--initial-branch", "main")
    repository.main(URL)
    commit(CHANGELOG__md="# Changelog\n\n## Unreleased\n\n- News.\n")
    return tmp_path / "repo"


def build(tree):
    (tree / "dist").mkdir()
    version = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["version"]
    (tree / f"dist/dynconv-{version}.whl").touch()


def at(commit, name):
    return git("show", f"{commit}:{name}")


def number_at(commit):
    """Its number, the same in all places."""
    (number,) = {
        re.search(pattern, at(commit, name), re.MULTILINE)[1]
        for name, pattern in release.PLACES.items()
    }
    return number


def test_a_version_is_one_commit_that_installs_its_own_tag(repo, capsys):
    release.main("7.8.9")
    assert number_at("HEAD~1") == "7.8.9"
    today = datetime.date.today()
    assert f"## 7.8.9 - {today}\n\n- News." in at("HEAD~1", changelog.FILE)
    assert yaml.safe_load(at("HEAD~1", "CITATION.cff"))["date-released"] == today
    assert yaml.safe_load(at("HEAD~1", "_config.yml"))["repository"]["branch"] == TAG
    notebooks = [name for name in git("ls-files").splitlines() if name.endswith(".ipynb")]
    assert len(notebooks) > 10
    for name in notebooks:
        text = at("HEAD~1", name)
        assert f"({COLAB}/blob/{TAG}/{name})" in text and f"({URL}/raw/{TAG}/{name})" in text
        assert f'"dynconv @ git+{URL}@{TAG}\\"' in text and text.count("git+") == 1
        assert not re.search(r"a-teacher/course/\w+/main/", text)
    for name in ("README.md", "book/setup.md"):
        installs = re.findall(rf"git\+{URL}\S*", at("HEAD~1", name))
        assert installs and all(each.startswith(f"git+{URL}@{TAG}") for each in installs)
    assert f"git clone --branch {TAG} {URL} " in at("HEAD~1", "book/setup.md")
    assert (repo / "dist/dynconv-7.8.9.whl").exists()
    said = capsys.readouterr().out
    assert f"git tag --sign {TAG} {git('rev-parse', 'HEAD~1')[:12]}" in said
    assert not git("tag") and "push --atomic" in said, "what cannot be taken back is yours"


def test_main_goes_on_as_it_was_under_a_number_that_says_so(repo):
    release.main("7.8.9")
    assert number_at("HEAD") == "7.8.10.dev0"
    changed = git("diff", "--name-only", "HEAD~2", "HEAD").splitlines()
    assert set(changed) == {*release.PLACES, changelog.FILE}
    assert "date-released" not in at("HEAD", "CITATION.cff")
    assert not git("status", "--porcelain") and git("branch", "--show-current") == "main"


def test_after_a_version_comes_another(repo):
    release.main("7.8.9")
    with pytest.raises(release.ReleaseError, match="no entry below '## Unreleased'"):
        release.main("7.8.10")
    text = (repo / changelog.FILE).read_text()
    commit(CHANGELOG__md=text.replace("## 7", "## Unreleased\n\n- More.\n\n## 7"))
    with pytest.raises(release.ReleaseError, match="7.8.9 is not new: there is 7.8.9"):
        release.main("7.8.9")
    release.main("7.8.10")
    found = changelog.versions((repo / changelog.FILE).read_text())
    assert [each.number for each in found] == ["7.8.10", "7.8.9"]
    assert [each.text.strip() for each in found] == ["- More.", "- News."]


@pytest.mark.parametrize("step", ["build", "pin", "set_version"])
def test_if_a_step_fails_nothing_has_happened(repo, monkeypatch, step):
    before = git("rev-parse", "HEAD")
    calls = []

    def fails_later(*arguments):
        calls.append(arguments)
        if step == "build" or len(calls) == 2:
            raise KeyboardInterrupt
        return kept(*arguments)

    kept = getattr(release, step)
    monkeypatch.setattr(release, step, fails_later)
    with pytest.raises(KeyboardInterrupt):
        release.main("7.8.9")
    assert git("rev-parse", "HEAD") == before and not git("status", "--porcelain")
    assert len(git("worktree", "list").splitlines()) == 1 and not (repo / "dist").exists()


def test_what_was_committed_meanwhile_is_not_lost(repo, monkeypatch):
    def meanwhile(tree):
        build(tree)
        commit(README__md="new")

    monkeypatch.setattr(release, "build", meanwhile)
    with pytest.raises(release.ReleaseError, match="merge failed"):
        release.main("7.8.9")
    assert (repo / "README.md").read_text() == "new" and git(
        "log", "-1", "--format=%s"
    ) == "a change"


@pytest.mark.parametrize("version", ["", "7.8", "v7.8.9", "7.8.9rc1", "7.8.9.dev0", "07.8.9", "x"])
def test_a_version_has_three_numbers(repo, version):
    with pytest.raises(release.ReleaseError, match="no version such as 1.2.3"):
        release.main(version)


def dirty(repo):
    (repo / "README.md").write_text("half a sentence")


def elsewhere(repo):
    git("switch", "--quiet", "--create", "topic")


def tagged(repo):
    git("tag", "v7.9.0")


def older(repo):
    release.set_version(repo, "8.0.0")
    commit()


def silent(repo):
    commit(CHANGELOG__md="# Changelog\n\n## Unreleased\n\nNothing.\n")


def unpublished(repo):
    repository.main(f"https://github.com/{repository.PLACEHOLDER}/book")
    commit()


@pytest.mark.parametrize(
    "prepare, message",
    [
        (dirty, "commit these.*\n.*README.md"),
        (elsewhere, "git switch main"),
        (tagged, "there is v7.9.0"),
        (older, "there is 8.0.0"),
        (silent, "no entry"),
        (unpublished, "no public address"),
    ],
)
def test_what_is_not_ready_is_named_and_nothing_is_changed(repo, prepare, message):
    prepare(repo)
    before = git("rev-parse", "HEAD"), git("status", "--porcelain")
    with pytest.raises(release.ReleaseError, match=message):
        release.main("7.8.9")
    assert (git("rev-parse", "HEAD"), git("status", "--porcelain")) == before
