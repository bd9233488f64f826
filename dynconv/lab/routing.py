"""What the routers do: record α over images, summarise it by condition, and test whether the
network depends on it.

A layer is dynamic if it has a method `alpha(x)`, (B, C, H, W) -> (B, M), which its forward calls:
`DynamicConv`, whatever holds one, and your own. Layers go by the names of `named_modules()`: in a
YOLO network 'model.1' is row 1 of its YAML.

Here are the tests, and the names of all the rest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .inference import as_conditions, as_network
from .kernels import CloseUp, closeups, mixed_kernels
from .recording import calibrated, check_alpha, dynamic_layers, record, untrained
from .scoring import ALL, score
from .summaries import means, nearest_centroid_accuracy, spread, variance_share

__all__ = [
    "CloseUp",
    "calibrated",
    "closeups",
    "dynamic_layers",
    "fixed",
    "means",
    "mixed_kernels",
    "nearest_centroid_accuracy",
    "record",
    "score",
    "spread",
    "swap",
    "untrained",
    "variance_share",
]

OWN, MEAN = "own", "mean"  # columns of a swap matrix that are no conditions


@contextlib.contextmanager
def fixed(model, alpha: dict) -> Iterator[None]:
    """Within `with fixed(model, {layer: α}):` these layers use that α (M,) for every image; after
    it, and after an error, their own.

    Layers that are not named go on using their routers. It may be nested.

    Raises:
        ValueError: no layer of that name, or not one finite value per expert; nothing was changed
            then.
        TypeError: `model` is a path: what it would load could not be reached from outside.
    """
    if isinstance(model, (str, os.PathLike)):
        raise TypeError(
            f"fixed needs the loaded network, not the path {str(model)!r}: use YOLO(path)"
        )
    layers = dynamic_layers(model)
    alpha = check_alpha(layers, alpha)
    before = {name: vars(layers[name]).get("alpha") for name in alpha}  # of an outer `fixed`
    try:
        for name, value in alpha.items():
            layers[name].alpha = lambda x, value=value: value.to(x).expand(len(x), -1)
        yield
    finally:
        for name, outer in before.items():
            vars(layers[name]).pop("alpha", None)
            if outer is not None:
                layers[name].alpha = outer


def swap(
    model,
    images,
    labels,
    conditions,
    *,
    alpha=None,
    sources=None,
    layers=None,
    batch: int = 32,
    progress: bool = True,
) -> dict[str, dict[str, float]]:
    """The kernel swap: mAP50 of the images of each condition, run with the mean α of each
    condition.

    Args:
        model, images, labels, conditions, batch, progress: as for `score`.
        alpha: what `record` gave for these images; recorded now if left out.
        sources: which columns to compute, any of 'own' (the routers at work), 'mean' (the mean α of
            all images) and the conditions; all of them if left out. Each takes a pass over the
            images.
        layers: names of the layers whose α is swapped; all if left out.

    Returns:
        A dict from each source of α to what `score` gives with it.

    Raises:
        ValueError: as for `score`; an unknown source or layer; a condition called 'own', 'mean' or
            'all'.
    """
    network = as_network(model)
    alpha = record(network, images, batch=batch, progress=progress) if alpha is None else alpha
    as_conditions(conditions, len(images))
    by_condition = means(alpha, conditions)
    if taken := {OWN, MEAN, ALL} & by_condition.keys():
        raise ValueError(
            f"a condition cannot be called {sorted(taken)[0]!r}: the matrix has a row or column of"
            " that name"
        )
    settings = {OWN: {}, MEAN: {name: rows.mean(0) for name, rows in alpha.items()}} | by_condition
    sources = list(settings) if sources is None else list(sources)
    for what, asked, known in (("source", sources, settings), ("layer", layers or (), alpha)):
        if unknown := [name for name in asked if name not in known]:
            raise ValueError(f"unknown {what} {unknown[0]!r}: expected one of {tuple(known)}")
    matrix = {}
    how = {"batch": batch, "progress": progress}
    for source in sources:
        chosen = settings[source]
        if layers is not None:
            chosen = {name: value for name, value in chosen.items() if name in layers}
        with fixed(network, chosen):
            matrix[source] = score(network, images, labels, conditions, **how)
    return matrix
