"""What the operators are defined to be, read literally: slow, one image, one expert and one tap at
a time, and with none of the package's own code.
"""

import math

import torch
import torch.nn.functional as F


def dynamic_conv2d(
    x, weight, alpha, bias=None, stride=1, padding=0, dilation=1, groups=1, shift=None
):
    """Σᵢ αᵢ (X ∗ Wᵢ). For B = 0 the sum over samples is empty and only the shape remains."""

    def expert(xb, i):
        return F.conv2d(
            xb, weight[i], None if bias is None else bias[i], stride, padding, dilation, groups
        )

    if len(x) == 0:
        return expert(x, 0)
    samples = [
        sum(alpha[b, i] * expert(x[b : b + 1], i) for i in range(len(weight)))
        for b in range(len(x))
    ]
    y = torch.cat(samples)
    return y if shift is None else y + shift[:, None, None]


def pair(value):
    return tuple(map(int, value)) if hasattr(value, "__len__") else (int(value),) * 2


def zeros_around(x, padding, kernel_size, stride, dilation):
    """x (B, C, H, W) padded as timm's layers and TensorFlow do: '' (or None), 'same', 'valid', an
    int or a pair.
    """
    amounts = []
    for i, (n, k, s, d) in enumerate(zip(x.shape[2:], *map(pair, (kernel_size, stride, dilation)))):
        reach = d * (k - 1)
        if padding == "valid":
            before = after = 0
        elif padding == "same":
            total = max((math.ceil(n / s) - 1) * s + reach + 1 - n, 0)
            before, after = total // 2, total - total // 2
        elif padding in ("", None):
            before = after = (s - 1 + reach) // 2
        else:
            before = after = pair(padding)[i]
        amounts = [before, after, *amounts]  # torch begins with the last side
    return F.pad(x, amounts)


