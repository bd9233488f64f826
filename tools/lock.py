"""Writes tools/locked/: the versions with which the book is built and tested, and the hash of every
file of each.

`make lock` keeps the versions that stand there and adds what pyproject.toml asks for besides; with
`NEWEST=1` it takes the newest that fit together. uv resolves for all systems and Pythons at once,
and lists the hashes of all files of a version, so that a lock written on Linux holds on a Mac too.
pip installs from it (tools/environment.py).

    environment.txt      what `make env` installs
    proof.txt            what the extra `proof` adds to that (tools/proof.py)
    opencv-headless.txt  stands in for opencv-python where there is no OpenGL
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ROOT / "tools/locked"
PIN = re.compile(r"^([\w.-]+)==([^\s;]+)")


def entries(name):
    """The entries of a lock as they stand there, each with its hashes."""
    text = (LOCKED / name).read_text(encoding="utf-8")
    return re.findall(r"^[\w.-]+==.*(?:\n .*)*\n", text, re.MULTILINE)


def versions(name):
    """{package: its versions}; more than one where they depend on the Python or the system."""
    found = {}
    for entry in entries(name):
        package, version = PIN.match(entry).groups()
        found.setdefault(package, []).append(version)
    return found


def compile(wanted, target, *options):
    """uv's answer to these requirements, in `target`, whose versions it prefers."""
    import uv  # comes with the extra `proof`: whoever installs from the lock has no need of it

    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    command = [uv.find_uv_bin(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--no-header", "--no-annotate", "--python-version", python.removeprefix(">=")]
    command += ["--output-file", target, *options, "-"]
    done = subprocess.run(command, input="\n".join(wanted), text=True, cwd=ROOT)
    if done.returncode:
        sys.exit("lock: these versions do not fit together; uv's reason stands above")


def main(*options):
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # also what builds the package: `make env` lets pip fetch nothing for that
    wanted = [".[test]", *pyproject["build-system"]["requires"]]
    environment, proof, headless = (
        LOCKED / f"{name}.txt" for name in ("environment", "proof", "opencv-headless")
    )
    not_ours = ("--no-emit-package", "dynconv")
    compile(wanted, environment, *not_ours, *options)
    compile([*wanted, ".[proof]"], proof, *not_ours, "--constraint", environment, *options)
    here = set(entries(environment.name))
    proof.write_text("".join(entry for entry in entries(proof.name) if entry not in here))
    (opencv,) = versions(environment.name)["opencv-python"]
    compile([f"opencv-python-headless=={opencv}"], headless, "--no-deps")
    for file in (environment, proof, headless):
        print(f"{file.relative_to(ROOT)}: {len(versions(file.name))} packages")


if __name__ == "__main__":
    main(*sys.argv[1:])
