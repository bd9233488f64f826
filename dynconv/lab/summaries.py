"""Recorded α in a few numbers: its mean by condition, how far it varies, how much of that the
condition explains.
"""

from __future__ import annotations

import numpy as np

from ..checks import as_array
from .inference import as_conditions, as_recording


def means(alpha: dict[str, np.ndarray], conditions) -> dict[str, dict[str, np.ndarray]]:
    """Mean α by condition: {condition: {layer: (M,)}}, each entry as `fixed` takes it. Conditions
    in the order in which they occur.

    Raises:
        ValueError: there is not one condition per image.
    """
    if not as_recording(alpha):
        raise ValueError("alpha must hold at least one layer, got {}")
    for layer, rows in alpha.items():
        conditions = as_conditions(conditions, len(as_array(f"alpha of {layer!r}", rows, 2)))
    return {
        name: {layer: np.asarray(rows)[conditions == name].mean(0) for layer, rows in alpha.items()}
        for name in dict.fromkeys(conditions.tolist())
    }


def spread(alpha) -> float:
    """How far α varies over images: the standard deviation of each expert's α, (images, M) -> root
    of the mean square over experts.
    """
    return float(np.sqrt(as_array("alpha", alpha, 2).var(0).mean()))


def variance_share(alpha, conditions) -> float:
    """η², the share of the variance of α that lies between conditions: 0 if all have the same mean,
    1 if α is constant in each.

    With ᾱ the mean of all N images and ᾱ_c that of the n_c images of condition c, η² = Σ_c n_c ‖ᾱ_c
    − ᾱ‖² / Σ_n ‖α_n − ᾱ‖². The sums run over the experts too. For a single expert and k conditions
    it is the F of an analysis of variance in another form, F = η² / (1 − η²) · (N − k) / (k − 1).
    If α does not vary at all there is nothing to share, and the result is 0.

    Args:
        alpha: (images, M), one layer of a recording; or one expert, (images, 1).
        conditions: one name per image.

    Raises:
        ValueError: there is not one condition per image.
    """
    alpha = as_array("alpha", alpha, 2)
    conditions = as_conditions(conditions, len(alpha))
    mean, total = alpha.mean(0), ((alpha - alpha.mean(0)) ** 2).sum()
    between = sum(
        (conditions == name).sum() * ((alpha[conditions == name].mean(0) - mean) ** 2).sum()
        for name in np.unique(conditions)
    )
    return float(between / total) if total > 0 else 0.0


def nearest_centroid_accuracy(alpha, conditions) -> float:
    """How often α gives the condition away: the share of images whose α is nearest to the mean α of
    their own condition.

    Each image is left out of the mean of its condition when it is judged (leave-one-out). With k
    conditions of equal size a guess is right in 1/k of the cases.

    Args:
        alpha: (images, M), one layer of a recording.
        conditions: one name per image; at least two images of each.

    Raises:
        ValueError: there is not one condition per image, or a condition has a single image.
    """
    alpha = as_array("alpha", alpha, 2)
    names, index, counts = np.unique(
        as_conditions(conditions, len(alpha)), return_inverse=True, return_counts=True
    )
    if counts.min() < 2:
        raise ValueError(
            f"each condition needs at least two images, {str(names[counts.argmin()])!r} has one"
        )
    centroids = np.stack([alpha[index == i].mean(0) for i in range(len(names))])
    distance = ((alpha[:, None] - centroids) ** 2).sum(2)  # (images, conditions)
    n = counts[index]
    without = (n[:, None] * centroids[index] - alpha) / (n[:, None] - 1)
    distance[np.arange(len(alpha)), index] = ((alpha - without) ** 2).sum(1)
    return float((distance.argmin(1) == index).mean())
