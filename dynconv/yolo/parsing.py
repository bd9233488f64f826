"""`parse_model` of ultralytics with places where registered modules come in.

The function asks what each module is, and goes by its answer: does it take `(c1, c2, ...)` with the
width scaled, does it take a repeat count? It is given the model with Conv or C2f, or another name
of its own that is to be treated alike, in the place of each registered one. Two calls are put into
its syntax tree, which put these back:

    m = ...                                    # as it was: the class that the row names
    dynconv_row = dynconv_begin(m, locals())
    ...                                        # as it was: what ultralytics decides about Conv
    m, n, c2, args, dynconv_keywords = dynconv_finish(dynconv_row, locals())
    m_ = ... m(*args, **dynconv_keywords) ...  # as it was, with the keywords

The first says whether a registered module stands here. The second gives its class, its arguments by
name, and what no module of ultralytics' own has: several inputs with channels of its own, or
channels that a function tells. Whether the result builds what it should is not seen here: `probe`
tries it.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import inspect
import textwrap
import threading
from collections.abc import Iterator
from types import FunctionType
from typing import Any, NamedTuple

from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C2f, Concat, Conv
from ultralytics.utils.ops import make_divisible

from ..checks import as_python, check_count, shown
from ..upstream import rows_of, unsupported
from .rows import FROM_MODEL, Entry, signature, split_arguments

BEGIN = "dynconv_row = dynconv_begin(m, locals())"
FINISH = "m, n, c2, args, dynconv_keywords = dynconv_finish(dynconv_row, locals())"
# What a word among a row's arguments can stand for. ultralytics would put any of its function's
# variables there, also `n` or `save`, of which a model's author knows nothing.
WORDS = (
    *("nc", "act", "scales", "end2end", "reg_max", "kpt_shape"),
    *("scale", "depth", "width", "max_channels"),
)


class Row(NamedTuple):
    """A row of a registered module: its own arguments, later as ultralytics reads them."""

    entry: Entry
    arguments: list
    keywords: dict[str, Any]


_state = threading.local()  # .rows: those that parse_model has not come to, in this thread


@contextlib.contextmanager
def disguised(d: dict, registered: dict[str, Entry]) -> Iterator[dict]:
    """The model as parse_model is to read it, within the block: with names of ultralytics' own in
    the place of registered ones, and without arguments by name.

    Strings arrive as they were written: ultralytics reads those among the arguments as Python, and
    stops at '' or '3x3'. Numbers of NumPy, at which it stops among the inputs, are Python's. Rows
    of its own modules stay as they are.

    Raises:
        UnsupportedUltralytics: parse_model did not come to every row in the block.
    """
    rows = []

    def disguise(row):
        source, repeats, name, arguments = row
        entry = registered.get(name)
        if entry is None:
            rows.append(None)
            return row
        arguments, keywords = split_arguments(arguments)
        arguments = [_protected(value) for value in arguments]
        rows.append(Row(entry, arguments, keywords))
        many = isinstance(source, (list, tuple))
        source = list(map(as_python, source)) if many else as_python(source)
        return [source, as_python(repeats), _alike(entry)[0], list(arguments)]

    sections = [section for section in ("backbone", "head") if section in d]
    read = d | {section: [disguise(row) for row in d[section] or ()] for section in sections}
    before, _state.rows = getattr(_state, "rows", None), rows
    try:
        yield read
    finally:
        _state.rows = before
    if rows:
        raise unsupported(f"parse_model left out {len(rows)} rows")


def _protected(value: Any) -> Any:
    if not isinstance(value, str) or value in WORDS:
        return value
    try:
        ast.literal_eval(value)
    except Exception:  # SyntaxError, ValueError, TypeError, MemoryError, RecursionError
        return repr(value)
    return value


def begin(m: type, words: dict) -> Row | None:
    """As soon as the class of a row is known: the row, if a registered module stands there."""
    row = _state.rows.pop(0) if _state.rows else None
    if row is None:
        return None
    name, cls = _alike(row.entry)
    if m is not cls:
        raise unsupported(f"parse_model takes {name} for {shown(m)}")
    read = [_read(value, words) for value in row.arguments]
    keywords = {name: _read(value, words) for name, value in row.keywords.items()}
    return Row(row.entry, read, keywords)


def _alike(entry: Entry) -> tuple[str, type]:
    """Name and class of ultralytics' own that are treated as the registered module shall be."""
    if entry.head:
        return entry.head.__name__, entry.head
    if entry.many:
        return "Concat", Concat  # of whose row ultralytics asks only the channels of the inputs
    if not entry.leads_with_channels:
        return "nn.Identity", nn.Identity
    return ("C2f", C2f) if entry.repeat else ("Conv", Conv)


def finish(row: Row | None, words: dict) -> tuple:
    """After ultralytics decided: the class to build, how often, its output channels, its positional
    arguments and those by name. `words`: the variables of parse_model.
    """
    m, n, c2, args = (words[name] for name in ("m", "n", "c2", "args"))
    if row is None:
        return m, n, c2, args, {}
    entry, f, ch, keywords = row.entry, words["f"], words["ch"], row.keywords
    inputs = [ch[x] for x in f] if entry.many else ch[f]
    if entry.head:
        if entry.many:
            args, keywords = _head(row, args, inputs, words)
        return entry.cls, n, c2, args, keywords
    if entry.many:
        keywords = entry.named(ch=inputs) | keywords
    if not entry.leads_with_channels:
        c2 = inputs[0] if entry.many else inputs
        if callable(entry.channels):
            c2 = check_count(
                f"what channels= of {entry.cls.__name__} gives", entry.channels(inputs)
            )
    elif entry.many:
        c2 = make_divisible(min(args[0], words["max_channels"]) * words["width"], 8)
        args = [*entry.leading(inputs, c2, n), *args[1:]]
        n = 1 if entry.repeat else n
    return entry.cls, n, c2, args, keywords


