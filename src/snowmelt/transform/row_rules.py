"""What row rules of a model say about a run: which stop it, which only warn."""

from __future__ import annotations

from snowmelt.transform.graph import Node
from snowmelt.transform.node_result import NodeResult
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import literal


def broken_rules(session: Session, node: Node) -> list[NodeResult]:
    """Return a result for each rule that fails the run, and one for rows that warn.

    The rows that a rule stops the run for stand in the model's quarantine, in the
    run's transaction: they are gone with it, and kept as the run's evidence.
    """
    schema, name = node.key.split(".", 1)
    quarantine = f'quarantine."{schema}__{name}"'
    results = []
    for rule, count in session.rows(
        f"select rule, count(*) from {quarantine} where on_failure = 'fail' "  # noqa: S608
        "group by rule order by rule"
    ):
        query = (
            f"select rule, _file, _file_row, refused_row from {quarantine} "  # noqa: S608
            f"where on_failure = 'fail' and rule = {literal(rule)}"
        )
        results.append(_result(node, rule, "fail", count, query))
    warned = session.value(
        "select sum(rows_warned)::bigint from snowmelt.row_tallies as tallies "
        "where model = $1 and load_seq not in (select load_seq "
        "from snowmelt.load_history where superseded_by is not null)",
        [node.key],
    )
    if warned:
        results.append(_result(node, "rules", "warn", warned, None))
    return results


def _result(
    node: Node, rule: str, status: str, count: int, query: str | None
) -> NodeResult:
    rows = "row" if count == 1 else "rows"
    told = "does not keep" if count == 1 else "do not keep"
    return NodeResult(
        node=f"{node.name}.{rule}",
        resource_type="rule",
        status=status,
        seconds=0.0,
        failures=count,
        message=f"{count} {rows} {told} {rule}",
        compiled_code=query,
        id=node.id,
    )
