"""A model's life beyond building it: offline, loaded safely, killed and resumed, on more than one
device.
"""

import os
import re
import shutil
import signal
import sys

import nbformat
import pytest
import torch
from conftest import ROOT
from life import TINY, make_data, output, run_python, start_python
from torch import nn
from ultralytics import YOLO

import dynconv
from dynconv import offline, yolo


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the tiny data set."""
    return make_data(tmp_path_factory.mktemp("life"))


# --- offline --------------------------------------------------------------------------------------

# Writes down every question to a name server, every connection and every process that is started.
SPY = (
    "import sys; seen = []; sys.addaudithook(lambda e, a: e in ('socket.getaddrinfo',"
    " 'socket.connect', 'subprocess.Popen') and seen.append((e, str(a[:2])))); "
)
TRAIN = (
    "from ultralytics import YOLO;"
    f" YOLO({str(yolo.path('yolov10n-dynamicconv-1'))!r}).train(epochs=1, name='run', {TINY}); "
)
BARE = {
    "YOLO_OFFLINE": None,
    "YOLO_AUTOINSTALL": None,
}  # the environment of a reader who set nothing


def test_a_training_run_asks_no_host_for_anything(data, tmp_path):
    code = (
        SPY
        + "import dynconv.offline; dynconv.offline.stay_offline(); "
        + TRAIN
        + "print([s for s in seen if 'pip' in s[1] or 'socket' in s[0]])"
    )
    assert run_python(code, data, **BARE, YOLO_CONFIG_DIR=str(tmp_path)) == "[]"


def test_importing_dynconv_switches_nothing(tmp_path):
    code = (
        "import os, dynconv, dynconv.yolo; print([n for n in ('YOLO_OFFLINE', 'YOLO_AUTOINSTALL')"
        " if n in os.environ])"
    )
    assert run_python(code, tmp_path, **BARE) == "[]"


def test_a_new_place_for_settings_is_not_announced(tmp_path):
    """As in every new session of Colab. Whoever is not offline hears of it."""
    code = "{}import ultralytics.utils; print('end')"
    for switch, heard in (
        ("from dynconv import offline; offline.stay_offline(); ", False),
        ("", True),
    ):
        place = tmp_path / str(heard)
        place.mkdir()
        process = start_python(
            code.format(switch), place, YOLO_VERBOSE=None, YOLO_CONFIG_DIR=str(place)
        )
        said = "".join(process.communicate(timeout=100))
        assert ("Creating new Ultralytics Settings" in said, said.endswith("end\n")) == (
            heard,
            True,
        )
        assert list(place.rglob("settings.json"))


# Colab's vault of secrets, which writes down that it was asked.
VAULT = """
class Error(Exception): pass
class userdata:
    class NotebookAccessError(Error): pass
    class SecretNotFoundError(Error): pass
    @staticmethod
    def get(name): open("asked", "w"); raise userdata.SecretNotFoundError
