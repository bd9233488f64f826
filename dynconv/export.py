"""Export to ONNX, TorchScript and torch.export with a batch size that may vary.

An exported graph fixes everything that is a plain number while it is recorded. The fast paths of
`dynamic_conv2d` make the batch size such a number (as the `groups` of one convolution), so that the
graph works for that batch only, and ONNX export with a dynamic batch fails. Patches and one batched
matrix product need no such number, and as few multiply-adds.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch

from .functional import by_matmul, use_path


@contextlib.contextmanager
def export_mode() -> Iterator[None]:
    """Within this block dynamic convolutions can be exported with dynamic batch and image size.

        with dynconv.export_mode():
            YOLO("best.pt").export(format="onnx", dynamic=True)

    The results are the same; only speed and memory differ (each patch of the image is laid out, kh
    · kw as much memory). It holds for the whole process, in all threads, and ends with the block,
    also after an error. A layer with padding='same' fixes the image size (not the batch), since its
    padding depends on it.
    """
    with use_path(by_matmul), warnings.catch_warnings():
        # The tracer warns at each check of a shape that the check is not part of the graph, as it
        # should not be.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        yield
