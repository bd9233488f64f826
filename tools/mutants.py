"""`make mutants`: breaks the code in one place at a time, and asks whether a test notices.

tests/mutants.yaml names the rooms that are tried so, and the tests that hold each. The operators
are mutmut's. Its way of running them is not used: it leaves functions with a decorator as they are,
`dynamic_conv2d` among them, and puts functions of its own in the place of the others, which
TorchScript and `inspect` see. cosmic-ray starts a process for each mutant, which would import torch
each time. So the mutant is written into a copy of the repository, and a process is forked in which
torch and ultralytics are imported and dynconv is not yet. It runs the tests that reach the line,
the fastest first, until one fails. The time limits are those of the processor: a machine that is
busy kills no mutant.

Not mutated: annotations, decorators, docstrings, and text with a space in it, which is a message.
Outcomes are kept in _build/mutants: a mutant that was killed stays so while its file is the same,
and a survivor is tried again once the tests have changed.
"""

import argparse
import contextlib
import dataclasses
import difflib
import gc
import hashlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import coverage
import libcst as cst
import pytest
import yaml
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests/mutants.yaml"
ENOUGH = 0.85  # of the mutants must be killed, in each room
NONE_RAN = 5  # what pytest ends with when it found no test


@dataclasses.dataclass
class Place:
    """One change of one file, not yet made."""

    file: str
    where: str  # the function
    lines: set  # those of the statement
    old: cst.CSTNode
    new: cst.CSTNode


class Places(cst.CSTVisitor):
    """Finds the places of a file."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, file):
        super().__init__()
        self.file, self.found, self.names, self.statements = file, [], [], []

    def on_visit(self, node):
        call = isinstance(node, cst.Call) and getattr(node.func, "value", "") in (
            "len",
            "isinstance",
        )
        if call or isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)):
            return False
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self.names.append(node.name.value)
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self.statements.append(node)
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                made = list(operator(node))
                if operator is operator_string and made:
                    made = [] if " " in node.value else made[:1]
                self.found += [self._place(node, new) for new in made]
        return True

    def on_leave(self, node):
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self.names.pop()
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self.statements.pop()

    def _place(self, old, new):
        statement = self.statements[-1]
        span = self.get_metadata(PositionProvider, statement)
        inside = self.get_metadata(PositionProvider, old, None) or span
        if isinstance(statement, cst.BaseCompoundStatement):  # its head, not all that it holds
            lines = {span.start.line, *range(inside.start.line, inside.end.line + 1)}
        else:
            lines = set(range(span.start.line, span.end.line + 1))
        return Place(self.file, ".".join(self.names), lines, old, new)


def drawn(entry, seed):
    """Yields (name, place, mutated source): the entry's `sample` of them, or all."""
    places, modules = [], {}
    for file in entry["files"]:
        wrapper = MetadataWrapper(cst.parse_module((ROOT / file).read_text()))
        visitor = Places(file)
        wrapper.visit(visitor)
        places += [p for p in visitor.found if p.where not in entry.get("without", ())]
        modules[file] = wrapper.module
    random.Random(seed).shuffle(places)
    print(f"mutants: {len(places)} places, seed {seed}", flush=True)
    seen = set()
    for place in places:
        if len(seen) == entry.get("sample"):
            return
        source = modules[place.file].deep_replace(place.old, place.new).code
        with contextlib.suppress(SyntaxError):
            compile(source, place.file, "exec")
            if (name := named(place, modules[place.file].code, source)) not in seen:
                seen.add(name)
                yield name, place, source


