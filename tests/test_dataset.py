"""A data set is looked at before a run starts: what is wrong with it is said, with the file, and at
once.
"""

import os
import shutil
import socket
import time

import pytest
import yaml
from life import make_data

from dynconv.lab import scenes, training
from dynconv.lab.dataset import DataError, check_dataset
from dynconv.yolo.data_programs import has_program


@pytest.fixture
def folder(tmp_path):
    """Four images to train on and four to validate with, of one class: data.yaml."""
    return make_data(tmp_path)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nothing in this file asks the network or waits."""
    import ultralytics.data.utils  # noqa: F401  (asks, once, whether there is a network)

    asked = []

    def refuse(name):
        def ask(*arguments, **_):
            asked.append((name, *arguments))
            raise OSError(f"{name} is not to be called here")

        return ask

    for owner, name in ((socket, "getaddrinfo"), (socket.socket, "connect"), (time, "sleep")):
        monkeypatch.setattr(owner, name, refuse(name))
    yield
    assert not asked


def write(name, text):
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def remove(name):
    return lambda folder: shutil.rmtree(folder / name)


def empty(folder):
    for file in (folder / "images/train").iterdir():
        file.unlink()


def pipe(name):
    """Who opens it waits for ever."""

    def spoil(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def to_itself(place):
    place.symlink_to(place)


def listed(make):
    """The images stand in a file, made so."""

    def spoil(folder):
        make(folder / "list.txt")
        (folder / YAML).write_text("train: list.txt\nval: images/val\nnames: [thing]\n")

    return spoil


def loop(name):
    def spoil(folder):
        (folder / name).unlink()
        to_itself(folder / name)

    return spoil


LABEL, YAML = "labels/val/2.txt", "data.yaml"
BAD = {
    "no YAML": (lambda folder: (folder / YAML).unlink(), r"data.yaml' does not exist"),
    "no mapping": (write(YAML, "- train\n- val\n"), r"data\.yaml: "),
    "torn YAML": (write(YAML, "train: [a\nval"), r"data\.yaml: "),
    "no train": (write(YAML, "val: images/val\nnames: [thing]\n"), "'train:' key missing"),
    "train empty": (
        write(YAML, "train:\nval: images/val\nnames: [thing]\n"),
        "'train:' is empty; expected the folder of the train images",
    ),
    "no names": (
        write(YAML, "train: images/train\nval: images/val\n"),
        "either 'names' or 'nc' are required",
    ),
    "count and names": (
        write(YAML, "train: images/train\nval: images/val\nnc: 3\nnames: [thing]\n"),
        "'names' length 1 and 'nc: 3' must match",
    ),
    "a gap in the names": (
        write(YAML, "train: images/train\nval: images/val\nnames: {0: a, 2: b}\n"),
        "2-class dataset requires class indices 0-1",
    ),
    "names the wrong way": (
        write(YAML, "train: images/train\nval: images/val\nnames: {a: 0}\n"),
        r"data\.yaml: .*'a'",
    ),
    "train folder missing": (
        remove("images/train"),
        "the train images should be in .*images/train, which does not exist",
    ),
    "val folder missing": (remove("images/val"), "images not found, missing path .*images/val"),
    "a name that is no text": (
        lambda folder: (folder / "images/train/0.png").rename(
            folder / os.fsdecode(b"images/train/0\xff.png")
        ),
        r"among the train files the name '0\\udcff.png' is no UTF-8: rename it",
    ),
    "no image": (empty, "there is no image in .*images/train, where the train images should be"),
    "no label": (
        remove("labels/train"),
        r"none of the 4 train images has a label; the first should have .*labels/train/0\.txt",
    ),
    "class too high": (
        write(LABEL, "1 0.5 0.5 0.4 0.4\n"),
        (
            r"1 of 4 val images cannot be used: .*[Ll]abel class 1 exceeds dataset class count"
            r" 1.*2\.png"
        ),
    ),
    "box outside": (
        write(LABEL, "0 1.5 0.5 0.4 0.4\n"),
        r"1 of 4 val images cannot be used: .*out of bounds coordinates.*1\.5.*2\.png",
    ),
    "pixels, not parts": (
        write(LABEL, "0 32 32 16 16\n"),
        "1 of 4 val images cannot be used: .*non-normalized",
    ),
    "negative": (write(LABEL, "0 0.5 0.5 -0.4 0.4\n"), r"negative (class )?label.*2\.png"),
    "no width": (
        write(LABEL, "0 0.5 0.5 0 0.4\n"),
        r"1 of 4 val images cannot be used: a box of no width or no height \(2\.txt\)",
    ),
    "channels": (
        write(YAML, "train: images/train\nval: images/val\nnames: [thing]\nchannels: three\n"),
        "`channels:` must be a whole number from 1 to 64, got 'three'",
    ),
    "a pipe for a label": (pipe(LABEL), r"labels/val/2\.txt is no file that can be read"),
    "a pipe for an image": (pipe("images/train/1.png"), r"images/train/1\.png is no file"),
    "a loop of links": (loop("images/train/1.png"), r"images/train/1\.png is no file"),
    "a pipe for all": (pipe(YAML), "must be a file, and .* is a named pipe"),
    "four columns": (write(LABEL, "0 0.5 0.5 0.4\n"), r"labels require 5 columns.*2\.png"),
    "no number": (
        write(LABEL, "thing 0.5 0.5 0.4 0.4\n"),
        r"could not convert string to float: 'thing'.*2\.png",
    ),
    "no picture": (
        write("images/val/2.png", "no picture"),
        r"1 of 4 val images cannot be used: .*2\.png",
    ),
    "a billion classes": (
        write(YAML, "train: images/train\nval: images/val\nnc: 1000000000\n"),
        r"data\.yaml'?: `nc:` must be at most 100000 classes, got 1e\+09",
    ),
    "classes without end": (
        write(YAML, "train: images/train\nval: images/val\nnc: .inf\n"),
        "at most 100000 classes, got inf",
    ),
    "a name for each of many": (
        write(YAML, f"train: images/train\nval: images/val\nnames: {['a'] * 200_001}\n"),
        "stands for more than 200000 values",
    ),
    "a loop of links for the folder": (
        lambda folder: (remove("images/train")(folder), to_itself(folder / "images/train")),
        r"loop.*images/train|images/train.*does not exist",
    ),
    "a name that is too long": (
        write(YAML, f"train: {'x' * 5000}\nval: images/val\nnames: [thing]\n"),
        "File name too long",
    ),
    "a picture for a list": (
        write(YAML, "train: images/train/0.png\nval: images/val\nnames: [thing]\n"),
        r"the train images in .*images/train/0\.png: .*utf-8.*can't decode",
    ),
    "a list of another encoding": (
        listed(lambda file: file.write_bytes(b"./images/train/caf\xe9.png\n")),
        r"the train images in .*list\.txt: .*utf-8.*can't decode",
    ),
    "a list without end": (
        listed(lambda file: (file.touch(), os.truncate(file, 2**40))),
        r"a list of images has at most 268435456 bytes",
    ),
    "a pipe for a list": (listed(os.mkfifo), r"the train images in .*list\.txt.* is a named pipe"),
    "image of a list missing": (
        lambda folder: (
            write("list.txt", "./images/train/0.png\n./images/train/no such.png\n")(folder),
            write(YAML, "train: list.txt\nval: images/val\nnames: [thing]\n")(folder),
        ),
        r"1 of 2 train images cannot be used: .*no such\.png",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_at_once(folder, case):
    spoil, message = BAD[case]
    spoil(folder)
    with pytest.raises(DataError, match=f"(?s){message}") as caught:
        check_dataset(folder / "data.yaml")
    assert str(caught.value).startswith(str(folder / "data.yaml")), "it begins with the file"


def test_many_broken_labels_are_counted_and_the_first_shown(folder):
    for file in (folder / "labels/train").iterdir():
        file.write_text("7 0.5 0.5 0.4 0.4\n")
    with pytest.raises(
        DataError,
        match=(
            r"4 of 4 train images cannot be used: .*\(0\.png\); .*\(1\.png\); .*\(2\.png\); and 1"
            r" more$"
        ),
    ):
        check_dataset(folder / "data.yaml")


@pytest.mark.parametrize(
    "name, file", [("coco8", "coco8.zip"), ("coco128.yaml", "coco128.zip"), ("VOC", "VOC")]
)
def test_without_a_network_what_must_be_downloaded_is_refused_at_once(
    monkeypatch, name, file, tmp_path
):
    from ultralytics.data import utils

    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setattr(utils, "DATASETS_DIR", tmp_path)
    with pytest.raises(
        ConnectionError,
        match=(
            rf"the data set {name} is not on this machine and could not be downloaded:"
            rf" .*{file}.*YOLO_OFFLINE is set.*go_online"
        ),
    ):
        check_dataset(name)
    with pytest.raises(DataError, match="^coco9: 'coco9' does not exist"):
        check_dataset("coco9")


def test_images_may_be_listed_in_a_file(folder, monkeypatch):
    """As in COCO: lines that begin with ./ are meant beside the list. Checked against what
    ultralytics loads.
    """
    from ultralytics.data.dataset import YOLODataset

    (folder / "images/val/2.png").rename(folder / "images/val/two words.png")
    (folder / "labels/val/2.txt").rename(folder / "labels/val/two words.txt")
    (folder / "val.txt").write_text(
        f"./images/val/1.png\n{folder}/images/val/two words.png\n./images/val/0.png\n\n",
        encoding="utf-8-sig",
    )
    (folder / "data.yaml").write_text(
        "train: [images/train, images/val]\nval: val.txt\nnames: [thing]\n"
    )
    found = check_dataset(folder / "data.yaml")
    assert [file.name for file in found.images["val"]] == [
        "0.png",
        "1.png",
        "two words.png",
    ] and len(found.images["train"]) == 8
    loaded = YOLODataset(
        img_path=str(folder / "val.txt"),
        data={"names": {0: "thing"}, "nc": 1, "channels": 3},
        imgsz=64,
        augment=False,
    )
    assert [str(file) for file in found.images["val"]] == loaded.im_files


def test_the_digest_knows_labels_images_and_names_and_not_the_place(folder, tmp_path_factory):
    def digest(place):
        return check_dataset(place / "data.yaml").digest

    first = digest(folder)
    moved = tmp_path_factory.mktemp("moved") / "data"
    shutil.copytree(folder, moved)
    (moved / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [thing]\n")
    assert digest(moved) == first
    seen = {first}
    for change in (
        write("data.yaml", "train: images/train\nval: images/val\nnames: [other]\n"),
        write(LABEL, "0 0.5 0.5 0.4 0.3\n"),
        lambda place: (place / LABEL).unlink(),
        lambda place: shutil.copy(place / "images/val/0.png", place / "images/val/9.png"),
    ):
        change(moved)
        seen.add(digest(moved))
    assert len(seen) == 5
    summary = check_dataset(moved / "data.yaml").summary()
    assert summary == {
        "name": "data",
        "classes": ["other"],
        "images": {"train": 4, "val": 5},
        "digest": digest(moved),
    }


def test_scenes_are_a_data_set(tmp_path):
    data = scenes.make(tmp_path, train=4, val=4, size=32, progress=False)
    found = check_dataset(data)
    assert (found.name, found.yaml, found.classes) == (data.folder.name, data.yaml, data.names)
    assert (
        found.images == {split: tuple(data.images(split)) for split in scenes.SPLITS}
        and found.digest == check_dataset(str(data.yaml)).digest
    )


# --- programs in a data YAML ----------------------------------------------------------------------


@pytest.fixture
def program(folder):
    """A data YAML whose images are missing, and which would make a file to bring them."""
    (folder / YAML).write_text(
        f"path: {folder}\ntrain: images/none\nval: images/none\nnames: [thing]\n"
        f"download: |\n  from pathlib import Path\n  Path('{folder}/mark').touch()\n"
    )
    return folder / YAML


def test_a_program_in_a_data_yaml_is_not_run_by_a_look_at_it(program, monkeypatch):
    for offline, error in (("true", ConnectionError), ("false", DataError)):
        monkeypatch.setenv("YOLO_OFFLINE", offline)
        with pytest.raises(error, match="`download:` is a program, which is not run here"):
            check_dataset(program)
        with pytest.raises(error, match="is not run here"):
            training.plan("yolov10n", program, folder=program.parent)
    assert not (program.parent / "mark").exists()


def test_offline_it_is_not_run_by_ultralytics_either(program, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.setenv("YOLO_OFFLINE", "true")
    with pytest.raises(FileNotFoundError):
        check_det_dataset(program)
    assert not (program.parent / "mark").exists()


@pytest.mark.parametrize(
    "download, is_one",
    [
        ("https://example.org/data.zip", False),
        ("bash get.sh", True),
        ("http: int = 1", True),
        ("https://example.org/data.zip\nprint(1)", True),
        (None, False),
    ],
)
def test_what_is_a_program_and_what_an_address(download, is_one, folder):
    (folder / YAML).write_text(yaml.safe_dump({"names": ["thing"], "download": download}))
    assert has_program(folder / YAML) is is_one and not has_program("coco8")
