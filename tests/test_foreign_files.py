"""Files of others that are made to run something, in every container and at every door: a mark that
must not appear. Beside test_safe_load.py, which has the checkpoints themselves.
"""

import ast
import io
import multiprocessing
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics.data import utils
from ultralytics.nn import tasks
from ultralytics.utils.loss import v8DetectionLoss

from dynconv import upstream, yolo
from dynconv.relatives import timm_backbone
from dynconv.yolo import data_programs, registration, restricted, safe_load

ROOT = Path(__file__).resolve().parents[1]

# --- every door is known --------------------------------------------------------------------------

PATHS = {"weights", "model", "file", "data", "folder", "tree", "source", "dataset", "package"}
# What public functions with such an argument do with a file of somebody else. Whoever adds one says
# it here, and adds what reads checkpoints to DOORS in test_safe_load.py.
READS = {
    "checkpoints": {
        *("yolo.safe_load.load", "yolo.safe_load.read_checkpoint", "yolo.exporting.export"),
        *("lab.training.train", "lab.training.validate", "lab.jobs.plan", "lab.sweep.sweep"),
        *("lab.recording.dynamic_layers", "lab.recording.record", "lab.recording.untrained"),
        *("lab.recording.calibrated", "lab.kernels.mixed_kernels", "lab.kernels.closeups"),
        *("lab.routing.swap", "lab.scoring.score"),
        *("lab.inference.as_network", "lab.repair.mend", "lab.repair.strip"),
    },
    "data YAMLs, and runs no program in them": {
        *("lab.dataset.check_dataset", "yolo.data_programs.programs"),
        "yolo.data_programs.has_program",
    },
    "model YAMLs": {"yolo.heads.head_of", "yolo.yaml_files.check_yaml", "lab.jobs.find"},
    "text, numbers and digests": {
        *("lab.runs.load_run", "lab.runs.read_results", "yolo.safe_load.trust"),
        "checks.check_file",
    },
    "Python, whose tree it is told to run": {
        *("edits.apply", "edits.prove", "edits.run_with", "edits.trying.run_in"),
        "edits.trying.difference",
    },
    "Python, as text": {
        *("edits.find", "edits.version", "edits.status", "edits.plan", "edits.undo"),
        "edits.tasks.find_collections",
    },
    "nothing: it writes, or counts": {
        *("edits.files.write_all", "lab.scenes.make", "lab.detector.run", "lab.experiment.run"),
        *("lab.repair.explain_full_disk", "yolo.recording.record"),
        *("yolo.storing.as_float16", "yolo.storing.as_int8"),
    },
    "nothing: it takes a network, or rows": {
        *("checks.as_network", "counting.cost", "folding.fold_batchnorm"),
        *("yolo.upcycling.upcycle", "lab.routing.fixed", "yolo.model_dict.check_source"),
    },
}


def doors():
    """The public functions that take a path, or what may be one: {module.name: its file}."""
    found = {}
    for file in sorted((ROOT / "dynconv").rglob("*.py")):
        parts = file.relative_to(ROOT / "dynconv").with_suffix("").parts
        if parts[0] in ("exercises", "figures", "files") or "Addmodules" in parts:
            continue
        place = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                kinds = {ast.unparse(a.annotation) for a in arguments if a.annotation}
                names = {argument.arg for argument in arguments}
                if names & PATHS or any("Path" in k and "Callable" not in k for k in kinds):
                    found[f"{place}.{node.name}"] = file
    return found


def test_it_is_known_of_every_function_with_a_path_what_it_does_with_the_file():
    known = set().union(*READS.values())
    assert sum(map(len, READS.values())) == len(known)
    assert set(doors()) == known, "say in READS what it reads, and try it with a malicious file"


def test_every_door_for_checkpoints_is_tried():
    import test_safe_load

    tried = {*test_safe_load.DOORS, *("as_network", "mend", "strip")}  # the last: inside train
    assert {name.rpartition(".")[2] for name in READS["checkpoints"]} <= tried


def test_the_commands_are_those_whose_guards_are_known():
    tree = ast.parse((ROOT / "dynconv/__main__.py").read_text(encoding="utf-8"))
    main, yolo = (
        next(node for node in tree.body if getattr(node, "name", "") == name)
        for name in ("main", "yolo")
    )
    compared = {
        node.value
        for test in ast.walk(main)
        if isinstance(test, ast.Compare)
        for node in ast.walk(test)
        if isinstance(node, ast.Constant)
    }
    assert compared - {0} == {"-h", "--help", "patch"}, "a new command: which files does it read?"
    (last,) = [node for node in yolo.body if isinstance(node, ast.With)]
    assert ast.unparse(last) == "with safely():\n    return entrypoint()"


# --- containers, and what no network writes -------------------------------------------------------


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


class Asking:
    def __init__(self, *asked):
        self.asked = asked

    def __reduce__(self):
        return self.asked


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


def as_legacy(file, evil):
    torch.save({"model": evil}, file, _use_new_zipfile_serialization=False)


