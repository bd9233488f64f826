"""The program that tries a parse_model: what it leaves as it was, and what it says."""

import pytest
import torch
from ultralytics.nn import tasks

from dynconv import yolo
from dynconv.yolo import probe

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