def _head(row: Row, args: list, ch: list, words: dict) -> tuple[list, dict]:
    """The arguments of a head derived from one of ultralytics'.

    A head whose constructor has the parameter `ch` is given what the model knows by name, in
    whatever order it has them: versions of ultralytics differ in that. Any other gets what the head
    of ultralytics would get.
    """
    entry, own = row.entry, row.arguments
    known = {name: words[name] for name in FROM_MODEL if name in words} | {"ch": ch}
    known = entry.named(**known)
    if "ch" not in known:
        return args, row.keywords
    if len(args) > len(own) and args[-1] == ch:  # among them what was scaled by the width
        own = args[: len(own)]
    names = [name for name in entry.parameters() if name not in known]
    if len(own) > len(names):
        raise TypeError(
            f"{entry.cls.__name__} takes {', '.join(names) or 'nothing'} from a row, got"
            f" {shown(own)}"
        )
    bound = signature(entry.cls).bind(**dict(zip(names, own)) | known | row.keywords)
    return list(bound.args), bound.kwargs


def note(error: Exception, function: FunctionType, d: dict, registered: dict[str, Entry]) -> None:
    """Add to an error which row was being built."""
    trace, i = error.__traceback__, None
    while trace:
        if trace.tb_frame.f_code is function.__code__:
            i = trace.tb_frame.f_locals.get("i")
        trace = trace.tb_next
    if i is None:
        return
    where, row = rows_of(d)[i]
    if isinstance(row, (list, tuple)) and len(row) == 4:
        entry = registered.get(row[2])
        c1 = "; its c1 is the list of its inputs' channels" * bool(
            entry and entry.many and entry.channels is True
        )
        error.add_note(f"{where} of the model builds {row[2]} of {shown(row[3])}{c1}")


def splice(function: object) -> FunctionType:
    """The function with registered modules let in, as the docstring above shows.

    Raises:
        UnsupportedUltralytics: it is written in an unknown way.
    """
    if not isinstance(function, FunctionType):
        raise unsupported(f"parse_model is no function, but {shown(function)}")
    if hasattr(function, "__wrapped__") or function.__closure__:
        raise unsupported("parse_model is wrapped in another function")
    if function.__globals__ is not vars(tasks):  # where registered modules are put
        where = function.__globals__.get("__name__")
        raise unsupported(f"parse_model looks up the names of modules in {where}")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise unsupported(f"the source of parse_model cannot be read ({error})") from error
    if not isinstance(tree.body[0], ast.FunctionDef) or tree.body[0].decorator_list:
        raise unsupported("parse_model is no plain function with its name and no decorator")
    # tracebacks show the real lines
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    _add_calls(tree)
    ast.fix_missing_locations(tree)
    flags = function.__code__.co_flags & __future__.annotations.compiler_flag
    code = compile(tree, inspect.getsourcefile(function), "exec", flags, dont_inherit=True)
    namespace = {}
    # its globals stay those of ultralytics.nn.tasks, where it looks names up
    exec(code, function.__globals__, namespace)
    return namespace[tree.body[0].name]


def _add_calls(tree: ast.AST) -> None:
    """Both calls, in the one loop that makes a module of m and args."""
    loops = [node.body for node in ast.walk(tree) if isinstance(node, ast.For)]
    places = [
        (body, k)
        for body in loops
        for k in range(len(body))
        if _making(body[k]) and not isinstance(body[k], ast.For)  # the inner one of two loops
    ]
    if len({id(body) for body, _ in places}) != 1:
        raise unsupported("parse_model has not one loop that makes modules by m(*args)")
    body, build = places[0]
    for _, k in places:
        for call in _making(body[k]):
            call.keywords.append(ast.keyword(None, ast.Name("dynconv_keywords", ast.Load())))
    named = [k + 1 for k in _binding(body, "m") if k < build]
    for k, statement in ((build, FINISH), (named[-1] if named else 0, BEGIN)):
        (new,) = ast.parse(statement).body
        for node in ast.walk(new):
            ast.copy_location(node, body[k])
        body.insert(k, new)


def _making(statement: ast.stmt) -> list[ast.Call]:
    """The calls that make a module."""
    nodes = ast.walk(statement)
    return [
        node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node) == "m(*args)"
    ]


def _binding(statements: list[ast.stmt], name: str) -> list[int]:
    """Which of the statements give a value to that name."""
    return [
        k
        for k, statement in enumerate(statements)
        if any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            for node in ast.walk(statement)
        )
    ]


def _read(value: Any, words: dict) -> Any:
    """A value given by name, as ultralytics reads those in the list: `nc`, `None`, `1e-3`."""
    if not isinstance(value, str):
        return value
    if value in WORDS and value in words:
        return words[value]
    try:
        return ast.literal_eval(value)
    except Exception:  # a word, or another string
        return value
