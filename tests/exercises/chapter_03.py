"""Typical mistakes in the exercises of chapter 3, each with the hint that it must meet."""

from dynconv.exercises.solutions.chapter_03 import count_dynamic


def kernel_size(cin, cout, k):
    return cout * cin * k * k


MISTAKES = {
    "3.1": [
        (lambda cin, cout, k, m: m, "router has parameters"),
        (lambda cin, cout, k, m: m + m * cin / kernel_size(cin, cout, k), "bias"),
        (lambda cin, cout, k, m: float(m * kernel_size(cin, cout, k) + m * (cin + 1)), "divide it"),
        (lambda cin, cout, k, m: 1 / m, "the layers themselves say"),
    ],
    "3.2": [
        (lambda cin, cout, k, m, side: m, "mix first"),
        (lambda cin, cout, k, m, side: 1 + m / side, "not side"),
        (lambda cin, cout, k, m, side: 1 + m / side**2, "Linear is missing"),
        (lambda cin, cout, k, m, side: 1.0, "PyTorch counts"),
    ],
    "3.3": [
        (lambda layer, x, y: 2 * count_dynamic(layer, x, y), "one multiply-add is two"),
        (lambda layer, x, y: y[0, 0].numel() * layer.weight[0].numel() * len(x), "Add the mixing"),
        (
            lambda layer, x, y: (
                len(x)
                * (
                    (y[0, 0].numel() + layer.num_experts) * layer.weight[0].numel() * layer.groups
                    + layer.in_features * layer.num_experts
                )
            ),
            "groups",
        ),
        (lambda layer, x, y: count_dynamic(layer, x[:1], y[:1]), "one sample"),
        (lambda layer, x, y: 7, "you say 7"),
    ],
}
