"""What the site holds of others' work stands on the page 'Licence and credits', and its licence
lies in the site; what is not named there stops the build.
"""

import importlib.metadata
import re
import sysconfig
from pathlib import Path

import licences
from packaging.utils import canonicalize_name
from sphinx.errors import ExtensionError

NPM = Path(__file__).resolve().parents[1] / "node_modules"
PACKAGES = Path(sysconfig.get_path("purelib"))
LICENCE = re.compile(r"(licen[cs]e|copying)[^/]*$", re.IGNORECASE)


def named(kind):
    return {name for each in licences.KNOWN["shipped"] for name in each.get(kind, ())}


def check_sources(app):
    """Each folder that the site copies files from is ours, or of a package that is named."""
    if app.builder.format != "html":
        return
    folders = [*app.config.html_static_path, *app.builder.theme.get_theme_dirs()]
    folders = [folder for folder in map(Path, folders) if folder.is_dir()]  # one names none
    owners = importlib.metadata.packages_distributions()
    found = {
        canonicalize_name(owners[folder.relative_to(PACKAGES).parts[0]][0])
        for folder in folders
        if folder.is_relative_to(PACKAGES)
    }
    if unknown := found - named("python"):
        raise ExtensionError(
            f"the site takes files from {sorted(unknown)}: name it and its licence in"
            " tools/licences.toml, below [[shipped]], then `make licences`"
        )


def copy_texts(app):
    if app.builder.format != "html":
        return
    for each in licences.KNOWN["shipped"]:
        for kind, texts in (("python", of_python), ("npm", of_npm)):
            for package in [] if "text" in each else each.get(kind, ()):
                target = Path(app.outdir) / "_static" / licences.text_of(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                files = [file for file in texts(package) if LICENCE.search(str(file))]
                if not files:
                    raise ExtensionError(f"{package} has no file with its licence")
                with open(target, "wb") as target:
                    for file in sorted(files):
                        target.write(Path(file).read_bytes() + b"\n")


def of_python(package):
    return [file.locate() for file in importlib.metadata.files(package)]


def of_npm(package):
    return list((NPM / package).iterdir())


def setup(app):
    app.connect("builder-inited", check_sources, priority=900)  # after extensions added theirs
    app.connect("builder-inited", copy_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
