"""Which columns are about persons: the one place that decides.

A column is if its contract, source or model says `meta: {pii: true}`, or if it is made
of one that is and does not say `pii: false`. What a project that has such columns
does not know counts as one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from snowmelt.bronze.layout import header_of
from snowmelt.errors import SnowmeltError
from snowmelt.gold.run_history import published_digest, published_run
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import RESCUED, effective_pipe
from snowmelt.service.masking.kept_marks import KeptMarks
from snowmelt.service.pages.noted import documentation
from snowmelt.service.parts import Parts
from snowmelt.service.project_files import FilesRead
from snowmelt.trace.carried import ANY, Carried, tables_in, tables_of
from snowmelt.trace.models import Models, known_models, open_models
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.documentation import Documentation
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")
CACHE = Path(".snowmelt/personal.json")
EVIDENCE = ("quarantine", "changes")
"""Schemas whose tables hold rows of others."""
_TOLD = frozenset(
    (
        *("first_error_message", "error", "errors", "error_message", "message"),
        *("rejected_record", "failing_row", "details", "detail", "query_text"),
        *("refused_row", "fallback_reason"),
    )
)
"""Columns of system tables that may tell values of rows."""


@dataclass(frozen=True)
class OfPipe:
    """A pipe's fields by their names in files: those that everybody may see."""

    table: str
    is_personal: bool
    open_fields: frozenset[str]
    column_of: Mapping[str, str]
    """By the name of a column: what its field is called in files."""


@dataclass
class Personal:
    """The columns of one state of the warehouse that are about persons."""

    carried: Carried
    is_any: bool
    followed: frozenset[str] = frozenset()
    """The relations of which it is known what they are made of, in lower case."""
    pipes: Mapping[str, OfPipe] = field(default_factory=dict)
    declared: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """What is said of columns, by the keys of relations, in lower case."""
    is_known: bool = True
    """False: nobody knows yet what the project says, and all is masked."""

    def is_masked(self, relation: str, column: str) -> bool:
        """Is a column of a relation (schema.name) masked to viewers?"""
        if not self.is_any:
            return False
        key, name = relation.lower(), column.lower()
        schema = key.partition(".")[0]
        if schema in EVIDENCE:
            return True
        if schema == "snowmelt":
            return name in _TOLD
        known = self.carried.tables.get(key)
        if known is None or name not in known:
            return True
        if key not in self.followed:
            return True
        return self.carried.is_marked(key, name)

    def masked(self, relation: str) -> set[str]:
        """Return the masked columns of a relation, in lower case."""
        known = self.carried.tables.get(relation.lower(), {})
        return {name for name in known if self.is_masked(relation, name)}

    def why(self, relation: str, column: str) -> str:
        """Say why a column is about persons: declared, or inherited; else nothing."""
        if not self.is_known or not self.is_masked(relation, column):
            return ""
        said = self.declared.get(relation.lower(), {})
        return "declared" if said.get(column.lower()) else "inherited"

    def of_query(self, query: str, columns: list[str]) -> set[str]:
        """Return which columns of a query's result are masked, in lower case."""
        if not self.is_any:
            return set()
        read = tables_in(query)
        if not read:
            return {name.lower() for name in columns}
        marks = dict(self.carried.marks)
        for each in read:
            if each not in self.followed:
                known = self.carried.tables.get(each)
                marks[each] = {ANY} if known is None else self.masked(each)
        carried = Carried(self.carried.tables, self.carried.database, marks)
        return carried.of_query(query, read, columns)


@dataclass
class _Known:
    stamp: object = None
    run: object = None
    seen: object = None
    personal: Personal | None = None


_LOCK = threading.Lock()
_KNOWN: WeakKeyDictionary[Warehouse, _Known] = WeakKeyDictionary()


def personal_of(parts: Parts, session: Session) -> Personal:
    """Return which columns of a snapshot are about persons.

    Of a target all are, while the project's files are not known as they are now.
    """
    files = parts.files.now() if parts.files is not None else None
    if parts.files is not None and files is None:
        return _everything(parts, session)
    notes = files.notes if files else documentation(parts)
    stamp = (files.digest if files else "", notes.stamp if notes else None)
    with _LOCK:
        known = _KNOWN.setdefault(parts.warehouse, _Known())
        nothing = known.personal is not None and not known.personal.is_any
        if nothing and known.personal and notes and known.stamp == stamp:
            return known.personal  # whatever tables there are, nothing is said of any
    there = _columns_there(parts, session)
    run = (
        published_run(session),
        session.value("select max(load_seq) from snowmelt.load_history"),
        there,
    )
    with _LOCK:
        known = _KNOWN.setdefault(parts.warehouse, _Known())
        if known.personal is not None and (known.stamp, known.run) == (stamp, run):
            return known.personal
        tables = tables_of(session) | {key: dict(of) for key, of in there.items()}
        seen = stamp, published_digest(session), tables
        if known.personal is None or known.seen != seen:
            known.personal = _decide(parts, session, tables, notes, files)
        known.stamp, known.run, known.seen = stamp, run, seen
        return known.personal


def _columns_there(parts: Parts, session: Session) -> Mapping[str, Mapping[str, str]]:
    return parts.gold.columns(session) if parts.gold is not None else {}


