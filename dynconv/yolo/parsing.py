"""`parse_model` of ultralytics with places where registered modules come in.

The function decides by two collections of classes, written inside it: those that take `(c1, c2,
...)` with the width scaled, and among them those that also take a repeat count. Here they are
extended in the function's syntax tree, by `*dynconv_base` and `*dynconv_repeat`, and around the
decision two calls are put in:

    dynconv_row, m, args = dynconv_begin(m, args, locals())
    if m in ...                                # as it was, with the collections extended
    m, n, c2, args, dynconv_keywords = dynconv_finish(dynconv_row, locals())
    m_ = ... m(*args, **dynconv_keywords) ...  # as it was, with the keywords

The first takes arguments given by name out of a row, and lets a module with several inputs, which
the function knows only of its own classes, pass for one of these. The second says what the row
builds, and how many channels come out.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from types import FunctionType
from typing import Any, NamedTuple

import ultralytics
from ultralytics.nn import tasks
from ultralytics.utils.ops import make_divisible

from ..checks import as_python, check_count, shown
from ..edits import UnsupportedUltralytics, find_collections
from .rows import FROM_MODEL, Entry, rows_of, signature, split_arguments

TESTED = "8.3.200 to 8.4.190"  # the versions of ultralytics that `make compat` of the project runs
BEGIN = "dynconv_row, m, args = dynconv_begin(m, args, locals())"
FINISH = "m, n, c2, args, dynconv_keywords = dynconv_finish(dynconv_row, locals())"
# What a word among a row's arguments can stand for. ultralytics would put any of its function's
# variables there, also `n` or `save`, of which a model's author knows nothing.
WORDS = (
    *("nc", "act", "scales", "end2end", "reg_max", "kpt_shape"),
    *("scale", "depth", "width", "max_channels"),
)


class Row(NamedTuple):
    """A row of a registered module: its own arguments, as ultralytics read them."""

    entry: Entry
    arguments: list
    keywords: dict[str, Any]


def readable(d: dict, registered: dict[str, Entry]) -> dict:
    """The model with strings that arrive as they were written: ultralytics reads those among the
    arguments as Python, and stops at '' or '3x3'. Numbers of NumPy, at which it stops among the
    inputs, are Python's. Rows of its own modules stay as they are.
    """

    def protected(value):
        if not isinstance(value, str) or value in WORDS:
            return value
        try:
            ast.literal_eval(value)
        except Exception:  # SyntaxError, ValueError, TypeError, MemoryError, RecursionError
            return repr(value)
        return value

    def rows(section):
        for source, repeats, name, arguments in d[section] or ():
            if name in registered:
                arguments = [protected(value) for value in arguments]
                many = isinstance(source, (list, tuple))
                source = list(map(as_python, source)) if many else as_python(source)
                repeats = as_python(repeats)
            yield [source, repeats, name, arguments]

    return d | {section: list(rows(section)) for section in ("backbone", "head") if section in d}


def begin(registered: dict[str, Entry], m: type, args: list, words: dict) -> tuple:
    """Before ultralytics decides: the row if the module is registered, what passes for the module,
    and the arguments that ultralytics sees.
    """
    entry = next((entry for entry in registered.values() if entry.cls is m), None)
    if entry is None:
        return None, m, args
    args, keywords = split_arguments(args)
    keywords = {name: _read(value, words) for name, value in keywords.items()}
    # of Concat's row ultralytics asks only the channels of the inputs
    stand_in = entry.head or (tasks.Concat if entry.many else m)
    return Row(entry, list(args), keywords), stand_in, args


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
    # Written out for all, since a copy of ultralytics with the tutorials' edits has collections of
    # its own making.
    n = words.get("n_", n)  # the repeats of before the decision
    if entry.many:
        keywords = entry.named(ch=inputs) | keywords
    if not entry.leads_with_channels:
        c2 = inputs[0] if entry.many else inputs
        if callable(entry.channels):
            c2 = check_count(
                f"what channels= of {entry.cls.__name__} gives", entry.channels(inputs)
            )
        return entry.cls, n, c2, row.arguments, keywords
    if entry.many:
        c2 = make_divisible(min(args[0], words["max_channels"]) * words["width"], 8)
    args = [*entry.leading(inputs, c2, n), *row.arguments[1:]]
    return entry.cls, 1 if entry.repeat else n, c2, args, keywords


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
    """Add to an error which row of a registered module was being built."""
    trace, i = error.__traceback__, None
    while trace:
        if trace.tb_frame.f_code is function.__code__:
            i = trace.tb_frame.f_locals.get("i")
        trace = trace.tb_next
    if i is None:
        return
    where, row = rows_of(d)[i]
    if row[2] in registered:
        entry = registered[row[2]]
        c1 = "; its c1 is the list of its inputs' channels" * (
            entry.many and entry.channels is True
        )
        error.add_note(f"{where} of the model builds {row[2]} of {shown(row[3])}{c1}")


def splice(function: FunctionType) -> FunctionType:
    """The function with registered modules let in, as the docstring above shows.

    Raises:
        UnsupportedUltralytics: it is written in an unknown way.
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
    _add_calls(tree)
    ast.fix_missing_locations(tree)
    flags = function.__code__.co_flags & __future__.annotations.compiler_flag
    code = compile(tree, inspect.getsourcefile(function), "exec", flags, dont_inherit=True)
    namespace = {}
    # its globals stay those of ultralytics.nn.tasks, where it looks names up
    exec(code, function.__globals__, namespace)
    return namespace[function.__name__]


def _add_calls(tree: ast.AST) -> None:
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For) and _assigns(node, "m_")]
    body = loops[0].body if len(loops) == 1 else []
    decisions = [
        k
        for k, node in enumerate(body)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and ast.unparse(node.test.left) == "m"
    ]
    builds = [k for k, node in enumerate(body) if _is_assignment(node, "m_")]
    calls = [
        node
        for k in builds
        for node in ast.walk(body[k])
        if isinstance(node, ast.Call) and ast.unparse(node) == "m(*args)"
    ]
    if len(decisions) != 1 or len(builds) != 1 or not calls or decisions > builds:
        raise _unsupported(
            f"the loop of parse_model has {len(decisions)} decisions about m and"
            f" {len(calls)} calls m(*args) in {len(builds)} assignments to m_, expected one"
            " decision, then one assignment with calls"
        )
    for call in calls:
        call.keywords.append(ast.keyword(None, ast.Name("dynconv_keywords", ast.Load())))
    for k, statement in ((builds[0], FINISH), (decisions[0], BEGIN)):
        (new,) = ast.parse(statement).body
        for node in ast.walk(new):
            ast.copy_location(node, body[k])
        body.insert(k, new)


def _assigns(loop: ast.For, name: str) -> bool:
    return any(_is_assignment(node, name) for node in loop.body)


def _is_assignment(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]


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


def _unsupported(what: str) -> UnsupportedUltralytics:
    return UnsupportedUltralytics(
        f"ultralytics {ultralytics.__version__} at {tasks.__file__}: {what}. dynconv is tested with"
        f" {TESTED}: install one of these, or edit nn/tasks.py by hand as the book shows"
    )
