"""Copies of ultralytics with the four edits: what they build, and what each omission does."""

import importlib.util
import shutil
from pathlib import Path

import parse_changes
import pytest
from conftest import ROOT
from life import run_python, start_python

from dynconv import __main__, edits

INSTALLED = Path(importlib.util.find_spec("ultralytics").origin).parent  # without importing it
BUILD = """
from ultralytics import YOLO
for name in {names!r}:
    print(sum(p.numel() for p in YOLO(name).model.parameters()))
"""


def yaml(name):
    return str(ROOT / "dynconv/yolo/models" / f"{name}.yaml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A copy that can build models. Tests that use it leave it unpatched."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(
        INSTALLED, folder / "ultralytics", ignore=shutil.ignore_patterns("assets", "solutions")
    )
    return folder


def content(tree):
    """Every file and its bytes, Python's caches aside."""
    files = (path for path in tree.rglob("*") if path.is_file() and path.parent.name[:2] != "__")
    return {path.relative_to(tree): path.read_bytes() for path in files}


def with_edits(whole, code, chosen=edits.ALL, **names):
    edits.apply(whole, chosen, **names)
    try:
        return edits.run_with(whole, code)
    finally:
        edits.undo(whole)


def test_the_copy_builds_what_the_registration_builds(whole):
    """Same keys, same shapes, same outputs from the same weights."""
    import torch

    from dynconv import yolo

    # The outputs of one dynamic row too: in a network that was never trained, boxes hardly depend
    # on it.
    rows = {"yolov10n-dynamicconv-1": (1, 16), "yolov10n-c2f-dynamicconv": (2, 32)}
    code = f"""
import torch
from ultralytics import YOLO
torch.manual_seed(0)
found = dict()
for name, file, row, channels in {[(name, yaml(name), *row) for name, row in rows.items()]}:
    model = YOLO(file).model.eval()
    x, maps = torch.rand(2, 3, 64, 64), torch.randn(2, channels, 16, 16)
    with torch.no_grad():
        found[name] = model.state_dict(), x, model(x)[0], maps, model.model[row](maps)
    print(type(model.model[row]).__module__)
torch.save(found, "pasted.pt")
"""
    outcome = with_edits(whole, code)
    assert outcome == edits.Outcome("\n".join(["ultralytics.nn.Addmodules.DynamicConv"] * 2), "")
    for name, (state, x, y, maps, dynamic) in torch.load(whole / "pasted.pt").items():
        row = rows[name][0]
        ours = yolo.build(name).model.eval()
        assert {key: value.shape for key, value in ours.state_dict().items()} == {
            key: value.shape for key, value in state.items()
        }
        ours.load_state_dict(state)
        with torch.no_grad():
            torch.testing.assert_close(ours(x)[0], y, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(ours.model[row](maps), dynamic, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "what, message",
    [
        ("the width scales a set at module level", "at scale n .*row 1.* is "),
        ("the repeats go to a set at module level", "ended in RuntimeError: Given groups=1"),
        (
            "a class is looked up in ultralytics.nn.modules",
            "ended in AttributeError: .*DynamicConv",
        ),
    ],
)
def test_a_tree_in_which_the_edits_would_do_something_else_stays_as_it_is(
    what, message, tmp_path, capsys
):
    """Conv and C2f are right there, since their names stand in the other set too."""
    parse_changes.copied(INSTALLED, tmp_path / "a folder")
    file = tmp_path / "a folder/ultralytics/nn/tasks.py"
    file.write_text(parse_changes.CHANGES[what][0](file.read_text()))
    before = content(tmp_path)
    with pytest.raises(
        edits.UnsupportedUltralytics, match=f"not treated as Conv and C2f.*{message}"
    ):
        edits.apply(tmp_path / "a folder")
    assert __main__.main(["patch", str(tmp_path / "a folder"), "--check"]) == 2
    assert "UnsupportedUltralytics" in capsys.readouterr().err
    assert content(tmp_path) == before


def test_a_patched_tree_that_treats_the_names_otherwise_is_no_good_one(tmp_path, capsys):
    parse_changes.copied(INSTALLED, tmp_path)
    edits.apply(tmp_path)
    assert __main__.main(["patch", str(tmp_path), "--check"]) == 0
    assert "a network is right" in capsys.readouterr().out
    file = tmp_path / "ultralytics/nn/tasks.py"
    what = "the depth counts for a set only"
    file.write_text(parse_changes.CHANGES[what][0](file.read_text()))
    # the set above the function was copied with the edits in it; upstream would not have them there
    above, function, below = file.read_text().partition("def parse_model")
    file.write_text(above.replace("            C2f_DynamicConv,\n", "") + function + below)
    assert __main__.main(["patch", str(tmp_path), "--check"]) == 2
    assert "C2f are: at scale n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "chosen, names, model, error",
    [
        (
            (2, 3, 4),
            {},
            "yolov10n-dynamicconv-1",
            "ModuleNotFoundError: No module named 'ultralytics.nn.Addmodules.DynamicConv'",
        ),
        (
            (1, 3, 4),
            {},
            "yolov10n-dynamicconv-1",
            "ImportError: cannot import name 'C2f_DynamicConv' from 'ultralytics.nn.Addmodules'",
        ),
        ((1, 2, 4), {}, "yolov10n-dynamicconv-1", "NameError: name 'DynamicConv' is not defined"),
        ((1, 2), {}, "yolov10n-dynamicconv-1", "KeyError: 'DynamicConv'"),
        (
            (1, 2, 3),
            {},
            "yolov10n-dynamicconv-1",
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x16 and 128x4)",
        ),
        (
            edits.ALL,
            {"repeat": edits.MODULES},
            "yolov10n-dynamicconv-1",
            "RuntimeError: Sizes of tensors must match",
        ),
    ],
)
def test_what_each_omission_does(whole, chosen, names, model, error):
    outcome = with_edits(whole, BUILD.format(names=[yaml(model)]), chosen, **names)
    assert outcome.error.startswith(error)


