"""snowmelt up"""

from __future__ import annotations

import re
import threading
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import project_option
from snowmelt.events import Event


@click.command("up")
@project_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print each event as one line of JSON."
)
def command(directory: Path, as_json: bool) -> int:
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
        if as_json:
            events.subscribe(EventLines())
        output.tell(f"Watching {project.location}. Stop with Ctrl-C.")
        left = serve(project, SystemClock(), events)
    output.tell(
        "Stopped; every transaction is finished. "
        + (f"{output.count(left, 'file')} still pending. " if left else "")
        + "Go on with: snowmelt up"
    )
    return 0


class EventLines:
    """A sink that prints each event with its name; whole lines, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
        told = {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(event).items()
        }
        with self._lock:
            output.show_json({"event": name, **told})
