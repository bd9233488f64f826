"""Checkers for chapter 11, Deformable is not dynamic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from ..relatives import dcnv3
from ._checking import Wrong, call, number, tensor


def dilating_offsets(answer) -> str:
    """11.1: `dilating_offsets(k, d)`: offsets that turn a deformable convolution into a dilated
    one.
    """
    for k, d in [(3, 2), (3, 3), (5, 2), (3, 1)]:
        got = tensor(call(answer, k, d), (2 * k * k,)).to(torch.float64)
        line = torch.arange(k, dtype=torch.float64) - k // 2
        taps = torch.cartesian_prod(line, line)  # (k², 2): row by row, vertical first
        expected = (d - 1) * taps
        near = lambda pairs: torch.allclose(got, pairs.flatten(), atol=1e-6)  # noqa: E731
        if near(expected):
            continue
        if near(d * taps):
            raise Wrong(
                f"k={k}, d={d}: these are the places where the taps shall end up. An offset is the"
                " way there from where the tap stands already."
            )
        if near(expected.flip(1)):
            raise Wrong(
                "each pair is the wrong way round: torchvision wants (vertical, horizontal)."
            )
        if near(-expected):
            raise Wrong("the taps move together instead of apart: check the sign.")
        if torch.allclose(got, expected.T.flatten(), atol=1e-6):
            raise Wrong(
                "first all vertical numbers, then all horizontal ones: they belong in pairs, tap by"
                " tap."
            )
        if near((d - 1) * (taps + k // 2)):
            raise Wrong(
                "you count the taps from the corner. The centre of the kernel has offset (0, 0),"
                " and the others lie around it."
            )
        x, weight = (
            torch.randn(1, 1, 9, 9, dtype=torch.float64),
            torch.randn(1, 1, k, k, dtype=torch.float64),
        )
        y = deform_conv2d(x, got.view(1, -1, 1, 1).expand(1, -1, 9, 9), weight, padding=k // 2)
        off = (y - F.conv2d(x, weight, padding=d * (k // 2), dilation=d)).abs().max()
        raise Wrong(
            f"k={k}, d={d}: with these offsets the result differs from the dilated convolution by"
            f" up to {off:.2f}."
        )
    return "right: and between d = 1 and d = 2 lie dilations that no integer names."


def to_torchvision(answer) -> str:
    """11.2: `to_torchvision(offset)`: DCNv3's offsets in the order of torchvision."""
    generator = torch.Generator().manual_seed(11)
    B, H, W, G, k = 2, 4, 5, 3, 3
    offset = torch.randn(B, H, W, G, k * k, 2, generator=generator)
    got = tensor(call(answer, offset.clone()), (B, 2 * G * k * k, H, W))

    def variant(swap_pairs=True, swap_taps=True):
        grid = offset.view(B, H, W, G, k, k, 2)
        grid = grid.transpose(4, 5) if swap_taps else grid
        grid = grid.flip(-1) if swap_pairs else grid
        return grid.permute(0, 3, 4, 5, 6, 1, 2).reshape(B, -1, H, W)

    if not torch.equal(got, variant()):
        if torch.equal(got, offset.reshape(B, -1, H, W)) or torch.equal(
            got, offset.view(B, H, W, -1).reshape(B, -1, H, W)
        ):
            raise Wrong(
                "reshape does not move an axis. The channels stand last and must come before H and"
                " W: permute first."
            )
        if torch.equal(got, variant(swap_pairs=False, swap_taps=False)):
            raise Wrong(
                "the channels are in their place. Now the order: the pairs are (horizontal,"
                " vertical), and the taps go column by column."
            )
        if torch.equal(got, variant(swap_pairs=False)):
            raise Wrong(
                "the taps are right. Each pair is still (horizontal, vertical), and torchvision"
                " wants (vertical, horizontal)."
            )
        if torch.equal(got, variant(swap_taps=False)):
            raise Wrong(
                "the pairs are right. The taps still go column by column, and torchvision wants"
                " them row by row."
            )
        x, mask = (
            torch.randn(B, H, W, 2 * G, generator=generator),
            torch.full((B, H, W, G, k * k), 1 / 9),
        )
        y = deform_conv2d(
            x.permute(0, 3, 1, 2), got, torch.full((2 * G, 1, k, k), 1 / 9), padding=1
        ).permute(0, 2, 3, 1)
        raise Wrong(
            "fed to torchvision, the result differs from DCNv3 by up to"
            f" {(y - dcnv3(x, offset, mask)).abs().max():.2f}."
        )
    return "right: the shape alone would have accepted four orders, three of them wrong."


def numbers_from_the_input(answer) -> str:
    """11.3: `numbers_from_the_input(operator, M, k, G, H, W)`: how many numbers an operator
    computes from one image to steer itself.
    """
    M, k, G, H, W = 4, 3, 5, 10, 12  # no factor twice, so that each mistake shows
    expected = {
        "static": 0,
        "dynamic": M,
        "deformable": 2 * k * k * G * H * W,
        "DCNv3": 3 * k * k * G * H * W,
    }
    got = {name: _count(answer(name, M, k, G, H, W)) for name in expected}
    if got["static"]:
        raise Wrong(
            "a static convolution computes nothing from the image to steer itself: 0, you say"
            f" {got['static']}."
        )
    if got["dynamic"] == M * H * W:
        raise Wrong(
            "dynamic: the router pools the whole image. There is one set of α for all positions."
        )
    if got["dynamic"] != M:
        raise Wrong(
            f"dynamic: the router gives one α for each of the {M} experts, you say"
            f" {got['dynamic']}. (The mixed kernel follows from them.)"
        )
    for name in ("deformable", "DCNv3"):
        value, right = got[name], expected[name]
        if value == right:
            continue
        if value * H * W == right:
            raise Wrong(f"{name}: that is for one output pixel. Each of the {H} × {W} has its own.")
        if value * G == right:
            raise Wrong(f"{name}: each of the {G} groups of channels has its own.")
        if name == "deformable" and value * 2 == right:
            raise Wrong("deformable: a place has two coordinates.")
        if name == "DCNv3" and value == expected["deformable"]:
            raise Wrong(
                "DCNv3: the offsets are there, the mask is missing: one more number for each point."
            )
        if name == "DCNv3" and value * 3 == right:
            raise Wrong("DCNv3: that is the mask. Each point also has two coordinates.")
        raise Wrong(f"{name}: {right}, you say {value}.")
    for name in ("deformable", "DCNv3"):
        if _count(answer(name, 8, 5, 1, 3, 7)) != (2 + (name == "DCNv3")) * 25 * 21:
            raise Wrong(f"{name}: right for k=3, wrong for k=5 with one group.")
    return "right: four numbers against thousands. That is what 'per image' and 'per pixel' mean."


def _count(value) -> int:
    """The reader's whole number."""
    value = number(value)
    if value != int(value):
        raise Wrong(f"a whole number is wanted, got {value}.")
    return int(value)


EXERCISES = {"11.1": dilating_offsets, "11.2": to_torchvision, "11.3": numbers_from_the_input}
