"""The playground's detector: the files in the package are what the module would write, and it
detects.
"""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from conftest import ROOT
from safetensors import safe_open
from ultralytics.utils import LOGGER

from dynconv.lab import detector, presets, routing, scenes
from dynconv.yolo import PARAMETERS

FACTS = detector.facts()
FILES = [ROOT / "dynconv/lab" / name for name in (detector.WEIGHTS, detector.FACTS)]
ENOUGH = 0.9  # mAP50-95, in each light


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Scenes of a seed that neither the training nor the record saw: 64 in each light."""
    assert 99 not in (FACTS["seed"], FACTS["fresh"]["seed"])
    folder = tmp_path_factory.mktemp("fresh")
    return scenes.make(folder, train=1, val=256, size=FACTS["size"], seed=99, progress=False)


def test_it_detects_in_each_light(fresh):
    model = detector.load()
    before = model.model.state_dict().keys()
    found = detector.scores(model, fresh)
    assert model.model.state_dict().keys() == before, "ultralytics fused a copy"
    assert found.keys() == set(scenes.LIGHTS) and min(found.values()) >= ENOUGH, found
    for light, score in FACTS["scores"]["shapes"].items():
        assert score >= ENOUGH and score == pytest.approx(found[light], abs=0.03), light


def test_its_routing_matters_as_the_record_says(fresh):
    """Night scenes are not found with the α of the day."""
    model = detector.load()
    images, labels, lights = fresh.images(), fresh.labels(), fresh.lights()
    alpha = routing.record(model, images)
    share = {name: routing.variance_share(values, lights) for name, values in alpha.items()}
    # Those of the backbone tell the lights apart; the one in the neck gives all images much the
    # same.
    assert share.keys() == {"model.1.conv", "model.3.conv", "model.17.conv"}
    assert min(share["model.1.conv"], share["model.3.conv"]) > 0.5, share
    found = routing.swap(model, images, labels, lights, alpha=alpha, sources=["own", "day"])
    recorded = FACTS["swap"]["shapes"]
    assert list(recorded) == ["own", "mean", *scenes.LIGHTS]
    for matrix in (found, recorded):
        assert matrix["own"]["night"] - matrix["day"]["night"] > 0.2


def test_the_record_has_the_settings_of_the_module():
    assert (FACTS["model"], FACTS["seed"]) == (detector.MODEL, detector.SEED)
    assert FACTS["settings"] == presets.PRESETS["cpu"].settings | detector.SETTINGS
    images = {split: detector.SCENES[split] * len(detector.OBJECTS) for split in scenes.SPLITS}
    assert FACTS["data"]["images"] == images and FACTS["fresh"] == detector.FRESH
    assert FACTS["size"] == detector.SCENES["size"] == FACTS["settings"]["imgsz"]
    assert FACTS["classes"] == FACTS["data"]["classes"] == [*scenes.NAMES["shapes"]]
    assert len(FACTS["curves"]["mAP50-95"]) == detector.SETTINGS["epochs"]
    assert FACTS["scores"].keys() == FACTS["swap"].keys() == set(detector.OBJECTS)


def stored(file):
    """What a file of weights holds, all of it in half precision but for counters."""
    with safe_open(file, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    assert {value.dtype for value in tensors.values()} == {torch.float16, torch.int64}
    return tensors


def test_the_files_are_small_and_hold_what_prediction_needs():
    assert sum(file.stat().st_size for file in FILES) < 6e6
    tensors = stored(FILES[0])
    assert all(value.isfinite().all() for value in tensors.values())
    assert not any(name.startswith(("model.23.cv2", "model.23.cv3")) for name in tensors)
    model = detector.load()
    assert sum(p.numel() for p in model.model.parameters()) < PARAMETERS[detector.MODEL]
    assert not model.model.training and {p.dtype for p in model.model.parameters()} == {
        torch.float32
    }


def test_it_predicts_without_further_words(fresh, monkeypatch):
    """As a loaded checkpoint does: at its own size, with its names, each object once."""
    monkeypatch.setattr(LOGGER, "warning", lambda *words: pytest.fail(str(words)))
    image = fresh.images()[0]
    (result,) = detector.load().predict(image, verbose=False)
    wanted = fresh.labels()[0]
    boxes = result.boxes[result.boxes.conf > 0.5]
    assert sorted(boxes.cls.int().tolist()) == sorted(wanted[:, 0].astype(int))
    assert [*result.names.values()] == FACTS["classes"]
    assert detector.load().model.args["imgsz"] == FACTS["size"]


def test_no_pickle_is_loaded(monkeypatch):
    """Weights of safetensors cannot run anything."""
    for module, names in ((torch, ["load"]), (pickle, ["load", "loads", "Unpickler"])):
        for name in names:
            monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("a pickle is loaded"))
    detector.load()


# --- damage ---------------------------------------------------------------------------------------


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """The two files where they can be spoilt."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(detector, "files", lambda package: tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [detector.WEIGHTS, detector.FACTS])
def test_a_missing_file_is_named(copies, name):
    (copies / name).unlink()
    remedy = "python -m dynconv.lab.detector"
    with pytest.raises(FileNotFoundError, match=f"dynconv/lab/{name} is missing.*{remedy}"):
        detector.load()


