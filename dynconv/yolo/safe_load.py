"""Checkpoints are opened so that nothing in them runs, unless the reader trusts the file.

`torch.load` and ultralytics' `YOLO(file)` unpickle a checkpoint, and unpickling runs whatever the
file says. Within `safely()`, which is around each function of this package that takes a path,
ultralytics' loader is given `restricted` instead; where ULTRALYTICS_SAFE_LOAD is set, everywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..checks import check_file, shown
from .children import guard_children
from .data_programs import guard_programs
from .installs import guard_installs
from .modules import MODULES
from .registration import registered
from .restricted import RefusedError, pickle_module

KINDS = (".pt", ".yaml", ".yml", ".onnx")  # of files that `load` opens
_safely: ContextVar[bool] = ContextVar("safely", default=False)
# Variables, which children of this process get too: digests of files, and who is within `safely`.
_TRUSTED, _ASKING = "DYNCONV_TRUSTED", "DYNCONV_SAFELY"
_LOCK, _open = threading.Lock(), []  # an entry for each block of `safely` that is open
_of_trusted: dict[str, object] = {}  # layers that trusted files hold, by their addresses


class UntrustedCheckpointError(TypeError):
    """A file asks for more than building a network; nothing of it was run."""


def allow_safe_load(*more: type) -> None:
    """Declare the package's layers as safe to load, and classes of your own.

    A checkpoint is a pickle, which can run any code when it is loaded. The functions of this
    package therefore build from a file only layers of torch, ultralytics, timm and dynconv, those
    that were given to `register` (and what else their files define), and those declared here.

    It also declares them to torch, for what is loaded without this package's functions. With
    ULTRALYTICS_SAFE_LOAD=1 (ultralytics 8.4.100 and newer, off by default) `YOLO(file)` builds only
    classes of ultralytics, torch and those declared; all else raises `TypeError: ... references
    types outside the supported Ultralytics checkpoint format`. Call this before loading, and before
    training too: training ends with loading best.pt to validate it. Importing dynconv does not do
    it, since what is safe is for you to say.

    `torch.load(file, weights_only=True)` takes what is declared here as well, but a file with a
    whole model fails there: it names classes of ultralytics and torch.nn too, which ultralytics
    declares one file at a time and only in that mode. `yolo.load(file)` opens it.

    A checkpoint with a TimmBackbone also holds classes of timm, other ones for each network and not
    all of them modules. `yolo.load` knows them; for `YOLO(file)` in that mode
    `torch.serialization.get_unsafe_globals_in_checkpoint(file)` names them without loading the
    file, and those that you trust you allow with `torch.serialization.add_safe_globals([...])`.

    Args:
        more: classes of your own, such as parts of modules given to `register`.

    Raises:
        TypeError: one of them is no subclass of torch.nn.Module; none is declared then.
    """
    for cls in more:
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise TypeError(
                f"allow_safe_load takes subclasses of torch.nn.Module, got {shown(cls)}"
            )
    torch.serialization.add_safe_globals([*_ours(), *more])


def trust(file: str | os.PathLike) -> None:
    """Let the functions of this package run the code in a checkpoint, or the program in a data
    YAML, in this process and in those that it starts.

    What is trusted is the file as it is now: one that is changed later is asked about again. The
    layers that it holds are declared when it is loaded, so that a training that starts from it can
    read its own checkpoints.

    Raises:
        FileNotFoundError, ValueError: there is no such file, or it is none.
        RuntimeError: ULTRALYTICS_SAFE_LOAD is set, which no file is exempt from.
    """
    file = check_file("file", file)
    if _always():
        raise RuntimeError(
            "ULTRALYTICS_SAFE_LOAD is set, so that no checkpoint runs code here: declare its layers"
            " with dynconv.yolo.allow_safe_load, or unset it"
        )
    os.environ[_TRUSTED] = f"{os.environ.get(_TRUSTED, '')} {_digest(file)}".strip()


def load(file: str | os.PathLike):
    """`YOLO(file)`, but for what else a checkpoint could do: nothing in it runs.

    Args:
        file: a checkpoint of ultralytics (.pt), a model file (.yaml), or ONNX.

    Raises:
        UntrustedCheckpointError: it asks for more than building a network. The message says for
            what, and how to declare a layer of yours or trust the file.
        FileNotFoundError, ValueError: there is no such file, or it is none, or one of another kind:
            TorchScript, for one, is a program.
    """
    from ultralytics import YOLO

    file = check_file("weights", file)
    if file.suffix.lower() not in KINDS:
        raise ValueError(
            f"{file} is none of {', '.join(KINDS)}, and other files can be programs: if you know"
            " who made this one, ultralytics' YOLO(file) opens it"
        )
    with safely():
        return YOLO(file)


def read_checkpoint(file: str | os.PathLike) -> dict:
    """What a checkpoint holds, on the CPU, with nothing in it run.

    Raises:
        UntrustedCheckpointError, FileNotFoundError, ValueError: as `load`.
    """
    file = check_file("weights", file)
    if not _always() and _is_trusted(file):
        return torch.load(file, map_location="cpu", weights_only=False)
    return _restricted(file, map_location="cpu")


@contextlib.contextmanager
def safely() -> Iterator[None]:
    """Within this block ultralytics loads checkpoints and the caches of data sets without running
    what is in them, does not run the program of a data YAML that would download, and installs
    nothing. It holds for the thread, and for processes that are started meanwhile and import this
    package. Also a decorator.
    """
    guard_loads()
    before = _safely.set(True)
    with _LOCK:
        _open.append(os.environ.setdefault(_ASKING, str(os.getpid())))
    try:
        yield
    finally:
        _safely.reset(before)
        with _LOCK:
            if _open.pop() == str(os.getpid()) and not _open:
                os.environ.pop(_ASKING, None)


def _asked() -> bool:
    """Whether this is within `safely`, or in a process that was started there."""
    return _safely.get() or os.environ.get(_ASKING, str(os.getpid())) != str(os.getpid())


def guard_loads() -> None:
    """Let ultralytics ask here before it unpickles, or runs what a data YAML says. The bridge calls
    this; idempotent.
    """
    from ultralytics.utils import patches

    if not hasattr(patches.torch_load, "__wrapped__"):
        _guard_checkpoints(patches)
    guard_programs(_asked, lambda file: not _always() and _is_trusted(file))
    guard_installs(_asked)
    guard_children(lambda: _asked() or _always())
    # If that was imported first, it is not there yet: it imports ultralytics.nn, and so the bridge.
    data = sys.modules.get("ultralytics.data")
    if data is None or hasattr(data, "YOLODataset"):
        _guard_caches()


def _guard_checkpoints(patches) -> None:
    torch_load = patches.torch_load

    def guarded_torch_load(file, *arguments, **keywords):
        # Outside of our functions a load that restricts itself is left to ultralytics.
        ask = _asked() or (_always() and not keywords.get("weights_only"))
        if not ask or not isinstance(file, (str, os.PathLike)):
            return torch_load(file, *arguments, **keywords)
        if not _always() and _is_trusted(file):
            loaded = torch_load(file, *arguments, **keywords | {"weights_only": False})
            _declare(loaded)
            return loaded
        return _restricted(file, *arguments, **keywords)

    guarded_torch_load.__wrapped__ = torch_load
    # Some modules of ultralytics have imported the functions by name already.
    for module in [each for name, each in sys.modules.items() if name.startswith("ultralytics.")]:
        if vars(module).get("torch_load") is torch_load:
            module.torch_load = guarded_torch_load


def _guard_caches() -> None:
    from ultralytics.data import dataset, utils

    load_cache = utils.load_dataset_cache_file
    if hasattr(load_cache, "__wrapped__"):
        return

    def guarded_load_cache(path):
        return _read_cache(path) if _asked() or _always() else load_cache(path)

    guarded_load_cache.__wrapped__ = load_cache
    for module in (dataset, utils):
        module.load_dataset_cache_file = guarded_load_cache


# --- parts ----------------------------------------------------------------------------------------


def _always() -> bool:
    return os.environ.get("ULTRALYTICS_SAFE_LOAD", "").strip().lower() in ("1", "true", "yes", "on")


def _ours() -> list[type]:
    return [cls for module in MODULES for cls in (module.cls, *module.parts)]


def _declared() -> dict[str, object]:
    """What a checkpoint may name besides what every network needs, by its addresses."""
    pairs = [each if isinstance(each, tuple) else (each, _address(each)) for each in _safe()]
    theirs = {address: thing for thing, address in pairs}
    files = {cls.__module__ for cls in registered().values()}
    layers = [
        value
        for name in files
        for value in vars(sys.modules.get(name, nn)).values()
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == name
    ]
    ours = {_address(cls): cls for cls in (*_ours(), *registered().values(), *layers)}
    return theirs | _of_trusted | ours


def _safe() -> list:
    return list(torch.serialization.get_safe_globals())


def _address(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _declare(loaded: object) -> None:
    networks = loaded.values() if isinstance(loaded, dict) else [loaded]
    for network in networks:
        if isinstance(network, nn.Module):
            _of_trusted.update({_address(type(m)): type(m) for m in network.modules()})


def _digest(file: str | os.PathLike) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_trusted(file: str | os.PathLike) -> bool:
    trusted = os.environ.get(_TRUSTED, "").split()
    return bool(trusted) and _digest(file) in trusted


def _restricted(file, map_location=None, **_) -> object:
    """torch.load, but nothing in the file runs.

    Raises:
        UntrustedCheckpointError: it asks for more than a network needs.
        OSError: it cannot be read.
        pickle.UnpicklingError: it is no checkpoint, or a spoilt one.
    """
    name = Path(file)
    try:
        with open(file, "rb") as content:
            # torch would load a TorchScript file by its own rules, whatever it is told
            if "constants.pkl" in torch._C.PyTorchFileReader(content).get_all_records():
                raise RefusedError("is TorchScript, which is a program and not a checkpoint")
            content.seek(0)
            return torch.load(
                content,
                map_location=map_location,
                pickle_module=pickle_module(_declared()),
                weights_only=False,
            )
    except RefusedError as error:
        whole = f", or trust the whole file with dynconv.yolo.trust({str(name)!r})"
        raise UntrustedCheckpointError(
            f"{name} {error}; nothing of it was run. A checkpoint is a program: open only what you"
            " or people you trust have made. If this is a layer of yours, import it and call"
            f" dynconv.yolo.allow_safe_load(...) with its class first{whole * (not _always())}"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # whatever an instruction ends in that no network writes
        raise pickle.UnpicklingError(
            f"{name} is no checkpoint that can be read, or was written by torch before 1.6"
            f" ({type(error).__name__}: {error})"
        ) from error


def _read_cache(path: str | os.PathLike) -> dict:
    """The labels that ultralytics has kept beside a data set, in a pickle inside a NumPy file.

    Raises:
        FileNotFoundError: there is none that can be read; ultralytics then makes it anew.
    """
    try:
        with open(path, "rb") as file:
            major, _ = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            (read if major == 1 else np.lib.format.read_array_header_2_0)(file)
            return pickle_module({}).load(file).item()
    except Exception as error:  # whatever stands in a file that somebody else wrote
        raise FileNotFoundError(f"{path} is no cache that can be read: {error}") from error
