"""Where the rows of bronze are in silver: counted in each run, and checked.

A `latest_version` model takes each bronze row once. So of every load that it reads it
reads as many rows as load history says, and each row ever loaded is in silver, in
quarantine, dropped, superseded, or an older version of a row in silver. What does not
add up fails the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.warehouse.port import Session

_COUNTS = """
    select
        'loaded' as counted,
        sum(row_count)::bigint as first,
        (sum(row_count) filter (superseded_by is not null))::bigint as second,
        0 as third,
        0 as fourth,
        0 as fifth
    from snowmelt.load_history where table_name = $1
    union all
    select
        'tallied',
        sum(rows_read)::bigint,
        sum(rows_quarantined)::bigint,
        sum(rows_dropped)::bigint,
        (sum(rows_quarantined) filter (load_seq > $3))::bigint,
        (sum(rows_dropped) filter (load_seq > $3))::bigint
    from snowmelt.row_tallies where model = $2
    union all
    select 'silver', count(*), 0, 0, 0, 0 from {silver}
    union all
    select 'quarantine', count(*), 0, 0, 0, 0 from {quarantine}
"""
_CHANGED = """
    union all
    select 'before', arg_max(silver_rows, run_id), 0, 0, 0, 0
    from snowmelt.reconciliation where model = $2
    union all
    select 'changed',
        sum(case "METADATA$ACTION" when 'INSERT' then 1 else -1 end)::bigint, 0, 0, 0, 0
    from {scratch}
"""
_DISTINCT = """
    union all
    select
        'distinct',
        coalesce(sum(_rows), 0)::bigint,
        coalesce(sum(_versions), 0)::bigint,
        0, 0, 0
    from {scratch}
"""
_MISREAD = """
    select
        load_seq,
        any_value(file_name),
        sum(row_count)::bigint as loaded,
        sum(rows_read)::bigint as read
    from (
        select load_seq, file_name, row_count, 0 as rows_read
        from snowmelt.load_history
        where table_name = $1 and superseded_by is null and load_seq > $3
        union all
        select load_seq, null, 0, rows_read
        from snowmelt.row_tallies
        where model = $2 and load_seq > $3
    )
    group by load_seq
    having loaded <> read
"""


@dataclass(frozen=True)
class Account:
    """What became of all rows that were ever loaded for a model.

    `newly_quarantined` and `newly_dropped` are of the loads that this run read.
    """

    model: str
    bronze_rows: int
    silver_rows: int
    quarantined_rows: int
    dropped_rows: int
    superseded_rows: int
    deduplicated_rows: int
    newly_quarantined: int
    newly_dropped: int


RECORDED = (
    *("model", "bronze_rows", "silver_rows", "quarantined_rows", "dropped_rows"),
    *("superseded_rows", "deduplicated_rows"),
)
"""What of an account is kept."""


@dataclass(frozen=True)
class _Counted:
    """An account, and what was counted otherwise.

    `expected_rows` in silver: of a model made from nothing its distinct keys, of one
    that was added to what it had and what came and went; None where nobody knows.
    `passed_rows` passed the rules; None where that was not counted beside what they
    refused.
    """

    account: Account
    read_rows: int
    kept_rows: int
    expected_rows: int | None
    passed_rows: int | None


def read_offsets(session: Session) -> dict[str, int]:
    """Return how far each model has read its bronze table."""
    return dict(
        session.rows(
            "select consumer, max(position) from snowmelt.stream_offsets "
            "where source not in (select relation from snowmelt.change_logs) "
            "group by consumer"
        )
    )


def reconcile(
    session: Session,
    graph: Graph,
    made: Sequence[NodeResult],
    before: Mapping[str, int],
) -> tuple[list[Account], list[NodeResult]]:
    """Return an account of each model that was made, and what does not add up.

    `before` are the offsets before the run. Part of the run's transaction.
    """
    chosen = [
        node
        for node in (
            graph.nodes[each.id] for each in made if each.resource_type == "model"
        )
        if node.materialized == "latest_version"
    ]
    anew = _made_anew(session) if any(each.form == "dbt" for each in made) else set()
    accounts, broken = [], []
    for node in chosen:
        tables = [
            graph.sources[each].table for each in node.parents if each in graph.sources
        ]
        is_new = node.scratch("distinct") in anew
        after = 0 if is_new else before.get(node.key, 0)
        counted = _count(session, node, (tables[0], after), is_new=is_new)
        accounts.append(counted.account)
        told = _misread(session, node, tables[0], after) or next(
            _say_broken(node, counted), None
        )
        if told:
            broken.append(_failed(node, told))
    return accounts, broken


def write_accounts(session: Session, run_id: str, accounts: Sequence[Account]) -> None:
    """Record the accounts of a run, in its transaction."""
    if not accounts:
        return
    columns: dict[str, Sequence[object]] = {
        name: [getattr(each, name) for each in accounts] for name in RECORDED
    }
    session.insert(
        "snowmelt.reconciliation", {"run_id": [run_id] * len(accounts)} | columns
    )


def _count(
    session: Session, node: Node, read: tuple[str, int], *, is_new: bool
) -> _Counted:
    """Count a model's rows; `read`: its bronze table, and the load after which."""
    table, after = read
    name, more = ("distinct", _DISTINCT) if is_new else ("changed", _CHANGED)
    sql = (_COUNTS + more).format(
        silver=node.relation,
        quarantine=quarantine_table(node.key),
        scratch=f'"{node.scratch(name)}"',
    )
    found = {row[0]: row[1:] for row in session.rows(sql, [table, node.key, after])}
    bronze, superseded, *_ = (count or 0 for count in found["loaded"])
    of_rules = [count or 0 for count in found["tallied"]]
    rows_read, quarantined, dropped, *newly = of_rules
    silver, kept = found["silver"][0], found["quarantine"][0]
    passed = None
    if is_new:
        expected, passed = found["distinct"][:2]
    else:
        before, changed = found["before"][0], found["changed"][0] or 0
        expected = None if before is None else before + changed
    left = bronze - superseded - quarantined - dropped - silver
    account = Account(
        *(node.key, bronze, silver, quarantined, dropped, superseded, left), *newly
    )
    return _Counted(account, rows_read, kept, expected, passed)


