"""Checkers for chapter 11, Deformable is not dynamic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from ..relatives import dcnv3
from .checking import Wrong, call, close, near, number, reject, reject_if, said, tensor


def dilating_offsets(answer) -> str:
    """11.1: `dilating_offsets(k, d)`: offsets that turn a deformable convolution into a dilated
    one."""
    for k, d in [(3, 2), (3, 3), (5, 2), (3, 1)]:
        got = tensor(call(answer, k, d), (2 * k * k,))
        line = torch.arange(k, dtype=torch.float64) - k // 2
        taps = torch.cartesian_prod(line, line)  # (k², 2): row by row, vertical first
        expected = (d - 1) * taps
        if close(got, expected.flatten()):
            continue
        mistakes = {
            f"k={k}, d={d}: these are the places where the taps shall end up. An offset is the way"
            " there from where the tap stands already.": d * taps.flatten(),
            "each pair is the wrong way round: torchvision wants (vertical, horizontal).": (
                expected.flip(1).flatten()
            ),
            "the taps move together instead of apart: check the sign.": -expected.flatten(),
            "first all vertical numbers, then all horizontal ones: they belong in pairs, tap by"
            " tap.": expected.T.flatten(),
            "you count the taps from the corner. The centre of the kernel has offset (0, 0), and"
            " the others lie around it.": (d - 1) * (taps + k // 2).flatten(),
        }
        reject(got, mistakes, close)
        raise Wrong(
            f"k={k}, d={d}: with these offsets the result differs from the dilated convolution by"
            f" up to {_off_the_dilated(got, k, d):.2f}."
        )
    return "right: and between d = 1 and d = 2 lie dilations that no integer names."


def _off_the_dilated(offsets: torch.Tensor, k: int, d: int) -> float:
    """How far a deformable convolution with these offsets is off the dilated one, on a random X."""
    x = torch.randn(1, 1, 9, 9, dtype=torch.float64)
    weight = torch.randn(1, 1, k, k, dtype=torch.float64)
    everywhere = offsets.view(1, -1, 1, 1).expand(1, -1, 9, 9)
    y = deform_conv2d(x, everywhere, weight, padding=k // 2)
    return (y - F.conv2d(x, weight, padding=d * (k // 2), dilation=d)).abs().max().item()


def to_torchvision(answer) -> str:
    """11.2: `to_torchvision(offset)`: DCNv3's offsets in the order of torchvision."""
    generator = torch.Generator().manual_seed(11)
    for B, H, W, G, k in [(2, 4, 5, 3, 3), (3, 5, 4, 2, 5)]:
        offset = torch.randn(B, H, W, G, k * k, 2, generator=generator)
        _look_at_order(tensor(call(answer, offset), (B, 2 * G * k * k, H, W)), offset, k)
    return "right: the shape alone would have accepted four orders, three of them wrong."


