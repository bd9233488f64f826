"""A data YAML may say with a program how to download its images, and ultralytics runs it if they
are missing. Not offline, and not within our functions and commands, unless the file is trusted.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ultralytics.utils import LOGGER, ROOT, YAML, checks

from ..offline import is_offline, replace


def programs(dataset: str | os.PathLike) -> Iterator[Path]:
    """The files with a program, in Python or for a shell, among those that ultralytics may read for
    that name: `data.yaml`, `coco8`, or a folder that holds one. (Most give an address instead.)
    """
    for file in _files(str(dataset)):
        try:
            download = YAML.load(file).get("download")
        except Exception:  # what is wrong with the file is said by whoever reads it
            continue
        if download and re.fullmatch(r"https?://\S+", str(download)) is None:
            yield file


def has_program(dataset: str | os.PathLike) -> bool:
    """Whether there is one."""
    return next(programs(dataset), None) is not None


def guard_programs(is_asked: Callable[[], bool], is_trusted: Callable[[Path], bool]) -> None:
    """Let ultralytics ask before it runs one; idempotent.

    Args:
        is_asked: whether one of our functions has called, so that only what is trusted runs, and
            what comes with ultralytics.
        is_trusted: of a file.
    """
    data = sys.modules.get("ultralytics.data")
    if data is not None and not hasattr(data, "YOLODataset"):
        return  # it is being imported, and has brought this package in; it calls again at its end
    from ultralytics.data import utils

    check_det_dataset = utils.check_det_dataset
    if hasattr(check_det_dataset, "__wrapped__"):
        return

    @functools.wraps(check_det_dataset)
    def guarded_check_det_dataset(dataset, autodownload=True, *arguments, **keywords):
        refused = ()
        if autodownload and (is_offline() or is_asked()):
            refused = [
                file
                for file in programs(dataset)
                if is_offline() or not (ROOT in file.resolve().parents or is_trusted(file))
            ]
        try:
            return check_det_dataset(dataset, autodownload and not refused, *arguments, **keywords)
        except FileNotFoundError:
            for file in refused:
                LOGGER.warning(
                    f"The `download:` of {file} is a program, and was not run: read it, and if you"
                    f" trust it, call dynconv.yolo.trust({str(file)!r}) first"
                    + " and dynconv.offline.go_online()"
                    * is_offline()
                )
            raise

    replace("check_det_dataset", check_det_dataset, guarded_check_det_dataset)


def _files(name: str) -> Iterator[Path]:
    """More than it reads, where its versions differ in which they take."""
    for each in [name] if "://" in name else [name, f"{name}.yaml", f"{name}.yml"]:
        try:
            found = Path(checks.check_file(each, hard=False) or os.devnull)
        except Exception:  # there is none, says whoever reads it
            continue
        inside = found.rglob("*.y*ml") if found.is_dir() else [found]
        yield from (file for file in inside if file.is_file())
