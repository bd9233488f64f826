"""Figures to touch: each is one small ES module of `figures/`, written into the page as a custom
element.

Nothing runs in Python while the reader plays, so a figure works alike on the built site (which has
no kernel), in JupyterLab and in Colab, and asks no other host for anything. Nothing is computed
here either: a figure's data are plain arrays.
"""

from __future__ import annotations

import base64
import io

from PIL import Image

from ..checks import as_array, is_int, shown
from . import style
from .arrays import as_alpha, one_of, within
from .custom_element import Widget as Widget
from .custom_element import module as module
from .questions import questions as questions

MOST_EXPERTS = len(style.EXPERTS)


def kernel_mixer(image=None, experts=None, alpha=None, images: dict | None = None) -> Widget:
    """Mix expert kernels with sliders and see Y = X ∗ (Σ αᵢWᵢ) change.

    Args:
        image: X, (H, W), grey values from 0 to 1.
        experts: M kernels, (M, k, k), M from 1 to 8.
        alpha: the setting to start from, (M,), each from 0 to 1; 1/M each if left out.
        images: more images to choose from, {name: (H, W)}; all must be as large as `image`. Instead
            of `image` or besides it.
    """
    if not isinstance(images, dict | None):
        raise TypeError(f"images must be a dictionary {{name: (H, W)}}, got {shown(images)}")
    chosen = ({} if image is None else {"X": image}) | (images or {})
    if not chosen:
        raise ValueError("give at least one picture: image=(H, W) array, or images={name: array}")
    pictures = {name: as_array(f"image {name!r}", picture, 2) for name, picture in chosen.items()}
    if len({picture.shape for picture in pictures.values()}) > 1:
        shapes = ", ".join(f"{name!r} {picture.shape}" for name, picture in pictures.items())
        raise ValueError(f"all images must have the same shape, got {shapes}")
    for name, picture in pictures.items():
        within(f"image {name!r}", picture, 0, 1)
    experts = as_array("experts", experts, 3)
    M = len(experts)
    if M > MOST_EXPERTS:
        raise ValueError(
            f"experts must be 1 to {MOST_EXPERTS} kernels (each has its own colour and hatch),"
            f" got {M}"
        )
    alpha = as_alpha([1 / M] * M if alpha is None else alpha, M)
    within("alpha", alpha, 0, 1)
    rows = [
        {"name": str(name), "pixels": picture.round(3).tolist()}
        for name, picture in pictures.items()
    ]
    return Widget(
        "kernel_mixer", {"images": rows, "experts": experts.tolist(), "alpha": alpha.tolist()}
    )


def sigmoid_softmax(logits=(0.0, 0.0, 0.0, 0.0), temperature: float = 1.0) -> Widget:
    """Compare sigmoid(z) with softmax(z / τ) while logits and temperature move.

    Args:
        logits: z to start from, (M,), M from 2 to 8, each from −4 to 4.
        temperature: τ to start from, 0.1 to 10.
    """
    logits = as_array("logits", logits, 1)
    if not 2 <= len(logits) <= MOST_EXPERTS:
        raise ValueError(
            f"logits must be 2 to {MOST_EXPERTS} numbers, one per expert, got {len(logits)}"
        )
    within("logits", logits, -4, 4)
    within("temperature", as_array("temperature", temperature, 0), 0.1, 10)
    return Widget("sigmoid_softmax", {"logits": logits.tolist(), "temperature": float(temperature)})


def cost(
    c_in: int = 128,
    c_out: int = 256,
    kernel_size: int = 3,
    experts: int = 4,
    side: int = 20,
    presets: dict | None = None,
) -> Widget:
    """Compare a dynamic layer with its static one: parameters, true FLOPs, and the FLOPs that a
    naive profiler reports.

    Args:
        c_in, c_out: channels to start from, powers of two from 8 to 512.
        kernel_size: k, one of 1, 3, 5, 7.
        experts: M, 1 to 8.
        side: height and width of the output, 1 to 160.
        presets: buttons, {text: (c_in, c_out, kernel_size, side)}; three layers of YOLOv10n if left
            out.
    """
    start = (c_in, c_out, kernel_size, side)
    if presets is None:
        presets = {
            "16→32 @160": (16, 32, 3, 160),
            "128→256 @20": (128, 256, 3, 20),
            "128→256 @5": (128, 256, 3, 5),
        }
    for name, values in {"": start, **presets}.items():
        of = f" of preset {name!r}" if name else ""
        if len(values) != 4:
            raise ValueError(
                f"preset {name!r} must be (c_in, c_out, kernel_size, side), got {values!r}"
            )
        for what, value, allowed in zip(
            ("c_in", "c_out", "kernel_size", "side"), values, _COST_RANGES
        ):
            one_of(what + of, value, allowed)
    one_of("experts", experts, range(1, MOST_EXPERTS + 1))
    data = dict(zip(("cIn", "cOut", "k", "side"), start), M=experts)
    return Widget(
        "cost",
        data | {"presets": [{"name": str(n), "values": list(v)} for n, v in presets.items()]},
    )