def as_tar(file, evil):
    with tarfile.open(file, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(evil, 2)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def as_pickle(file, evil):
    file.write_bytes(pickle.dumps(evil))


def as_zip_that_leaves_its_folder(file, evil):
    torch.save({"model": nn.Identity()}, file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"../../../../../..{evil.mark}", "")


def as_package(file, evil):
    with torch.package.PackageExporter(str(file)) as package:
        package.save_source_string("evil", f"import os\nos.mkdir({evil.mark!r})\n")
        package.save_pickle("model", "model.pkl", {})


def as_link(file, evil):
    torch.save({"model": evil}, file.with_suffix(".bin"))
    file.symlink_to(file.with_suffix(".bin"))


def in_a_state(file, evil):
    torch.save({"model": nn.Identity(), "ema": {"state": [{0: (evil,)}]}}, file)


CONTAINERS = (
    *(as_legacy, as_tar, as_pickle, as_zip_that_leaves_its_folder, as_package, as_link),
    in_a_state,
)


@pytest.mark.parametrize("container", CONTAINERS)
def test_whatever_a_checkpoint_is_packed_in_nothing_runs_and_the_file_is_named(
    container, tmp_path, mark
):
    file = tmp_path / "evil.pt"
    container(file, Evil(mark))
    with pytest.raises((yolo.UntrustedCheckpointError, pickle.UnpicklingError), match=r"evil\.pt"):
        safe_load.read_checkpoint(file)
    with pytest.raises(TypeError, match=r"evil\.pt"):
        yolo.load(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    "asked, name",
    [
        ((np.ndarray, ((1,), "O", b"12345678")), "ndarray"),  # addresses of objects
        ((torch.UntypedStorage, (2**40,)), "UntypedStorage"),
        ((v8DetectionLoss, (1,)), "v8DetectionLoss"),
    ],
)
def test_no_constructor_is_called_that_does_more_than_hold_values(asked, name, tmp_path):
    torch.save({"model": Asking(*asked)}, tmp_path / "x.pt")
    with pytest.raises(yolo.UntrustedCheckpointError, match=f"calls the constructor of {name}"):
        safe_load.read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "owner, name",
    [
        (b"(cultralytics.nn.modules.head\nDetect\n)\x81S'forward'\n", "forward"),
        (
            b"(ctorchvision.transforms.functional\nInterpolationMode\nS'BILINEAR'\n",
            "InterpolationMode.BILINEAR",
        ),
    ],
)
def test_what_all_networks_share_is_not_changed(owner, name):
    program = b"cbuiltins\ngetattr\n" + owner + b"tR}S'_value_'\nI1\nsb."
    with pytest.raises(restricted.RefusedError, match=f"changes {name}"):
        restricted.pickle_module({}).load(io.BytesIO(program))


@pytest.mark.parametrize("kind", ["torchscript", "npy", "pkl", "pb", "pth", ""])
def test_other_kinds_of_files_are_not_opened(kind, tmp_path):
    file = tmp_path / f"model.{kind}"
    torch.jit.save(torch.jit.script(nn.Identity()), str(file))
    with pytest.raises(ValueError, match="other files can be programs"):
        yolo.load(file)


def test_weights_that_a_model_file_names_run_nothing_in_older_timm_either(
    tmp_path, mark, monkeypatch
):
    import timm

    torch.save({"state_dict": Evil(mark)}, tmp_path / "weights.pth")

    def create_model(name, checkpoint_path, **_):
        torch.load(checkpoint_path, weights_only=False)  # as 1.0.16 does

    monkeypatch.setattr(timm, "create_model", create_model)
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        options = {"checkpoint_path": str(tmp_path / "weights.pth")}
        timm_backbone.create("resnet18", False, options)
    assert not mark.exists() and "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


# --- programs in data YAMLs -----------------------------------------------------------------------

PYTHON = "import os\nos.mkdir({!r})"
SHELL = "bash -c mkdir${{IFS}}{}"


@pytest.fixture
def data(tmp_path, mark, monkeypatch):
    """Writes a data YAML whose images are missing and whose `download:` makes the mark."""
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    monkeypatch.delenv("DYNCONV_TRUSTED", raising=False)
    monkeypatch.chdir(tmp_path)

    def write(name="data.yaml", program=PYTHON):
        text = {"path": str(tmp_path / "none"), "train": "a", "val": "b", "names": ["x"]}
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(repr(text | {"download": program.format(str(mark))}))
        return tmp_path / name

    yield write
    os.environ.pop("DYNCONV_TRUSTED", None)


@pytest.mark.parametrize("program", [PYTHON, SHELL])
@pytest.mark.parametrize(
    "file, asked",
    [
        ("data.yaml", "data.yaml"),
        ("data1.5.yml", "data1.5"),
        ("folder/folder.yaml", "folder"),
        ("folder/within.yml", "folder"),
    ],
)
def test_a_program_in_a_data_yaml_is_not_run_for_our_functions(file, asked, program, data, mark):
    data(file, program)
    assert data_programs.has_program(asked)
    with yolo.safely(), pytest.raises(FileNotFoundError):
        utils.check_det_dataset(asked)
    assert not mark.exists()
    utils.check_det_dataset(asked)  # ultralytics, called by oneself, runs it
    assert mark.exists()


