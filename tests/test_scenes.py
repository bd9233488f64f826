"""The scenes: the same on every machine, labelled and lit as they say, and on disk whole or not at
all.
"""

import errno
import hashlib
import os
import shutil
import signal
import time

import numpy as np
import pytest
import yaml
from life import killed_before_change, start_python
from PIL import Image

from dynconv.lab import drawing, scenes


def test_a_seed_names_the_same_images_everywhere():
    images = scenes.shapes(3, size=32, seed=5)
    assert images.shape == (3, 32, 32) and images.dtype == np.float32
    assert 0 <= images.min() < 0.4 < images.max() <= 1
    np.testing.assert_array_equal(images[:2], scenes.shapes(2, size=32, seed=5))
    assert not np.array_equal(images, scenes.shapes(3, size=32, seed=6))
    rounded = (
        (images * 1000).round().astype(np.int32)
    )  # a fingerprint that the last bits of a float cannot change
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == "4ef54d33ebaf978f"


def test_lights_do_what_they_are_called():
    images = scenes.shapes(4, size=32)
    assert np.array_equal(scenes.relight(images, "day"), images)
    np.testing.assert_allclose(scenes.relight(images, "inverted"), 1 - images)
    assert scenes.relight(images, "night").max() < 0.3
    noisy = scenes.relight(images, "noisy", seed=1)
    assert noisy.dtype == np.float32 and 0 <= noisy.min() and noisy.max() <= 1 and noisy.std() > 0.1
    np.testing.assert_array_equal(noisy, scenes.relight(images, "noisy", seed=1))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: scenes.shapes(0), "count must be at least 1"),
        (lambda: scenes.shapes(1, size=8), "size must be at least 16, got 8"),
        (lambda: scenes.relight(scenes.shapes(1), "dusk"), "unknown light 'dusk': expected one of"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- the data set ---------------------------------------------------------------------------------

SMALL = dict(train=8, val=8, size=64, progress=False)


@pytest.fixture(scope="module", params=scenes.NAMES)
def written(request, tmp_path_factory):
    """A small set of shapes, and one of digits."""
    return scenes.make(tmp_path_factory.mktemp("scenes"), request.param, **SMALL)


def pixels(data, split):
    return [np.asarray(Image.open(file)) for file in data.images(split)]


def test_the_pixels_of_a_data_set_are_the_same_everywhere(written):
    digest = hashlib.sha256()
    for split in scenes.SPLITS:
        for image, labels, light in zip(
            pixels(written, split), written.labels(split), written.lights(split)
        ):
            assert image.shape == (64, 64) and image.dtype == np.uint8
            digest.update(
                image.tobytes() + np.round(labels * 1e6).astype("<i8").tobytes() + light.encode()
            )
    assert (
        digest.hexdigest()[:16]
        == {
            "shapes": "0eee40a6d771e87c",
            "digits": "88c714968123ca1a",
            "sketches": "de62ecfd3c56cd92",
        }[written.objects]
    )


def test_the_files_are_what_draw_draws_and_what_the_yaml_says(written):
    for split in scenes.SPLITS:
        for index in range(SMALL[split]):
            image, labels, light = scenes.draw(written.objects, split, index, 64)
            np.testing.assert_array_equal(pixels(written, split)[index], image)
            np.testing.assert_allclose(written.labels(split)[index], labels, atol=5e-7)
            assert written.lights(split)[index] == light
    facts = yaml.safe_load(written.yaml.read_text(encoding="utf-8"))
    assert tuple(facts["names"].values()) == written.names and list(facts["names"]) == list(
        range(len(written.names))
    )
    assert (written.folder / facts["train"]).samefile(written.images("train")[0].parent)
    assert (written.folder / facts["val"]).samefile(written.images("val")[0].parent)
    with pytest.raises(ValueError, match="unknown split 'test': expected one of .'train', 'val'"):
        written.images("test")


@pytest.mark.parametrize("objects", scenes.NAMES)
def test_an_image_depends_on_its_number_and_seed_alone_and_on_both(objects, tmp_path):
    few, many, other = (
        scenes.make(tmp_path, objects, size=32, val=4, progress=False, **more)
        for more in ({"train": 4}, {"train": 12}, {"train": 4, "seed": 1})
    )
    for split in scenes.SPLITS:
        assert all(np.array_equal(a, b) for a, b in zip(pixels(few, split), pixels(many, split)))
        assert not any(
            np.array_equal(a, b) for a, b in zip(pixels(few, split), pixels(other, split))
        )
    seen = {
        image.tobytes()
        for data in (many, other)
        for split in scenes.SPLITS
        for image in pixels(data, split)
    }
    assert len(seen) == 12 + 4 + 4 + 4, "no image twice, in train and val together"


def test_lights_go_round_and_objects_are_balanced(written):
    assert (
        written.lights("train") == [*scenes.LIGHTS] * 2
        and written.lights("val") == [*scenes.LIGHTS] * 2
    )
    drawn = [scenes.draw(written.objects, "train", index, 64)[1] for index in range(200)]
    numbers = np.bincount([len(labels) for labels in drawn], minlength=5)
    kinds = np.bincount(np.concatenate([labels[:, 0] for labels in drawn]).astype(int))
    assert numbers[0] == 0 and len(numbers) == 5 and numbers[1:4].min() > 30 and numbers[4] > 10
    assert len(kinds) == len(written.names) and kinds.min() > 0.6 * kinds.mean()


@pytest.mark.parametrize(
    "objects, soft", [("shapes", 3), ("digits", 8)]
)  # pixels of 128: a pixel of a digit, often a faint one, becomes up to 6
def test_a_box_is_tight_around_what_is_dark(objects, soft):
    """By daylight objects are dark on a bright ground: nothing outside the boxes is dark, and each
    side of a box touches it.
    """
    size, count = 128, 0
    for index in range(0, 80, len(scenes.LIGHTS)):
        image, labels, light = scenes.draw(objects, "val", index, size)
        assert light == "day"
        dark, outside = image < 0.5 * 255, np.ones((size, size), bool)
        for _, x, y, width, height in labels:
            left, top, right, bottom = (
                round(edge * size)
                for edge in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            )
            assert 0 <= left < right <= size and 0 <= top < bottom <= size
            outside[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
            inside = dark[top:bottom, left:right]
            for edge in (inside[:soft], inside[-soft:], inside[:, :soft], inside[:, -soft:]):
                assert edge.any(), (index, labels)
            count += 1
        assert not (dark & outside).any(), index
    assert count > 30


def test_shapes_are_what_they_are_called():
    """A disc fills π/4 of its box, a square all of it, a triangle half."""
    filled = {0: [], 1: [], 2: []}
    for index in range(0, 120, len(scenes.LIGHTS)):
        image, labels, _ = scenes.draw("shapes", "train", index, 128)
        for kind, x, y, width, height in labels:
            left, top, right, bottom = (
                round(edge * 128)
                for edge in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            )
            filled[int(kind)].append((image[top:bottom, left:right] < 0.5 * 255).mean())
    for kind, part in enumerate((np.pi / 4, 1, 0.5)):
        assert np.mean(filled[kind]) == pytest.approx(part, abs=0.07), scenes.NAMES["shapes"][kind]


def test_sketches_are_boxed_as_they_are_inked_and_come_in_all_sizes(monkeypatch):
    """On blank paper by daylight: nothing outside the boxes, ink at each side of each box. Most are
    outlines; some fill most of the image.
    """
    manner = drawing._MANNERS["sketches"]
    blank = manner._replace(ground=lambda rng, size: np.ones((size, size), np.float32))
    monkeypatch.setitem(drawing._MANNERS, "sketches", blank)
    size, sides, filled = 96, [], []
    for index in range(0, 400, len(scenes.LIGHTS)):
        image, labels, _ = scenes.draw("sketches", "train", index, size)
        ink = (255 - image) / 255
        outside = np.ones_like(ink, bool)
        for _, x, y, width, height in labels:
            left, top, right, bottom = (
                round(edge * size)
                for edge in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            )
            assert 0 <= left < right <= size and 0 <= top < bottom <= size
            outside[top:bottom, left:right] = False
            inside = ink[top:bottom, left:right]
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert edge.max() > 0.25 * 0.65 - 0.01, (index, labels)  # of the palest ink
            sides.append(max(width, height))
            filled.append((inside > 0.3).mean())
        assert ink[outside].max(initial=0) < 0.25 * 0.9 + 0.01, index  # of the darkest
    assert min(sides) < 0.2 and max(sides) > 0.6 and (np.array(sides) > 0.4).sum() > 10
    assert 0.5 < np.mean(np.array(filled) < 0.45) < 0.9


def test_no_digit_of_val_is_one_of_train():
    from sklearn.datasets import load_digits

    rows, parts = load_digits(), drawing.digits()
    source = {
        split: np.concatenate([parts[split, kind] for kind in range(10)]) for split in scenes.SPLITS
    }
    assert {split: len(digits) for split, digits in source.items()} == {"train": 1297, "val": 500}
    both = {digit.tobytes() for digit in source["train"]} & {
        digit.tobytes() for digit in source["val"]
    }
    assert (
        len(both)
        == len(
            {row.tobytes() for row in rows.images[:1297]}
            & {row.tobytes() for row in rows.images[1297:]}
        )
        == 0
    )
    for kind in range(10):
        assert len(parts["train", kind]) + len(parts["val", kind]) == (rows.target == kind).sum()
    first = np.round(rows.images[np.flatnonzero(rows.target[1297:] == 3)[0] + 1297] * 255 / 16)
    np.testing.assert_array_equal(parts["val", 3][0], first)


# --- on disk --------------------------------------------------------------------------------------


def state(folder):
    return {
        file: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_second_call_finds_what_is_there(tmp_path, monkeypatch, capsys):
    first = scenes.make(tmp_path, **SMALL)
    before = state(tmp_path)
    (first.folder / "labels/train.cache").write_bytes(b"written by ultralytics")
    monkeypatch.setattr(scenes, "draw", lambda *_: pytest.fail("drawn again"))
    assert scenes.make(tmp_path, **SMALL) == first and capsys.readouterr().out == ""
    (first.folder / "labels/train.cache").unlink()
    assert state(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == [
        "shapes-64px-8+8-seed0"
    ]


DAMAGE = {
    "an image": (
        lambda folder: (folder / "images/val/00003.png").write_bytes(b"torn"),
        "images/val/00003.png was changed",
    ),
    "a label": (
        lambda folder: (folder / "labels/train/00000.txt").write_text(""),
        "labels/train/00000.txt was changed",
    ),
    "one missing": (
        lambda folder: (folder / "labels/train/00001.txt").unlink(),
        "labels/train/00001 is missing",
    ),
    "one too many": (
        lambda folder: (folder / "images/train/mine.jpg").touch(),
        "images/train/mine is one too many",
    ),
    "the YAML": (
        lambda folder: (folder / "data.yaml").write_text("train: "),
        "data.yaml was changed",
    ),
    "no YAML": (lambda folder: (folder / "data.yaml").unlink(), "data.yaml is missing"),
    "the manifest": (
        lambda folder: (folder / "scenes.json").write_text('{"images": {'),
        "scenes.json is damaged",
    ),
    "an empty manifest": (
        lambda folder: (folder / "scenes.json").write_text('{"images": {}}'),
        "scenes.json is damaged",
    ),
    "no manifest": (lambda folder: (folder / "scenes.json").unlink(), "scenes.json is missing"),
    "a folder": (
        lambda folder: shutil.rmtree(folder / "images/val"),
        "images/val/00000 is missing",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_made_anew_and_said_in_one_line(tmp_path, capsys, damage):
    spoil, message = DAMAGE[damage]
    data = scenes.make(tmp_path, **SMALL)
    before = {file: content for file, (content, _) in state(tmp_path).items()}
    spoil(data.folder)
    assert scenes.make(tmp_path, **SMALL) == data
    assert capsys.readouterr().out == f"{data.folder.name}: {message}; it is made anew\n"
    assert {file: content for file, (content, _) in state(tmp_path).items()} == before and len(
        list(tmp_path.iterdir())
    ) == 1


@pytest.mark.parametrize(
    "error, shown",
    [
        (KeyboardInterrupt(), None),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "the disk is full: 16 images need about 1 MB in",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
    ids=["Ctrl-C", "full disk", "forbidden"],
)
@pytest.mark.parametrize("damaged", [False, True], ids=["new", "repair"])
def test_an_interruption_leaves_nothing_half_done(tmp_path, monkeypatch, error, shown, damaged):
    if damaged:
        (scenes.make(tmp_path, **SMALL).folder / "data.yaml").unlink()
    before = state(tmp_path)
    save, calls = Image.Image.save, []

    def fail(image, *rest, **more):
        calls.append(image)
        if len(calls) == 10:  # in the middle of the second split
            raise error
        return save(image, *rest, **more)

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(type(error), match=shown):
        scenes.make(tmp_path, **SMALL)
    assert state(tmp_path) == before and len(list(tmp_path.iterdir())) == damaged, (
        "what was there is still there"
    )
    monkeypatch.undo()
    assert len(scenes.make(tmp_path, **SMALL).images("val")) == 8


@pytest.mark.skipif(os.name != "posix", reason="fork and signals of POSIX")
@pytest.mark.parametrize("damaged", [False, True], ids=["new", "repair"])
def test_killed_at_any_point_a_set_is_whole_after_the_next_call(tmp_path, damaged):
    tiny = dict(train=1, val=1, size=32, progress=False)
    before = {}
    number, killed = 0, True
    while killed:
        folder = tmp_path / str(number)
        if damaged:
            (scenes.make(folder, **tiny).folder / "data.yaml").unlink()
        killed = killed_before_change(number, folder, lambda: scenes.make(folder, **tiny))  # noqa: B023
        data = scenes.make(folder, **tiny)
        left = {file.name: one for file, (one, _) in state(data.folder).items()}
        assert left == (before := before or left), number
        others = [path.name for path in folder.iterdir() if path != data.folder]
        assert others in ([], [f".{data.folder.name}.lock"]), number
        number += 1
    assert number > 15


@pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX")
def test_of_two_processes_one_makes_the_set_and_the_other_finds_it(tmp_path):
    """Three, of which the first is killed while it draws."""
    marker = tmp_path / "drawing"
    code = (
        "import pathlib, sys, time\n"
        "from dynconv.lab import scenes\n"
        "drawn, draw = [], scenes.draw\n"
        "def watch(*arguments):\n"
        "    drawn.append(arguments)\n"
        "    if len(drawn) == 3 and sys.argv[1:]:\n"
        "        pathlib.Path(sys.argv[1]).touch()\n"
        "        time.sleep(300)\n"
        "    return draw(*arguments)\n"
        "scenes.draw = watch\n"
        f"scenes.make('data', **{SMALL})\n"
        "print(len(drawn))"
    )
    first = start_python(None, tmp_path, "-c", code, str(marker))
    others = []
    try:
        while not marker.exists():
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        others = [start_python(code, tmp_path) for _ in range(2)]
        waits = {process.stdout.readline() for process in others}
        assert waits == {"shapes-64px-8+8-seed0: another process is writing it, waiting\n"}
        assert not any((tmp_path / "data").glob("shapes*")), "there is nothing yet"
        first.send_signal(signal.SIGKILL)
        out, err = zip(*(process.communicate(timeout=60) for process in others))
    finally:
        for process in (first, *others):
            process.kill()
            process.communicate()
    assert sorted(out) == ["0\n", "16\n"], err
    made = scenes.make(tmp_path / "data", **SMALL)
    assert len(made.images("train")) == 8 and not list((tmp_path / "data").glob(".*.lock"))


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_others_may_read_the_data_set(written):
    assert written.folder.stat().st_mode & 0o555 == 0o555


def test_a_bar_shows_progress_unless_told_not_to(tmp_path, capfd):
    scenes.make(tmp_path, train=2, val=2, size=32)
    assert "drawing shapes" in capfd.readouterr().err
    scenes.make(tmp_path, train=3, val=2, size=32, progress=False)
    assert capfd.readouterr().err == ""


def test_numbers_of_numpy_make_the_same_set(tmp_path):
    numbers = dict(train=1, val=1, size=32, seed=0)
    first = scenes.make(tmp_path, **numbers)
    again = scenes.make(tmp_path, **{name: np.int64(value) for name, value in numbers.items()})
    assert again == first and type(again.size) is int


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"objects": "letters"}, "unknown objects 'letters': expected one of .'shapes', 'digits'"),
        ({"train": 0}, "train must be a whole number, at least 1, got 0"),
        ({"val": 2.5}, "val must be a whole number, at least 1, got 2.5"),
        ({"val": True}, "val must be a whole number, at least 1, got True"),
        ({"seed": -1}, "seed must be a whole number, at least 0, got -1"),
        ({"size": 16}, "size must be a whole number, at least 32, got 16"),
        (
            {"size": 100},
            "size must be a multiple of 32, the coarsest stride of a YOLO model, got 100",
        ),
    ],
)
def test_a_data_set_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path, arguments, message
):
    with pytest.raises(ValueError, match=message):
        scenes.make(tmp_path / "new", **arguments)
    assert not list(tmp_path.iterdir())
