"""Solutions for chapter 11, Deformable is not dynamic."""

import torch


def dilating_offsets(k, d):
    r"""A tap that stands at $t$ shall read at $d \cdot t$, so it has to
    move by $(d - 1)\,t$. With $d = 1$ nothing moves. With $d = 1.5$ it
    works too: the places lie between the pixels, and bilinear
    interpolation reads them.
    """
    line = torch.arange(k) - k // 2
    # (vertical, horizontal), row by row
    taps = torch.cartesian_prod(line, line)
    return ((d - 1) * taps).flatten().float()


def to_torchvision(offset):
    """All four combinations of the two orders have the right shape and
    run. Only a comparison of values tells them apart, so write that
    test before you need it.
    """
    B, H, W, G, P, _ = offset.shape
    k = round(P**0.5)
    # column of the tap, row of the tap, (horizontal, vertical)
    grid = offset.view(B, H, W, G, k, k, 2)
    # row, column, (vertical, horizontal)
    grid = grid.transpose(4, 5).flip(-1)
    return grid.permute(0, 3, 4, 5, 6, 1, 2).reshape(B, 2 * G * P, H, W)


def numbers_from_the_input(operator, M, k, G, H, W):
    """The sizes differ by orders of magnitude, and so does what the
    operators can do. Dynamic convolution decides once for the whole
    image; the deformable ones decide at every pixel.
    """
    # a place; a place and a weight
    per_point = {"deformable": 2, "DCNv3": 3}
    if operator in per_point:
        return per_point[operator] * k * k * G * H * W
    return M if operator == "dynamic" else 0


def sign_turning_offsets(kernel):
    """A tap keeps its number and reads where the opposite kernel has
    it. Sorted, the numbers of the two kernels are the same, so the taps
    pair up. No offsets help a kernel whose numbers have no opposites,
    such as a blur: places can exchange its numbers, and make none of
    them negative.
    """
    line = torch.arange(3) - 1
    taps = torch.cartesian_prod(line, line)  # (down, right), row by row
    numbers = kernel.flatten()
    # from the smallest number up: the tap that has it, the place for it
    tap, place = numbers.argsort(), (-numbers).argsort()
    offset = torch.empty(9, 2)
    offset[tap] = (taps[place] - taps[tap]).float()
    return offset
