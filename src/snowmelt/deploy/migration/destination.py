"""What an account has of what was shipped, and how more gets there.

What arrived stands in a table of the account, `SNOWMELT.MIGRATED_FILES`, written by the
transaction that copies the file: a file's rows and its record are there, or neither. So
whoever was stopped, wherever, asks it where to go on; nothing is remembered here.

Where JSON is, the account is asked first what lies in the stage: `staged` says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from snowmelt.deploy.migration import staged
from snowmelt.deploy.migration.digest import (
    EMPTY,
    JSON,
    SNOWFLAKE,
    Digest,
    Typed,
    digest_query,
)
from snowmelt.deploy.migration.parcel import Parcel, Shipped
from snowmelt.deploy.migration.source import HISTORY_COLUMNS, OURS, Cut
from snowmelt.deploy.migration.values import Other, Values
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.bronze import snowflake_type
from snowmelt.deploy.snowflake.session import AccountError, Row, Session
from snowmelt.deploy.snowflake.sql import Word
from snowmelt.deploy.snowflake.table import plain_type
from snowmelt.errors import SnowmeltError

FILES = "migrated_files"
LOADS = "migrated_loads"
FORMAT = "migrated_parquet"
FILES_COLUMNS = (
    ("TABLE_NAME", "VARCHAR", False),
    ("FILE_NAME", "VARCHAR", False),
    ("LAST_SEQ", "NUMBER(19,0)", False),
    ("LAST_PART", "NUMBER(19,0)", False),
    ("ROW_COUNT", "NUMBER(19,0)", False),
    ("HASH_LOW", "VARCHAR", False),
    ("HASH_HIGH", "VARCHAR", False),
    ("VALUES_COUNT", "NUMBER(19,0)", True),
    ("VALUES_LOW", "VARCHAR", True),
    ("VALUES_HIGH", "VARCHAR", True),
    ("SHIPPED_AT", "TIMESTAMP_LTZ", False),
)
LOADS_COLUMNS = tuple(
    (each.name, snowflake_type(each.type), True) for each in HISTORY_COLUMNS
)
_KEYS_MAX = 1000
_IS_OURS = f"STARTSWITH(_CONTENT_KEY, {sql.text(OURS)})"


@dataclass(frozen=True)
class Destination:
    """A project's database, over a session."""

    session: Session
    database: str
    stage: str
    system: str
    folder: str
    """What the stage's files begin with in the bucket, and names of files in bronze."""

    @property
    def _files(self) -> str:
        return sql.path(self.database, self.system, FILES)

    @property
    def values(self) -> Values:
        """What there is of JSON."""
        name = sql.path(self.database, self.system, FORMAT)
        return Values(self.session, self.stage, name, self.folder)

    @property
    def loads(self) -> str:
        """The table that knows what this machine loaded."""
        return sql.path(self.database, self.system, LOADS)

    def columns(self, table: str) -> dict[str, str]:
        """Return a table's columns with their types. Raises AccountError."""
        rows = self.session.rows(f"DESC TABLE {table}")
        return {sql.as_kept(row["name"]): plain_type(row["type"]) for row in rows}

    def shipped(self) -> Mapping[str, Shipped]:
        """Return what arrived of each table."""
        found: dict[str, Shipped] = {}
        for row in self.session.rows(
            "SELECT TABLE_NAME, LAST_SEQ, LAST_PART, ROW_COUNT, HASH_LOW, HASH_HIGH, "
            f"VALUES_COUNT, VALUES_LOW, VALUES_HIGH FROM {self._files}"
        ):
            old = found.get(row["table_name"], Shipped())
            position = (int(row["last_seq"]), int(row["last_part"]))
            found[row["table_name"]] = Shipped(
                max(old.after, position),
                old.digest + _read(row),
                old.values + _values_of(row),
                old.files + 1,
            )
        return found

    def copied(self, table: str) -> list[str]:
        """Return the files whose rows somebody else put there: a pipe, a person."""
        rows = self.session.rows(
            f"SELECT DISTINCT _FILE FROM {table} "
            f"WHERE NOT COALESCE({_IS_OURS}, FALSE) ORDER BY _FILE"
        )
        return [str(row["_file"]) for row in rows]

    def add_column(self, table: str, column: Typed) -> None:
        """Add a column that this machine's table gained by files."""
        kind = snowflake_type(column.type)
        self.session.rows(
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column.name} {kind}"
        )

    def receive(self, parcel: Parcel) -> None:
        """Copy a file and record that it arrived, in one transaction.

        A file that the table knows may be there without a record: its answer was lost
        and it was sent again, or COPY did not belong to the transaction. Since digests
        add up, what is there tells. Where JSON is, it is asked first what lies there.
        """
        values = None if parcel.texts is None else self.values.looked_at(parcel)
        with self._transaction():
            told = self.session.rows(self.copy(parcel))
            loaded = sum(int(row.get("rows_loaded") or 0) for row in told)
            if loaded != parcel.digest.rows and (loaded or not self._has(parcel)):
                raise self._incomplete(parcel, loaded, told)
            last = parcel.piece.last
            self._record(parcel.table, parcel.path, last, parcel.digest, values)

    def _has(self, parcel: Parcel) -> bool:
        """Are a file's rows there, and not on record?"""
        known = self.shipped().get(parcel.table, Shipped()).digest
        return self.arrived(parcel.table, parcel.columns) == known + parcel.digest

    def keys_of(self, table: str, keys: Sequence[str]) -> list[str]:
        """Return which content keys a table has rows of."""
        return [
            str(row["_content_key"])
            for where in _by_key(keys)
            for row in self.session.rows(
                f"SELECT DISTINCT _CONTENT_KEY FROM {table} WHERE {where}"
            )
        ]

    def withdraw(
        self, table: str, columns: Sequence[Typed], keys: Sequence[str]
    ) -> None:
        """Remove rows that were shipped, and take them out of what arrived."""
        for where in _by_key(keys):
            [row] = self.session.rows(
                digest_query(columns, f"{table} WHERE {where}", SNOWFLAKE)
            )
            gone = _read(row)
            if not gone.rows:
                continue
            values = self.values.of(columns, f"{table} WHERE {where}")
            with self._transaction():
                self.session.rows(f"DELETE FROM {table} WHERE {where}")
                named = f"withdrawn {gone}"
                self._record(table, named, Shipped().after, -gone, -values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.session.rows("BEGIN TRANSACTION")
        try:
            yield
            self.session.rows("COMMIT")
        except BaseException:
            with suppress(SnowmeltError):
                self.session.rows("ROLLBACK")
            raise

    def copy(self, parcel: Parcel) -> str:
        """Return the statement that copies a file.

        A text of JSON becomes a value only if it is parsed: matched by name it would
        stay a text (https://docs.rs/rivet-cli/0.24.0/src/rivet/load/snowflake.rs.html,
        tried there on a live account).
        """
        head, source = f"COPY INTO {parcel.table}", f"FROM @{self.stage}"
        matching = "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
        if staged.json_of(parcel.columns):
            head += f" ({', '.join(each.name for each in parcel.columns)})"
            chosen = ",\n    ".join(map(_taken, parcel.columns))
            source = f"FROM (\n    SELECT {chosen}\n    FROM @{self.stage}\n  )"
            matching = ""
        return sql.lines(
            (
                head,
                source,
                sql.options({"FILES": (parcel.path,)}),
                f"FILE_FORMAT = ({sql.options(staged.PARQUET)})",
                matching,
                sql.options({"ON_ERROR": Word("ABORT_STATEMENT")}),
            )
        )

    def _incomplete(
        self, parcel: Parcel, loaded: int, told: Sequence[Row]
    ) -> SnowmeltError:
        said = "; ".join(str(row.get("status")) for row in told) or "nothing"
        return SnowmeltError(
            f"{parcel.table}: {parcel.path}",
            f"{loaded:,} of {parcel.digest.rows:,} rows would be copied: {said}",
            "The account remembers for 64 days what it copied into a table. Was the "
            f"table emptied by hand? {self.anew(parcel.table)}",
        )

    def anew(self, table: str) -> str:
        """Say how a table is shipped anew.

        TRUNCATE forgets what was copied
        (https://docs.snowflake.com/en/sql-reference/sql/truncate-table).
        """
        return (
            f"To ship it anew: TRUNCATE TABLE {table}, which takes what pipes copied "
            f"with it; DELETE FROM {self._files} WHERE TABLE_NAME = {sql.text(table)}; "
            "and migrate again."
        )

    def _record(
        self, table: str, path: str, last: Cut, digest: Digest, values: Digest | None
    ) -> None:
        given = (
            *(sql.text(table), sql.text(path), *last),
            *_written(digest),
            *(_written(values) if values else ("NULL",) * 3),
            "CURRENT_TIMESTAMP()",
        )
        columns = ", ".join(name for name, _, _ in FILES_COLUMNS)
        listed = ", ".join(str(each) for each in given)
        # a statement whose answer was lost is sent again
        known = f"TABLE_NAME = {sql.text(table)} AND FILE_NAME = {sql.text(path)}"
        self.session.rows(
            f"INSERT INTO {self._files} ({columns}) SELECT {listed} "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._files} WHERE {known})"
        )

    def arrived(self, table: str, columns: Sequence[Typed]) -> Digest:
        """Return the digest of what of a table was shipped."""
        source = table if table == self.loads else f"{table} WHERE {_IS_OURS}"
        [row] = self.session.rows(digest_query(columns, source, SNOWFLAKE))
        return _read(row)

    def arrived_values(self, table: str, columns: Sequence[Typed]) -> Digest:
        """Return the digest of the values of JSON that were shipped."""
        return self.values.of(columns, f"{table} WHERE {_IS_OURS}")

    def other_values(
        self, table: str, columns: Sequence[Typed], place: str
    ) -> list[Other]:
        """Return files with values of JSON that are not what lies in a place."""
        return self.values.others(table, _IS_OURS, columns, place)

    def record_compared(self, table: str, recorded: Digest, there: Digest) -> None:
        """Record that values were compared and are equal, though written otherwise.

        What is added makes the sum of all that is recorded what the table says: so they
        are compared one by one once.
        """
        named = f"compared {recorded} {there}"
        self._record(table, named, Shipped().after, EMPTY, there + -recorded)

    def live(self, view: str, columns: Sequence[Typed]) -> Digest:
        """Return the digest of the rows that count."""
        [row] = self.session.rows(digest_query(columns, view, SNOWFLAKE))
        return _read(row)

    def live_by_file(self, view: str, columns: Sequence[Typed]) -> dict[str, Digest]:
        """Return the digest of the rows that count, of each file."""
        query = digest_query(columns, view, SNOWFLAKE, by="_FILE")
        return {str(row["_file"]): _read(row) for row in self.session.rows(query)}

    def require_seeing(self, roles: Collection[str]) -> None:
        """Refuse a role that is shown masked values: their digest would be another."""
        asked = " OR ".join(f"IS_ROLE_IN_SESSION({sql.text(each)})" for each in roles)
        [row] = self.session.rows(f"SELECT {asked} AS SEES")
        if str(row["sees"]).lower() not in ("true", "1"):
            raise SnowmeltError(
                "targets: role",
                "this role is shown masked values, so that nothing can be compared",
                f"GRANT ROLE {sorted(roles)[0]} TO ROLE <deploying role>",
            )


def _by_key(keys: Sequence[str]) -> Iterator[str]:
    """Yield conditions that name some content keys each."""
    for start in range(0, len(keys), _KEYS_MAX):
        yield f"_CONTENT_KEY IN {sql.value(tuple(keys[start : start + _KEYS_MAX]))}"


def _taken(column: Typed) -> str:
    found = staged.taken(column)
    return f"PARSE_JSON({found})" if column.type == JSON else found


def _read(row: Row) -> Digest:
    return Digest.read([row["row_count"], row["hash_low"], row["hash_high"]])


def _values_of(row: Row) -> Digest:
    return Digest.read([row[f"values_{word}"] for word in ("count", "low", "high")])


def _written(digest: Digest) -> tuple[str, ...]:
    halves = (sql.text(str(each)) for each in (digest.low, digest.high))
    return (str(digest.rows), *halves)


def is_missing(error: SnowmeltError) -> bool:
    """Did the account say that something is not there?"""
    return isinstance(error, AccountError) and error.is_missing
