"""snowmelt status"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option
from snowmelt.cli.run_summary import tell_refused
from snowmelt.cli.tasks import suspended_text

ROWS_SHOWN = 5
FILES_SHOWN = 5


@click.command("status")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Show pipes, pending files and the last run."""
    with connected(directory, off="untold") as commands:
        document = commands.status()
    if as_json:
        output.show_json(document)
        return
    columns = (
        *("pipe_name", "execution_state", "pending", "held", "files_loaded"),
        *("files_failed", "row_count", "open_rejects", "last_load_time"),
    )
    rows = [[pipe[name] for name in columns] for pipe in document["pipes"]]
    for row in rows:
        row[-1] = row[-1] and row[-1][:19].replace("T", " ")
    output.show_table(columns, rows)
    _tell(document)


def _tell(document: dict[str, Any]) -> None:
    output.tell(_where(document))
    _tell_waiting(document)
    _tell_channel(document["channel"])
    _tell_log(document["log"])
    _tell_lags(document["lag"])
    for told in document["alerts"]["told"]:
        output.tell(told)
    _tell_tasks(document["tasks"])
    run = document["last_run"]
    if run is None:
        output.tell("Nothing was published yet.")
    elif run["state"] == "FAILED":
        output.tell(f"The last run failed: {run['error']}")
        for failure in run["failures"]:
            for row in failure["rows"][:ROWS_SHOWN]:
                output.tell(f"  {failure['node']}: {row}")
        output.tell("Readers keep the run before it.")
    else:
        output.tell(f"Last run: {run['state']} at {run['ended_at']} ({run['reason']})")
    for check in document["checks"]:
        is_told = run and run["state"] == "FAILED" and check["run_id"] == run["run_id"]
        if check["status"] == "warn" or not is_told:
            output.tell(f"{check['node']}: {check['message']}")
    tell_refused(document["reconciliation"], "quarantined_open", "dropped_rows")


def _where(document: dict[str, Any]) -> str:
    """Say who answered: a service, this command, or what is known of a target."""
    service, target = document["service"], document.get("target")
    if target is not None:
        read_at = (target["read_at"] or "never")[:19].replace("T", " ")
        more = "" if service["running"] else " Watch it: snowmelt observe --target "
        return (
            f"{target['name']}: account {target['account']}, database "
            f"{target['database']}, read {read_at}."
            + (f"{more}{target['name']}" if more else "")
        )
    if service["running"]:
        return f"The service runs (pid {service['pid']})."
    return "No service runs. Start it with: snowmelt up"


def _tell_lags(lag: dict[str, Any]) -> None:
    """Tell in one line whether models are as fresh as they should be."""
    for warning in lag["warnings"]:
        output.tell(f"Warning: {warning}.")
    models = [each for each in lag["models"] if each["target_lag_seconds"]]
    if not models:
        return
    behind = [
        each for each in models if each["lag_seconds"] > each["target_lag_seconds"]
    ]
    told = (
        f"Target lag: {len(models) - len(behind)} of {len(models)} models are within it"
    )
    runs = sum(each["runs"] for each in models)
    if runs:
        within = sum(each["runs_within"] for each in models)
        told += f", and were in {within / runs:.0%} of their last runs"
    if behind:
        last = max(behind, key=lambda each: each["lag_seconds"])
        told += (
            f"; {last['model']} is {last['lag_seconds']:.0f} s behind, its goal is "
            f"{last['target_lag_seconds']:.0f} s"
        )
    if lag["next_run_at"]:
        told += f"; next run {lag['next_run_at'][:19].replace('T', ' ')}"
    output.tell(f"{told}.")


def _tell_waiting(document: dict[str, Any]) -> None:
    """Tell of all that waits or went wrong, each with the command that helps."""
    for told in [*document["problems"], *document["warnings"]]:
        output.tell(told)
    for pipe in document["pipes"]:
        if pipe["execution_state"] == "PAUSED" and "target" not in document:
            output.tell(_paused(pipe))
    for each in document["held"]:
        output.tell(f"{each['file_name']}: {each['answer']}")
    for each in document["pending"]:
        if each["state"] == "held":
            continue
        output.tell(f"{each['file_name']}: {each['state']} since {each['since'][:19]}")
    tell_failed(document["failed"])
    for name in document["unmatched"]:
        output.tell(f"{name}: unmatched by any pipe; see: snowmelt why {name}")


def tell_failed(failed: list[dict[str, Any]]) -> None:
    """Tell of the newest files that failed; their records count as open nowhere."""
    for each in failed[:FILES_SHOWN]:
        file = quote(each["file_name"])
        told = f"{each['file_name']} failed: {each['first_error_message']}"
        if each["error_count"]:
            told += f" ({output.count(each['error_count'], 'record')} refused)"
        output.tell(f"{told}; see: snowmelt why {file}")
    if len(failed) > FILES_SHOWN:
        more = output.count(len(failed) - FILES_SHOWN, "more file")
        output.tell(f"{more} failed; see: snowmelt history --status 'Load failed'")


def _tell_channel(channel: dict[str, Any] | None) -> None:
    """Tell of messages that are kept until what they told of is loaded."""
    if channel is not None and channel["outstanding"]:
        messages = output.count(channel["outstanding"], "message")
        output.tell(f"{channel['name']}: {messages} whose files are not done yet")


def _tell_log(log: dict[str, Any]) -> None:
    """Tell that steps are missing in the log, or about to be."""
    if log["problem"]:
        output.tell(f"The log cannot be written: {log['problem']}")
    if log["rows_lost"]:
        output.tell(f"{output.count(log['rows_lost'], 'row')} of the log are lost")


def _tell_tasks(tasks: dict[str, Any]) -> None:
    """Tell when the graph runs next, and which tasks do not."""
    if tasks["next_time"]:
        output.tell(f"Tasks run next at {tasks['next_time'][:19].replace('T', ' ')}.")
    if tasks["publishes"]:
        output.tell("Tasks publish: what arrives waits for them. See: snowmelt tasks")
    for each in tasks["suspended"]:
        output.tell(suspended_text(each["task"], each["by"], each))


def _paused(pipe: dict[str, Any]) -> str:
    name, since = pipe["pipe_name"], pipe["paused_since"][:16].replace("T", " ")
    why = f" ({pipe['pause_reason']})" if pipe["pause_reason"] else ""
    stale = " for more than 14 days: it is stale" if pipe["stale"] else ""
    return (
        f"{name} is paused since {since}{why}{stale}. "
        f"Resume it with: snowmelt resume {name}"
    )
