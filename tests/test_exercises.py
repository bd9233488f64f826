"""Each exercise: its solution passes, an untouched stub is called open, and typical mistakes meet
the right hint.
"""

import ast
import re
from contextlib import contextmanager, nullcontext, suppress
from unittest.mock import patch

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from conftest import ROOT
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from torch import nn

from dynconv import dynamic_conv2d, exercises
from dynconv.exercises.solutions import (
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_07,
    chapter_08,
    chapter_10,
    chapter_11,
    chapter_12,
)
from dynconv.relatives import TimmBackbone

SOLUTIONS = {
    "1.1": chapter_01.mix_kernels,
    "1.2": chapter_01.conv_with_bias,
    "1.3": chapter_01.pointwise,
    "2.1": chapter_02.router,
    "2.2": chapter_02.sensitivity,
    "2.3": chapter_02.with_foreign_alpha,
    "6.1": chapter_06.classes,
    "6.2": chapter_06.scdown_parameters,
    "6.3": chapter_06.extra_multiply_adds,
    "4.1": chapter_04.channels_before_last_conv,
    "4.2": chapter_04.merge,
    "4.3": chapter_04.extra_parameters,
    "3.1": chapter_03.parameter_ratio,
    "3.2": chapter_03.flop_ratio,
    "3.3": chapter_03.count_dynamic,
    "7.1": chapter_07.optimiser_steps,
    "7.2": chapter_07.interval,
    "7.3": chapter_07.verdict,
    "7.4": chapter_07.train_on_digits,
    "8.1": chapter_08.variance_share,
    "8.2": chapter_08.accuracy,
    "8.3": chapter_08.fixed_alpha,
    "10.1": chapter_10.unseen,
    "10.2": chapter_10.same_colour,
    "10.3": chapter_10.changed_rows,
    "11.1": chapter_11.dilating_offsets,
    "11.2": chapter_11.to_torchvision,
    "11.3": chapter_11.numbers_from_the_input,
    "12.1": chapter_12.star_features,
    "12.2": chapter_12.quadratic_form,
    "12.3": chapter_12.rows,
    "5.1": chapter_05.arguments,
    "5.2": chapter_05.wrong_rows,
    "5.3": chapter_05.add_to_base,
}


def kernel_size(cin, cout, k):
    return cout * cin * k * k


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
    with suppress(Exception), chapter_08.fixed_alpha(layer, alpha):
        yield


def rows_of(name, channels, source=0, start=0):
    return [
        [-1, 1, "TimmBackbone", [name]],
        *([source, 1, "Index", [c, i]] for i, c in enumerate(channels, start)),
    ]