def recorded_alpha(images, conditions, alpha: dict, means: dict, closeups: dict) -> Widget:
    """Pick an image and see its α in every dynamic layer beside the means of the conditions, and
    the kernel that came of it.

    Args:
        images: N grey pictures, (N, H, W), from 0 to 1; small ones, since they are written into the
            page.
        conditions: of each image, one of `style.LIGHTS`.
        alpha: {layer: (N, M)}, what `routing.record` gave for these images.
        means: {condition: {layer: (M,)}}, what `routing.means` gave for a whole data set.
        closeups: {layer: CloseUp}, what `routing.closeups` gave for it.
    """
    pictures = as_array("images", images, 3)
    within("images", pictures, 0, 1)
    if len(conditions) != len(pictures):
        raise ValueError(
            f"conditions must have one name per image ({len(pictures)}), got {len(conditions)}"
        )
    for name in {*means, *conditions}:
        one_of("a condition", name, tuple(style.LIGHTS))
    if missing := set(conditions) - set(means):
        raise ValueError(f"means has no entry for {sorted(missing)[0]!r}")
    if not alpha or set(alpha) != set(closeups):
        raise ValueError(
            f"alpha and closeups must have the same layers, at least one; got {list(alpha)} and"
            f" {list(closeups)}"
        )
    if len(shapes := {closeup.experts.shape[1:] for closeup in closeups.values()}) > 1:
        raise ValueError(
            f"the kernels of all layers must have one size to be shown, got {sorted(shapes)}"
        )
    layers = []
    for name, rows in alpha.items():
        rows, closeup = as_array(f"alpha of {name!r}", rows, 2), closeups[name]
        expected = (len(pictures), len(closeup.experts))
        if rows.shape != expected:
            raise ValueError(
                f"alpha of {name!r} must have shape {expected}, images and experts, got"
                f" {rows.shape}"
            )
        as_alpha(rows[0])  # not more experts than there are colours
        within(f"alpha of {name!r}", rows, 0, 1)
        scale = abs(closeup.gram).max()  # only ratios are shown
        layers.append(
            {
                "name": name,
                "part": f"output channel {closeup.output + 1}, input channel {closeup.input + 1}",
                "alpha": rows.round(3).tolist(),
                "means": [means[light][name].round(4).tolist() for light in means],
                "mean": closeup.mean.round(4).tolist(),
                "experts": closeup.experts.round(4).tolist(),
                "gram": (closeup.gram / scale).round(5).tolist(),
            }
        )
    lights = list(means)
    return Widget(
        "recorded_alpha",
        {
            "images": [
                {"picture": _png(picture), "condition": lights.index(name)}
                for picture, name in zip(pictures, conditions)
            ],
            "conditions": [{"name": name, "mark": style.LIGHTS[name][0]} for name in lights],
            "layers": layers,
        },
    )


