"""Typical mistakes in the exercises of chapter 6, each with the hint that it must meet."""

from solutions.chapter_06 import extra_multiply_adds
from ultralytics.nn.modules import SCDown

MISTAKES = {
    "6.1": {
        "count the classes beyond the first": (
            lambda p, one, per: (p - one) / per,
            "how many more",
        ),
        "take the model with one class for no number": (
            lambda p, one, per: (p - one) // per + 1 if (p - one) % per == 0 and p > one else None,
            "model with 1 class you say None",
        ),
        "write the numbers of one example into the code": (
            lambda p, one, per: (
                (p - 1000) // 390 + 1 if (p - 1000) % 390 == 0 and p >= 1000 else None
            ),
            "model with 12 classes you say None",
        ),
        "round where nothing fits": (
            lambda p, one, per: round((p - one) / per) + 1,
            "None is wanted",
        ),
        "name a number of classes below one": (
            lambda p, one, per: (p - one) // per + 1 if (p - one) % per == 0 else None,
            "at least one",
        ),
    },
    "6.2": {
        "think that parameters go with the map": (
            {"parameters": "about a quarter"},
            "on how many positions",
        ),
        "take the mixing for the whole": ({"true GFLOPs": "the same"}, "only the mixing stays"),
        "think that the profiler sees nothing": (
            {"printed GFLOPs": "the same"},
            "does see the static layers",
        ),
        "think that a share stays": ({"share of the mixing": "the same"}, "is a share of"),
    },
    "6.3": {
        "make the second convolution a full one": (
            lambda c1, c2, k: c1 * c2 + c2 * c2 * k * k + 4 * c2,
            "within each channel",
        ),
        "leave out both BatchNorms": (
            lambda c1, c2, k: c1 * c2 + c2 * k * k,
            "two BatchNorms are missing",
        ),
        "count one BatchNorm": (lambda c1, c2, k: c1 * c2 + c2 * k * k + 2 * c2, "one behind each"),
        "give the convolutions biases": (
            lambda c1, c2, k: c1 * c2 + c2 * k * k + 6 * c2,
            "have no bias",
        ),
        "count the running mean and variance": (
            lambda c1, c2, k: c1 * c2 + c2 * k * k + 8 * c2,
            "are no parameters",
        ),
        "one kernel for all channels": (
            lambda c1, c2, k: c1 * c2 + k * k + 4 * c2,
            "kernel of its own",
        ),
        "give the first BatchNorm c1 channels": (
            lambda c1, c2, k: c1 * c2 + c2 * k * k + 2 * c1 + 2 * c2,
            "both BatchNorms have c2",
        ),
        "let the second convolution work on c1 channels": (
            lambda c1, c2, k: c1 * c2 + c1 * k * k + 4 * c2,
            "changed the channels already",
        ),
    },
    "6.4": {
        "take a count for a proof": (
            {"B is the network of the post": "follows"},
            "a shortcut has no parameter",
        ),
        "believe what is printed": (
            {"B needs less arithmetic than stock": "follows"},
            "what the profiler sees",
        ),
        "take parameters for memory": (
            {"A trains in less memory than B": "follows"},
            "maps that are kept",
        ),
        "forgive a difference": (
            {"A is not the network of the post": "does not follow"},
            "Something differs",
        ),
    },
    "6.5": {
        "count FLOPs for multiply-adds": (
            lambda cin, cout, k, m: 2 * extra_multiply_adds(cin, cout, k, m),
            "in FLOPs",
        ),
        "forget the mixing": (lambda cin, cout, k, m: m * cin, "mixing is missing"),
        "count the router's bias": (
            lambda cin, cout, k, m: extra_multiply_adds(cin, cout, k, m) + m,
            "no multiply-add",
        ),
        "forget the router": (lambda cin, cout, k, m: m * cout * cin * k * k, "router's Linear"),
        "$M - 1$ for $M$": (lambda cin, cout, k, m: (m - 1) * cout * cin * k * k, "not M − 1"),
    },
}

OTHERS = {
    "6.1": [(lambda p, one, per: p // per, "you say")],
    "6.3": [(lambda c1, c2, k: 7, "you say 7")],
    "6.5": [(lambda cin, cout, k, m: 7, "you say 7")],
}

# Unusual, and right.
RIGHT = {
    "6.1": [lambda p, one, per: next((n for n in range(1, 99) if one + (n - 1) * per == p), None)],
    "6.3": [lambda c1, c2, k: sum(p.numel() for p in SCDown(c1, c2, k, 1).parameters())],
}
