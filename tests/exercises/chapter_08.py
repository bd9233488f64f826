"""Typical mistakes in the exercises of chapter 8, each with the hint that it must meet."""

from contextlib import contextmanager, nullcontext, suppress
from unittest.mock import patch

import numpy as np
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from dynconv.exercises.solutions.chapter_08 import accuracy, fixed_alpha, variance_share


def with_itself(alpha, lights):
    return NearestCentroid().fit(alpha, lights).score(alpha, lights)


@contextmanager
def without_clean_up(layer, alpha):
    layer.alpha = lambda x: alpha.expand(len(x), -1)
    yield


@contextmanager
def clean_up_without_finally(layer, alpha):
    layer.alpha = lambda x: alpha.expand(len(x), -1)
    yield
    del layer.alpha


@contextmanager
def swallows(layer, alpha):
    with suppress(Exception), fixed_alpha(layer, alpha):
        yield


@contextmanager
def by_hook(layer, alpha):
    """The router itself answers with the logits of the given α."""
    hook = layer.routing.register_forward_hook(
        lambda router, inputs, logits: alpha.logit().expand_as(logits)
    )
    try:
        yield
    finally:
        hook.remove()


MISTAKES = {
    "8.1": {
        "give the share within the lights": (
            lambda alpha, lights: 1 - variance_share(alpha, lights),
            "share [*]within",
        ),
        "take a root": (
            lambda alpha, lights: variance_share(alpha, lights) ** 0.5,
            "without a root",
        ),
        "average the shares of the experts": (
            lambda alpha, lights: np.mean(
                [variance_share(alpha[:, [m]], lights) for m in range(alpha.shape[1])]
            ),
            "averaged the shares",
        ),
        "let each light count the same": (
            lambda alpha, lights: (
                np.var([alpha[np.array(lights) == name].mean(0) for name in set(lights)], 0).sum()
                / alpha.var(0).sum()
            ),
            "counts the same",
        ),
        "average over the experts first": (
            lambda alpha, lights: variance_share(alpha.mean(1, keepdims=True), lights),
            "over the experts before",
        ),
    },
    "8.2": {
        "leave the image in the mean it is compared with": (
            lambda alpha, lights: with_itself(alpha, np.array(lights)),
            "Leave it out",
        ),
        "look for the nearest image": (
            lambda alpha, lights: cross_val_score(
                KNeighborsClassifier(1), alpha, lights, cv=LeaveOneOut()
            ).mean(),
            r"nearest other [*]image",
        ),
        "give the share of wrong guesses": (
            lambda alpha, lights: 1 - accuracy(alpha, lights),
            "wrong guesses",
        ),
        "give the number of right guesses": (
            lambda alpha, lights: accuracy(alpha, lights) * len(alpha),
            "divide by the number",
        ),
    },
    "8.3": {
        "return no context manager": (
            lambda layer, alpha: (
                setattr(layer, "alpha", lambda x: alpha.expand(len(x), -1)) or layer
            ),
            "needs a context manager",
        ),
        "leave the router in charge": (lambda layer, alpha: nullcontext(), "router still decides"),
        "never bring the router back": (
            lambda layer, alpha: without_clean_up(layer, alpha),
            "the router has to be back",
        ),
        "no clean-up after an error": (
            lambda layer, alpha: clean_up_without_finally(layer, alpha),
            "in any case",
        ),
        "swallow the error": (lambda layer, alpha: swallows(layer, alpha), "swallowed"),
        "change the class, and so all layers": (
            lambda layer, alpha: patch.object(
                type(layer), "alpha", lambda self, x: alpha.expand(len(x), -1)
            ),
            "another[*] layer",
        ),
    },
}

OTHERS = {
    "8.1": [(lambda alpha, lights: 0.1234, "you say 0.1234")],
    "8.2": [(lambda alpha, lights: 0.1234, "you say 0.1234")],
    "8.3": [
        (
            lambda layer, alpha: patch.object(
                layer, "alpha", lambda x: alpha.flip(0).expand(len(x), -1)
            ),
            "not that of the given α",
        )
    ],
}

# Unusual, and right.
RIGHT = {
    "8.3": [
        lambda layer, alpha: patch.object(layer, "alpha", lambda x: alpha.expand(len(x), -1)),
        by_hook,
    ]
}
