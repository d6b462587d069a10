"""snowmelt audit"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("audit")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> int:
    """Rebuild everything and compare it with what is published; publish nothing.

    dbt builds and tests everything from bronze, in a transaction that is rolled back.
    Loads go on meanwhile, runs wait. Exit code 1 when anything differs.
    """
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        audit = (document := commands.audit())["audit"]
    if as_json:
        output.show_json(document)
    else:
        _show(audit)
    return 0 if audit["state"] == "SUCCEEDED" else 1


def _show(audit: dict[str, object]) -> None:
    count, seconds = audit["tables_compared"], audit["seconds"]
    if audit["state"] == "SUCCEEDED":
        how = "a sample of keys of each" if audit["sampled"] else "all rows of each"
        output.show(f"{count} tables, {how}: what is published is what a rebuild makes")
        output.tell(f"Rebuilt, tested, compared and rolled back in {seconds} s.")
        return
    output.tell(f"{audit['state']}: {audit['error']}")
    if audit["differing"]:
        output.tell("Publish what dbt makes from nothing with: snowmelt rebuild")
