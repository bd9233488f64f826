"""Writes into dist/ what a release is made with, as two CycloneDX files: the Python packages and
the npm packages. `make sbom` runs this.

The Python file lists what is installed here and stands in tools/locked/environment.txt, with the
licences and the arrows between packages that the metadata know of; the npm file is npm's own. Both
are held against the schema before they are written.
"""

import json
import subprocess
import sys
from pathlib import Path

import lock
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"


def of_python():
    """cyclonedx-py's list of this environment, less what stands in no lock: pip, the proofs."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml"]
    options = ["--mc-type", "library", "--sv", "1.6", "--output-reproducible", "--of", "JSON"]
    content = json.loads(subprocess.check_output([*command, *options], cwd=ROOT))
    locked = {*lock.versions("environment.txt"), *lock.versions("opencv-headless.txt")}
    kept = [each for each in content["components"] if normal(each["name"]) in locked]
    known = {each["bom-ref"] for each in kept} | {content["metadata"]["component"]["bom-ref"]}
    arrows = [
        arrow | {"dependsOn": sorted(known.intersection(arrow.get("dependsOn", [])))}
        for arrow in content["dependencies"]
        if arrow["ref"] in known
    ]
    return content | {"components": kept, "dependencies": arrows}


def normal(name):
    return name.lower().replace("_", "-").replace(".", "-")


def of_npm():
    """npm's list of what package-lock.json names."""
    command = ["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"]
    return json.loads(subprocess.check_output(command, cwd=ROOT / "tools"))


def check(content):
    """Exit with the reason if this is no CycloneDX of the version that it names."""
    version = SchemaVersion.from_version(content["specVersion"])
    error = JsonStrictValidator(version).validate_str(json.dumps(content))
    if error:
        sys.exit(f"sbom: not as the schema of CycloneDX {content['specVersion']} asks: {error}")


def main():
    DIST.mkdir(exist_ok=True)
    for name, content in (("python", of_python()), ("npm", of_npm())):
        check(content)
        file = DIST / f"dynconv-{name}.cdx.json"
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: {len(content['components'])} packages")


if __name__ == "__main__":
    main()
