"""snowmelt land --target"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snowmelt.cli import output
from snowmelt.cli.land_progress import landing_progress
from snowmelt.cli.project_option import connected

if TYPE_CHECKING:
    from snowmelt.deploy.sending import KnownHere, Sent
    from snowmelt.deploy.snowflake.session import Session
    from snowmelt.landing.s3_upload import LandOptions
    from snowmelt.project.project import Project


def send(
    project: Project,
    target: str,
    files: Sequence[Path],
    options: LandOptions,
    as_json: bool,
) -> None:
    """Send files to a target; say what became of them."""
    from snowmelt.clock import SystemClock
    from snowmelt.deploy import opening
    from snowmelt.deploy.sending import Sending

    clock = SystemClock()
    names = opening.names_of(project, target)
    with ExitStack() as stack:

        def sign_in() -> Session:
            session = opening.connect(project, names, clock)
            stack.callback(session.close)
            return session

        known = stack.enter_context(_known_here(project, target))
        progress = stack.enter_context(landing_progress())
        sending = Sending(project, names, clock, sign_in, known)
        sent = sending.send(list(files), options, progress)
    unmatched = [
        name
        for name in sent.landed
        if not any(pipe.matches(name) for pipe in project.pipes)
    ]
    if as_json:
        output.show_json(
            {
                "schema_version": 1,
                "landed": sent.landed,
                "unchanged": sent.unchanged,
                "copied_again": sent.again,
                "unmatched": unmatched,
            }
        )
        return
    _tell(sent, unmatched)


def _tell(sent: Sent, unmatched: Sequence[str]) -> None:
    for name in sent.landed:
        output.show(name)
    for name in sent.unchanged:
        output.tell(f"{name}: this very content was sent before; it is left as it is")
    for name in sent.again:
        output.tell(f"{name}: sent again; its new version was copied")
    for name in unmatched:
        output.tell(f"{name}: no pipe's pattern matches; it will not be loaded")


@contextmanager
def _known_here(project: Project, target: str) -> Iterator[KnownHere]:
    """Yield what tells of the loads of this machine that were moved there."""
    from snowmelt.deploy.migration.reports import last_move
    from snowmelt.deploy.sending import known_by_query

    moved = last_move(project, target)
    if moved is None or not project.warehouse_path.exists():
        yield lambda names: {}
        return
    with connected(project.root) as commands:
        yield known_by_query(lambda query: commands.query(query, None)["rows"], moved)
