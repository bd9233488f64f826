"""How the checkers watch an answer at work: what it computes, how, and what it leaves behind."""

from __future__ import annotations

import dis
import types
from collections import Counter
from collections.abc import Callable

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from .checking import close, code_of


def has_loop(function: Callable) -> bool:
    """Whether the reader's code jumps back, in a loop or a comprehension."""

    def jumps_back(code: types.CodeType) -> bool:
        within = [each for each in code.co_consts if isinstance(each, types.CodeType)]
        return any(map(jumps_back, within)) or any(
            each.opcode in (*dis.hasjrel, *dis.hasjabs) and each.argval <= each.offset
            for each in dis.get_instructions(code)
        )

    code = code_of(function)
    return code is not None and jumps_back(code)


def flops(function: Callable, *inputs: torch.Tensor) -> int:
    """What PyTorch's own counter says of one call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


def memory(layer: nn.Module, x: torch.Tensor) -> Callable[[], bool]:
    """Asks later whether the layer still is what it is now, in its numbers and in what it does."""

    def state() -> tuple[list, dict, torch.Tensor]:
        parts = [
            # the attributes of a module hold its hooks, too: how many are there?
            (
                type(part),
                part.training,
                {k: len(v) if "hooks" in k else 0 for k, v in vars(part).items()},
            )
            for part in layer.modules()
        ]
        parts += [(name, each.requires_grad) for name, each in layer.named_parameters()]
        with torch.no_grad():
            return parts, {k: v.clone() for k, v in layer.state_dict().items()}, layer(x)

    parts, numbers, y = state()

    def unchanged() -> bool:
        now, numbers_now, y_now = state()
        same = now == parts and all(torch.equal(numbers[k], numbers_now[k]) for k in numbers)
        return same and close(y, y_now)

    return unchanged


class operators(TorchDispatchMode):
    """`with operators() as used:` counts what torch carries out in the block: `used.names` is
    {name of the operator: how often}, such as {'aten.mm.default': 1}.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.names[str(operator)] += 1
        return operator(*args, **(kwargs or {}))

    def count(self, *kinds: str) -> int:
        """How often operators were carried out in whose name one of the kinds stands."""
        return sum(n for name, n in self.names.items() if any(kind in name for kind in kinds))


def in_short(layer: nn.Module) -> str:
    """A convolution, dynamic or not, in one line."""
    cin = getattr(layer, "in_features", None) or layer.in_channels
    cout = getattr(layer, "out_features", None) or layer.out_channels
    usual = {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "num_experts": None}
    more = [
        f", {name}={value if name in ('groups', 'num_experts') else value[0]}"
        for name, plain in usual.items()
        if (value := getattr(layer, name, plain)) != plain
    ]
    return f"{type(layer).__name__}({cin}→{cout}, k={layer.kernel_size[0]}{''.join(more)})"
