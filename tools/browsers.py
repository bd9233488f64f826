"""Opens every page of the built site in Firefox and in WebKit, and prints what is wrong there:
`make browsers`. Tests look at Chromium only.

Both come from the system's packages. Firefox is driven over WebDriver BiDi, WebKit over WebDriver
(tools/audit/browsers.mjs, which says what is looked at). Each page is given a script, before its
own, that keeps what goes wrong.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
SITE, AUDIT = ROOT / "_build/html", ROOT / "tools/audit"
PREFIX = "/book-in-a-folder/"  # GitHub Pages serves the site in one
PACKAGES = {"firefox": ["firefox-esr"], "webkit": ["webkit2gtk-driver", "xvfb"]}
# It goes before the page's policy, which allows no script like this one.
KEEP = """<head><script>
window.wentWrong = [];
addEventListener("error", ({ message, target }) =>
  wentWrong.push(message ?? `not loaded: ${target.src ?? target.href}`), true);
addEventListener("unhandledrejection", ({ reason }) => wentWrong.push(String(reason)));
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  wentWrong.push(`forbidden by ${violatedDirective}: ${blockedURI}`));
for (const kind of ["error", "assert"]) {
  const say = console[kind];
  console[kind] = (...what) => { wentWrong.push(what.join(" ")); say.apply(console, what); };
}
{
  const mode = new URLSearchParams(location.search).get("mode");
  if (mode) localStorage.setItem("mode", mode);
}
</script>"""
FRAME = """<!doctype html><link rel="icon" href="data:,"><title>frame</title>
<iframe style="border: 0; width: {}px; height: {}px"></iframe>"""


class Handler(SimpleHTTPRequestHandler):
    """The site below PREFIX; `failed` has what it could not answer."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def __init__(self, *args):
        super().__init__(*args, directory=SITE)

    def do_GET(self):
        address = urlsplit(self.path)
        file = SITE / address.path.removeprefix(PREFIX)
        if address.path == "/frame":
            self.send_page(FRAME.format(*address.query.split("x")))
        elif address.path.startswith(PREFIX) and file.suffix == ".html" and file.is_file():
            self.send_page(file.read_text(encoding="utf-8").replace("<head>", KEEP, 1))
        else:
            super().do_GET()

    def send_page(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path):
        inside = path.startswith(PREFIX)
        return super().translate_path("/" + path.removeprefix(PREFIX) if inside else "/nothing")

    def log_message(self, *args):
        pass

    def send_error(self, code, *args, **how):
        self.server.failed.append(f"{code} {self.path}")
        super().send_error(code, *args, **how)


def programs(engine):
    """The programs of an engine on this machine; None if one is missing."""
    if engine == "firefox":
        found = [shutil.which("firefox-esr") or shutil.which("firefox")]
    else:
        places = sorted(Path("/usr").glob("lib*/**/webkit2gtk-4*/MiniBrowser"))
        found = [shutil.which("WebKitWebDriver"), str(places[-1]) if places else None]
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            found += [] if shutil.which("Xvfb") else [None]
    return None if None in found else found


def install(missing):
    """With the system's package manager where we may; otherwise say what to type."""
    packages = [package for engine in missing for package in PACKAGES[engine]]
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        sys.exit(
            "browsers: install Firefox, and WebKitGTK with its WebKitWebDriver and MiniBrowser"
        )
    # A build machine of GitHub lets its user do all, without a password.
    as_root = ["sudo", "--non-interactive"] if os.geteuid() else []
    if as_root and (not shutil.which("sudo") or subprocess.run([*as_root, "true"]).returncode):
        sys.exit(f"browsers: this needs {' and '.join(missing)}; type: sudo {' '.join(command)}")
    subprocess.run([*as_root, "apt-get", "update", "--quiet=2"], check=True)
    subprocess.run([*as_root, *command, "--quiet=2"], check=True, stdout=subprocess.DEVNULL)


def screen(stack):
    """A display for a browser that has no headless mode: the machine's, or one that nobody sees."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return {}
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1100x24"]
    hidden = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )
    stack.callback(hidden.terminate)
    return {"DISPLAY": f":{hidden.stdout.readline().strip()}"}


def look(engine, pages):
    """(the engine's version, {page: what is wrong})"""
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        server.failed = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        extra = screen(stack) if engine == "webkit" else {}
        address = f"http://127.0.0.1:{server.server_port}{PREFIX}"
        script = [str(AUDIT / "browsers.mjs"), engine, address, *programs(engine)]
        child = stack.enter_context(
            subprocess.Popen(
                ["node", *script, "--", *pages],
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | extra,
            )
        )
        version, found = None, {}
        for line in child.stdout:
            said = json.loads(line)
            if version is None:
                version = said["version"]
                print(f"browsers: {version}", flush=True)
                continue
            failed = [f"no answer: {each}" for each in server.failed]
            server.failed.clear()
            found[said["page"]] = said["wrong"] + failed
            print(f"  {said['page']:45} {'differs' if found[said['page']] else 'good'}", flush=True)
    if child.returncode or set(found) != set(pages):
        sys.exit(f"browsers: {engine} stopped; its message stands above")
    return version, found


def table(results, pages):
    """Page by engine, and below what is wrong."""
    versions = [version for version, _ in results]
    lines = [f"{'page':45} " + "  ".join(f"{version:18}" for version in versions)]
    for page in pages:
        marks = [f"{len(found[page])} wrong" if found[page] else "good" for _, found in results]
        lines.append(f"{page:45} " + "  ".join(f"{mark:18}" for mark in marks))
    for version, found in results:
        lines += [f"{version}, {page}: {each}" for page in pages for each in found[page]]
    return "\n".join(line.rstrip() for line in lines)


def main(*names):
    if not (SITE / "index.html").exists():
        sys.exit("browsers: there is no site in _build/html; run `make book` first")
    if missing := [engine for engine in PACKAGES if programs(engine) is None]:
        install(missing)
    subprocess.run(["npm", "ci", "--silent"], cwd=AUDIT, check=True)
    pages = [str(file.relative_to(SITE)) for file in sorted(SITE.rglob("*.html"))]
    # index.html only leads on, and 404.html has addresses of the published site.
    pages = [p for p in pages if p not in ("index.html", "404.html") and (not names or p in names)]
    results = [look(engine, pages) for engine in PACKAGES]
    print(table(results, pages))
    return any(wrong for _, found in results for wrong in found.values())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
