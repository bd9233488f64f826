"""Typical mistakes in the exercises of chapter 10, each with the hint that it must meet."""

import torch
from solutions.chapter_10 import changed_rows, unseen


def noise_without_mean(image):
    noise = torch.randn_like(image)
    return noise - noise.mean((2, 3), keepdim=True)


MISTAKES = {
    "10.1": {
        "multiply-adds for FLOPs": (
            lambda cin, cout, k, side: cin * cout * k * k * side**2 / 1e9,
            "two FLOPs",
        ),
        "give FLOPs for GFLOPs": (
            lambda cin, cout, k, side: 2 * cin * cout * k * k * side**2,
            "divide by 10",
        ),
        "the side for the area": (
            lambda cin, cout, k, side: 2 * cin * cout * k * k * side / 1e9,
            "side² positions",
        ),
        "count one position": (
            lambda cin, cout, k, side: 2 * cin * cout * k * k / 1e9,
            "one position of the output",
        ),
        "$k$ for $k^2$": (
            lambda cin, cout, k, side: 2 * cin * cout * k * side**2 / 1e9,
            "k × k numbers",
        ),
        "multiply by the experts": (
            lambda cin, cout, k, side: 4 * unseen(cin, cout, k, side),
            "number of experts does not matter",
        ),
    },
    "10.2": {
        "leave the image as it is": (lambda image: image, "as they were"),
        "paint over the image": (
            lambda image: image.copy_(image.mean((2, 3), keepdim=True).expand_as(image)),
            "painted over `image` itself",
        ),
        "add noise that nobody sees": (
            lambda image: image + 1e-5 * noise_without_mean(image),
            "as they were, to within 1/255",
        ),
        "shuffle the pixels, and add noise that nobody sees": (
            lambda image: image.roll(5, 3) + 1e-4 * noise_without_mean(image),
            "the same pixels in other places",
        ),
        "swap the channels": (lambda image: image.flip(1), "channels changed places"),
        "swap the images": (lambda image: image.flip(0), "images changed places"),
        "one grey for all three colours": (
            lambda image: image.mean((1, 2, 3), keepdim=True).expand_as(image),
            "one for each colour",
        ),
        "one colour for the whole batch": (
            lambda image: image.mean((0, 2, 3), keepdim=True).expand_as(image),
            "over the batch too",
        ),
        "shuffle the pixels": (
            lambda image: image.flatten(2)[:, :, torch.randperm(192)].view_as(image),
            "the same pixels in other places",
        ),
        "mirror the image": (lambda image: image.flip(3), "the same pixels in other places"),
    },
    "10.3": {
        "compare the classes of the rows, which misses the head": (
            lambda stock, variant, meant: [
                i
                for i, (a, b) in enumerate(zip(stock.model, variant.model))
                if i not in meant and type(a) is not type(b)
            ],
            "head is missing",
        ),
        "compare the texts of the rows": (
            lambda stock, variant, meant: [
                i
                for i, (a, b) in enumerate(zip(stock.model, variant.model))
                if i not in meant and str(a) != str(b)
            ],
            "row 0 has the same number",
        ),
        "list the rows that were meant": (
            lambda stock, variant, meant: sorted({*meant, *changed_rows(stock, variant, meant)}),
            "meant to change",
        ),
        "name the head, whatever the model": (
            lambda stock, variant, meant: [23],
            "row 23 has the same number",
        ),
    },
}

OTHERS = {
    "10.1": [(lambda cin, cout, k, side: 7, "you say 7")],
    "10.2": [
        (lambda image: 1 - image, "mean of a channel moved by"),
        (lambda image: image.mean((2, 3)), r"\(3, 3, 12, 16\) is wanted"),
    ],
    "10.3": [
        # by the number of tensors, and rows that grew only
        (
            lambda stock, variant, meant: [
                i
                for i in changed_rows(stock, variant, meant)
                if len([*stock.model[i].parameters()]) != len([*variant.model[i].parameters()])
            ],
            r"the rows are \[1\], you say \[\]",
        ),
        (
            lambda stock, variant, meant: [
                i
                for i in changed_rows(stock, variant, meant)
                if stock.model[i].np < variant.model[i].np
            ],
            r"the rows are \[1\], you say \[\]",
        ),
        (lambda stock, variant, meant: changed_rows(stock, variant, meant)[-1:], "the rows are"),
        (lambda stock, variant, meant: True, "a list of whole numbers"),
    ],
}

# Unusual, and right.
RIGHT = {
    "10.2": [
        lambda image: image + noise_without_mean(image),
        lambda image: 2 * image.mean((2, 3), keepdim=True) - image,
    ],
    "10.3": [
        lambda stock, variant, meant: set(changed_rows(stock, variant, meant)),
        lambda stock, variant, meant: [
            row.i for row in stock.model if row.np != variant.model[row.i].np and row.i not in meant
        ],
    ],
}
