"""The public address: one place decides it, every other agrees, and one command changes it."""

import fnmatch
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import repository
from conftest import REF, REPOSITORY, ROOT

OWNER, NAME = REPOSITORY.split("/")[-2:]
IGNORED = [".git"] + [
    line.rstrip("/")
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def text_files(root):
    """The files below root that git does not ignore, and what they say: also where git is not."""

    def kept(names):
        return [name for name in names if not any(fnmatch.fnmatch(name, i) for i in IGNORED)]

    for folder, folders, names in os.walk(root):
        folders[:] = sorted(kept(folders))
        for path in (Path(folder, name) for name in sorted(kept(names))):
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the tree that the tool works on."""
    for path, _ in text_files(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    monkeypatch.setattr(repository, "CONFIG", tmp_path / "_config.yml")
    return tmp_path


def snapshot(root):
    return {path.relative_to(root): text for path, text in text_files(root)}


def test_config_names_a_valid_address():
    assert repository.current() == REPOSITORY
    assert repository.split(REPOSITORY) == (OWNER, NAME)


def test_no_place_disagrees():
    """Wherever the owner or the name of the repository stands in an address, it is the address of
    `_config.yml`.
    """
    strays = []
    for path in repository.places():
        text = path.read_text(encoding="utf-8")
        for owner, name in re.findall(
            r"(?:github\.com|/github)/([\w-]+)/([\w-]+(?:\.[\w-]+)*)", text
        ):
            name = name.removesuffix(".git")
            if (owner == OWNER) != (name == NAME):
                strays.append(f"{path.relative_to(ROOT)}: {owner}/{name}")
    assert not strays


def test_no_other_file_repeats_the_address():
    """Files that the tool does not rewrite must read the address from `_config.yml`."""
    places = repository.places()
    repeated = [
        path for path, text in text_files(ROOT) if path not in places and f"{OWNER}/{NAME}" in text
    ]
    assert not repeated


def test_changes_every_place_and_back(copy):
    before = snapshot(copy)
    repository.main("https://github.com/a-teacher/my.course")
    changed = snapshot(copy)
    for path, text in changed.items():
        assert f"{OWNER}/{NAME}" not in text, path
    for notebook in [*copy.glob("notebooks/*.ipynb"), *copy.glob("book/*.ipynb")]:
        text, name = notebook.read_text(encoding="utf-8"), notebook.relative_to(copy).as_posix()
        colab = "https://colab.research.google.com/github/a-teacher/my.course"
        assert f"{colab}/blob/{REF}/{name}" in text
        assert f"https://github.com/a-teacher/my.course/raw/{REF}/{name}" in text
        assert "git+https://github.com/a-teacher/my.course" in text
    repository.main("https://github.com/a-teacher/my.course")
    assert snapshot(copy) == changed, "a second run changes nothing"
    repository.main(REPOSITORY)
    assert snapshot(copy) == before, "the old address undoes it"


def test_an_interrupted_run_can_be_repeated(copy, monkeypatch):
    count = iter(range(100))

    def fails_at_third(*paths):
        if next(count) == 2:
            raise KeyboardInterrupt
        os.replace(*paths)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(repository, "os", SimpleNamespace(replace=fails_at_third))
        with pytest.raises(KeyboardInterrupt):
            repository.main("https://github.com/a-teacher/course")
    repository.main("https://github.com/a-teacher/course")
    assert not [
        path
        for path, text in snapshot(copy).items()
        if f"{OWNER}/{NAME}" in text and path.suffix != ".new"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a-teacher/course",
        "http://github.com/a-teacher/course",
        "https://github.com/a-teacher",
        "https://github.com/a-teacher/course/tree/main",
        "https://gitlab.com/a-teacher/course",
        "https://github.com/a teacher/course",
        "https://github.com/a-teacher/..",
    ],
)
def test_refuses_other_addresses(url):
    with pytest.raises(repository.RepositoryUrlError, match="https://github.com/owner/name"):
        repository.split(url)


def test_a_refused_address_changes_nothing(copy):
    before = snapshot(copy)
    with pytest.raises(repository.RepositoryUrlError, match="Nothing was changed"):
        repository.main("https://gitlab.com/a-teacher/course")
    assert snapshot(copy) == before


def test_rewrites_only_this_address():
    text = (
        "github.com/me/book github.com/me/book.git github.com/me/book2 github.com/me/book-x"
        " github.com/me/book.x. me.github.io/book/"
    )
    new = (
        "github.com/you/b github.com/you/b.git github.com/me/book2 github.com/me/book-x"
        " github.com/me/book.x. you.github.io/b/"
    )
    assert repository.rewrite(text, ("me", "book"), ("you", "b")) == new
