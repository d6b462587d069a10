"""snowmelt trace"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    connected,
    json_option,
    project_option,
    to_service,
)

SHOWN = 20
IN_JSON = 10_000


@click.command("trace")
@click.argument("model", required=False)
@click.option(
    "--key", "keys", multiple=True, metavar="COLUMN=VALUE", help="Which row; several."
)
@click.option(
    "--columns", is_flag=False, flag_value="", help="Which columns feed these; a,b."
)
@click.option("--file", "file", help="What became of a file.")
@click.option("--load", type=int, help="What became of one load.")
@click.option("--row", type=int, help="Of one record of the file or load, from 1.")
@click.option("--limit", type=int, help="How many rows to list; all are counted.")
@click.option(
    "--lines",
    "all_lines",
    is_flag=True,
    help="Whatever it takes: read large files for lines, all loads for other versions.",
)
@project_option
@json_option
def command(
    model: str | None,
    columns: str | None,
    directory: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """Show which files and lines made a row of a MODEL, or what a file became.

    Downwards, a row of a model is named by --key, as often as it takes:

        snowmelt trace gold.fct_orders --key order_id=A17

    Upwards, a file, a load or one record of it:

        snowmelt trace --file orders.csv --row 12

    And --columns shows which columns of files feed a column.
    """
    from snowmelt.cli.trace_text import show_became, show_columns, show_trace

    limit = asked["limit"] or (IN_JSON if as_json else SHOWN)
    _require_one_question(model, columns, asked)
    with connected(directory) as commands:
        if model is None:
            file = asked["file"] and to_service(asked["file"])
            document = commands.became(file, asked["load"], asked["row"], limit)
            show = show_became
        elif columns is not None:
            names = [each.strip() for each in columns.split(",") if each.strip()]
            document = commands.trace_columns(model, names)
            show = show_columns
        else:
            all_lines = asked["all_lines"]
            document = commands.trace(model, asked["keys"], limit, all_lines)
            show = show_trace
    if as_json:
        output.show_json(document)
    else:
        show(document)


def _require_one_question(
    model: str | None, columns: str | None, asked: dict[str, Any]
) -> None:
    """Raise UsageError unless it is asked either about a model or about a file."""
    of_file = asked["file"] is not None or asked["load"] is not None
    if model is None and not of_file:
        raise click.UsageError("name a MODEL, or --file, or --load")
    if model is not None and of_file:
        raise click.UsageError(
            "a MODEL is traced down, a --file or --load up: one of both"
        )
    if asked["file"] is not None and asked["load"] is not None:
        raise click.UsageError("--file and --load: one of both")
    if model is None and (asked["keys"] or columns is not None):
        raise click.UsageError("--key and --columns are of a MODEL")
    if model is not None and asked["row"] is not None:
        raise click.UsageError("--row is a record of a --file or --load")
    if asked["keys"] and columns is not None:
        raise click.UsageError("--key names a row, --columns columns: one of both")
