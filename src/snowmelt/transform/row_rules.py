"""What row rules of a model say about a run: which stop it, which only warn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowmelt.errors import ConfigError
from snowmelt.transform.graph import Node
from snowmelt.transform.latest_versions import require_lineage
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import literal


def broken_rules(session: Session, node: Node) -> list[NodeResult]:
    """Return a result for each rule that fails the run, and one for rows that warn.

    The rows that a rule stops the run for stand in the model's quarantine, in the
    run's transaction: they are gone with it, and kept as the run's evidence.
    """
    quarantine = quarantine_table(node.key)
    results = []
    for rule, count, file, file_row in session.rows(
        "select rule, count(*), arg_min(_file, (_load_seq, _file_row)), "  # noqa: S608
        f"arg_min(_file_row, (_load_seq, _file_row)) from {quarantine} "
        "where on_failure = 'fail' group by rule order by rule"
    ):
        query = (
            f"select rule, _file, _file_row, refused_row from {quarantine} "  # noqa: S608
            f"where on_failure = 'fail' and rule = {literal(rule)} "
            "order by _load_seq, _file_row"
        )
        message = (
            f"{_rows(count)} refused by {rule}, the first is record {file_row} of "
            f"{file}. Correct it there and land the file again, or give the rule "
            "on_failure: quarantine. The rows: snowmelt status"
        )
        results.append(_result(node, rule, "fail", count, message, query))
    warning = [
        rule_name(rule, place)
        for place, rule in enumerate(node.rules, start=1)
        if rule.get("on_failure") == "warn"
    ]
    warned = warning and session.value(
        "select sum(rows_warned)::bigint from snowmelt.row_tallies where model = $1",
        [node.key],
    )
    if warned:
        told = f"{_rows(warned)} went on against {', '.join(warning)}"
        results.append(_result(node, "rules", "warn", warned, told, None))
    return results


def require_fitting_rules(session: Session, node: Node, sql: str) -> None:
    """Raise ConfigError unless a model has the columns that it and its rules take.

    `sql` is the model's query. The engine is asked what it makes of expressions and
    patterns; no row is read.
    """
    columns = session.table(f"from (\n{sql}\n) limit 0").columns
    require_lineage(node, columns)
    known = {column.lower() for column in columns}
    for place, rule in enumerate(node.rules, start=1):
        where = f"model {node.name}: rule {rule_name(rule, place)}"
        column = rule.get("column")
        if column is not None and str(column).lower() not in known:
            raise ConfigError(
                where, f"there is no column '{column}'", f"{', '.join(columns)} are."
            )
        asked = "true"
        if rule["rule"] == "expression":
            asked = f"({rule['expression']}\n) is false"
        elif rule["rule"] == "matches":
            asked = f"regexp_full_match('', {literal(str(rule['pattern']))})"
        try:
            session.table(f"select {asked} from (\n{sql}\n) limit 0")  # noqa: S608
        except Exception as error:
            raise ConfigError(where, str(error).strip()) from error


def rule_name(rule: Mapping[str, Any], place: int) -> str:
    """Return a rule's name, given or as the package makes it up."""
    made_up = f"{rule.get('rule')}_{rule.get('column') or place}"
    return str(rule.get("name") or made_up)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _result(
    node: Node, rule: str, status: str, count: int, message: str, query: str | None
) -> NodeResult:
    return NodeResult(
        node=f"{node.name}.{rule}",
        resource_type="rule",
        status=status,
        seconds=0.0,
        failures=count,
        message=message,
        compiled_code=query,
        id=node.id,
    )
