"""`sql --target`: a query of history that is known here, or of an account's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowmelt.deploy.portable.linting import findings_in
from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.targets.asking_there import BOARD_SECONDS
from snowmelt.service.targets.questioning import Question, ask_there
from snowmelt.trace.carried import tables_in

if TYPE_CHECKING:
    from snowmelt.service.targets.gold import GoldThere

ROWS_MAX = 10_000
"""How many rows are asked for without a limit; more only where it is said."""
OF_HERE = frozenset(("snowmelt", "account", "information_schema", "main"))
"""Schemas of what was read of an account: they are in the file of the target."""


def asks_rows(sql: str) -> bool:
    """Does a query read tables of the account, and not only its history?

    Raises UsageError for one that reads both: no engine has them together.
    """
    read = tables_in(sql)
    there = [key for key in read if key.partition(".")[0] not in OF_HERE]
    if there and len(there) < len(read):
        known = sorted(set(read) - set(there))
        raise UsageError(
            "sql",
            f"{known[0]} is history that is known here, {there[0]} is in the account",
            "Ask for each by a query of its own.",
        )
    return bool(there)


def rows_document(gold: GoldThere, sql: str, limit: int | None) -> Document:
    """Return the rows that an account answers."""
    gold.warehouse.require_query(sql)
    where = f"sql --target {gold.target}"
    for each in findings_in(sql, is_rewritten=True, is_card=False):
        told = f"on {gold.target}, line {each.line}: {each.found}: {each.why}"
        raise UsageError(where, told)
    question = Question(where, sql, (), tables_in(sql))
    most = ROWS_MAX if limit is None else limit
    with gold.alone(BOARD_SECONDS):
        gold.newest()
        table = ask_there(gold, question, most + (limit is None))
    if limit is None and len(table.rows) > most:
        raise UsageError(
            where,
            f"it returns more than {most:,} rows",
            "Say how many: --limit N; or sum them up.",
        )
    with gold.warehouse.session() as session:
        run_id = gold.run_published(session)
    return {
        "columns": table.columns,
        "rows": [plain(row) for row in table.rows],
        "run_id": run_id,
    }
