"""`make compat`: what it writes into the book is what the package claims, and a version that fails
is named with its error.
"""

import json

import compat
import pytest
from conftest import ROOT

from dynconv.yolo import PARAMETERS, registration

RESULTS = json.loads(compat.RESULTS.read_text(encoding="utf-8"))


def test_the_page_the_results_and_the_package_agree():
    versions = [row["version"] for row in RESULTS["versions"]]
    assert tuple(versions) == compat.VERSIONS and len(versions) >= 4
    assert registration.TESTED == f"{versions[0]} to {versions[-1]}"
    assert f'"ultralytics>={versions[0]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert RESULTS["parameters"] == PARAMETERS
    assert all(
        value == "yes"
        for row in RESULTS["versions"]
        for key, value in row.items()
        if key != "version"
    )
    assert f"{compat.BEGIN}\n{compat.table(RESULTS)}\n{compat.END}" in compat.PAGE.read_text(
        encoding="utf-8"
    )
    assert "book/compatibility\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")


def test_a_version_that_fails_is_reported_with_its_error_and_the_others_go_on(
    tmp_path, monkeypatch
):
    (tmp_path / "ultralytics").mkdir()
    (tmp_path / "ultralytics/__init__.py").write_text("raise ImportError('not with this numpy')\n")
    monkeypatch.setattr(compat, "unpacked", lambda version: tmp_path)
    steps = compat.STEPS | {"train": "print('something else')"}
    result = compat.attempt("1.2.3", steps)
    assert (
        result["build"] == "ImportError: not with this numpy"
        and result["train"] == "expected ok, got something else"
    )
    assert result["version"] == "1.2.3" and "not with this numpy" in result["reload"]


def test_the_table_is_replaced_and_all_else_on_the_page_stays(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(compat, "PAGE", page)
    page.write_text(f"before\n{compat.BEGIN}\nold\n{compat.END}\nafter\n")
    for _ in range(2):
        compat.write_page(RESULTS)
        assert (
            page.read_text()
            == f"before\n{compat.BEGIN}\n{compat.table(RESULTS)}\n{compat.END}\nafter\n"
        )
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="must contain the lines"):
        compat.write_page(RESULTS)
    assert page.read_text() == "no marks"


def test_an_interrupted_unpacking_is_done_anew(tmp_path, monkeypatch):
    import zipfile

    monkeypatch.setattr(compat, "CACHE", tmp_path)
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/ultralytics-1.2.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ultralytics/__init__.py", "")
    monkeypatch.setattr(
        compat.subprocess, "run", lambda *_, **__: type("Done", (), {"returncode": 0})
    )
    (tmp_path / "1.2.3.half").mkdir()  # left by the interruption
    assert (compat.unpacked("1.2.3") / "ultralytics/__init__.py").exists() and not (
        tmp_path / "1.2.3.half"
    ).exists()
    monkeypatch.setattr(
        compat.subprocess, "run", lambda *_, **__: type("Done", (), {"returncode": 1})
    )
    assert compat.unpacked("1.2.3") == tmp_path / "1.2.3"  # fetched once
    with pytest.raises(SystemExit, match="ultralytics 9.9.9 could not be fetched"):
        compat.unpacked("9.9.9")
