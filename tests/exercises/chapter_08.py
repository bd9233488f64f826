"""Typical mistakes in the exercises of chapter 8, each with the hint that it must meet."""

from contextlib import contextmanager, nullcontext, suppress
from unittest.mock import patch

import numpy as np
import torch
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from solutions.chapter_08 import accuracy, fixed_alpha, variance_share


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


@contextmanager
def keeps_what_it_found(layer, alpha):
    before, layer.alpha = layer.alpha, lambda x: alpha.expand(len(x), -1)
    try:
        yield
    finally:
        layer.alpha = before


@contextmanager
def leaves_a_hook(layer, alpha):
    inside = [True]
    layer.routing.register_forward_hook(
        lambda router, inputs, logits: alpha.logit().expand_as(logits) if inside else logits
    )
    try:
        yield
    finally:
        inside.clear()


@contextmanager
def leaves_the_class_changed(layer, alpha):
    own, inside = type(layer).alpha, [True]
    type(layer).alpha = lambda self, x: (
        alpha.expand(len(x), -1) if inside and self is layer else own(self, x)
    )
    try:
        yield
    finally:
        inside.clear()


@contextmanager
def leaves_it_in_eval(layer, alpha):
    layer.eval()
    with fixed_alpha(layer, alpha):
        yield


@contextmanager
def swallows_some(layer, alpha):
    with suppress(ValueError), fixed_alpha(layer, alpha):
        yield


@contextmanager
def raises_another(layer, alpha):
    try:
        with fixed_alpha(layer, alpha):
            yield
    except Exception as error:
        raise RuntimeError("something went wrong") from error


@contextmanager
def as_another_class(layer, alpha):
    """Right, and in another way: the object, not the class, gets another class for a while."""

    class Fixed(type(layer)):
        def alpha(self, x):
            return alpha.expand(len(x), -1)

    own, layer.__class__ = type(layer), Fixed
    try:
        yield
    finally:
        layer.__class__ = own


@contextmanager
def by_bias(layer, alpha):
    """Right, too: a router that hears nothing and says the given α."""
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.routing.weight.data.zero_()
    layer.routing.bias.data.copy_(alpha.logit())
    try:
        yield
    finally:
        layer.load_state_dict(before)


def centred(alpha, lights):
    means = np.empty_like(alpha)
    for name in set(lights):
        means[np.array(lights) == name] = alpha[np.array(lights) == name].mean(0)
    return means


def overwrites(alpha, lights):
    means = alpha
    means[:] = centred(alpha, lights)
    return means.var(0).sum() / alpha.var(0).sum()


MISTAKES = {
    "8.1": {
        "give the share within the lights": (
            lambda alpha, lights: 1 - variance_share(alpha, lights),
            "share [*]within",
        ),
        "write the means into α itself": (overwrites, "write into `alpha` itself"),
        "take the variance over all numbers": (
            lambda alpha, lights: centred(alpha, lights).var() / alpha.var(),
            "axis 0",
        ),
        "take standard deviations": (
            lambda alpha, lights: centred(alpha, lights).std(0).sum() / alpha.std(0).sum(),
            "standard deviations",
        ),
        "give the share in per cent": (
            lambda alpha, lights: 100 * variance_share(alpha, lights),
            "percentage",
        ),
        "divide by the variance within": (
            lambda alpha, lights: 1 / (1 / variance_share(alpha, lights) - 1),
            "share of the whole",
        ),
        "$n - 1$ in one variance only": (
            lambda alpha, lights: centred(alpha, lights).var(0).sum() / alpha.var(0, ddof=1).sum(),
            "same divisor",
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
        "give the share in per cent": (
            lambda alpha, lights: 100 * accuracy(alpha, lights),
            "percentage",
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
        "keep the method that was found": (keeps_what_it_found, "`alpha` is left"),
        "leave a hook": (leaves_a_hook, "after the block the layer is not as it was"),
        "leave the class changed": (
            leaves_the_class_changed,
            "class of the layer is not as it was",
        ),
        "leave the layer in eval mode": (leaves_it_in_eval, "the layer is not as it was"),
        "swallow some errors": (swallows_some, "ValueError, was swallowed"),
        "raise another error": (raises_another, "The error itself has to come out"),
        "know one size of batch only": (
            lambda layer, alpha: patch.object(layer, "alpha", lambda x: alpha.expand(4, -1)),
            "one weight per sample",
        ),
        "give a class, not an object of it": (lambda layer, alpha: nullcontext, "context manager"),
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
        by_bias,
        as_another_class,
    ],
    "8.1": [
        lambda alpha, lights: (
            torch.tensor(centred(alpha, lights)).var(0).sum() / torch.tensor(alpha).var(0).sum()
        )
    ],
    "8.2": [
        lambda alpha, lights: cross_val_score(
            NearestCentroid(), alpha, np.array(lights), cv=LeaveOneOut()
        ).mean()
    ],
}
