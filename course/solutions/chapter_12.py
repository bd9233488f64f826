"""Solutions for chapter 12, StarNet, and what ultra-light means."""

from dynconv.relatives import TimmBackbone


def star_features(d, bias):
    """Of the $n^2$ pairs $(i, j)$, the $n$ squares come once and all
    others twice. So there are $n + (n^2 - n)/2 = n(n+1)/2$ different
    ones. A bias makes $n = d + 1$.
    """
    n = d + 1 if bias else d
    return n * (n + 1) // 2


def quadratic_form(w1, w2):
    r"""An outer product has rank one, and the sum of two such has rank
    two at most. All other eigenvalues of $A$ are zero, however large
    $d$ is. That is how narrow a single star is: a quadratic function in
    general has a matrix of rank $d$, and needs several stars, which the
    $1 \times 1$ convolution behind them adds up.
    """
    outer = w1[:, None] * w2
    return (outer + outer.T) / 2


def rows(name):
    """With `yaml.safe_dump` the rows become text for a file. Keep an
    eye on the parameters and FLOPs of what you build: the head stays as
    it is, and the backbone may be any size.
    """
    channels = TimmBackbone(name).channels
    maps = [
        [0, 1, "Index", [count, place]]
        for place, count in enumerate(channels)
    ]
    return [[-1, 1, "TimmBackbone", [name]], *maps]