@pytest.mark.parametrize(
    "name, spoil, message",
    [
        (detector.WEIGHTS, lambda content: content[:-1], "is not what detector.json says"),
        (detector.WEIGHTS, lambda content: b"", "is not what detector.json says"),
        (detector.WEIGHTS, lambda content: content[:-9] + b"x" + content[-8:], "is not what"),
        (detector.FACTS, lambda content: content[:-10], "is no JSON"),
        (detector.FACTS, lambda content: b"\xff\xfe", "is no JSON"),
    ],
    ids=["cut off", "empty", "a byte", "cut off facts", "no text"],
)
def test_a_damaged_file_is_named(copies, name, spoil, message):
    (copies / name).write_bytes(spoil((copies / name).read_bytes()))
    with pytest.raises(ValueError, match=f"dynconv/lab/{name} {message}.*install dynconv again"):
        detector.load()


# --- the command ----------------------------------------------------------------------------------


def test_the_command_writes_into_the_source_and_into_nothing_installed(monkeypatch):
    calls = []
    monkeypatch.setattr(detector, "run", lambda **options: calls.append(options))
    monkeypatch.setattr(detector.offline, "stay_offline", lambda: None)
    detector.main([])
    assert calls.pop()["to"] == ROOT / "dynconv/lab"
    detector.main(["--folder", "here", "--to", "there"])
    assert {name: str(path) for name, path in calls.pop().items()} == {
        "folder": "here",
        "to": "there",
    }


def test_the_command_trains_the_same_again(tmp_path, monkeypatch, capsys):
    """Two steps of it, twice: the same bytes, which load as what was trained. A third call finds
    the training done.
    """
    monkeypatch.setattr(detector, "SCENES", {"train": 4, "val": 4, "size": 64})
    tiny = detector.SETTINGS | {"epochs": 1, "batch": 4, "nbs": 4, "imgsz": 64}
    monkeypatch.setattr(detector, "SETTINGS", tiny)
    monkeypatch.setattr(detector, "FRESH", detector.FRESH | {"val": 4})
    monkeypatch.setattr(detector.offline, "stay_offline", lambda: None)
    for name in ("one", "two", "two"):
        detector.main(["--folder", str(tmp_path / name), "--to", str(tmp_path / f"{name} files")])
    assert capsys.readouterr().out.count("was done before") == 1
    one, two = (
        [(tmp_path / f"{name} files" / file.name).read_bytes() for file in FILES]
        for name in ("one", "two")
    )
    assert one[0] == two[0]
    assert stored(tmp_path / "one files" / detector.WEIGHTS).keys() == stored(FILES[0]).keys()
    facts, again = map(json.loads, (one[1], two[1]))
    assert facts["scores"] == again["scores"] and facts["swap"] == again["swap"]
    assert facts.keys() == FACTS.keys() and facts["settings"].keys() == FACTS["settings"].keys()
    assert str(tmp_path) not in json.dumps(facts)  # nothing of the machine's folders

    from ultralytics import YOLO

    monkeypatch.setattr(detector, "files", lambda package: tmp_path / "one files")
    (weights,) = (tmp_path / "one").glob("*/weights/last.pt")
    trained = YOLO(weights).model.eval()
    trained.end2end = True
    x = torch.from_numpy(np.random.default_rng(0).random((2, 3, 64, 64), np.float32))
    with torch.no_grad():
        torch.testing.assert_close(detector.load().model(x)[0], trained(x)[0])
