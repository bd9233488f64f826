"""What the checkers share: how an answer is run and read, how it is compared, and the verdicts."""

from __future__ import annotations

import copy
import decimal
import inspect
import math
import numbers
import random
import signal
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

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
    code = code_of(function)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code and frame.filename == code.co_filename and frame.line:
            line = frame.line if len(frame.line) <= 100 else f"{frame.line[:100]} ..."
            return f" (in the line `{line}`)"
    return ""


def code_of(function: Callable) -> types.CodeType | None:
    """The reader's own code, below a decorator such as contextlib.contextmanager."""
    return getattr(inspect.unwrap(function), "__code__", None)


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
    so are whether torch records gradients, and its default dtype.
    """
    of_numpy, of_python, dtype = np.random.get_state(), random.getstate(), torch.get_default_dtype()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices), torch.set_grad_enabled(torch.is_grad_enabled()):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)
            torch.set_default_dtype(dtype)


# --- reading an answer ----------------------------------------------------------------------------


def attempted(result):
    """The result, unless it is the `...` of the stub, or None."""
    if result is ...:
        raise NotAttempted
    if result is None:
        raise Wrong(
            "your function returned None. Each way through it has to end with a `return` that hands"
            " the result back; to print it is not enough."
        )
    return result


def number(value) -> int | float:
    """The reader's number: of Python, NumPy or torch, of any precision."""
    value = attempted(value)
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, decimal.Decimal)):
        raise Wrong(f"one number is wanted, got {said(value)}.")
    if not abs(value) < 1e300:  # so that it is a float as well
        raise Wrong(f"a finite number is wanted, got {said(value)}.")
    return value if is_int(value) else float(value)


def tensor(value, shape: tuple[int, ...]) -> torch.Tensor:
    """The reader's tensor, array or list, if it is one of the right shape; as float64."""
    value, wanted = attempted(value), f"a tensor of shape {shape} is wanted"
    if not isinstance(value, torch.Tensor):
        try:
            array = np.array(_without_tensors(value))
            # of objects: fractions, for instance
            value = torch.from_numpy(array.astype(float) if array.dtype == object else array)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            raise Wrong(f"{wanted}, got {said(value)}.") from None
    value = value.detach().cpu().to_dense()
    if tuple(value.shape) != shape:
        raise Wrong(f"the result has shape {tuple(value.shape)}, but {shape} is wanted.")
    if value.is_complex() or value.dtype == torch.bool:
        raise Wrong(f"{wanted} that holds numbers, got {value.dtype}.")
    if value.dtype in (torch.float16, torch.bfloat16) and not torch.equal(value, value.round()):
        raise Wrong(
            f"the result is of {value.dtype}, which keeps two or three digits: too few to tell"
            " right from wrong. Calculate with float32."
        )
    if not value.isfinite().all():
        raise Wrong(
            f"{int((~value.isfinite()).sum())} of the {value.numel()} numbers of the result are not"
            " finite (NaN or infinite)."
        )
    return value.double()


def _without_tensors(value):
    """A list, nested or not, with arrays for the tensors in it."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return [*map(_without_tensors, value)] if isinstance(value, (list, tuple)) else value


def whole_numbers(value) -> list[int]:
    """The reader's whole numbers, in a list, tuple, set, range, or an array or tensor of one
    dimension.
    """
    value = attempted(value)
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim == 1:
        value = value.tolist()
    kinds = (list, tuple, set, frozenset, range)
    if not isinstance(value, kinds) or not all(map(is_int, value)):
        raise Wrong(f"a list of whole numbers is wanted, got {said(value)}.")
    return [int(each) for each in value]


def choose(answer, parts: dict[str, tuple[str, dict[str, str]]]) -> None:
    """Look at an answer that chooses a word for each of its parts, as {part: word}.

    Args:
        parts: {part: (the right word, {wrong word: hint})}. These are all the words of a part.

    Raises:
        NotAttempted: a part still holds the `...` of the stub.
        Wrong: for the first part that is wrong, with the hint of its word.
    """
    if not isinstance(attempted(answer), dict):
        raise Wrong(f"a dictionary with the keys of the stub is wanted, got {said(answer)}.")
    if answer.keys() != parts.keys():
        raise Wrong(f"the keys {', '.join(map(repr, parts))} are wanted, got {said([*answer])}.")
    if any(word is ... for word in answer.values()):
        raise NotAttempted
    for part, (right, wrong) in parts.items():
        word = answer[part].strip().lower() if isinstance(answer[part], str) else answer[part]
        if not isinstance(word, str) or word not in {right, *wrong}:
            words = ", ".join(map(repr, sorted({right, *wrong})))
            raise Wrong(f"`{part}` is one of {words}; got {said(answer[part])}.")
        if word != right:
            raise Wrong(f"`{part}`: {wrong[word]}")


def said(value) -> str:
    """What a message says of an answer that is of no use: one line."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    return shown(value.item() if isinstance(value, np.generic) else value)


# --- comparing it ---------------------------------------------------------------------------------


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tensors that are equal up to the rounding of float32."""
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


def near(got: float, wanted: float) -> bool:
    """Numbers that are equal up to the rounding of float32; whole ones, up to that of float64."""
    return math.isclose(got, wanted, rel_tol=1e-12 if is_int(wanted) else 1e-5)


def against(wanted: float, got: float) -> str:
    """'WANTED, you say GOT', with as many digits as it takes to tell the two apart."""
    digits = 4
    while _text(wanted, digits) == _text(got, digits) and digits < 17:
        digits += 1
    rounded = got % 1 and any(round(wanted, places) == got != wanted for places in range(1, 7))
    remark = " (if you rounded it: do not)" if rounded else ""
    return f"{_text(wanted, digits)}, you say {_text(got, digits)}{remark}"


def _text(number: float, digits: int) -> str:
    if float(number).is_integer() and abs(number) < 1e15:
        return str(int(number))
    before_the_point = len(str(int(abs(number)))) if abs(number) < 1e15 else 0
    return f"{number:.{max(digits, before_the_point + 1)}g}"


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
