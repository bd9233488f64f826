"""Makes ultralytics' model YAMLs understand modules that are not its own.

`ultralytics.nn.tasks.parse_model` decides by two collections of classes, written inside the
function: those that take `(c1, c2, ...)` with the width scaled, and among them those that also take
a repeat count. The tutorials edit that file. Here the same two edits are made to the function's
syntax tree when the module is loaded: `*dynconv_base` and `*dynconv_repeat` are spliced into the
two collections, and from then on a class is registered by adding it to a set.
"""

from __future__ import annotations
import __future__

import ast
import functools
import inspect
import textwrap
import threading
from types import FunctionType

import torch.nn
import ultralytics
from ultralytics.nn import tasks

from ..edits import UnsupportedUltralytics, find_collections
from .rows import check_rows

TESTED = "8.3.200 to 8.4.190"  # the versions of ultralytics that `make compat` of the project runs
_LOCK = threading.RLock()
_registered: dict[str, bool] = {}  # name in a YAML -> whether it takes (c1, c2, ...)


def register(cls: type | None = None, *, repeat: bool = False, channels: bool = True):
    """Let model YAMLs name a module of your own. Also a decorator: `@register` or
    `@register(repeat=True)`.

    Args:
        cls: an nn.Module whose constructor takes (c1, c2, ...): input channels, then the first
            argument of the YAML row scaled by the width, then the row's other arguments.
        repeat: the constructor takes (c1, c2, n, ...), as C2f does, and the row's repeat count is
            passed to it.
        channels: False for a constructor that takes the row's arguments as they stand, without c1
            and c2, as TimmBackbone does. ultralytics then takes its output to have the channels of
            its input; if it has others, or is a list of maps, follow it with stock rows `Index`,
            whose arguments are [channels, place in the list].

    Returns:
        cls, unchanged. Registering a class again changes nothing, except `repeat` and `channels` if
        they differ.

    Raises:
        TypeError: cls is not a module class, or its constructor takes too few arguments; or repeat
            without channels.
        ValueError: the name belongs to ultralytics or to another registered class, or cls is
            defined in `__main__`: a checkpoint stores only where a class is defined, so it could
            not be loaded in another process.
        UnsupportedUltralytics: see there.
    """
    if cls is None:
        return functools.partial(register, repeat=repeat, channels=channels)
    if not (isinstance(cls, type) and issubclass(cls, torch.nn.Module)):
        raise TypeError(f"register needs a subclass of torch.nn.Module, got {cls!r}")
    name = cls.__name__
    if cls.__module__ == "__main__":
        raise ValueError(
            f"{name} is defined in __main__ (a script or notebook). A checkpoint that holds it"
            " could be loaded nowhere else: move the class into a module file and import it from"
            " there"
        )
    if repeat and not channels:
        raise TypeError(
            "repeat=True passes the repeat count after c1 and c2, which channels=False leaves out:"
            " choose one of them"
        )
    wanted = ("c1", "c2", "n") if repeat else ("c1", "c2")
    try:
        if channels:
            inspect.signature(cls.__init__).bind(None, *wanted)
    except TypeError as error:
        raise TypeError(
            f"{name} must be callable with ({', '.join(wanted)}) as first arguments: {error}"
        ) from None
    with _LOCK:
        known = vars(tasks).get(name)
        if known is not None and name not in _registered:
            raise ValueError(
                f"ultralytics has a module of its own called {name}: give yours another name"
            )
        if known is not None and known is not cls and _place(known) != _place(cls):
            raise ValueError(
                f"{name} is already registered as {'.'.join(_place(known))}: give yours another"
                " name, or unregister it first"
            )
        install()
        if known is not None:
            unregister(name)
        setattr(tasks, name, cls)
        if channels:
            tasks.dynconv_base.add(cls)
        if repeat:
            tasks.dynconv_repeat.add(cls)
        _registered[name] = channels
    return cls


