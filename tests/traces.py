"""Traces up and down over a whole project: they must say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from snowmelt.service.parts import Parts
from snowmelt.service.tracing import Tracing
from snowmelt.trace.backward import Backward
from snowmelt.trace.closure import RECORDS
from snowmelt.trace.forward import Forward, load_condition
from snowmelt.trace.models import BRONZE, Models
from snowmelt.trace.origins import records_of_roots
from snowmelt.transform.graph import Node


def made_tables(models: Models, *, but: Collection[str] = ()) -> list[Node]:
    """Return the models that are tables, `but` some."""
    return [
        node
        for node in models.graph.nodes.values()
        if node.resource_type == "model"
        and node.materialized != "view"
        and node.name not in but
    ]


def check_agreement(parts: Parts, *, but: Collection[str] = ()) -> Counter[str]:
    """Compare what each live load became with what each row is made of.

    Returns how many rows of each model that was about, over all loads.
    """
    met: Counter[str] = Counter()
    with Tracing(parts).opened() as (session, models):
        nodes = made_tables(models, but=but)
        loads = session.rows(
            "select table_schema_name || '.' || table_name, load_seq "
            "from snowmelt.load_history where superseded_by is null and row_count > 0"
        )
        down: dict[str, dict[str, dict[int, set[int]]]] = {}
        for node in nodes:
            backward = Backward(session, models)
            backward.trace(node, "true")
            assert backward.coarse == [], node.key
            down[node.key] = {
                each.key: records_of_roots(backward.closure, each)
                for each in backward.closure.relations
                if each.kind == BRONZE
            }
        for table, load_seq in loads:
            forward = Forward(session, models, 5)
            assert forward.begin(table, load_condition([load_seq]))
            forward.follow()
            assert [each.model for each in forward.coarse] == []
            for node in nodes:
                made = {
                    root
                    for root, rows in down[node.key].get(table, {}).items()
                    if any(row // RECORDS == load_seq for row in rows)
                }
                assert forward.rows_reached(node.key) == made, (node.key, load_seq)
                met[node.name] += len(made)
    return met
