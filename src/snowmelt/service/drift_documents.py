"""What differs between files and contracts, in documents: and what a decision does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snowmelt.pipe.contract import Contract
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import Evolution, evolve_pipe
from snowmelt.pipe.held import HeldFile
from snowmelt.pipe.renaming import likely_renames
from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.parts import Parts

LISTS = ("new", "missing", "retyped")
REJECTION = (
    "its load is put down as failed and nothing of it is copied; it is tried again "
    "when the file or its pipe changes"
)
POLICIES = {
    "none": "columns that the contract does not name are not loaded",
    "add_new_columns": "new columns are added to bronze by the load that brings them",
    "rescue": "values of new columns are kept as JSON, in the column _rescued",
    "fail_on_new_columns": "a file with a new column fails",
    "hold": "a file that differs waits for a person",
}
"""schema_evolution of a pipe → what is done."""


class Contracts:
    """The contracts that files are read by, as they evolved; each made once."""

    def __init__(
        self, pipes: Sequence[Pipe], evolutions: Mapping[str, list[Evolution]]
    ) -> None:
        self._pipes = {pipe.name: pipe for pipe in pipes}
        self._evolutions = evolutions
        self._known: dict[str, Contract] = {}

    def of(self, pipe_name: str) -> Contract | None:
        """Return a pipe's contract of now; None of a pipe that is gone."""
        pipe = self._pipes.get(pipe_name)
        if pipe is None:
            return None
        if pipe_name not in self._known:
            evolved = self._evolutions.get(pipe.table_name, [])
            own = [each for each in evolved if each.pipe_name == pipe_name]
            self._known[pipe_name] = evolve_pipe(pipe, own).contract
        return self._known[pipe_name]

    def pipe(self, pipe_name: str) -> Pipe | None:
        """Return a pipe by its name."""
        return self._pipes.get(pipe_name)


def held_document(parts: Parts, held: HeldFile, contracts: Contracts) -> Document:
    """Return a file that waits: how it differs, and what deciding would do."""
    pipe = contracts.pipe(held.pipe_name)
    table = pipe.full_table_name if pipe else held.pipe_name
    problem = held.detail.get("problem") or None
    return {
        "file_name": held.file_name,
        "pipe_name": held.pipe_name,
        "table_name": table,
        "held_at": plain(held.held_at),
        "reason": held.detail.get("reason", ""),
        "problem": problem,
        "waits": _waits(parts, held),
        "renamed": _renamed(held, contracts.of(held.pipe_name)),
        "approval": [] if problem else _approval(held, table),
        "rejection": REJECTION,
    } | {name: held.detail.get(name, []) for name in LISTS}


def _waits(parts: Parts, held: HeldFile) -> bool:
    """Does this version of the file still lie there, for this pipe?

    Of a bucket the last listing tells: to ask for each file would take too long.
    """
    pipe = parts.pending.pipe_of(held.file_name)
    if not parts.project.lands_locally:
        return pipe is not None and held.file_name in parts.pending.held
    staged = parts.stage.look(held.file_name)
    return bool(staged and pipe and held.holds(staged, pipe.digest))


def _renamed(held: HeldFile, contract: Contract | None) -> list[Document]:
    """Return which missing column may be which new one."""
    if contract is None:
        return []
    types = {column.name: column.type for column in contract.columns}
    missing = [
        (name, types.get(name, "varchar")) for name in held.detail.get("missing", ())
    ]
    new = [
        (each["column_name"], each["column_type"])
        for each in held.detail.get("new", ())
    ]
    return [
        {"missing": old, "new": fresh, "type": types.get(old, "varchar")}
        for old, fresh in likely_renames(missing, new)
    ]


def _approval(held: HeldFile, table: str) -> list[str]:
    """Say what an approval would do, in its order."""
    detail: Mapping[str, Any] = held.detail
    told = [
        f"{table} gets column {each['column_name']} ({each['column_type']}), "
        "empty in the rows that are there"
        for each in detail.get("new", ())
    ]
    told += [
        f"{name} becomes optional: it is empty in the rows of this file"
        for name in detail.get("missing", ())
    ]
    told += [
        f"{each['column_name']} becomes {each['proposed_type']} in all rows of {table} "
        f"(it is {each['column_type']})"
        for each in detail.get("retyped", ())
    ]
    return [*told, "the file is loaded at once, and a run follows"]
