"""Solutions for chapter 12, StarNet, and what ultra-light means."""

from dynconv.relatives import TimmBackbone


def star_features(d, bias):
    n = d + 1 if bias else d
    return n * (n + 1) // 2


def quadratic_form(w1, w2):
    outer = w1[:, None] * w2
    return (outer + outer.T) / 2


def rows(name):
    channels = TimmBackbone(name).channels
    maps = [[0, 1, "Index", [count, place]] for place, count in enumerate(channels)]
    return [[-1, 1, "TimmBackbone", [name]], *maps]
