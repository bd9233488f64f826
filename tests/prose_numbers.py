"""The numbers of a sentence that claim something, and what holds each of them."""

import ast
import functools
import re
from dataclasses import dataclass

from conftest import ROOT
from notebook_files import code_lines, parsed
from prose import links, sections, sources, target

FEW = "two three four five six seven eight nine ten".split()
TEENS = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = dict(one=1, a=1, an=1) | {word: 2 + i for i, word in enumerate(FEW)}
WORDS |= {word: 11 + i for i, word in enumerate(TEENS)}
WORDS |= {word: 20 + 10 * i for i, word in enumerate(TENS)}
SCALES = dict(hundred=100, thousand=1000, million=1e6, billion=1e9)
PARTS = dict(half=2, third=3, quarter=4, fifth=5, sixth=6, seventh=7, eighth=8, ninth=9, tenth=10)
PARTS |= dict(sixteenth=16, twentieth=20, hundredth=100, thousandth=1000)
SIGNS = {"½": 1 / 2, "¼": 1 / 4, "¾": 3 / 4, "⅓": 1 / 3, "⅔": 2 / 3}
UNITS = dict(second=1, minute=60, hour=3600, epoch=1, line=1)

# What counts and claims nothing. Each is a form, and none names a place.
NO_CLAIMS = [
    r"^# \d+\.",  # of a chapter
    r"\$\$.*?\$\$|\$[^$\n]*\$",  # a formula defines its numbers
    r"<[^>]+>",  # HTML
    r"\{(?:cite:\w+|chapter)\}`[^`]*`",
    r"\*[A-Z][a-z ]+ · [^*]*min\.\*|Reading time \| \d+ min",  # estimates, with tests of their own
    r"\b(?:19|20)\d\d(?:-\d\d-\d\d)?\b",  # years and dates
    r"\b\d+\.\d+\.\d+\b",  # versions, which other tests hold
    r"\b\d ?[×x] ?\d(?= \w)|\b(?:32|64)-bit\b",  # names of kernels and of types
    # Names that are numbers: chapter 2; edits 1, 2 and 3; YAML 1; torch 2.6.
    r"\b(?:chapters?|exercises?|hint|part|equation|yaml|edits?|experts?|channel|opset|"
    r"operator set|version|python|torch|torchvision|timm|numpy|ultralytics|debian|attribution|"
    r"arxiv)"
    r" \(?\d+(?:\.\d+)*(?:(?:, | and | or | to )\d+)*",
]

