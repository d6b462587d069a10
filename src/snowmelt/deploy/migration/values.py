"""What an account says of JSON: of texts that lie in the stage, of a table's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.deploy.migration import staged
from snowmelt.deploy.migration.digest import (
    EMPTY,
    SNOWFLAKE,
    Digest,
    Typed,
    digest_query,
)
from snowmelt.deploy.migration.parcel import Parcel
from snowmelt.deploy.snowflake.session import AccountError, Row, Session
from snowmelt.errors import SnowmeltError


@dataclass(frozen=True)
class Other:
    """A file with values of JSON that are not those that lie in the stage."""

    file: str
    rows: tuple[tuple[str, int], ...]
    """How many, of each column that has some."""
    gone: int
    """Rows that lie in the stage no more, so that nothing can be said of them."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Say it to a person."""
        told = [
            f"{self.file}: other JSON there, {name} of {_rows(count)}"
            for name, count in self.rows
        ]
        if self.gone:
            told.append(f"{self.file}: {_rows(self.gone)} not in the bucket any more")
        return tuple(told)

    @property
    def document(self) -> dict[str, Any]:
        return {"file": self.file, "columns": dict(self.rows), "not_staged": self.gone}


@dataclass(frozen=True)
class Values:
    """Values of JSON, over a session."""

    session: Session
    stage: str
    format_name: str
    folder: str
    """What names of files begin with there, and not here."""

    def looked_at(self, parcel: Parcel) -> Digest:
        """Return the digest of the values that the account reads from a staged file.

        Before it is copied: what is not as it left is never loaded. Raises
        SnowmeltError for that, and for records that the account cannot read.
        """
        source = self._staged(parcel.columns, parcel.path)
        try:
            [row] = self.session.rows(staged.looked_at_query(parcel.columns, source))
        except AccountError:
            self._require_readable(parcel, source)
            raise
        lies, values = (
            Digest.read([row["row_count"], row[f"low_{number}"], row[f"high_{number}"]])
            for number in range(2)
        )
        if lies != parcel.texts:
            left = parcel.texts.rows if parcel.texts else 0
            raise SnowmeltError(
                f"@{self.stage}/{parcel.path}",
                f"what lies there is not what left here: {lies.rows:,} rows with JSON, "
                f"{left:,} here, or other texts",
                "Nothing of it was copied. Remove this file from the bucket, and "
                "migrate again: it is put there anew.",
            )
        return values

    def of(self, columns: Sequence[Typed], source: str) -> Digest:
        """Return the digest of values in a table; `source`: a table WHERE something."""
        if not staged.json_of(columns):
            return EMPTY
        rows = f"{source} AND {staged.some(columns)}"
        query = digest_query(staged.values(columns), rows, SNOWFLAKE)
        [row] = self.session.rows(query)
        return Digest.read([row["row_count"], row["hash_low"], row["hash_high"]])

    def others(
        self, table: str, shipped: str, columns: Sequence[Typed], place: str
    ) -> list[Other]:
        """Compare a table with what lies in a place, row by row; return some files."""
        lying = self._staged(columns, place)
        query = staged.differing_query(table, shipped, columns, lying)
        names = [each.name for each in staged.json_of(columns)]
        found = []
        for row in self.session.rows(query):
            counts = [int(row[f"other_{number}"]) for number in range(len(names))]
            told = zip(names, counts, strict=True)
            some = tuple((_plain(name), count) for name, count in told if count)
            found.append(Other(self._name(row), some, int(row["gone"])))
        return found

    def _staged(self, columns: Sequence[Typed], place: str) -> str:
        """Return the query of what lies in a place, and see that it can be asked."""
        self.session.rows(staged.format_statement(self.format_name))
        return staged.staged(columns, f"{self.stage}/{place}", self.format_name)

    def _require_readable(self, parcel: Parcel, source: str) -> None:
        """Refuse records whose JSON the account does not take, by their names."""
        try:
            rows = self.session.rows(staged.unread_query(parcel.columns, source))
        except AccountError:
            return  # it was something else
        if rows:
            raise self._unreadable(parcel, rows)

    def _name(self, row: Row) -> str:
        return str(row["_file"]).removeprefix(self.folder)

    def _unreadable(self, parcel: Parcel, rows: Sequence[Row]) -> SnowmeltError:
        names = [_plain(each.name) for each in staged.json_of(parcel.columns)]
        told = [
            f"{self._name(row)}, record {row['_file_row']}, {name}: {said}"
            for row in rows
            for number, name in enumerate(names)
            if (said := row[f"said_{number}"])
        ]
        told += ["…"] if len(rows) == staged.NAMED_MAX else []
        return SnowmeltError(
            parcel.table,
            "Snowflake does not take JSON that is taken here: " + "; ".join(told),
            _CORRECTED,
        )


_CORRECTED = (
    "Send the file again with these records corrected, load it, let go of the old rows "
    "(retention: {superseded: 0s}, `snowmelt vacuum`), and migrate again; what arrived "
    "stays. Or keep the text: type: varchar in the contract; `snowmelt deploy plan` "
    "says what becomes of the table there."
)


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _plain(name: str) -> str:
    return name.strip('"').lower()
