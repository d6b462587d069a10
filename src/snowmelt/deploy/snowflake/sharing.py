"""Two graphs, one stream: a graph that does not publish gets streams of its own. Pure.

A stream has one offset: who reads it first is told, the other one is not
(https://docs.snowflake.com/en/user-guide/streams-intro). And a task that a stream
triggers and that does not read it is triggered again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from snowmelt.deploy.address import Address
from snowmelt.deploy.portable.statements import UnreadableError, read_statements
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.task import Stream, Task
from snowmelt.transform.tasks.condition import parse_condition, streams_in
from snowmelt.transform.tasks.graph import TaskGraph

_DEFINING = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE"})
_HEAD = "EXECUTE IMMEDIATE\n$$\n"


def streams_on(
    rows: Mapping[str, str], named: Callable[[str], str], needs: tuple[Address, ...]
) -> list[Stream]:
    """Return a stream on all rows of each table of bronze, by what it is called."""
    return [
        Stream(named(table), of, needs=(*needs, address_of("table", of)))
        for table, of in rows.items()
    ]


def reading_alone(
    graph: TaskGraph,
    mapped: list[Entity],
    own: Mapping[Stream, Stream],
    log: str,
    findings: Findings,
) -> list[Entity]:
    """Return a graph whose root asks streams of its own, and reads them first.

    Refused is work that would commit the reading before it is done. `own` are those, by
    the shared one; `log` is the table that reads are noted in. Where a task below the
    root asks, too, they are shared, which is remarked: what the root has read is not
    told to it.
    """
    asking = {
        name
        for name, task in graph.tasks.items()
        if task.when is not None and streams_in(parse_condition(task.when))
    }
    if asking != {graph.root}:
        for name in sorted(asking):
            told = "another task reads the same stream: rows that it reads first are "
            where = findings.settings("tasks", name, "when")
            findings.remark(where, f"{told}not told here")
        return mapped
    [root] = (e for e in mapped if isinstance(e, Task) and e.name == e.root)
    when, used = root.when, []
    for shared, stream in own.items():
        if sql.text(shared.name) in when:
            when = when.replace(sql.text(shared.name), sql.text(stream.name))
            used.append(stream)
    _require_no_commit(graph, findings)
    needs = (*root.needs, address_of("table", log), *(e.address for e in used))
    code = _reading_first(root.code, [e.name for e in used], log)
    alone = replace(root, when=when, code=code, needs=needs)
    return [*used, *(alone if each is root else each for each in mapped)]


def _require_no_commit(graph: TaskGraph, findings: Findings) -> None:
    """Refuse a root whose work defines something: that commits what is open.

    https://docs.snowflake.com/en/sql-reference/transactions. A refresh does so, too,
    and may: rows that woke it are nothing to it.
    """
    task = graph.root_task
    words = _defining_words(findings.root / task.sql.file) if task.sql else []
    if task.sql and words:
        findings.refuse(
            findings.settings("tasks", graph.root, "sql"),
            f"{words[0]} in {task.sql.file} commits what is open there: the rows that "
            "woke the task would count as read although its work may fail",
            "Let a task after it do this; the root itself may INSERT, UPDATE, DELETE "
            "and MERGE.",
        )


def _defining_words(file: Path) -> list[str]:
    try:
        texts = read_statements(file.read_text(encoding="utf-8")).texts
    except (UnreadableError, OSError, UnicodeDecodeError):
        return []  # it is refused for that
    words = (text.split(maxsplit=1)[0].upper() for text in texts)
    return [word for word in words if word in _DEFINING]


def _reading_first(code: str, streams: list[str], log: str) -> str:
    """Return what reads streams and does its work in one transaction.

    Work that fails leaves the streams where they were, and the task begins again.
    """
    given = code.removeprefix(_HEAD).removesuffix("\n$$")
    inner = given if code.startswith(_HEAD) else f"BEGIN\n  {code};\nEND"
    declared, _, body = inner.partition("BEGIN\n")
    read = "".join(
        f"  INSERT INTO {log} (STREAM_NAME, ROW_COUNT, READ_AT)\n    SELECT "
        f"{sql.text(each)}, COUNT(*), CURRENT_TIMESTAMP() FROM {each};\n"
        for each in streams
    )
    work = body.removesuffix("END")
    block = (
        f"{declared}BEGIN\n  BEGIN TRANSACTION;\n{read}{work}  COMMIT;\n"
        "EXCEPTION\n  WHEN OTHER THEN\n    ROLLBACK;\n    RAISE;\nEND"
    )
    return f"EXECUTE IMMEDIATE\n{sql.body(block)}"
