"""snowmelt vacuum"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_COLUMNS = ("table", "rows", "loads", "bytes of files", "since", "why")
_MIB = 1 << 20


@click.command("vacuum")
@click.option("--dry-run", is_flag=True, help="Say what would go, and let nothing go.")
@click.option(
    "--compact",
    is_flag=True,
    help="Then write the warehouse into a new file without free space; no service "
    "may run.",
)
@project_option
@json_option
def command(dry_run: bool, compact: bool, directory: Path, as_json: bool) -> int:
    """Let go of rows of superseded loads, once nobody needs them.

    They are kept for `retention.superseded`, and until every stream has read what
    replaced them. Load history stays. A service does this by itself when it is idle.
    """
    if dry_run and compact:
        raise click.UsageError("--dry-run and --compact exclude one another")
    if compact:
        from snowmelt.service.compacting import require_no_service

        require_no_service(directory)
    with connected(directory) as commands:
        document = commands.vacuum(dry_run)
    if compact:
        from snowmelt.service.compacting import compact_project

        document["compacted"] = compact_project(directory)
    if as_json:
        output.show_json(document)
        return 0
    _show(document)
    return 0


def _show(document: dict[str, Any]) -> None:
    rows = [
        [
            each["relation"],
            each["row_count"],
            each["loads"],
            each["file_bytes"],
            each["oldest"][:16].replace("T", " "),
            _why(each, document),
        ]
        for each in document["tables"]
    ]
    if rows:
        output.show_table(_COLUMNS, rows)
    gone, rejects = document["vacuumed"], document["rejects"]
    if gone is None:
        due = sum(e["row_count"] for e in document["tables"] if e["state"] in _GO)
        output.tell(
            f"{output.count(due, 'row')} and {output.count(rejects['due'], 'reject')} "
            "would go: snowmelt vacuum"
        )
    else:
        output.show(
            f"{output.count(gone['rows'], 'row')} of "
            f"{output.count(gone['loads'], 'load')} and "
            f"{output.count(gone['rejects'], 'reject')} went."
        )
        for consumer in gone["stale"]:
            output.tell(f"The stream of {consumer} is stale: it reads everything once.")
    size = document["size"]["after"]
    free = size["free_bytes"] / _MIB
    output.tell(
        f"The file has {size['file_bytes'] / _MIB:,.1f} MiB, {free:,.1f} of them free "
        "for new rows."
    )
    if told := document.get("compacted"):
        output.tell(
            f"Written anew: {told['bytes_before'] / _MIB:,.1f} MiB became "
            f"{told['bytes_after'] / _MIB:,.1f}; {told['tables']} tables compared."
        )


_GO = ("due", "stale")


def _why(each: dict[str, Any], document: dict[str, Any]) -> str:
    held = ", ".join(each["held_by"])
    if each["state"] == "kept":
        seconds = document["kept_seconds"]
        return (
            "kept for ever" if seconds is None else f"kept for {_period(seconds)} first"
        )
    return {
        "due": "goes",
        "stale": f"goes; the stream of {held} becomes stale",
        "held": f"held: {held} has not read what replaced them",
    }[str(each["state"])]


def _period(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
