"""`make browsers` without its browsers: what goes wrong on a page is kept, and told."""

import shutil
import subprocess
import threading
from http.server import ThreadingHTTPServer

import browsers
import pytest

PAGE = """<html lang="en"><head><meta http-equiv="Content-Security-Policy"
content="default-src 'self'; script-src 'self'"><title>x</title></head><body>{}</body></html>"""
FAULTS = {
    "sound.html": ("", []),
    "picture.html": ('<img src="none.png">', ["not loaded: {}none.png"]),
    "throws.html": ('<script src="throws.js"></script>', ["Uncaught Error: oh"]),
    "says.html": ('<script src="says.js"></script>', ["oh 7"]),
    "rejects.html": ('<script src="rejects.js"></script>', ["Error: late"]),
    "inline.html": ("<script>1</script>", ["forbidden by script-src-elem: inline"]),
}
SCRIPTS = {
    "throws.js": 'throw new Error("oh")',
    "says.js": 'console.error("oh", 7)',
    "rejects.js": 'Promise.reject(new Error("late"))',
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    for name, (body, _) in FAULTS.items():
        (place / name).write_text(PAGE.format(body), "utf-8")
    for name, code in SCRIPTS.items():
        (place / name).write_text(code, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browsers, "SITE", place)
        with ThreadingHTTPServer(("127.0.0.1", 0), browsers.Handler) as server:
            server.failed = []
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}{browsers.PREFIX}", server.failed
            server.shutdown()


@pytest.mark.site
@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_on_a_page_is_kept(browser, address, name):
    base, failed = address
    failed.clear()
    page = browser.new_page()
    page.goto(f"{base}{name}?mode=dark", wait_until="load")
    page.wait_for_timeout(100)
    assert page.evaluate("wentWrong") == [each.format(base) for each in FAULTS[name][1]]
    assert page.evaluate("localStorage.mode") == "dark"
    assert [each.rpartition("/")[2] for each in failed if "favicon" not in each] == (
        ["none.png"] if name == "picture.html" else []
    )
    page.close()


@pytest.mark.site
def test_a_page_stands_in_a_frame_of_any_width(browser, address):
    base, _ = address
    page = browser.new_page()
    page.goto(base.replace(browsers.PREFIX, "/frame?390x844"))
    frame = page.frame_locator("iframe").locator("html")
    page.locator("iframe").evaluate("(frame, src) => { frame.src = src; }", base + "sound.html")
    assert frame.evaluate("() => [innerWidth, innerHeight]") == [390, 844]
    page.close()


def test_the_table_names_what_differs():
    results = [
        ("firefox 1", {"a.html": [], "b.html": ["dark, 390 px: x is empty"]}),
        ("WebKitGTK 2", {"a.html": [], "b.html": []}),
    ]
    heading, sound, wrong, told = browsers.table(results, ["a.html", "b.html"]).splitlines()
    assert heading.split() == ["page", "firefox", "1", "WebKitGTK", "2"]
    assert sound.split() == ["a.html", "good", "good"]
    assert wrong.split() == ["b.html", "1", "wrong", "good"]
    assert told == "firefox 1, b.html: dark, 390 px: x is empty"


def test_who_may_not_install_is_told_what_to_type(monkeypatch):
    called, refused = [], 1

    def run(command, **how):
        called.append(" ".join(command))
        return subprocess.CompletedProcess(command, refused if command[-1] == "true" else 0)

    monkeypatch.setattr(browsers.subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(browsers.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="sudo apt-get install .*webkit2gtk-driver xvfb"):
        browsers.install(["webkit"])
    assert not any("apt-get" in each for each in called)
    refused = 0  # with sudo, as on a build machine
    browsers.install(["webkit"])
    asked, update, install = called[-3:]
    assert update.startswith("sudo --non-interactive apt-get update")
    assert "sudo --non-interactive apt-get install" in install and "xvfb" in install
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="install Firefox, and WebKitGTK"):
        browsers.install(["firefox"])


@pytest.mark.parametrize("missing", ["WebKitWebDriver", "Xvfb"])
def test_an_engine_without_one_of_its_programs_is_missing(monkeypatch, missing):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(
        browsers.shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}"
    )
    assert browsers.programs("webkit") is None
    assert browsers.programs("firefox") == ["/usr/bin/firefox-esr"]
