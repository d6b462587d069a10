"""A pipe drafted from samples: its format, its contract, and what is in doubt."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from snowmelt.bronze.inference.column_type import (
    Decision,
    FormatFacts,
    Separator,
    choose_separator,
    choose_tokens,
    decide,
    is_typed,
)
from snowmelt.bronze.inference.csv_sample import read_csv_samples
from snowmelt.bronze.inference.evidence import Evidence, gather_evidence
from snowmelt.bronze.inference.json_sample import read_json_samples
from snowmelt.bronze.inference.keys import Candidate, Key, find_keys
from snowmelt.bronze.inference.kinds import Family, Kind
from snowmelt.bronze.inference.names import (
    matches_by_name,
    path_of,
    propose_names,
)
from snowmelt.bronze.inference.parquet_sample import read_parquet_samples
from snowmelt.bronze.inference.sample import TABLE, Sample, SampleColumn, prepare
from snowmelt.bronze.inference.sample_files import SampleFile, open_samples
from snowmelt.bronze.inference.time_forms import Choice
from snowmelt.bronze.inference.time_readings import (
    choose_formats,
    may_be_compact,
    may_be_times,
    read_forms,
)
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

Reader = Callable[[Connection, Sequence[SampleFile]], Sample]
_READERS: dict[str, Reader] = {
    "csv": read_csv_samples,
    "json": read_json_samples,
    "parquet": read_parquet_samples,
}
_FIXED_AT_ONCE = 100


@dataclass(frozen=True)
class DraftColumn:
    """A column of the contract, and what there is to say of it.

    `path` is where it is in the samples, if its name alone does not say so.
    """

    name: str
    decision: Decision
    records: int
    empty: int
    optional: bool = False
    path: str | None = None


@dataclass(frozen=True)
class Draft:
    """What the samples come to."""

    files: tuple[tuple[str, int], ...]
    columns: tuple[DraftColumn, ...]
    file_format: dict[str, object]
    keys: tuple[Key, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def records(self) -> int:
        return sum(count for _, count in self.files)


def draft_pipe(paths: Sequence[Path]) -> Draft:
    """Read the samples whole and draft a pipe that loads all of them.

    Raises UsageError, naming the file, for samples that no pipe could be made of.
    """
    with tempfile.TemporaryDirectory(prefix="snowmelt-infer-") as name:
        folder = Path(name).resolve()
        with scratch() as connection:
            prepare(connection, folder)
            files = open_samples(paths, folder)
            sample = _READERS[files[0].kind](connection, files)
            return _draft(connection, sample)


def _draft(connection: Connection, sample: Sample) -> Draft:
    columns = sample.columns
    names = propose_names([column.written or "" for column in columns])
    evidence = _gather(connection, sample)
    columns = _with_readings(connection, columns, names, evidence)
    facts = _facts(columns, evidence)
    decisions = [
        _decide(evidence[i], facts, column, sample) for i, column in enumerate(columns)
    ]
    candidates = [
        Candidate(name, column.place, decision.type, evidence[i].longest)
        for i, (name, column, decision) in enumerate(
            zip(names, columns, decisions, strict=True)
        )
        if evidence[i].values == sum(sample.records)
    ]
    file_format = _file_format(sample, facts, decisions, evidence)
    return Draft(
        files=tuple(
            (path.name, count)
            for path, count in zip(sample.paths, sample.records, strict=True)
        ),
        columns=tuple(
            _drafted(name, column, decision, evidence[i], sample)
            for i, (name, column, decision) in enumerate(
                zip(names, columns, decisions, strict=True)
            )
        ),
        file_format=file_format,
        keys=tuple(find_keys(connection, candidates, sum(sample.records))),
        notes=tuple(sample.notes),
    )


def _gather(connection: Connection, sample: Sample) -> dict[int, Evidence]:
    """Return the evidence of every column: of texts by value, of others by count."""
    texts = [i for i, each in enumerate(sample.columns) if each.traits.fixed is None]
    fixed = [i for i, each in enumerate(sample.columns) if each.traits.fixed]
    found = gather_evidence(
        connection,
        TABLE,
        [sample.columns[i].place for i in texts],
        [sample.records_of(sample.columns[i]) for i in texts],
    )
    evidence = dict(zip(texts, found, strict=True))
    for start in range(0, len(fixed), _FIXED_AT_ONCE):
        some = [sample.columns[i] for i in fixed[start : start + _FIXED_AT_ONCE]]
        asked = ", ".join(
            f"count({each.place}), max(length({each.place}::varchar))" for each in some
        )
        row = connection.execute(f"select {asked} from {TABLE}").fetchone() or ()
        for at, each in enumerate(some):
            evidence[fixed[start + at]] = Evidence(
                records=sample.records_of(each),
                kinds={Kind.TEXT: row[2 * at]},
                longest=row[2 * at + 1] or 0,
            )
    return evidence


def _with_readings(
    connection: Connection,
    columns: Sequence[SampleColumn],
    names: Sequence[str],
    evidence: dict[int, Evidence],
) -> list[SampleColumn]:
    """Add to each column how forms of dates and times read its values."""
    found = []
    for i, column in enumerate(columns):
        traits = column.traits
        if traits.fixed is None and Family.TIME in traits.families:
            compact = may_be_compact(evidence[i], names[i])
            if compact or may_be_times(evidence[i]):
                readings = read_forms(connection, column.place, compact=compact)
                traits = replace(traits, readings=readings)
        found.append(replace(column, traits=traits))
    return found


def _facts(
    columns: Sequence[SampleColumn], evidence: dict[int, Evidence]
) -> FormatFacts:
    """Return what one file format has to say for all columns."""
    texts = {i: evidence[i] for i, each in enumerate(columns) if not each.traits.fixed}
    numbers = [
        each for i, each in texts.items() if Family.NUMBER in columns[i].traits.families
    ]
    separator = choose_separator(numbers)
    readings = {i: columns[i].traits.readings for i in texts}
    timed = {i: each for i, each in texts.items() if _may_time(columns[i])}
    typed = [
        i for i, each in texts.items() if is_typed(each, separator, columns[i].traits)
    ]
    return FormatFacts(
        separator=separator,
        tokens=frozenset(choose_tokens(texts, typed)),
        times=choose_formats(timed, {i: readings[i] for i in timed}),
    )


def _may_time(column: SampleColumn) -> bool:
    return Family.TIME in column.traits.families


def _decide(
    evidence: Evidence, facts: FormatFacts, column: SampleColumn, sample: Sample
) -> Decision:
    optional = len(column.files) < len(sample.records)
    traits = replace(column.traits, optional=optional)
    decision = decide(evidence, facts, traits)
    if traits.readings and decision.type in ("integer", "bigint"):
        dated = decide(
            evidence, facts, replace(traits, families=frozenset({Family.TIME}))
        )
        if dated.type == "date":
            decision = dated
    if column.note:
        notes = (column.note, *decision.notes)
        return replace(decision, notes=notes, is_unsure=True)
    return decision


def _drafted(
    name: str,
    column: SampleColumn,
    decision: Decision,
    evidence: Evidence,
    sample: Sample,
) -> DraftColumn:
    path = column.path
    if path is None and column.written is not None:
        named = matches_by_name(column.written, name)
        path = None if named else path_of([column.written])
    return DraftColumn(
        name=name,
        decision=decision,
        records=evidence.records,
        empty=evidence.records - evidence.values,
        optional=len(column.files) < len(sample.records),
        path=path if path != name else None,
    )


def _file_format(
    sample: Sample,
    facts: FormatFacts,
    decisions: Sequence[Decision],
    evidence: dict[int, Evidence],
) -> dict[str, object]:
    """Return the file format's keys, those that columns decided among them.

    What is to be said of them is added to the sample's notes.
    """
    found = dict(sample.file_format)
    if sample.kind == "parquet":
        return found
    if sample.kind == "csv" and facts.separator is Separator.COMMA:
        found["decimal_separator"] = ","
    if facts.tokens:
        found["null_if"] = ["", *sorted(facts.tokens)]
    typed = [i for i, each in enumerate(decisions) if each.type != "varchar"]
    if sample.kind == "csv" and any(evidence[i].spaced for i in typed):
        found["trim_space"] = True
        sample.notes.append("spaces around values are taken off in every column")
    used = {decision.type.partition("(")[0] for decision in decisions}
    for kind in ("date", "time", "timestamp"):
        choice = facts.times.get(kind, Choice(None))
        if choice.format is not None and kind in used:
            found[f"{kind}_format"] = choice.format
    return found
