"""Solutions for chapter 1, One kernel per image."""

import torch
import torch.nn.functional as F


def mix_kernels(alpha, weight):
    mixed = alpha @ weight.flatten(1)  # (B, M) @ (M, P) -> (B, P)
    return mixed.view(-1, *weight.shape[1:])


def conv_with_bias(x, weight, bias, alpha):
    kernel = torch.einsum("m,m...->...", alpha, weight)
    return F.conv2d(x, kernel, alpha @ bias, padding=1)  # Σ αᵢ bᵢ: the bias is mixed too


def pointwise(x, weight, alpha):
    matrices = (alpha @ weight.flatten(1)).view(len(x), *weight.shape[1:3])  # (B, Cout, Cin)
    y = matrices @ x.flatten(2)  # (B, Cout, Cin) @ (B, Cin, H·W)
    return y.view(len(x), -1, *x.shape[2:])
