"""Typical mistakes in the exercises of chapter 7, each with the hint that it must meet."""

from unittest.mock import patch

import numpy as np
from scipy import stats

from dynconv.exercises.solutions.chapter_07 import optimiser_steps, train_on_digits, verdict
from dynconv.lab import scenes, training


def planned_only(answer):
    """The answer, with trainings that are planned in earnest and then taken as done: it is the test
    of the solution that trains.
    """

    def done(job):
        epochs = range(1, job.settings["epochs"] + 1)
        curves = {"epoch": [*epochs], "mAP50": [0.0 for _ in epochs]}
        folder, data = str(job.folder), job.dataset.summary()
        return training.Run(
            job.model, job.seed, folder, job.settings, data, 0, curves, seconds=0.0, versions={}
        )

    def tried(*arguments):
        with patch.object(training, "run", lambda job, **options: done(job)):
            return answer(*arguments)

    return tried


MISTAKES = {
    "7.1": [
        (lambda images, batch, nbs, epochs: -(-images // batch) * epochs, "counts the batches"),
        (
            lambda images, batch, nbs, epochs: optimiser_steps(images, batch, nbs, 1) * epochs,
            "is not lost",
        ),
        (
            lambda images, batch, nbs, epochs: (
                images // batch * epochs // max(round(nbs / batch), 1)
            ),
            "round up",
        ),
        (lambda images, batch, nbs, epochs: images * epochs // nbs, "never split"),
    ],
    "7.2": [
        (
            lambda scores: stats.t.interval(
                0.95, len(scores) - 1, np.mean(scores), np.std(scores) / len(scores) ** 0.5
            ),
            "ddof=1",
        ),
        (
            lambda scores: stats.t.interval(
                0.95, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1)
            ),
            "single runs scatter",
        ),
        (
            lambda scores: stats.t.interval(
                0.95, 1e9, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "1.96",
        ),
        (
            lambda scores: stats.t.interval(
                0.95, len(scores), np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "degrees of freedom",
        ),
        (
            lambda scores: stats.t.interval(
                0.90, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "on each side",
        ),
        (lambda scores: (min(scores), max(scores)), "half-width|around the mean"),
    ],
    "7.3": [
        (
            lambda stock, variant: "better" if np.mean(variant) > np.mean(stock) else "worse",
            "shows nothing|no spread",
        ),
        (lambda stock, variant: verdict(variant, stock), "wrong way round"),
        (lambda stock, variant: "no difference shown", "'better', you say"),
    ],
    "7.4": [
        (planned_only(answer), hint)
        for answer, hint in [
            (
                lambda images, settings, folder: training.train(
                    "yolov10n", scenes.make(folder, train=8, val=8), settings, folder=folder
                ),
                "disc, square, triangle",
            ),
            (
                lambda images, settings, folder: train_on_digits(
                    images, settings | {"epochs": 1}, folder
                ),
                "pass the settings on",
            ),
            (
                lambda images, settings, folder: train_on_digits(2 * images, settings, folder),
                "the run has 16",
            ),
            (
                lambda images, settings, folder: train_on_digits(images, settings, folder).mAP50,
                "what training.train returns",
            ),
        ]
    ],
}