MISTAKES = [
    ("1.1", lambda a, w: a[:, :, None, None, None, None] * w, "sum over the experts"),
    ("1.1", lambda a, w: chapter_01.mix_kernels(a / a.sum(1, keepdim=True), w), "sum to one"),
    (
        "1.1",
        lambda a, w: chapter_01.mix_kernels(a.mean(0, keepdim=True).expand_as(a), w),
        "same kernel",
    ),
    ("1.1", lambda a, w: chapter_01.mix_kernels(a, w)[0], r"\(3, 5, 2, 3, 3\) is wanted"),
    ("1.1", lambda a, w: chapter_01.mix_kernels(a, w.flip(0)), "which axis"),
    (
        "1.2",
        lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), padding=1),
        "bias is missing",
    ),
    (
        "1.2",
        lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.sum(0), padding=1),
        "without their α",
    ),
    (
        "1.2",
        lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), b.mean(0), padding=1),
        "without their α",
    ),
    (
        "1.2",
        lambda x, w, b, a: F.conv2d(x, torch.einsum("m,m...->...", a, w), a @ b),
        r"\(1, 4, 8, 8\) is wanted",
    ),
    ("1.3", lambda x, w, a: dynamic_conv2d(x, w, a, stride=2), "no convolution|shape"),
    ("1.3", lambda x, w, a: F.conv2d(x, w[0]), "no convolution"),
    ("1.3", lambda x, w, a: chapter_01.pointwise(x, w.transpose(1, 2), a), "transposed"),
    (
        "1.3",
        lambda x, w, a: chapter_01.pointwise(x, w, a.mean(0, keepdim=True).expand_as(a)),
        "same matrix",
    ),
    ("2.1", lambda x, w, b: torch.softmax(x.mean((2, 3)) @ w.T + b, 1), "softmax"),
    ("2.1", lambda x, w, b: x.mean((2, 3)) @ w.T + b, "logits"),
    ("2.1", lambda x, w, b: torch.sigmoid(x.sum((2, 3)) @ w.T + b), "summed the pixels"),
    ("2.1", lambda x, w, b: torch.sigmoid(x.mean((2, 3)) @ w.T), "bias"),
    ("2.1", lambda x, w, b: torch.sigmoid(x.amax((2, 3)) @ w.T + b), "max pooling"),
    ("2.2", lambda z, t: torch.softmax(z / t, 1) * (1 - torch.softmax(z / t, 1)), "chain rule"),
    ("2.2", lambda z, t: torch.softmax(z, 1) * (1 - torch.softmax(z, 1)) / t, "inside the softmax"),
    ("2.2", lambda z, t: torch.sigmoid(z) * (1 - torch.sigmoid(z)), "sigmoid's slope"),
    ("2.2", lambda z, t: torch.softmax(z / t, 1), "denominator"),
    ("2.3", lambda layer, x, other: layer(x), "still looks at x"),
    ("2.3", lambda layer, x, other: layer(other), "image was swapped"),
    (
        "2.3",
        lambda layer, x, other: dynamic_conv2d(
            x, layer.weight, layer.alpha(other).mean(0).expand(4, -1), padding=1
        ),
        "average α",
    ),
    ("3.1", lambda cin, cout, k, m: m, "router has parameters"),
    ("3.1", lambda cin, cout, k, m: m + m * cin / kernel_size(cin, cout, k), "bias"),
    (
        "3.1",
        lambda cin, cout, k, m: float(m * kernel_size(cin, cout, k) + m * (cin + 1)),
        "divide it",
    ),
    ("3.1", lambda cin, cout, k, m: 1 / m, "the layers themselves say"),
    ("3.2", lambda cin, cout, k, m, side: m, "mix first"),
    ("3.2", lambda cin, cout, k, m, side: 1 + m / side, "not side"),
    ("3.2", lambda cin, cout, k, m, side: 1 + m / side**2, "Linear is missing"),
    ("3.2", lambda cin, cout, k, m, side: 1.0, "PyTorch counts"),
    (
        "3.3",
        lambda layer, x, y: 2 * chapter_03.count_dynamic(layer, x, y),
        "one multiply-add is two",
    ),
    (
        "3.3",
        lambda layer, x, y: y[0, 0].numel() * layer.weight[0].numel() * len(x),
        "Add the mixing",
    ),
    (
        "3.3",
        lambda layer, x, y: (
            len(x)
            * (
                (y[0, 0].numel() + layer.num_experts) * layer.weight[0].numel() * layer.groups
                + layer.in_features * layer.num_experts
            )
        ),
        "groups",
    ),
    ("3.3", lambda layer, x, y: chapter_03.count_dynamic(layer, x[:1], y[:1]), "one sample"),
    ("3.3", lambda layer, x, y: 7, "you say 7"),
    ("6.1", lambda p, one, per: (p - one) / per, "how many more"),
    ("6.1", lambda p, one, per: round((p - one) / per) + 1, "return None"),
    ("6.1", lambda p, one, per: p // per, "you say"),
    ("6.2", lambda c1, c2, k: c1 * c2 + c2 * c2 * k * k + 4 * c2, "within each channel"),
    ("6.2", lambda c1, c2, k: c1 * c2 + c2 * k * k, "two BatchNorms are missing"),
    ("6.2", lambda c1, c2, k: c1 * c2 + c2 * k * k + 2 * c2, "one behind each"),
    ("6.2", lambda c1, c2, k: c1 * c2 + c1 * k * k + 4 * c2, "changed the channels already"),
    ("6.2", lambda c1, c2, k: 7, "you say 7"),
    (
        "6.3",
        lambda cin, cout, k, m: 2 * chapter_06.extra_multiply_adds(cin, cout, k, m),
        "in FLOPs",
    ),
    ("6.3", lambda cin, cout, k, m: m * cout * cin * k * k, "router's Linear"),
    ("6.3", lambda cin, cout, k, m: (m - 1) * cout * cin * k * k, "not M − 1"),
    ("6.3", lambda cin, cout, k, m: 7, "you say 7"),
    ("4.1", lambda c2, n, e: (1 + n) * int(c2 * e), "both halves"),
    ("4.1", lambda c2, n, e: n * int(c2 * e), "two halves of the split come along"),
    ("4.1", lambda c2, n, e: (2 + n) * c2, "not c2"),
    ("4.1", lambda c2, n, e: 7, "you say 7"),
    ("4.2", lambda first, second: first[:, 0] * second, "channels in the middle"),
    (
        "4.2",
        lambda first, second: torch.einsum("mi,omhw->omihw", first[:, :, 0, 0], second),
        "now sum",
    ),
    ("4.2", lambda first, second: chapter_04.merge(first, second).flip(2, 3), "upside down"),
    ("4.2", lambda first, second: chapter_04.merge(first, second) / 4, "averaged"),
    (
        "4.2",
        lambda first, second: chapter_04.merge(first, second) * 2,
        "differs from convolving twice",
    ),
    ("4.3", lambda c, n, m: chapter_04.extra_parameters(c, 1, m), "one bottleneck"),
    ("4.3", lambda c, n, m: chapter_04.extra_parameters(c, n, m) + n * 2 * c, "BatchNorm"),
    ("4.3", lambda c, n, m: n * (m - 1) * 9 * c * c, "router is missing"),
    ("4.3", lambda c, n, m: chapter_04.extra_parameters(c, n, m) + n * 9 * c * c, "not extra"),
    ("4.3", lambda c, n, m: 7, "you say 7"),
    ("5.1", lambda args, n, c1, base, repeat: ([c1, *args], n), "The width scales"),
    (
        "5.1",
        lambda args, n, c1, base, repeat: (
            [c1, *chapter_05.arguments(args, n, c1, True, False)[0][1:2], *args],
            n,
        ),
        "takes the place",
    ),
    ("5.1", lambda args, n, c1, base, repeat: ([c1, int(args[0] * 0.25), *args[1:]], 1), "capped"),
    (
        "5.1",
        lambda args, n, c1, base, repeat: ([c1, int(min(args[0], 1024) * 0.25), *args[1:]], 1),
        "multiple of 8",
    ),
    (
        "5.1",
        lambda args, n, c1, base, repeat: chapter_05.arguments(args, n, c1, base, False),
        "told its repeats",
    ),
    (
        "5.1",
        lambda args, n, c1, base, repeat: (
            chapter_05.arguments(args, n, c1, base, repeat)[0],
            max(round(n * 0.33), 1),
        ),
        "there is one of it",
    ),
    (
        "5.1",
        lambda args, n, c1, base, repeat: chapter_05.arguments(args, n / 0.33, c1, base, repeat),
        "depth scales",
    ),
    (
        "5.1",
        lambda args, n, c1, base, repeat: chapter_05.arguments(args, n, c1, True, repeat),
        "as they are",
    ),
    (
        "5.2",
        lambda model: [i for i, m in enumerate(model.model) if isinstance(m, nn.Sequential)],
        "row 1 is a Sequential with good reason",
    ),
    (
        "5.2",
        lambda model: [i for i, row in enumerate(model.yaml["backbone"]) if "C2f_D" in row[2]],
        "all rows that name",
    ),
    (
        "5.2",
        lambda model: [
            i for i in chapter_05.wrong_rows(model) if isinstance(model.model[i], nn.Sequential)
        ],
        "became of its `True`",
    ),
    (
        "5.2",
        lambda model: [
            i for i in chapter_05.wrong_rows(model) if not isinstance(model.model[i], nn.Sequential)
        ],
        "lost its shortcut",
    ),
    ("5.2", lambda model: [2, 4, 6], "built rightly you find"),
    ("5.3", lambda source: source.replace("Conv,", "Conv, DynamicConv,"), "That is edit 3"),
    (
        "5.3",
        lambda source: re.sub("(base_modules = frozenset[(]\\s*{)", r"\1 DynamicConv,", source),
        "word base_modules",
    ),
    (
        "5.3",
        lambda source: re.sub(
            "([{(])(\\s*)(Conv|Bottleneck\\w*|C3),", r"\1\2DynamicConv, \3,", source
        ),
        "second collection, too|edit 3",
    ),
    (
        "5.3",
        lambda source: ast.unparse(ast.parse(chapter_05.add_to_base(source))),
        "comment got lost",
    ),
    ("5.3", lambda source: source[:-1] + "DynamicConv", "not valid Python|something else|0 times"),
    ("5.3", lambda source: chapter_05.add_to_base(chapter_05.add_to_base(source)), "2 times"),
    (
        "5.3",
        lambda source: chapter_05.add_to_base(source) + "EXTRA = 1\n",
        "something else changed",
    ),
    ("7.1", lambda images, batch, nbs, epochs: -(-images // batch) * epochs, "counts the batches"),
    (
        "7.1",
        lambda images, batch, nbs, epochs: (
            chapter_07.optimiser_steps(images, batch, nbs, 1) * epochs
        ),
        "is not lost",
    ),
    (
        "7.1",
        lambda images, batch, nbs, epochs: images // batch * epochs // max(round(nbs / batch), 1),
        "round up",
    ),
    ("7.1", lambda images, batch, nbs, epochs: images * epochs // nbs, "never split"),
    (
        "7.2",
        lambda scores: chapter_07.stats.t.interval(
            0.95, len(scores) - 1, np.mean(scores), np.std(scores) / len(scores) ** 0.5
        ),
        "ddof=1",
    ),
    (
        "7.2",
        lambda scores: chapter_07.stats.t.interval(
            0.95, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1)
        ),
        "single runs scatter",
    ),
    (
        "7.2",
        lambda scores: chapter_07.stats.t.interval(
            0.95, 1e9, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
        ),
        "1.96",
    ),
    (
        "7.2",
        lambda scores: chapter_07.stats.t.interval(
            0.95, len(scores), np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
        ),
        "degrees of freedom",
    ),
    (
        "7.2",
        lambda scores: chapter_07.stats.t.interval(
            0.90, len(scores) - 1, np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
        ),
        "on each side",
    ),
    ("7.2", lambda scores: (min(scores), max(scores)), "half-width|around the mean"),
    (
        "7.3",
        lambda stock, variant: "better" if np.mean(variant) > np.mean(stock) else "worse",
        "shows nothing|no spread",
    ),
    ("7.3", lambda stock, variant: chapter_07.verdict(variant, stock), "wrong way round"),
    ("7.3", lambda stock, variant: "no difference shown", "'better', you say"),
    (
        "7.4",
        lambda images, settings, folder: chapter_07.training.train(
            "yolov10n", chapter_07.scenes.make(folder, train=8, val=8), settings, folder=folder
        ),
        "disc, square, triangle",
    ),
    (
        "7.4",
        lambda images, settings, folder: chapter_07.train_on_digits(
            images, settings | {"epochs": 1}, folder
        ),
        "pass the settings on",
    ),
    (
        "7.4",
        lambda images, settings, folder: chapter_07.train_on_digits(2 * images, settings, folder),
        "the run has 16",
    ),
    (
        "7.4",
        lambda images, settings, folder: chapter_07.train_on_digits(images, settings, folder).mAP50,
        "what training.train returns",
    ),
    ("8.1", lambda alpha, lights: 1 - chapter_08.variance_share(alpha, lights), "share [*]within"),
    (
        "8.1",
        lambda alpha, lights: chapter_08.variance_share(alpha, lights) ** 0.5,
        "without a root",
    ),
    (
        "8.1",
        lambda alpha, lights: np.mean(
            [chapter_08.variance_share(alpha[:, [m]], lights) for m in range(alpha.shape[1])]
        ),
        "averaged the shares",
    ),
    (
        "8.1",
        lambda alpha, lights: (
            np.var([alpha[np.array(lights) == name].mean(0) for name in set(lights)], 0).sum()
            / alpha.var(0).sum()
        ),
        "counts the same",
    ),
    (
        "8.1",
        lambda alpha, lights: chapter_08.variance_share(alpha.mean(1, keepdims=True), lights),
        "over the experts before",
    ),
    ("8.1", lambda alpha, lights: 0.1234, "you say 0.1234"),
    ("8.2", lambda alpha, lights: with_itself(alpha, np.array(lights)), "Leave it out"),
    (
        "8.2",
        lambda alpha, lights: cross_val_score(
            KNeighborsClassifier(1), alpha, lights, cv=LeaveOneOut()
        ).mean(),
        r"nearest other [*]image",
    ),
    ("8.2", lambda alpha, lights: 1 - chapter_08.accuracy(alpha, lights), "wrong guesses"),
    (
        "8.2",
        lambda alpha, lights: chapter_08.accuracy(alpha, lights) * len(alpha),
        "divide by the number",
    ),
    ("8.2", lambda alpha, lights: 0.1234, "you say 0.1234"),
    (
        "8.3",
        lambda layer, alpha: setattr(layer, "alpha", lambda x: alpha.expand(len(x), -1)) or layer,
        "needs a context manager",
    ),
    ("8.3", lambda layer, alpha: nullcontext(), "router still decides"),
    (
        "8.3",
        lambda layer, alpha: patch.object(
            layer, "alpha", lambda x: alpha.flip(0).expand(len(x), -1)
        ),
        "not that of the given α",
    ),
    ("8.3", lambda layer, alpha: without_clean_up(layer, alpha), "brings the method back"),
    ("8.3", lambda layer, alpha: clean_up_without_finally(layer, alpha), "finally"),
    ("8.3", lambda layer, alpha: swallows(layer, alpha), "swallowed"),
    ("10.1", lambda cin, cout, k, side: cin * cout * k * k * side**2 / 1e9, "two FLOPs"),
    ("10.1", lambda cin, cout, k, side: 2 * cin * cout * k * k * side**2, "divide by 10"),
    ("10.1", lambda cin, cout, k, side: 2 * cin * cout * k * k * side / 1e9, "side² positions"),
    ("10.1", lambda cin, cout, k, side: 2 * cin * cout * k * k / 1e9, "one position of the output"),
    ("10.1", lambda cin, cout, k, side: 2 * cin * cout * k * side**2 / 1e9, "k × k numbers"),
    (
        "10.1",
        lambda cin, cout, k, side: 4 * chapter_10.unseen(cin, cout, k, side),
        "number of experts does not matter",
    ),
    ("10.1", lambda cin, cout, k, side: 7, "you say 7"),
    ("10.2", lambda image: image, "as they were"),
    ("10.2", lambda image: 1 - image, "mean of a channel moved by"),
    ("10.2", lambda image: image.flip(1), "channels changed places"),
    ("10.2", lambda image: image.flip(0), "images changed places"),
    (
        "10.2",
        lambda image: image.mean((1, 2, 3), keepdim=True).expand_as(image),
        "one for each colour",
    ),
    (
        "10.2",
        lambda image: image.mean((0, 2, 3), keepdim=True).expand_as(image),
        "over the batch too",
    ),
    ("10.2", lambda image: image.mean((2, 3)), r"\(3, 3, 12, 16\) is wanted"),
    (
        "10.3",
        lambda stock, variant, meant: [
            i
            for i, (a, b) in enumerate(zip(stock.model, variant.model))
            if i not in meant and type(a) is not type(b)
        ],
        "head is missing",
    ),
    (
        "10.3",
        lambda stock, variant, meant: sorted(
            {*meant, *chapter_10.changed_rows(stock, variant, meant)}
        ),
        "meant to change",
    ),
    ("10.3", lambda stock, variant, meant: [23], "row 23 has the same number"),
    (
        "10.3",
        lambda stock, variant, meant: chapter_10.changed_rows(stock, variant, meant)[-1:],
        "the rows are",
    ),
    ("10.3", lambda stock, variant, meant: True, "a list of row numbers"),
    ("11.1", lambda k, d: chapter_11.dilating_offsets(k, d + 1), "the way there"),
    (
        "11.1",
        lambda k, d: chapter_11.dilating_offsets(k, d).view(-1, 2).flip(1).flatten(),
        "wrong way round",
    ),
    ("11.1", lambda k, d: -chapter_11.dilating_offsets(k, d), "check the sign"),
    (
        "11.1",
        lambda k, d: chapter_11.dilating_offsets(k, d).view(-1, 2).T.flatten(),
        "in pairs, tap by tap",
    ),
    (
        "11.1",
        lambda k, d: chapter_11.dilating_offsets(k, d) + (d - 1) * (k // 2),
        "from the corner",
    ),
    ("11.1", lambda k, d: torch.zeros(2 * k * k), "differs from the dilated convolution"),
    ("11.1", lambda k, d: torch.zeros(1, 2 * k * k, 1, 1), r"\(18,\) is wanted"),
    ("11.2", lambda offset: offset.reshape(2, 54, 4, 5), "does not move an axis"),
    ("11.2", lambda offset: offset.permute(0, 3, 4, 5, 1, 2).flatten(1, 3), "Now the order"),
    (
        "11.2",
        lambda offset: offset.flip(-1).permute(0, 3, 4, 5, 1, 2).flatten(1, 3),
        "The taps still go column by column",
    ),
    (
        "11.2",
        lambda offset: chapter_11.to_torchvision(offset.flip(-1)),
        r"Each pair is still \(horizontal, vertical\)",
    ),
    ("11.2", lambda offset: chapter_11.to_torchvision(offset.flip(3)), "differs from DCNv3"),
    ("11.2", lambda offset: chapter_11.to_torchvision(offset)[0], r"\(2, 54, 4, 5\) is wanted"),
    (
        "11.3",
        lambda operator, M, k, G, H, W: {"static": k * k}.get(operator, 0),
        "computes nothing from the image",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: chapter_11.numbers_from_the_input(
            operator, M * H * W, k, G, H, W
        ),
        "one set of α for all positions",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: chapter_11.numbers_from_the_input(
            operator, M * k * k, k, G, H, W
        ),
        "The mixed kernel follows",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: chapter_11.numbers_from_the_input(operator, M, k, G, 1, 1),
        "one output pixel",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: chapter_11.numbers_from_the_input(operator, M, k, 1, H, W),
        "groups of channels has its own",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(
            operator, k * k * G * H * W
        ),
        "two coordinates",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(
            operator, 2 * k * k * G * H * W
        ),
        "the mask is missing",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: {
            "static": 0,
            "dynamic": M,
            "deformable": 2 * k * k * G * H * W,
        }.get(operator, k * k * G * H * W),
        "that is the mask",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: chapter_11.numbers_from_the_input(operator, M, 3, G, H, W),
        "wrong for k=5",
    ),
    (
        "11.3",
        lambda operator, M, k, G, H, W: {"static": 0, "dynamic": M}.get(operator, 7),
        "you say 7",
    ),
    ("11.3", lambda operator, M, k, G, H, W: 0.5, "whole number"),
    ("12.1", lambda d, bias: (d + bias) ** 2, "count each pair once"),
    ("12.1", lambda d, bias: d * (d + 1) / 2, "bias is missing"),
    ("12.1", lambda d, bias: (d + 1) * (d + 2) / 2, "no 1 in x"),
    ("12.1", lambda d, bias: (d + bias) * (d + bias - 1) / 2, "squares are missing"),
    ("12.1", lambda d, bias: (d + bias) ** 2 // 2, "do not halve them"),
    ("12.1", lambda d, bias: d * (d + 1) / 2 + bias, "makes that number itself"),
    ("12.1", lambda d, bias: 2 * (d + bias), "two lists of weights"),
    ("12.1", lambda d, bias: 7, "you say 7"),
    ("12.2", lambda w1, w2: torch.outer(w1, w2), "not symmetric: entry"),
    ("12.2", lambda w1, w2: torch.outer(w1, w2) + torch.outer(w2, w1), "half of their sum"),
    ("12.2", lambda w1, w2: torch.diag(w1 * w2), "only the squares"),
    ("12.2", lambda w1, w2: w1 * w2, "where do the mixed products stand"),
    (
        "12.2",
        lambda w1, w2: torch.triu(2 * chapter_12.quadratic_form(w1, w2), 1) + torch.diag(w1 * w2),
        "above the diagonal",
    ),
    (
        "12.2",
        lambda w1, w2: 2 * chapter_12.quadratic_form(w1, w2) - torch.diag(w1 * w2),
        "half of it belongs in each",
    ),
    ("12.2", lambda w1, w2: torch.outer(w1, w2).tril(), "A is not symmetric[.]"),
    ("12.2", lambda w1, w2: chapter_12.quadratic_form(w1, w1), "for a random x"),
    ("12.2", lambda w1, w2: w1 @ w2, r"\(3, 3\) is wanted"),
    (
        "12.3",
        lambda name: rows_of(
            name, timm.create_model(name, features_only=True).feature_info.channels()[:3]
        ),
        "other strides",
    ),
    ("12.3", lambda name: rows_of(name, TimmBackbone(name).channels[::-1]), "reverse order"),
    (
        "12.3",
        lambda name: rows_of(name, TimmBackbone(name).channels, source=-1),
        "reads the list of row 0",
    ),
    (
        "12.3",
        lambda name: [[-1, 1, "TimmBackbone", name], *chapter_12.rows(name)[1:]],
        "arguments are a list",
    ),
    ("12.3", lambda name: rows_of(name, [48, 96, 192]), "to every network"),
    ("12.3", lambda name: rows_of(name, TimmBackbone(name).channels, start=1), "count from 0"),
    (
        "12.3",
        lambda name: [row[:3] + [row[3][::-1]] for row in chapter_12.rows(name)],
        "turned round",
    ),
    (
        "12.3",
        lambda name: rows_of(name, [c + 1 for c in TimmBackbone(name).channels]),
        "must name the channels",
    ),
    (
        "12.3",
        lambda name: rows_of("resnet18", TimmBackbone(name).channels),
        "first argument of TimmBackbone",
    ),
    (
        "12.3",
        lambda name: [[*row[:2], TimmBackbone, row[3]] for row in chapter_12.rows(name)],
        "a YAML holds names",
    ),
    ("12.3", lambda name: chapter_12.rows(name)[:1], "a list of four rows"),
    ("12.3", lambda name: [row[1:] for row in chapter_12.rows(name)], "a row has four entries"),
    (
        "12.3",
        lambda name: chapter_12.rows(name)[1:] + chapter_12.rows(name)[:1],
        "first comes TimmBackbone",
    ),
    (
        "12.3",
        lambda name: [[row[0], 3, *row[2:]] for row in chapter_12.rows(name)],
        "the second entry is 1",
    ),
    (
        "12.3",
        lambda name: [[0, *chapter_12.rows(name)[0][1:]], *chapter_12.rows(name)[1:]],
        "reads the image",
    ),
    (
        "12.3",
        lambda name: [row[:3] + [row[3][:1]] for row in chapter_12.rows(name)],
        "two whole numbers",
    ),
]


@pytest.mark.parametrize("number", SOLUTIONS)
def test_the_solution_passes(number):
    verdict, message = exercises.grade(number, SOLUTIONS[number])
    assert verdict == "right", message


@pytest.mark.parametrize("number", SOLUTIONS)
@pytest.mark.parametrize("stub", [lambda *a: ..., lambda *a: None])
def test_an_untouched_stub_is_open(number, stub):
    assert exercises.grade(number, stub)[0] == "open"


@pytest.mark.parametrize("number, answer, hint", MISTAKES)
def test_a_typical_mistake_meets_its_hint(number, answer, hint):
    verdict, message = exercises.grade(number, answer)
    assert verdict == "wrong"
    assert re.search(hint, message), message


@pytest.mark.parametrize("number", SOLUTIONS)
def test_whatever_the_answer_raises_or_returns_is_feedback(number):
    def crash(*arguments):
        raise RuntimeError("oops")

    assert exercises.grade(number, crash) == ("wrong", "your code raised RuntimeError: oops")
    for nonsense in ("text", [1, 2], True, object()):
        assert exercises.grade(number, lambda *a, nonsense=nonsense: nonsense)[0] == "wrong"
    assert exercises.grade(number, 42)[0] == "wrong"  # not a function
    assert (
        F.conv2d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).item() == 1
    )  # exercise 1.3 gave conv2d back


def test_every_exercise_has_solution_mistakes_chapter_and_page():
    assert set(SOLUTIONS) == set(exercises.EXERCISES) == {number for number, _, _ in MISTAKES}
    for number in SOLUTIONS:
        assert sum(mistake[0] == number for mistake in MISTAKES) >= 2
        chapter_number = f"{int(number.split('.')[0]):02d}"
        chapter = next((ROOT / "notebooks").glob(f"{chapter_number}_*.ipynb")).read_text(
            encoding="utf-8"
        )
        assert f"### Exercise {number}" in chapter and f'check(\\"{number}\\"' in chapter
        page = (ROOT / f"book/solutions/chapter_{chapter_number}.md").read_text(encoding="utf-8")
        assert (
            f"## Exercise {number}" in page and f":pyobject: {SOLUTIONS[number].__name__}" in page
        )


def test_check_prints_and_an_unknown_number_is_named(capsys):
    exercises.check("1.1", SOLUTIONS["1.1"])
    exercises.check("1.1", lambda a, w: ...)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("✓ Exercise 1.1: right") and printed[1].startswith(
        "○ Exercise 1.1: not attempted yet"
    )
    with pytest.raises(ValueError, match="no exercise '9.9'; there are 1.1, 1.2"):
        exercises.check("9.9", None)