def _look_at_order(got, offset: torch.Tensor, k: int) -> None:
    """Raise Wrong unless `got` holds the offsets in the order of torchvision."""
    B, H, W, G = offset.shape[:4]

    def ordered(swap_pairs=True, swap_taps=True):
        grid = offset.view(B, H, W, G, k, k, 2)
        grid = grid.transpose(4, 5) if swap_taps else grid
        grid = grid.flip(-1) if swap_pairs else grid
        return grid.permute(0, 3, 4, 5, 6, 1, 2).reshape(B, -1, H, W)

    mistakes = {
        "reshape does not move an axis. The channels stand last and must come before H and W:"
        " permute first.": offset.reshape(B, -1, H, W),
        "the channels are in their place. Now the order: the pairs are (horizontal, vertical), and"
        " the taps go column by column.": ordered(swap_pairs=False, swap_taps=False),
        "the taps are right. Each pair is still (horizontal, vertical), and torchvision wants"
        " (vertical, horizontal).": ordered(swap_pairs=False),
        "the pairs are right. The taps still go column by column, and torchvision wants them row by"
        " row.": ordered(swap_taps=False),
    }
    reject(got, mistakes, close)
    if not close(got, ordered()):
        x = torch.randn(B, H, W, 2 * G)
        mask = torch.full((B, H, W, G, k * k), 1 / k**2)
        weight = torch.full((2 * G, 1, k, k), 1 / k**2)
        y = deform_conv2d(x.permute(0, 3, 1, 2), got.float(), weight, padding=k // 2)
        y = y.permute(0, 2, 3, 1)
        raise Wrong(
            "fed to torchvision, the result differs from DCNv3 by up to"
            f" {(y - dcnv3(x, offset, mask, k, pad=k // 2)).abs().max():.2f}."
        )


def numbers_from_the_input(answer) -> str:
    """11.3: `numbers_from_the_input(operator, M, k, G, H, W)`: how many numbers an operator
    computes from one image to steer itself."""
    M, k, G, H, W = 4, 3, 5, 10, 12  # no factor twice, so that each mistake shows
    got = {
        name: _count(call(answer, name, M, k, G, H, W))
        for name in ("static", "dynamic", "deformable", "DCNv3")
    }
    signs = {
        "a static convolution computes nothing from the image to steer itself: 0, you say"
        f" {got['static']}.": got["static"] != 0,
        "dynamic: the router pools the whole image. There is one set of α for all positions.": (
            got["dynamic"] == M * H * W
        ),
        f"dynamic: the router gives one α for each of the {M} experts, you say {got['dynamic']}."
        " (The mixed kernel follows from them.)": got["dynamic"] != M,
    }
    reject_if(signs)
    _look_at_points("deformable", got["deformable"], 2, k, G, H, W)
    _look_at_points("DCNv3", got["DCNv3"], 3, k, G, H, W)
    for name, per_point in (("deformable", 2), ("DCNv3", 3)):
        count = _count(call(answer, name, 8, 5, 1, 3, 7))
        if count != per_point * 25 * 21:
            raise Wrong(
                f"{name}: right for k=3, G=5, 10 × 12; for k=5, G=1, 3 × 7 you say {count}. Is"
                " there a number in your code that should be a name?"
            )
    for name, wanted in (("static", 0), ("dynamic", 8)):
        count = _count(call(answer, name, 8, 5, 1, 3, 7))
        if count != wanted:
            raise Wrong(f"{name}: right for {M} experts; for 8 you say {count}.")
    return "right: four numbers against thousands. That is what 'per image' and 'per pixel' mean."


def _look_at_points(name: str, got: int, per_point: int, k: int, G: int, H: int, W: int) -> None:
    """Raise Wrong unless `got` is the count of an operator with its own points at every pixel."""
    points = k * k * G * H * W
    right = per_point * points
    if got == right:
        return
    mistakes = {
        f"that is for one output pixel. Each of the {H} × {W} has its own.": right / (H * W),
        f"each of the {G} groups of channels has its own.": right / G,
    }
    if name == "deformable":
        mistakes["a place has two coordinates."] = points
    else:
        mistakes["the offsets are there, the mask is missing: one more number for each point."] = (
            2 * points
        )
        mistakes["that is the mask. Each point also has two coordinates."] = points
    reject(got, mistakes, where=name)
    raise Wrong(f"{name}: {right}, you say {got}.")


def _count(value) -> int:
    """The reader's whole number."""
    value = number(value)
    if not near(value, round(value)):
        raise Wrong(f"a whole number is wanted, got {said(value)}.")
    return round(value)


def sign_turning_offsets(answer) -> str:
    """11.4: `sign_turning_offsets(kernel)`: offsets that turn a convolution into the one with the
    opposite kernel."""
    generator = torch.Generator().manual_seed(11)
    line = torch.arange(3, dtype=torch.float64) - 1
    taps = torch.cartesian_prod(line, line)
    x = torch.randn(1, 1, 7, 7, dtype=torch.float64, generator=generator)
    edge = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    mixed = torch.tensor([1.0, -1, 2, -2, 3, -3, 4, -4, 0])
    shuffled = [mixed[torch.randperm(9, generator=generator)].view(3, 3) for _ in range(2)]
    named = {"the edge kernel": edge, "the edge kernel, transposed": edge.T}
    named |= {f"the kernel {kernel.int().tolist()}": kernel for kernel in shuffled}
    for name, kernel in named.items():
        got = tensor(call(answer, kernel), (9, 2))
        weight = kernel.double()[None, None]

        def result(offset, weight=weight):
            everywhere = offset.reshape(1, 18, 1, 1).expand(1, 18, 5, 5)
            return deform_conv2d(x, everywhere, weight)

        y, plain = result(got), F.conv2d(x, weight)
        if close(y, -plain):
            continue
        whatever = "whatever the kernel holds. Look where the opposite number of each tap stands."
        signs = {
            f"left and right change places, {whatever}": close(got, taps * torch.tensor([0, -2])),
            f"each tap reads at the other side of the centre, {whatever}": close(got, -2 * taps),
            "nothing has changed: this is the convolution with the kernel itself.": close(y, plain),
            "these are the places where the taps shall read. An offset is the way there from where"
            " the tap stands already.": close(result(got - taps), -plain),
            "each pair is the wrong way round: torchvision wants (down, right).": close(
                result(got.flip(1)), -plain
            ),
            "two taps read at the same place. Each place of the opposite kernel has one tap: pair"
            " them one to one, also where a number stands twice.": _doubled(got + taps, kernel),
        }
        reject_if(signs, name)
        raise Wrong(
            f"{name}: the result differs from the convolution with the opposite kernel by up to"
            f" {(y + plain).abs().max():.2f}."
        )
    return "right: and a kernel of positive numbers has no place to go to."


def _doubled(places: torch.Tensor, kernel: torch.Tensor) -> bool:
    """Whether two taps whose number is not zero read at the same place."""
    places = places[kernel.flatten() != 0].round(decimals=4)
    return len(places.unique(dim=0)) < len(places)
