"""The demo asks nothing before the service answers, and ends if it does not."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
SERVICE = """#!/bin/sh
cd {folder}
echo "$1" >> asked
case "$1" in
up) echo "Watching landing." >&2; sleep 0.5; {then} ;;
*) test -e answers || {{ cat error.json; exit 4; }}; cat empty.json ;;
esac
"""
ERROR = {"error": {"where": "here", "problem": "no service", "remedy": ""}}
EMPTY = {"dashboards": [], "rejects": [], "count": 0} | {
    name: [] for name in ("loads", "unmatched", "groups")
}


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("touch answers; echo 'Pages: http://x' >&2; exec sleep 60", -15),
        ("echo 'the warehouse is in use' >&2; exit 4", 1),
    ],
)
def test_the_demo_waits_for_the_service(
    then: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    template_demo = importlib.import_module("template_demo")

    (tmp_path / "error.json").write_text(json.dumps(ERROR))
    (tmp_path / "empty.json").write_text(json.dumps(EMPTY))
    snowmelt = tmp_path / "snowmelt"
    snowmelt.write_text(SERVICE.format(folder=tmp_path, then=then))
    snowmelt.chmod(0o755)
    monkeypatch.setattr(template_demo, "SNOWMELT", str(snowmelt))
    demo = template_demo.TemplateDemo(tmp_path, "storefront", "landing")
    for folder in (demo.shop, demo.files):
        folder.mkdir()
    (demo.files / "sales_2026-01-01.csv").write_text("id\n")
    assert demo.run() == code
    said = capsys.readouterr().out
    words = (tmp_path / "asked").read_text().split()
    if code == 1:
        assert words == ["up"]
        assert "The service does not answer; it ended: 4" in said
    else:
        assert words[:4] == ["up", "land", "run", "dashboards"]
        assert "no service" not in said
