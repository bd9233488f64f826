"""What came out on Colab's software: book/colab.json, written by colab.py after each notebook."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "book/colab.json"


def notebooks():
    return [*sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("book/*.ipynb"))]


def results():
    """{'python', 'list', 'notebooks': {name: what came out}} so far."""
    found = {"notebooks": {}}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else found


def fine(row):
    return not (row["stopped"] or row["replaced"] or row["frames"]["wrong"] or row["messages"])


def in_short():
    """(the Python, the days, how many notebooks ran without a fault), as a table says it."""
    known, found = notebooks(), results()
    ran = found["notebooks"]
    rows = [ran[path.stem] for path in known if path.stem in ran]
    first, last = min(days := [row["tried"] for row in rows]), max(days)
    days = first if first == last else f"{first} to {last}"
    return found["python"], days, f"{sum(map(fine, rows))} of {len(known)} without a fault"
