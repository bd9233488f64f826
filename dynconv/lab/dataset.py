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
from typing import NamedTuple

import yaml

from .. import offline
from ..checks import check_file, is_int, shown
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


MOST_BYTES_OF_A_LIST = 2**28  # some millions of paths
# What a training takes as its data.
Data = Scenes | Dataset | str | os.PathLike


def check_dataset(data: Data) -> Dataset:
    """Look at every label of a data set.

    Args:
        data: `Scenes`, the path of an ultralytics data YAML, or the name of one that ultralytics
            brings, such as 'coco8' or 'coco128', which is downloaded if need be. A `Dataset` was
            looked at before and comes back as it is.

    Raises:
        DataError: the YAML or a folder is missing or has no images; the number of classes does not
            match the names; a label names a class that is not there or lies outside its image.
            ultralytics itself would leave such an image out of the training with a warning.
        ConnectionError: the data must be downloaded, and there is no network or
            `offline.stay_offline` forbids it.
    """
    if isinstance(data, Dataset):
        return data
    source = data.yaml if isinstance(data, Scenes) else data
    facts = _read_yaml(source)
    classes = tuple(str(name) for name in facts["names"].values())
    digest = hashlib.sha256(repr(classes).encode())
    images = {}
    for split in SPLITS:
        files = _find_images(source, split, facts.get(split))
        labels = _check_labels(source, split, files, len(classes))
        for file, label in zip(files, labels):
            digest.update(f"{split}/{file.name} {file.stat().st_size} ".encode())
            digest.update(label.read_bytes() if label.exists() else b"-")
        images[split] = tuple(files)
    name = data.folder.name if isinstance(data, Scenes) else Path(source).stem
    place = Path(facts["yaml_file"]).resolve()
    return Dataset(name, place, classes, images, digest.hexdigest()[:16])


# --- the three looks ------------------------------------------------------------------------------

# What ultralytics' check raises if a data YAML is not there, is none, or does not hold what it
# should, in its several versions.
_UNREADABLE = (
    OSError,
    RuntimeError,  # a loop of links
    SyntaxError,
    TypeError,
    ValueError,
    ArithmeticError,
    KeyError,
    AttributeError,
    AssertionError,
    yaml.YAMLError,
)


def _read_yaml(source: str | os.PathLike) -> dict:
    """What a data YAML says, read by ultralytics, which downloads the data from the address in it
    if they are missing. A program in it is not run.
    """
    from ultralytics.data.utils import check_det_dataset

    from ..yolo.data_programs import has_program

    try:
        _check_file(source)
        program = has_program(source)
        with contextlib.redirect_stdout(None):
            facts = check_det_dataset(str(source), autodownload=not program)
    except ConnectionError as error:
        raise ConnectionError(
            f"the data set {source} is not on this machine and could not be downloaded: {error}"
        ) from error
    except _UNREADABLE as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        if isinstance(error, FileNotFoundError) and has_program(source):
            program = "its `download:` is a program, which is not run here"
            if offline.is_offline():
                raise ConnectionError(
                    f"the data set {source} is not on this machine and could not be downloaded: of"
                    f" {source} {program}, and YOLO_OFFLINE is set. Read it, and to run it call"
                    " dynconv.offline.go_online() and ultralytics.data.utils.check_det_dataset(...)"
                ) from error
            raise DataError(
                f"{source}: {reason}. Also, {program}. Read it, and if you trust it, run"
                " ultralytics.data.utils.check_det_dataset(...) with this file"
            ) from error
        raise DataError(f"{source}: {reason}") from error
    if not is_int(facts["channels"]) or not 1 <= facts["channels"] <= 64:
        raise DataError(
            f"{source}: `channels:` must be a whole number from 1 to 64, got"
            f" {shown(facts['channels'])}"
        )
    return facts


def _check_file(source: str | os.PathLike) -> None:
    """A DataError if a data YAML cannot be read, or not to its end."""
    from ..yolo.yaml_files import check_yaml  # late: it brings ultralytics

    place = Path(source)
    try:
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            check_file("data set", place)
            if place.suffix in (".yaml", ".yml"):
                check_yaml(place)
                _check_number_of_classes(place)
    except (ValueError, OSError) as error:
        raise DataError(f"{shown(str(source))}: {error}") from error


