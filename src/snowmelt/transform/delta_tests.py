"""The form of a test that looks at changed rows alone: a decision from its definition.

What the last published run tested still holds for every row that did not change, so
where the tested model keeps a log of its changes it is enough to look at the rows that
this run brought. A test states its form: dbt's own are listed here, others say
`config(meta={'on_changes': 'rows'})` (each row is judged by itself), `'keys'` (rows
with the same `columns`, or `column_name`, are judged together) or `'sums'` (sums of two
models were the same, and so must be what was added to them). What has no such form, or
counts failures otherwise than one by one, is run whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from snowmelt.transform.graph import Node

_DBT_FORMS = {
    "not_null": "rows",
    "accepted_values": "rows",
    "unique": "keys",
    "relationships": "parents",
}
_PLAIN = {
    "error_if": "!= 0",
    "warn_if": "!= 0",
    "fail_calc": "count(*)",
    "limit": None,
    "where": None,
}


def on_changes(
    test: Node, query: str, nodes: Mapping[str, Node], changed: set[str]
) -> list[str] | None:
    """Return queries for the failing rows among what changed, or None: run it whole.

    `query` finds all failing rows. `changed` are the nodes that changed in this run;
    an empty list says that nothing the test looks at is among them.
    """
    about = test.test or {}
    model = nodes.get(about["of"] or "")
    plain = all(about[name] == wanted for name, wanted in _PLAIN.items())
    if model is None or not model.keeps_log or not plain:
        return None
    form = about["on_changes"]
    if about["namespace"] is None:
        form = form or _DBT_FORMS.get(about["kind"])
    if form == "parents":
        return _relationships(test, query, model, nodes, changed)
    if form == "sums":
        return _sums(test, query, nodes, changed)
    if form not in ("rows", "keys") or set(test.parents) != {model.id}:
        return None
    if model.id not in changed:
        return []
    rows = _arrived(model) if form == "rows" else _same_keys(model, _columns(test))
    return [_instead(query, model.relation, rows)]


def _columns(test: Node) -> list[str]:
    arguments = (test.test or {})["arguments"]
    columns = arguments.get("columns") or [arguments["column_name"]]
    return [str(column) for column in columns]


def _logged(model: Node, action: str) -> str:
    """Return SQL of what this run changed, of one kind."""
    return f'"{model.scratch("changed")}" where "METADATA$ACTION" = \'{action}\''


def _arrived(model: Node) -> str:
    return f"(select * from {_logged(model, 'INSERT')})"  # noqa: S608 - names of ours


def _same_keys(model: Node, columns: list[str]) -> str:
    """Return SQL of the rows that share the columns' values with a changed row.

    Groups of keys are made again whole: where the columns hold such a key, all rows
    that share them are among what this run made.
    """
    if model.materialized == "affected_keys" and set(model.affected_by) <= set(columns):
        return f'(select unnest(_row) from "{model.scratch("after")}")'  # noqa: S608
    listed = ", ".join(columns)
    return (
        f"(select * from {model.relation} where ({listed}) in "  # noqa: S608
        f"(select {listed} from {_logged(model, 'INSERT')}))"
    )


def _relationships(
    test: Node,
    query: str,
    child: Node,
    nodes: Mapping[str, Node],
    changed: set[str],
) -> list[str] | None:
    """Look for parents of changed rows, and for children of parents that went."""
    others = [each for each in test.parents if each != child.id]
    parent = nodes.get(others[0]) if len(others) == 1 else None
    if parent is None or not parent.keeps_log:
        return None
    arguments = (test.test or {})["arguments"]
    column, field = str(arguments["column_name"]), str(arguments["field"])
    queries = []
    if child.id in changed:
        rows = _arrived(child)
        known = (
            f"(select * from {parent.relation} where {field} in "  # noqa: S608
            f"(select {column} from {_logged(child, 'INSERT')}))"
        )
        swapped = _instead(query, child.relation, rows)
        queries.append(_instead(swapped, parent.relation, known))
    if parent.id in changed:
        orphans = (
            f"(select * from {child.relation} where {column} in "  # noqa: S608
            f"(select {field} from {_logged(parent, 'DELETE')} except "
            f"select {field} from {_logged(parent, 'INSERT')}))"
        )
        queries.append(_instead(query, child.relation, orphans))
    return queries


def _sums(
    test: Node, query: str, nodes: Mapping[str, Node], changed: set[str]
) -> list[str] | None:
    """Add up what came and take off what went, in both models.

    One that only warns may have differed before: it is run whole.
    """
    models = [nodes[each] for each in test.parents if each in nodes]
    severity = str((test.test or {})["severity"]).lower()
    if severity != "error" or not all(each.keeps_log for each in models):
        return None
    if not changed.intersection(test.parents):
        return []
    for model in models:
        whole = f"(select *, 1 as _sign from {model.relation})"  # noqa: S608
        if whole not in query:
            return None
        signed = (
            f"(select *, case \"METADATA$ACTION\" when 'INSERT' then 1 else -1 end "  # noqa: S608
            f'as _sign from "{model.scratch("changed")}")'
            if model.id in changed
            else whole[:-1] + " where false)"
        )
        query = _instead(query, whole, signed)
    return [query]


def _instead(query: str, relation: str, rows: str) -> str:
    return query.replace(relation, rows)