def test_it_runs_if_the_file_is_trusted_as_it_is_or_comes_with_ultralytics(data, mark, monkeypatch):
    yolo.trust(data())
    with yolo.safely():
        utils.check_det_dataset("data.yaml")
    assert mark.exists()
    mark.rmdir()
    data("data.yaml", PYTHON + "\nprint(1)")
    with yolo.safely(), pytest.raises(FileNotFoundError):
        utils.check_det_dataset("data.yaml")
    monkeypatch.setattr(data_programs, "ROOT", mark.parent)
    with yolo.safely():
        utils.check_det_dataset("data.yaml")
    assert mark.exists()


# --- processes that are started meanwhile ---------------------------------------------------------


def one_of_several(rank, file, folder):
    """Opens a file as ultralytics does, in a group of processes; tells how many were refused."""
    import torch.distributed as group
    from ultralytics.utils.patches import torch_load

    import dynconv.yolo  # noqa: F401

    group.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        torch_load(file)
        refused = torch.tensor(0)
    except TypeError as error:
        refused = torch.tensor(int("nothing of it was run" in str(error)))
    group.all_reduce(refused)
    (folder / f"refused{rank}").write_text(str(refused.item()))
    group.destroy_process_group()


def test_processes_that_are_started_within_safely_are_within_it_too(tmp_path, mark):
    file = tmp_path / "evil.pt"
    torch.save({"model": Evil(mark)}, file)
    context = multiprocessing.get_context("spawn")
    with yolo.safely():
        with yolo.safely():
            pass
        process = context.Process(target=one_of_several, args=(1, str(file), tmp_path))
        process.start()
        one_of_several(0, str(file), tmp_path)
    assert "DYNCONV_SAFELY" not in os.environ
    process.join(300)
    assert [(tmp_path / f"refused{rank}").read_text() for rank in range(2)] == ["2", "2"]
    assert not mark.exists()


# --- ultralytics without what our models need -----------------------------------------------------


def test_what_is_missing_is_ultralytics_form_or_another_package():
    timm = ModuleNotFoundError("No module named 'timm'", name="timm")
    assert upstream.ended_in("importing", timm) is timm
    none = ModuleNotFoundError("No module named 'ultralytics'", name="ultralytics")
    assert upstream.ended_in("importing", none) is none
    for error in (ImportError("no Conv", name="ultralytics.nn.modules"), TypeError("no class")):
        with (
            pytest.raises(yolo.UnsupportedUltralytics, match=f"importing ended in .*: {error}"),
            upstream.explained("importing"),
        ):
            raise error
    assert {module.cls.__name__ for module in yolo.MODULES} <= upstream.own_names()


def test_a_model_of_the_package_that_misses_a_class_says_so(monkeypatch):
    monkeypatch.delattr(tasks, "C2fCIB")
    name = "yolov10n-c2f-dynamicconv"
    for build in (
        lambda: yolo.build(name),
        lambda: tasks.DetectionModel(str(yolo.path(name)), verbose=False),
        lambda: tasks.DetectionModel(f"{name}.yaml", verbose=False),
    ):
        with pytest.raises(yolo.UnsupportedUltralytics, match=f"{name} cannot be .*'C2fCIB'"):
            build()
    theirs = tasks.yaml_model_load(yolo.path(name)) | {"yaml_file": f"mine/{name}.yaml"}
    with pytest.raises(yolo.UnknownModuleError, match="C2fCIB"):
        tasks.DetectionModel(theirs, verbose=False)
    changed = tasks.yaml_model_load(yolo.path("yolov10n-dynamicconv-1"))
    changed["backbone"][1][2] = "DynamicPear"
    with pytest.raises(yolo.UnknownModuleError, match="DynamicPear"):
        tasks.DetectionModel(changed, verbose=False)


def test_a_section_that_ultralytics_does_not_read_holds_no_module_of_ours():
    rows = {"backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": [[[-1], 1, "Detect", ["nc"]]]}
    neck = {"nc": 1, "neck": [[-1, 1, "DynamicConv", [8]]]}
    with pytest.raises(ValueError, match="the section `neck:` of the model names DynamicConv"):
        tasks.DetectionModel(rows | neck, verbose=False)
    tasks.DetectionModel(rows | {"nc": 1, "neck": [[-1, 1, "Conv", [8]]]}, verbose=False)


@pytest.mark.parametrize(
    "cls, spoil",
    [
        ("DetectionModel", lambda module: module.requires_grad_(False)),
        ("DetectionModel", lambda module: nn.init.zeros_(module.conv.weight)),
        ("ClassificationModel", lambda module: setattr(module.bn, "eps", 1.0)),
    ],
)
def test_the_proof_looks_at_classifiers_first_values_and_what_is_frozen(cls, spoil, monkeypatch):
    build = getattr(tasks, cls).__init__

    def spoilt(self, *arguments, **keywords):
        build(self, *arguments, **keywords)
        for module in self.model:
            if type(module) is registration.probe.ProbeConv:
                spoil(module)

    assert not registration._tried()
    monkeypatch.setattr(getattr(tasks, cls), "__init__", spoilt)
    assert registration._tried()
