"""The four edits as a program: made, taken away byte by byte, refused where they do not fit, and
never half-done. What the edited copies then do stands in test_edits_at_work.py.
"""

import ast
import contextlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from life import killed_before_change, run_python

from dynconv import __main__, edits

INSTALLED = Path(importlib.util.find_spec("ultralytics").origin).parent  # without importing it
TASKS = INSTALLED / "nn/tasks.py"


def shortened(source):
    """nn/tasks.py with the imports and parse_model only: the edits read it many times."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name != "parse_model":
            del lines[node.lineno - 1 : node.end_lineno]
    return b"".join(lines)


SHORT = shortened(TASKS.read_bytes())


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A checkout with what the edits look at: a file for the version, and nn/. It cannot be run, so
    it is not tried; trees that are, stand in test_edits_at_work.py.
    """
    monkeypatch.setattr(edits, "difference", lambda *_: "")
    package = tmp_path / "ultralytics"
    (package / "nn").mkdir(parents=True)
    shutil.copy(INSTALLED / "__init__.py", package)
    (package / "nn/tasks.py").write_bytes(SHORT)
    return tmp_path


def tasks(tree):
    return tree / "ultralytics/nn/tasks.py"


def content(tree):
    """Every file and its bytes, Python's caches aside."""
    return {
        path.relative_to(tree): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_room_needs_neither_ultralytics_nor_torch():
    """Or a tree that no longer imports could not be repaired where Python finds it first."""
    imported = set()
    for file in Path(edits.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add("." * node.level + node.module.partition(".")[0])
    ours = {name for name in imported if name.startswith(".")}
    assert ours == {"..offline", ".errors", ".files", ".tasks", ".trying"}
    assert imported - ours <= sys.stdlib_module_names


# --- what the edits are ---------------------------------------------------------------------------


def test_the_four_edits_are_what_the_tutorials_say(tree):
    made = edits.apply(tree)
    assert [(edit.number, edit.path) for edit in made] == [
        (1, "nn/Addmodules/DynamicConv.py"),
        (2, "nn/Addmodules/__init__.py"),
        (3, "nn/tasks.py"),
        (4, "nn/tasks.py"),
    ]
    assert set(edits.status(tree).values()) == {"there"}
    added = [
        line[1:].strip()
        for edit in made[2:]
        for line in edit.diff.splitlines()[2:]
        if line[0] == "+"
    ]
    removed = [line for edit in made for line in edit.diff.splitlines()[2:] if line[0] == "-"]
    assert removed == [] and added == [
        "from ultralytics.nn.Addmodules import C2f_DynamicConv, DynamicConv",
        "DynamicConv,",
        "C2f_DynamicConv,",
        "C2f_DynamicConv,",
    ]
    assert made[0].diff.startswith(
        "--- /dev/null\n+++ b/ultralytics/nn/Addmodules/DynamicConv.py\n"
    )


def test_the_diffs_are_ones_that_git_applies(tree):
    """What the chapter shows is the edit itself, not a picture of it."""
    for edit in edits.plan(tree):
        subprocess.run(
            ["git", "apply", "--unsafe-paths", f"--directory={tree}", "-"],
            input=edit.diff,
            text=True,
            check=True,
            cwd=tree,
        )
    assert set(edits.status(tree).values()) == {"there"}


def test_only_the_whole_of_the_four_edits_is_tried(tree, monkeypatch):
    tried = []
    monkeypatch.setattr(edits, "difference", lambda *what: tried.append(what) or "")
    for arguments in ({"edits": (1, 2)}, {"repeat": ()}, {"edits": (4,), "base": ("DynamicConv",)}):
        edits.apply(tree, **arguments)
        edits.undo(tree)
    assert not tried
    edits.apply(tree)
    assert len(tried) == 1


def test_what_the_room_names_is_there():
    assert set(edits.__all__) <= vars(edits).keys()


def test_plan_writes_nothing(tree):
    before = content(tree)
    edits.plan(tree)
    assert content(tree) == before


def test_only_the_names_are_new_in_the_syntax_tree(tree):
    before = ast.parse(tasks(tree).read_bytes())
    edits.apply(tree)
    after = ast.parse(tasks(tree).read_bytes())
    after.body = [
        node
        for node in after.body
        if not (isinstance(node, ast.ImportFrom) and "Addmodules" in (node.module or ""))
    ]
    (base,), (repeat,) = edits.find_collections(after)
    assert [node.id for node in base.elts[:2]] == [
        "DynamicConv",
        "C2f_DynamicConv",
    ] and repeat.elts[0].id == "C2f_DynamicConv"
    del base.elts[:2], repeat.elts[:1]
    assert ast.dump(after) == ast.dump(before)


@pytest.mark.parametrize("chosen", [(1,), (2, 3), (4,), (1, 2, 4), (1, 2, 3, 4)])
def test_undo_gives_the_same_bytes_back(tree, chosen):
    before = content(tree)
    edits.apply(tree, chosen)
    assert [number for number, word in edits.status(tree).items() if word == "there"] == list(
        chosen
    )
    assert edits.undo(tree) == list(chosen)
    assert content(tree) == before and not (tree / "ultralytics/nn/Addmodules").exists()


def test_undo_keeps_what_the_user_changed_elsewhere(tree):
    edits.apply(tree)
    path = tasks(tree)
    own = b"# my own note\n"
    text = own + path.read_bytes() + b"\nMINE = 1\n"
    path.write_bytes(
        text.replace(b"            Classify,\n", b"            Mine,\n            Classify,\n", 1)
    )
    edits.undo(tree)
    expected = own + SHORT + b"\nMINE = 1\n"
    assert path.read_bytes() == expected.replace(
        b"            Classify,\n", b"            Mine,\n            Classify,\n", 1
    )


def test_undo_leaves_other_files_of_the_folder_and_removes_our_cache(tree):
    edits.apply(tree)
    folder = tree / "ultralytics/nn/Addmodules"
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/DynamicConv.cpython-311.pyc").write_bytes(b"")
    (folder / "CBAM.py").write_text("# mine")
    edits.undo(tree)
    assert {path.name for path in folder.iterdir()} == {"CBAM.py", "__pycache__"}


@pytest.mark.parametrize("form", ["crlf", "one line", "tuple", "no trailing comma", "not ASCII"])
def test_other_forms_of_the_file(tree, form):
    """Older versions write the collections inline, on one line or as a tuple; Windows ends lines
    otherwise.
    """
    path = tasks(tree)
    text = path.read_bytes()
    if form == "crlf":
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    elif form == "no trailing comma":
        text = re.sub(rb",(\n        \}\n    \))", rb"\1", text)
    else:
        left, right = (b"(", b")") if form == "tuple" else (b"{", b"}")
        before = (
            'if "äö" and m in '.encode() if form == "not ASCII" else b"if m in "
        )  # positions in a line count bytes
        for name in (b"base_modules", b"repeat_modules"):
            found = re.search(name + rb" = frozenset\([^{]*\{(.*?)\}\n    \)", text, re.DOTALL)
            names = b" ".join(found[1].split()).rstrip(b",")
            text = text.replace(found[0], b"", 1).replace(
                b"if m in " + name + b":", before + left + names + right + b":"
            )
    path.write_bytes(text)
    before = content(tree)
    edits.apply(tree)
    (base,), (repeat,) = edits.find_collections(ast.parse(path.read_bytes()))
    assert [node.id for node in base.elts[:2]] == [
        "DynamicConv",
        "C2f_DynamicConv",
    ] and repeat.elts[0].id == "C2f_DynamicConv"
    if form in ("one line", "tuple", "not ASCII"):
        assert (
            path.read_bytes().count(b"\n") == text.count(b"\n") + 1
        )  # the import; the names stand in the line
    lines = path.read_bytes().count(b"\n")
    assert path.read_bytes().count(b"\r\n") == (lines if form == "crlf" else 0)
    edits.undo(tree)
    assert content(tree) == before


def test_each_edit_has_its_file_and_a_version_need_not_be_there(tree):
    assert list(edits.FILES) == list(edits.WHAT) == [1, 2, 3, 4]
    (tree / "ultralytics/__init__.py").write_text("# äö\n", encoding="utf-8")
    assert edits.version(tree) == "of unknown version"


def test_a_checkout_or_its_package_folder_may_be_given(tree):
    assert edits.find(tree) == edits.find(tree / "ultralytics") == (tree / "ultralytics").resolve()
    assert re.fullmatch(r"8\.\d+\.\d+", edits.version(tree))


def test_files_get_ordinary_permissions(tree):
    tasks(tree).chmod(0o664)
    edits.apply(tree)
    assert stat.S_IMODE(tasks(tree).stat().st_mode) == 0o664
    assert (
        tree / "ultralytics/nn/Addmodules/DynamicConv.py"
    ).stat().st_mode & stat.S_IRGRP == tree.joinpath(
        "ultralytics/__init__.py"
    ).stat().st_mode & stat.S_IRGRP
    assert sorted(path.name for path in tasks(tree).parent.iterdir()) == [
        "Addmodules",
        "tasks.py",
    ]  # no temporary file stays


# --- refusals: each says what was found and what to do, and changes nothing -----------------------


def break_import(tree):
    path = tasks(tree)
    path.write_bytes(
        path.read_bytes().replace(
            b"from ultralytics.nn.modules import (", b"from ultralytics.nn.blocks import ("
        )
    )


def rename_block(tree):
    path = tasks(tree)
    path.write_bytes(re.sub(rb"\bBottleneckCSP\b", b"BottleneckXYZ", path.read_bytes()))


def syntax_error(tree):
    tasks(tree).write_bytes(tasks(tree).read_bytes() + b"\ndef (:\n")


def patched(tree):
    edits.apply(tree)


def half(tree):
    edits.apply(tree, (1, 2))


def names_half(tree):
    edits.apply(tree, repeat=())


def replace_in(path, old, new):
    assert path.read_bytes().count(old) >= 1
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def foreign_folder(tree):
    folder = tree / "ultralytics/nn/Addmodules"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .CBAM import CBAM\n")


def import_by_hand(tree):
    replace_in(
        tasks(tree),
        b"from ultralytics.utils import (",
        b"from .Addmodules.DynamicConv import *\nfrom ultralytics.utils import (",
    )


def names_by_hand(tree):
    replace_in(
        tasks(tree),
        b"            A2C2f,\n        }",
        b"            A2C2f,\n            DynamicConv,\n        }",
    )


def branch_by_hand(tree):
    edits.apply(tree)
    replace_in(
        tasks(tree),
        b"        elif m is AIFI:",
        b"        elif m is DynamicConv:\n            c2 = args[0]\n        elif m is AIFI:",
    )


def changed_line(tree):
    edits.apply(tree)
    replace_in(
        tasks(tree),
        b"import C2f_DynamicConv, DynamicConv",
        b"import C2f_DynamicConv, DynamicConv, CBAM",
    )


def changed_module(tree):
    edits.apply(tree)
    replace_in(
        tree / "ultralytics/nn/Addmodules/DynamicConv.py", b"num_experts=4", b"num_experts=8"
    )


@pytest.mark.parametrize(
    "prepare, action, error, message",
    [
        (
            lambda tree: shutil.rmtree(tree / "ultralytics/nn"),
            edits.apply,
            edits.NotUltralytics,
            r"has neither nn/tasks.py nor.*Give the folder",
        ),
        (
            lambda tree: shutil.rmtree(tree / "ultralytics"),
            edits.status,
            edits.NotUltralytics,
            "has neither",
        ),
        (
            break_import,
            edits.apply,
            edits.UnsupportedUltralytics,
            (
                r"tasks.py \(ultralytics 8.*1 functions parse_model and 0 imports.*by hand as"
                r" chapter 5"
            ),
        ),
        (
            rename_block,
            edits.apply,
            edits.UnsupportedUltralytics,
            "1 collections of modules with channels and 0 with a repeat count",
        ),
        (syntax_error, edits.apply, edits.UnsupportedUltralytics, "not valid Python"),
        (patched, edits.apply, edits.AlreadyPatched, "is patched already.*--undo"),
        (names_half, edits.apply, edits.HalfPatched, "edit 4 .* is partly there"),
        (lambda tree: None, edits.undo, edits.NotPatched, "holds none of the four edits"),
        (foreign_folder, edits.apply, edits.HalfPatched, r"edit 2 .* is changed by hand.*git diff"),
        (
            foreign_folder,
            lambda tree: edits.apply(tree, (3, 4)),
            edits.HalfPatched,
            "edit 2 .* is changed by hand",
        ),
        (import_by_hand, edits.apply, edits.HalfPatched, "edit 3 .* is changed by hand"),
        (names_by_hand, edits.apply, edits.HalfPatched, "edit 4 .* is changed by hand"),
        (branch_by_hand, edits.undo, edits.HalfPatched, "edit 4 .* is changed by hand"),
        (changed_line, edits.undo, edits.HalfPatched, "edit 3 .* is changed by hand"),
        (changed_module, edits.undo, edits.HalfPatched, "edit 1 .* is changed by hand"),
        (changed_module, edits.apply, edits.HalfPatched, "edit 1 .* is changed by hand"),
    ],
)
def test_refuses_by_name_and_leaves_the_tree_as_it_was(tree, prepare, action, error, message):
    prepare(tree)
    before = content(tree)
    with pytest.raises(error, match=message):
        action(tree)
    assert content(tree) == before


@pytest.mark.skipif(os.name != "posix", reason="fork and signals of POSIX")
@pytest.mark.parametrize("action", ["apply", "undo"])
def test_what_was_killed_at_any_point_is_finished_by_the_same_call(tree, monkeypatch, action):
    monkeypatch.setattr(edits, "_prove", lambda *_: None)
    states = [content(tree)]
    edits.apply(tree)
    states.append(content(tree))
    start, end = states if action == "apply" else states[::-1]
    number, killed = 0, True
    while killed:
        shutil.rmtree(tree / "ultralytics")
        for path, data in start.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        call = lambda: getattr(edits, action)(tree)  # noqa: E731
        killed = killed_before_change(number, tree, call)
        assert ast.parse(tasks(tree).read_bytes()), "there is no half file"
        with contextlib.suppress(edits.AlreadyPatched, edits.NotPatched):
            call()
        assert content(tree) == end, number
        number += 1
    assert number > 3


def test_undo_of_a_part_is_the_way_out_of_a_half_patched_tree(tree):
    before = content(tree)
    names_half(tree)
    assert edits.status(tree)[4] == "partly there"
    assert edits.undo(tree) == [1, 2, 3, 4] and content(tree) == before


@pytest.mark.parametrize(
    "arguments", [dict(edits=(5,)), dict(edits=()), dict(base=("Conv",)), dict(repeat=("Conv",))]
)
def test_unknown_arguments_are_named(tree, arguments):
    with pytest.raises(ValueError, match="must be some of"):
        edits.plan(tree, **arguments)


@pytest.mark.parametrize("name", ["site-packages", "dist-packages"])
def test_an_installed_package_needs_force(tree, name):
    (tree / name).mkdir()
    shutil.move(tree / "ultralytics", tree / name)
    (tree / "alias").symlink_to(tree / name / "ultralytics")
    before = content(tree)
    for way in (tree / name, tree / name / "ultralytics", tree / "alias"):
        with pytest.raises(
            edits.InSitePackages, match=r"every project of this Python.*Copy the folder.*--force"
        ):
            edits.apply(way)
    assert content(tree) == before
    edits.apply(tree / name, force=True)
    assert set(edits.status(tree / name).values()) == {"there"}
    edits.undo(tree / name)
    assert content(tree) == before


@pytest.mark.parametrize("action, failing", [("apply", 1), ("apply", 2), ("apply", 3), ("undo", 1)])
def test_a_write_that_fails_puts_the_earlier_ones_back(tree, monkeypatch, action, failing):
    if action == "undo":
        edits.apply(tree)
    before, replace, count = content(tree), os.replace, 0

    def failing_replace(source, target):
        nonlocal count
        count += 1
        if count == failing:
            raise PermissionError(13, "Permission denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing_replace)
    with pytest.raises(
        edits.UnwritableTree,
        match="cannot be written .Permission denied.*Everything is as it was.*copy",
    ):
        getattr(edits, action)(tree)
    assert content(tree) == before
    assert (tree / "ultralytics/nn/Addmodules").exists() == (action == "undo")


def test_a_delete_that_fails_puts_tasks_back(tree, monkeypatch):
    edits.apply(tree)
    before = content(tree)
    unlink = Path.unlink

    def failing_unlink(path, **how):
        if path.name == "__init__.py":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, **how)

    monkeypatch.setattr(Path, "unlink", failing_unlink)
    with pytest.raises(edits.UnwritableTree):
        edits.undo(tree)
    assert content(tree) == before


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_tree_is_refused(tree):
    tasks(tree).parent.chmod(0o555)
    try:
        with pytest.raises(edits.UnwritableTree, match="cannot be written"):
            edits.apply(tree)
    finally:
        tasks(tree).parent.chmod(0o755)
    assert tasks(tree).read_bytes() == SHORT


def test_ctrl_c_between_two_writes_leaves_nothing_behind(tree, monkeypatch):
    before, replace, count = content(tree), os.replace, 0

    def interrupted(source, target):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        edits.apply(tree)
    assert content(tree) == before


# --- the command ----------------------------------------------------------------------------------


def test_the_command_patches_checks_and_undoes(tree, capsys):
    def command(*arguments):
        try:
            code = __main__.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            code = end.code
        return code, *capsys.readouterr()

    before = content(tree)
    assert command("patch", tree, "--check")[0] == 1
    code, printed, _ = command("patch", tree)
    assert code == 0 and "edit 4 made: nn/tasks.py (the names in parse_model)" in printed
    code, printed, _ = command("patch", tree, "--check")
    assert code == 0 and len(re.findall(r"edit \d: there", printed)) == 4
    code, _, said = command("patch", tree)
    assert code == 2 and said.startswith("AlreadyPatched: ") and "Traceback" not in said
    code, printed, _ = command("patch", tree, "--undo")
    assert code == 0 and "edit 1 taken away" in printed and content(tree) == before
    assert command("patch", tree / "nowhere")[0] == 2
    assert command("patch", tree, "--check", "--undo")[0] == 2


@pytest.mark.parametrize("flags", [(), ("--check",), ("--undo",)])
def test_the_command_names_what_can_be_no_folder(tree, capsys, monkeypatch, flags):
    """An empty name is most often a shell's variable that is not set: the folder in which it is
    called is not meant.
    """
    monkeypatch.chdir(tree)
    before = content(tree)
    for name, found in (("a" * 5000, r"aaa\.\.\. \(5000 letters\) .*too long"), ("", "is empty")):
        assert __main__.main(["patch", name, *flags]) == 2
        said = capsys.readouterr().err
        assert re.match(f"NotUltralytics: .*{found}", said) and len(said.splitlines()) == 1
    assert content(tree) == before


def test_the_command_works_beside_a_tree_that_no_longer_imports(tree):
    """In a checkout, Python finds that ultralytics first. Half patched, it cannot be imported;
    taking the edits away must still work.
    """
    edits.apply(tree, (3, 4))
    run_python(None, tree, "-m", "dynconv", "patch", ".", "--undo")
    assert tasks(tree).read_bytes() == SHORT


def test_help_says_both_uses(capsys):
    for arguments in ([], ["--help"], ["-h"]):
        assert __main__.main(arguments) == 0
        printed = capsys.readouterr().out
        assert (
            "python -m dynconv patch DIR" in printed and "python -m dynconv detect train" in printed
        )
