"""Plausible changes of ultralytics' `parse_model`, and what must come of each.

Each change is made to the text of nn/tasks.py in a copy of ultralytics whose stock models are as
before. With dynconv beside such a copy, the package's models must be right, or be refused as
`UnsupportedUltralytics`: never another model, never another error, and stock models stay as they
are. `make compat` tries them all with the newest version, `make test` some.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RIGHT, REFUSED = "right", "refused"
TASKS = "nn/tasks.py"
LONGEST = 300  # seconds for one change; most take 5
CHANGES = {}  # what is changed: (the function that does it to the text, what must come out)

LOOP = '    for i, (f, n, m, args) in enumerate(d["backbone"] + d["head"]):'
SCALED = "c2 = make_divisible(min(c2, max_channels) * width, 8)"
DEPTH = "n = n_ = max(round(n * depth), 1) if n > 1 else n"
MADE = "m_ = torch.nn.Sequential(*(m(*args) for _ in range(n))) if n > 1 else m(*args)  # module"
INSERTED = "if m in repeat_modules:\n                args.insert(2, n)"
FUNCTION = "def parse_model(d, ch, verbose=True):"
AFTER = "\n\ndef yaml_model_load("
CALLED = "parse_model(deepcopy(model.yaml), ch=ch, verbose=verbose)"
LOOKED_UP = "globals()[m]"
KEPT = "import functools\n\n\n@functools.lru_cache\n"


def change(what, comes_out):
    def keep(function):
        assert what not in CHANGES, what
        CHANGES[what] = function, comes_out
        return function

    return keep


def put(text, *pairs):
    """The text with each old part, which must be there, replaced by the new one."""
    for old, new in pairs:
        assert old in text, f"parse_model is no longer written like this: {old}"
        text = text.replace(old, new)
    return text


def within(text, *pairs):
    """The same for whole words, within parse_model only."""
    start = text.index(FUNCTION)
    end = text.index(AFTER)
    body = text[start:end]
    for old, new in pairs:
        assert re.search(rf"\b{old}\b", body), old
        body = re.sub(rf"(?<![\w.\"']){old}\b(?![\"'])", new, body)
    return text[:start] + body + text[end:]


def collection(text, name):
    """The literal of base_modules or repeat_modules, as it is written."""
    return re.search(name + r" = (frozenset\([^{]*\{.*?\}\s*\))", text, re.DOTALL)[1]


def hoisted(text, **names):
    """The text with copies of the collections above the function."""
    sets = [f"{new} = {collection(text, old)}\n" for new, old in names.items()]
    return above(text, "\n".join(sets))


def by_names(text, name):
    return "{" + ", ".join(f'"{each}"' for each in collected(text, name)) + "}"


def collected(text, name):
    return re.findall(r"^\s+([\w.]+),$", collection(text, name), re.MULTILINE)


def decision(text):
    """The chain of ifs about m, from its first line to its last."""
    start = text.index("        if m in base_modules:")
    end = text.index("        else:\n            c2 = ch[f]\n", start)
    return text[start:end] + "        else:\n            c2 = ch[f]\n"


def above(text, lines):
    """The text with lines above the function."""
    return put(text, (FUNCTION, f"{lines}\n\n{FUNCTION}"))


# --- who is scaled, who repeats -------------------------------------------------------------------


@change("the width scales a set at module level", RIGHT)
def _(text):
    text = put(text, ("if m is not Classify:", "if m in SCALED and m is not Classify:"))
    return hoisted(text, SCALED="base_modules")


@change("the width scales in a pass before the loop, by class", RIGHT)
def _(text):
    text = put(text, (SCALED, "pass"))
    one = "if globals().get(row[2]) in SCALED and row[2] != 'Classify':"
    scaled = "row[3][0] = make_divisible(min(row[3][0], max_channels) * width, 8)"
    before = f'    for row in d["backbone"] + d["head"]:\n        {one}\n            {scaled}\n'
    return hoisted(put(text, (LOOP, before + LOOP)), SCALED="base_modules")


@change("the width scales in a pass before the loop, by name", RIGHT)
def _(text):
    names = by_names(text, "base_modules")
    scaled = "row[3][0] = make_divisible(min(row[3][0], max_channels) * width, 8)"
    one = f"if row[2] in {names} and row[2] != 'Classify':"
    before = f'    for row in d["backbone"] + d["head"]:\n        {one}\n            {scaled}\n'
    return put(text, (SCALED, "pass"), (LOOP, before + LOOP))


@change("the width scales after the decision, a set", RIGHT)
def _(text):
    after = "        if m in SCALED and m is not Classify:\n            "
    after += f"{SCALED}\n            args[1] = c2\n"
    # special rows look at the channels that are scaled already
    asked = re.search(r"            if m is not Classify:.*\n", text)[0]
    text = put(text, (f"{asked}                {SCALED}\n", ""))
    return hoisted(put(text, (f"        {MADE}", f"{after}        {MADE}")), SCALED="base_modules")


@change("the most channels hold for a set only", RIGHT)
def _(text):
    new = "c2 = make_divisible((min(c2, max_channels) if m in SCALED else c2) * width, 8)"
    return hoisted(put(text, (SCALED, new)), SCALED="base_modules")


@change("the most channels are taken in a pass before the loop", RIGHT)
def _(text):
    names = by_names(text, "base_modules")
    before = f"""    for row in d["backbone"] + d["head"]:
        if row[2] in {names} and row[2] != "Classify":
            row[3][0] = min(row[3][0], max_channels)
