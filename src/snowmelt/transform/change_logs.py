"""The logs of models' changes: cut behind the last offset, so that they stay short."""

from __future__ import annotations

from snowmelt.transform.graph import Graph
from snowmelt.warehouse.port import Session

BATCHES_MAX = 10
"""So many batches of changes stay in a log that everybody has read."""


def log_table(relation: str) -> str:
    """Return the name of the log of a relation (schema.name)."""
    schema, name = relation.split(".", 1)
    return f'changes."{schema}__{name}"'


def cut_logs(session: Session) -> None:
    """Cut long logs behind the offsets of all who read them, in the run's transaction.

    A log that nobody reads is cut whole. Whoever begins to read later reads the whole
    table once.
    """
    long = session.rows(
        "select logs.relation, "
        "least(logs.position, coalesce(min(streams.position), logs.position)) "
        "from snowmelt.change_logs as logs "
        "left join snowmelt.stream_offsets as streams "
        "on streams.source = logs.relation "
        "where logs.position - logs.cut_through > $1 "
        "group by logs.relation, logs.position",
        [BATCHES_MAX],
    )
    for relation, position in long:
        session.execute(
            f"delete from {log_table(relation)} where _change_seq <= $1",  # noqa: S608
            [position],
        )
        session.execute(
            "update snowmelt.change_logs set cut_through = $2 where relation = $1",
            [relation, position],
        )


def forget_streams(session: Session, graph: Graph) -> None:
    """Forget offsets of models that are gone, or that read something no more.

    They would never move again: their logs could not be cut, and a log that is begun
    anew would count as one that somebody still has to read.
    """
    tables = {each.id: f"{each.schema}.{each.table}" for each in graph.sources.values()}
    tables |= {each.id: each.key for each in graph.nodes.values()}
    read = {
        (node.key, tables[parent])
        for node in graph.nodes.values()
        for parent in node.parents
        if parent in tables
    }
    for stream in session.rows("select consumer, source from snowmelt.stream_offsets"):
        if tuple(stream) not in read:
            session.execute(
                "delete from snowmelt.stream_offsets "
                "where consumer = $1 and source = $2",
                list(stream),
            )
