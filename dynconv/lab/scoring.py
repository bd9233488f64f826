"""mAP50 by condition: ultralytics' own boxes, suppression, matching and average precision, over any
part of the images.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .inference import Pictures, as_conditions, as_network, evaluating

ALL = "all"  # what `score` calls the images of all conditions


@torch.no_grad()
def score(
    model, images, labels, conditions=None, *, batch: int = 32, progress: bool = True
) -> dict[str, float]:
    """mAP50 of a detector over all images, and over those of each condition.

    Boxes, non-maximum suppression, matching and average precision are those of ultralytics'
    validation. What is scored is what the network's head gives in eval mode: for YOLOv10 the
    one-to-many head with non-maximum suppression, unless `network.end2end` was set. Images are
    taken as they are, as by `model.val(rect=False)`; with rect=True, its default, ultralytics would
    put a grey frame around them, of which a router takes the mean as well.

    Args:
        model, images, batch, progress: as for `record`.
        labels: for each image an array (objects, 5): class number, centre x, y, width, height as
            parts of the sides.
        conditions: one name per image.

    Returns:
        A dict from each condition, and from 'all', to mAP50, from 0 to 1.

    Raises:
        ValueError: no detector; no images, sizes that differ, or not one entry of labels or
            conditions per image.
    """
    from ..yolo.heads import head_of, require_detector

    network = as_network(model)
    head, name = head_of(network), type(network).__name__
    require_detector(head, name, "YOLO(path).val(data=...)")
    if head is not None and head.name == "RTDETRDecoder":
        raise ValueError(
            f"{name} gives boxes in another form than this function reads: use"
            " ultralytics.RTDETR(path).val(data=...)"
        )
    pictures = Pictures(images, network, batch)
    conditions = as_conditions(
        [ALL] * len(pictures) if conditions is None else conditions, len(pictures)
    )
    if len(labels) != len(pictures):
        raise ValueError(
            f"labels must have one entry per image ({len(pictures)}), got {len(labels)}"
        )
    judge, results = validator(network), []
    with evaluating(network):
        for start, x in pictures.batches("scoring", progress):
            for found, target in zip(judge.postprocess(network(x)), labels[start : start + len(x)]):
                results.append(_judged(judge, found, target, x.shape[2:]))
    names = dict.fromkeys(conditions.tolist())
    rows = {
        name: [result for result, condition in zip(results, conditions) if condition == name]
        for name in names
    }
    return {name: _mAP50(part) for name, part in (rows | {ALL: results}).items()}


def validator(network: nn.Module):
    """ultralytics' own, for its non-maximum suppression (`postprocess`) and its matching at IoU
    0.5.
    """
    from ultralytics.models.yolo.detect import DetectionValidator

    judge = DetectionValidator(
        save_dir=Path(tempfile.gettempdir()), args={"task": "detect", "plots": False}
    )
    judge.end2end = bool(getattr(network, "end2end", False))
    judge.iouv = judge.iouv[:1]
    judge.niou = 1
    return judge


def _judged(judge, found: dict, target, size) -> tuple[np.ndarray, ...]:
    """One image: which of its detections are right (detections, 1), their scores and classes, and
    the classes that are there.
    """
    from ultralytics.utils.metrics import box_iou
    from ultralytics.utils.ops import xywh2xyxy

    device = found["bboxes"].device
    target = torch.as_tensor(np.asarray(target, np.float32).reshape(-1, 5), device=device)
    height, width = size
    boxes = xywh2xyxy(target[:, 1:]) * torch.tensor([width, height, width, height], device=device)
    if len(target) and len(found["cls"]):
        overlap = box_iou(boxes, found["bboxes"].float())
        right = judge.match_predictions(found["cls"], target[:, 0], overlap)
    else:
        right = torch.zeros(len(found["cls"]), 1, dtype=torch.bool)
    parts = (right, found["conf"], found["cls"], target[:, 0])
    return tuple(part.cpu().numpy() for part in parts)


def _mAP50(results: list) -> float:
    """Mean over the classes that occur; 0 if no class does."""
    from ultralytics.utils.metrics import ap_per_class

    right, scores, classes, targets = (np.concatenate(part) for part in zip(*results))
    return float(ap_per_class(right, scores, classes, targets)[5].mean()) if len(targets) else 0.0
