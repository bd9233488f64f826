"""Solutions for chapter 11, Deformable is not dynamic."""

import torch


def dilating_offsets(k, d):
    line = torch.arange(k) - k // 2
    taps = torch.cartesian_prod(line, line)  # (vertical, horizontal), row by row
    return ((d - 1) * taps).flatten().float()


def to_torchvision(offset):
    B, H, W, G, P, _ = offset.shape
    k = round(P**0.5)
    grid = offset.view(
        B, H, W, G, k, k, 2
    )  # column of the tap, row of the tap, (horizontal, vertical)
    grid = grid.transpose(4, 5).flip(-1)  # row, column, (vertical, horizontal)
    return grid.permute(0, 3, 4, 5, 6, 1, 2).reshape(B, 2 * G * P, H, W)


def numbers_from_the_input(operator, M, k, G, H, W):
    per_point = {"deformable": 2, "DCNv3": 3}  # a place; a place and a weight
    if operator in per_point:
        return per_point[operator] * k * k * G * H * W
    return M if operator == "dynamic" else 0
