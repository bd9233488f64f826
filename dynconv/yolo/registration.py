"""Makes ultralytics' model YAMLs understand modules that are not its own.

The tutorials edit `ultralytics.nn.tasks.parse_model`, which builds a model from a YAML. Here a
second one is made of it that also knows registered modules (`parsing` says how), and from then on a
class is registered by an entry in a table. Models that name no registered module are built by
ultralytics' own function as ever.

Before it is used, the second one is tried: with registered stand-ins for Conv, C2f, ... it must
build the networks that ultralytics builds of these (`probe`). If it does not, or anything else goes
wrong, ultralytics stays as it was, and a model that names a module of ours is refused as
`UnsupportedUltralytics`. This takes about 180 ms of one core, once in a process, and happens on
import. At the first build would be too late: until then our names would stand untried in
`nn/tasks.py`, where a function that was never replaced finds them and builds what it likes; and the
trial would run in whatever the build runs in, a thread, another dtype, a compiler.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path

import torch.nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Classify, Detect

from ..checks import shown
from ..edits import UnsupportedUltralytics
from ..upstream import model_in, names_of, unsupported
from . import probe
from .candidates import check_constructor, check_definition, check_held, check_task, head_class
from .parsing import begin, disguised, finish, note, splice
from .rows import Entry, UnknownModuleError, check_before, check_rows, place

MODELS = Path(__file__).parent / "models"  # the model files of the package
_LOCK = threading.RLock()
_registered: dict[str, Entry] = {}  # by the name in a YAML
_ABSENT = object()
_PROBES = (
    Entry(probe.ProbeConv, False, True, "one", None),
    Entry(probe.C2f_Probe, True, True, "one", None),
    Entry(probe.ProbeUpsample, False, False, "one", None),
    Entry(probe.ProbeConcat, False, sum, "many", None),
    Entry(probe.ProbeFusion, False, True, "many", None),
    Entry(probe.ProbeDetect, False, False, "many", Detect),
)


def register(
    cls: type | None = None,
    *,
    repeat: bool = False,
    channels: bool | Callable = True,
    inputs: str = "one",
):
    """Let model YAMLs name a module of your own. Also a decorator: `@register` or
    `@register(repeat=True)`.

    Args:
        cls: an nn.Module whose constructor takes (c1, c2, ...): input channels, then the first
            argument of the YAML row scaled by the width, then the row's other arguments. If the
            last of these is a mapping, `{ratio: 4}`, it gives arguments by name. A class derived
            from a head of ultralytics (Detect, Segment, ...) is built as that head is, and what
            follows here does not matter.
        repeat: the constructor takes (c1, c2, n, ...), as C2f does, and the row's repeat count is
            passed to it.
        channels: False for a constructor that takes the row's arguments as they stand, without c1
            and c2, as TimmBackbone does. ultralytics then takes its output to have the channels of
            its (first) input. If it has others, give a function that returns them: of the input's
            channels, or, with inputs='many', of the list of them, such as `sum`. If the output is a
            list of maps, follow it with stock rows `Index`, whose arguments are [channels, place in
            the list].
        inputs: 'many' for a module whose forward takes a list of maps, as Concat does. Its row
            begins with a list, `[[-1, 6], 1, Fusion, [64]]`, and its c1 is the list of their
            channels. Without c1 (`channels` other than True), a parameter called `ch` gets it.

    Returns:
        cls, unchanged. Registering a class again changes nothing, except what is asked otherwise;
        one from a module that was reloaded replaces the one from before.

    Raises:
        TypeError: cls is not a module class, or its constructor takes too few arguments; or repeat
            without channels.
        ValueError: the name belongs to ultralytics or to another registered class, or is that of a
            head from which ultralytics would read another task than the head's; or a checkpoint,
            which stores only where a class is defined, could not hold it: it is defined in
            `__main__` or in a function, or its module does not have it, or another one, under its
            name.
        UnsupportedUltralytics: see there.
    """
    if cls is None:
        return functools.partial(register, repeat=repeat, channels=channels, inputs=inputs)
    if not (isinstance(cls, type) and issubclass(cls, torch.nn.Module)):
        raise TypeError(f"register needs a subclass of torch.nn.Module, got {shown(cls)}")
    check_definition(cls)
    entry = Entry(cls, repeat, channels, inputs, head_class(cls))
    if entry.head:
        many = not issubclass(cls, Classify)
        entry = entry._replace(channels=False, inputs="many" if many else "one")
        check_task(cls)
    check_constructor(entry)
    with _LOCK:
        known, name = known_as(cls.__name__), cls.__name__
        if name not in _registered and known is not None:
            _refuse_other(cls, known)
        if name in _registered and place(known) != place(cls):
            raise ValueError(
                f"{name} is already registered as {place(known)}: give yours another name, or"
                " unregister it first"
            )
        check_held(cls)
        add(entry)
    return cls


def add(entry: Entry) -> None:
    """Register without asking whether the name is free: what it meant before comes back with
    `unregister`.
    """
    name = entry.cls.__name__
    with _LOCK:
        install()
        if name in _registered:
            unregister(name)
        _registered[name] = entry._replace(before=vars(tasks).get(name, _ABSENT))
        setattr(tasks, name, entry.cls)


def known_as(name: str) -> object:
    """What a row of that name means to ultralytics now; None if nothing."""
    known = vars(tasks).get(name)
    if name in _registered and known is not _registered[name].cls:
        # nn/tasks.py was loaded again, or somebody put another class there
        with _LOCK:
            del _registered[name]
    return known


def unregister(module: type | str) -> None:
    """Take back `register`, by class or name.

    Raises:
        ValueError: no such module is registered.
    """
    name = module.__name__ if isinstance(module, type) else module
    with _LOCK:
        if not isinstance(name, str) or name not in _registered:
            raise ValueError(
                f"{shown(name)} is not registered; registered are"
                f" {', '.join(sorted(_registered)) or 'none'}"
            )
        entry = _registered[name]
        if vars(tasks).get(name) is entry.cls:
            if entry.before is _ABSENT:
                delattr(tasks, name)
            else:
                setattr(tasks, name, entry.before)
        del _registered[name]


def registered() -> dict[str, type]:
    """The registered modules by the names that YAMLs use for them."""
    return {name: vars(tasks)[name] for name in sorted(_registered) if name in vars(tasks)}


def is_active() -> bool:
    """Whether `parse_model` is the one that knows registered modules (reloading ultralytics' module
    undoes it).
    """
    return hasattr(vars(tasks).get("parse_model"), "dynconv_original")


def install() -> None:
    """Replace `ultralytics.nn.tasks.parse_model` by one that also knows registered modules, and try
    it. Idempotent.

    Raises:
        UnsupportedUltralytics: it is written in an unknown way, or builds something else with the
            stand-ins than without; nothing is changed then.
    """
    with _LOCK:
        if is_active():
            return
        original = vars(tasks).get("parse_model", _ABSENT)
        if hasattr(original, "dynconv_error"):
            raise original.dynconv_error
        if original is _ABSENT:
            raise unsupported("there is no function parse_model")
        calls = {"dynconv_begin": begin, "dynconv_finish": finish}
        # If another program has put a parse_model of its own there, ours waits below it.
        before = {name: vars(tasks)[name] for name in calls.keys() & vars(tasks).keys()}
        try:
            vars(tasks).update(calls)
            tasks.parse_model = _extended(original)
            found = _tried()
            if found:
                raise unsupported(
                    f"parse_model treats modules that are not its own otherwise: {found}"
                )
        except BaseException as error:
            tasks.parse_model = original
            for name in calls:
                vars(tasks).pop(name, None)
            vars(tasks).update(before)
            if isinstance(error, UnsupportedUltralytics) or not isinstance(error, Exception):
                raise
            raise unsupported(
                f"trying the registration ended in {type(error).__name__}: {error}"
            ) from error


def _extended(original: Callable) -> Callable:
    """Builds models that name a registered module, and leaves all others to `original`."""
    extended = splice(original)

    @functools.wraps(extended)
    def parse_model(*arguments, **keywords):
        d = model_in(arguments, keywords)
        if d is not None:
            check_before(d)
            _check_sections(d)
        if not names_of(d) & _registered.keys():
            try:
                return original(*arguments, **keywords)
            except Exception:  # said better, if the reason is the file
                _check_rows(d or (*arguments, None)[0])
                raise
        _check_rows(d)
        try:
            with disguised(d, _registered) as read:
                given = [read if value is d else value for value in arguments]
                named = {name: read if value is d else value for name, value in keywords.items()}
                return extended(*given, **named)
        except Exception as error:
            note(error, extended, d, _registered)
            raise

    parse_model.dynconv_original = original
    return parse_model


def _check_sections(d: dict) -> None:
    """Registered modules stand where they are looked for; ultralytics reads no other section, or
    one day reads it in its own way.
    """
    for section, rows in d.items():
        if section not in ("backbone", "head"):
            found = names_of({"head": rows}) & _registered.keys()
            if found:
                raise ValueError(
                    f"the section `{section}:` of the model names {', '.join(sorted(found))}:"
                    " registered modules may stand in `backbone:` and in `head:`"
                )


def _check_rows(d: object) -> None:
    """`check_rows`; what a model of the package misses is ultralytics' fault, if the package names
    it and not a reader who changed its rows.
    """
    try:
        check_rows(d, _registered)
    except UnknownModuleError as error:
        file = MODELS / str(d.get("yaml_file"))
        ours = file.read_text("utf-8") if file.parent == MODELS and file.is_file() else ""
        if all(name in ours for name in names_of(d)):
            raise unsupported(f"{file.stem} cannot be built: {error}") from error
        raise


def _tried() -> str:
    """What the probe finds with its stand-ins registered; '' if nothing."""
    try:
        for entry in _PROBES:
            add(entry)
        return "; ".join(probe.differences()[:1])
    finally:
        for name in probe.STOCK.keys() & _registered.keys():
            unregister(name)


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
        del tasks.dynconv_begin, tasks.dynconv_finish


def _refuse_other(cls: type, known: object) -> None:
    """A name that ultralytics has already, for another class or one of its own. A class that the
    reader put there, as many threads advise, is no other.
    """
    name = cls.__name__
    if known is not cls and place(known) != place(cls):
        raise ValueError(
            f"ultralytics has a module of its own called {name}, {place(known)}: give yours another"
            " name"
        )
    if cls.__module__.startswith("ultralytics.nn.modules"):
        raise ValueError(
            f"ultralytics has a module of its own called {name}, this one: it needs no registration"
        )
