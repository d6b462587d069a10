"""A project small enough to be built many times: bronze, silver, three of gold.

Amounts of a day are added up; a day below zero fails a test. `days` has a key and is
told of by streams, `totals` is made anew each time, `best_days` is a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doubles import Account

from snowmelt.transform.package import write_package

PROJECT = """
name: ledger
version: 1.0.0
config-version: 2
profile: snowmelt
flags: {send_anonymous_usage_stats: false}
models:
  ledger:
    +materialized: table
    silver: {+schema: silver}
    gold: {+schema: gold}
"""
SOURCES = "sources: [{name: bronze, schema: bronze, tables: [{name: entries}]}]"
SCHEMA_NAME = """
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ snowmelt.built_in(custom_schema_name | default(target.schema, true)) }}
{%- endmacro %}
"""
ENTRIES = """
{{ config(materialized='latest_version', unique_key='entry') }}
select entry, day, cast(amount as number(18, 2)) as amount,
    _file, _file_row, _load_seq, _version_at
from {{ snowmelt.stream('bronze', 'entries') }}
"""
DAYS = """
{{ config(materialized='affected_keys', unique_key='day') }}
with
{% call snowmelt.affected() %}
select day from {{ snowmelt.stream(ref('entries')) }}
{% endcall %}
entries as (
    select * from {{ ref('entries') }} where {{ snowmelt.is_affected('day') }}
)
select day, sum(amount) as amount, count(*) as number from entries group by day
"""
TOTALS = "select sum(amount) as amount from {{ ref('days') }}"
BEST = """
{{ config(materialized='view') }}
select day from {{ ref('days') }} where amount > 5
"""
NOT_NEGATIVE = "select * from {{ ref('days') }} where amount < 0"
FILES = {
    "dbt_project.yml": PROJECT,
    "packages.yml": "packages: [{local: packages/snowmelt}]\n",
    "models/sources.yml": SOURCES,
    "macros/generate_schema_name.sql": SCHEMA_NAME,
    "models/silver/entries.sql": ENTRIES,
    "models/gold/days.sql": DAYS,
    "models/gold/totals.sql": TOTALS,
    "models/gold/best_days.sql": BEST,
    "tests/not_negative.sql": NOT_NEGATIVE,
}
BRONZE = """
create table {database}.bronze.entries__all (
    entry varchar, day varchar, amount varchar, _file varchar,
    _file_row number(19,0), _version_at timestamp_ntz
)
"""
LIVE = """
create view {database}.bronze.entries as
select entry, day, amount, _file, _file as _stage_path, _file_row,
    date_part(epoch_second, _version_at) as _load_seq, _version_at
from {database}.bronze.entries__all
"""
LOG = """
create table {database}.snowmelt.pipeline_log (
    turn number(19,0), run_id varchar, step varchar, object varchar,
    started_at timestamp_ltz, ended_at timestamp_ltz, status varchar,
    rows_in number(19,0), rows_out number(19,0), rows_rejected number(19,0),
    bytes number(19,0), error varchar, details varchar
)
"""
Rows = list[list[str | None]]


@dataclass
class Ledger:
    """The project and its database in an account."""

    root: Path
    account: Account
    database: str
    profiles: Path = field(init=False)
    _minutes: int = 0

    def __post_init__(self) -> None:
        for name, text in FILES.items():
            self.write(name, text)
        write_package(self.root)
        self.profiles = self.root / "profiles"
        self.account.write_profile(self.profiles, self.database, "public")
        self.say("create database {database}")
        for schema in ("bronze", "silver", "gold", "snowmelt"):
            self.say(f"create schema {{database}}.{schema}")
        for statement in (BRONZE, LIVE, LOG):
            self.say(statement)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def say(self, statement: str) -> Rows:
        return self.account.rows(statement.format(database=self.database))

    def arrive(self, file: str, entries: Sequence[tuple[str, str, str]]) -> None:
        """Load a file of entries: their names, days, amounts."""
        self._minutes += 1
        rows = ", ".join(
            f"('{entry}', '{day}', '{amount}', '{file}', {row}, "
            f"'2024-01-01 00:{self._minutes:02}:00'::timestamp_ntz)"
            for row, (entry, day, amount) in enumerate(entries, start=1)
        )
        self.say(f"insert into {{database}}.bronze.entries__all values {rows}")

    def seen(self, schema: str = "gold") -> dict[str, Rows]:
        """What readers of a schema see of its tables."""
        asked = {
            "days": "day, amount, number",
            "totals": "amount",
            "best_days": "day",
        }
        return {
            name: sorted(
                self.say(f"select {columns} from {{database}}.{schema}.{name}"),
                key=str,
            )
            for name, columns in asked.items()
        }

    def told(self) -> list[tuple[str | None, str | None]]:
        """What the log says of publications, in their order."""
        return [
            (status, error)
            for status, error in self.say(
                "select status, error from {database}.snowmelt.pipeline_log "
                "where step = 'publish' order by ended_at"
            )
        ]