def _everything(parts: Parts, session: Session) -> Personal:
    """Return that every column is about persons: nobody knows which are."""
    there = _columns_there(parts, session)
    tables = tables_of(session) | {key: dict(of) for key, of in there.items()}
    database = str(session.value("select current_database()"))
    pipes = [effective_pipe(session, pipe) for pipe in parts.project.pipes]
    named = {
        each.name: OfPipe(
            each.full_table_name.lower(),
            is_personal=True,
            open_fields=frozenset(),
            column_of=_of_pipe(each).column_of,
        )
        for each in pipes
    }
    return Personal(Carried(tables, database), True, pipes=named, is_known=False)


def _decide(
    parts: Parts,
    session: Session,
    tables: dict[str, dict[str, str]],
    notes: Documentation | None,
    files: FilesRead | None,
) -> Personal:
    of_project = files.pipes if files else parts.project.pipes
    pipes = [effective_pipe(session, pipe) for pipe in of_project]
    marks = _marks_of_pipes(pipes)
    declared = _declared(notes)
    by_key = {
        note.key.lower(): declared[note_id]
        for note_id, note in (notes.notes.items() if notes else ())
        if note_id in declared and note.key
    }
    for each in pipes:
        own = {c.name: True for c in each.contract.columns if c.is_personal}
        key = each.full_table_name.lower()
        by_key[key] = {**by_key.get(key, {}), **own}
    for key, said in by_key.items():
        marked = {name for name, is_so in said.items() if is_so}
        if marked:
            marks[key] = marks.get(key, set()) | marked
    database = str(session.value("select current_database()"))
    carried = Carried(tables, database, marks, is_partial=parts.gold is not None)
    followed = {
        f"{pipe.full_table_name}{end}".lower()
        for pipe in pipes
        for end in ("", "__all")
    }
    is_any = bool(marks) or (notes is None and not followed >= _of_others(tables))
    if marks and notes is not None:
        published = published_digest(session)
        models = _models_there(parts, session, files) if files else _models(parts)
        if models is not None:
            followed |= _follow(parts, carried, declared, published, models)
    named = {pipe.name: _of_pipe(pipe) for pipe in pipes}
    return Personal(carried, is_any, frozenset(followed), named, by_key)


def _of_others(tables: Mapping[str, object]) -> set[str]:
    """Return the relations that are not ours."""
    ours = ("snowmelt", *EVIDENCE)
    return {key for key in tables if key.partition(".")[0] not in ours}


def _marks_of_pipes(pipes: list[Pipe]) -> dict[str, set[str]]:
    """Return the marked columns of bronze; what no contract names may be one, too."""
    marks = {}
    for pipe in pipes:
        own = {each.name for each in pipe.contract.columns if each.is_personal}
        if own:
            for key in (pipe.full_table_name, f"{pipe.full_table_name}__all"):
                marks[key.lower()] = own | {RESCUED}
    return marks


def _declared(notes: Documentation | None) -> dict[str, dict[str, bool]]:
    found = {}
    for note_id, note in (notes.notes if notes else {}).items():
        said = {
            name: column.pii
            for name, column in note.columns.items()
            if column.pii is not None
        }
        if said:
            found[note_id] = said
    return found


def _of_pipe(pipe: Pipe) -> OfPipe:
    columns = [c for c in pipe.contract.columns if c.name != RESCUED]
    closed = {header_of(each) for each in columns if each.is_personal}
    called = {each.name: header_of(each) for each in columns}
    return OfPipe(
        pipe.full_table_name.lower(),
        bool(closed),
        frozenset(set(called.values()) - closed),
        called,
    )


def _follow(
    parts: Parts,
    carried: Carried,
    declared: Mapping[str, Mapping[str, bool]],
    published: str | None,
    models: Models,
) -> set[str]:
    """Follow the marks through the models, or remember what came of it last time.

    Returns the relations that were followed: of others nobody knows.
    """
    graph, sql = models.graph, models.sql
    followed = set(models.by_key()) | {
        f"{each.schema}.{each.table}".lower() for each in graph.sources.values()
    }
    text = json.dumps(
        [
            graph.as_document(),
            sql,
            declared,
            carried.tables,
            {key: sorted(names) for key, names in carried.marks.items()},
        ],
        sort_keys=True,
        default=str,
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    kept = KeptMarks(parts.project.state / CACHE.name)
    found = kept.find(digest)
    if found is None:
        carried.follow(graph, sql, declared)
        found = carried.marks
        kept.keep(digest, models.digest, found)
    if parts.gold is not None:  # by which state of the project it was made is not told
        here = KeptMarks(parts.project.root / CACHE)
        carried.marks = here.with_all(kept.with_all(found))
    else:
        carried.marks = kept.with_published(found, models.digest, published)
    return followed


def _models_there(parts: Parts, session: Session, files: FilesRead) -> Models | None:
    """Return the SQL of a target's models, by its files: of no other state of them."""
    assert parts.files is not None
    return parts.files.models(files, session)


def _models(parts: Parts) -> Models | None:
    """Return the SQL of the project's models; what was known before if dbt refuses."""
    root = parts.project.root
    bronze = [pipe.full_table_name for pipe in parts.project.pipes]
    dbt = Dbt(root, parts.project.warehouse_path)
    try:
        with parts.warehouse.session() as session:
            return open_models(session, dbt, root, project_digest(root), bronze)
    except SnowmeltError as error:
        log.warning("columns are followed as they were known before: %s", error)
        return known_models(root)
