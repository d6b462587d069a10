"""snowmelt errands"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option
from snowmelt.serve.errand_state import ErrandState

_STATES = [each.value for each in ErrandState]
_COLUMNS = ("errand", "what", "state", "who", "asked_at", "began_at", "ended_at")
_MORE = ("key", "cause", "asked", "tries", "run_id", "graph_run_group_id", "problem")


@click.command("errands")
@click.option("--state", type=click.Choice(_STATES, case_sensitive=False))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@project_option
@json_option
def command(state: str | None, limit: int, directory: Path, as_json: bool) -> None:
    """Show what programs asked for, newest first, and what came of it.

    An errand is a run, a refresh, a rebuild, an audit or a graph of tasks that an
    orchestrator asked the service for by its API, once under its key.
    """
    columns = (*_COLUMNS, *_MORE)
    which = f"where state = '{state.upper()}' " if state else ""
    asked = (
        f"select {', '.join(columns)} from snowmelt.errands {which}"  # noqa: S608
        "order by errand desc"
    )
    with connected(directory) as commands:
        document = commands.query(asked, limit)
    errands = [dict(zip(columns, row, strict=True)) for row in document["rows"]]
    if as_json:
        output.show_json({"schema_version": 1, "errands": errands})
        return
    output.show_table(
        _COLUMNS,
        [
            [*(each[name] for name in _COLUMNS[:4]), *map(_moment, _times(each))]
            for each in errands
        ],
    )
    for each in errands:
        if each["problem"]:
            output.tell(f"errand {each['errand']}: {each['problem']}")


def _times(errand: dict[str, str | None]) -> list[str | None]:
    return [errand[name] for name in _COLUMNS[4:]]


def _moment(told: str | None) -> str | None:
    return told[:19].replace("T", " ") if told else None
