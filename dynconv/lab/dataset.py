"""Whether a data set can be trained with: looked at before a run starts, with ultralytics' own
checks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from .. import offline
from .scenes import SPLITS, Scenes


class DataError(ValueError):
    """A data set cannot be trained with; the message says what is wrong, and where."""


@dataclass(frozen=True)
class Dataset:
    """What `check_dataset` found."""

    name: str
    yaml: Path
    classes: tuple[str, ...]
    images: dict[str, tuple[Path, ...]]  # by split, in order
    digest: str  # of the class names, the labels, and the names and sizes of the images

    def summary(self) -> dict:
        """Plain values, for a file."""
        counts = {split: len(files) for split, files in self.images.items()}
        return {
            "name": self.name,
            "classes": list(self.classes),
            "images": counts,
            "digest": self.digest,
        }


# What ultralytics' check raises if a data YAML is not there, is none, or does not hold what it
# should, in its several versions.
_UNREADABLE = (
    FileNotFoundError,
    SyntaxError,
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    AssertionError,
    yaml.YAMLError,
)


def check_dataset(data: Scenes | str | os.PathLike) -> Dataset:
    """Look at every label of a data set.

    Args:
        data: `Scenes`, the path of an ultralytics data YAML, or the name of one that ultralytics
            brings, such as 'coco8' or 'coco128', which is downloaded if need be.

    Raises:
        DataError: the YAML or a folder is missing or has no images; the number of classes does not
            match the names; a label names a class that is not there or lies outside its image.
            ultralytics itself would leave such an image out of the training with a warning.
        ConnectionError: the data must be downloaded, and there is no network or
            `offline.stay_offline` forbids it.
    """
    from ultralytics.data.utils import (
        IMG_FORMATS,
        check_det_dataset,
        img2label_paths,
        verify_image_label,
    )

    offline.guard_downloads()
    source = data.yaml if isinstance(data, Scenes) else data
    try:
        with contextlib.redirect_stdout(None):
            facts = check_det_dataset(str(source))
    except ConnectionError as error:
        raise ConnectionError(
            f"the data set {source} is not on this machine and could not be downloaded: {error}"
        ) from error
    except _UNREADABLE as error:
        raise DataError(
            f"{source}: {error.args[0] if isinstance(error, KeyError) else error}"
        ) from error

    classes = tuple(str(name) for name in facts["names"].values())
    digest = hashlib.sha256(repr(classes).encode())
    images = {}
    for split in SPLITS:
        if not facts.get(split):
            raise DataError(
                f"{source}: '{split}:' is empty; expected the folder of the {split} images"
            )
        folders = facts[split] if isinstance(facts[split], list) else [facts[split]]
        files = []
        for folder in map(Path, folders):
            if not folder.exists():
                raise DataError(
                    f"{source}: the {split} images should be in {folder}, which does not exist"
                )
            # a list of images, one per line; ultralytics looks beside the list only for those that
            # begin with ./
            if folder.is_file():
                lines = folder.read_text(encoding="utf-8-sig").strip().splitlines()
                files += [
                    folder.parent / line if line.startswith("./") else Path(line) for line in lines
                ]
            else:
                files += [
                    file for file in folder.rglob("*") if file.suffix[1:].lower() in IMG_FORMATS
                ]
        files = sorted(files)
        if not files:
            raise DataError(
                f"{source}: there is no image in {', '.join(map(str, folders))}, where the {split}"
                " images should be"
            )
        labels = [Path(path) for path in img2label_paths([str(file) for file in files])]
        with ThreadPoolExecutor(8) as pool:
            jobs = [
                (str(file), str(label), "", False, len(classes), 0, 0, False)
                for file, label in zip(files, labels)
            ]
            found = list(pool.map(verify_image_label, jobs))
        wrong = [
            result[-1].partition("image/label: ")[2] + f" ({file.name})"
            for result, file in zip(found, files)
            if result[0] is None
        ]
        if wrong:
            shown = "; ".join(wrong[:3]) + (
                f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            )
            raise DataError(
                f"{source}: {len(wrong)} of {len(files)} {split} images cannot be used: {shown}"
            )
        if not any(label.exists() for label in labels):
            raise DataError(
                f"{source}: none of the {len(files)} {split} images has a label; the first should"
                f" have {labels[0]}"
            )
        for file, label in zip(files, labels):
            digest.update(
                f"{split}/{file.name} {file.stat().st_size} ".encode()
                + (label.read_bytes() if label.exists() else b"-")
            )
        images[split] = tuple(files)
    name = data.folder.name if isinstance(data, Scenes) else Path(source).stem
    return Dataset(
        name, Path(facts["yaml_file"]).resolve(), classes, images, digest.hexdigest()[:16]
    )