def _misread(session: Session, node: Node, table: str, after: int) -> str:
    """Say which load was not read as it was loaded; empty if each was."""
    rows = session.rows(_MISREAD, [table, node.key, after])
    if not rows:
        return ""
    load_seq, file_name, loaded, read = min(rows)
    of_file = f" ({file_name})" if file_name else ""
    return (
        f"{node.key} read {read} of the {loaded} rows of load {load_seq}{of_file}. "
        "A latest_version model takes each bronze row once: leave rows out by a rule "
        "with on_failure: drop, and join or unnest in a model that reads this one"
    )


def _say_broken(node: Node, counted: _Counted) -> Iterator[str]:
    """Yield what does not add up."""
    account, name = counted.account, node.key
    live = account.bronze_rows - account.superseded_rows
    if counted.read_rows != live:
        yield (
            f"{name} has read {counted.read_rows} rows in all, and {live} are live "
            "in bronze"
        )
    if counted.kept_rows != account.quarantined_rows:
        yield (
            f"{name} has refused {account.quarantined_rows} rows, and "
            f"{counted.kept_rows} are in quarantine"
        )
    passed, refused = counted.passed_rows, account.quarantined_rows
    if passed is not None and passed + refused + account.dropped_rows != live:
        yield (
            f"of {live} rows that {name} has read {passed} passed its rules, {refused} "
            f"are in quarantine and {account.dropped_rows} dropped"
        )
    expected = counted.expected_rows
    if expected is not None and expected != account.silver_rows:
        yield (
            f"{name} should have {expected} rows by what came and went, and has "
            f"{account.silver_rows}"
        )
    left = account.deduplicated_rows
    if left < 0 or (left and not node.unique_key):
        yield (
            f"{name}: {account.bronze_rows} rows of bronze are not "
            f"{account.silver_rows} in silver, {account.quarantined_rows} in "
            f"quarantine, {account.dropped_rows} dropped and "
            f"{account.superseded_rows} superseded"
        )


def _failed(node: Node, told: str) -> NodeResult:
    return NodeResult(
        node=node.name,
        resource_type="reconciliation",
        status="fail",
        seconds=0.0,
        failures=1,
        message=f"{told}. If the model is right, build it anew: snowmelt rebuild",
        compiled_code=None,
        id=node.id,
    )


def _made_anew(session: Session) -> set[str]:
    """Return the scratch tables of the models that this run made from nothing."""
    rows = session.rows(
        "select table_name from duckdb_tables() "
        "where temporary and ends_with(table_name, '__distinct')"
    )
    return {name for (name,) in rows}
