"""snowmelt doctor"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option
from snowmelt.cli.target_option import chosen_target


@click.command("doctor")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> int:
    """Check this machine and this project; each ✗ and each ! has its remedy."""
    document = _diagnosed(directory)
    findings = document["findings"]
    if as_json:
        output.show_json(document)
    else:
        for finding in findings:
            mark = {"pass": "✓", "warn": "!", "fail": "✗"}[finding["level"]]
            of = f" {finding['object']}" if finding.get("object") else ""
            output.show(f"{mark} {finding['check']}{of}: {finding['found']}")
            if finding["level"] != "pass":
                _tell_way_out(finding)
    return 0 if all(finding["ok"] for finding in findings) else 1


def _diagnosed(directory: Path) -> dict[str, Any]:
    if chosen_target() is None:
        from snowmelt.service.diagnosis import diagnose

        return diagnose(directory)
    from snowmelt.service.targets.diagnosis import diagnose_target

    return diagnose_target(directory, str(chosen_target()))


def _tell_way_out(finding: dict[str, Any]) -> None:
    if finding["remedy"]:
        output.tell(f"  {finding['remedy']}")
    if finding.get("statement"):
        output.tell(f"  asked by: {' '.join(finding['statement'].split())}")
