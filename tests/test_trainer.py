"""The trainer: it trains each model as what it is, on one device and on several, and the same
whatever else is installed.
"""

import csv
import sys
from pathlib import Path

import pytest
import yaml
from life import make_data, run_python
from tiny import OPTIONS
from ultralytics import RTDETR, YOLO
from ultralytics.cfg import get_cfg
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import yaml_model_load
from ultralytics.utils import LOGGER

import dynconv
from dynconv.yolo import DynamicConvTrainer
from dynconv.yolo.heads import head_of

# {task: ultralytics' trainer}, whatever tasks the installed version has
TRAINERS = {task: parts["trainer"] for task, parts in YOLO.__new__(YOLO).task_map.items()}
SHORT = OPTIONS | {"epochs": 1, "verbose": False}
EXTRA = "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n"


@pytest.fixture(scope="module")
def pose(tmp_path_factory):
    """A folder with images of two keypoints, and a pose model with a dynamic layer."""
    folder = make_data(tmp_path_factory.mktemp("pose"))
    for label in folder.glob("labels/*/*.txt"):
        label.write_text("0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 2\n")
    (folder / "data.yaml").write_text((folder / "data.yaml").read_text() + EXTRA)
    content = yaml_model_load("yolo11n-pose.yaml")
    content["backbone"][3][2], content["kpt_shape"] = "DynamicConv", [2, 3]
    (folder / "yolo11n-pose-dynamic.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture
def arguments(pose, tmp_path):
    """Of a short training of the pose model, whose results nobody else has."""
    here = {"data": str(pose / "data.yaml"), "project": str(tmp_path), "name": "run"}
    return SHORT | here


# --- what is trained ------------------------------------------------------------------------------


def test_a_pose_model_is_trained_as_one(pose, arguments):
    """As ultralytics' own trainer would: the same losses, to the last digit."""
    tables = []
    for name, trainer in (("stock", None), ("ours", DynamicConvTrainer)):
        model = YOLO(pose / "yolo11n-pose-dynamic.yaml")
        model.train(trainer=trainer, **arguments | {"name": name})
        (row,) = csv.DictReader(open(model.trainer.csv, encoding="utf-8"))
        tables.append({name: value for name, value in row.items() if name != "time"})
    assert isinstance(model.trainer, DynamicConvTrainer)
    assert isinstance(model.trainer, TRAINERS["pose"])
    assert tables[0] == tables[1] and float(tables[1]["train/pose_loss"]) > 0
    kept = YOLO(model.trainer.last)
    assert kept.task == "pose" and isinstance(kept.model.model[3], dynconv.DynamicConv)


def test_on_several_gpus_it_is_trained_as_one_too(pose, arguments):
    """No GPU is needed to see what a rank sees: the file that ultralytics starts on each, run in a
    new process.
    """
    given = arguments | {"model": str(pose / "yolo11n-pose-dynamic.yaml"), "task": "pose"}
    code = (
        "from dynconv.yolo import DynamicConvTrainer; from ultralytics.utils.dist import"
        f" generate_ddp_file; print(generate_ddp_file(DynamicConvTrainer(overrides={given!r})))"
    )
    place = Path(arguments["project"])
    run_python(None, place, run_python(code, place, YOLO_CONFIG_DIR=str(place)))
    assert YOLO(place / "run/weights/last.pt").task == "pose"


@pytest.mark.parametrize("task", TRAINERS)
def test_every_task_of_ultralytics_has_its_trainer(task):
    """Also for a reader's subclass; and the processes of other GPUs find it by name and place."""

    class Mine(DynamicConvTrainer):
        pass

    for cls in (DynamicConvTrainer, Mine):
        made = type(cls.__new__(cls, overrides={"task": task}))
        assert issubclass(made, cls) and issubclass(made, TRAINERS[task])
        assert made.get_validator is TRAINERS[task].get_validator
        assert (made.__module__, made.__name__) == (cls.__module__, cls.__name__)
        assert type(made.__new__(made, overrides={"task": task})) is made


HEADS = ("yolo11n-pose", "yolo11n-obb", "yolo11n-seg", "yolo11n-cls")


@pytest.mark.parametrize("name", HEADS)
def test_a_head_of_another_task_is_refused_before_anything_is_written(name, arguments):
    task = YOLO(f"{name}.yaml").task
    message = f"has the head {head_of(f'{name}.yaml').name}, of the task '{task}'.*'detect'"
    with pytest.raises(ValueError, match=message):
        YOLO(f"{name}.yaml", task="detect").train(trainer=DynamicConvTrainer, **arguments)
    assert not list(Path(arguments["project"]).iterdir())


def test_a_checkpoint_of_another_task_is_refused(pose, arguments, tmp_path):
    YOLO(pose / "yolo11n-pose-dynamic.yaml").save(tmp_path / "pose.pt")
    with pytest.raises(ValueError, match="of the task 'pose'"):
        YOLO(tmp_path / "pose.pt").train(
            trainer=DynamicConvTrainer, **arguments | {"task": "detect"}
        )


@pytest.mark.parametrize(
    "model, trainer",
    [
        (lambda: RTDETR("rtdetr-l.yaml"), "ultralytics.models.rtdetr.RTDETRTrainer"),
        (lambda: YOLO("yolov8s-worldv2.yaml"), "ultralytics.models.yolo.world.WorldTrainer"),
    ],
    ids=["RT-DETR", "YOLO-World"],
)
def test_a_family_with_a_trainer_of_its_own_is_named(model, trainer, arguments):
    with pytest.raises(ValueError, match=f"is trained by {trainer}, not by DynamicConvTrainer"):
        model().train(trainer=DynamicConvTrainer, **arguments)


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match="unknown task 'count': expected one of .*'detect'"):
        DynamicConvTrainer(overrides={"task": "count"})


