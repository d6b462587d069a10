"""Rows that come first in the order of truth, and do not count: a rule dropped them.

Of what a rule drops nothing is kept but a number. But a row that is before the version
that counts, and is neither in quarantine nor superseded nor still to be read, can only
have been dropped; what is behind it would not count with or without the rule.
"""

from __future__ import annotations

from snowmelt.trace.closure import listed
from snowmelt.trace.models import name_of
from snowmelt.transform.graph import Node

DROPPED = "_load_seq, _file_row"


def may_drop(node: Node) -> bool:
    """Has a model a rule that drops rows?"""
    return any(rule.get("on_failure") == "drop" for rule in node.rules)


def dropped_rows(node: Node, made: str) -> str:
    """Return which rows of a query come before the ones that count, as a query.

    `made` is what the model makes of rows of bronze. The order is `order_of_truth` of
    the dbt package.
    """
    if not may_drop(node):
        return f"select {DROPPED} from ({made}) where false"  # noqa: S608
    newest = f"{node.newest_by} desc nulls last, " if node.newest_by else ""
    truth = f"{newest}_version_at desc, _load_seq desc, _file desc, _file_row desc"
    keys = listed(node.unique_key)
    return (
        f"select {DROPPED} from (select *, bool_or(_counts) over ("  # noqa: S608
        f"partition by {keys} order by {truth} rows unbounded preceding) as _beaten "
        f"from (select *, false as _counts from ({made}) union all by name "
        f"select there.*, true as _counts from {name_of(node.key)} as there "
        f"semi join ({made}) as asked using ({keys}))) where not _beaten"
    )
