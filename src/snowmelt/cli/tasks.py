"""snowmelt tasks"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

Document = dict[str, Any]
_wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait until it has ended. Without that a running service goes on with it.",
)


@click.group("tasks", invoke_without_command=True)
@project_option
@json_option
@click.pass_context
def command(context: click.Context, directory: Path, as_json: bool) -> None:
    """Show the tasks of snowmelt.yml: what starts them, how they stand."""
    if context.invoked_subcommand is not None:
        return
    with connected(directory) as commands:
        document = commands.tasks()
    if as_json:
        output.show_json(document)
        return
    columns = ("name", "kind", "state", "last_state", "last_scheduled_at", "next_time")
    rows = [[each.get(name) for name in columns] for each in document["tasks"]]
    for row in rows:
        row[-2:] = [_short(row[-2]), _short(row[-1])]
    heads = ("name", "kind", "state", "last_run", "last_time", "next_time")
    output.show_table(heads, rows)
    _tell_standing(document)


def _tell_standing(document: Document) -> None:
    if document["is_default"]:
        output.tell("snowmelt.yml has no tasks: this is what a service does by itself")
        return
    output.tell(f"{document['root']} runs {document['schedule']}.")
    _tell_publishing(document)
    for each in document["conditions"]:
        holds = each["problem"] or ("so now" if each["holds"] else "not so now")
        output.tell(f"{each['task']} runs when {each['when']}: {holds}.")
    for each in document["tasks"]:
        if each["state"] == "suspended":
            output.tell(suspended_text(each["name"], each["suspended_by"], each))


def _tell_publishing(document: Document) -> None:
    output.tell(
        "These tasks publish: what arrives waits for them."
        if document["publishes"]
        else "What arrives is published by itself; these tasks build no models."
    )


def suspended_text(name: str, by: str | None, each: Document) -> str:
    """Say since when and why a task is suspended, and how it goes on."""
    since = f" since {_short(each['since'])}" if each["since"] else ""
    why = f" ({each['reason']})" if each["reason"] else ""
    who = {"failures": " by its failures", "snowmelt.yml": " in snowmelt.yml"}
    return (
        f"Task {name} is suspended{who.get(by or '', '')}{since}{why}. "
        f"Resume it with: snowmelt tasks resume {name}"
    )


@command.command("graph")
@project_option
@json_option
def graph(directory: Path, as_json: bool) -> None:
    """Draw which task comes after which."""
    with connected(directory) as commands:
        document = commands.tasks()
    if as_json:
        output.show_json(document)
        return
    for line in tree(document):
        output.show(line)
    _tell_standing(document)


def tree(document: Document) -> list[str]:
    """Return a graph as lines: each task once, below the last of those before it."""
    tasks = {each["name"]: each for each in document["tasks"]}
    below: dict[str, list[str]] = {name: [] for name in tasks}
    for name, each in tasks.items():
        if each["after"]:
            below[each["after"][-1]].append(name)
        elif each["finalize"]:
            below[each["finalize"]].append(name)
    root = tasks[document["root"]]
    lines = [f"{root['name']}  {root['text']}{_marks(root)}"]
    _grow(tasks, below, document["root"], "", lines)
    return lines


def _grow(
    tasks: Document,
    below: dict[str, list[str]],
    name: str,
    indent: str,
    lines: list[str],
) -> None:
    children = sorted(below[name], key=lambda each: bool(tasks[each]["finalize"]))
    for place, child in enumerate(children):
        last = place == len(children) - 1
        each = tasks[child]
        lines.append(
            f"{indent}{'└─' if last else '├─'} {child}  {each['text']}{_marks(each)}"
        )
        _grow(tasks, below, child, indent + ("   " if last else "│  "), lines)


def _marks(each: Document) -> str:
    marks = []
    if len(each["after"]) > 1:
        marks.append(f"after {', '.join(each['after'])}")
    if each["when"]:
        marks.append(f"when {each['when']}")
    if each["finalize"]:
        marks.append("finalizer")
    if each["state"] == "suspended":
        marks.append("SUSPENDED")
    if each["last_state"]:
        marks.append(f"last: {each['last_state']}")
    return f"  [{'; '.join(marks)}]" if marks else ""


@command.command("run")
@click.argument("name", required=False)
@click.option("--config", default=None, help="JSON, put over the root's config.")
@_wait_option
@project_option
@json_option
def run(
    name: str | None, config: str | None, wait: bool, directory: Path, as_json: bool
) -> int:
    """Run the graph now, or one task of it alone, and wait.

    Exit code 1 when a task failed or was cancelled.
    """
    from snowmelt.observe.progress import Progress

    given = _read_config(config)
    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.task_run(name, given, wait)
    return _show_graph_run(document, as_json)


@command.command("retry")
@click.argument("target", metavar="[NAME|GRAPH_RUN]", required=False)
@_wait_option
@project_option
@json_option
def retry(target: str | None, wait: bool, directory: Path, as_json: bool) -> int:
    """Try the last graph run again, from the tasks that failed.

    Of a root by its name, or of one graph run by its id.
    """
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.task_retry(target, wait)
    return _show_graph_run(document, as_json)


@command.command("cancel")
@click.argument("target", metavar="[NAME|GRAPH_RUN]", required=False)
@click.option("--reason", default=None, help="Why; it is the tasks' error message.")
@project_option
@json_option
def cancel(
    target: str | None, reason: str | None, directory: Path, as_json: bool
) -> None:
    """Have the graph run end that is under way.

    What is at work is stopped, what it built is rolled back, nothing else is begun but
    the finalizer. All graph runs of a root by its name, or one by its id. It is not
    tried again of itself, and counts as no failure.
    """
    with connected(directory) as commands:
        document = commands.task_cancel(target, reason)
    if as_json:
        output.show_json(document)
        return
    for each in document["cancelled"]:
        at_work = ", ".join(each["tasks"]) or "nothing was at work"
        output.show(
            f"Graph run {each['graph_run_group_id']} is being cancelled: {at_work}."
        )
    output.tell("What became of it: snowmelt tasks history")


@command.command("suspend")
@click.argument("name")
@click.option("--reason", default=None, help="Why; it is shown wherever the task is.")
@project_option
@json_option
def suspend(name: str, reason: str | None, directory: Path, as_json: bool) -> None:
    """Let a task not run until it is resumed.

    Without its root no graph runs; another task is passed over as if it had succeeded.
    """
    with connected(directory) as commands:
        document = commands.task_suspend(name, reason)
    if as_json:
        output.show_json(document)
        return
    output.show(f"Task {name} is suspended.")
    output.tell(f"Resume it with: snowmelt tasks resume {name}")


@command.command("resume")
@click.argument("name")
@project_option
@json_option
def resume(name: str, directory: Path, as_json: bool) -> None:
    """Let a suspended task run again."""
    with connected(directory) as commands:
        document = commands.task_resume(name)
    if as_json:
        output.show_json(document)
        return
    told = "runs again" if document["changed"] else "was not suspended"
    output.show(f"Task {name} {told}.")


@command.command("history")
@click.option("--task", default=None, help="Only runs of this task.")
@click.option("--state", default=None, help="Only runs in this state, such as FAILED.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Runs."
)
@project_option
@json_option
def history(
    task: str | None, state: str | None, limit: int, directory: Path, as_json: bool
) -> None:
    """Show runs of tasks, newest first: `snowmelt.task_history` has them all."""
    with connected(directory) as commands:
        document = commands.task_history(task, state, limit)
    if as_json:
        output.show_json(document)
        return
    _show_runs(document["task_runs"])


def _show_runs(runs: list[Document]) -> None:
    columns = (
        *("name", "state", "attempt_number", "scheduled_from", "scheduled_time"),
        *("query_start_time", "completed_time", "return_value"),
    )
    rows = [[each[name] for name in columns] for each in runs]
    for row in rows:
        row[4:7] = [_short(each) for each in row[4:7]]
        row[-1] = row[-1] and row[-1][:40]
    output.show_table(columns, rows)
    for each in runs:
        if each["error_message"] and each["state"] != "SKIPPED":
            output.tell(f"{each['name']}: {each['error_message']}")


def _show_graph_run(document: Document, as_json: bool) -> int:
    graph_run = document["graph_run"]
    broken = graph_run["state"] in ("FAILED", "CANCELLED")
    if as_json:
        output.show_json(document)
    elif graph_run["state"] == "EXECUTING":
        output.show(f"The graph run of {graph_run['root_task_name']} has begun.")
        output.tell("See how it goes: snowmelt tasks history")
    else:
        _show_runs(document["task_runs"])
        attempt = graph_run["attempt_number"]
        again = f" in attempt {attempt}" if attempt > 1 else ""
        output.show(f"Graph run {graph_run['state']}{again}.")
        if broken:
            output.tell("When it is mended: snowmelt tasks retry")
    return 1 if broken else 0


def _read_config(text: str | None) -> Document | None:
    if text is None:
        return None
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--config") from None
    if not isinstance(config, dict):
        raise click.BadParameter("write a JSON object", param_hint="--config")
    return config


def _short(instant: str | None) -> str | None:
    return instant and instant[:19].replace("T", " ")
