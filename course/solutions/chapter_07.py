"""Solutions for chapter 7, Short training runs."""

import numpy as np
from scipy import stats

from dynconv.lab import scenes, training


def optimiser_steps(images, batch, nbs, epochs):
    """ultralytics warms up during the first epochs, in which it takes
    more and smaller steps; the rule holds after that.
    """
    batches_per_epoch = -(-images // batch)  # rounded up
    batches_per_step = max(round(nbs / batch), 1)
    return batches_per_epoch * epochs // batches_per_step


def interval(scores):
    """With two scores $t$ is 12.7, with five it is 2.8, with very many
    1.96. That is why the second, third and fourth seed are worth most.
    """
    n = len(scores)
    of_mean = np.std(scores, ddof=1) / np.sqrt(n)
    half = stats.t.ppf(0.975, n - 1) * of_mean
    return np.mean(scores) - half, np.mean(scores) + half


def verdict(stock, variant):
    """The colleague has one score for each model, and so no spread at
    all.
    """
    if min(len(stock), len(variant)) < 2:
        return "no difference shown"
    welch = stats.ttest_ind(variant, stock, equal_var=False)
    low, high = welch.confidence_interval()
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def train_on_digits(images, settings, folder):
    """Expect the noisy images to be hardest: the noise is as fine as
    the strokes. In the dark ones the contrast is a quarter, but the
    shape is whole.
    """
    data = scenes.make(
        folder, objects="digits", train=images, val=images
    )
    return training.train("yolov10n", data, settings, folder=folder)
