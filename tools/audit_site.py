"""Looks at every page of the built site as Lighthouse and axe do, and prints what they find.

`make audit` runs this after `make book`. The pages are served compressed, as GitHub Pages serves
them. Scores are a matter of the machine too, so they are no test; what they rest on is (weights and
layout shift, tests/test_site.py).
"""

import gzip
import json
import socket
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chromium import chromium

ROOT = Path(__file__).resolve().parents[1]
SITE, AUDIT = ROOT / "_build/html", ROOT / "tools/audit"
PACKED = (".woff2", ".png", ".gz", ".safetensors")
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
# Made for readers who look for something, not to be found.
NOT_FOR_SEARCH = ("404.html", "search.html", "genindex.html", "index.html")


class Compressed(SimpleHTTPRequestHandler):
    """The site as a server sends it: text in gzip, and to be kept for a while."""

    def __init__(self, *args):
        super().__init__(*args, directory=SITE)

    def do_GET(self):
        file = Path(self.translate_path(self.path))
        if file.is_dir() or not file.exists() or file.suffix in PACKED:
            super().do_GET()
            return
        body = gzip.compress(file.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def results(pages):
    """What was found on each page, one after the other."""
    port = free_port()
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Compressed) as server,
        chromium(f"--remote-debugging-port={port}"),
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        addresses = [f"http://127.0.0.1:{server.server_port}/{page}" for page in pages]
        command = ["node", str(AUDIT / "audit.mjs"), str(port), *addresses]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as audit:
            for page, line in zip(pages, audit.stdout):
                yield page, json.loads(line)
        server.shutdown()
    if audit.returncode:
        sys.exit("audit: Lighthouse stopped; its message stands above")


def main(*names):
    if not (SITE / "index.html").exists():
        sys.exit("audit: there is no site in _build/html; run `make book` first")
    subprocess.run(["npm", "ci", "--silent"], cwd=AUDIT, check=True)
    pages = sorted(str(file.relative_to(SITE)) for file in SITE.rglob("*.html"))
    pages = [page for page in pages if page not in NOT_FOR_SEARCH and (not names or page in names)]
    print(f"{'page':45} perf  acc best  seo  paint  shift  blocked   KiB")
    wrong = []
    for page, found in results(pages):
        scores = [found["scores"][each] for each in LEAST]
        print(
            f"{page:45}",
            *(f"{score:4}" for score in scores),
            f"{found['paint']:5.1f}s {found['shift']:6.3f} {found['blocked']:6.0f}ms"
            f" {found['kib']:5.0f}",
            flush=True,
        )
        missed = [each for each, least in LEAST.items() if found["scores"][each] < least]
        wrong += [f"{page}: {each} is below {LEAST[each]}" for each in missed]
        wrong += [f"{page}: {each}" for each in [*found["less"], *found["axe"]]]
    if wrong:
        sys.exit("audit: " + "\naudit: ".join(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