def dynamic_layer(
    tensors, x, kernel_size=1, stride=1, padding="", dilation=1, groups=1, softmax_at=None
):
    """DynamicConv from its tensors by name. `softmax_at`: the temperature, None for a sigmoid."""
    logits = x.mean((2, 3)) @ tensors["routing.weight"].T + tensors["routing.bias"]
    alpha = logits.sigmoid() if softmax_at is None else (logits / softmax_at).softmax(1)
    rows, kernel_size = tensors["cond_conv.weight"], pair(kernel_size)
    weight = rows.unflatten(1, (-1, x.shape[1] // groups, *kernel_size))
    padded = zeros_around(x, padding, kernel_size, stride, dilation)
    bias, shift = tensors.get("cond_conv.bias"), tensors.get("shift")
    return dynamic_conv2d(padded, weight, alpha, bias, stride, 0, dilation, groups, shift)


def bilinear(image, y, x):
    """image (C, H, W) between its pixels, zero beyond them: places y and x of one shape -> (C,
    *shape).
    """
    height, width = image.shape[1:]
    top, left, value = y.detach().floor().long(), x.detach().floor().long(), 0
    for row, weight in ((top, top + 1 - y), (top + 1, y - top)):
        for column, share in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            pixel = image[:, row.clamp(0, height - 1), column.clamp(0, width - 1)]
            value = value + pixel * (inside * weight * share)
    return value


def centres(rows, columns, stride, first):
    """Where the outputs stand in the input: (rows, columns) down, and the same across."""
    (down, across), (y, x) = stride, first
    places = torch.arange(rows) * down + y, torch.arange(columns) * across + x
    return torch.meshgrid(*places, indexing="ij")


def deformable(x, tensors, kernel_size, stride, padding, dilation, groups, offset_groups):
    """DCN: y(p) = Σₖ w_k · m_k(p) · x(p + k + Δ_k(p)), from the layer's tensors by name."""

    def convolved(name):
        return F.conv2d(
            x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride, padding, dilation
        )

    kernel, bias, offset = tensors["conv.weight"], tensors.get("conv.bias"), convolved("offset")
    mask = convolved("mask").sigmoid() if "mask.weight" in tensors else None
    (kh, kw), (dh, dw), share = kernel_size, dilation, x.shape[1] // offset_groups
    down, across = centres(*offset.shape[2:], stride, (-padding[0], -padding[1]))
    columns = torch.zeros(len(x), x.shape[1], kh * kw, *down.shape, dtype=x.dtype)
    for b in range(len(x)):
        for g in range(offset_groups):
            part = slice(g * share, (g + 1) * share)
            for k in range(kh * kw):
                moved = offset[b, 2 * (g * kh * kw + k) :][:2]
                y, z = down + k // kw * dh + moved[0], across + k % kw * dw + moved[1]
                read = bilinear(x[b, part], y, z)
                weight = 1 if mask is None else mask[b, g * kh * kw + k]
                columns[b, part, k] = read * weight
    rows = kernel.unflatten(0, (groups, -1)).flatten(3)
    y = torch.einsum("goik,bgikhw->bgohw", rows, columns.unflatten(1, (groups, -1))).flatten(1, 2)
    return y if bias is None else y + bias[:, None, None]


def dcnv3(
    x,
    offset,
    mask,
    kernel_size=3,
    stride=1,
    pad=1,
    dilation=1,
    offset_scale=1.0,
    remove_center=False,
):
    """The core of DCNv3, from its formula."""
    (batch, rows, columns, groups, _), reach = mask.shape, dilation * (kernel_size - 1) // 2
    share = x.shape[3] // groups
    steps = [dilation * k - reach for k in range(kernel_size)]
    taps = [(across, down) for across in steps for down in steps]
    if remove_center:
        taps.remove((0, 0))
    down, across = centres(rows, columns, (stride, stride), (reach - pad, reach - pad))
    y = torch.zeros(batch, rows, columns, groups, share, dtype=x.dtype)
    for n in range(batch):
        for g in range(groups):
            image = x[n, :, :, g * share : (g + 1) * share].permute(2, 0, 1)
            for p, (tx, ty) in enumerate(taps):
                dx, dy = offset[n, :, :, g, p].unbind(-1)
                places = down + (ty + dy) * offset_scale, across + (tx + dx) * offset_scale
                read = bilinear(image, *places).permute(1, 2, 0)
                y[n, :, :, g] += mask[n, :, :, g, p, None] * read
    return y.flatten(3)


def dcnv3_layer(x, tensors, group, options):
    """The layer of InternImage from its tensors; each output takes q at its own centre."""

    def linear(name, value):
        return value @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    kernel, bias = tensors["dw_conv.0.weight"], tensors["dw_conv.0.bias"]
    depthwise = F.conv2d(
        x.permute(0, 3, 1, 2), kernel, bias, padding=kernel.shape[2] // 2, groups=len(kernel)
    )
    norm = tensors["dw_conv.1.1.weight"], tensors["dw_conv.1.1.bias"]
    q = F.gelu(F.layer_norm(depthwise.permute(0, 2, 3, 1), (len(kernel),), *norm, eps=1e-6))
    k, stride, pad, dilation = (
        options[name] for name in ("kernel_size", "stride", "pad", "dilation")
    )
    reach, value = dilation * (k - 1), linear("input_proj", x)
    sizes = [(n + 2 * pad - reach - 1) // stride + 1 for n in x.shape[1:3]]
    down, across = centres(*sizes, (stride, stride), (reach // 2 - pad,) * 2)
    q = q[:, down, across]
    offset = linear("offset", q).unflatten(-1, (group, -1, 2))
    mask = linear("mask", q).unflatten(-1, (group, -1)).softmax(-1)
    y = dcnv3(value, offset, mask, **options)
    if "center_feature_scale_proj_weight" in tensors:
        weight, bias = (tensors[f"center_feature_scale_proj_{name}"] for name in ("weight", "bias"))
        share = (q @ weight.T + bias).sigmoid().repeat_interleave(len(kernel) // group, -1)
        y = y * (1 - share) + value[:, down, across] * share
    return linear("output_proj", y)
