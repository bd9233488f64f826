"""Checkers for chapter 7, Short training runs."""

from __future__ import annotations

import functools
import tempfile

import numpy as np
from scipy import stats

from ..lab.training import PRESETS, Run
from .checking import Wrong, call, near, number, reject, reject_if


def optimiser_steps(answer) -> str:
    """7.1: `optimiser_steps(images, batch, nbs, epochs)`.

    Typical mistakes: count batches for steps; round the last batch down; lose what is left at the
    end of an epoch.
    """
    for images, batch, nbs, epochs in [
        (304, 8, 8, 4),
        (80, 40, 64, 5),
        (300, 8, 64, 4),
        (100, 16, 64, 3),
        (64, 32, 16, 2),
        (100, 40, 64, 5),
    ]:
        per_epoch, per_step = -(-images // batch), max(round(nbs / batch), 1)
        expected = per_epoch * epochs // per_step
        got = number(call(answer, images, batch, nbs, epochs))
        if near(got, expected):
            continue
        case = f"{images} images in batches of {batch}, nbs={nbs}, {epochs} epochs"
        mistakes = {
            "that counts the batches; with a small batch several of them make one step.": (
                per_epoch * epochs
            ),
            "what is left over at the end of an epoch is not lost: count the batches of the whole"
            " run, then divide.": per_epoch // per_step * epochs,
            "the last, smaller batch of an epoch is a batch too: round up.": (
                images // batch * epochs // per_step
            ),
            f"{case}: a batch is never split, so a batch of {batch} makes {per_step} batches per"
            " step, and batches are whole.": images * epochs // nbs,
        }
        reject(got, mistakes)
        raise Wrong(f"{case}: {expected} steps, you say {got:g}.")
    return "right. With ultralytics' defaults a small data set sees surprisingly few of them."


def interval(answer) -> str:
    """7.2: `interval(scores)`: the 95 % confidence interval of the mean.

    Typical mistakes: $n$ for $n - 1$; 1.96 for Student's $t$; the spread of runs for that of their
    mean; ppf(0.95).
    """
    for scores in ([0.7, 0.8], [0.61, 0.66, 0.58, 0.7, 0.64], [0.5, 0.52, 0.9]):
        n, mean, s = len(scores), np.mean(scores), np.std(scores, ddof=1)
        t, of_mean = stats.t.ppf(0.975, n - 1), s / n**0.5
        low, high = _bounds(call(answer, list(scores)))
        half = (high - low) / 2
        mistakes = {
            "the standard deviation has n − 1 in it: np.std(scores, ddof=1).": (
                t * np.std(scores) / n**0.5
            ),
            "that is how far single runs scatter; the mean of n is √n times as certain.": t * s,
            "1.96 is for very many scores; with few take Student's t, with n − 1 degrees of"
            " freedom.": 1.96 * of_mean,
            "the degrees of freedom are n − 1.": stats.t.ppf(0.975, n) * of_mean,
            "0.95 leaves 5 % on each side; for an interval of 95 % take ppf(0.975, …).": (
                stats.t.ppf(0.95, n - 1) * of_mean
            ),
        }
        reject(half, mistakes, functools.partial(np.isclose, rtol=1e-3))
        if not np.isclose(low + high, 2 * mean):
            raise Wrong(
                f"the interval lies around the mean, {mean:.3f}; yours around"
                f" {(low + high) / 2:.3f}."
            )
        if not np.isclose(half, t * of_mean):
            raise Wrong(f"for {scores} the half-width is {t * of_mean:.4f}, yours {half:.4f}.")
    return "right: and see how wide it is for two scores."


def _bounds(got) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in got)
    except (TypeError, ValueError):
        raise Wrong(f"two numbers are wanted, (low, high), got {got!r}.") from None
    return low, high


def verdict(answer) -> str:
    """7.3: `verdict(stock, variant)`.

    Typical mistakes: let the higher mean win; compare single scores; look at the wrong side of
    zero.
    """
    cases = [
        ([0.79, 0.78, 0.80, 0.79], [0.81, 0.82, 0.81, 0.80], "better"),
        ([0.81, 0.82, 0.81, 0.80], [0.79, 0.78, 0.80, 0.79], "worse"),
        ([0.70, 0.86, 0.81], [0.83, 0.72, 0.88], "no difference shown"),
        ([0.79], [0.81], "no difference shown"),
        ([0.79, 0.80, 0.79], [0.81], "no difference shown"),
    ]
    for stock, variant, expected in cases:
        got = call(answer, list(stock), list(variant))
        if got == expected:
            continue
        case = f"{stock} against {variant}"
        signs = {
            f"{case}: one score has no spread, so {expected!r}; you say {got!r}.": (
                min(len(stock), len(variant)) < 2
            ),
            "the wrong way round: the question is whether the variant is better than stock.": (
                {got, expected} == {"better", "worse"}
            ),
            f"{case}: zero lies inside the interval, so a higher mean shows nothing; you say"
            f" {got!r}.": expected == "no difference shown",
        }
        reject_if(signs)
        raise Wrong(f"{case}: {expected!r}, you say {got!r}.")
    return "right: and the colleague's two numbers show nothing."


def train_on_digits(answer) -> str:
    """7.4: `train_on_digits(images, settings, folder)`: tried with very little of everything.

    Typical mistakes: train on the default shapes; leave the given settings out.
    """
    settings = PRESETS["cpu"].settings | {"imgsz": 32, "batch": 4, "nbs": 4, "epochs": 2}
    with tempfile.TemporaryDirectory() as folder:
        run = call(answer, 8, settings, folder)
        if not isinstance(run, Run):
            raise Wrong(f"return what training.train returns, a Run; got {type(run).__name__}.")
        images, epochs = run.data["images"]["train"], len(run.curves["epoch"])
        signs = {
            f"this run was trained on {run.data['name']}, whose classes are"
            f" {', '.join(run.data['classes'])}.": run.data["classes"] != list("0123456789"),
            f"8 training images were asked for, the run has {images}.": images != 8,
            f"the settings say 2 epochs, the run has {epochs}: pass the settings on.": epochs != 2,
        }
        reject_if(signs)
    return "right. Now let it run with a few hundred images and the preset's settings."
