"""What a trace knows of a project: each model's SQL, rewritten, and what it reads.

dbt compiles the models once for each state of the project; texts and rewritings are
kept beside the recordings (`.snowmelt/trace.json`), so that a trace starts neither dbt
nor the parser. Like recordings they are a cache.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

log = logging.getLogger("snowmelt")
CACHE = Path(".snowmelt/trace.json")
FORMAT = 1
BRONZE, TABLE = "bronze", "table"
AFFECTED = "__affected__"
_BEGIN, _END = "/* affected keys */", "/* end of affected keys */"
_IS_AFFECTED = re.compile(r"\btrue /\* is affected: (.*?) \*/", re.DOTALL)


@dataclass(frozen=True)
class Relation:
    """A table that a model reads, by its key (schema.name); of bronze, or another."""

    key: str
    kind: str

    @property
    def sql(self) -> str:
        """Return its name as SQL."""
        return name_of(self.key)


@dataclass(frozen=True)
class Decided:
    """What else decides about a model's rows; see `query_parts.Note`."""

    kind: str
    construct: str
    relations: tuple[str, ...]


@dataclass
class Plan:
    """How one model's rows are traced.

    `rows` and `hits` are its query with annotations, over placeholders of
    `relations`; `touched` names the groups that rows of its streams touch. Without
    them `reason` says what cannot be rewritten.
    """

    relations: list[Relation] = field(default_factory=list)
    rows: str = ""
    hits: str = ""
    tags: tuple[str, ...] = ()
    touched: str = ""
    streamed: tuple[str, ...] = ()
    decided: list[Decided] = field(default_factory=list)
    reason: str = ""

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read what `asdict` gave."""
        return cls(
            **document
            | {
                "relations": [Relation(**each) for each in document["relations"]],
                "tags": tuple(document["tags"]),
                "streamed": tuple(document["streamed"]),
                "decided": [
                    Decided(**each | {"relations": tuple(each["relations"])})
                    for each in document["decided"]
                ],
            }
        )


@dataclass
class Models:
    """The models of one state of a project."""

    path: Path
    digest: str = ""
    graph: Graph = field(default_factory=lambda: Graph((), ()))
    sql: dict[str, str] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    bronze: frozenset[str] = frozenset()
    """The tables that pipes load, by key, in lower case."""

    def by_key(self) -> dict[str, Node]:
        """Return what the project makes, by its lower-case key."""
        return {
            node.key.lower(): node
            for node in self.graph.nodes.values()
            if node.resource_type in ("model", "seed", "snapshot")
            and node.materialized != "ephemeral"
        }

    def tables_read(self, node: Node) -> list[Relation]:
        """Return what a model reads, through views, as tables."""
        found: dict[Relation, None] = {}
        for parent in node.parents:
            source = self.graph.sources.get(parent)
            if source is not None:
                key = f"{source.schema}.{source.table}".lower()
                kind = BRONZE if key in self.bronze else TABLE
                found[Relation(key, kind)] = None
                continue
            above = self.graph.nodes[parent]
            if above.materialized in ("view", "ephemeral"):
                found |= dict.fromkeys(self.tables_read(above))
            else:
                found[Relation(above.key, TABLE)] = None
        return list(found)

    def plan(self, session: Session, node: Node) -> Plan:
        """Return how a model's rows are traced; made once, and kept."""
        known = self.plans.get(node.id)
        if known is None:
            from snowmelt.trace.planning import make_plan

            known = make_plan(session, self, node)
            if not known.reason:  # what is not there yet may be there later
                self.plans[node.id] = known
                self.save()
        return known

    def save(self) -> None:
        """Write the cache; without it traces are slow, nothing else."""
        document = {
            "format": FORMAT,
            "digest": self.digest,
            "graph": self.graph.as_document(),
            "sql": self.sql,
            "plans": {key: asdict(plan) for key, plan in self.plans.items()},
            "bronze": sorted(self.bronze),
        }
        written = self.path.with_name(f".{self.path.name}")
        try:
            written.write_text(json.dumps(document))
            written.replace(self.path)
        except OSError as error:
            log.warning("what traces need could not be kept: %s", error)


def open_models(
    session: Session, dbt: Dbt, project_dir: Path, digest: str, bronze: Sequence[str]
) -> Models:
    """Return what is known of this state of the project, or have dbt compile it.

    `bronze` are the keys of the tables that pipes load. Raises ConfigError when dbt
    refuses the project.
    """
    path = project_dir / CACHE
    tables = frozenset(each.lower() for each in bronze)
    known = _read(path)
    if known is not None and (known.digest, known.bronze) == (digest, tables):
        return known
    recorded = load_recordings(project_dir / RECORDINGS).of_project(digest)
    graph = recorded or dbt.parse(session)
    chosen = [
        node
        for node in graph.nodes.values()
        if node.resource_type == "model"
        and node.materialized != "ephemeral"
        and not node.asks_dbt.startswith("it is a Python")
    ]
    sql = dbt.compile(session, chosen, whole=True) if chosen else {}
    models = Models(path, digest, graph, sql, {}, tables)
    models.save()
    return models


def known_models(project_dir: Path) -> Models | None:
    """Return what was known last, of whichever state of the project."""
    return _read(project_dir / CACHE)


def _read(path: Path) -> Models | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        if document["format"] != FORMAT:
            return None
        return Models(
            path,
            document["digest"],
            Graph.from_document(document["graph"]),
            document["sql"],
            {key: Plan.from_document(each) for key, each in document["plans"].items()},
            frozenset(document["bronze"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("what traces need is not readable and is made anew: %s", error)
        return None


def name_of(key: str) -> str:
    """Return a relation's name as SQL, of its key."""
    schema, name = key.split(".", 1)
    return f"{identifier(schema)}.{identifier(name)}"


def around_affected(sql: str) -> tuple[str, str, str] | None:
    """Return a model's SQL before its affected keys, what they are, and the rest."""
    before, found, after = sql.partition(_BEGIN)
    block, ended, rest = after.partition(_END)
    return (before, block, rest) if found and ended else None


def restricted(sql: str) -> str:
    """Return a model's whole SQL for the keys in the placeholder AFFECTED alone."""
    parts = around_affected(sql)
    if parts is None:
        return sql
    before, _, rest = parts
    rest = _IS_AFFECTED.sub(r"(\1) in (select * from affected)", rest)
    return f"{before}select * from {AFFECTED}{rest}"  # noqa: S608 - dbt's text