def _check_number_of_classes(file: Path) -> None:
    """ultralytics would make a name for each."""
    from ultralytics.utils import YAML

    from ..yolo.model_dict import MOST

    try:
        count = float(YAML.load(file).get("nc") or 0)
    except Exception:  # what is wrong with the file is said by ultralytics
        return
    if count > MOST["classes"]:
        raise ValueError(f"`nc:` must be at most {MOST['classes']} classes, got {count:g}")


def _find_images(source: str | os.PathLike, split: str, places) -> list[Path]:
    """The images of a split, in order. `places`: a folder or a list in a file, or several."""
    from ultralytics.data.utils import IMG_FORMATS

    if not places:
        raise DataError(f"{source}: '{split}:' is empty; expected the folder of the {split} images")
    places = [Path(place) for place in (places if isinstance(places, list) else [places])]
    files = []
    for place in places:
        if not place.exists():
            raise DataError(
                f"{source}: the {split} images should be in {place}, which does not exist"
            )
        try:
            if place.is_dir():
                found = place.rglob("*")
                files += [file for file in found if file.suffix[1:].lower() in IMG_FORMATS]
            else:
                files += _read_list(place)
        except (OSError, ValueError) as error:
            raise DataError(f"{source}: the {split} images in {place}: {error}") from error
    if not files:
        raise DataError(
            f"{source}: there is no image in {', '.join(map(str, places))}, where the {split}"
            " images should be"
        )
    for file in files:
        _refuse_no_file(source, split, file)
    return sorted(files)


def _read_list(file: Path) -> list[Path]:
    """One image per line; those that begin with ./ lie beside the list."""
    if check_file("list of images", file).stat().st_size > MOST_BYTES_OF_A_LIST:
        raise ValueError(f"a list of images has at most {MOST_BYTES_OF_A_LIST} bytes")
    lines = file.read_text(encoding="utf-8-sig").strip().splitlines()
    return [file.parent / line if line.startswith("./") else Path(line) for line in lines]


def _refuse_no_file(source: str | os.PathLike, split: str, file: Path) -> None:
    """A named pipe would keep its reader waiting for ever; a name that is no text, no file of text
    can hold.
    """
    try:
        file.name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{source}: among the {split} files the name {file.name!r} is no UTF-8: rename it"
        ) from None
    if os.path.lexists(file) and not file.is_file():
        raise DataError(f"{source}: among the {split} files {file} is no file that can be read")


class _Question(NamedTuple):
    """What ultralytics' `verify_image_label` takes, in its order."""

    image: str
    label: str
    prefix: str  # of its messages
    has_keypoints: bool
    classes: int
    keypoints: int  # of each object
    dimensions: int  # of each keypoint
    single_class: bool  # count all objects as one class


def _check_labels(
    source: str | os.PathLike, split: str, files: list[Path], classes: int
) -> list[Path]:
    """The label file of each image, all of which can be trained with."""
    from ultralytics.data.utils import img2label_paths, verify_image_label

    labels = [Path(path) for path in img2label_paths([str(file) for file in files])]
    for label in labels:
        _refuse_no_file(source, split, label)
    boxes_only = dict(prefix="", has_keypoints=False, keypoints=0, dimensions=0, single_class=False)
    questions = [
        _Question(image=str(file), label=str(label), classes=classes, **boxes_only)
        for file, label in zip(files, labels)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(verify_image_label, questions))
    # An image that cannot be used comes back without its name, and last with what is wrong.
    wrong = [
        f"{answer[-1].partition('image/label: ')[2]} ({file.name})"
        for answer, file in zip(answers, files)
        if answer[0] is None
    ]
    wrong += [
        f"a box of no width or no height ({label.name})"
        for answer, label in zip(answers, labels)
        if answer[0] is not None and (answer[1][:, 3:5] <= 0).any()
    ]
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DataError(
            f"{source}: {len(wrong)} of {len(files)} {split} images cannot be used:"
            f" {'; '.join(wrong[:3])}{more}"
        )
    if not any(label.exists() for label in labels):
        raise DataError(
            f"{source}: none of the {len(files)} {split} images has a label; the first should have"
            f" {labels[0]}"
        )
    return labels
