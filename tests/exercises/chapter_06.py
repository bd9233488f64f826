"""Typical mistakes in the exercises of chapter 6, each with the hint that it must meet."""

from dynconv.exercises.solutions.chapter_06 import extra_multiply_adds

MISTAKES = {
    "6.1": [
        (lambda p, one, per: (p - one) / per, "how many more"),
        (lambda p, one, per: round((p - one) / per) + 1, "return None"),
        (lambda p, one, per: p // per, "you say"),
    ],
    "6.2": [
        (lambda c1, c2, k: c1 * c2 + c2 * c2 * k * k + 4 * c2, "within each channel"),
        (lambda c1, c2, k: c1 * c2 + c2 * k * k, "two BatchNorms are missing"),
        (lambda c1, c2, k: c1 * c2 + c2 * k * k + 2 * c2, "one behind each"),
        (lambda c1, c2, k: c1 * c2 + c1 * k * k + 4 * c2, "changed the channels already"),
        (lambda c1, c2, k: 7, "you say 7"),
    ],
    "6.3": [
        (lambda cin, cout, k, m: 2 * extra_multiply_adds(cin, cout, k, m), "in FLOPs"),
        (lambda cin, cout, k, m: m * cout * cin * k * k, "router's Linear"),
        (lambda cin, cout, k, m: (m - 1) * cout * cin * k * k, "not M − 1"),
        (lambda cin, cout, k, m: 7, "you say 7"),
    ],
}
