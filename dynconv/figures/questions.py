"""Questions to answer in the page, without a kernel and without marks."""

from __future__ import annotations

from html import escape

from ..checks import shown
from .custom_element import Widget


def questions(rows) -> Widget:
    """Questions with a few answers to choose from, each of which says why it is right or wrong.

    Text between backticks is code. Where no script runs, a fold shows what each answer says.

    Args:
        rows: [{"question": text, "choices": [{"choice": text, "right": why}, {"choice": text,
            "wrong": why}, ...]}, ...]; of the three or more choices of a question one is right.

    Raises:
        ValueError: a row is not like this; the message says which.
    """
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"rows must be a list of questions, got {shown(rows)}")
    asked = [_question(row, f"question {i + 1}") for i, row in enumerate(rows)]
    return Widget("questions", {"questions": asked}, _without_script(asked))


def _question(row, where: str) -> dict:
    if not isinstance(row, dict) or set(row) != {"question", "choices"}:
        raise ValueError(f"{where} must have the keys question and choices, got {shown(row)}")
    if not isinstance(row["choices"], list):
        raise ValueError(f"{where}: choices must be a list, got {shown(row['choices'])}")
    choices = [_choice(each, f"{where}, choice {i + 1}") for i, each in enumerate(row["choices"])]
    right = sum(each["right"] for each in choices)
    if len(choices) < 3 or right != 1:
        raise ValueError(
            f"{where} must have three choices or more, of which one is right, got {len(choices)},"
            f" of which {right}"
        )
    return {"question": _text(row["question"], where), "choices": choices}


def _choice(row, where: str) -> dict:
    keys = set(row) if isinstance(row, dict) else None
    if keys not in ({"choice", "right"}, {"choice", "wrong"}):
        raise ValueError(f"{where} must have the keys choice and right or wrong, got {shown(row)}")
    right = "right" in keys
    because = _text(row["right" if right else "wrong"], where)
    return {"choice": _text(row["choice"], where), "right": right, "because": because}


def _text(text, where: str) -> str:
    if not isinstance(text, str) or not text.strip() or text.count("`") % 2:
        raise ValueError(f"{where} must be a text with backticks in pairs, got {shown(text)}")
    return " ".join(text.split())


def _without_script(asked: list[dict]) -> str:
    rows = []
    for each in asked:
        choices = "".join(f"<li>{_html(choice['choice'])}</li>" for choice in each["choices"])
        said = "".join(
            f"<li><strong>{'Right.' if choice['right'] else 'No.'}</strong>"
            f" {_html(choice['because'])}</li>"
            for choice in each["choices"]
        )
        rows.append(
            f'<li><p>{_html(each["question"])}</p><ol type="A">{choices}</ol><details>'
            f'<summary>What each answer says</summary><ol type="A">{said}</ol></details></li>'
        )
    return f"<ol>{''.join(rows)}</ol>"


def _html(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
