"""Where an Olist-shaped set's records stand, kept while its files are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snowmelt.synth import olist_files as files
from snowmelt.synth.making import set_variables, statement
from snowmelt.synth.olist_files import Shape
from snowmelt.synth.origins import write_origins
from snowmelt.warehouse.duckdb.scratch import Connection

_LOOKED_UP = ("olist_products_dataset", "product_category_name_translation")
"""The stems of whole files that rows of gold are told with."""


class OlistOrigins:
    """Takes note of lines, and says in the end which make which row of gold.

    Good records count, and of one that is there twice the later. A broken record, a
    copy under another name, and a file that another one corrects make nothing.
    """

    def __init__(self, connection: Connection, parts: int) -> None:
        self._connection = connection
        self._parts = parts
        connection.execute(statement("olist/origins_begin"))

    def keep_whole(self, shape: Shape) -> None:
        """Keep where the records of a file stand that was written just now."""
        if shape.stem in _LOOKED_UP:
            self._keep(shape, [files.part_name(shape, 0, self._parts)])

    def keep_growing(self, shape: Shape) -> None:
        """Keep where the records of a chunk stand that were written just now."""
        names = [
            files.part_name(shape, part, self._parts) for part in range(self._parts)
        ]
        self._keep(shape, names)

    def keep_corrected(self, shape: Shape) -> None:
        """Keep where corrected records stand that were written just now."""
        self._keep(shape, [files.corrected_name(self._parts)])

    def keep_chunk(self) -> None:
        """Keep what the orders of a chunk are."""
        self._connection.execute(statement("olist/origins_chunk"))

    def write(self, path: Path, *, is_corrected: bool) -> None:
        """Write which lines make each row of gold."""
        superseded = files.part_name(files.CORRECTED, 0, self._parts)
        set_variables(
            self._connection, superseded_file=superseded if is_corrected else ""
        )
        self._connection.execute(statement("olist/origins"))
        write_origins(self._connection, path)

    def _keep(self, shape: Shape, part_files: Sequence[str]) -> None:
        set_variables(
            self._connection,
            stem=shape.stem,
            part_files=list(part_files),
            late_file=files.late_name(shape),
        )
        self._connection.execute(statement("olist/places"))
