"""The recorded experiment: the record in the package is what the module would write."""

import json

import pytest
from conftest import ROOT

from dynconv.lab import experiment, presets

RECORDED = experiment.recorded()


def test_the_record_is_complete():
    """In the order in which the module runs, with nothing left out and nothing twice."""
    found = [(one["data"]["name"].split("-")[0], one["seed"], one["model"]) for one in RECORDED]
    assert found == [
        (objects, seed, model)
        for objects in experiment.PARTS
        for seed in experiment.SEEDS
        for model in experiment.MODELS
    ]


@pytest.mark.parametrize("objects", experiment.PARTS)
def test_the_record_has_the_settings_of_the_module(objects):
    scenes, settings = experiment.PARTS[objects]
    for one in RECORDED:
        if one["data"]["name"].startswith(objects):
            assert one["settings"] == presets.PRESETS["cpu"].settings | settings
            assert one["data"]["images"] == scenes
            assert len(one["curves"]["mAP50-95"]) == settings["epochs"]
            assert one["versions"] == RECORDED[0]["versions"]  # all on one machine


def test_the_repetition_differs_in_its_numbers_only():
    def same(one):
        numbers = ("curves", "seconds", "score")
        return {name: value for name, value in one.items() if name not in numbers}

    control = [
        one
        for one in RECORDED
        if one["model"] == "yolov10n-conv-2" and one["data"]["name"].startswith("shapes")
    ]
    repeated = experiment.repeated()
    assert [same(one) for one in repeated] == [same(one) for one in control]
    for one, other in zip(repeated, control):
        assert one["score"] != other["score"]


def test_the_command_writes_the_record_of_the_source_and_nothing_installed(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(experiment, "run", lambda **options: calls.append(options))
    monkeypatch.setattr(experiment.offline, "stay_offline", lambda: None)
    experiment.main([])
    assert calls.pop()["file"] == ROOT / "dynconv/lab/experiment.json"
    installed = tmp_path / "site-packages/dynconv/lab/experiment.py"
    monkeypatch.setattr(experiment, "__file__", str(installed))
    experiment.main(["--folder", str(tmp_path)])
    options = calls.pop()
    assert (options["folder"], str(options["file"])) == (tmp_path, "experiment.json")


def test_the_module_writes_such_a_file(tmp_path, monkeypatch):
    tiny = presets.PRESETS["cpu"].settings | {"imgsz": 64, "batch": 4, "nbs": 4}
    monkeypatch.setitem(presets.PRESETS, "cpu", presets.Preset("cpu", tiny, {"size": 64}, {}))
    monkeypatch.setattr(experiment, "MODELS", ("yolov10n",))
    monkeypatch.setattr(experiment, "SEEDS", (3,))
    monkeypatch.setattr(experiment, "PARTS", {"shapes": ({"train": 8, "val": 4}, {"epochs": 1})})
    monkeypatch.setattr(experiment.offline, "stay_offline", lambda: None)
    monkeypatch.setattr(experiment, "target", lambda: tmp_path / "data/experiment.json")
    experiment.main(["--folder", str(tmp_path / "runs"), "--models", "yolov10n"])
    (one,) = json.loads((tmp_path / "data/experiment.json").read_text(encoding="utf-8"))
    assert one.keys() == RECORDED[0].keys() and one["score"].keys() == RECORDED[0]["score"].keys()
    assert (one["seed"], one["settings"]["epochs"]) == (3, 1)
    assert str(tmp_path) not in json.dumps(one)  # nothing of the machine's folders