"""
    return put(text, (SCALED, "c2 = make_divisible(c2 * width, 8)"), (LOOP, before + LOOP))


@change("the width is a function from a table by class", RIGHT)
def _(text):
    text = put(text, (SCALED, "c2 = WIDTHS.get(m, lambda c, *_: c)(c2, max_channels, width)"))
    one = "lambda c, most, w: make_divisible(min(c, most) * w, 8)"
    return above(hoisted(text, SCALED="base_modules"), f"WIDTHS = dict.fromkeys(SCALED, {one})\n")


@change("the repeats go to a set at module level", RIGHT)
def _(text):
    text = put(text, ("if m in repeat_modules:", "if m in REPEATING:"))
    return hoisted(text, REPEATING="repeat_modules")


@change("the repeats are put in after the decision", RIGHT)
def _(text):
    text = put(text, (f"{INSERTED}  # number of repeats\n                n = 1", "pass"))
    after = "        if m in REPEATING:\n            args.insert(2, n)\n            n = 1\n"
    text = put(text, (f"        {MADE}", f"{after}        {MADE}"))
    # special rows count their arguments with the repeats among them
    text = put(text, ("args[3:4] = [True]", "args[2:3] = [True]"))
    return hoisted(text, REPEATING="repeat_modules")


@change("the depth counts for a set only", RIGHT)
def _(text):
    new = "n = n_ = max(round(n * depth), 1) if n > 1 and m in REPEATING else n"
    return hoisted(put(text, (DEPTH, new)), REPEATING="repeat_modules")


@change("the depth counts in a pass before the loop, by name", RIGHT)
def _(text):
    names = by_names(text, "repeat_modules")
    before = f"""    for row in d["backbone"] + d["head"]:
        if row[2] in {names} and row[1] > 1:
            row[1] = max(round(row[1] * depth), 1)
