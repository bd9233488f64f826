"""Lets checkpoints with the package's layers load where only known classes may be loaded
(ULTRALYTICS_SAFE_LOAD=1).
"""

from __future__ import annotations

import torch
from torch import nn

from ..checks import shown
from .modules import MODULES


def allow_safe_load(*more: type) -> None:
    """Declare the package's layers as safe to load, for this process.

    A checkpoint is a pickle, which can run any code when it is loaded. With ULTRALYTICS_SAFE_LOAD=1
    (ultralytics 8.4.100 and newer, off by default) only classes of ultralytics, torch and those
    declared so are built; all else raises `TypeError: ... references types outside the supported
    Ultralytics checkpoint format`. Call this before loading, and before training too: training ends
    with loading best.pt to validate it. Importing dynconv does not do it, since what is safe is for
    you to say. `torch.load(file, weights_only=True)` obeys the same list.

    A checkpoint with a TimmBackbone also holds classes of timm, other ones for each network and not
    all of them modules. `torch.serialization.get_unsafe_globals_in_checkpoint(file)` names them
    without loading the file; those that you trust you allow with
    `torch.serialization.add_safe_globals([...])`.

    Args:
        more: classes of your own, such as modules given to `register`.

    Raises:
        TypeError: one of them is no subclass of torch.nn.Module; none is declared then.
    """
    for cls in more:
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise TypeError(
                f"allow_safe_load takes subclasses of torch.nn.Module, got {shown(cls)}"
            )
    ours = [cls for module in MODULES for cls in (module.cls, *module.parts)]
    torch.serialization.add_safe_globals([*ours, *more])
