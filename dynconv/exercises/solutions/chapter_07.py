"""Solutions for chapter 7, Short training runs."""

import numpy as np
from scipy import stats

from dynconv.lab import scenes, training


def optimiser_steps(images, batch, nbs, epochs):
    batches_per_epoch = -(-images // batch)  # rounded up
    batches_per_step = max(round(nbs / batch), 1)
    return batches_per_epoch * epochs // batches_per_step


def interval(scores):
    n = len(scores)
    half = stats.t.ppf(0.975, n - 1) * np.std(scores, ddof=1) / np.sqrt(n)
    return np.mean(scores) - half, np.mean(scores) + half


def verdict(stock, variant):
    if min(len(stock), len(variant)) < 2:
        return "no difference shown"
    low, high = stats.ttest_ind(variant, stock, equal_var=False).confidence_interval()
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def train_on_digits(images, settings, folder):
    data = scenes.make(folder, objects="digits", train=images, val=images)
    return training.train("yolov10n", data, settings, folder=folder)
