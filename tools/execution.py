"""Executes the chapters: each once, in a copy below `_build/executed`, two side by side, by nbmake.

A copy keeps its outputs, and a record beside it says of which code they are. A chapter is executed
again when its code cells changed, or something that they depend on (`dependencies.py`); prose
changes without that. What was trained is kept, too, until something changes that a training depends
on. Only an execution that passed leaves a record, so that a failing cell fails every build, and a
build that was killed goes on where it was.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dependencies
import nbformat

ROOT = Path(__file__).resolve().parents[1]
SIDE_BY_SIDE = 2
SECONDS_FOR_A_CELL = 1200
DIGEST = "dynconv_digest"  # in the metadata of a copy


class Chapter:
    """A notebook of the book, its executed copy, and the record of that execution."""

    def __init__(self, source, package):
        self.source = source
        self.name = source.relative_to(ROOT).as_posix()
        self.copy = executed_folder() / self.name
        self.record = self.copy.with_suffix(".json")
        try:
            self.notebook = nbformat.read(source, as_version=4)
        except ValueError as error:
            raise ValueError(f"{self.name} is no notebook (a merge conflict?)") from error
        cells = self.code_cells(self.notebook)
        code = "\n\n".join(cell.source for cell in cells)
        python = re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE)
        # Found by their names, not by an import.
        others = {f"{dependencies.PACKAGE}.exercises.chapter_{source.stem[:2]}"}
        if f"-m {dependencies.PACKAGE}" in code:
            others.add(f"{dependencies.PACKAGE}.__main__")
        try:
            self.modules = package.of_code(python, *(others & package.files.keys()))
        except SyntaxError:  # its execution says where; or it is IPython's (x = !ls, %%bash)
            self.modules = package.files.keys() | package.data.keys()
        tags = {"raises-exception", "skip-execution"}  # those that nbclient obeys
        executed = [
            (cell.source, sorted(tags & {*cell.metadata.get("tags", ())})) for cell in cells
        ]
        code = json.dumps([executed, self.notebook.metadata.get("execution")])
        used = package.digest(self.modules)
        self.digest = f"{dependencies.digest_of_text(code)} {used} {dependencies.versions()}"

    @staticmethod
    def code_cells(notebook):
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    @property
    def trains(self):
        return f"{dependencies.PACKAGE}.lab.training" in self.modules

    def result(self):
        """{'digest', 'seconds', 'memory', 'finished'} of the execution of this code, or None."""
        try:  # absent or broken, there is none
            found = json.loads(self.record.read_text(encoding="utf-8"))
            record = {key: found[key] for key in ("digest", "seconds", "memory", "finished")}
            # Also the copy: what a killed build left running may have written it since.
            copied = json.loads(self.copy.read_text(encoding="utf-8"))["metadata"][DIGEST]
            return record if record["digest"] == copied == self.digest else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def write_copy(self):
        """The notebook of today in the place of its copy, with the outputs that are still those of
        its code.
        """
        notebook = self.notebook
        if self.result():
            copied = nbformat.read(self.copy, as_version=4)
            old = self.code_cells(copied)
            notebook.metadata.language_info = copied.metadata.language_info  # of the kernel
            for cell, executed in zip(self.code_cells(notebook), old, strict=True):
                cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
        else:
            self.record.unlink(missing_ok=True)
        notebook.metadata[DIGEST] = self.digest  # also if the source is edited meanwhile
        self.copy.parent.mkdir(parents=True, exist_ok=True)
        write(self.copy, nbformat.writes(notebook))


def write_record(copy, seconds, memory):
    """Say of a copy that its execution has passed, and what it took: `memory` is the most bytes
    that its processes held, {'one': one of them, 'all': all together}.
    """
    digest = nbformat.read(copy, as_version=4).metadata[DIGEST]
    record = {"digest": digest, "seconds": seconds, "memory": memory, "finished": time.time()}
    write(copy.with_suffix(".json"), json.dumps(record))


def executed_folder():
    return ROOT / "_build/executed"


def write(file, text):
    """The whole text or, after an interruption, the old one."""
    draft = file.with_name(file.name + ".part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, file)


def chapters():
    """All notebooks of the book; those that train, and so take longest, first."""
    package = dependencies.Package(ROOT)
    sources = [*sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("book/*.ipynb"))]
    return sorted(
        (Chapter(source, package) for source in sources), key=lambda chapter: not chapter.trains
    )


@functools.cache
def chapters_of_this_build():
    """The same, as the process that builds has found them when it began."""
    return chapters()


def forget_old_runs():
    """Throw away what chapters have trained if something changed that a training depends on."""
    package, key = dependencies.Package(ROOT), executed_folder() / "runs.key"
    trainers = {f"{dependencies.PACKAGE}.lab.sweep"} & package.files.keys()
    digest = f"{package.digest(package.closure(trainers))} {dependencies.versions()}"
    if not key.exists() or key.read_text() != digest:
        for name in ("runs", "datasets"):
            for folder in executed_folder().glob(f"*/{name}"):
                shutil.rmtree(folder)
        executed_folder().mkdir(parents=True, exist_ok=True)
        write(key, digest)


def main():
    """Execute what must be executed. Returns whether every chapter is executed now."""
    forget_old_runs()
    waiting = []
    for chapter in chapters_of_this_build():
        chapter.write_copy()
        if not chapter.result():
            waiting.append(chapter)
    if not waiting:
        print("book: no chapter has to be executed")
        return True
    print(f"book: executing {len(waiting)} chapters, {SIDE_BY_SIDE} side by side", flush=True)
    threads = max(1, (os.cpu_count() or 1) // SIDE_BY_SIDE)
    path = os.pathsep.join(filter(None, [str(ROOT / "tools"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    plugins = "-p nbmake_in_build -p no:randomly -p no:cacheprovider"
    workers = f"-n {min(SIDE_BY_SIDE, len(waiting))} --dist worksteal"
    output = "-v --no-header -W ignore"
    notebooks = f"--nbmake --overwrite --nbmake-timeout={SECONDS_FOR_A_CELL}"
    options = f"{plugins} {workers} {output} {notebooks}".split()
    copies = [str(chapter.copy) for chapter in waiting]
    command = [sys.executable, "-m", "pytest", "--rootdir", str(ROOT), *options, *copies]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