ANY, SHARES = "|".join(WORDS), "|".join(PARTS)
LARGE = "|".join(FEW[3:] + TEENS + TENS)
NUMBER = re.compile(
    rf"""
      (?<![\w.,/^\#=])(?<![A-Za-z]-) (?:
        (?P<top>\d+)(?:/|[ ]of[ ])(?P<bottom>\d+)
      | (?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)
        (?P<unit>[ ]?%|[ ]per[ ]cent|[ ](?:million|billion|thousand)\b|[MGk]\b|[ ]times\b)?
      )(?!\w|[.,/]\d)
    | (?P<sign>[½¼¾⅓⅔])
    | \b(?P<percent>{ANY})[ ]per[ ]cent\b
    | \b(?P<twice>twice)[ ](?=as|the|too|its|their|that|what)
    | \b(?P<times>{ANY})[ ]times[ ](?=as|the|its|their|that|more|larger|smaller|faster|slower)
    | \b(?:(?P<near>nearly|almost|about|by|than|within)[ ])?(?:(?P<numerator>{ANY})[ ])?
      (?P<share>{SHARES})s?\b(?:[ ](?P<of_cent>(?:of[ ])?a[ ]per[ ]cent\b)|(?=[ ](?P<of>of|as)\b))?
    | \b(?P<few>{ANY})[ ](?P<scale>{"|".join(SCALES)})\b
    | \b(?P<large>{LARGE})\b(?!-)
    | \b(?P<part>{ANY})[ ]of[ ](?:the[ ])?(?P<whole>{ANY})\b
    | \b(?P<measured>{"|".join(FEW)})[ ](?=(?P<unit_of>{"|".join(UNITS)})s?\b)
    | \b(?:about|than|nearly|almost|takes)[ ](?:an?|one)[ ](?P<time>second|minute|hour)\b
    | \ban?[ ](?P<time_2>second|minute|hour)[ ]or[ ]two\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass
class Number:
    text: str
    values: tuple  # any of them holds it
    slack: float = 1e-9  # relative; 2.9 million is held by 2,869,168
    ratio: bool = False  # of measured things: only an assert holds it
    lines: bool = False  # of code


def numbers_of(text):
    """What a sentence claims in numbers. 0 and 1 claim nothing, nor does 'two steps'."""
    text = re.sub(r"\]\([^)]*\)|\[(?=[^\]]*\]\()", "", text)  # of links, the words
    for form in NO_CLAIMS:
        text = re.sub(form, " § ", text, flags=re.IGNORECASE)
    text = re.sub(r"`[^`]*`", lambda code: setting(code[0].strip("`")), text)
    for match in NUMBER.finditer(text):
        number = read(match)
        if number and re.match(r" *lines?\b", text[match.end() :]):
            number.lines = True
        if number and not (number.lines and number.values[0] < 5):
            yield number


def setting(code):
    """Of code in a sentence, `nc: 80` and `[128, 3, 2]` are claims; names are not."""
    named = re.fullmatch(r"\w+ ?[=:] ?([\d.]+)", code)
    return named[1] if named else code if re.fullmatch(r"[\d, \[\]().%]+", code) else "§"


def read(match):
    text, get = match[0].strip(), {k: v.lower() for k, v in match.groupdict().items() if v}
    match get:
        case {"digits": digits}:
            value, unit = float(digits.replace(",", "")), get.get("unit", "").strip()
            if value in (0, 1):
                return None
            after_point = len(digits.partition(".")[2])
            slack = 0.5 * 10**-after_point / value if after_point else 1e-9
            if unit in ("%", "per cent"):
                return Number(text, share(value / 100), slack)
            if unit == "times":
                return Number(text, (value, 1 / value), slack, ratio=True)
            scale = (dict(m=1e6, g=1e9, k=1e3) | SCALES).get(unit, 1)
            return Number(text, (value, value * scale), slack)
        case {"top": top, "bottom": bottom}:
            return Number(text, share(int(top) / int(bottom)))
        case {"sign": sign}:
            return Number(text, share(SIGNS[sign]))
        case {"percent": word}:
            return Number(text, share(WORDS[word] / 100), ratio=True)
        case {"twice": _}:
            return Number(text, (2, 1 / 2), ratio=True)
        case {"times": word}:
            return Number(text, (WORDS[word], 1 / WORDS[word]), ratio=True)
        case {"share": part}:  # 'the third' is none
            top, of = WORDS[get.get("numerator", "a")], 100 if "of_cent" in get else 1
            said = get.keys() & {"near", "of_cent", "of"}
            return Number(text, share(top / PARTS[part] / of), ratio=True) if said else None
        case {"few": word, "scale": scale}:
            return Number(text, (WORDS[word] * SCALES[scale],))
        case {"part": part, "whole": whole}:
            exact = WORDS[part], WORDS[part] / WORDS[whole]
            return None if 1 in (WORDS[part], WORDS[whole]) else Number(text, exact, ratio=True)
        case {"time": unit} | {"time_2": unit}:
            return Number(text, (UNITS[unit],), ratio=True)
        case {"measured": word, "unit_of": unit}:
            return Number(text, (WORDS[word] * UNITS[unit],))
        case {"large": word}:
            return Number(text, (WORDS[word],))


def share(value):
    """How code has a share: as it is, what is left of it, as a change."""
    return value, 1 - value, 1 + value


# --- what holds them ------------------------------------------------------------------------------

# Sections that say again what others have shown: all code of the page stands behind them.
AGAIN = ("", "The question", "Summary", "What comes next")


def held_by(page, section, paragraph, number):
    """What holds a number, in words; '' if nothing does."""
    if page.stem == "glossary":
        return "the glossary, which defines"
    if line := in_code(code_behind(page, section), number):
        return line
    for source in sources(paragraph):
        return f"the source {source}"
    for file in re.findall(r"<!-- held by: (\S+) -->", paragraph):
        assert (ROOT / file).is_file(), f"{page.name}: there is no {file} to hold {number.text!r}"
        if holds(written((ROOT / file).read_text(encoding="utf-8")), number):
            return file
    for link in links(paragraph):
        for shown in target(page, link) if "#" in link else []:
            if shown is not section and (
                in_code(shown.code, number) or holds(stated(shown), number)
            ):
                return link
    return ""


def code_behind(page, section):
    """The code that may hold the numbers of a section."""
    if section.title in AGAIN:
        return [source for each in sections(page) for source in each.code]
    if section.title != "Exercises":
        return section.code
    folders = (ROOT / "dynconv/exercises", ROOT / "course/solutions")
    files = [folder / f"chapter_{page.stem[:2]}.py" for folder in folders]
    files = [file for file in files if file.exists()]
    return section.code + [file.read_text(encoding="utf-8") for file in files]


def in_code(code, number):
    """The line of some code that holds a number, asserts before others; '' if none does. A ratio
    is held by an assert; a small number too, or by a cell that the reader sees.
    """
    if number.lines:
        return next((line for source in code if (line := has_lines(source, number.values[0]))), "")
    found = [
        (asserted, value, line)
        for source in code
        for value, asserted, line in constants(source)
        if asserted or not (number.ratio or is_small(number) and source.startswith("# @title"))
    ]
    found.sort(key=lambda one: not one[0])
    return next((line for _, value, line in found if holds([value], number)), "")


def is_small(number):
    return number.values[0] <= 10 and number.values[0] % 1 == 0


def has_lines(source, most):
    """A cell, or something defined in it, with so many lines, or up to a fifth fewer."""
    definitions = (ast.FunctionDef, ast.ClassDef)
    pieces = [
        ast.unparse(each) for each in ast.walk(parsed(source)) if isinstance(each, definitions)
    ]
    for piece in [source, *pieces]:
        if 0.8 * most <= code_lines(piece) <= most:
            return f"{piece.splitlines()[0]} ... ({code_lines(piece)} lines)"


def holds(found, number):
    """Whether a number is among those found, as exactly as it is given."""
    return any(
        abs(other - value) <= 1.001 * number.slack * abs(value)
        for value in number.values
        for other in found
    )


@functools.cache
def constants(source):
    """(value, whether an assert compares it, its line) of the numbers of some code, arithmetic with
    constants done; of a fraction and a power only the result counts.
    """
    lines = source.splitlines()
    return [
        (value, asserted, lines[line - 1].strip())
        for value, asserted, line in numbers_below(parsed(source))
    ]


def numbers_below(node, asserted=False):
    if (value := worked_out(node)) is not None:
        yield value, asserted, node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Pow):
            return
    for child in ast.iter_child_nodes(node):
        match node:
            case ast.Assert(test=test):
                inside = child is test
            case ast.Subscript(slice=index):
                inside = asserted and child is not index
            case ast.Call(func=function, args=[first, *_]):  # not the digits of round(x, 2)
                inside = asserted and child in (function, first)
            case _:
                inside = asserted
        yield from numbers_below(child, inside)


def worked_out(node):
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = worked_out(left), worked_out(right)
            if a is None or b is None:
                return None
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div() if b:
                    return a / b
                case ast.Pow() if 0 < a < 1e3 and abs(b) < 10:
                    return a**b


def written(text):
    """All numbers of a file."""
    found = re.findall(r"(?<![\w.])\d[\d,_]*(?:\.\d+)?", text)
    return {float(re.sub("[,_]", "", number)) for number in found}


def stated(section):
    """The numbers that a section states itself."""
    found = [number for text in section.paragraphs for number in numbers_of(text)]
    return {value for number in found for value in number.values}