def named(place, before, after):
    """A mutant's name, which outlives a change elsewhere in its file: what went, and what came."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    gone, came = (" ".join(x[2:].strip() for x in lines if x[:2] == mark) for mark in ("- ", "+ "))
    return f"{Path(place.file).name} {place.where}: {gone} -> {came}"


class Chosen:
    """A plugin of pytest: runs the chosen tests in their order, and notes which one failed."""

    def __init__(self, order, note):
        self.order, self.note = order, note

    def pytest_collection_modifyitems(self, items):
        rank = {name: place for place, name in enumerate(self.order)}
        items[:] = sorted((i for i in items if i.nodeid in rank), key=lambda i: rank[i.nodeid])

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.note.write_text(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport


class Watched:
    """A plugin of pytest: which test reaches which line, and what it costs."""

    def __init__(self, files, note):
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=files)
        self.coverage.start()
        self.files, self.note, self.seconds, self.users, self.now = files, note, {}, {}, ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.seconds[item.nodeid] = -time.process_time()
        for name in item.fixturenames:
            self.users.setdefault(f"fixture {name}", []).append(item.nodeid)
        with self.context(item.nodeid):
            done = yield
        self.seconds[item.nodeid] += time.process_time()
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        if fixturedef.scope == "function":
            return (yield)
        with self.context(f"fixture {fixturedef.argname}"):  # it does it for all who use it
            return (yield)

    @contextlib.contextmanager
    def context(self, name):
        before, self.now = self.now, name
        self.coverage.switch_context(name)
        try:
            yield
        finally:
            self.now = before
            self.coverage.switch_context(before)

    def pytest_sessionfinish(self):
        self.coverage.stop()
        reached, data = {}, self.coverage.get_data()
        for file in self.files:
            for line, contexts in data.contexts_by_lineno(os.path.abspath(file)).items():
                tests = {t for c in contexts if c for t in self.users.get(c, [c])}
                reached[f"{file}:{line}"] = sorted(tests)
        self.note.write_text(json.dumps({"seconds": self.seconds, "reached": reached}))


class Room:
    """One entry of tests/mutants.yaml, in a copy of the repository."""

    def __init__(self, name, entry):
        self.name, self.tests, self.files = name, entry["tests"], entry["files"]
        self.slow = entry.get("slow", "")
        for module in entry["imports"]:
            importlib.import_module(module)
        gc.freeze()  # or each process forked would copy what it collects
        self.folder = tempfile.TemporaryDirectory(prefix="mutants-")
        self.copy = Path(self.folder.name)
        listed = subprocess.check_output(
            ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, text=True
        )
        for file in filter(None, listed.split("\0")):
            if (ROOT / file).is_file():
                (self.copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, self.copy / file)
        self.note, self.log = self.copy / "note", self.copy / "log"
        self.writes = 0

    def write(self, file, source):
        """Write a file with a time of its own, by which Python knows that what it compiled is old:
        two writes within a second may leave one size.
        """
        self.writes += 1
        (self.copy / file).write_text(source)
        os.utime(self.copy / file, (10**9 + self.writes,) * 2)

    def forked(self, plugin, tests, seconds):
        """What pytest ends with in a process of its own, and the seconds that it computed."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        if not (child := os.fork()):
            os.setsid()
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1), os.dup2(log, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
            code = 3
            try:
                os.chdir(self.copy)
                sys.path[0] = os.environ["PYTHONPATH"] = str(self.copy)  # before the installed one
                options = ["-q", "-x", "--tb=line", "-p", "no:cacheprovider"]
                slow = ["-k", f"not ({self.slow})"] if self.slow else []
                code = pytest.main([*options, *slow, *tests], plugins=[plugin()])
            finally:
                os._exit(int(code))
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() - started > 60 + 20 * seconds:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what the tests started and left behind
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return os.waitstatus_to_exitcode(ended[1]), used

    def look(self):
        """Run the tests as the code is, to see what each reaches, and once more as for a mutant:
        they must pass, or a mutant would be killed by something else.
        """
        kept = ROOT / f"_build/mutants/{self.name}-{digest(self.tests + self.files)}.json"
        seen = json.loads(kept.read_text()) if kept.exists() else None
        if not seen:
            code, used = self.forked(lambda: Watched(self.files, self.note), self.tests, 3600)
            if code:
                said = self.log.read_text()
                sys.exit(f"mutants: the tests fail before anything is broken:\n{said}")
            seen = json.loads(self.note.read_text())
            print(f"mutants: {self.name}: the tests take {used:.0f} s", flush=True)
        self.seconds, self.reached = seen["seconds"], seen["reached"]
        if not kept.exists():
            file = self.files[0]
            nothing = Place(file, "", set(), None, None)
            if killer := self.kills(nothing, (ROOT / file).read_text())[0]:
                sys.exit(f"mutants: nothing was broken, and this fails: {killer}")
            kept.write_text(json.dumps(seen))

    def kills(self, place, source):
        """The test that fails with this source, '' if none does, and the seconds of that."""
        lines = [f"{place.file}:{line}" for line in sorted(place.lines)]
        tests = {t for line in lines for t in self.reached.get(line, ())} or set(self.seconds)
        order = sorted(tests, key=self.seconds.get)
        before = (ROOT / place.file).read_text()
        self.note.write_text("an error outside of any test")
        self.write(place.file, source)
        try:
            limit = 20 + 4 * sum(map(self.seconds.get, order))
            files = sorted({name.partition("::")[0] for name in order})
            code, used = self.forked(lambda: Chosen(order, self.note), files, limit)
        finally:
            self.write(place.file, before)
        assert code != NONE_RAN, (place.where, order)
        killer = f"no end within {limit:.0f} s" if code < 0 else self.note.read_text()
        return killer if code else "", used


def digest(files):
    return hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in files)).hexdigest()[:16]


