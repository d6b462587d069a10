"""snowmelt doctor"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option
from snowmelt.cli.target_option import chosen_target
from snowmelt.errors import UsageError


@click.command("doctor")
@click.option(
    "--live",
    is_flag=True,
    help="With --target: send a file of its own through the account, and look at it.",
)
@click.option(
    "--deadline",
    default="10m",
    show_default=True,
    help="How long --live waits for each step.",
)
@project_option
@json_option
def command(live: bool, deadline: str, directory: Path, as_json: bool) -> int:
    """Check this machine and this project; each ✗ and each ! has its remedy.

    With --target, ask its account what keeps files from gold, in the order in which
    to look. With --live, make a schema of its own there, land a file, hold every
    promise, and clear all of it; a transcript says what was asked and answered.
    """
    if live:
        document = _sent_through(directory, deadline, as_json=as_json)
    else:
        document = _diagnosed(directory)
    findings = document["findings"]
    if as_json:
        output.show_json(document)
    elif live:
        output.tell(f"Transcript: {document['transcript']}")
    else:
        for finding in findings:
            _show(finding)
    return 0 if all(finding["ok"] for finding in findings) else 1


def _diagnosed(directory: Path) -> dict[str, Any]:
    if chosen_target() is None:
        from snowmelt.service.diagnosis import diagnose

        return diagnose(directory)
    from snowmelt.service.targets.diagnosis import diagnose_target

    return diagnose_target(directory, str(chosen_target()))


def _sent_through(directory: Path, deadline: str, *, as_json: bool) -> dict[str, Any]:
    """Run the canary; SIGTERM ends it as Ctrl-C does, so that it is cleared."""
    from snowmelt.landing.config import parse_duration
    from snowmelt.service.targets.living import diagnose_live

    target = chosen_target()
    if target is None:
        raise UsageError(
            "doctor --live",
            "it is about a target",
            "snowmelt doctor --live --target prod",
        )
    try:
        wait_max = parse_duration(deadline)
    except ValueError as error:
        raise UsageError("--deadline", str(error)) from None
    before = signal.signal(signal.SIGTERM, _end)
    try:
        return diagnose_live(directory, target, wait_max, _hush if as_json else _show)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _hush(finding: dict[str, Any]) -> None:
    """Say nothing yet: the document says it at the end."""


def _show(finding: dict[str, Any]) -> None:
    mark = {"pass": "✓", "warn": "!", "fail": "✗"}[finding["level"]]
    of = f" {finding['object']}" if finding.get("object") else ""
    output.show(f"{mark} {finding['check']}{of}: {finding['found']}")
    if finding["level"] != "pass":
        _tell_way_out(finding)


def _tell_way_out(finding: dict[str, Any]) -> None:
    if finding["remedy"]:
        output.tell(f"  {finding['remedy']}")
    if finding.get("statement"):
        output.tell(f"  asked by: {' '.join(finding['statement'].split())}")
