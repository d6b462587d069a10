"""Files of any format into temporary tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from snowmelt.bronze.csv import CsvReader
from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.json import JsonReader
from snowmelt.bronze.parquet import ParquetReader
from snowmelt.pipe.definition import Pipe
from snowmelt.warehouse.port import Session


class Reader(Protocol):
    """Reads a batch of one pipe's files of one format on one session."""

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        ...

    def close(self) -> None:
        """Remove what was put aside for reading."""
        ...


class Reading:
    """Gives each file of a batch to the reader of its format."""

    def __init__(
        self, session: Session, pipe: Pipe, spool: Path, *, by_views: bool = False
    ) -> None:
        """`by_views`: a large file may be read when its rows are appended."""
        self._readers: dict[str, Reader] = {
            "csv": CsvReader(session, pipe, spool),
            "json": JsonReader(session, pipe, spool),
            "parquet": ParquetReader(session, pipe, by_views=by_views),
        }

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        reads = {
            each.file.name: FileRead(each, problem=each.problem)
            for each in inspections
            if each.problem
        }
        sound = [each for each in inspections if not each.problem]
        for type_name, reader in self._readers.items():
            own = [
                each
                for each in sound
                if each.file_format and each.file_format.type == type_name
            ]
            for read in reader.read(own) if own else ():
                reads[read.inspection.file.name] = read
        return [reads[each.file.name] for each in inspections]

    def close(self) -> None:
        """Remove what was put aside for reading."""
        for reader in self._readers.values():
            reader.close()
