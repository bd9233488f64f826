"""Typical mistakes in the exercises of chapter 10, each with the hint that it must meet."""

from dynconv.exercises.solutions.chapter_10 import changed_rows, unseen

MISTAKES = {
    "10.1": [
        (lambda cin, cout, k, side: cin * cout * k * k * side**2 / 1e9, "two FLOPs"),
        (lambda cin, cout, k, side: 2 * cin * cout * k * k * side**2, "divide by 10"),
        (lambda cin, cout, k, side: 2 * cin * cout * k * k * side / 1e9, "side² positions"),
        (lambda cin, cout, k, side: 2 * cin * cout * k * k / 1e9, "one position of the output"),
        (lambda cin, cout, k, side: 2 * cin * cout * k * side**2 / 1e9, "k × k numbers"),
        (
            lambda cin, cout, k, side: 4 * unseen(cin, cout, k, side),
            "number of experts does not matter",
        ),
        (lambda cin, cout, k, side: 7, "you say 7"),
    ],
    "10.2": [
        (lambda image: image, "as they were"),
        (lambda image: 1 - image, "mean of a channel moved by"),
        (lambda image: image.flip(1), "channels changed places"),
        (lambda image: image.flip(0), "images changed places"),
        (lambda image: image.mean((1, 2, 3), keepdim=True).expand_as(image), "one for each colour"),
        (lambda image: image.mean((0, 2, 3), keepdim=True).expand_as(image), "over the batch too"),
        (lambda image: image.mean((2, 3)), r"\(3, 3, 12, 16\) is wanted"),
    ],
    "10.3": [
        (
            lambda stock, variant, meant: [
                i
                for i, (a, b) in enumerate(zip(stock.model, variant.model))
                if i not in meant and type(a) is not type(b)
            ],
            "head is missing",
        ),
        (
            lambda stock, variant, meant: sorted({*meant, *changed_rows(stock, variant, meant)}),
            "meant to change",
        ),
        (lambda stock, variant, meant: [23], "row 23 has the same number"),
        (lambda stock, variant, meant: changed_rows(stock, variant, meant)[-1:], "the rows are"),
        (lambda stock, variant, meant: True, "a list of row numbers"),
    ],
}
