"""Each line of code on a page is an element that knows its indentation.

Where a page is narrow, a line of 76 columns takes two, and the second begins below the code of the
first and not at the edge (book/theme_static/style.css), so that the shape of a program stays to be
seen without scrolling sideways. The text is the same, so copying copies the code.
"""

import html
import re

from pygments.formatters import HtmlFormatter
from sphinx.highlighting import PygmentsBridge

TAG = re.compile(r"<[^>]+>")
BEFORE = re.compile(r"[-+]? *")  # a sign of a diff belongs to what stands before the code
MOST = 24  # columns; on a phone a line has some 45


class Lines(HtmlFormatter):
    def wrap(self, source):
        return super().wrap((is_code, in_line(text)) for is_code, text in source)


def in_line(text):
    """HTML of a line, with its end, in an element that says how far its code is indented."""
    columns = BEFORE.match(html.unescape(TAG.sub("", text))).end()
    indentation = f' style="--columns:{min(columns, MOST)}"' if columns else ""
    return f'<span class="code-line"{indentation}>{text}</span>'


def setup(app):
    PygmentsBridge.html_formatter = Lines
    return {"parallel_read_safe": True, "parallel_write_safe": True}
