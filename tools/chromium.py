"""A headless Chromium: the one that `make env` brought, or one that the machine has."""

import contextlib
import os
import shutil
from pathlib import Path

OWN = Path(__file__).resolve().parents[1] / ".venv/browser"


@contextlib.contextmanager
def chromium(*arguments):
    """A running browser with these arguments, closed at the end; SystemExit if none starts."""
    from playwright.sync_api import Error, sync_playwright

    fonts = {"FONTCONFIG_FILE": str(OWN / "fonts.conf")}  # adds a font for machines that have none
    nss = {"LD_LIBRARY_PATH": str(OWN / "lib")}  # for machines without libnss3
    choices = []
    if (OWN / "chromium").exists():
        choices = [(OWN / "chromium", fonts), (OWN / "chromium", fonts | nss)]
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    choices += [(path, {}) for path in map(shutil.which, names) if path]
    with sync_playwright() as playwright:
        for path, extra in choices:
            try:
                # --no-sandbox: the pages are our own, and containers do not allow the sandbox
                browser = playwright.chromium.launch(
                    executable_path=path,
                    args=["--no-sandbox", *arguments],
                    env={**os.environ, **extra},
                    timeout=60_000,
                )
            except Error:
                continue
            with contextlib.closing(browser):
                yield browser
            return
    raise SystemExit("no browser starts here: install one (Debian, Ubuntu: apt install chromium)")
