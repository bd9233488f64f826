"""From a checkpoint to an ONNX file that says what its routers do, and on request lets you say it.

ultralytics' own `YOLO(...).export(format="onnx")` works with dynamic layers too, and gives the
detections alone. Here α comes out beside them, BatchNorms are folded into the experts, experts can
be stored in half or a quarter of the space, and the file is compared with PyTorch before it gets
its name.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Detect

from ..checks import as_network, check_count, check_file, shown
from ..files.whole import whole_in_turn
from ..folding import fold_batchnorm
from .heads import head_of, require_detector
from .messages import quiet
from .recording import IMAGES, dynamic, given, prepared, record, run
from .safe_load import load

# How far the file may be from PyTorch: scores, α, and boxes as a part of the image's side.
TOLERANCE = {"float32": 1e-3, "float16": 0.01, "int8": 0.25}
# From this score on boxes are compared: where there is nothing, they are anybody's guess.
COMPARED = 0.05
MOST_BYTES = 2**31 - 2**24  # of weights in a file, with room for the rest of it


class DifferentError(ArithmeticError):
    """An exported file does not compute what PyTorch computes."""


class Exported(NamedTuple):
    """An exported file, and how far it is from PyTorch at most on the images of the comparison."""

    file: Path
    boxes: float  # pixels
    scores: float
    alpha: float
    images: int  # that were compared

    def __str__(self) -> str:
        return (
            f"{self.file.name}, {self.file.stat().st_size / 1e6:.1f} MB. Largest difference from"
            f" PyTorch on {self.images} images:\n    boxes {self.boxes:.2g} pixels, scores"
            f" {self.scores:.2g}, α {self.alpha:.2g}"
        )


def export(
    weights: str | os.PathLike | nn.Module,
    file: str | os.PathLike | None = None,
    *,
    images=None,
    imgsz: int | None = None,
    precision: str = "float32",
    any_batch: bool = False,
    alpha_inputs: bool = False,
    end2end: bool | None = None,
    fold: bool = True,
    tolerance: float | None = None,
) -> Exported:
    """Write a detector as ONNX, with α of each dynamic layer beside the detections; compare it with
    PyTorch, print the largest difference, and refuse to leave a file that differs much.

    The file has the input `images`, (1, 3, imgsz, imgsz) from 0 to 1, and the outputs `output0`
    (the detections, as ultralytics' own export gives them) and `alpha.LAYER` (1, M) for each layer.
    onnxruntime, OpenVINO, OpenCV and tract run it; so does `YOLO(file)` unless it has further
    inputs. Its metadata are those that ultralytics writes (names, imgsz, stride, ...), and under
    `dynconv` the same as JSON, with the number of experts of each layer.

    Args:
        weights: the path of a checkpoint, or a YOLO; it stays as it is.
        file: where to write; beside the weights with the suffix .onnx if left out.
        images: paths of images, or a tensor (B, 3, imgsz, imgsz) from 0 to 1: the file is compared
            with PyTorch on them, and int8 is fitted to them. By default the two photographs that
            ultralytics brings; better are some of what the detector is for. Paths are scaled to
            imgsz.
        imgsz: side of the images in pixels, a multiple of 32; by default that of the training.
        precision: how weights are stored. 'float16' halves the file; runtimes compute in float32
            with them. 'int8' quarters it: static convolutions are quantised with their inputs, by
            onnxruntime; experts in themselves, each output channel of each by its own scale, and
            what is mixed of them is computed in float32.
        any_batch: let the batch size vary. Dynamic layers are then evaluated by patches and a
            matrix product, which is slower at a batch of one (see `dynconv.export_mode`).
        alpha_inputs: let the caller decide. For each layer there is an input `given.LAYER` (1, M),
            which takes the place of the router's α wherever it is not NaN ('not a number').
        end2end: of a YOLOv10, the head that needs no non-maximum suppression (True) or the one that
            does (False); by default the one that the model uses.
        fold: fold BatchNorms into the experts before them.
        tolerance: the largest difference that is no error, of scores, of α, and of boxes as a part
            of imgsz; by default 0.001, 0.01 for float16, 0.25 for int8.

    Returns:
        an `Exported`: the file, and the differences.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
        DifferentError: the file differs by more than the tolerance; it is not left behind.
        FileNotFoundError, TypeError, ValueError: no weights there, no detector, weights too large
            for one file, or an argument out of range.
        OSError: the file cannot be written. What was there before stays as it was.
    """
    onnx = _require_onnx()
    if precision not in TOLERANCE:
        raise ValueError(f"precision must be one of {tuple(TOLERANCE)}, got {precision!r}")
    network, source = _load(weights)
    trained = getattr(network, "args", None)
    trained = trained.get("imgsz", 640) if isinstance(trained, dict) else 640
    imgsz = check_count("imgsz", trained if imgsz is None else imgsz, 32)
    if imgsz % 32:
        raise ValueError(f"imgsz must be a multiple of 32, got {imgsz}")
    file = Path(file or source.with_suffix(".onnx"))
    if file.suffix != ".onnx":
        raise ValueError(f"the name of the file must end with .onnx, got {str(file)!r}")
    _check_place(file)
    pictures = _pictures(images, imgsz)
    reference = prepared(network, end2end)
    _check_size(reference)
    expected = run(reference, pictures)
    network = copy.deepcopy(reference)
    if fold and dynamic(network):
        fold_batchnorm(network)
    with quiet():
        network.fuse(verbose=False)

    with whole_in_turn(file) as draft:
        record(network, draft, imgsz, any_batch, alpha_inputs)
        feeds = given(network, len(pictures)) if alpha_inputs else {}
        if precision != "float32":
            from . import storing

            store = {"float16": storing.as_float16, "int8": storing.as_int8}[precision]
            store(draft, {IMAGES: pictures.numpy()} | feeds)
        facts = _facts(network, imgsz, any_batch, bool(reference.model[-1].end2end))
        _write_metadata(onnx, draft, facts)
        found = _run_onnx(draft, {IMAGES: pictures.numpy()} | feeds)
        off = _differences(found, expected, facts["end2end"])
        if alpha_inputs:  # and with α that no router would choose
            other = [alpha.mean(0)[::-1] for alpha in expected[1:]]
            feeds = given(network, len(pictures), other)
            found = _run_onnx(draft, {IMAGES: pictures.numpy()} | feeds)
            more = _differences(found, run(reference, pictures, feeds), facts["end2end"])
            off = map(max, off, more)
        result = Exported(file, *off, len(pictures))
        worst = max(result.boxes / imgsz, result.scores, result.alpha)
        allowed = TOLERANCE[precision] if tolerance is None else tolerance
        if not worst <= allowed:  # NaN is not
            raise DifferentError(
                f"the exported {file.name} differs from PyTorch by {worst:.2g} (boxes"
                f" {result.boxes:.2g} pixels of {imgsz}, scores {result.scores:.2g}, α"
                f" {result.alpha:.2g}), more than {allowed:g}; it was not written. If that is what"
                " you want, give a larger tolerance"
            )
    print(result)
    return result


# --- what comes in --------------------------------------------------------------------------------


def _require_onnx():
    try:
        import onnx
        import onnxruntime  # noqa: F401  writes nothing, and compares
    except ImportError as error:
        raise ImportError(
            f"export needs onnx and onnxruntime ({error}): pip install 'dynconv[export]'"
        ) from error
    return onnx


def _load(weights) -> tuple[nn.Module, Path]:
    """The network, and the file that it is from."""
    if isinstance(weights, (str, os.PathLike)):
        weights = load(weights)
    network = as_network("weights", weights, "the path of a checkpoint or a YOLO")
    if network is weights:
        raise TypeError(f"weights must be the path of a checkpoint or a YOLO, got {shown(weights)}")
    require_detector(head_of(network), "weights", "YOLO(weights).export(format='onnx')")
    if not isinstance(network.model[-1], Detect):
        raise ValueError(
            f"the head {type(network.model[-1]).__name__} gives boxes in a form that is not known"
            " here: use YOLO(weights).export(format='onnx')"
        )
    return network, Path(weights.ckpt_path or f"{weights.model_name or 'model'}")


def _check_place(file: Path) -> None:
    if not file.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(file.parent)!r} to write {file.name} to")
    if file.exists() and not file.is_file():
        raise ValueError(f"{str(file)!r} cannot be written: there is something that is no file")


def _check_size(network: nn.Module) -> None:
    """One ONNX file holds less than 2 GiB, of which weights are nearly all. Those of larger
    networks would lie in further files, that could be lost or mixed up.
    """
    size = sum(4 * tensor.numel() for tensor in network.state_dict().values())
    if size > MOST_BYTES:
        raise ValueError(
            f"the weights have {size / 2**30:.2f} GiB, and one ONNX file holds less than 2:"
            " take a smaller scale of the model"
        )


def _pictures(images, imgsz: int) -> Tensor:
    """(B, 3, imgsz, imgsz) from 0 to 1."""
    if isinstance(images, Tensor):
        form = f"(B, 3, {imgsz}, {imgsz}) from 0 to 1"
        if images.shape[1:] != (3, imgsz, imgsz) or not len(images):
            raise ValueError(f"images must have shape {form}, got {tuple(images.shape)}")
        if not images.is_floating_point() or images.min() < 0 or images.max() > 1:
            raise ValueError(f"images must be a float tensor {form}, got {images.dtype}")
        return images.detach().float().cpu()
    from PIL import Image
    from ultralytics.utils import ASSETS

    if isinstance(images, (str, os.PathLike)):
        raise ValueError(f"images must be a list of paths, got the single path {str(images)!r}")
    images = sorted(Path(ASSETS).glob("*.jpg")) if images is None else list(images)
    if not images:
        raise ValueError("images must have at least one image to compare")
    arrays = []
    for path in images:
        with Image.open(check_file("image", path)) as image:
            scaled = image.convert("RGB").resize((imgsz, imgsz))
            arrays.append(np.asarray(scaled, np.float32).transpose(2, 0, 1) / 255)
    return torch.from_numpy(np.stack(arrays))


# --- what the file says of itself -----------------------------------------------------------------


def _facts(network: nn.Module, imgsz: int, any_batch: bool, end2end: bool) -> dict:
    """What the file says of itself, under the names that ultralytics reads."""
    return {
        "description": "a detector with dynamic convolutions, exported by dynconv",
        "task": "detect",
        "names": dict(network.names),
        "imgsz": [imgsz, imgsz],
        "stride": int(max(network.stride)),
        "channels": 3,
        "batch": 1,
        "end2end": end2end,
        "args": {"dynamic": any_batch, "nms": False},
        "experts": {name: layer.num_experts for name, layer in dynamic(network).items()},
    }


def _write_metadata(onnx, file: Path, facts: dict) -> None:
    model = onnx.load(file)
    texts = {key: str(value) for key, value in facts.items()}
    onnx.helper.set_model_props(model, texts | {"dynconv": json.dumps(facts)})
    onnx.checker.check_model(model)
    onnx.save(model, file)


# --- what comes out -------------------------------------------------------------------------------


def _run_onnx(file: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """All images at once if the file can take them, else one by one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    count = len(feeds[IMAGES])
    step = 1 if session.get_inputs()[0].shape[0] == 1 else count
    runs = [
        session.run(None, {name: rows[k : k + step] for name, rows in feeds.items()})
        for k in range(0, count, step)
    ]
    return [np.concatenate(outputs) for outputs in zip(*runs)]


def _differences(found: list, expected: list, end2end: bool) -> tuple[float, float, float]:
    """The largest ones of the boxes in pixels, of the scores, and of α."""
    (got, *alphas), (wanted, *own) = found, expected
    alpha = max((float(abs(a - b).max()) for a, b in zip(alphas, own)), default=0.0)
    if not end2end:  # (B, 4 + classes, places)
        by, there = abs(got - wanted), wanted[:, 4:].max(1) >= COMPARED
        boxes = by[:, :4].max(1)[there]
        return float(boxes.max(initial=0)), float(by[:, 4:].max()), alpha
    boxes = scores = 0.0
    for mine, theirs in zip(got, wanted):  # (detections, 6): corners, score, class
        for row in theirs[theirs[:, 4] >= COMPARED]:
            off = abs(mine - row)
            off[mine[:, 5] != row[5]] = np.inf
            nearest = off[(off[:, :4].max(1) / 100 + off[:, 4]).argmin()]
            boxes, scores = max(boxes, nearest[:4].max()), max(scores, nearest[4])
    return float(boxes), float(scores), alpha
