"""A plugin of pytest for the executions of `execution.py`: collects the copies, and records each
one that passed.
"""

import os
from pathlib import Path

import execution
from nbmake.pytest_items import NotebookFile


def pytest_collect_file(file_path, parent):
    """nbmake passes over folders of the name `_build`, where our copies stand."""
    if file_path.suffix == ".ipynb" and execution.executed_folder() in file_path.parents:
        return NotebookFile.from_parent(parent, path=file_path)


def pytest_runtest_logreport(report):
    in_worker = (
        "PYTEST_XDIST_WORKER" in os.environ
    )  # each report also comes to the process that started the worker
    if report.when == "call" and report.passed and not in_worker:
        execution.write_record(Path(report.location[0]).resolve(), report.duration)