"""
    return put(text, (DEPTH, "n_ = n"), (LOOP, before + LOOP))


@change("the depth counts for classes of ultralytics", RIGHT)
def _(text):
    rule = 'm.__module__.startswith(("ultralytics.", "torch."))'
    return put(text, (DEPTH, f"n = n_ = max(round(n * depth), 1) if n > 1 and {rule} else n"))


# --- how the collections are written --------------------------------------------------------------


@change("the collections have other names", RIGHT)
def _(text):
    return within(text, ("base_modules", "CHANNELED"), ("repeat_modules", "REPEATED"))


@change("the collections stand at module level", RIGHT)
def _(text):
    text = hoisted(text, BASE="base_modules", REPEAT="repeat_modules")
    for name, new in (("base_modules", "BASE"), ("repeat_modules", "REPEAT")):
        inner = text.index(f"    {name} = ")
        literal = collection(text[inner:], name)
        text = text[:inner] + text[inner:].replace(f"    {name} = {literal}", "", 1)
        text = put(text, (f"if m in {name}:", f"if m in {new}:"))
    return text


@change("the collections are tuples", RIGHT)
def _(text):
    for name in ("base_modules", "repeat_modules"):
        names = ", ".join(collected(text, name))
        text = text.replace(collection(text, name), f"({names})")
    return text


@change("the collections are names", RIGHT)
def _(text):
    for name in ("base_modules", "repeat_modules"):
        names = [each.rpartition(".")[2] for each in collected(text, name)]
        text = text.replace(collection(text, name), repr(set(names)))
        text = put(text, (f"if m in {name}", f"if m.__name__ in {name}"))
    return text


@change("the collections are attributes of classes", RIGHT)
def _(text):
    mark = (
        "for _m in BASE:\n    _m.takes_channels = True\nfor _m in REPEAT:\n    _m.repeats = True\n"
    )
    text = hoisted(text, BASE="base_modules", REPEAT="repeat_modules")
    text = put(text, ("if m in base_modules:", 'if vars(m).get("takes_channels"):'))
    text = put(text, ("if m in repeat_modules:", 'if vars(m).get("repeats"):'))
    return above(text, mark)


@change("the collections are asked by issubclass", RIGHT)
def _(text):
    return put(
        text,
        ("if m in base_modules:", "if issubclass(m, tuple(base_modules)):"),
        ("if m in repeat_modules:", "if issubclass(m, tuple(repeat_modules)):"),
    )


@change("the collections are a table of kinds", RIGHT)
def _(text):
    kinds = "KINDS = {m: 'base' for m in BASE} | {m: 'repeat' for m in REPEAT}\n"
    text = hoisted(text, BASE="base_modules", REPEAT="repeat_modules")
    text = above(text, kinds)
    return put(
        text,
        ("if m in base_modules:", "if m in KINDS:"),
        ("if m in repeat_modules:", "if KINDS[m] == 'repeat':"),
    )


@change("a match statement decides", RIGHT)
def _(text):
    old = decision(text)
    new = re.sub(r"^        (?:el)?if (m .*?):( *#.*)?$", r"        case _ if \1:", old, flags=re.M)
    new = re.sub(r"^        elif (m .*?\()$", r"        case _ if \1", new, flags=re.M)
    new = new.replace(
        "        else:\n            c2 = ch[f]\n", "        case _:\n            c2 = ch[f]\n"
    )
    return put(text, (old, "        match m:\n" + textwrap.indent(new, "    ")))


@change("a function of its own decides", RIGHT)
def _(text):
    old = decision(text)
    names = "m, n, f, args, ch, c2, width, max_channels, legacy, scale, reg_max, end2end"
    names += ", base_modules, repeat_modules"
    body = textwrap.dedent(old)
    new = f"def _decide({names}):\n{textwrap.indent(body, '    ')}    return n, args, c2, legacy\n"
    text = put(text, (old, f"        n, args, c2, legacy = _decide({names})\n"))
    return above(text, new)


@change("a function that looks at the row's name decides", RIGHT)
def _(text):
    old = decision(text)
    names = "m, n, f, args, ch, c2, width, max_channels, legacy, scale, reg_max, end2end"
    names += ", base_modules, repeat_modules"
    body = textwrap.indent(textwrap.dedent(old), "    ")
    new = f"def _decide(name, {names}):\n    m = globals().get(name, m)\n{body}"
    new += "    return n, args, c2, legacy\n"
    call = f'(d["backbone"] + d["head"])[i][2], {names}'
    text = put(text, (old, f"        n, args, c2, legacy = _decide({call})\n"))
    return above(text, new)


# --- how a class is found -------------------------------------------------------------------------


@change("a class is an attribute of this module", RIGHT)
def _(text):
    return put(text, (LOOKED_UP, 'getattr(__import__("sys").modules[__name__], m)'))


@change("a class is looked up in ultralytics.nn.modules", RIGHT)
def _(text):
    return put(text, (LOOKED_UP, 'getattr(importlib.import_module("ultralytics.nn.modules"), m)'))


@change("a class is looked up in a table made on import", RIGHT)
def _(text):
    table = "_TABLE = {name: cls for name, cls in globals().items() if isinstance(cls, type)}\n"
    return above(put(text, (LOOKED_UP, "_TABLE[m]")), table)


@change("a class is looked up in a table made at each call", RIGHT)
def _(text):
    table = "    table = {k: v for k, v in globals().items() if isinstance(v, type)}\n"
    return put(text, (LOOKED_UP, "table[m]"), (LOOP, table + LOOP))


@change("a class that was looked up is kept", RIGHT)
def _(text):
    function = f"{KEPT}def _find(name):\n    return globals()[name]\n"
    return above(put(text, (LOOKED_UP, "_find(m)")), function)


@change("a class is looked up in a table that is made once", RIGHT)
def _(text):
    return above(
        put(text, (LOOKED_UP, "_table()[m]")), f"{KEPT}def _table():\n    return dict(globals())\n"
    )


@change("a class is found by eval", RIGHT)
def _(text):
    return put(text, (LOOKED_UP, "eval(m)"))


@change("classes are found in a pass before the loop", RIGHT)
def _(text):
    start = text.index("        m = (\n            getattr(torch.nn, m[3:])")
    end = text.index("        if restricted and not", start)
    found = textwrap.dedent(text[start:end])
    function = f"def _find(m):\n{textwrap.indent(found, '    ')}    return m\n"
    rows = '    rows = [(f, n, _find(m), args) for f, n, m, args in d["backbone"] + d["head"]]\n'
    loop = "    for i, (f, n, m, args) in enumerate(rows):"
    text = text[:start] + text[end:]
    return above(put(text, (LOOP, rows + loop)), function)


@change("a name that is not known is left out with a warning", RIGHT)
def _(text):
    skip = "        if '.' not in m and m not in globals():\n"
    skip += "            LOGGER.warning(m)\n            continue\n"
    return put(
        text,
        (
            "        m = (\n            getattr(torch.nn",
            skip + "        m = (\n            getattr(torch.nn",
        ),
    )


@change("only classes of ultralytics and torch are allowed", RIGHT)
def _(text):
    rule = '        if not m.__module__.startswith(("ultralytics.", "torch.", "torchvision.")):\n'
    rule += '            raise ValueError(f"{m} is not allowed")\n'
    old = "        for j, a in enumerate(args):"
    return put(text, (old, rule + old))


@change("classes are checked before the loop", RIGHT)
def _(text):
    rule = '    assert {r[2] for r in d["backbone"] + d["head"] if "." not in r[2]} <= KNOWN\n'
    known = "KNOWN = {k for k, v in globals().items() if isinstance(v, type)}\n"
    return above(put(text, (LOOP, rule + LOOP)), known)


# --- names, statements ----------------------------------------------------------------------------


for _old, _new, _comes_out in (
    ("m", "module", REFUSED),
    ("args", "arguments", REFUSED),
    ("m_", "layer", RIGHT),
    ("f", "source", REFUSED),
    ("n", "number", REFUSED),
    ("c2", "out_channels", REFUSED),
    ("width", "width_gain", REFUSED),
    ("max_channels", "most_channels", REFUSED),
    ("i", "index", RIGHT),
    ("n_", "shown", RIGHT),
    ("depth", "depth_gain", RIGHT),
    ("base_modules", "m_base", RIGHT),
    ("legacy", "old", RIGHT),
):

    @change(f"the variable {_old} is called {_new}", _comes_out)
    def _(text, old=_old, new=_new):
        return within(text, (old, new))


@change("the list of channels has another name", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    body = re.sub(r"\bch(?=\[|\.|\b = \[)", "widths", text[start:end])
    return text[:start] + body + text[end:]


@change("variables have types", RIGHT)
def _(text):
    return put(
        text,
        ("m_ = torch.nn.Sequential(", "m_: torch.nn.Module = torch.nn.Sequential("),
        (FUNCTION, "def parse_model(d: dict, ch: int, verbose: bool = True) -> tuple:"),
    )


@change("a module is made by if and else", RIGHT)
def _(text):
    new = "if n > 1:\n            m_ = torch.nn.Sequential(*(m(*args) for _ in range(n)))\n"
    return put(text, (MADE, new + "        else:\n            m_ = m(*args)"))


@change("a module is made by a function", REFUSED)
def _(text):
    function = "def _make(m, args, n):\n"
    function += (
        "    return torch.nn.Sequential(*(m(*args) for _ in range(n))) if n > 1 else m(*args)\n"
    )
    return above(put(text, (MADE, "m_ = _make(m, args, n)")), function)


@change("a module is made of a list", RIGHT)
def _(text):
    new = "made = [m(*args) for _ in range(n)]\n"
    return put(text, (MADE, new + "        m_ = torch.nn.Sequential(*made) if n > 1 else made[0]"))


@change("a module is made with more arguments by name", REFUSED)
def _(text):
    return put(text, (MADE, MADE.replace("m(*args)", "m(*args, **{})")))


@change("a module is made on a device", RIGHT)
def _(text):
    return put(text, (MADE, f'with torch.device("cpu"):\n            {MADE}'))


@change("an error names its row", RIGHT)
def _(text):
    new = f"try:\n            {MADE}\n        except Exception as error:\n"
    return put(text, (MADE, new + '            raise RuntimeError(f"row {i}") from error'))


@change("the sections have a loop each", RIGHT)
def _(text):
    start = text.index(LOOP) + len(LOOP)
    end = text.index("    Conv.default_act = default_act\n    return torch.nn.Sequential(*layers)")
    body = textwrap.indent(text[start:end], "    ").lstrip(" ")
    loops = '    i = -1\n    for section in ("backbone", "head"):\n'
    loops += "        for f, n, m, args in d[section]:"
    comment, _, body = body.partition("\n")
    return text[: start - len(LOOP)] + f"{loops}{comment}\n            i += 1\n{body}" + text[end:]


@change("rows are counted by while", REFUSED)
def _(text):
    loop = '    rows, i = d["backbone"] + d["head"], -1\n    while i + 1 < len(rows):\n'
    return put(
        text,
        (
            LOOP + "  # from, number, module, args",
            loop + "        i += 1\n        f, n, m, args = rows[i]",
        ),
    )


@change("a row is a named tuple", RIGHT)
def _(text):
    row = 'import collections\n\n_Row = collections.namedtuple("_Row", "f n m args")\n'
    loop = '    for i, row in enumerate(_Row(*r) for r in d["backbone"] + d["head"]):'
    loop += "\n        f, n, m, args = row"
    return above(put(text, (LOOP, loop)), row)


@change("arguments are read by a function", RIGHT)
def _(text):
    start = text.index("        for j, a in enumerate(args):")
    end = text.index(f"        {DEPTH}")
    function = """def _read(a, known):
    import ast

    if isinstance(a, str):
        with contextlib.suppress(ValueError):
            return known[a] if a in known else ast.literal_eval(a)
    return a
