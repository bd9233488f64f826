"""Builds all models of the package and counts their parameters."""

from dynconv import yolo

for name, expected in yolo.PARAMETERS.items():
    found = sum(p.numel() for p in yolo.build(name).model.parameters())
    assert found == expected, f"{name} has {found:,} parameters, expected {expected:,}"
print("ok")
