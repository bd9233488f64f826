"""What test files share: the repository, the built site on a local server, and a browser."""

import functools
import http.server
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from chromium import chromium

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build/html"

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
REPOSITORY, REF = (CONFIG["repository"][name] for name in ("url", "branch"))  # a version has a tag
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


@pytest.fixture(autouse=True)
def sphinx_knows_its_own_suffix_only():
    """What an extension adds for one build, Sphinx keeps for all builds of the process."""
    if sphinx := sys.modules.get("sphinx.config"):
        suffixes = sphinx.Config.config_values["source_suffix"].default
        for suffix in suffixes.keys() - {".rst"}:
            del suffixes[suffix]


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
    with chromium() as running:
        yield running


def keep_to(address, context, foreign):
    """Let the pages of a browser's context ask nobody but the host of that address; what they ask
    of others is refused, and added to the list `foreign`.
    """
    host = urlsplit(address).netloc

    def guard(route):
        url = urlsplit(route.request.url)
        if url.scheme in ("http", "https") and url.netloc != host:
            foreign.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", guard)
