"""snowmelt publish"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option
from snowmelt.errors import UsageError

_LOOK_EVERY = 2.0


def _whole_option(function: Any) -> Any:
    return click.option(
        "--whole", is_flag=True, help="Send every row, whatever is there already."
    )(function)


@click.group("publish", invoke_without_command=True)
@project_option
@json_option
@click.pass_context
def command(context: click.Context, directory: Path, as_json: bool) -> None:
    """Publish gold to Postgres or as Parquet files, for other tools.

    Without a word after it: where gold is published, and how that stands. A running
    service publishes by itself into the places that snowmelt.yml names in `publish:`.
    """
    if context.invoked_subcommand is not None:
        return
    with connected(directory) as commands:
        document = commands.publications()
    if as_json:
        output.show_json(document)
        return
    places = document["places"]
    if not places:
        output.show("Gold is published nowhere else.")
        output.tell("Publish it: snowmelt publish postgres --embedded")
        return
    columns = ("name", "state", "run", "published_at", "where")
    output.show_table(columns, [_row(each) for each in places])
    for each in places:
        _tell(each)


def _row(place: dict[str, Any]) -> list[Any]:
    at, run = place["published_at"], place["run_id"]
    shown = at and at[:19].replace("T", " ")
    return [place["name"], place["state"], run and run[-8:], shown, place["where"]]


def _tell(place: dict[str, Any]) -> None:
    if place["problem"]:
        output.tell(f"{place['name']}: {place['problem']}")
        if place["remedy"]:
            output.tell(place["remedy"])
    for note in place["notes"]:
        output.tell(f"{place['name']}: {note}")


@command.command("now")
@click.argument("name")
@_whole_option
@project_option
@json_option
def now(name: str, whole: bool, directory: Path, as_json: bool) -> None:
    """Publish into the place NAME of snowmelt.yml, at once."""
    with connected(directory) as commands:
        document = commands.publish(name, None, whole)
    _show(document, as_json)


@command.command("postgres")
@click.argument("dsn", required=False, envvar="SNOWMELT_PUBLISH_DSN")
@click.option(
    "--embedded", is_flag=True, help="Into a Postgres of our own, on loopback."
)
@click.option("--into", default="gold", show_default=True, help="The schema there.")
@click.option("--grant", multiple=True, help="A role there that may read; repeatable.")
@_whole_option
@project_option
@json_option
def postgres(  # noqa: PLR0913 - one for each option
    dsn: str | None,
    embedded: bool,
    into: str,
    grant: tuple[str, ...],
    whole: bool,
    directory: Path,
    as_json: bool,
) -> None:
    """Publish into a database: DSN is postgresql://user:password@host:port/name.

    Its readers see one run or the one before it, whole, and never wait. The DSN can
    stand in SNOWMELT_PUBLISH_DSN, where no list of processes shows its password.
    """
    if embedded == bool(dsn):
        raise click.UsageError("write a DSN, or --embedded")
    to = {"postgres": dsn, "into": into, "grant_to": list(grant)}
    if embedded:
        _serve_embedded(directory, to, as_json)
        return
    with connected(directory) as commands:
        document = commands.publish(None, to, whole)
    _show(document, as_json)


def _serve_embedded(directory: Path, to: dict[str, Any], as_json: bool) -> None:
    """Run a Postgres until Ctrl-C, and publish into it again after each run."""
    from snowmelt.clock import SystemClock
    from snowmelt.project.project import load_project
    from snowmelt.serve.publish.embedded import READER, running

    project, clock = load_project(directory), SystemClock()
    with running(project.published / "embedded", clock) as server:
        to |= {"postgres": server.dsn, "grant_to": [*to["grant_to"], READER]}
        run_id = ""
        while True:
            with connected(directory) as commands:
                if commands.publications()["run_id"] != run_id:
                    document = commands.publish(None, to)
                    _show(document, as_json)
                    if not run_id:
                        output.show(server.reader_dsn)
                        output.tell("It stops with Ctrl-C, and follows new runs.")
                    run_id = document["place"]["run_id"]
            clock.wait(threading.Event(), _LOOK_EVERY)


@command.command("parquet")
@click.argument("folder")
@click.option(
    "--versions",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    help="How many versions stay.",
)
@project_option
@json_option
def parquet(folder: str, versions: int, directory: Path, as_json: bool) -> None:
    """Publish as Parquet files into FOLDER, or s3://BUCKET/PREFIX.

    FOLDER/current is the newest version; what a reader began with stays for a while.
    """
    where = folder if "://" in folder else str(Path(folder).resolve())
    with connected(directory) as commands:
        to = {"parquet": where, "versions_max": versions}
        document = commands.publish(None, to)
    _show(document, as_json)


@command.command("files")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--place", default=None, help="Which one, if gold is in several.")
@project_option
@json_option
def files(folder: Path, place: str | None, directory: Path, as_json: bool) -> None:
    """Write connection files for Power BI and Tableau into FOLDER.

    They name the database that gold is published into, and no password. A file that
    you edited is left as it is.
    """
    from snowmelt.serve.connect.endpoint import read_endpoints, read_tables
    from snowmelt.serve.connect.writing import all_files, write_files

    with connected(directory) as commands:
        document = commands.connections()
    known = {each.name: each for each in read_endpoints(document)}
    if not known:
        raise UsageError(
            "publish files",
            "gold is published into no database",
            "Publish it first: snowmelt publish postgres --embedded",
        )
    if place is not None and place not in known:
        problem = "there is no such database"
        raise UsageError(f"--place {place}", problem, f"Known: {', '.join(known)}.")
    endpoint = known[place] if place else next(iter(known.values()))
    told = write_files(folder, all_files(endpoint, read_tables(document)))
    if as_json:
        output.show_json({"schema_version": 1, "folder": str(folder), **told})
        return
    for name in told["written"]:
        output.show(name)
    for name in told["edited"]:
        output.tell(f"{name} was edited: it is left as it is")
    output.tell(f"{output.count(len(told['written']), 'file')} written to {folder}.")


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.show_json(document)
        return
    place = document["place"]
    columns = ("table", "way", "rows")
    rows = [[each[name] for name in columns] for each in place["tables"]]
    output.show_table(columns, rows)
    run, seconds = place["run_id"][-8:], place["seconds"]
    output.tell(f"Run {run} is published to {place['where']} ({seconds:.1f} s).")
    for note in place["notes"]:
        output.tell(note)
