"""snowmelt doctor"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("doctor")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> int:
    """Check this machine and this project; each ✗ and each ! has its remedy."""
    from snowmelt.service.diagnosis import diagnose

    document = diagnose(directory)
    findings = document["findings"]
    if as_json:
        output.show_json(document)
    else:
        for finding in findings:
            mark = {"pass": "✓", "warn": "!", "fail": "✗"}[finding["level"]]
            output.show(f"{mark} {finding['check']}: {finding['found']}")
            if finding["level"] != "pass":
                output.tell(f"  {finding['remedy']}")
    return 0 if all(finding["ok"] for finding in findings) else 1