def test_the_silent_omission_is_caught_by_a_count(whole):
    outcome = with_edits(whole, BUILD.format(names=[yaml("yolov10n-c2f-dynamicconv")]), repeat=())
    assert outcome == edits.Outcome("3792868", "")


def test_run_with_imports_that_tree_and_reports_what_failed(whole):
    assert edits.run_with(whole, "import ultralytics; print(ultralytics.__file__)").output == str(
        whole / "ultralytics/__init__.py"
    )
    assert edits.run_with(whole, "print('x'); raise SystemExit(3)") == edits.Outcome(
        "x", "exit code 3"
    )
    assert (
        edits.run_with(
            whole,
            "import ultralytics; print(ultralytics.utils.ONLINE, 'dynconv' in"
            " __import__('sys').modules)",
        ).output
        == "False False"
    )


# --- the edits beside the package ---


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """A copy with the four edits, and a checkpoint that it wrote."""
    folder = tmp_path_factory.mktemp("edited")
    shutil.copytree(
        INSTALLED, folder / "ultralytics", ignore=shutil.ignore_patterns("assets", "solutions")
    )
    edits.apply(folder)
    save = f"from ultralytics import YOLO; YOLO({yaml('yolov10n-dynamicconv-1')!r}).save('its.pt')"
    assert edits.run_with(folder, save).error == ""
    return folder


def beside(edited, code, *arguments):
    """Run code with the edited copy in the place of the installed one; what it printed, and what
    ultralytics logged.
    """
    process = start_python(
        code, edited, *arguments, PYTHONPATH=f"{edited}:{ROOT}", YOLO_VERBOSE="true"
    )
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "imports",
    [
        "import dynconv; from ultralytics import YOLO",
        "from ultralytics import YOLO; import ultralytics.nn.tasks, dynconv",
        "import ultralytics.nn.Addmodules; from dynconv import yolo; from ultralytics import YOLO",
    ],
)
def test_an_edited_copy_lives_beside_the_package_in_every_order(edited, imports):
    code = f"""
import torch
before = torch.get_rng_state()
{imports}
from dynconv import DynamicConv, cost, yolo
from dynconv.yolo.registration import uninstall
from ultralytics.nn import tasks
assert torch.equal(torch.get_rng_state(), before)
cost(DynamicConv(3, 4, 3), 8)
model = yolo.build("yolov10n-dynamicconv-1")
assert isinstance(model.model.model[1], DynamicConv)
model.save("ours.pt")
for file in "its.pt", "ours.pt":
    print(type(YOLO(file).model.model[1]).__module__)
yolo.register_all()
uninstall()
print(type(YOLO(yolo.path("yolov10n-dynamicconv-1")).model.model[1]).__module__)
yolo.register_all()
"""
    status, out, err = beside(edited, code)
    assert status == 0, err[-1500:]
    its, ours = "ultralytics.nn.Addmodules.DynamicConv", "dynconv.layers"
    assert [line for line in out.splitlines() if line in (its, ours)] == [its, ours, its]
    said = out + err
    assert said.count("dynconv registers its modules") == 1, "once"
    assert f"`python -m dynconv patch {edited / 'ultralytics'} --undo`" in said
    assert f"DynamicConv ({its}.DynamicConv), C2f_DynamicConv ({its}" in said


