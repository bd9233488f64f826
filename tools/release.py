"""Prepares a version: `make release VERSION=1.2.3`.

Two commits come on main. The first is the version: its number wherever one stands, its section of
CHANGELOG.md, and the address of its tag wherever a notebook is opened, downloaded, or installs the
package. So a course that runs with the notebooks of a tag does not change under its students. The
second goes on: a number that says so, and the notebooks of main install main again.

All is done in a worktree beside this one, where dist is built too. If a step fails, that worktree
is thrown away, and nothing has happened here. What cannot be taken back (the tag, the push) is
printed, and left to you.
"""

import datetime
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import changelog
import repository

ROOT = Path(__file__).resolve().parents[1]
MAIN = "main"
# Where the number stands. tests/test_package.py holds that they agree.
PLACES = {
    "pyproject.toml": r'^version = "([^"]+)"',
    "dynconv/__init__.py": r'^__version__ = "([^"]+)"',
    "CITATION.cff": r"^version: (\S+)",
}
RELEASED = r"^date-released: .*\n"  # of CITATION.cff
REF = r"(?:main|v\d+\.\d+\.\d+)"


class ReleaseError(Exception):
    """Something is not as it must be before a version; nothing was changed."""


def git(*command, folder=None):
    done = subprocess.run(
        ["git", *map(str, command)], cwd=folder or ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise ReleaseError(f"git {command[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def number(version):
    """(1, 2, 3) of 1.2.3, of v1.2.3 and of 1.2.3.dev0; None of all else."""
    match = re.fullmatch(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:\.dev0)?", version)
    return match and tuple(map(int, match.groups()))


def check(version):
    """Raise ReleaseError for the first thing that is not so."""
    if not re.fullmatch(r"\d[\d.]*", version) or not number(version):
        raise ReleaseError(f"{version!r} is no version such as 1.2.3; make release VERSION=1.2.3")
    owner, _ = repository.split(repository.current())
    if owner == repository.PLACEHOLDER:
        raise ReleaseError(
            "the book has no public address, so no notebook could install a version from it:"
            " make repository URL=https://github.com/owner/name, and commit that"
        )
    if git("branch", "--show-current") != MAIN:
        raise ReleaseError(f"versions are made on {MAIN}: git switch {MAIN}")
    if changed := git("status", "--porcelain"):
        raise ReleaseError(f"commit these, or take them back, first:\n{changed}")
    text = (ROOT / changelog.FILE).read_text(encoding="utf-8")
    known = [tag for tag in git("tag").splitlines() if number(tag)]
    known += [each.number for each in changelog.versions(text)]
    later = [each for each in known if number(each) >= number(version)]
    if later or number(version) < number(current()):
        raise ReleaseError(
            f"{version} is not new: there is {max(later, key=number) if later else current()}"
        )
    if not re.search(r"^- ", changelog.unreleased(text), re.MULTILINE):
        raise ReleaseError(f"{changelog.FILE} has no entry below '{changelog.UNRELEASED.strip()}'")


def current():
    file, pattern = "pyproject.toml", PLACES["pyproject.toml"]
    return re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)[1]


def edit(file, change):
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")


def set_version(tree, version, date=None):
    """Write the number in its places, and the day on which it was released."""
    for name, pattern in PLACES.items():

        def change(text, pattern=pattern):
            (old,) = re.finditer(pattern, text, re.MULTILINE)
            return f"{text[: old.start(1)]}{version}{text[old.end(1) :]}"

        edit(tree / name, change)
    released = f"date-released: {date}\n" if date else ""

    def change(text):
        text = re.sub(RELEASED, "", text, flags=re.MULTILINE)
        return re.sub(r"^(version: .*\n)", rf"\g<1>{released}", text, flags=re.MULTILINE)

    edit(tree / "CITATION.cff", change)


def pin(tree, ref):
    """Let every address that opens, downloads, clones or installs lead to that tag, or to main."""
    owner, name = map(re.escape, repository.split(repository.current()))
    url = rf"https://github\.com/{owner}/{name}(?:\.git)?"
    at, branch = ("", "") if ref == MAIN else (f"@{ref}", f"--branch {ref} ")

    def change(text):
        shown = rf"((?:github\.com|/github)/{owner}/{name}/(?:blob|raw|tree)/){REF}/"
        text = re.sub(shown, rf"\g<1>{ref}/", text)
        text = re.sub(rf"(git\+{url})(?:@{REF})?(?![\w.@/-])", rf"\g<1>{at}", text)
        return re.sub(rf"git clone (?:--branch {REF} )?({url})", rf"git clone {branch}\g<1>", text)

    for file in repository.places(tree):
        edit(file, change)
    # of 'Open in Colab' in the site's head, and of links to a page's source
    edit(
        tree / "_config.yml",
        lambda text: re.sub(rf"^  branch: {REF}\b", f"  branch: {ref}", text, flags=re.MULTILINE),
    )


def commit(tree, message):
    git("commit", "--quiet", "--all", "--message", message, folder=tree)
    return git("rev-parse", "HEAD", folder=tree)


def build(tree):
    """What is published of the package, and the lists of what it was made with, in dist."""
    # The worktree has no .venv of its own: that of this one stands in PATH.
    if subprocess.run(["make", "--old-file=env", "dist", "sbom"], cwd=tree).returncode:
        raise ReleaseError("dist was not built; the reason stands above")


def prepare(tree, version):
    """Both commits, in the worktree; returns them."""
    tag, date = f"v{version}", datetime.date.today().isoformat()
    set_version(tree, version, date)
    edit(tree / changelog.FILE, lambda text: changelog.released(text, version, date))
    pin(tree, tag)
    released = commit(tree, f"Version {version}")
    build(tree)
    major, minor, last = number(version)
    set_version(tree, f"{major}.{minor}.{last + 1}.dev0")
    pin(tree, MAIN)
    return released, commit(tree, f"{MAIN} goes on after version {version}")


def main(version):
    check(version)
    before = git("rev-parse", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", tree)
        try:
            released, after = prepare(tree, version)
            git("merge", "--quiet", "--ff-only", after)  # all of it, or nothing
            (ROOT / "dist").mkdir(exist_ok=True)
            for file in sorted((tree / "dist").iterdir()):
                shutil.copy(file, ROOT / "dist")
                print(f"release: dist/{file.name}")
        finally:
            git("worktree", "remove", "--force", tree)
    print(f"""release: {MAIN} has two commits more: version {version}, and how it goes on.
Nothing is published. What is left to you (RELEASING.md):

  git switch --detach {released[:12]} && make test && git switch {MAIN}
  git tag --sign v{version} {released[:12]} --message 'Version {version}'
  git push --atomic origin {MAIN} v{version}

To take it back before that: git reset --keep {before[:12]}""")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or [""])
    except (ReleaseError, repository.RepositoryUrlError) as error:
        sys.exit(f"release: {error}")
