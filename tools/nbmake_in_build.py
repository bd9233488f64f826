"""A plugin of pytest for `execution.py`: collects the copies, and records each one that passed, and
the time and the memory that it took.
"""

import contextlib
import threading
from pathlib import Path

import execution
import psutil
import pytest
from nbmake.pytest_items import NotebookFile


def pytest_collect_file(file_path, parent):
    """nbmake passes over folders of the name `_build`, where our copies stand."""
    if file_path.suffix == ".ipynb" and execution.executed_folder() in file_path.parents:
        return NotebookFile.from_parent(parent, path=file_path)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # each report comes to the process that started a worker
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    memory = Memory()
    memory.start()
    try:
        return (yield)
    finally:
        memory.done.set()
        memory.join()
        item.user_properties.append(("memory", memory.most))


class Memory(threading.Thread):
    """Looks five times a second how many bytes the processes below this one hold: a kernel, and
    what it has started. `most` is the most of one of them, and of all together, in which memory
    that they share counts for each.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.done = {"one": 0, "all": 0}, threading.Event()

    def run(self):
        this = psutil.Process()
        while not self.done.wait(0.2):
            held = [0]
            for process in this.children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it has just ended
                    held.append(process.memory_info().rss)
            now = {"one": max(held), "all": sum(held)}
            self.most = {key: max(now[key], before) for key, before in self.most.items()}


class Recorder:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            copy, seen = Path(report.location[0]).resolve(), dict(report.user_properties)
            execution.write_record(copy, report.duration, seen["memory"])
