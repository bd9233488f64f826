"""A plugin of pytest for `execution.py`: collects the copies, and records each one that passed."""

from pathlib import Path

import execution
from nbmake.pytest_items import NotebookFile


def pytest_collect_file(file_path, parent):
    """nbmake passes over folders of the name `_build`, where our copies stand."""
    if file_path.suffix == ".ipynb" and execution.executed_folder() in file_path.parents:
        return NotebookFile.from_parent(parent, path=file_path)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # each report comes to the process that started a worker
        config.pluginmanager.register(Recorder())


class Recorder:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            execution.write_record(Path(report.location[0]).resolve(), report.duration)