def sampling(image, kernel, at: tuple[int, int] | None = None) -> Widget:
    """Move the places where a deformable convolution reads X, and see what one pixel of Y and the
    whole of Y become.

    The figure computes what `torchvision.ops.deform_conv2d` computes with stride 1 and padding k //
    2. Its offsets are those of five sliders; 'towards light' stands in for the second convolution
    that a real layer learns: it moves each place along the gradient of a blurred X. Full colour in
    Y is the largest |value| of the ordinary convolution, so that colours keep their meaning.

    Args:
        image: X, (H, W), grey values from 0 to 1, at least as large as the kernel.
        kernel: one kernel, (k, k), k 3 or 5.
        at: the pixel of Y to start from, (row, column), counted from 0; the middle if left out.
    """
    x, kernel = as_array("image", image, 2), as_array("kernel", kernel, 2)
    within("image", x, 0, 1)
    if kernel.shape not in ((3, 3), (5, 5)):
        raise ValueError(f"kernel must have shape (3, 3) or (5, 5), got {kernel.shape}")
    if min(x.shape) < len(kernel):
        raise ValueError(
            f"image must be at least as large as the kernel, {kernel.shape}, got {x.shape}"
        )
    at = [size // 2 for size in x.shape] if at is None else at
    if not isinstance(at, (list, tuple)) or len(at) != 2:
        raise ValueError(f"at must be (row, column), got {shown(at)}")
    for what, value, size in zip(("row", "column"), at, x.shape):
        one_of(f"{what} of at", value, range(size))
    pixels, start = x.round(3).tolist(), [int(value) for value in at]
    return Widget("sampling", {"image": pixels, "kernel": kernel.tolist(), "at": start})


def star(points=None, labels=None) -> Widget:
    """Turn and shift two linear functions f and g of the plane, and see their sum f + g beside
    their product f · g, the star operation.

    Args:
        points: points to sort into two classes, (N, 2), each coordinate from −2 to 2; none if left
            out.
        labels: their classes, (N,), 0 or 1. A function is right about a point of class 1 where it
            is positive, of class 0 where it is negative.
    """
    if (points is None) != (labels is None):
        raise ValueError(
            "points and labels belong together, got only"
            f" {'labels' if points is None else 'points'}"
        )
    if points is None:
        return Widget("star", {"points": [], "labels": []})
    points, labels = as_array("points", points, 2), as_array("labels", labels, 1)
    if points.shape[1] != 2:
        raise ValueError(f"points must have shape (N, 2), got {points.shape}")
    within("points", points, -2, 2)
    if len(labels) != len(points):
        raise ValueError(f"labels must have one class per point ({len(points)}), got {len(labels)}")
    for value in labels:
        one_of("a label", value.item(), (0, 1))
    return Widget(
        "star", {"points": points.round(3).tolist(), "labels": labels.astype(int).tolist()}
    )


def learning(pictures: dict, kernels: dict, seed: int = 0, learning_rate: float = 0.01) -> Widget:
    """Watch the experts and the router of `DynamicConv(1, 1, 3, padding="valid")` learn what two
    kinds of pictures want, beside the error of the best single kernel, by least squares.

    The loss is the mean squared error / variance over all pictures. The reader chooses one, two or
    four experts, a softmax, a sigmoid or no router (each α is 1/M), and whether the kinds differ.

    Args:
        pictures: grey pictures of each of two kinds, {name: (N, H, W)}, from 0 to 1, all as large;
            small ones, since they are written into the page. The first of a kind is shown.
        kernels: what each kind wants, {name: (3, 3)}: its pictures convolved with this kernel.
        seed: names the start of the experts and the router; 'reset' goes to the next one.
        learning_rate: to start from, 0.001 to 0.05.
    """
    if len(pictures) != 2 or list(pictures) != list(kernels):
        raise ValueError(
            "pictures and kernels must have the same two names in the same order, got"
            f" {list(pictures)} and {list(kernels)}"
        )
    grey = {name: as_array(f"pictures of {name!r}", p, 3) for name, p in pictures.items()}
    wanted = {name: as_array(f"kernel of {name!r}", k, 2) for name, k in kernels.items()}
    sizes = {name: p.shape[1:] for name, p in grey.items()}
    if len(set(sizes.values())) > 1 or min(min(size) for size in sizes.values()) < 3:
        raise ValueError(f"all pictures must have one size, at least (3, 3), got {sizes}")
    for name, kernel in wanted.items():
        within(f"pictures of {name!r}", grey[name], 0, 1)
        if grey[name].max() - grey[name].min() < 0.01:
            raise ValueError(f"pictures of {name!r} are of one grey: nothing to learn")
        if kernel.shape != (3, 3):
            raise ValueError(f"kernel of {name!r} must have shape (3, 3), got {kernel.shape}")
        if not kernel.any():
            raise ValueError(f"kernel of {name!r} is zero: nothing to learn")
    if not is_int(seed) or seed < 0:
        raise ValueError(f"seed must be a whole number, at least 0, got {seed!r}")
    within("learning_rate", as_array("learning_rate", learning_rate, 0), 0.001, 0.05)
    return Widget(
        "learning",
        {
            "kinds": [
                {
                    "name": str(name),
                    "pictures": grey[name].round(2).tolist(),
                    "kernel": wanted[name].ravel().tolist(),
                }
                for name in grey
            ],
            "seed": int(seed),
            "rate": float(learning_rate),
        },
    )


def _png(picture) -> str:
    """A grey picture, (H, W) from 0 to 1, as the address of a small PNG: 32 greys, which the eye
    does not count.
    """
    buffer = io.BytesIO()
    Image.fromarray((picture * 31).round().astype("uint8") * 8).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


_CHANNELS = tuple(2**i for i in range(3, 10))
_COST_RANGES = (_CHANNELS, _CHANNELS, (1, 3, 5, 7), range(1, 161))
