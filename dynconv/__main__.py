"""`python -m dynconv`: the four edits, and ultralytics' own command with this package's modules
registered.
"""

from __future__ import annotations

import argparse
import os
import sys

from . import edits
from .commands import MISTAKES, say

HELP = """\
python -m dynconv patch DIR [--check | --undo] [--force]
    Make the four edits of the YOLO tutorials in your own copy of ultralytics, so that its YAMLs may
    name DynamicConv and C2f_DynamicConv. DIR is a checkout, or the folder `ultralytics` itself.
    --check   only say which of the edits are there, and whether they do here what they should: exit
              code 0 if all are there, 1 if not
    --undo    take exactly the edits away again
    --force   also in an installed package (site-packages)
    Before they are made, they are tried in a copy of DIR: networks with the two names must be
    those with Conv and C2f. Exit code 2: refused, nothing was changed.

python -m dynconv ARGUMENTS...
    The command `yolo ARGUMENTS...` of ultralytics, with this package's modules registered, for
    example
    python -m dynconv detect train model=my-dynamicconv.yaml data=coco8.yaml epochs=1
    A model of the package is found by its name, model=yolov10n-dynamicconv-1.
    Nothing in a checkpoint runs, and no program in a data YAML, unless the file is trusted by name:
    trust=FILE.
    A wrong argument is named in one line, exit code 2; `python -X dev -m dynconv` says also where.
"""


def patch(arguments: list[str]) -> int:
    """The subcommand `patch`. Returns the exit code: 0 done or all there, 1 not (all) there, 2
    refused.
    """
    parser = argparse.ArgumentParser(
        "python -m dynconv patch", description="The four edits to a copy of ultralytics."
    )
    parser.add_argument(
        "tree", metavar="DIR", help="a checkout of ultralytics, or its package folder"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="only say which edits are there")
    action.add_argument("--undo", action="store_true", help="take the edits away")
    parser.add_argument("--force", action="store_true", help="also in an installed package")
    options = parser.parse_args(arguments)
    try:
        print(f"ultralytics {edits.version(options.tree)} in {edits.find(options.tree)}")
        if options.check:
            state = edits.status(options.tree)
            for number, word in state.items():
                print(f"  edit {number}: {word:<15} {edits.FILES[number]} ({edits.WHAT[number]})")
            found = set(state.values())
            if found in ({edits.THERE}, {edits.MISSING}):
                edits.prove(options.tree)
                print(
                    f"  {'With' if found == {edits.THERE} else 'After'} them, a network is right."
                )
            return 0 if found == {edits.THERE} else 1
        if options.undo:
            for number in edits.undo(options.tree):
                print(f"  edit {number} taken away: {edits.FILES[number]} ({edits.WHAT[number]})")
            return 0
        for edit in edits.apply(options.tree, force=options.force):
            print(f"  edit {edit.number} made: {edit.path} ({edit.what})")
    except edits.PatchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


def main(arguments: list[str]) -> int | None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if arguments[0] == "patch":
        return patch(arguments[1:])
    try:
        return yolo()
    except Exception as error:
        from .yolo import UnknownModuleError  # late: `patch` needs no ultralytics

        # of a data set, ultralytics wraps what is wrong; other RuntimeErrors are torch's
        found = error.__cause__ if type(error) is RuntimeError else error
        known = (*MISTAKES, UnknownModuleError, *[AssertionError] * (found is not error))
        if not isinstance(found, known) or sys.flags.dev_mode:
            raise
        say(error)
        return 2


def yolo() -> None:
    """The command `yolo` with the arguments in sys.argv, from where ultralytics reads them."""
    # importing this package has seen to it that our modules are registered now
    from ultralytics.cfg import entrypoint

    from .checks import check_file
    from .yolo import models, path, safely, trust

    names = models()
    for i, argument in enumerate(sys.argv):
        key, _, value = argument.partition("=")
        name = value.strip()
        if key in ("model", "data", "cfg") and os.path.exists(name) and not os.path.isdir(name):
            check_file(key, name)
        elif key == "model" and name in names:
            sys.argv[i] = f"model={path(name)}"
    for argument in [each for each in sys.argv if each.startswith("trust=")]:
        sys.argv.remove(argument)
        trust(argument.removeprefix("trust="))
    with safely():
        return entrypoint()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