def test_every_head_of_ultralytics_is_known():
    """By the name of the file, which says the task of all but the families."""
    from ultralytics.cfg import models
    from ultralytics.nn.tasks import guess_model_task

    files = sorted(Path(models.__path__[0]).glob("*/*.yaml"))
    assert len(files) > 40
    for file in files:
        head = head_of(file)
        assert head.task == guess_model_task(str(file.name).replace("yolo-", "")) or head.trainer
        families = ("rtdetr", "world", "yoloe")
        assert bool(head.trainer) == any(word in file.name for word in families), file.name


def test_a_head_of_your_own_is_what_it_is_derived_from():
    from ultralytics.nn.modules import Pose

    class Mine(Pose):
        pass

    content = {"head": [[[0], 1, Mine, ["nc"]]]}
    assert head_of(content).task == "pose"
    assert head_of({"head": [[-1, 1, "nn.Identity", []]]}) is None


@pytest.mark.parametrize("name", ["auto", "MuSGD", "AdamW"])
@pytest.mark.parametrize("model", ["yolov10n-dynamicconv-1", "yolov10n"])
def test_who_gets_an_optimiser_that_moves_experts_less_is_told(name, model, monkeypatch):
    """As a training of more than 10,000 steps gets it from optimizer='auto'."""
    said, network = [], YOLO(f"{model}.yaml").model
    monkeypatch.setattr(LOGGER, "warning", said.append)
    trainer = DynamicConvTrainer.__new__(DynamicConvTrainer)
    trainer.args, trainer.data = get_cfg(), {"nc": 1}
    optimizer = trainer.build_optimizer(network, name, 0.01, 0.9, 0.0005, 20_000)
    muon = any(group.get("use_muon") for group in optimizer.param_groups)
    assert muon == (name != "AdamW"), "ultralytics chooses another one now: see chapter 7"
    assert len(said) == (muon and model != "yolov10n")
    assert all("MuSGD" in text and "'AdamW' or 'SGD'" in text for text in said)


# --- whatever else is installed -------------------------------------------------------------------

# What ultralytics asks of albumentations, and every image white where it is used.
WHITE = """
class BasicTransform:
    def __init__(self, *a, p=1.0, **k): self.p = p
class DualTransform: pass
class Lambda: pass
class BaseCompose: pass
class Compose(BaseCompose):
    def __init__(self, transforms, **k): self.transforms = transforms
    def __call__(self, image, **k): return {"image": image * 0 + 255}
Blur = MedianBlur = ToGray = CLAHE = BasicTransform
RandomBrightnessContrast = RandomGamma = ImageCompression = BasicTransform
__version__ = "2.0.8"
def to_dict(transform): return {"p": transform.p}
def from_dict(values): return BasicTransform(**values)
"""


@pytest.fixture
def albumentations(tmp_path, monkeypatch):
    """A package of that name can be imported, and is no more afterwards."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path/albumentations.py").write_text(WHITE)
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.delitem(sys.modules, "albumentations", raising=False)
    yield
    sys.modules.pop("albumentations", None)


def images(trainer, tmp_path, **more):
    """Every image of a training, in the order in which they are used: two epochs, the second of
    them with mosaic closed.
    """
    seen = []
    model = YOLO("yolov10n.yaml")
    arguments = SHORT | {"data": str(tmp_path / "data.yaml"), "project": str(tmp_path), "epochs": 2}

    class Watched(trainer):
        def preprocess_batch(self, batch):
            seen.extend(batch["img"].numpy().copy())
            return super().preprocess_batch(batch)

    model.train(trainer=Watched, close_mosaic=1, **arguments | more)
    assert len(seen) == 8
    return seen


def test_what_is_installed_beside_changes_no_image(tmp_path, request):
    """In no epoch: for the last ones ultralytics makes the transforms anew."""
    make_data(tmp_path)
    before = images(DynamicConvTrainer, tmp_path)
    request.getfixturevalue("albumentations")
    after = images(DynamicConvTrainer, tmp_path)
    assert all((one == other).all() for one, other in zip(before, after))
    stock = images(DetectionTrainer, tmp_path)
    assert all(one.std() == 0 for one in stock), "the stand-in does nothing: this is no test"


def test_who_asks_for_it_gets_it(tmp_path, albumentations):
    from albumentations import Blur

    make_data(tmp_path)
    found = images(DynamicConvTrainer, tmp_path, augmentations=[Blur(p=0.5)])
    assert all(one.std() == 0 for one in found)
