"""Export to ONNX and TorchScript with a batch size that may vary.

An exported graph fixes everything that is a plain number while it is recorded. The fast paths of
`dynamic_conv2d` make the batch size such a number (as the `groups` of one convolution), so that the
graph works for that batch only, and ONNX export with a dynamic batch fails. Patches and one batched
matrix product need no such number, and as few multiply-adds.
"""

from __future__ import annotations

import contextlib
import warnings

import torch
import torch.nn.functional as F

from . import functional
from .checks import output_size


@contextlib.contextmanager
def export_mode():
    """Within this block dynamic convolutions can be exported with dynamic batch and image size.

        with dynconv.export_mode():
            YOLO("best.pt").export(format="onnx", dynamic=True)

    The results are the same; only speed and memory differ (each patch of the image is laid out, kh
    · kw as much memory). It holds for the whole process, in all threads, and ends with the block,
    also after an error. A layer with padding='same' fixes the image size (not the batch), since its
    padding depends on it.
    """
    before = functional.choose_path
    functional.choose_path = lambda *_: by_columns
    try:
        with warnings.catch_warnings():
            # The tracer warns at each check of a shape that the check is not part of the graph, as
            # it should not be.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            yield
    finally:
        functional.choose_path = before


def by_columns(x, kernels, biases, stride, padding, dilation, groups):
    """`functional.by_matmul` with the sizes of the layer as constants of the graph; only B, H and W
    stay variable.
    """
    cout, cin_per_group, kh, kw = (int(n) for n in kernels.shape[1:])
    fan_in = cin_per_group * kh * kw
    height, width = output_size(x, kernels, stride, padding, dilation)
    columns = F.unfold(x, (kh, kw), dilation, padding, stride).reshape(-1, fan_in, height * width)
    y = torch.bmm(kernels.reshape(-1, cout // groups, fan_in), columns).reshape(
        -1, cout, height, width
    )
    return y if biases is None else y + biases.to(y.dtype)[:, :, None, None]
