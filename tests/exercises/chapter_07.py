"""Typical mistakes in the exercises of chapter 7, each with the hint that it must meet."""

from unittest.mock import patch

import numpy as np
from scipy import stats
from solutions.chapter_07 import interval, optimiser_steps, train_on_digits, verdict

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


def beside_the_folder(images, settings, folder):
    data = scenes.make(folder, "digits", train=images, val=images)
    return training.train("yolov10n", data, settings, folder=f"{folder}-beside")


def welch(variant, stock):
    return stats.ttest_ind(variant, stock, equal_var=False)


def by(stock, variant, test, *level):
    if min(len(stock), len(variant)) < 2:
        return "no difference shown"
    low, high = test(variant, stock).confidence_interval(*level)
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def normal(stock, variant):
    if min(len(stock), len(variant)) < 2:
        return "no difference shown"
    error = sum(np.var(each, ddof=1) / len(each) for each in (stock, variant)) ** 0.5
    difference = np.mean(variant) - np.mean(stock)
    if abs(difference) < 1.96 * error:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def overlap(stock, variant):
    if min(len(stock), len(variant)) < 2:
        return "no difference shown"
    (low, high), (least, most) = interval(stock), interval(variant)
    return "better" if least > high else "worse" if most < low else "no difference shown"


def around(scores, times):
    """The interval with a half-width that is `times` the right one."""
    low, high = interval(scores)
    return np.mean(scores) - (high - low) / 2 * times, np.mean(scores) + (high - low) / 2 * times


def by_hand(stock, variant, ddof=1, welch=True):
    n, m = len(stock), len(variant)
    if min(n, m) < 2:
        return "no difference shown"
    a, b = np.var(stock, ddof=ddof) / n, np.var(variant, ddof=ddof) / m
    degrees = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1)) if welch else n + m - 2
    difference = np.mean(variant) - np.mean(stock)
    if abs(difference) < stats.t.ppf(0.975, degrees) * (a + b) ** 0.5:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def data_beside_the_folder(images, settings, folder):
    data = scenes.make(f"{folder}-beside", "digits", train=images, val=images)
    return training.train("yolov10n", data, settings, folder=folder)


