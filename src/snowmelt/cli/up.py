"""snowmelt up"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import project_option


@click.command("up")
@project_option
def command(directory: Path) -> int:
    """Run the service: files become gold as they land.

    Ctrl-C or SIGTERM lets the running transactions end; nothing is left half-done.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.events import Events
    from snowmelt.observe.progress import Progress
    from snowmelt.project.project import load_project
    from snowmelt.service.serving import serve

    project = load_project(directory)
    with Progress() as progress:
        events = Events()
        events.subscribe(progress)
        output.tell(f"Watching {project.location}. Stop with Ctrl-C.")
        left = serve(project, SystemClock(), events)
    output.tell(
        "Stopped; every transaction is finished. "
        + (f"{output.count(left, 'file')} still pending. " if left else "")
        + "Go on with: snowmelt up"
    )
    return 0