def try_room(name, entry, seed):
    """True if enough mutants of a room are killed, and each survivor has its reason."""
    kept = ROOT / f"_build/mutants/{name}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    outcomes = json.loads(kept.read_text()) if kept.exists() else {}
    tests, sources = digest(entry["tests"]), {file: digest([file]) for file in entry["files"]}
    room, tried, started = None, {}, time.monotonic()
    for mutant, place, source in drawn(entry, seed):
        old = outcomes.get(mutant, {})
        fresh = old.get("source") == sources[place.file]
        if not (fresh and (old["killer"] or old["tests"] == tests)):
            if room is None:
                room = Room(name, entry)
                room.look()
            killer, used = room.kills(place, source)
            if not killer:
                print(f"  survived ({used:.1f} s): {mutant}", flush=True)
            old = dict(killer=killer, source=sources[place.file], tests=tests, seconds=used)
            outcomes[mutant] = old
            kept.write_text(json.dumps(outcomes, indent=1))
        tried[mutant] = old
    if room:
        room.folder.cleanup()
    return report(name, entry, tried, time.monotonic() - started)


def report(name, entry, tried, seconds):
    alive = [mutant for mutant, outcome in tried.items() if not outcome["killer"]]
    reasons = {m: why for why, listed in (entry.get("survivors") or {}).items() for m in listed}
    share = 1 - len(alive) / len(tried)
    computed = sum(outcome["seconds"] for outcome in tried.values())
    print(
        f"mutants: {name}: {len(tried)} tried, {len(tried) - len(alive)} killed"
        f" ({100 * share:.1f} %), {computed:.0f} s computed, {seconds:.0f} s this time"
    )
    for mutant in alive:
        if mutant not in reasons:
            print(f"  survived, no reason given: {mutant}")
    for mutant in reasons:
        if mutant in tried and mutant not in alive:
            print(f"  listed as a survivor, and killed: {mutant}")
    return share >= ENOUGH and set(alive) <= set(reasons)


def main(room, seed):
    rooms = yaml.safe_load(DATA.read_text())
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
    wanted = {n: e for n, e in rooms.items() if room in ("", n) or room in e["files"]}
    if not wanted:
        sys.exit(f"mutants: {DATA.name} has no room {room!r}: {', '.join(rooms)}")
    done = [try_room(n, e, e["seed"] if seed is None else seed) for n, e in wanted.items()]
    return all(done)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("room", nargs="?", default="", help="a room of mutants.yaml, or a file")
    parser.add_argument("--seed", type=int, help="draw others than those that the list names")
    options = parser.parse_args()
    sys.exit(not main(options.room, options.seed))
