"""snowmelt alerts"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.group("alerts", invoke_without_command=True)
@project_option
@json_option
@click.pass_context
def command(context: click.Context, directory: Path, as_json: bool) -> None:
    """Show what is wrong now, which alerts are open, and how sinks do.

    Without rules in snowmelt.yml it shows what the built-in ones would find.
    """
    if context.invoked_subcommand is not None:
        return
    with connected(directory) as commands:
        document = commands.alerts()
    if as_json:
        output.show_json(document)
        return
    show_alerts(document)


def show_alerts(document: dict[str, Any]) -> None:
    """Print what is wrong, and tell what keeps people from hearing of it."""
    columns = ("rule", "severity", "since", "message", "alert")
    rows = [
        [
            *(each["rule"], each["severity"], _at(each["since"])),
            *(each["message"], each["alert_id"]),
        ]
        for each in document["causes"]
    ]
    if rows:
        output.show_table(columns, rows)
    else:
        output.show("Nothing is wrong that a rule looks for.")
    for each in document["causes"]:
        _tell_cause(each)
    _tell_ending(document)
    _tell_rest(document)


def _tell_cause(cause: dict[str, Any]) -> None:
    """Tell what shows a cause, and what helps."""
    for line in cause["evidence"]:
        output.tell(f"{cause['rule']}: {line}")
    if cause["command"]:
        output.tell(f"{cause['rule']}: what helps: {cause['command']}")


def _tell_rest(document: dict[str, Any]) -> None:
    """Tell what keeps alerts from being found, or people from hearing of them."""
    for problem in document["problems"]:
        output.tell(f"rule {problem['rule']} cannot be asked: {problem['problem']}")
    for target, until in document["muted"].items():
        output.tell(f"{target} is muted until {_at(until)}")
    for sink in document["sinks"]:
        if sink["error"]:
            output.tell(
                f"sink {sink['sink']} fails: {sink['error']}; "
                f"{output.count(sink['due'], 'message')} due"
            )
    for warning in document["warnings"]:
        output.tell(warning)
    if not document["configured"] and document["warnings"]:
        output.tell("Nobody is told of it by the snowmelt.yml that the service read.")
    elif not document["configured"]:
        output.tell(
            "Nobody is told of it: snowmelt.yml has no alerts. "
            "Write alerts: {sinks: …, rules: …}"
        )


def _tell_ending(document: dict[str, Any]) -> None:
    """Tell of alerts on record whose cause is gone: they end at the next look."""
    there = {each["alert_id"] for each in document["causes"]}
    for alert in document["open"]:
        if alert["alert_id"] not in there:
            output.tell(
                f"{alert['rule']}: {alert['message']} (alert {alert['alert_id']}): "
                "nothing is found of it any more"
            )


@command.command("history")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Alerts shown.",
)
@project_option
@json_option
def history(limit: int, directory: Path, as_json: bool) -> None:
    """Show alerts, newest first, and what was sent of each."""
    with connected(directory) as commands:
        document = commands.alert_history(limit)
    if as_json:
        output.show_json(document)
        return
    columns = ("alert_id", "rule", "opened_at", "resolved_at", "seen", "message")
    rows = [[each[name] for name in columns] for each in document["alerts"]]
    for row in rows:
        row[2], row[3] = _at(row[2]), _at(row[3])
    output.show_table([*columns, "sent"], _with_sent(rows, document["alerts"]))


def _with_sent(rows: list[list[Any]], alerts: list[dict[str, Any]]) -> list[list[Any]]:
    return [
        [
            *row,
            ", ".join(
                f"{each['kind']} {each['sink']}: {each['state']}"
                + (f" ({each['error']})" if each["error"] else "")
                for each in alert["deliveries"]
            )
            or None,
        ]
        for row, alert in zip(rows, alerts, strict=True)
    ]


@command.command("test")
@click.argument("sink", required=False)
@project_option
@json_option
def test(sink: str | None, directory: Path, as_json: bool) -> int:
    """Send a message through SINK, or through each; exit with 1 if one failed."""
    with connected(directory) as commands:
        document = commands.test_alerts(sink)
    if as_json:
        output.show_json(document)
    else:
        columns = ("sink", "kind", "sent", "seconds", "error")
        rows = [[each[name] for name in columns] for each in document["sinks"]]
        for row in rows:
            row[2] = "yes" if row[2] else "no"
        output.show_table(columns, rows)
    return 0 if all(each["sent"] for each in document["sinks"]) else 1


@command.command("mute")
@click.argument("target", metavar="RULE|ALERT")
@click.option(
    "--for", "duration", required=True, help="How long, such as 2h; 0s ends it."
)
@project_option
@json_option
def mute(target: str, duration: str, directory: Path, as_json: bool) -> None:
    """Let nobody hear of a rule's alerts, or of one alert, for a while.

    Who heard of an alert already still hears that it is resolved.
    """
    with connected(directory) as commands:
        document = commands.mute_alerts(target, duration)
    if as_json:
        output.show_json(document)
        return
    until = document["muted_until"]
    if until:
        output.show(f"{target} is muted until {_at(until)}")
    else:
        output.show(f"{target} is not muted any more")


def _at(text: str | None) -> str | None:
    return text and text[:19].replace("T", " ")
