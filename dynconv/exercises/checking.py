"""What the checkers share: how an answer is run and read, how it is compared, and the verdicts."""

from __future__ import annotations

import copy
import math
import numbers
import random
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ..checks import is_int, shown

SECONDS = 20  # that an answer may take; what takes longer does not end


class Wrong(Exception):
    """The answer is wrong; the message says what was found and hints at why."""


class NotAttempted(Exception):
    """The answer still holds the `...` of the stub."""


# --- running an answer ----------------------------------------------------------------------------


def call(function: Callable, *arguments, may_be_none: bool = False, patience: float = 1):
    """What the reader's function returns for copies of the arguments.

    Raises:
        NotAttempted: it returns the `...` of the stub.
        Wrong: it raises something, runs for more than `patience` · SECONDS, or returns None, unless
            it `may_be_none`.
    """
    given = copy.deepcopy(arguments)  # what an answer changes in them must not reach the next check
    with readers_code(function, patience):
        result = function(*given)
    return result if may_be_none and result is None else attempted(result)


@contextmanager
def readers_code(function: Callable, patience: float = 1) -> Iterator[None]:
    """A block that runs code of the reader's: what that raises is a remark on the answer, and after
    `patience` · SECONDS it is stopped.
    """
    if not callable(function):
        raise Wrong(f"a function is wanted, got {said(function)}.")
    seconds = patience * SECONDS
    try:
        with _time_limit(seconds):
            yield
    except (Wrong, NotAttempted):
        raise
    except _TimeUp:
        raise Wrong(
            f"your code was stopped after {seconds:g} seconds. Is there a loop that does not end?"
        ) from None
    except (Exception, SystemExit) as error:
        text = str(error).strip().partition("\n")[0][:200]
        raise Wrong(
            f"your code raised {type(error).__name__}{': ' * bool(text)}{text}"
            f"{_line_of(function, error)}"
        ) from error


def _line_of(function: Callable, error: BaseException) -> str:
    """Where in the reader's own code it happened."""
    code = getattr(function, "__code__", None)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code and frame.filename == code.co_filename and frame.line:
            return f" (in the line `{frame.line}`)"
    return ""


class _TimeUp(BaseException):
    """No Exception: an answer that catches all of those must not catch this one."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TimeUp in the block when the time is over. Only the main thread of a POSIX system can
    be interrupted so; elsewhere there is no limit.
    """
    if not hasattr(signal, "setitimer") or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def stop(*signal_and_frame):
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def as_it_was() -> Iterator[None]:
    """After the block the random states of torch, NumPy and Python are what they were before, and
    so is whether torch records gradients.
    """
    of_numpy, of_python = np.random.get_state(), random.getstate()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices), torch.set_grad_enabled(torch.is_grad_enabled()):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


# --- reading an answer ----------------------------------------------------------------------------


def attempted(result):
    """The result, unless it is the `...` of the stub, or None."""
    if result is ...:
        raise NotAttempted
    if result is None:
        raise Wrong(
            "your function returned None. A function hands its result back with `return`; to print"
            " it is not enough."
        )
    return result


def number(value) -> int | float:
    """The reader's number: of Python, NumPy or torch, of any precision."""
    value = attempted(value)
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise Wrong(f"one number is wanted, got {said(value)}.")
    if not abs(value) < 1e300:  # so that it is a float as well
        raise Wrong(f"a finite number is wanted, got {said(value)}.")
    return value if is_int(value) else float(value)


def tensor(value, shape: tuple[int, ...]) -> torch.Tensor:
    """The reader's tensor, array or list, if it is one of the right shape; as float64."""
    value, wanted = attempted(value), f"a tensor of shape {shape} is wanted"
    if not isinstance(value, torch.Tensor):
        try:
            array = np.array(value)
            # of objects: fractions, for instance
            value = torch.from_numpy(array.astype(float) if array.dtype == object else array)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            raise Wrong(f"{wanted}, got {said(value)}.") from None
    value = value.detach().cpu().to_dense()
    if tuple(value.shape) != shape:
        raise Wrong(f"the result has shape {tuple(value.shape)}, but {shape} is wanted.")
    if value.is_complex() or value.dtype == torch.bool:
        raise Wrong(f"{wanted} that holds numbers, got {value.dtype}.")
    if not value.isfinite().all():
        raise Wrong(
            f"{int((~value.isfinite()).sum())} of the {value.numel()} numbers of the result are not"
            " finite (NaN or infinite)."
        )
    return value.double()


def whole_numbers(value) -> list[int]:
    """The reader's whole numbers, in a list, tuple, set, or an array or tensor of one dimension."""
    value = attempted(value)
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, (list, tuple, set)) or not all(map(is_int, value)):
        raise Wrong(f"a list of whole numbers is wanted, got {said(value)}.")
    return [int(each) for each in value]


def said(value) -> str:
    """What a message says of an answer that is of no use: one line."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    return shown(value)


# --- comparing it ---------------------------------------------------------------------------------


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tensors that are equal up to the rounding of float32."""
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


def near(got: float, wanted: float) -> bool:
    """Numbers that are equal up to the rounding of float32; whole ones must be equal."""
    return got == wanted if is_int(wanted) else math.isclose(got, wanted, rel_tol=1e-5)


def against(wanted: float, got: float) -> str:
    """'WANTED, you say GOT', with as many digits as it takes to tell the two apart."""
    digits = 4
    while _text(wanted, digits) == _text(got, digits) and digits < 17:
        digits += 1
    rounded = any(round(wanted, places) == got != wanted for places in range(1, 7))
    return f"{_text(wanted, digits)}, you say {_text(got, digits)}{' (do not round it)' * rounded}"


def _text(number: float, digits: int) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:.{digits}g}"


def reject(got, mistakes: dict, same=near, where: str = "") -> None:
    """Hint at a known mistake. What is in no entry may still be wrong.

    Args:
        got: the reader's answer.
        mistakes: {hint: the answer that this mistake leads to}, or a list of such answers, empty
            if the mistake cannot show in this case. The first that is met counts.
        same: whether two answers are the same, such as `close` for tensors.
        where: the case that was tried; it stands before the hint.

    Raises:
        Wrong: with the hint.
    """
    for hint, wrong in mistakes.items():
        if any(same(got, each) for each in (wrong if isinstance(wrong, list) else [wrong])):
            raise Wrong(f"{where}: {hint}" if where else hint)


def reject_if(signs: dict[str, bool], where: str = "") -> None:
    """The same for mistakes that show otherwise than by one value: {hint: whether it shows}."""
    for hint, shows in signs.items():
        if shows:
            raise Wrong(f"{where}: {hint}" if where else hint)


# --- counting what was done -----------------------------------------------------------------------


def flops(function: Callable, *inputs: torch.Tensor) -> int:
    """What PyTorch's own counter says of one call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


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
