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
        item.user_properties.append(("peak", memory.peak))


class Memory(threading.Thread):
    """Looks five times a second how many bytes the processes below this one hold together: a
    kernel, and what it has started. `peak` is the most.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.done = 0, threading.Event()

    def run(self):
        this = psutil.Process()
        while not self.done.wait(0.2):
            held = 0
            for process in this.children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it has just ended
                    held += process.memory_info().rss
            self.peak = max(self.peak, held)


class Recorder:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            copy, peak = Path(report.location[0]).resolve(), dict(report.user_properties)["peak"]
            execution.write_record(copy, report.duration, peak)