def test_only_opening_a_checkpoint_of_the_package_works_there(edited):
    from dynconv import yolo

    yolo.build("yolov10n-dynamicconv-1").save(edited / "of_ours.pt")
    code = "from ultralytics import YOLO; print(type(YOLO('of_ours.pt').model.model[1]))"
    status, out, err = beside(edited, code)
    assert status == 0 and "dynconv.layers.DynamicConv" in out, err[-1500:]


def test_the_command_works_there(edited):
    train = ("detect", "train", "model=yolov10n-dynamicconv-1", "data=nowhere.yaml")
    _, _, said = beside(edited, None, "-m", "dynconv", *train)
    assert "'nowhere.yaml' does not exist" in said, "the model was built before"


@pytest.mark.parametrize("repeat", [(), edits.MODULES])
def test_collections_that_were_edited_wrongly_do_not_matter_to_the_registration(whole, repeat):
    code = "from dynconv import yolo; names = 'yolov10n-dynamicconv-1', 'yolov10n-c2f-dynamicconv'"
    code += "\nfor n in names: print(sum(p.numel() for p in yolo.build(n).model.parameters()))"
    outcome = with_edits(whole, code, repeat=repeat)
    assert outcome == edits.Outcome("2955372\n3751140", "")


def test_another_layer_of_the_same_name_stays_and_is_named_with_its_place(whole):
    pasted = whole / "ultralytics/nn/Addmodules/DynamicConv.py"
    edits.apply(whole)
    text = pasted.read_text()
    try:
        # a softmax in the place of the sigmoid: parameters of the same names and shapes
        pasted.write_text(text.replace("torch.sigmoid(", "torch.softmax(dim=1, input="))
        code = """
from dynconv import yolo
from ultralytics import YOLO
print(type(YOLO("yolov10n-dynamicconv-1.yaml").model.model[1]).__module__)
yolo.build("yolov10n-dynamicconv-1-bn-act")
yolo.build("yolov10n-dynamicconv-1")
"""
        process = start_python(code, whole, PYTHONPATH=f"{whole}:{ROOT}", YOLO_VERBOSE="true")
        out, err = process.communicate(timeout=300)
    finally:
        pasted.write_text(text)
        edits.undo(whole)
    its = "ultralytics.nn.Addmodules.DynamicConv"
    assert its in out.splitlines(), err[-1500:]
    assert f"It has DynamicConv ({its}.DynamicConv), C2f" in out + err
    assert "another layer than dynconv's of that name" in out + err
    last = err.strip().splitlines()[-1]
    assert last.startswith("ValueError: yolov10n-dynamicconv-1 is made of dynconv's DynamicConv")
    assert f"{its}.DynamicConv: give that one another name" in last and "--undo" in last


def test_a_checkpoint_of_an_edited_copy_opens_when_the_edits_are_gone(edited, tmp_path):
    code = (
        "import dynconv; from ultralytics import YOLO; print(YOLO({!r}).model.model[1].cond_conv)"
    )
    assert "CondConv2d" in run_python(code.format(str(edited / "its.pt")), tmp_path)


def test_other_arguments_are_those_of_the_yolo_command(tmp_path):
    (tmp_path / "yolov10n-mine.yaml").write_text(Path(yaml("yolov10n-dynamicconv-1")).read_text())
    train = ("detect", "train", "model=yolov10n-mine.yaml", "data=nowhere.yaml")
    process = start_python(None, tmp_path, "-m", "dynconv", *train)
    _, said = process.communicate(timeout=300)
    # the model was built before the data set was looked for
    assert process.returncode != 0 and "nowhere.yaml" in said and "KeyError" not in said


def test_an_ultralytics_command_that_ends_well_ends_with_0(tmp_path):
    said = run_python(None, tmp_path, "-m", "dynconv", "version", YOLO_VERBOSE="true")
    assert edits.version(INSTALLED) in said
