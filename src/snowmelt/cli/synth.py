"""snowmelt synth"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option


@click.command("synth")
@click.argument("name", type=click.Choice(["olist"]))
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--orders", default=10_000, show_default=True, help="How many orders.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--dirty", default=0.0, show_default=True, help="Share of dirt, 0 to 0.5."
)
@click.option("--parts", default=1, show_default=True, help="Parts of growing files.")
@json_option
def command(  # noqa: PLR0913 - one for each option
    name: str,
    directory: Path,
    orders: int,
    seed: int,
    dirty: float,
    parts: int,
    as_json: bool,
) -> None:
    """Make believable data of shape NAME in DIRECTORY."""
    from snowmelt.synth.olist import make_olist

    report = make_olist(directory, orders=orders, seed=seed, dirty=dirty, parts=parts)
    if as_json:
        output.show_json({"schema_version": 1, "name": name, **asdict(report)})
        return
    output.show_table(("file", "records"), list(report.files.items()))
    output.show()
    output.show_table(("quirk", "made"), list(report.quirks.items()))
