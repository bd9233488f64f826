"""Solutions for chapter 8, What the routers learned."""

from contextlib import contextmanager

import numpy as np


def variance_share(alpha, lights):
    """If each image is replaced by the mean of its light, all variance
    within the lights is gone, and what is left is the variance between
    them. Each light counts by its number of images, without a weight in
    the code.
    """
    lights = np.array(lights)
    means = np.empty_like(alpha)
    for light in set(lights):
        means[lights == light] = alpha[lights == light].mean(0)
    return means.var(0).sum() / alpha.var(0).sum()


def accuracy(alpha, lights):
    """With two images of a light, an image that is not left out is
    itself half of the mean it is compared with: it would be found near
    to it for any α, drawn at random even. The package does without the
    loop: the mean without image $n$ follows from the mean with it.
    """
    lights, right = np.array(lights), 0
    names = sorted(set(lights))
    for n in range(len(alpha)):
        others = np.arange(len(alpha)) != n
        means = [alpha[others & (lights == k)].mean(0) for k in names]
        distances = np.linalg.norm(alpha[n] - means, axis=1)
        right += names[int(np.argmin(distances))] == lights[n]
    return right / len(alpha)


@contextmanager
def fixed_alpha(layer, alpha):
    """Python looks at the object before it looks at the class, so the
    attribute hides the method, and nothing of the layer itself is
    touched. `routing.fixed` does the same for many layers by name,
    checks all of them before it changes any, and may be nested.
    """
    layer.alpha = lambda x: alpha.expand(len(x), -1)
    try:
        yield
    finally:
        del layer.alpha
