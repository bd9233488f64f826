"""Solutions for chapter 8, What the routers learned."""

from contextlib import contextmanager

import numpy as np


def variance_share(alpha, lights):
    lights = np.array(lights)
    means = np.empty_like(alpha)
    for light in set(lights):
        means[lights == light] = alpha[lights == light].mean(0)
    return means.var(0).sum() / alpha.var(0).sum()


def accuracy(alpha, lights):
    lights, right = np.array(lights), 0
    names = sorted(set(lights))
    for n in range(len(alpha)):
        others = np.arange(len(alpha)) != n
        distances = [
            np.linalg.norm(alpha[n] - alpha[others & (lights == name)].mean(0)) for name in names
        ]
        right += names[int(np.argmin(distances))] == lights[n]
    return right / len(alpha)


@contextmanager
def fixed_alpha(layer, alpha):
    layer.alpha = lambda x: alpha.expand(len(x), -1)
    try:
        yield
    finally:
        del layer.alpha