"""


@pytest.mark.parametrize("imported_before", [False, True])
def test_nobody_is_asked_for_a_token(tmp_path, imported_before):
    for name, text in (("__init__", ""), ("colab/__init__", VAULT), ("colab/errors", VAULT)):
        file = tmp_path / f"google/{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    ask = "from huggingface_hub.utils import build_hf_headers; build_hf_headers(); "
    colab = "import builtins; builtins.get_ipython = lambda: 'google.colab'; "  # how it is known
    hub = colab + "import huggingface_hub.constants; " * imported_before
    switch = "from dynconv import offline; offline.stay_offline(); "
    look = "import os; print(os.path.exists('asked')); "
    back = "offline.go_online(); " + ask + look
    bare = BARE | {"HF_HUB_OFFLINE": None, "HF_HUB_DISABLE_IMPLICIT_TOKEN": None, "HF_TOKEN": None}
    on_colab = {"PYTHONPATH": str(tmp_path), "HF_HOME": str(tmp_path)}
    process = start_python(hub + switch + ask + look + back, tmp_path, **bare, **on_colab)
    out, err = process.communicate(timeout=100)
    assert out.split() == ["False", "True"], err


def test_too_late_is_an_error_that_changes_nothing(tmp_path):
    code = (
        "import os, ultralytics.utils; from dynconv import offline\ntry:"
        " offline.stay_offline()\nexcept RuntimeError as error: print(str(error)[:31], 'Restart' in"
        " str(error), 'YOLO_OFFLINE' in os.environ)"
    )
    assert run_python(code, tmp_path, **BARE) == "stay_offline() came too late: u True False"


CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_the_set_up_cell_may_run_before_and_after_ultralytics_is_imported_and_again(tmp_path):
    """A reader runs it twice, or after go_online(); only too late an import is refused."""
    cell = nbformat.read(CHAPTERS[0], as_version=4).cells[1].source
    (tmp_path / "cell.py").write_text(re.sub(r"^(\s*)%.*", r"\1pass", cell, flags=re.MULTILINE))
    run = "exec(open('cell.py').read()); "
    code = (
        run
        + "import ultralytics.utils as u; "
        + run
        + "offline.go_online(); "
        + run
        + "print(offline.is_offline(), u.ONLINE, u.AUTOINSTALL)"
    )
    assert run_python(code, tmp_path, **BARE) == "True False False"


def test_chapters_go_offline_in_the_set_up_cell_and_nowhere_else():
    for path in CHAPTERS:
        cells = [
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "code"
        ]
        assert ["stay_offline()" in source for source in cells] == [True] + [False] * (
            len(cells) - 1
        ), path.name


def test_online_again_as_before(monkeypatch):
    offline.go_online()  # if another test has left it offline
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    monkeypatch.setenv("YOLO_AUTOINSTALL", "")  # so that what the test leaves is taken back
    monkeypatch.delenv("YOLO_AUTOINSTALL")
    monkeypatch.delitem(
        sys.modules, "ultralytics.utils", raising=False
    )  # as if ultralytics were not imported
    offline.stay_offline()
    offline.stay_offline()
    assert {
        name: os.environ[name] for name in offline.SWITCHES
    } == offline.SWITCHES and offline.is_offline()
    offline.go_online()
    assert os.environ["YOLO_OFFLINE"] == "1" and "YOLO_AUTOINSTALL" not in os.environ
    os.environ["YOLO_OFFLINE"] = "false"
    offline.go_online()  # nothing to take back
    assert os.environ["YOLO_OFFLINE"] == "false" and not offline.is_offline()


def test_a_download_is_refused_with_the_remedy_and_only_while_offline(monkeypatch, tmp_path):
    from ultralytics.data import utils
    from ultralytics.utils import downloads

    asked = []
    monkeypatch.setattr(
        "requests.head", lambda url, **_: asked.append(url) or type("Answer", (), {"ok": True})
    )
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    assert utils.safe_download is downloads.safe_download
    with pytest.raises(ConnectionError, match=r"yolov10n.pt is not on this machine.*go_online\(\)"):
        downloads.attempt_download_asset(tmp_path / "yolov10n.pt")
    assert not downloads.is_url("https://example.org/Arial.ttf", check=True) and not asked
    assert downloads.is_url("https://example.org/image.jpg") and not downloads.is_url("image.jpg")
    (tmp_path / "here.txt").write_text("local")
    assert downloads.safe_download(tmp_path / "here.txt") == tmp_path / "here.txt"
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    assert downloads.is_url("https://example.org/Arial.ttf", check=True) and asked == [
        "https://example.org/Arial.ttf"
    ]


# --- safe loading ---------------------------------------------------------------------------------

# All five classes of the package in one network: a row of each.
EVERY_CLASS = """
from ultralytics import YOLO; import yaml; from dynconv import yolo
d = yaml.safe_load(yolo.path('yolov10n-c2f-dynamicconv').read_text()); d['scale'] = 'n'
d['backbone'][1][2], d['backbone'][3][2] = 'DynamicConv', 'DynamicConvBNAct'
yaml.safe_dump(d, open('yolov10n-every.yaml', 'w'), sort_keys=False)
"""


def test_with_safe_load_a_run_trains_to_its_end_and_reloads_once_the_layers_are_allowed(data):
    code = (
        EVERY_CLASS + "yolo.allow_safe_load(); m = YOLO('yolov10n-every.yaml'); "
        f"r = m.train(epochs=1, name='safe', {TINY}); print(r.save_dir)"
    )
    folder = run_python(code, data, ULTRALYTICS_SAFE_LOAD="1")
    load = (  # importing dynconv allows nothing
        "from ultralytics import YOLO; from dynconv import yolo\n"
        f"file = '{folder}/weights/best.pt'\n"
        "try: YOLO(file)\n"
        "except TypeError as error: print('outside the supported' in str(error), end=' ')\n"
        "yolo.allow_safe_load(); print(type(YOLO(file).model.model[3]).__name__)"
    )
    assert run_python(load, data, ULTRALYTICS_SAFE_LOAD="1") == "True DynamicConvBNAct"


def test_classes_of_the_reader_can_be_allowed_too(monkeypatch):
    allowed = []
    monkeypatch.setattr(torch.serialization, "add_safe_globals", allowed.extend)
    yolo.allow_safe_load(nn.Identity)
    assert nn.Identity in allowed and dynconv.DynamicConv in allowed
    allowed.clear()
    with pytest.raises(TypeError, match="subclasses of torch.nn.Module, got 'DynamicConv'"):
        yolo.allow_safe_load(nn.Identity, "DynamicConv")
    assert not allowed


# --- from another version -------------------------------------------------------------------------


def test_a_layer_that_another_version_saved_says_so_when_the_file_is_opened(tmp_path):
    """Without this it would load, and fail in the middle of a run with an AttributeError."""
    network = yolo.build("yolov10n-dynamicconv-1").model
    del network.model[3].routing_activation
    torch.save({"model": network}, tmp_path / "old.pt")
    with pytest.raises(
        TypeError,
        match=(
            r"saved by another version of dynconv: it has no routing_activation\. .* save"
            r" model.state_dict\(\)"
        ),
    ):
        YOLO(tmp_path / "old.pt")


def test_a_class_that_this_version_has_not_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        dynconv.layers,
        "OldConv",
        type("OldConv", (nn.Identity,), {"__module__": "dynconv.layers"}),
        raising=False,
    )
    torch.save({"model": dynconv.layers.OldConv()}, tmp_path / "old.pt")
    monkeypatch.undo()
    with pytest.raises(AttributeError, match="'OldConv' on <module 'dynconv.layers'"):
        YOLO(tmp_path / "old.pt")


# --- killed and resumed, validated, predicted -----------------------------------------------------


@pytest.fixture(scope="module")
def killed(data):
    """The folder of a run that was killed in its second epoch: what all tests below start from."""
    code = (
        "import os, signal, torch; from dynconv import yolo; torch.manual_seed(0); m ="
        " yolo.build('yolov10n-dynamicconv-2-bn-act'); m.add_callback('on_train_batch_start',"
        " lambda t: t.epoch == 1 and os.kill(os.getpid(), signal.SIGKILL)); m.train(epochs=3,"
        f" name='killed', {TINY})"
    )
    process = start_python(code, data)
    out, err = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, out[-500:] + err[-1500:]
    shutil.copytree(data / "killed", data / "as it was")  # a test below resumes the other
    return data / "as it was"


def test_training_keeps_the_dynamic_layers(killed):
    """ultralytics builds the model again when training begins; what was put in afterwards would be
    lost.
    """
    model = YOLO(killed / "weights/best.pt").model
    assert sum(isinstance(m, dynconv.DynamicConv) for m in model.modules()) == 6
    assert model.yaml["nc"] == 1


def test_fuse_leaves_the_output_as_it_was(killed):
    model, x = YOLO(killed / "weights/best.pt").model.float().eval(), torch.rand(2, 3, 64, 64)
    before, after = output(model, x), output(model.fuse(verbose=False), x)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_a_killed_run_is_resumed_in_a_new_process(data, killed):
    # Without importing dynconv: loading the checkpoint does. EMA is the running mean of the weights
    # that best.pt keeps.
    code = (
        "import torch; from ultralytics import YOLO; m = YOLO('killed/weights/last.pt'); seen ="
        " []\nm.add_callback('on_train_epoch_start', lambda t: seen.append((t.epoch,"
        " t.ema.updates)))\nm.add_callback('on_train_epoch_end', lambda t:"
        " seen.append(type(t.ema.ema.model[1].conv).__name__ + str(not"
        " torch.equal(t.ema.ema.model[1].conv.cond_conv.weight,"
        " t.model.model[1].conv.cond_conv.weight))))\nm.train(resume=True); print(seen)"
    )
    assert run_python(code, data) == "[(1, 1), 'DynamicConvTrue', (2, 2), 'DynamicConvTrue']"
    assert len((data / "killed/results.csv").read_text().splitlines()) == 1 + 3


def test_a_checkpoint_validates_predicts_and_trains_on_in_a_new_process(data, killed):
    """A new run from a checkpoint builds the model from the YAML inside it: the name must be
    registered again. Nothing but ultralytics is imported.
    """
    code = (
        f"from ultralytics import YOLO; m = YOLO({str(killed / 'weights/best.pt')!r}); "
        f"box = m.val({TINY}, name='val').box; "
        # as good as untrained, it is sure of nothing
        "how = dict(imgsz=64, conf=1e-9, verbose=False); "
        "r = m.predict([f'images/val/{i}.png' for i in range(3)], batch=3, **how); "
        "one = [m.predict(f'images/val/{i}.png', **how)[0] for i in range(3)]; "
        "same = [len(a) > 0 and a.boxes.data.allclose(b.boxes.data, atol=1e-2) for a, b in zip(r,"
        f" one)]; m.train(epochs=1, name='again', {TINY}); "
        "print(0 <= box.map <= 1, *same, type(m.model.model[1]).__name__)"
    )
    assert run_python(code, data) == "True True True True DynamicConvBNAct"


def test_a_batch_gets_one_kernel_per_image_in_a_whole_network():
    """What predict(batch=...) rests on, with detections or without."""
    model, x = yolo.build("yolov10n-dynamicconv-2").model.eval(), torch.rand(3, 3, 64, 64)
    x[1] *= 0.1
    for module in model.modules():
        if isinstance(module, dynconv.DynamicConv):
            nn.init.normal_(
                module.routing.weight, std=100
            )  # α near 0 or 1, and different for each image
    together, alone = (
        output(model.model[:9], x),
        torch.cat([output(model.model[:9], x[i : i + 1]) for i in range(3)]),
    )
    scale = alone.abs().max()  # small in a network that was never trained
    torch.testing.assert_close(together / scale, alone / scale, rtol=1e-3, atol=1e-3)


# --- more than one device -------------------------------------------------------------------------

MODEL = str(yolo.path("yolov10n-dynamicconv-1"))


def test_the_file_that_ultralytics_starts_on_each_gpu_runs_with_our_trainer_only(data, tmp_path):
    """No GPU is needed to see what a rank sees: the generated file, run in a new process."""
    code = (
        "import dynconv; from dynconv.yolo import DynamicConvTrainer; from"
        " ultralytics.models.yolo.detect import DetectionTrainer; from ultralytics.utils.dist"
        " import generate_ddp_file; print(*(generate_ddp_file(Trainer(overrides=dict("
        f"model={MODEL!r}, epochs=1, name='ddp', {TINY})))"
        " for Trainer in (DetectionTrainer, DynamicConvTrainer)))"
    )
    stock, ours = run_python(code, data, YOLO_CONFIG_DIR=str(tmp_path)).split()
    with pytest.raises(AssertionError, match="KeyError: 'DynamicConv'"):
        run_python(None, data, stock, YOLO_CONFIG_DIR=str(tmp_path))
    run_python(None, data, ours, YOLO_CONFIG_DIR=str(tmp_path))
    assert (data / "ddp/weights/best.pt").exists()


def test_a_script_under_torchrun_builds_and_trains_in_both_ranks(data):
    """On CPU ultralytics has no multi-device training: it opens no process group (so the script
    does), averages no gradients, and ends, when a rank validates best.pt, asking for the current
    GPU (so the script leaves that out). What is shown: in each rank the YAML builds, trains, and
    passes ultralytics' synchronisations after each epoch.
    """
    (data / "script.py").write_text(
        "import os; import torch.distributed as dist; dist.init_process_group('gloo')\nimport"
        " dynconv; from ultralytics import YOLO; from ultralytics.models.yolo.detect import"
        " DetectionTrainer\nclass Trainer(DetectionTrainer): final_eval = lambda self: None\nmodel"
        f" = YOLO({MODEL!r}); model.train(trainer=Trainer, epochs=2, name='ranks', {TINY})\nlayer ="
        " type(model.trainer.model.model[1]).__name__\nopen(f'rank{os.environ[\"RANK\"]}.txt',"
        " 'w').write(f'{layer}, last epoch {model.trainer.epoch}')\n"
    )
    run_python(
        None,
        data,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "script.py",
    )
    for rank in (0, 1):
        assert (data / f"rank{rank}.txt").read_text() == "DynamicConv, last epoch 1"


def test_the_trainer_is_defined_where_importing_registers():
    assert yolo.DynamicConvTrainer.__module__ == "dynconv.yolo.trainer"
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        print(yolo.Trainer)
