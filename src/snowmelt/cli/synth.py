"""snowmelt synth"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import output
from snowmelt.cli.feeding import fed, feed_options
from snowmelt.cli.project_option import json_option

if TYPE_CHECKING:
    from snowmelt.synth.making import Report

_directory = click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False)
)
_seed = click.option(
    "--seed", default=1, show_default=True, help="Same seed, same bytes."
)
_dirty = click.option(
    "--dirty", default=0.0, show_default=True, help="Share of dirt, 0 to 0.5."
)
_origins = click.option(
    "--origins",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write here which lines make each row of gold.",
)


@click.group("synth")
def command() -> None:
    """Make believable data of a shape in a directory."""


@command.command("olist")
@_directory
@click.option("--orders", default=10_000, show_default=True, help="How many orders.")
@_seed
@_dirty
@click.option("--parts", default=1, show_default=True, help="Parts of growing files.")
@_origins
@json_option
def olist(directory: Path, as_json: bool, **given: Any) -> None:
    """Nine CSV files of a marketplace in DIRECTORY.

    --origins has a line of JSON for each row of gold: its key, and the files, records
    and lines that it is made of when all has landed, corrected/ last and each file
    under its name alone. It is what snowmelt trace is to say.
    """
    from snowmelt.synth.olist import make_olist

    report = make_olist(directory, **given)
    _show("olist", report, as_json=as_json)


@command.command("storefront")
@_directory
@click.option(
    "--customers", default=1_000, show_default=True, help="How many customers."
)
@_seed
@_dirty
@click.option("--days", default=3, show_default=True, help="How many days, 3 or more.")
@_origins
@json_option
def storefront(directory: Path, as_json: bool, **given: Any) -> None:
    """Customers, products (CSV) and sales (JSON) of a shop in DIRECTORY/raw.

    --origins has a line of JSON for each row of gold and of enriched sales: its key,
    and the files, records and lines that it is made of when all has landed, by name.
    """
    from snowmelt.synth.storefront import make_storefront

    report = make_storefront(directory, **given)
    _show("storefront", report, as_json=as_json)


@command.command("crm-erp")
@_directory
@click.option("--customers", default=1_000, show_default=True, help="20 or more.")
@_seed
@_dirty
@click.option("--parts", default=1, show_default=True, help="Parts of the sales.")
@json_option
def crm_erp(
    directory: Path, customers: int, seed: int, dirty: float, parts: int, as_json: bool
) -> None:
    """Six CSV files of a CRM and an ERP in DIRECTORY."""
    from snowmelt.synth.crm_erp import make_crm_erp

    report = make_crm_erp(
        directory, customers=customers, seed=seed, dirty=dirty, parts=parts
    )
    _show("crm-erp", report, as_json=as_json)


@command.command("realtime")
@_directory
@feed_options
@_seed
@_dirty
@json_option
def realtime(directory: Path, at_once: bool, as_json: bool, **given: Any) -> None:
    """Events of users, a CSV file every few seconds, into DIRECTORY.

    Goes on until --for is over or until Ctrl-C, which lets the file that is under way
    be finished. Each file is written under a hidden name and then renamed, so DIRECTORY
    may be the landing folder of a running service. A feed that was stopped is the
    beginning of the same feed that was not.
    """
    report = fed(directory, given, at_once=at_once)
    if as_json:
        _show("realtime", report, as_json=True)
        return
    records = output.count(sum(report.files.values()), "record")
    output.show(f"{output.count(len(report.files), 'file')}, {records}")
    output.show()
    output.show_table(("quirk", "made"), list(report.quirks.items()))


@command.command("retail")
@_directory
@click.option("--customers", default=1_000, show_default=True, help="Of the set.")
@click.option("--products", default=100, show_default=True, help="Of the set.")
@click.option("--transactions", default=10_000, show_default=True, help="Of the set.")
@_seed
@_dirty
@click.option("--days", default=365, show_default=True, help="Days from 2024-01-01.")
@click.option(
    "--parts", type=int, help="Files of customers, and of transactions.  [by size]"
)
@click.option(
    "--file-mb", default=180, show_default=True, help="About, without --parts."
)
@click.option(
    "--compression",
    type=click.Choice(["none", "gzip", "zstd"]),
    default="none",
    show_default=True,
    help="Of CSV and JSON files, and inside Parquet.",
)
@click.option(
    "--increment",
    type=int,
    help="Write what comes in this hour after the set, from 1, and not the set.",
)
@json_option
def retail(  # noqa: PLR0913
    directory: Path,
    customers: int,
    products: int,
    transactions: int,
    seed: int,
    dirty: float,
    days: int,
    parts: int | None,
    file_mb: int,
    compression: str,
    increment: int | None,
    as_json: bool,
) -> None:
    """Customers (CSV), products (JSON), transactions (Parquet) in DIRECTORY/raw.

    An increment has a new record for a thousand of the set, and some that changed; give
    it the numbers and the seed of the set.
    """
    from snowmelt.observe.progress import Writing
    from snowmelt.synth.retail import Retailer, make_increment, make_retail

    retailer = Retailer(
        customers, products, transactions, seed, dirty, days, compression
    )
    with Writing() as told:
        if increment is not None:
            report = make_increment(directory, retailer, increment=increment, told=told)
        else:
            report = make_retail(
                directory, retailer, parts=parts, file_mb=file_mb, told=told
            )
    _show("retail", report, as_json=as_json)


def _show(name: str, report: Report, *, as_json: bool) -> None:
    if as_json:
        output.show_json({"schema_version": 1, "name": name, **asdict(report)})
        return
    output.show_table(("file", "records"), list(report.files.items()))
    output.show()
    output.show_table(("quirk", "made"), list(report.quirks.items()))