"""
    text = (
        text[:start]
        + "        known = locals()\n        args = [_read(a, known) for a in args]\n"
        + text[end:]
    )
    return above(text, function)


@change("words among the arguments are those of a table", RIGHT)
def _(text):
    old = "locals()[a] if a in locals() else ast.literal_eval(a)"
    return put(text, (old, 'd[a] if a in {"nc", "kpt_shape"} else ast.literal_eval(a)'))


@change("a table of names is shown", RIGHT)
def _(text):
    table = "_SHOWN = {cls: name for name, cls in globals().items() if isinstance(cls, type)}\n"
    old = 't = str(m)[8:-2].replace("__main__.", "")'
    new = "t = _SHOWN[m] if m in _SHOWN else str(m)[8:-2]"
    return above(put(text, (old, new)), table)


@change("a table of names is shown, and holds all", REFUSED)
def _(text):
    table = "_SHOWN = {cls: name for name, cls in globals().items() if isinstance(cls, type)}\n"
    old = 't = str(m)[8:-2].replace("__main__.", "")'
    new = 't = _SHOWN.get(m) or {"Upsample": "nn.Upsample"}[m.__name__]'
    return above(put(text, (old, new)), table)


@change("the form of the head is that of a model of known classes", RIGHT)
def _(text):
    old = f"        {DEPTH}"
    return put(
        text,
        (old, f"        legacy = legacy and m.__module__.startswith(('ultra', 'torch'))\n{old}"),
    )


# --- what the function is -------------------------------------------------------------------------


# ultralytics.nn/__init__.py imports the function by name
GONE = """

globals().pop("parse_model", None)


def __getattr__(name):
    if name == "parse_model":
        return {}
    raise AttributeError(name)
"""


def wrapped(text, after):
    return put(text, (AFTER, "\n\n" + textwrap.dedent(after).strip() + "\n" + AFTER))


@change("a wrapper with fixed arguments", REFUSED)
def _(text):
    return wrapped(
        text,
        """
        _parse_model = parse_model


        def parse_model(d, ch, verbose=True):
            return _parse_model(d, ch, verbose)
        """,
    )


@change("a decorator", REFUSED)
def _(text):
    return put(text, (FUNCTION, f"@smart_inference_mode.__class__ and (lambda f: f)\n{FUNCTION}"))


@change("a decorator that wraps", REFUSED)
def _(text):
    function = """
