"""The program that tries a parse_model: what it leaves as it was, and what it says."""

import re

import pytest
import torch
from ultralytics.nn import tasks
from ultralytics.nn.modules import Classify

from dynconv import yolo
from dynconv.yolo import probe, registration

NAMES = {"ProbeConv": "DynamicConv", "C2f_Probe": "C2f_DynamicConv"}


def test_it_builds_on_the_processor_whatever_device_the_reader_has_chosen():
    with torch.device("meta"):
        with probe._on_cpu():
            assert torch.empty(1).device.type == "cpu"
        assert torch.empty(1).device.type == "meta"


@pytest.mark.parametrize("found, said", [(["width is 8", "more"], "width is 8"), ([], "the same")])
def test_the_stand_ins_are_there_while_it_compares_and_not_later(monkeypatch, capsys, found, said):
    own = {name: vars(tasks)[name] for name in NAMES.values()}
    assert set(NAMES.values()) <= yolo.registered().keys()
    seen = []

    def compare(names):
        seen.append((names, tasks.DynamicConv, tasks.C2f_DynamicConv))
        return found

    monkeypatch.setattr(probe, "differences", compare)
    probe.main(NAMES)
    assert seen == [(NAMES, probe.ProbeConv, probe.C2f_Probe)]
    assert {name: vars(tasks)[name] for name in NAMES.values()} == own
    assert capsys.readouterr().out == f"{said}\n"


@pytest.fixture
def stand_ins():
    """As `registration` tries itself: the stand-ins are registered."""
    for entry in registration._PROBES:
        registration.add(entry)
    yield
    for name in probe.STOCK.keys() & yolo.registered().keys():
        yolo.unregister(name)


def test_stand_ins_make_the_networks_of_ultralytics(stand_ins):
    before = torch.get_rng_state()
    assert probe.differences() == []
    assert torch.equal(torch.get_rng_state(), before)


# one kind of the two, which takes a third of the time
CLASSIFIER = [(tasks.ClassificationModel, "x", probe.CLASSIFIER[:-1], probe.CLASSIFIER[-1:])]

SPOILS = {  # what another parse_model may do to modules that it does not know, by what is named
    "kernel_size of row 1, conv": lambda network, save: setattr(network[1].conv, "kernel_size", 5),
    "f of row 2": lambda network, save: setattr(network[2], "f", -2),
    r"the shape of more of row 1 is \(2,\), and missing where the module": lambda network, save: (
        more(network[1])
    ),
    "weight of row 1, conv": lambda network, save: network[1].conv.weight.data.zero_(),
    "bias of row 1, bn": lambda network, save: network[1].bn.bias.requires_grad_(False),
    "weight of row 1, bn": lambda network, save: network[1].bn.double(),
    "the list of saved rows": lambda network, save: save.append(1),
    "^at scale x legacy is other, and before where": lambda network, save: setattr(
        Classify, "legacy", "other"
    ),
}


def more(module):
    module.more = torch.nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize("what", SPOILS)
def test_a_network_that_is_made_otherwise_is_noticed(what, stand_ins, monkeypatch):
    original = tasks.parse_model

    def parse_model(d, *arguments, **keywords):
        network, save = original(d, *arguments, **keywords)
        if any("Probe" in row[2] for row in d["backbone"]):
            SPOILS[what](network, save)
        return network, save

    monkeypatch.setattr(tasks, "parse_model", parse_model)
    monkeypatch.setattr(Classify, "legacy", "before", raising=False)
    monkeypatch.setattr(probe, "_kinds", lambda: CLASSIFIER)
    found = probe.differences()
    assert any(re.search(what, each) for each in found), found


def test_a_difference_in_the_first_network_is_not_forgotten(monkeypatch):
    monkeypatch.setattr(probe, "_kinds", lambda: 2 * CLASSIFIER)
    described = iter([{"size": 1}, {}, {"size": 1}, {"size": 1}])
    monkeypatch.setattr(probe, "_described", lambda *_: next(described))
    (found,) = probe.differences()
    assert found.startswith("at scale x size is missing, and 1 where the module")


def test_what_was_refused_once_is_refused_again(monkeypatch):
    """Importing dynconv has tried it; the reason is kept in place of a second trial."""
    reason = yolo.UnsupportedUltralytics("tried before")
    monkeypatch.setattr(tasks, "parse_model", lambda: None)
    tasks.parse_model.dynconv_error = reason
    with pytest.raises(yolo.UnsupportedUltralytics) as caught:
        registration.install()
    assert caught.value is reason
