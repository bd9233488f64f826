"""What test files share: the repository, the built site on a local server, and a browser."""

import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build/html"

REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
OWNER, NAME = REPOSITORY.split("/")[-2:]
SITE = f"https://{OWNER}.github.io/{NAME}"
PREFIX = f"/{NAME}/"  # GitHub Pages serves the site in a folder of that name


class SiteHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the site under PREFIX, as GitHub Pages does, and nothing beside it."""

    def translate_path(self, path):
        path = path.partition("?")[0].partition("#")[0]
        return super().translate_path(
            "/" + path.removeprefix(PREFIX) if path.startswith(PREFIX) else "/no such page"
        )

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def same_random_numbers():
    """pytest-randomly seeds Python and numpy before each test, and not torch."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def site():
    """The address of the built site."""
    if not (HTML / "index.html").exists():
        pytest.fail("there is no site in _build/html: run `make book` first")
    handler = functools.partial(SiteHandler, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()


# Module scope: Playwright keeps an event loop running in this thread, and nbmake needs one of its
# own for the notebooks.
@pytest.fixture(scope="module")
def browser():
    """A Chromium: the one that `make env` brought, or one that the machine has."""
    from playwright.sync_api import Error, sync_playwright

    own = ROOT / ".venv/browser"
    fonts = {"FONTCONFIG_FILE": str(own / "fonts.conf")}  # adds a font for machines that have none
    nss = {"LD_LIBRARY_PATH": str(own / "lib")}  # for machines without libnss3
    choices = (
        [(own / "chromium", fonts), (own / "chromium", fonts | nss)]
        if (own / "chromium").exists()
        else []
    )
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    choices += [(path, {}) for path in map(shutil.which, names) if path]
    with sync_playwright() as playwright:
        for path, extra in choices:
            try:
                # --no-sandbox: the pages are our own, and containers do not allow the sandbox
                chromium = playwright.chromium.launch(
                    executable_path=path,
                    args=["--no-sandbox"],
                    env={**os.environ, **extra},
                    timeout=60_000,
                )
            except Error:
                continue
            yield chromium
            chromium.close()
            return
        pytest.fail(
            "no browser starts here: install one (Debian, Ubuntu: apt install chromium), then `make"
            " test`"
        )
