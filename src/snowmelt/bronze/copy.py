"""Copying a batch: rows, rejects and load history become true in one commit.

A copy has two halves. `prepare` reads files into temporary tables and decides what
each means; nothing outside the session changes. `commit` takes positions in commit
order and appends everything, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from snowmelt.bronze.append import Rows, append_rows, steps_of
from snowmelt.bronze.deadline import Deadline
from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.fitting import Fitting, fit
from snowmelt.bronze.inspecting import inspect_all
from snowmelt.bronze.inspection import Inspection, unreadable
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.keeping import keep_files, register, without_changed
from snowmelt.bronze.on_error import with_account
from snowmelt.bronze.prepared import Outcome, Prepared
from snowmelt.bronze.raw import Reject
from snowmelt.bronze.raw_form import RawForm
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.rejects import insert_rejects
from snowmelt.bronze.table import show_files
from snowmelt.clock import Clock
from snowmelt.errors import RereadError, SlowError
from snowmelt.landing.stage import Stage
from snowmelt.pipe.after_load import insert_due
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import EffectivePipes
from snowmelt.pipe.held import forget_held, insert_held
from snowmelt.pipe.history import (
    LoadRecord,
    LoadSeqs,
    LoadStatus,
    insert_loads,
    settle_files,
    supersede,
)
from snowmelt.pipe.identity import Arrival, Identity, Verdict, identify
from snowmelt.pipe.known import known_loads
from snowmelt.pipe.version import version_at
from snowmelt.warehouse.port import Session, Warehouse

REJECTS_OF_FAILED_MAX = 100


class Copier:
    """Copies files of a stage into bronze."""

    def __init__(
        self,
        warehouse: Warehouse,
        stage: Stage,
        clock: Clock,
        spool: Path,
        attempts: Attempts,
        evolved: Callable[[], None] = lambda: None,
    ) -> None:
        """`evolved` is called after a commit that added columns to bronze."""
        self.evolved = evolved
        self._warehouse = warehouse
        self._stage = stage
        self._clock = clock
        self._spool = spool
        self._attempts = attempts
        self._effective = EffectivePipes()
        self._load_seqs = LoadSeqs()

    def copy(self, pipe: Pipe, batch: Sequence[Pending]) -> Prepared:
        """Copy one batch in one commit; an attempt is on record before it is read."""
        names = [each.file.name for each in batch]
        with self._attempts.at(names):
            try:
                prepared = self._copy(pipe, batch, by_views=True)
            except RereadError:
                prepared = self._copy(pipe, batch, by_views=False)
        if prepared.fitting.evolved:
            self.evolved()
        return prepared

    def _copy(
        self, pipe: Pipe, batch: Sequence[Pending], *, by_views: bool
    ) -> Prepared:
        with self._warehouse.session() as session:
            prepared = self._prepare_in_time(session, pipe, batch, by_views)
            with closing(prepared), self._warehouse.commit_lock:
                with session.transaction():
                    self.commit(session, [prepared])
                self._load_seqs.committed()
        return prepared

    def _prepare_in_time(
        self, session: Session, pipe: Pipe, batch: Sequence[Pending], by_views: bool
    ) -> Prepared:
        """Prepare a batch; a single file that takes too long has failed.

        Raises SlowError when a batch of several takes too long: which of them is to
        blame shows when each goes alone.
        """
        try:
            with Deadline(pipe.limits.load_timeout, session.interrupt) as deadline:
                return self.prepare(session, pipe, batch, deadline.check, by_views)
        except SlowError as error:
            if len(batch) > 1:
                raise
            prepared = self._begin(session, pipe)
            inspection = unreadable(batch[0].file, error.problem)
            identity = Identity(Verdict.LOAD)
            now = self._clock.now()
            record = self._record(pipe, batch[0], inspection, identity, now)
            read = FileRead(inspection, problem=error.problem)
            record = with_account(record, read, pipe.on_error)
            outcome = Outcome(batch[0], inspection, identity, read, record)
            prepared.outcomes.append(outcome)
            return prepared

    def _begin(
        self, session: Session, pipe: Pipe, check: Callable[[], None] = lambda: None
    ) -> Prepared:
        return Prepared(
            pipe,
            Fitting(pipe, pipe),
            Intake(self._stage, pipe, self._spool, check),
            Reading(session, pipe, self._spool),
        )

    def prepare(
        self,
        session: Session,
        pipe: Pipe,
        batch: Sequence[Pending],
        check: Callable[[], None] = lambda: None,
        by_views: bool = False,
    ) -> Prepared:
        """Read a batch into temporary tables of this session, and judge each file.

        `by_views`: of a large file it may be only a view, if that is enough to judge
        it. Then the commit may raise RereadError, which undoes it.
        """
        started_at = self._clock.now()
        prepared = self._begin(session, pipe, check)
        prepared.by_views = by_views
        try:
            self._judge(session, prepared, batch, started_at)
        except BaseException:
            prepared.close()
            raise
        return prepared

    def _judge(
        self,
        session: Session,
        prepared: Prepared,
        batch: Sequence[Pending],
        started_at: datetime,
    ) -> None:
        pipe = prepared.pipe
        chosen = self._identify(session, prepared, batch)
        to_load = [each for _, each, found in chosen if found.verdict is Verdict.LOAD]
        reads = self._read(session, prepared, to_load)
        fitting = prepared.fitting
        there = self._stage.looks([pending.file.name for pending, *_ in chosen])
        kept = keep_files(self._stage, fitting, reads, there)
        for pending, inspection, identity in chosen:
            name = inspection.file.name
            read = reads.get(name)
            changed = read is not None and read.changed
            if changed or there[name] != inspection.file:
                prepared.again[name] = "it changed while it was read"
            held = fitting.why_held(inspection, pipe.digest, started_at)
            if name in prepared.again:
                continue
            if held is not None:
                prepared.held.append(held)
                continue
            kept_file, inspection = kept.get(name, (None, inspection))
            record = self._record(pipe, pending, inspection, identity, started_at)
            if read is not None:
                record = with_account(record, read, pipe.on_error)
            prepared.outcomes.append(
                Outcome(pending, inspection, identity, read, record, kept_file)
            )

    def _read(
        self, session: Session, prepared: Prepared, to_load: Sequence[Inspection]
    ) -> dict[str, FileRead]:
        """Read files as they fit the contract; return what came of each, by name."""
        known = self._effective.of(session, prepared.pipe)
        fitting = prepared.fitting = fit(session, known, to_load, self._spool)
        prepared.reading = Reading(
            session, fitting.pipe, self._spool, by_views=prepared.by_views
        )
        found = prepared.reading.read(fitting.to_read)
        fitting.hold_retyped(session, found, prepared.reading)
        prepared.again.update(fitting.again)
        return {read.inspection.file.name: read for read in found}

    def _identify(
        self, session: Session, prepared: Prepared, batch: Sequence[Pending]
    ) -> list[tuple[Pending, Inspection, Identity]]:
        """Read each file once, and compare it with what is live.

        Of several files with the same bytes only the first is in this batch: whether
        the others repeat it is known when it has been loaded.
        """
        inspected: dict[str, tuple[Pending, Inspection]] = {}
        pipe = prepared.pipe
        rules, now = pipe.identity_rules, self._clock.now()
        most = pipe.limits.max_record_bytes
        for pending, inspection in inspect_all(
            self._stage, prepared.intake, batch, most
        ):
            if isinstance(inspection, str):
                prepared.again[pending.file.name] = inspection
                continue
            key = inspection.content_sha256
            compared = inspection.records and rules.compares_content
            if key in inspected and compared:
                prepared.again[pending.file.name] = "the batch has the same bytes"
                continue
            inspected[key if compared else key + pending.file.name] = (
                pending,
                inspection,
            )
        read = [inspection for _, inspection in inspected.values()]
        live = known_loads(
            session,
            pipe,
            [inspection.file.name for inspection in read],
            [each.content_sha256 for each in read if each.records],
        )
        lost: set[str] = set()
        if pipe.external:
            live, lost = without_changed(session, pipe, live, read)
        return [
            (
                pending,
                inspection,
                identify(_arrival(pending, inspection, now, lost), live, rules),
            )
            for pending, inspection in inspected.values()
        ]

    def _record(
        self,
        pipe: Pipe,
        pending: Pending,
        inspection: Inspection,
        identity: Identity,
        started_at: datetime,
    ) -> LoadRecord:
        file = inspection.file
        return LoadRecord(
            file_name=file.name,
            stage_location=self._stage.location,
            last_load_time=started_at,
            row_count=0,
            row_parsed=0,
            file_size=file.size,
            first_error_message=identity.reason,
            first_error_line_number=None,
            first_error_character_pos=None,
            first_error_column_name=None,
            error_count=0,
            error_limit=pipe.on_error,
            status=LoadStatus.LOAD_SKIPPED,
            table_schema_name=pipe.schema_name,
            table_name=pipe.table_name,
            pipe_name=pipe.name,
            pipe_received_time=pending.since,
            load_seq=0,
            content_sha256=inspection.content_sha256 or None,
            version_at=version_at(file.name, file.modified_at),
            superseded_by=identity.superseded_by,
            duplicate_of=identity.duplicate_of,
            replay_of=None,
            header=RawForm.of(inspection).write(),
            started_at=started_at,
            etag=file.etag or None,
            bytes_read=inspection.content.state.size if inspection.content else None,
        )

    def commit(self, session: Session, batches: Iterable[Prepared]) -> None:
        """Append all that was prepared; call under the commit lock, in a transaction.

        A version that fails leaves the version before it live.
        """
        now = self._clock.now()
        load_seq = self._load_seqs.next(session)
        for prepared in batches:
            superseded: dict[int, int] = {}
            settled = []
            for outcome in prepared.outcomes:
                unchanged = outcome.identity.verdict is Verdict.UNCHANGED
                status = str(outcome.record.status)
                if not unchanged:
                    outcome.record = replace(
                        outcome.record, load_seq=load_seq, last_load_time=now
                    )
                    load_seq += 1
                    if outcome.record.status is not LoadStatus.LOAD_FAILED:
                        for old in outcome.identity.supersedes:
                            superseded[old] = outcome.record.load_seq
                settled.append(
                    (
                        outcome.inspection.file,
                        prepared.pipe.name,
                        prepared.pipe.digest,
                        status,
                        outcome.record.load_seq,
                    )
                )
            pipe = self._append(session, prepared, now)
            on_record = [
                outcome.inspection.file.name
                for outcome in prepared.outcomes
                if not outcome.pending.fresh
            ]
            settle_files(session, settled, on_record)
            forget_held(session, on_record)
            insert_held(session, prepared.held)
            supersede(session, superseded)
            if pipe.external and (
                register(session, pipe, prepared.outcomes) or superseded
            ):
                show_files(session, pipe)
        self._load_seqs.taken(load_seq)

    def _append(self, session: Session, prepared: Prepared, now: datetime) -> Pipe:
        """Append what a batch brought; return the pipe as bronze has it then."""
        changed = [
            outcome
            for outcome in prepared.outcomes
            if outcome.identity.verdict is not Verdict.UNCHANGED
        ]
        records = [outcome.record for outcome in changed]
        insert_loads(session, records)
        insert_due(session, prepared.pipe.after_load, records, now)
        tables: dict[str, Rows] = {}
        for outcome in changed:
            read = outcome.read
            if read is None:
                continue
            insert_rejects(session, outcome.record, _rejects_kept(outcome))
            if read.row_count and outcome.record.status is not LoadStatus.LOAD_FAILED:
                rows = tables.setdefault(
                    read.table, Rows(read.table, read.in_odd_groups)
                )
                if read.is_view:
                    rows.viewed = read.inspection.plain
                rows.steps.extend(steps_of(outcome.record, read))
                rows.refused_rowids.extend(read.refused_rowids)
        pipe = prepared.fitting.evolve(session, records, now)
        for rows in tables.values() if not pipe.external else ():
            append_rows(session, pipe, rows, now)
        return pipe


def _arrival(
    pending: Pending, inspection: Inspection, now: datetime, lost: Collection[str]
) -> Arrival:
    """Return what the rules of identity are asked about.

    A name whose rows are `lost` is loaded as if a person had asked for it.
    """
    file = inspection.file
    return Arrival(
        file.name,
        inspection.content_sha256,
        now,
        pending.reload or file.name in lost,
        version_at(file.name, file.modified_at),
    )


def _rejects_kept(outcome: Outcome) -> list[Reject]:
    """Return the rejects to store: of a file that failed only the first ones.

    The file itself is the account of a failed load.
    """
    rejects = outcome.read.rejects if outcome.read else []
    if outcome.record.status is LoadStatus.LOAD_FAILED:
        return rejects[:REJECTS_OF_FAILED_MAX]
    return rejects
