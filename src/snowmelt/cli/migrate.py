"""snowmelt migrate"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

if TYPE_CHECKING:
    from snowmelt.deploy.migration.migration import Migration, Moved
    from snowmelt.deploy.migration.proof import Proof
    from snowmelt.project.project import Project


@click.command("migrate")
@click.option("--to", "target", default="prod", show_default=True, help="A target.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
@click.option(
    "--keep-copied",
    is_flag=True,
    help="Of files that a pipe copied there already, leave its rows, and ship none.",
)
@click.option(
    "--rows-per-file",
    type=click.IntRange(min=1),
    default=2_000_000,
    show_default=True,
    help="About how many rows a shipped file has.",
)
@project_option
@json_option
def command(target: str, directory: Path, as_json: bool, **given: Any) -> int:
    """Ship bronze and load history to a target, and prove that it is the same.

    It can be stopped anywhere: the next one goes on, and ends the same. What was loaded
    here is not loaded there again. Deploy first: snowmelt deploy apply.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.deploy.migration.reports import (
        document_of,
        one_at_a_time,
        write_report,
    )
    from snowmelt.project.project import load_project

    project, clock = load_project(directory), SystemClock()
    with (
        one_at_a_time(project, target),
        _opened(project, target, directory, given) as migration,
    ):
        began_at, waiting = clock.now(), migration.waiting()
        if waiting:
            files = output.count(waiting, "file")
            verb = "waits here, and is" if waiting == 1 else "wait here, and are"
            output.tell(f"{files} {verb} not shipped: snowmelt run")
        plan = migration.plan()
        if not as_json:
            _show_plan(plan)
        if given["dry_run"]:
            if as_json:
                output.show_json(document_of(target, plan, []))
            return 0
        migration.ship(plan, _progress)
        proofs = []
        for proof in migration.prove(plan):
            proofs.append(proof)
            if not as_json:
                _show_proof(proof)
        document = document_of(target, plan, proofs)
        document |= {
            "began_at": began_at.isoformat(),
            "ended_at": clock.now().isoformat(),
        }
        path = write_report(project, target, document, began_at)
        if as_json:
            output.show_json(document)
        output.tell(f"Report: {os.path.relpath(path)}")
        return 0 if document["alike"] else 1


@contextmanager
def _opened(
    project: Project, target: str, directory: Path, given: dict[str, Any]
) -> Iterator[Migration]:
    from snowmelt.clock import SystemClock
    from snowmelt.deploy import opening
    from snowmelt.deploy.migration.migration import Manner
    from snowmelt.deploy.migration.opening import open_migration

    clock = SystemClock()
    names = opening.names_of(project, target)
    # what has no mapping is told before anybody signs in
    opening.open_deployment(project, names, opening.NoSession(), clock)
    session = opening.connect(project, names, clock)
    try:
        with connected(directory) as local:
            yield open_migration(
                project,
                names,
                session,
                local,
                clock,
                Manner(given["rows_per_file"], given["keep_copied"]),
            )
    finally:
        session.close()


def _show_plan(plan: Sequence[Moved]) -> None:
    output.show_table(
        ("table", "rows_here", "there", "to_ship", "files"),
        [
            (
                each.table,
                each.rows,
                each.shipped.digest.rows,
                each.rows_to_come,
                len(each.pieces),
            )
            for each in plan
        ],
    )
    for each in plan:
        for column in each.added:
            output.tell(f"{each.table}: column {column.name} is added")
        for remark in each.remarks:
            output.tell(f"{each.table}: {remark}")


def _progress(name: str, done: int, total: int) -> None:
    output.tell(f"{name}: {done} of {output.count(total, 'file')} arrived")


def _show_proof(proof: Proof) -> None:
    rows = proof.live[0].rows if proof.live else proof.shipped[0].rows
    sign = "✓" if proof.is_alike else "✗"
    told = "alike" if proof.is_alike else "not alike"
    listed = f", JSON of {', '.join(proof.values.columns)} too" if proof.values else ""
    also = listed if proof.is_alike else ""
    output.show(f"{sign} {proof.table}: {told}, {output.count(rows, 'row')}{also}")
    for line in proof.lines:
        output.tell(f"  {line}")
    if proof.remedy:
        output.tell(f"  {proof.remedy}")
