"""What to write where: the lines that make a model or test look at changes alone."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.observe.advice.evidence import Evidence
from snowmelt.observe.advice.piece import listed
from snowmelt.transform.graph import Node

_NOT_PLAIN = ("error_if", "warn_if", "fail_calc", "limit", "where")
_PLAIN = {"error_if": "!= 0", "warn_if": "!= 0", "fail_calc": "count(*)"}
_OF_DBT = ("not_null", "accepted_values", "unique", "relationships")


@dataclass(frozen=True)
class Remedy:
    """What helps, in words and as lines of a file; all empty if nothing is known."""

    advice: str = ""
    file: str = ""
    change: str = ""


def make_by_key(evidence: Evidence, node: Node) -> Remedy:
    """Say how a node that is made whole in each run is made of changes alone."""
    if node.is_test:
        return look_at_changes(evidence, node)
    if node.resource_type != "model" or node.materialized != "table":
        return Remedy()
    keys = node.unique_key or _tested_key(evidence, node)
    told = listed(keys) if keys else "'…'"
    hint = "" if keys else " (unique_key: the columns that name a row)"
    return Remedy(
        f"let runs make only the keys again that changed{hint}: materialize it as "
        "affected_keys, with {% call snowmelt.affected() %} saying which they are",
        evidence.file_of(node),
        f"{{{{ config(materialized='affected_keys', unique_key={told}) }}}}",
    )


def look_at_changes(evidence: Evidence, test: Node) -> Remedy:
    """Say what keeps a test from looking at changed rows alone, if that can be changed.

    Empty for a test that has no such form: one of no single model, or whose models
    could not keep a log of changes.
    """
    about = test.test or {}
    model = evidence.graph.nodes.get(about.get("of") or "")
    if model is None:
        return Remedy()
    odd = [
        name for name in _NOT_PLAIN if about.get(name) not in (_PLAIN.get(name), None)
    ]
    if odd:
        return Remedy(
            f"it looks at the whole table because of its {' and '.join(odd)}: without "
            "them a run looks at changed rows alone",
            evidence.properties_of(test),
            f"config: {{}}  # without {', '.join(odd)}",
        )
    unlogged = _without_log(evidence, test, model)
    if unlogged is not None:
        return _let_it_keep_a_log(evidence, unlogged)
    return _state_its_form(evidence, test, about)


def _state_its_form(evidence: Evidence, test: Node, about: dict[str, object]) -> Remedy:
    is_dbts = about.get("namespace") is None and about.get("kind") in _OF_DBT
    parents = [each for each in test.parents if each in evidence.graph.nodes]
    if about.get("on_changes") or is_dbts or len(parents) != 1:
        return Remedy()
    return Remedy(
        "say that it judges each row by itself, if it does (or rows with the same "
        "columns together: 'keys'); then a run looks at changed rows alone",
        evidence.properties_of(test),
        "config: {meta: {on_changes: rows}}",
    )


def _without_log(evidence: Evidence, test: Node, model: Node) -> Node | None:
    """Return the model, of those that a test looks at, that keeps no log of changes."""
    nodes = evidence.graph.nodes
    looked_at = [model, *(nodes[each] for each in test.parents if each in nodes)]
    return next((each for each in looked_at if not each.keeps_log), None)


def _let_it_keep_a_log(evidence: Evidence, model: Node) -> Remedy:
    remedy = make_by_key(evidence, model)
    if not remedy.change:
        return Remedy()
    return Remedy(
        f"it looks at the whole table because {model.name} keeps no log of its "
        f"changes: {remedy.advice}",
        remedy.file,
        remedy.change,
    )


def _tested_key(evidence: Evidence, model: Node) -> tuple[str, ...]:
    """Return the columns of which a test says that they name a row."""
    for node in evidence.graph.nodes.values():
        about = node.test or {}
        if about.get("of") != model.id:
            continue
        arguments = about.get("arguments", {})
        if about.get("kind") == "unique" and arguments.get("column_name"):
            return (str(arguments["column_name"]),)
        if about.get("kind") == "unique_combination":
            return tuple(map(str, arguments.get("columns", ())))
    return ()
