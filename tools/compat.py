"""Tries the package with the versions that it says it works with, and writes what came out into
the book.

`make compat` runs this, with the standard library alone. compat_environments.py makes the
environments. In each, small programs (tools/compat/*.py) run one after the other, each in a process
of its own; in the newest one also beside copies of ultralytics whose `parse_model` is changed
(parse_changes.py).

Results go to book/compatibility.json, and from there into the tables of book/compatibility.md,
after each program. What ended well with this code and these versions does not run again, so that a
stopped trial goes on where it was. `make compat ONLY=newest` tries the environments whose names
begin so, ONLY=oldest just that one, ONLY=changes the changes.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import colab_results
import compat_environments as environments
import dependencies
import parse_changes
from compat_environments import ROOT, say

PROGRAMS = ROOT / "tools/compat"
RESULTS, PAGE = ROOT / "book/compatibility.json", ROOT / "book/compatibility.md"
BEGIN, END = "<!-- begin: written by tools/compat.py -->", "<!-- end -->"
STEPS = {  # program: what its column says
    "modules": "imports",
    "build": "builds",
    "train": "trains",
    "reload": "reloads",
    "laboratory": "laboratory",
    "export": "ONNX",
    "on_ray": "Ray",
}
SHOWN = ("torch", "torchvision", "timm", "numpy", "ultralytics")  # a column each
CHANGED = "newest-3.13"  # where parse_model is changed


def results():
    """What came out so far."""
    found = {"parameters": {}, "trained": {}, "environments": {}, "changes": {}, "changed": ""}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else found


def digest(*more):
    """One line that changes with the package, the programs that try it, and `more`."""
    package = dependencies.Package(ROOT)
    files = [*sorted(PROGRAMS.glob("*.py")), ROOT / "tools/tiny.py"]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return dependencies.digest_of_text(
        "\n".join([package.digest(package.files), *texts, *map(str, more)])
    )


def run(program, ultralytics, folder, python):
    """'yes' if the program, told the version of ultralytics, ends with 'ok'; else what went wrong.

    Args:
        folder: to run it in.
        python: of the environment.
    """
    environment = os.environ | {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "YOLO_CONFIG_DIR": str(folder / "config"),
        "MPLCONFIGDIR": str(folder / "config"),
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tools"))),
    }
    try:
        done = subprocess.run(
            # -P: else the programs could be imported in place of modules with such names
            [python, "-P", PROGRAMS / f"{program}.py", ultralytics],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1200,
        )
    except subprocess.TimeoutExpired:
        return "no end after 1200 s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    last = (done.stdout.strip().splitlines() or [""])[-1]
    return "yes" if last == "ok" else f"expected ok, got {last}"


def fine(row):
    return all(row["steps"].get(step) == "yes" for step in STEPS)


def try_environment(name, found):
    """Make an environment and run every program in it that has not yet ended well with this code
    and these versions. `found`: the results, which it adds to.
    """
    python, wanted = environments.resolved(name)
    versions = {"Python": environments.version_of(python)} | environments.known(wanted)
    code, row = digest(versions["Python"], *wanted), found["environments"].get(name, {})
    folder = environments.CACHE / f"{name}.run"  # what one program leaves, others need
    if row.get("digest") != code or not (fine(row) or folder.exists()):
        shutil.rmtree(folder, ignore_errors=True)
        given = environments.environments()[name][1]
        row = {"given": given, "versions": versions, "digest": code, "seconds": 0, "steps": {}}
    if fine(row):
        say(f"{name}: nothing has changed since it was tried")
        return
    python = environments.installed(name, python, wanted)
    folder.mkdir(exist_ok=True)
    say(f"{name}: " + ", ".join(f"{each} {versions[each]}" for each in ("Python", *SHOWN)))
    for step in STEPS:
        if row["steps"].get(step) != "yes":
            begun = time.monotonic()
            row["steps"][step] = run(step, versions["ultralytics"], folder, python)
            seconds = time.monotonic() - begun
            row["seconds"] = round(row["seconds"] + seconds)
            say(f"{name}: {step}: {row['steps'][step]} ({seconds:.0f} s)")
            for fact in ("parameters", "trained"):  # which programs have written down
                if (file := folder / f"{fact}.json").exists():
                    found[fact] = json.loads(file.read_text(encoding="utf-8"))
            found["environments"][name] = row
            write(found)
    if fine(row):
        shutil.rmtree(folder)


def try_changes(found):
    """Change parse_model of the newest ultralytics in one way after the other."""
    python, wanted = environments.resolved(CHANGED)
    python = environments.installed(CHANGED, python, wanted)
    changes = Path(parse_changes.__file__).read_text(encoding="utf-8")
    if found["changed"] != (code := digest(changes, *wanted)):
        found |= {"changed": code, "changes": {}}
    place = "import ultralytics; print(ultralytics.__path__[0])"
    with tempfile.TemporaryDirectory() as folder:
        source = subprocess.check_output([python, "-c", place], text=True).splitlines()[-1]
        copy = parse_changes.copied(source, folder)
        orders = itertools.cycle(("dynconv", "ultralytics"))
        for what, first in zip(parse_changes.CHANGES, orders):
            if what not in found["changes"]:
                found["changes"][what] = came_out = parse_changes.tried(what, copy, first, python)
                say(f"changed: {what}: {came_out}")
                write(found)


def described(given):
    if given == environments.floors(*environments.EXTRAS):
        return "each package at its floor"
    if not given:
        return "the newest of each"
    return ", ".join(f"{name} {version}" for name, version in given.items()) + ", else the newest"


def tables(found):
    """The results as the Markdown that the page holds."""
    python, days, came_out = colab_results.in_short()
    lines = [
        f"| installed | Python | {' | '.join(STEPS.values())} | notebooks |",
        f"| --- | --- |{' --- |' * len(STEPS)} --- |",
    ]
    for name, (version, given) in environments.environments().items():
        row = found["environments"].get(name)
        cells = (
            [row["steps"].get(step, "not tried") for step in STEPS]
            if row
            else (["not tried"] * len(STEPS))
        )
        exact = row["versions"]["Python"] if row else version
        lines.append(f"| {described(given)} | {exact} | {' | '.join(cells)} | |")
    lines += [
        f"| [Colab's list](on_colab.md), {days} | {python} |{' |' * len(STEPS)} {came_out} |",
        "",
        f"Trained and reloaded were {', '.join(found['trained'])}.",
        "",
        "The versions, in the order of the table:",
        "",
        f"| Python | {' | '.join(SHOWN)} | others |",
        f"| --- |{' --- |' * len(SHOWN)} --- |",
    ]
    for name in environments.environments():
        if name in found["environments"]:
            versions = found["environments"][name]["versions"]
            others = [
                f"{each} {version}"
                for each, version in versions.items()
                if each not in ("Python", *SHOWN)
            ]
            shown = [versions[each] for each in ("Python", *SHOWN)]
            lines.append(f"| {' | '.join([*shown, ', '.join(others)])} |")
    lines += [
        "",
        f"With `parse_model` of the newest version changed in {len(found['changes'])} ways:",
        "",
        ":::{dropdown} each change, and what came of it",
        "| what is changed | the package's models are |",
        "| --- | --- |",
        *(f"| {what} | {came_out} |" for what, came_out in found["changes"].items()),
        ":::",
        "",
        "The exact parameters:",
        "",
        "| model | at 80 classes |",
        "| --- | --- |",
        *(f"| {name} | {count:,} |" for name, count in found["parameters"].items()),
    ]
    return "\n".join(lines)


def write_page(found):
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(
            f"compat: {PAGE} must contain the lines {BEGIN} and {END}, between which the tables go"
        )
    new = re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}",
        lambda _: f"{BEGIN}\n{tables(found)}\n{END}",
        text,
        flags=re.DOTALL,
    )
    PAGE.write_text(new, encoding="utf-8")


def write(found):
    draft = RESULTS.with_name(RESULTS.name + ".part")
    draft.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(RESULTS)
    write_page(found)


def main(only=""):
    known = [*environments.environments(), "changes"]
    chosen = [only] if only in known else [name for name in known if name.startswith(only)]
    if not chosen:
        sys.exit(f"compat: nothing that is tried has a name that begins with {only!r}: {known}")
    found, bad = results(), []
    for name in chosen:
        try:
            if name == "changes":
                try_changes(found)
                expected = {what: come for what, (_, come) in parse_changes.CHANGES.items()}
                bad += [what for what in expected if found[name].get(what) != expected[what]]
            else:
                try_environment(name, found)
                bad += [name] if not fine(found["environments"][name]) else []
        except environments.Unsolvable as error:
            say(f"{name}: not tried: {error}")
            bad.append(name)
    if bad:
        sys.exit(f"compat: not as it should be: {bad}; see the lines above and {RESULTS.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
