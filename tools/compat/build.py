"""Builds all models of the package and counts their parameters: parameters.json."""

import json
from pathlib import Path

from dynconv import yolo

for name, expected in yolo.PARAMETERS.items():
    found = sum(p.numel() for p in yolo.build(name).model.parameters())
    assert found == expected, f"{name} has {found:,} parameters, expected {expected:,}"
Path("parameters.json").write_text(json.dumps(yolo.PARAMETERS))
print("ok")
