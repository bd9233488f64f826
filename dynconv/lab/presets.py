"""Settings for a training run that belong together, by name or by the device, with reasons."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import torch

from ..checks import shown

_SHARED = dict(
    optimizer="AdamW",
    lr0=2e-3,
    lrf=0.05,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    pretrained=False,
    mosaic=0.0,
    close_mosaic=0,
    hsv_h=0.0,
    hsv_s=0.0,
    hsv_v=0.0,
    translate=0.0,
    scale=0.0,
    erasing=0.0,
    fliplr=0.5,
    flipud=0.0,
    plots=False,
    deterministic=True,
)


@dataclass(frozen=True)
class Preset:
    """Settings that belong together. Prints itself with its reasons.

    `settings` are ultralytics' training arguments, `scenes` the arguments of `scenes.make` that go
    with them, `why` has a reason for each choice that is not ultralytics' default.
    """

    name: str
    settings: dict
    scenes: dict
    why: dict[str, str]

    def __str__(self) -> str:
        nothing_better = self.settings["device"] == "cpu" and not torch.cuda.is_available()
        lines = [
            f"preset {self.name!r}"
            + (
                " (no GPU is here; on Colab: Runtime, Change runtime type)"
                if nothing_better
                else ""
            )
        ]
        for names, reason in self.why.items():
            chosen = ", ".join(
                f"{name}={(self.settings | self.scenes)[name]}" for name in names.split()
            )
            lines.append(
                textwrap.fill(
                    f"{chosen}: {reason}", 68, initial_indent="  ", subsequent_indent="      "
                )
            )
        return "\n".join(lines)


_WHY_SHARED = {
    "optimizer lr0": (
        "named, because the default 'auto' chooses one by the length of the run and ignores lr0"
    ),
    "mosaic hsv_v": "no mosaic and no change of brightness, which would blur the four lights",
    "plots": "plots would ask for a font from the network",
}
_CPU = _SHARED | dict(epochs=4, imgsz=96, batch=8, nbs=8, workers=0, device="cpu", amp=False)
_SMALL = dict(objects="shapes", train=300, val=400, size=96)
_WHY_SMALL = {
    "epochs imgsz batch": (
        "small images and small batches, hence many steps: most is learned per minute of a laptop"
    ),
    "nbs": (
        "a step of the optimiser after each batch; the default of 64 would collect eight batches"
        " for one step"
    ),
    **_WHY_SHARED,
}
_WHY_AMP = "mixed precision; set it to False if the loss becomes NaN"
PRESETS = {
    "cpu": Preset(
        "cpu",
        _CPU,
        _SMALL,
        _WHY_SMALL
        | {"workers amp": "no loader processes for images this small; mixed precision is for GPUs"},
    ),
    "gpu": Preset(
        "gpu",
        _CPU | dict(device="0", amp=True),
        _SMALL,
        _WHY_SMALL
        | {
            "device": (
                "all sizes are those of the preset 'cpu', so that nobody waits longer for having a"
                " GPU; 'large' is for who has time"
            ),
            "amp": _WHY_AMP,
            "workers": "no loader processes for images this small",
        },
    ),
    "large": Preset(
        "large",
        _SHARED | dict(epochs=30, imgsz=160, batch=32, nbs=32, workers=2, device="0", amp=True),
        dict(objects="shapes", train=4000, val=1000, size=160),
        {
            "epochs imgsz batch": (
                "a hundred times the images of 'gpu', and larger: some ten minutes for a model on a"
                " T4, as we estimate, for no GPU was at hand"
            ),
            "train val": (
                "ten times the images, and a validation set large enough to see small differences"
            ),
            "nbs": "a step of the optimiser after each batch",
            **_WHY_SHARED,
            "amp": _WHY_AMP,
        },
    ),
    "posts": Preset(
        "posts",
        dict(
            optimizer="SGD",
            epochs=150,
            imgsz=640,
            batch=4,
            close_mosaic=10,
            workers=0,
            amp=True,
            single_cls=False,
            device="0",
            pretrained=False,
            plots=False,
        ),
        dict(objects="shapes", train=400, val=400, size=96),
        {
            "optimizer epochs imgsz batch close_mosaic workers single_cls device": (
                "as the posts have them"
            ),
            "amp": "on; the posts say to turn it off if the loss is NaN",
            "plots": "plots would ask for a font from the network",
        },
    ),
}


def preset(name: str | None = None) -> Preset:
    """The settings called `name` ('cpu', 'gpu', 'large', 'posts'), or of the first two the one that
    fits this machine; says which, and why.

    Those two are of the same size. What takes longer is chosen by its name.

    Raises:
        ValueError: there is no preset of that name.
    """
    chosen = ("gpu" if torch.cuda.is_available() else "cpu") if name is None else name
    if not isinstance(chosen, str) or chosen not in PRESETS:
        raise ValueError(
            f"unknown preset {shown(name)}: expected one of {tuple(PRESETS)}, or None to choose by"
            " the device"
        )
    return PRESETS[chosen]