def unregister(module: type | str) -> None:
    """Take back `register`, by class or name.

    Raises:
        ValueError: no such module is registered.
    """
    name = module if isinstance(module, str) else module.__name__
    with _LOCK:
        if name not in _registered:
            raise ValueError(
                f"{name!r} is not registered; registered are"
                f" {', '.join(sorted(_registered)) or 'none'}"
            )
        cls = vars(tasks).pop(name, None)
        for collection in ("dynconv_base", "dynconv_repeat"):
            vars(tasks).get(collection, set()).discard(cls)
        del _registered[name]


def registered() -> dict[str, type]:
    """The registered modules by the names that YAMLs use for them."""
    return {name: vars(tasks)[name] for name in sorted(_registered) if name in vars(tasks)}


def is_active() -> bool:
    """Whether `parse_model` is the one that knows registered modules (reloading ultralytics' module
    undoes it).
    """
    return hasattr(tasks.parse_model, "dynconv_original")


def install() -> None:
    """Replace `ultralytics.nn.tasks.parse_model` by the same function with the two collections
    extended. Idempotent.

    Raises:
        UnsupportedUltralytics: the two collections were not found; nothing is changed then.
    """
    with _LOCK:
        if is_active():
            return
        original = tasks.parse_model
        extended = _splice(original)
        vars(tasks).setdefault("dynconv_base", set())
        vars(tasks).setdefault("dynconv_repeat", set())

        @functools.wraps(extended)
        def parse_model(d, ch, verbose=True):
            check_rows(d, _registered)
            return extended(d, ch, verbose)

        parse_model.dynconv_original = original
        tasks.parse_model = parse_model


def uninstall() -> None:
    """Put ultralytics' own `parse_model` back and forget all registered modules.

    Raises:
        RuntimeError: another program replaced `parse_model` after us; nothing is changed then.
    """
    with _LOCK:
        if not is_active():
            if _registered:
                raise RuntimeError(
                    "parse_model was replaced after dynconv registered its modules; undo that first"
                )
            return
        tasks.parse_model = tasks.parse_model.dynconv_original
        for name in list(_registered):
            unregister(name)
        del tasks.dynconv_base, tasks.dynconv_repeat


def explain_instead(error: UnsupportedUltralytics, names: set[str]) -> None:
    """Where modules cannot be registered, raise `error` as soon as a model names one of them, and
    not before.
    """
    original = tasks.parse_model

    @functools.wraps(original)
    def parse_model(d, *arguments, **keywords):
        if names & {
            row[2]
            for section in ("backbone", "head")
            for row in d.get(section, ())
            if isinstance(row[2], str)
        }:
            raise error
        return original(d, *arguments, **keywords)

    tasks.parse_model = parse_model


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _splice(function: FunctionType) -> FunctionType:
    """The function with `*dynconv_base` and `*dynconv_repeat` added to the collections of classes
    in its source.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        # tracebacks show the real lines
        ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    except (OSError, TypeError, SyntaxError) as error:
        raise _unsupported(f"the source of parse_model cannot be read ({error})") from error
    found = dict(zip(("dynconv_base", "dynconv_repeat"), find_collections(tree)))
    if any(len(nodes) != 1 for nodes in found.values()):
        counts = " and ".join(f"{len(nodes)} for {name}" for name, nodes in found.items())
        raise _unsupported(
            f"parse_model has {counts} of the collections of classes, expected one of each"
        )
    for name, (node,) in found.items():
        node.elts.append(ast.Starred(ast.Name(name, ast.Load()), ast.Load()))
    ast.fix_missing_locations(tree)
    flags = function.__code__.co_flags & __future__.annotations.compiler_flag
    code = compile(tree, inspect.getsourcefile(function), "exec", flags, dont_inherit=True)
    namespace = {}
    # its globals stay those of ultralytics.nn.tasks, where it looks names up
    exec(code, function.__globals__, namespace)
    return namespace[function.__name__]


def _unsupported(what: str) -> UnsupportedUltralytics:
    return UnsupportedUltralytics(
        f"ultralytics {ultralytics.__version__} at {tasks.__file__}: {what}. dynconv is tested with"
        f" {TESTED}: install one of these, or edit nn/tasks.py by hand as the book shows"
    )
