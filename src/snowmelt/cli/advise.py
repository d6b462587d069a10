"""snowmelt advise"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_CAPTIONS = {
    "slow": "is slow",
    "grows": "grows",
    "whole_table_test": "looks at a whole table",
    "idle_test": "finds nothing",
    "asks_dbt": "asks dbt",
    "refreshed": "starts from nothing",
    "searches_table": "searches its table",
    "view_read_often": "is read often",
    "read_by_nobody": "is read by nobody",
}


@click.command("advise")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Say what costs runs their time, by their histories, and what to change.

    The dearest first. Nothing is said on too little evidence; nothing is changed.
    """
    with connected(directory) as commands:
        document = commands.advise()
    if as_json:
        output.show_json(document)
        return
    for number, each in enumerate(document["advice"], start=1):
        _show(number, each)
    output.tell(_conclusion(document))


def _show(number: int, advice: dict[str, Any]) -> None:
    caption = _CAPTIONS[advice["kind"]]
    output.show(f"{number}. {advice['resource_type']} {advice['node']} {caption}")
    output.show(f"   {advice['found']}.")
    since, until = (advice[name][:16].replace("T", " ") for name in ("since", "until"))
    runs = output.count(advice["runs"], "run")
    output.show(f"   Found in {runs}, {since} to {until}.")
    output.show(f"   Do: {advice['advice']}.")
    if advice["change"]:
        output.show(f"   {advice['file']}: {advice['change']}")
    output.show()


def _conclusion(document: dict[str, Any]) -> str:
    evidence = document["evidence"]
    usual, least = evidence["runs_usual"], evidence["runs_min"]
    if usual < least:
        runs = output.count(usual, "published run")
        return f"{runs} of new rows so far; nothing is said before there are {least}."
    seconds = f"{evidence['seconds_a_run']:.2f} s a run"
    told = f"Looked at {output.count(usual, 'run')}, models and tests {seconds}. "
    return told + ("" if document["advice"] else "Nothing is worth a change.")
