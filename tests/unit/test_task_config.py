"""What `tasks:` may not say: each refusal names file, line, key and the way out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from snowmelt.errors import ConfigError
from snowmelt.project.project import load_project
from snowmelt.transform.tasks.checking import Surroundings, problems
from snowmelt.transform.tasks.condition import (
    UnreadRows,
    holds,
    parse_condition,
    streams_in,
)
from snowmelt.transform.tasks.config import TaskConfig
from snowmelt.transform.tasks.graph import TaskGraph

HEAD = """version: 1
name: small
tasks:
"""
PIPE = """name: orders
pattern: orders*.csv
contract: {columns: [{name: id, type: integer}]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pipes").mkdir()
    (tmp_path / "pipes" / "orders.yml").write_text(PIPE)
    (tmp_path / "dbt_project.yml").write_text("{name: small, version: 1.0.0}")
    (tmp_path / "there.sql").write_text("select 1")
    return tmp_path


ROOT = "  a: {shell: date}\n"
REFUSED = {
    "a cycle": (
        f"{ROOT}  b: {{after: c, shell: x}}\n  c: {{after: b, shell: x}}",
        "snowmelt.yml:5: tasks.b.after: these tasks wait for one another: b -> c -> b",
    ),
    "a task that waits for itself": (
        f"{ROOT}  b: {{after: [a, b], shell: x}}",
        "snowmelt.yml:5: tasks.b.after: these tasks wait for one another: b -> b",
    ),
    "an unknown task in after": (
        f"{ROOT}  b:\n    shell: x\n    after: aa",
        "snowmelt.yml:7: tasks.b.after: there is no task 'aa'. Did you mean 'a'?",
    ),
    "an unknown task in finalize": (
        f"{ROOT}  b: {{finalize: zero, shell: x}}",
        "snowmelt.yml:5: tasks.b.finalize: there is no task 'zero'. Known: a, b.",
    ),
    "two roots": (
        f"{ROOT}  b: {{shell: x}}",
        "snowmelt.yml:5: tasks.b: both a and b have no after, and a graph has one "
        "root. Write after: a.",
    ),
    "a cron that never fires": (
        "  a:\n    shell: x\n    cron: 0 0 31 2 *",
        "snowmelt.yml:6: tasks.a.cron: no cron expression that fires",
    ),
    "a cron of six fields": (
        "  a: {shell: x, cron: '* * * * * *'}",
        "snowmelt.yml:4: tasks.a.cron: a cron expression has five fields",
    ),
    "an unknown time zone": (
        "  a: {shell: x, cron: '0 0 * * *', timezone: Mars/Base}",
        "snowmelt.yml:4: tasks.a.timezone: there is no such time zone; write one such "
        "as Europe/Berlin (given: 'Mars/Base')",
    ),
    "a schedule on a child": (
        f"{ROOT}  b: {{after: a, every: 1m, shell: x}}",
        "snowmelt.yml:5: tasks.b.every: only the root has this key",
    ),
    "cron and every": (
        "  a: {shell: x, cron: '0 0 * * *', every: 5m}",
        "snowmelt.yml:4: tasks.a.every: the task has a cron too. Leave one out.",
    ),
    "an interval below a second": (
        "  a: {shell: x, every: 500ms}",
        "snowmelt.yml:4: tasks.a.every: a graph runs once a second at most",
    ),
    "a finalizer with children": (
        f"{ROOT}  f: {{finalize: a, shell: x}}\n  b: {{after: f, shell: x}}",
        "snowmelt.yml:6: tasks.b.after: f is a finalizer, and nothing comes after one",
    ),
    "a finalizer that comes after a task": (
        f"{ROOT}  f: {{finalize: a, after: a, shell: x}}",
        "snowmelt.yml:5: tasks.f.after: a finalizer runs after all others",
    ),
    "two finalizers": (
        f"{ROOT}  f: {{finalize: a, shell: x}}\n  g: {{finalize: a, shell: x}}",
        "snowmelt.yml:6: tasks.g.finalize: f is the finalizer already",
    ),
    "a finalizer of a child": (
        f"{ROOT}  b: {{after: a, shell: x}}\n  f: {{finalize: b, shell: x}}",
        "snowmelt.yml:6: tasks.f.finalize: b is not the root: a is",
    ),
    "a parent twice": (
        f"{ROOT}  b: {{after: [a, a], shell: x}}",
        "snowmelt.yml:5: tasks.b.after: a is named twice",
    ),
    "no kind": (
        "  a: {every: 1m}",
        "snowmelt.yml:4: tasks.a: it does not say what to do. Give it one of: dbt, "
        "sql, python, shell, webhook, refresh.",
    ),
    "an unknown kind": (
        "  a: {shel: x}",
        "snowmelt.yml:4: tasks.a.shel: unknown key. Did you mean 'shell'?",
    ),
    "two kinds": (
        "  a: {shell: x, dbt: silver}",
        "snowmelt.yml:4: tasks.a.shell: it has both dbt and shell",
    ),
    "models neither to build nor to test": (
        "  a: {dbt: {}}",
        "snowmelt.yml:4: tasks.a.dbt: write either select or test",
    ),
    "an option of dbt for a selector": (
        "  a: {dbt: {select: --full-refresh}}",
        "snowmelt.yml:4: tasks.a.dbt.select: write selectors",
    ),
    "a missing file": (
        "  a:\n    sql: {file: gone.sql}",
        "snowmelt.yml:5: tasks.a.sql: the file gone.sql is missing",
    ),
    "a file outside of the project": (
        "  a: {sql: ../x.sql}",
        "snowmelt.yml:4: tasks.a.sql: ../x.sql is not below the project's folder",
    ),
    "a missing module": (
        "  a: {python: 'jobs.load:main'}",
        "snowmelt.yml:4: tasks.a.python: the file jobs/load.py is missing",
    ),
    "no function": (
        "  a: {python: jobs.load}",
        "snowmelt.yml:4: tasks.a.python.function: write module:function",
    ),
    "an expectation that is none": (
        "  a: {sql: {file: there.sql, expect: some}}",
        "snowmelt.yml:4: tasks.a.sql.expect: input should be 'empty' or 'rows'",
    ),
    "an address that is none": (
        "  a: {webhook: {url: 'ftp://x'}}",
        "snowmelt.yml:4: tasks.a.webhook.url: string should match",
    ),
    "a condition that is none": (
        "  a: {shell: x, when: stream_has_data(orders) xor true}",
        "snowmelt.yml:4: tasks.a.when: 'xor true' is no condition",
    ),
    "a condition that is not over": (
        "  a: {shell: x, when: not (stream_has_data(orders)}",
        "snowmelt.yml:4: tasks.a.when: a parenthesis is not closed",
    ),
    "an unknown table in when": (
        "  a: {shell: x, when: stream_has_data(order)}",
        "snowmelt.yml:4: tasks.a.when: there is no bronze table 'order'. Did you mean "
        "'orders'?",
    ),
    "a stream of three parts": (
        "  a: {shell: x, when: stream_has_data(a.b.c)}",
        "snowmelt.yml:4: tasks.a.when: 'a.b.c' is neither a bronze table nor a stream",
    ),
    "an unknown pipe": (
        "  a: {refresh: items}",
        "snowmelt.yml:4: tasks.a.refresh: there is no pipe 'items'. Known: orders.",
    ),
    "a timeout of more than a week": (
        "  a: {shell: x, timeout: 8d}",
        "snowmelt.yml:4: tasks.a.timeout: a timeout is more than nothing and at most",
    ),
    "a name that is none": (
        "  Big: {shell: x}",
        "snowmelt.yml:4: tasks.Big",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_file_line_and_reason(root: Path, case: str) -> None:
    text, told = REFUSED[case]
    (root / "snowmelt.yml").write_text(f"{HEAD}{text}\n")
    with pytest.raises(ConfigError) as refused:
        load_project(root)
    assert told in str(refused.value)


def named(count: int, **keys: Any) -> dict[str, TaskConfig]:
    return {f"t{n}": TaskConfig(shell="x", **keys) for n in range(count)}


def told_of(tasks: dict[str, TaskConfig]) -> list[str]:
    around = Surroundings((), (), Path())
    return [f"{'.'.join(p.location)}: {p.problem}" for p in problems(tasks, around)]


def test_a_graph_has_at_most_a_thousand_tasks_and_a_task_a_hundred_of_each() -> None:
    root = {"root": TaskConfig(shell="x")}
    wide = root | {f"m{n}": TaskConfig(shell="x", after=["root"]) for n in range(100)}
    chain = {
        f"c{n}": TaskConfig(shell="x", after=[f"c{n - 1}" if n else "m0"])
        for n in range(899)
    }
    assert told_of(wide | chain) == []
    one_more = {"more": TaskConfig(shell="x", after=["c0"])}
    assert told_of(wide | chain | one_more) == [
        "tasks: there are 1001 tasks, and a graph has 1000 at most"
    ]
    children = wide | {"m100": TaskConfig(shell="x", after=["root"])}
    assert told_of(children) == [
        "tasks.root: 101 tasks come after it, and 100 is the most"
    ]
    ends = {"end": TaskConfig(shell="x", after=[*list(wide)[1:], "c0"])}
    assert told_of(wide | chain | ends)[-1:] == [
        "tasks.end.after: it has 101 parents, and 100 is the most"
    ]


def test_what_is_sound_is_taken_and_kept_as_a_version(root: Path) -> None:
    os.environ["HOOK_SECRET"] = "s3cret"
    text = """  a:
    every: 10m
    when: not stream_has_data('orders') or (stream_has_data(silver.x) and
      system$stream_has_data(silver.x.bronze.orders))
    refresh: {}
    config: {env: [1, two]}
  b: {after: a, sql: there.sql, timeout: 90s}
  c: {after: [a, b], dbt: [tag:x, silver+]}
  w: {after: b, webhook: {url: "https://u:${HOOK_SECRET}@x.org/${HOOK_SECRET}"}}
  f: {finalize: a, shell: [echo, "a b"]}
"""
    (root / "snowmelt.yml").write_text(HEAD + text)
    graph = TaskGraph(load_project(root).settings.tasks)
    assert (graph.root, graph.finalizer) == ("a", "f")
    assert graph.order.index("c") > graph.order.index("b")
    assert "s3cret" not in graph.document
    assert "s3cret" not in graph.tasks["w"].text
    kept = TaskGraph.from_document(graph.document, graph.tasks)
    assert kept.tasks == graph.tasks
    assert kept.digest == graph.digest
    condition = graph.condition("a")
    assert condition is not None
    assert streams_in(condition) == ("orders", "silver.x", "silver.x.bronze.orders")
    assert holds(condition, lambda name: name != "silver.x") is False
    assert holds(condition, lambda name: name != "orders") is True


def test_not_binds_closest_then_and_then_or() -> None:
    a, b, c = (f"stream_has_data({name})" for name in "abc")
    condition = parse_condition(f"NOT {a} AND {b} OR {c}")
    for has in range(8):
        data = dict(zip("abc", (has & 1, has & 2, has & 4), strict=True))
        wanted = (not data["a"] and bool(data["b"])) or bool(data["c"])
        assert holds(condition, lambda name, data=data: bool(data[name])) == wanted  # type: ignore[misc]
    assert parse_condition("stream_has_data(x)") == UnreadRows("x")
