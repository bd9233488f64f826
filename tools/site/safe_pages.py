"""A page runs the scripts that it was built with and no others, and asks no other host.

Each page says so to the browser in a Content-Security-Policy, which names its own inline scripts by
their hash: a script that came in through a caption, a class name or a file name would not run.
Styles may stand in attributes, as formulas and figures have them there. A link to another host does
not hand over this window.
"""

import base64
import hashlib
import re
from pathlib import Path

SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
OUTWARD = re.compile(r'<a (?P<attributes>(?=[^>]*href="https?:)[^>]*)>')
HANDLER = re.compile(
    r' on[a-z]+="(?:toggleFullScreen|window\.print)\(\)"'
)  # in theme_static/page.js
RUNS = ("", "module", "text/javascript")  # JSON does not


def policy(text):
    """The Content-Security-Policy of a page with this HTML, whatever its case or its encoding."""
    hashes = []
    for script in SCRIPT.finditer(text):
        kind = re.search(r'\btype="([^"]*)"', script["attributes"])
        if script["code"].strip() and (kind[1] if kind else "") in RUNS:
            digest = hashlib.sha256(script["code"].encode()).digest()
            hashes.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    rules = {
        # Firefox fetches the page that comes next in advance, and takes this for its permission.
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "frame-src": ["'none'"],
        # the playground's runtime is WebAssembly, which compiles what it has loaded
        "script-src": ["'self'", "'wasm-unsafe-eval'", *dict.fromkeys(hashes)],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", "blob:"],
        "worker-src": ["'self'", "blob:"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
    }
    return "; ".join(" ".join([name, *values]) for name, values in rules.items())


def without_opener(match):
    attributes = match["attributes"]
    if "rel=" in attributes:
        attributes = re.sub(r'\s*\brel="[^"]*"', "", attributes)
    return f'<a rel="noopener" {attributes}>'


def make_safe(app, exception):
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = HANDLER.sub("", page.read_text(encoding="utf-8"))
        text = OUTWARD.sub(without_opener, text)
        tag = f'<meta http-equiv="Content-Security-Policy" content="{policy(text)}" />'
        # first, as it does not hold for what stands before it
        place = re.search(r"<head[^>]*>|(?=<meta)", text).end()
        text = text[:place] + tag + text[place:]
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", make_safe, priority=950)  # when nothing changes a page any more
    return {"parallel_read_safe": True, "parallel_write_safe": True}
