"""The rooms of the package: arrows between them run one way only, and no file is too long."""

import re
from itertools import chain

import dependencies
from conftest import ROOT

import dynconv

# From the ground up, as the docstring of `dynconv` draws it: a room knows only those above it.
ROOMS = (
    ("checks", "commands"),
    ("functional",),
    ("layers",),
    ("counting", "folding", "export", "benchmark", "offline", "files"),
    ("relatives",),
    ("edits",),
    ("upstream",),
    ("yolo",),
    ("lab",),
    ("figures",),
    ("exercises",),
)
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
# What a caller meets first: these bring the rooms together, and no room imports them.
DOORS = {"", "__main__", "_on_ultralytics"}
LONGEST = 320  # some 300


def room(module):
    return module.removeprefix("dynconv").lstrip(".").partition(".")[0]


def arrows():
    """Pairs (module, module that it imports from), also of imports inside functions."""
    package = dependencies.Package(ROOT)
    for name in package.files:
        for source, attribute in chain.from_iterable(package.module(name).imported.values()):
            if source and source.partition(".")[0] == "dynconv":
                whole = f"{source}.{attribute}"
                yield name, whole if whole in package.files else source


def test_every_room_has_its_place():
    package = dependencies.Package(ROOT)
    assert {room(name) for name in package.files} == FLOOR.keys() | DOORS
    drawn = re.findall(r"^    (\w+)/?  ", dynconv.__doc__, re.MULTILINE)
    assert drawn == [each for rooms in ROOMS for each in rooms], "the docstring draws another map"


def test_no_arrow_runs_down():
    wrong = []
    for module, source in arrows():
        here, there = room(module), room(source)
        if here in DOORS or here == there:
            continue
        if there in DOORS or FLOOR[there] > FLOOR[here]:
            wrong.append(f"{module} imports {source}, which stands below it")
    assert not wrong


def test_no_circle_within_a_room():
    package = dependencies.Package(ROOT)
    edges = {}
    for module, source in arrows():
        if source != module and room(source) == room(module) and source in package.files:
            edges.setdefault(module, set()).add(source)
            edges.setdefault(source, set())
    left = set(edges)
    while left:
        free = {module for module in left if not edges[module] & left}
        assert free, f"these import each other: {sorted(left)}"
        left -= free


def test_nobody_takes_what_a_neighbour_keeps_to_itself():
    package = dependencies.Package(ROOT)
    taken = [
        f"{name} imports {attribute} of {source}"
        for name in package.files
        for source, attribute in chain.from_iterable(package.module(name).imported.values())
        if source
        and source.startswith("dynconv")
        and str(attribute).startswith("_")
        and f"{source}.{attribute}" not in package.files
    ]
    assert not taken


def test_no_file_is_too_long():
    long = {
        str(file.relative_to(ROOT)): lines
        for file in (ROOT / "dynconv").rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long, f"split or cut what has over {LONGEST} lines"