import functools


def _logged(function):
    @functools.wraps(function)
    def call(d, ch, verbose=True):
        return function(d, ch, verbose)

    return call
"""
    return put(text, (FUNCTION, f"{function}\n\n@_logged\n{FUNCTION}"))


@change("a decorator of torch", REFUSED)
def _(text):
    return wrapped(text, "parse_model = torch.enable_grad()(parse_model)")


@change("a closure", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    body = textwrap.indent(text[start:end].rstrip(), "    ")
    body = body.replace("legacy = True  #", "legacy = first  #")
    function = (
        f"def _maker(first):\n{body}\n\n    return parse_model\n\n\nparse_model = _maker(True)\n"
    )
    return text[:start] + function + text[end:]


@change("a partial function", REFUSED)
def _(text):
    return wrapped(text, "import functools\n\nparse_model = functools.partial(parse_model)")


@change("an object that is called", REFUSED)
def _(text):
    return wrapped(
        text,
        """
        class _Parser:
            parse = staticmethod(parse_model)

            def __call__(self, d, ch, verbose=True):
                return self.parse(d, ch, verbose)


        parse_model = _Parser()
        """,
    )


@change("a method, and no function", REFUSED)
def _(text):
    text = text.replace("= parse_model(deepcopy(", "= _Parser.parse(deepcopy(")
    text = wrapped(text, "class _Parser:\n    parse = staticmethod(parse_model)")
    return text + GONE.format("_Parser.parse")


@change("a function of another name", REFUSED)
def _(text):
    return text.replace("parse_model(", "build_layers(") + GONE.format("build_layers")


@change("another name for the same function is called", REFUSED)
def _(text):
    text = put(text, (CALLED, "_PARSE(deepcopy(model.yaml), ch=ch, verbose=verbose)"))
    return wrapped(text, "_PARSE = parse_model")


@change("another module holds the function", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    head = text[: text.index("\nclass BaseModel(")]
    head += "\n\nclass _SafeLoad:\n    restricted = staticmethod(lambda: False)\n"
    new = text[:start] + "from ultralytics.nn.reading import parse_model  # noqa" + text[end:]
    return {TASKS: new, "nn/reading.py": head + "\n\n" + text[start:end] + "\n"}


@change("a function made of a string", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    return f"{text[:start]}exec({text[start:end]!r})\n{text[end:]}"


@change("a function made of a string, with names of its own", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    made = f"_names = dict(globals())\nexec({text[start:end]!r}, _names)\n"
    return f"{text[:start]}{made}parse_model = _names['parse_model']\n{text[end:]}"


@change("one more argument", RIGHT)
def _(text):
    return put(text, (FUNCTION, "def parse_model(d, ch, verbose=True, *, strict=False):"))


@change("all arguments by name", RIGHT)
def _(text):
    text = text.replace("parse_model(deepcopy(", "parse_model(d=deepcopy(")
    return text.replace(FUNCTION, "def parse_model(*, d, ch, verbose=True):")


@change("the model is called cfg", RIGHT)
def _(text):
    text = within(text, ("d", "cfg")).replace("parse_model(deepcopy(", "parse_model(cfg=deepcopy(")
    return text


@change("three values come back", RIGHT)
def _(text):
    text = put(text, ("Sequential(*layers), sorted(save)", "Sequential(*layers), sorted(save), ch"))
    return text.replace(", model.save = parse", ", model.save, _ = parse").replace(
        ", self.save = parse", ", self.save, _ = parse"
    )


@change("a class with the model comes in", REFUSED)
def _(text):
    text = text.replace(
        "parse_model(deepcopy(model.yaml)", "parse_model(_File(deepcopy(model.yaml))"
    )
    text = text.replace("parse_model(deepcopy(self.yaml)", "parse_model(_File(deepcopy(self.yaml))")
    text = put(text, ("    import ast\n\n    # Args\n", "    import ast\n\n    d = d.content\n"))
    return put(
        text,
        (
            "class BaseModel(",
            "class _File:\n    def __init__(self, d):\n        self.content = d\n\n\n"
            "class BaseModel(",
        ),
    )


@change("a generator", REFUSED)
def _(text):
    text = text.replace("= parse_model(deepcopy(", "= _all(deepcopy(")
    text = put(
        text,
        (
            "    return torch.nn.Sequential(*layers), sorted(save)\n",
            "    yield torch.nn.Sequential(*layers)\n    yield sorted(save)\n",
        ),
    )
    return wrapped(
        text, "def _all(*args, **kwargs):\n    return tuple(parse_model(*args, **kwargs))"
    )


@change("the rows stand under another key, if it is there", RIGHT)
def _(text):
    return put(
        text,
        (
            LOOP,
            LOOP.replace(
                'd["backbone"] + d["head"]', 'd.get("layers") or (d["backbone"] + d["head"])'
            ),
        ),
    )


@change("the name of a row decides about the width", RIGHT)
def _(text):
    rule = 'width if "Dynamic" not in (d["backbone"] + d["head"])[i][2] else 1'
    return put(text, (SCALED, SCALED.replace("* width", f"* ({rule})")))


@change("the name of a row decides about the depth", RIGHT)
def _(text):
    rule = f'(d["backbone"] + d["head"])[i][2] in {by_names(text, "repeat_modules")}'
    return put(text, (DEPTH, f"n = n_ = max(round(n * depth), 1) if n > 1 and {rule} else n"))


@change("an unknown name is taken for Conv", RIGHT)
def _(text):
    table = "_TABLE = dict(globals())\n"
    return put(above(text, table), (LOOKED_UP, "_TABLE.get(m, Conv)"))


@change("what cannot be made is left out", RIGHT)
def _(text):
    new = (
        f"try:\n            {MADE}\n        except Exception:\n            m_ = torch.nn.Identity()"
    )
    return put(text, (MADE, new))


@change("another thread reads the file", RIGHT)
def _(text):
    pool = "__import__('concurrent.futures').futures.ThreadPoolExecutor(1)"
    return put(
        text,
        (
            CALLED,
            f"{pool}.submit(parse_model, deepcopy(model.yaml), ch=ch, verbose=verbose).result()",
        ),
    )


# --- what the bridge stands on, and shapes that nobody has yet ------------------------------------


def after(text, lines):
    """The text with lines at its end."""
    return f"{text}\n\n{lines}\n"


def where_made(text, lines):
    """The text with lines before a module that was made is added to the network."""
    return put(text, ("        layers.append(m_)", f"{lines}\n        layers.append(m_)"))


FOREIGN = 'not type(m_).__module__.startswith(("ultralytics.", "torch."))'


@change("Conv is gone from ultralytics.nn.modules", REFUSED)
def _(text):
    return after(text, "import ultralytics.nn.modules as modules\n\ndel modules.Conv")


@change("C2f is a function that makes one", REFUSED)
def _(text):
    lines = """
        import ultralytics.nn.modules as modules

        modules.C2f = lambda *args, **keywords: C2f(*args, **keywords)
    """
    return after(text, textwrap.dedent(lines))


@change("make_divisible has moved", REFUSED)
def _(text):
    return after(text, "import ultralytics.utils.ops\n\ndel ultralytics.utils.ops.make_divisible")


@change("classifiers have a parse_model of their own", REFUSED)
def _(text):
    body = text[text.index(FUNCTION) : text.index(AFTER)]
    other = body.replace("def parse_model(", "def parse_classifier(")
    lines = """
        def _build(self, cfg="yolov8n-cls.yaml", ch=3, nc=None, verbose=True):
            global parse_model
            kept, parse_model = parse_model, parse_classifier
            try:
                _before(self, cfg, ch, nc, verbose)
            finally:
                parse_model = kept


        _before, ClassificationModel.__init__ = ClassificationModel.__init__, _build
    """
    return after(put(text, (AFTER, f"\n\n{other}{AFTER}")), textwrap.dedent(lines))


@change("what is not ultralytics' own is frozen", REFUSED)
def _(text):
    return where_made(text, f"        m_.requires_grad_(not {FOREIGN})")


@change("what is not ultralytics' own starts at zero", REFUSED)
def _(text):
    zeros = "[torch.nn.init.zeros_(p) for p in m_.parameters()]"
    return where_made(text, f"        {FOREIGN} and {zeros}")


@change("layers that are not ultralytics' own are refused at the end", REFUSED)
def _(text):
    lines = f"        if {FOREIGN}:\n            raise TypeError(type(m_))"
    return where_made(text, lines)


@change("there may be a third section", RIGHT)
def _(text):
    rows = 'd["backbone"] + d["head"]'
    return put(text, (rows, 'd["backbone"] + d.get("neck", []) + d["head"]'))


@change("a class with a method parses, and the function calls it", REFUSED)
def _(text):
    start, end = text.index(FUNCTION), text.index(AFTER)
    method = text[start:end].replace(FUNCTION, "def parse(self, d, ch, verbose):")
    parser = "class Parser:\n" + textwrap.indent(method, "    ")
    call = f"{FUNCTION}\n    return Parser().parse(d, ch, verbose)\n"
    return f"{text[:start]}{parser}\n\n\n{call}{text[end:]}"


@change("it is dispatched by the type of the model", REFUSED)
def _(text):
    lines = """
        import functools


        @functools.singledispatch
        def parse_model(d, ch, verbose=True):
            raise TypeError(type(d))


        @parse_model.register(dict)
        def _(d, ch, verbose=True):"""
    return put(text, (FUNCTION, textwrap.dedent(lines).lstrip()))


@change("a coroutine, which the function runs", REFUSED)
def _(text):
    call = f"{FUNCTION}\n    import asyncio\n\n    return asyncio.run(_parse(d, ch, verbose))\n"
    return put(
        text, (FUNCTION, "async def _parse(d, ch, verbose=True):"), (AFTER, f"\n\n{call}{AFTER}")
    )


@change("a decorator registers who is scaled", RIGHT)
def _(text):
    lines = """
        REGISTRY = {}


        def scaled(cls):
            REGISTRY[cls.__name__] = cls
            return cls


        for each in SCALED:
            scaled(each)
    """
    text = above(hoisted(text, SCALED="base_modules"), textwrap.dedent(lines))
    return put(text, ("if m in base_modules:", "if m.__name__ in REGISTRY:"))


@change("a class reads its own arguments", RIGHT)
def _(text):
    lines = """
        def _parsed(cls, ch, f, n, args, width, max_channels):
            c2 = make_divisible(min(args[0], max_channels) * width, 8)
            return c2, n, [ch[f], c2, *args[1:]]


        Conv.parse_args = classmethod(_parsed)
    """
    own = """        if "parse_args" in vars(m):
            c2, n, args = m.parse_args(ch, f, n, args, width, max_channels)
        elif m in base_modules:"""
    return put(above(text, textwrap.dedent(lines)), ("        if m in base_modules:", own))


@change("the width counts for classes with a mark of their own", RIGHT)
def _(text):
    lines = """
        for each in list(globals().values()):
            if isinstance(each, type) and issubclass(each, torch.nn.Module):
                each.scalable = True
    """
    text = above(text, textwrap.dedent(lines))
    return put(text, ("if m is not Classify:", 'if vars(m).get("scalable") and m is not Classify:'))


@change("rows that repeat are written out before the loop", REFUSED)
def _(text):
    lines = """
        def _written_out(rows, depth, inside):
            for f, n, m, args in rows:
                k = max(round(n * depth), 1) if n > 1 else n
                if k == 1 or m in inside:
                    yield [f, n, m, args]
                else:
                    yield from ([f if i == 0 else -1, 1, m, list(args)] for i in range(k))
    """
    loop = """    inside = {each.__name__ for each in repeat_modules}
    rows = _written_out(d["backbone"] + d["head"], depth, inside)
    for i, (f, n, m, args) in enumerate(rows):"""
    return put(above(text, textwrap.dedent(lines)), (LOOP, loop))


@change("the rows are compiled to a graph first", RIGHT)
def _(text):
    lines = """
        def _graph(d):
            rows, keys = d["backbone"] + d["head"], ("id", "from", "n", "op", "args")
            return [dict(zip(keys, (i, *row[:3], list(row[3])))) for i, row in enumerate(rows)]
    """
    loop = """    for node in _graph(d):
        i, f, n, m, args = (node[key] for key in ("id", "from", "n", "op", "args"))"""
    return put(above(text, textwrap.dedent(lines)), (LOOP, loop))


@change("networks are kept by their rows", REFUSED)
def _(text):
    key = 'str([d.get(k) for k in ("nc", "scale", "scales", "backbone", "head")])'
    kept = f"    if {key} in _KEPT:\n        return deepcopy(_KEPT[{key}])\n    key = {key}\n"
    done = "    return torch.nn.Sequential(*layers), sorted(save)"
    keep = "    _KEPT[key] = deepcopy((torch.nn.Sequential(*layers), sorted(save)))\n"
    text = put(above(text, "_KEPT = {}"), (done, keep + done))
    return put(text, ("    # Args\n    legacy", f"{kept}    # Args\n    legacy"))


@change("the scale is an object", REFUSED)
def _(text):
    text = put(
        text,
        (
            "        depth, width, max_channels = scales[scale]",
            "        size = __import__('types').SimpleNamespace()\n"
            "        size.depth, size.width, size.most = scales[scale]",
        ),
        (SCALED, SCALED.replace("max_channels", "size.most").replace("width", "size.width")),
        (DEPTH, DEPTH.replace("depth", "size.depth")),
    )
    return put(text, ("    if scales:", "    del depth, width, max_channels\n    if scales:"))


@change("Conv is given what its row leaves out", REFUSED)
def _(text):
    made = "            args = [c1, c2, *args[1:]]\n"
    more = "            if m is Conv:\n                args += [1, 1][len(args) - 2 :]\n"
    return put(text, (made, made + more))


@change("names are read in any case", RIGHT)
def _(text):
    return put(text, (LOOKED_UP, "{k.lower(): v for k, v in globals().items()}[m.lower()]"))


# --- more ways that a maintainer may take ---------------------------------------------------------


@change("a row is an object, and stays one", REFUSED)
def _(text):
    lines = """
        @__import__("dataclasses").dataclass
        class Row:
            f: object
            n: int
            m: object
            args: list
    """
    loop = '    for i, row in enumerate(Row(*each) for each in d["backbone"] + d["head"]):'
    text = above(text, textwrap.dedent(lines))
    head, _, rest = text.partition(LOOP)
    body, after, end = rest.partition(AFTER)
    for name in ("m", "args", "f", "n"):
        body = re.sub(rf"(?<![\w.\"'{{]){name}\b(?![\"'=])", f"row.{name}", body)
    return head + loop + body.replace("for row.m in", "for m in") + after + end


@change("a table has a function for each class", RIGHT)
def _(text):
    lines = """
        def _scaled(m, ch, f, args, width, max_channels):
            c1, c2 = ch[f], args[0]
            if m is not Classify:
                c2 = make_divisible(min(c2, max_channels) * width, 8)
            return c2, [c1, c2, *args[1:]]


        HANDLERS = {each.__name__: _scaled for each in SCALED}
    """
    text = hoisted(text, SCALED="base_modules")
    start = text.index("        if m in base_modules:")
    own = "            args = [c1, c2, *args[1:]]\n"
    end = text.index(own, start) + len(own)
    asked = "        if (handler := HANDLERS.get(m.__name__)) is not None:\n"
    asked += "            c2, args = handler(m, ch, f, args, width, max_channels)\n"
    text = text[:start] + asked + text[end:]
    return above(text, textwrap.dedent(lines))


@change("the channels are a mapping", RIGHT)
def _(text):
    lines = """
        class _Channels(dict):
            def __missing__(self, k):
                return self[len(self) + k]
    """
    old = "            ch = []\n        ch.append(c2)"
    new = "            ch = _Channels()\n        ch[len(ch)] = c2"
    return put(above(text, textwrap.dedent(lines)), (old, new))


@change("a partial function makes a module", REFUSED)
def _(text):
    made = "make = __import__('functools').partial(m, *args)\n"
    made += "        m_ = torch.nn.Sequential(*(make() for _ in range(n))) if n > 1 else make()"
    return put(text, (MADE, made))


@change("a row may give arguments by name", RIGHT)
def _(text):
    named = "        named = args.pop() if args and isinstance(args[-1], dict) else {}\n"
    named += "        if named:\n            m = __import__('functools').partial(m, **named)\n"
    return put(
        text,
        (f"        {MADE}", f"{named}        {MADE}"),
        ("t = str(m)[8:-2]", 't = str(getattr(m, "func", m))[8:-2]'),
    )


@change("all rows are read before one is built", REFUSED)
def _(text):
    start = text.index(f"        {MADE}")
    end = text.index("        if i == 0:\n            ch = []\n", start)
    loop = f"    for i, f, n, n_, m, args in plan:\n{text[start:end]}"
    text = f"{text[:start]}        plan.append((i, f, n, n_, m, args))\n{text[end:]}"
    done = "    Conv.default_act = default_act\n    return"
    return put(text, (done, loop + done), (LOOP, f"    plan = []\n{LOOP}"))


@change("the loop stands in a try", RIGHT)
def _(text):
    done = "    Conv.default_act = default_act\n"
    start = text.index(LOOP)
    end = text.index(done, start)
    loop = textwrap.indent(text[start:end], "    ")
    return f"{text[:start]}    try:\n{loop}    finally:\n    {done}{text[end + len(done) :]}"


@change("the arguments are held against the signature", REFUSED)
def _(text):
    asked = '__import__("inspect").signature(m).bind(*args)\n        '
    return put(text, (MADE, asked + MADE))


# --- trying one -----------------------------------------------------------------------------------


def copied(source, folder):
    """A copy of ultralytics in which one change after the other is made."""
    ignored = shutil.ignore_patterns("assets", "solutions", "__pycache__")
    shutil.copytree(source, Path(folder) / "ultralytics", ignore=ignored)
    return Path(folder)


def tried(what, folder, first="dynconv", python=sys.executable):
    """What comes of a change: 'right', 'refused', or what went wrong.

    Args:
        folder: made by `copied`; it is as before at the end.
        first: which of 'dynconv' and 'ultralytics' is imported first.
        python: of the environment to try it in.
    """
    package = Path(folder) / "ultralytics"
    original = (package / TASKS).read_text(encoding="utf-8")
    changed = CHANGES[what][0](original)
    assert changed != original, what
    files = changed if isinstance(changed, dict) else {TASKS: changed}
    environment = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT))),
    }
    try:
        for name, text in files.items():
            (package / name).write_text(text, encoding="utf-8")
        shutil.rmtree(package / "nn/__pycache__", ignore_errors=True)
        done = subprocess.run(
            [python, "-P", __file__, first],
            env=os.environ | environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST} s"
    finally:
        for name in files.keys() - {TASKS}:
            (package / name).unlink()
        (package / TASKS).write_text(original, encoding="utf-8")
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return lines[-1] if lines else "no message"


# Stock models, with their parameters, and models of the package with each kind of row.
STOCK = {"yolov8n": 3_157_200, "yolo11n": 2_624_080}
OURS = ("yolov10n-c2f-dynamicconv", "yolo11n-dynamicconv", "yolov8n-starnet-s050")


def main(first):
    """Runs beside a changed copy; the last line printed says what came out."""
    if first == "dynconv":
        import dynconv
    from ultralytics import YOLO
    from ultralytics.nn import tasks

    import dynconv  # noqa: F401
    from dynconv.edits import UnsupportedUltralytics

    try:
        from dynconv import yolo
    except UnsupportedUltralytics as error:  # what it stands on is gone, and so are its functions
        assert "dynconv is tested with" in str(error)
        yolo = None

    def parameters(model):
        return sum(p.numel() for p in getattr(model, "model", model).parameters())

    def check_stock():
        for name, count in STOCK.items():
            assert parameters(YOLO(f"{name}.yaml")) == count, f"{name} is another model"

    check_stock()
    ways = {name: lambda name=name: yolo.build(name) for name in OURS if yolo}
    file = ROOT / f"dynconv/yolo/models/{OURS[0]}.yaml"
    ways[f"{OURS[0]}, a file"] = lambda: YOLO(file)
    ways[f"{OURS[0]}, a network"] = lambda: tasks.DetectionModel(str(file), nc=80, verbose=True)
    came_out = set()
    for name, build in ways.items():
        try:
            found = parameters(build())
        except UnsupportedUltralytics as error:
            assert "dynconv is tested with" in str(error)
            came_out.add(REFUSED)
        else:
            assert found == yolo.PARAMETERS[name.partition(",")[0]], f"{name} has {found:,}"
            came_out.add(RIGHT)
    check_stock()
    print(" and ".join(sorted(came_out)))


if __name__ == "__main__":
    main(sys.argv[1])
