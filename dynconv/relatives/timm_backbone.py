"""Any network of timm that gives feature maps, as the backbone of a detector: StarNet (arXiv
2403.19967) and a thousand others.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from ..checks import check_count, check_flag, did_you_mean, shown


class TimmBackbone(nn.Module):
    """A timm network that gives its feature maps at chosen strides, as a list, largest map first.

    The image comes in as ultralytics feeds it, RGB in 0..1, and is normalised here with the mean
    and deviation that the network was made for. In a model YAML the row is `[-1, 1, TimmBackbone,
    [starnet_s1]]`, and stock rows pick the maps: `[0, 1, Index, [96, 1]]` is the second, of 96
    channels. `channels` has these numbers.

    ultralytics sets `eps` of every BatchNorm2d to 1e-3 when it has built a model; statistics that
    were learned with timm's 1e-5 give other outputs with it. So `train()` and `eval()`, one of
    which comes before every use, put the network's own back. `momentum`, which ultralytics sets to
    0.03, is left alone: it changes only how fast statistics follow.

    Args:
        name: a name from `timm.list_models()`, with or without the tag of its weights: 'resnet18',
            'resnet18.a1_in1k'.
        pretrained: fetch weights from the network's hub (kept on this machine afterwards), else
            start at random.
        strides: pixels of the image per pixel of each map. A detector with P3, P4 and P5 wants 8,
            16, 32.
        options: more arguments for `timm.create_model`, such as {'drop_path_rate': 0.1};
            {'strict_img_size': False} lets the Swin networks take other image sizes,
            {'pretrained_cfg_overlay': {'file': PATH}} reads weights from a file.

    Attributes:
        net: timm's network; its state_dict is that of `timm.create_model(name,
            features_only=True)`.
        channels: channels of each map in the list.

    Raises:
        TypeError: name is no string, or strides are no whole numbers.
        ValueError: there is no such network (with suggestions), it gives no map at one of the
            strides, or it has no pretrained weights.
        ConnectionError: the weights are not on this machine and could not be fetched.

    Shapes: (B, 3, H, W) -> [(B, channels[i], H / strides[i], W / strides[i]), ...]; sides that the
    largest stride divides.

    torch.compile, torch.export, torch.fx and TorchScript take it if they take the network, and
    timm's `reparameterize_model` may be applied to it.

    Source: timm, https://github.com/huggingface/pytorch-image-models, its `features_only` networks.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool = False,
        strides: Sequence[int] = (8, 16, 32),
        options: dict | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(name, str):
            raise TypeError(
                "name must be a string, the name of a network in timm such as 'resnet18', got"
                f" {type(name).__name__}"
            )
        listed = isinstance(strides, Iterable) and getattr(strides, "ndim", 1) == 1
        if not listed or not (strides := list(strides)):
            raise TypeError(f"strides must be a sequence such as (8, 16, 32), got {shown(strides)}")
        if not isinstance(options, dict | None):
            raise TypeError(
                f"options must be a dict such as {{'drop_path_rate': 0.1}}, got {shown(options)}"
            )
        strides = [check_count("each of strides", stride) for stride in strides]
        self.net = create(name, check_flag("pretrained", pretrained), options or {})
        position = {
            stride: i for i, stride in enumerate(self.net.feature_info.reduction())
        }  # the deepest, if several
        if missing := [stride for stride in strides if stride not in position]:
            raise ValueError(
                f"{name} gives no feature map at stride {', '.join(map(str, missing))}; its maps"
                f" have the strides {', '.join(map(str, position))}. Choose another network, or"
                " other strides"
            )
        self.positions = [position[stride] for stride in strides]
        self.channels = [self.net.feature_info.channels()[i] for i in self.positions]
        self.channels_last = str(getattr(self.net, "output_fmt", "NCHW")).endswith("NHWC")
        statistics = getattr(self.net, "pretrained_cfg", None) or {}
        for key in (
            "mean",
            "std",
        ):  # not persistent: they belong to the name, and the state_dict stays timm's
            values = torch.tensor(
                statistics.get(key) or {"mean": (0.0,) * 3, "std": (1.0,) * 3}[key]
            )
            self.register_buffer(key, values.view(1, -1, 1, 1), persistent=False)
        self.eps = {
            key: m.eps for key, m in self.net.named_modules() if isinstance(m, nn.BatchNorm2d)
        }

    def train(self, mode: bool = True) -> TimmBackbone:
        # By the modules that are there: timm's reparameterize_model, for one, takes some away.
        for key, module in self.net.named_modules():
            if key in self.eps and isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
                module.eps = self.eps[key]
        return super().train(mode)

    def forward(self, x: Tensor) -> list[Tensor]:
        if not torch.jit.is_scripting():
            check_images(x)
        maps = self.net((x - self.mean) / self.std)
        maps = [maps[i] for i in self.positions]
        return [y.permute(0, 3, 1, 2).contiguous() for y in maps] if self.channels_last else maps


def check_images(x: Tensor) -> None:
    """A batch of RGB images, (B, 3, H, W)."""
    if isinstance(x, Proxy):
        return  # torch.fx records a graph: there is no shape yet
    if x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(f"x must be RGB images in 0..1, shape (B, 3, H, W), got {tuple(x.shape)}")


def create(name: str, pretrained: bool, options: dict) -> nn.Module:
    """timm's network of that name with feature maps. Errors as for `TimmBackbone`."""
    import timm  # late: it takes seconds, and only this needs it

    if not timm.is_model(name):
        names = timm.list_models()
        raise ValueError(
            f"timm {timm.__version__} has no network called {name!r} ({len(names)}"
            f" others){did_you_mean(name, names, 3)} timm.list_models('*part of the name*') finds"
            " them"
        )
    if (
        pretrained
        and not timm.models.is_model_pretrained(name)
        and "pretrained_cfg_overlay" not in options
    ):
        raise ValueError(f"timm has no pretrained weights for {name}: use pretrained=False")
    try:
        with _only_weights():
            return timm.create_model(name, pretrained=pretrained, features_only=True, **options)
    except OSError as error:
        if not pretrained:
            raise
        raise ConnectionError(
            f"the pretrained weights of {name} are not on this machine and could not be fetched"
            f" ({type(error).__name__}). With a network they are fetched once, after"
            " dynconv.offline.go_online() if a set-up cell went offline; without, use"
            " pretrained=False, or options={'pretrained_cfg_overlay': {'file': PATH}} for a"
            " file that you have"
        ) from error


@contextlib.contextmanager
def _only_weights() -> Iterator[None]:
    """Within it a file of weights, which `options` of a model file may name, runs no code; older
    timm would let it.
    """
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # torch asks for it at each load
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
