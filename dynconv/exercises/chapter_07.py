"""Checkers for chapter 7, Short training runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from ..lab.training import PRESETS, Run
from .checking import Wrong, against, call, near, number, reject, reject_if, said, tensor


def optimiser_steps(answer) -> str:
    """7.1: `optimiser_steps(images, batch, nbs, epochs)`."""
    for images, batch, nbs, epochs in [
        (304, 8, 8, 4),
        (100, 24, 64, 5),
        (300, 8, 64, 4),
        (100, 24, 64, 4),
        (100, 48, 64, 4),
        (100, 16, 64, 3),
        (64, 32, 16, 2),
    ]:
        per_epoch, per_step = -(-images // batch), max(round(nbs / batch), 1)
        expected = per_epoch * epochs // per_step
        got = number(call(answer, images, batch, nbs, epochs))
        if near(got, expected):
            continue
        case = f"{images} images in batches of {batch}, nbs={nbs}, {epochs} epochs"
        mistakes = {
            f"{case}: nbs / batch is {nbs / batch:g}, which is rounded, not cut off.": (
                per_epoch * epochs // (nbs // batch) if 1 < nbs // batch < per_step else []
            ),
            "that counts the batches; with a small batch several of them make one step.": (
                per_epoch * epochs
            ),
            "what is left over at the end of an epoch is not lost: count the batches of the whole"
            " run, then divide.": per_epoch // per_step * epochs,
            "the last, smaller batch of an epoch is a batch too: round up.": (
                images // batch * epochs // per_step
            ),
            f"{case}: nbs / batch is {nbs / batch:.3g}, which is rounded to the nearest, not up.": (
                per_epoch * epochs // -(-nbs // batch) if -(-nbs // batch) > per_step else []
            ),
            "a step that still waits for batches when the run ends is never taken: round down.": [
                per_epoch * epochs / per_step,
                round(per_epoch * epochs / per_step),
                -(-per_epoch * epochs // per_step),
            ],
            "that is one epoch; the run has more.": per_epoch // per_step if epochs > 1 else [],
            f"{case}: a batch is never split. Count whole batches, the last of an epoch too; a step"
            f" takes {per_step} of them.": [
                images * epochs // nbs,
                -(-images * epochs // nbs),
                -(-images * epochs // batch) // per_step,
            ],
        }
        reject(got, mistakes)
        raise Wrong(f"{case}: the steps are {against(expected, got)}.")
    return "right. With ultralytics' defaults a small data set sees surprisingly few of them."


def interval(answer) -> str:
    """7.2: `interval(scores)`: the 95 % confidence interval of the mean."""
    # two scores at last: with them several mistakes give the same interval
    for scores in ([0.61, 0.66, 0.58, 0.71, 0.64, 0.69], [0.5, 0.52, 0.9], [0.7, 0.8]):
        n, mean, s = len(scores), np.mean(scores), np.std(scores, ddof=1)
        t, of_mean = stats.t.ppf(0.975, n - 1), s / n**0.5
        low, high = _bounds(call(answer, list(scores)))
        if near(low, mean):
            raise Wrong("(low, high) is wanted; the first of your two numbers is the mean.")
        if low > high:
            raise Wrong(
                f"(low, high) is wanted, the lower bound first; got ({low:.3f}, {high:.3f})."
            )
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
            "that is a confidence of 99 %; 95 % is asked for.": stats.t.ppf(0.995, n - 1) * of_mean,
            "that is the whole width, to each side of the mean; half of it belongs there.": (
                2 * t * of_mean
            ),
            "the standard deviation is divided by √n, not by n.": t * s / n,
            "n − 1 is in the standard deviation and in the degrees of freedom; what divides the"
            " standard deviation is √n.": t * s / (n - 1) ** 0.5,
            "that is the variance; take its root, the standard deviation.": t * s**2 / n**0.5,
        }
        if near((low + high) / 2, np.median(scores)) and not near(np.median(scores), mean):
            raise Wrong("the middle of your interval is the median of the scores; take the mean.")
        if not near((low + high) / 2, mean):
            raise Wrong(
                f"the middle of the interval is the mean, {against(mean, (low + high) / 2)}."
            )
        reject(half, mistakes, lambda got, wrong: np.isclose(got, wrong, rtol=1e-3))
        if not np.isclose(half, t * of_mean, rtol=4e-4, atol=0):  # a table has t to four digits
            raise Wrong(f"for {scores} the half-width is {against(t * of_mean, half)}.")
    return "right: and see how wide it is for two scores."


def _bounds(got) -> tuple[float, float]:
    if isinstance(got, (str, bytes)) or not hasattr(got, "__len__") or len(got) != 2:
        raise Wrong(f"two numbers are wanted, (low, high), got {said(got)}.")
    low, high = tensor(got, (2,)).tolist()
    return low, high


CASES = [  # (scores of stock, of the variant, verdict by Welch's 95 % interval)
    ([0.79, 0.78, 0.80, 0.79], [0.81, 0.82, 0.81, 0.80], "better"),
    ([0.81, 0.82, 0.81, 0.80], [0.79, 0.78, 0.80, 0.79], "worse"),
    ([0.70, 0.86, 0.81], [0.83, 0.72, 0.88], "no difference shown"),
    ([0.79], [0.81], "no difference shown"),
    ([0.79, 0.80, 0.79], [0.81], "no difference shown"),
    # where one mistake shows: overlapping intervals, 1.96, equal variances (twice), 90 %
    ([0.80, 0.79], [0.84, 0.83], "better"),
    ([0.81, 0.77], [0.86, 0.83], "no difference shown"),
    ([0.79, 0.80, 0.80, 0.80], [0.88, 0.82], "no difference shown"),
    ([0.79, 0.80, 0.80], [0.83, 0.85, 0.85, 0.90, 0.80, 0.85, 0.81], "better"),
    ([0.81, 0.80], [0.88, 0.85, 0.83, 0.82, 0.84, 0.78], "no difference shown"),
    # other degrees of freedom, and n for n - 1 in the variance
    ([0.81, 0.81, 0.80, 0.79], [0.88, 0.84], "no difference shown"),
    ([0.80, 0.76], [0.82, 0.88, 0.82, 0.87], "no difference shown"),
]


def verdict(answer) -> str:
    """7.3: `verdict(stock, variant)`."""
    given = [call(answer, list(stock), list(variant)) for stock, variant, _ in CASES]
    for got in given:
        if not isinstance(got, str) or got not in ("better", "worse", "no difference shown"):
            raise Wrong(f"'better', 'worse' or 'no difference shown' is wanted, got {said(got)}.")
    if given == [expected for _, _, expected in CASES]:
        _look_at_none(answer)
        return "right: and the colleague's two numbers show nothing."
    mistakes = {
        "the wrong way round: the question is whether the variant is better than stock.": _turned,
        "you let the higher mean win. What if zero lies inside the interval of the difference?": (
            _higher_mean
        ),
        "you take the two variances for equal. Welch's interval does not.": _equal_variances,
        "1.96 is for very many scores. With few, Student's t is larger.": _normal,
        "that is an interval of 90 %: 0.05 is left on each side.": _ninety,
        "Welch's degrees of freedom are fewer than n + m − 2, which is for equal variances.": (
            _degrees_of_equal
        ),
        "the variances have n − 1 in them: ddof=1.": _without_ddof,
        "the intervals of the two means may overlap while their difference is clear of zero: take"
        " the interval of the difference.": _overlap,
    }
    for hint, method in mistakes.items():
        if given == [_unless_single(method, *case) for case in CASES]:
            raise Wrong(hint)
    stock, variant, expected, got = next(
        (*case, got) for case, got in zip(CASES, given) if got != case[2]
    )
    reason = "one score has no spread, so " if min(len(stock), len(variant)) < 2 else ""
    raise Wrong(f"{stock} against {variant}: {reason}{expected!r}, you say {got!r}.")


def _look_at_none(answer) -> None:
    """Raise Wrong unless a list without a score shows nothing either."""
    for stock, variant in (([], [0.8, 0.81]), ([0.8, 0.81], [])):
        got = call(answer, stock, variant)
        if got != "no difference shown":
            raise Wrong(
                f"{stock} against {variant}: no score is fewer than two, so 'no difference shown',"
                f" you say {said(got)}."
            )


def _unless_single(method, stock: list[float], variant: list[float], expected: str) -> str:
    """The verdict by a mistaken method; a side with one score shows nothing by any but one."""
    single = min(len(stock), len(variant)) < 2
    if single and method is not _higher_mean:
        return "no difference shown"
    low, high = method(stock, variant, expected)
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


# Each mistaken method gives bounds (low, high) of the difference.
def _turned(stock, variant, expected):
    return {"better": (-1, -1), "worse": (1, 1)}.get(expected, (-1, 1))


def _higher_mean(stock, variant, expected):
    return (np.mean(variant) - np.mean(stock),) * 2


def _equal_variances(stock, variant, expected):
    return stats.ttest_ind(variant, stock).confidence_interval()


def _ninety(stock, variant, expected):
    return stats.ttest_ind(variant, stock, equal_var=False).confidence_interval(0.9)


def _normal(stock, variant, expected):
    error = sum(np.var(each, ddof=1) / len(each) for each in (stock, variant)) ** 0.5
    return stats.norm.interval(0.95, np.mean(variant) - np.mean(stock), error)


def _degrees_of_equal(stock, variant, expected):
    error = sum(np.var(each, ddof=1) / len(each) for each in (stock, variant)) ** 0.5
    degrees = len(stock) + len(variant) - 2
    return stats.t.interval(0.95, degrees, np.mean(variant) - np.mean(stock), error)


def _without_ddof(stock, variant, expected):
    (a, n), (b, m) = ((np.var(each) / len(each), len(each)) for each in (stock, variant))
    degrees = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    return stats.t.interval(0.95, degrees, np.mean(variant) - np.mean(stock), (a + b) ** 0.5)


def _overlap(stock, variant, expected):
    (low, high), (least, most) = (
        stats.t.interval(0.95, len(each) - 1, np.mean(each), stats.sem(each))
        for each in (stock, variant)
    )
    return least - high, most - low


def train_on_digits(answer) -> str:
    """7.4: `train_on_digits(images, settings, folder)`: tried with very little of everything."""
    settings = PRESETS["cpu"].settings | {"imgsz": 32, "batch": 4, "nbs": 4, "epochs": 2}
    with tempfile.TemporaryDirectory() as folder:
        run = call(answer, 8, settings, folder, patience=30)
        if not isinstance(run, Run):
            raise Wrong(f"return what training.train returns, a Run; got {said(run)}.")
        images, epochs = run.data["images"], len(run.curves["epoch"])
        other = next((name for name, value in settings.items() if run.settings[name] != value), "")
        signs = {
            f"this run was trained on {run.data['name']}, whose classes are"
            f" {', '.join(run.data['classes'])}.": run.data["classes"] != list("0123456789"),
            f"8 training images were asked for, the run has {images['train']}.": (
                images["train"] != 8
            ),
            f"as many validation images as training images were asked for, 8; the run has"
            f" {images['val']}.": images["val"] != 8,
            f"the settings say 2 epochs, the run has {epochs}: pass the settings on.": epochs != 2,
            f"the settings say {other}={settings.get(other)!r}, the run has"
            f" {run.settings.get(other)!r}: pass the settings on as they are.": other != "",
            "the data are not in the folder that was given: scenes.make takes `folder`, too.": (
                not [*Path(folder).rglob(f"{run.data['name']}/data.yaml")]
            ),
            "the run is not in the folder that was given: training.train takes `folder`, too.": (
                not Path(run.folder).resolve().is_relative_to(Path(folder).resolve())
            ),
        }
        reject_if(signs)
    return "right. Now let it run with a few hundred images and the preset's settings."