MISTAKES = {
    "7.1": {
        "count batches for steps": (
            lambda images, batch, nbs, epochs: -(-images // batch) * epochs,
            "counts the batches",
        ),
        "lose what is left at the end of an epoch": (
            lambda images, batch, nbs, epochs: optimiser_steps(images, batch, nbs, 1) * epochs,
            "is not lost",
        ),
        "round the last batch down": (
            lambda images, batch, nbs, epochs: (
                images // batch * epochs // max(round(nbs / batch), 1)
            ),
            "round up",
        ),
        "split batches, $images \\cdot epochs / nbs$": (
            lambda images, batch, nbs, epochs: images * epochs // nbs,
            "never split",
        ),
        "round nbs / batch up": (
            lambda images, batch, nbs, epochs: -(-images // batch) * epochs // -(-nbs // batch),
            "rounded to the nearest, not up",
        ),
        "take a step at the end for what is left": (
            lambda images, batch, nbs, epochs: (
                -(-(-(-images // batch) * epochs) // max(round(nbs / batch), 1))
            ),
            "round down",
        ),
        "leave a fraction": (
            lambda images, batch, nbs, epochs: (
                -(-images // batch) * epochs / max(round(nbs / batch), 1)
            ),
            "round down",
        ),
        "count one epoch": (
            lambda images, batch, nbs, epochs: optimiser_steps(images, batch, nbs, 1),
            "the run has more",
        ),
        "cut nbs / batch off instead of rounding it": (
            lambda images, batch, nbs, epochs: -(-images // batch) * epochs // max(nbs // batch, 1),
            "is rounded, not cut off",
        ),
    },
    "7.2": {
        "$n$ for $n - 1$ in the standard deviation": (
            lambda scores: stats.t.interval(
                0.95, len(scores) - 1, np.mean(scores), np.std(scores) / len(scores) ** 0.5
            ),
            "ddof=1",
        ),
        "take the spread of the runs for that of their mean": (
            lambda scores: stats.t.interval(
                0.95, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1)
            ),
            "single runs scatter",
        ),
        "1.96 for Student's $t$": (
            lambda scores: stats.t.interval(
                0.95, 1e9, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "1.96",
        ),
        "$n$ degrees of freedom": (
            lambda scores: stats.t.interval(
                0.95, len(scores), np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "degrees of freedom",
        ),
        "ppf(0.95), which leaves 5 % on each side": (
            lambda scores: stats.t.interval(
                0.90, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
            ),
            "on each side",
        ),
        "upper bound first": (lambda scores: interval(scores)[::-1], "the lower bound first"),
        "the mean and the half-width": (
            lambda scores: (np.mean(scores), interval(scores)[1] - np.mean(scores)),
            "the first of your two numbers is the mean",
        ),
        "around the median": (
            lambda scores: np.add(interval(scores), np.median(scores) - np.mean(scores)),
            "median of the scores",
        ),
        "divide by $n$": (lambda scores: around(scores, len(scores) ** -0.5), "not by n"),
        "divide by the root of $n - 1$": (
            lambda scores: around(scores, (len(scores) / (len(scores) - 1)) ** 0.5),
            "what divides the standard deviation",
        ),
        "the whole width to each side": (lambda scores: around(scores, 2), "whole width"),
        "a variance for the standard deviation": (
            lambda scores: around(scores, np.std(scores, ddof=1)),
            "that is the variance",
        ),
    },
    "7.3": {
        "let the higher mean win": (
            lambda stock, variant: "better" if np.mean(variant) > np.mean(stock) else "worse",
            "higher mean win",
        ),
        "look at the wrong side of zero": (
            lambda stock, variant: verdict(variant, stock),
            "wrong way round",
        ),
        "take the variances for equal": (
            lambda stock, variant: by(stock, variant, stats.ttest_ind),
            "Welch",
        ),
        "1.96 for Student's $t$": (normal, "1.96"),
        "$n + m - 2$ degrees of freedom": (
            lambda stock, variant: by_hand(stock, variant, welch=False),
            "degrees of freedom are fewer",
        ),
        "$n$ for $n - 1$ in the variances": (
            lambda stock, variant: by_hand(stock, variant, ddof=0),
            "ddof=1",
        ),
        "an interval of 90 %": (lambda stock, variant: by(stock, variant, welch, 0.9), "90 %"),
        "look whether the intervals of the two means overlap": (overlap, "may overlap"),
    },
    "7.4": {
        "train on the default shapes": (
            planned_only(
                lambda images, settings, folder: training.train(
                    "yolov10n", scenes.make(folder, train=8, val=8), settings, folder=folder
                )
            ),
            "disc, square, triangle",
        ),
        "change the epochs": (
            planned_only(
                lambda images, settings, folder: train_on_digits(
                    images, settings | {"epochs": 1}, folder
                )
            ),
            "pass the settings on",
        ),
        "change another setting": (
            planned_only(
                lambda images, settings, folder: train_on_digits(
                    images, settings | {"lr0": 0.5}, folder
                )
            ),
            "lr0=.*pass the settings on",
        ),
        "draw another number of images": (
            planned_only(
                lambda images, settings, folder: train_on_digits(2 * images, settings, folder)
            ),
            "the run has 16",
        ),
        "draw fewer validation images": (
            planned_only(
                lambda images, settings, folder: training.train(
                    "yolov10n",
                    scenes.make(folder, "digits", train=images, val=4),
                    settings,
                    folder=folder,
                )
            ),
            "the run has 4",
        ),
        "put the data elsewhere": (
            planned_only(data_beside_the_folder),
            "data are not in the folder",
        ),
        "leave the folder out": (planned_only(beside_the_folder), "not in the folder"),
        "return the score": (
            planned_only(
                lambda images, settings, folder: train_on_digits(images, settings, folder).mAP50
            ),
            "what training.train returns",
        ),
    },
}

OTHERS = {
    "7.2": [(lambda scores: (min(scores), max(scores)), "the middle of the interval is the mean")],
    "7.3": [
        (lambda stock, variant: "no difference shown", "'better', you say"),
        (
            lambda stock, variant: verdict(stock, variant) if stock and variant else "worse",
            "no score is fewer than two",
        ),
    ],
}

# Unusual, and right.
RIGHT = {
    "7.2": [
        lambda scores: stats.t.interval(0.95, len(scores) - 1, np.mean(scores), stats.sem(scores)),
        lambda scores: np.array(interval(scores)),
        lambda scores: stats.ttest_1samp(scores, 0).confidence_interval(),
        # t from a table
        lambda scores: (
            stats.t.interval(
                0.95, len(scores) - 1, np.mean(scores), stats.sem(scores) * 12.71 / 12.7062
            )
            if len(scores) == 2
            else interval(scores)
        ),
    ],
    "7.3": [
        lambda stock, variant: by(stock, variant, welch),
        by_hand,
        # without a word on single scores: SciPy gives NaN for them
        lambda stock, variant: {(True, False): "better", (False, True): "worse"}.get(
            tuple(np.multiply((1, -1), welch(variant, stock).confidence_interval()) > 0),
            "no difference shown",
        ),
    ],
}
