"""Whether a YAML file of somebody else can be read to its end."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from ..checks import check_file

# What no file of a model or a data set comes near.
MOST_BYTES, MOST_DEPTH, MOST_VALUES = 10_000_000, 50, 200_000


def check_yaml(file: str | os.PathLike) -> Path:
    """The path, if what the file says ends: a parser follows lists in lists until its stack is
    full, and aliases, which stand for what was said before, multiply or hold themselves.

    Raises:
        ValueError: it is too long, too deep, holds itself, or is no YAML.
        FileNotFoundError: there is none.
    """
    file = check_file("YAML file", file)
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file} has {file.stat().st_size} bytes, at most {MOST_BYTES} are read")
    sizes: dict[str, int] = {}  # of what has a name
    levels: list[tuple[str | None, int]] = []  # of the lists and mappings that are open: name, size
    size = 0
    try:
        with file.open("rb") as content:
            for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                name = getattr(event, "anchor", None)
                if isinstance(event, yaml.CollectionStartEvent):
                    levels.append((name, size))
                    size = 0
                    if len(levels) > MOST_DEPTH:
                        raise ValueError(f"{file} is nested more than {MOST_DEPTH} levels deep")
                elif isinstance(event, yaml.CollectionEndEvent):
                    name, before = levels.pop()
                    sizes |= {name: size} if name else {}
                    size += before
                elif isinstance(event, yaml.AliasEvent):
                    if name in [each for each, _ in levels]:
                        raise ValueError(f"{file}: what is called &{name} holds itself")
                    size += sizes.get(name, 1)
                elif isinstance(event, yaml.ScalarEvent):
                    size += 1
                if size > MOST_VALUES:
                    raise ValueError(f"{file} stands for more than {MOST_VALUES} values")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    return file
