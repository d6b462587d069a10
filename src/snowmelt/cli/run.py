"""snowmelt run"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option
from snowmelt.cli.target_runs import LOCAL, run_once, target_option
from snowmelt.errors import UsageError


@click.command("run")
@click.option(
    "--on-error",
    type=click.Choice(["abort_statement"]),
    default=None,
    help="Load all pending files in one transaction, or none at the first error.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["reject", "warn"]),
    multiple=True,
    help="Exit with 5 when records were rejected, or tests or loads warned.",
)
@target_option
@project_option
@json_option
def command(
    on_error: str | None,
    fail_on: tuple[str, ...],
    target: str,
    directory: Path,
    as_json: bool,
) -> int:
    """Load all that is pending, build, test, publish, and say what happened.

    On another target what arrived is there already: it is built, tested, published.
    """
    if target != LOCAL:
        if on_error or fail_on:
            raise UsageError(
                f"--target {target}", "the account's pipes load there, not this run"
            )
        return run_once(target, directory, as_json=as_json)
    from snowmelt.cli.run_summary import show_summary
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.run(on_error)
    if as_json:
        output.show_json(document)
    else:
        show_summary(document)
    return exit_code(document, fail_on)


def exit_code(document: dict, fail_on: tuple[str, ...] = ()) -> int:  # type: ignore[type-arg]
    """Return 1 if a load or a test failed, 5 for what --fail-on names, else 0."""
    run = document["run"]
    failed = any(load["status"] == "Load failed" for load in document["loads"])
    if failed or document["problems"] or (run and run["state"] == "FAILED"):
        return 1
    if "reject" in fail_on and document["error_count"]:
        return 5
    warned = document["warnings"] or (run and run["tests_warned"])
    return 5 if "warn" in fail_on and warned else 0
