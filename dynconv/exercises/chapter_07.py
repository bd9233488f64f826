"""Checkers for chapter 7, Short training runs."""

from __future__ import annotations

import tempfile

import numpy as np
from scipy import stats

from ..lab.training import PRESETS, Run
from ._checking import Wrong, call, number


def optimiser_steps(answer) -> str:
    """7.1: `optimiser_steps(images, batch, nbs, epochs)`."""
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
        case = f"{images} images in batches of {batch}, nbs={nbs}, {epochs} epochs"
        if got == per_epoch * epochs and per_step > 1:
            raise Wrong(
                "that counts the batches; with a small batch several of them make one step."
            )
        if got == per_epoch // per_step * epochs != expected:
            raise Wrong(
                "what is left over at the end of an epoch is not lost: count the batches of the"
                " whole run, then divide."
            )
        if got == images // batch * epochs // per_step != expected:
            raise Wrong("the last, smaller batch of an epoch is a batch too: round up.")
        if got == images * epochs // nbs != expected:
            raise Wrong(
                f"{case}: a batch is never split, so a batch of {batch} makes {per_step} batches"
                " per step, and batches are whole."
            )
        if got != expected:
            raise Wrong(f"{case}: {expected} steps, you say {got:g}.")
    return "right. With ultralytics' defaults a small data set sees surprisingly few of them."


def interval(answer) -> str:
    """7.2: `interval(scores)`: the 95 % confidence interval of the mean."""
    for scores in ([0.7, 0.8], [0.61, 0.66, 0.58, 0.7, 0.64], [0.5, 0.52, 0.9]):
        n, mean = len(scores), np.mean(scores)
        t, s = stats.t.ppf(0.975, n - 1), np.std(scores, ddof=1)
        got = call(answer, list(scores))
        try:
            low, high = (float(value) for value in got)
        except (TypeError, ValueError):
            raise Wrong(f"two numbers are wanted, (low, high), got {got!r}.") from None
        half = (high - low) / 2
        mistakes = {
            "the standard deviation has n − 1 in it: np.std(scores, ddof=1).": (
                t * np.std(scores) / n**0.5
            ),
            "that is how far single runs scatter; the mean of n is √n times as certain.": t * s,
            "1.96 is for very many scores; with few take Student's t, with n − 1 degrees of freedom.": (
                1.96 * s / n**0.5
            ),
            "the degrees of freedom are n − 1.": stats.t.ppf(0.975, n) * s / n**0.5,
            "0.95 leaves 5 % on each side; for an interval of 95 % take ppf(0.975, …).": (
                stats.t.ppf(0.95, n - 1) * s / n**0.5
            ),
        }
        for hint, wrong in mistakes.items():
            if np.isclose(half, wrong, rtol=1e-3):
                raise Wrong(hint)
        if not np.isclose(low + high, 2 * mean):
            raise Wrong(
                f"the interval lies around the mean, {mean:.3f}; yours around"
                f" {(low + high) / 2:.3f}."
            )
        if not np.isclose(half, t * s / n**0.5):
            raise Wrong(f"for {scores} the half-width is {t * s / n**0.5:.4f}, yours {half:.4f}.")
    return "right: and see how wide it is for two scores."


def verdict(answer) -> str:
    """7.3: `verdict(stock, variant)`."""
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
        if min(len(stock), len(variant)) < 2:
            raise Wrong(
                f"{stock} against {variant}: one score has no spread, so {expected!r}; you say"
                f" {got!r}."
            )
        if {got, expected} == {"better", "worse"}:
            raise Wrong(
                "the wrong way round: the question is whether the variant is better than stock."
            )
        if expected == "no difference shown":
            raise Wrong(
                f"{stock} against {variant}: zero lies inside the interval, so a higher mean shows"
                f" nothing; you say {got!r}."
            )
        raise Wrong(f"{stock} against {variant}: {expected!r}, you say {got!r}.")
    return "right: and the colleague's two numbers show nothing."


def train_on_digits(answer) -> str:
    """7.4: `train_on_digits(images, settings, folder)`: tried with very little of everything."""
    settings = PRESETS["cpu"].settings | {"imgsz": 32, "batch": 4, "nbs": 4, "epochs": 2}
    with tempfile.TemporaryDirectory() as folder:
        run = call(answer, 8, settings, folder)
        if not isinstance(run, Run):
            raise Wrong(f"return what training.train returns, a Run; got {type(run).__name__}.")
        if run.data["classes"] != list("0123456789"):
            raise Wrong(
                f"this run was trained on {run.data['name']}, whose classes are"
                f" {', '.join(run.data['classes'])}."
            )
        if run.data["images"]["train"] != 8:
            raise Wrong(
                f"8 training images were asked for, the run has {run.data['images']['train']}."
            )
        if len(run.curves["epoch"]) != 2:
            raise Wrong(
                f"the settings say 2 epochs, the run has {len(run.curves['epoch'])}: pass the"
                " settings on."
            )
    return "right. Now let it run with a few hundred images and the preset's settings."


EXERCISES = {"7.1": optimiser_steps, "7.2": interval, "7.3": verdict, "7.4": train_on_digits}
