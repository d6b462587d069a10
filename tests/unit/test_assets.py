"""The pages' scripts: built once, found again, and missed with the words that help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hatch_build import BUILT, LACKING, STAMP, build_assets, digest_of, is_built
from snowmelt.serve.assets import Assets

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "app.js").write_text("1")
    return tmp_path


def test_without_npm_it_says_what_is_lacking(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert build_assets(root) == LACKING
    assert not Assets(root / BUILT).are_built


def test_what_is_built_from_other_sources_is_built_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    (root / BUILT).mkdir(parents=True)
    (root / BUILT / STAMP).write_text(digest_of(root))
    assert build_assets(root) == ""
    (root / "ui" / "app.js").write_text("2")
    assert build_assets(root) == LACKING
    (root / "ui" / "app.js").unlink()
    (root / "ui").rmdir()
    assert is_built(root), "a source distribution has them built"


def test_packages_behind_a_link_are_left_to_whom_they_belong(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = root / "another checkout"
    (others / "echarts").mkdir(parents=True)
    (root / "node_modules").symlink_to(others)
    npm = root / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\nrm -rf node_modules/*\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/bin:/usr/bin")
    told = build_assets(root)
    assert f"{root / 'node_modules'} is a link to {others}" in told
    assert told.endswith(f"rm {root / 'node_modules'}")
    assert (others / "echarts").is_dir()


def test_the_lock_file_names_no_registry_and_checks_everything() -> None:
    lock = json.loads((REPOSITORY / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or "integrity" in package, name
    assert "://" not in json.dumps(
        {name: each.get("resolved", "") for name, each in lock["packages"].items()}
    )
