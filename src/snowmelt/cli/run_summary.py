"""What a run came to, for people."""

from __future__ import annotations

from typing import Any

from snowmelt.cli import output

Document = dict[str, Any]


def show_summary(document: Document) -> None:
    """Show each file's account, what failed and what to do, and the publication."""
    loads = list(reversed(document["loads"]))
    if not loads:
        output.show("Nothing to load.")
    else:
        columns = ("file_name", "status", "row_parsed", "row_count", "error_count")
        output.show_table(columns, [[load[name] for name in columns] for load in loads])
    for load in loads:
        if load["status"] == "Load failed":
            _tell_failed(load)
    _tell_left(document)
    if document["run"] is not None:
        show_run(document["run"])
    elif not document["problems"]:
        output.show("Gold is up to date.")


def _tell_failed(load: Document) -> None:
    line, column = load["first_error_line_number"], load["first_error_column_name"]
    where = load["file_name"] + (f":{line}" if line else "")
    column = f"{column}: " if column else ""
    output.tell(f"{where}: {column}{load['first_error_message']}")


def _tell_left(document: Document) -> None:
    """Tell of all that was not loaded, each with the command that helps."""
    if document["error_count"]:
        rejected = output.count(document["error_count"], "record")
        output.tell(f"{rejected} refused. See: snowmelt rejects")
    for name in document["unmatched"]:
        output.tell(f"{name}: no pipe's pattern matches; see: snowmelt why {name}")
    for name in document["settling"]:
        output.tell(f"{name}: it still changes; run again when it is whole")
    for name in document["held"]:
        output.tell(f"{name}: it is held; see: snowmelt why {name}")
    for name in document["paused"]:
        output.tell(f"Pipe {name} is paused. Resume it with: snowmelt resume {name}")
    for told in [*document["warnings"], *document["problems"]]:
        output.tell(told)


def show_run(run: Document) -> None:
    """Show how the publication ended and, if it failed, the failing rows."""
    counts = (
        f"{output.count(run['models'], 'model')}, {run['tests_passed']} of "
        f"{output.count(run['tests'], 'test')} passed"
    )
    warned = f", {run['tests_warned']} warned" if run["tests_warned"] else ""
    if run["full_refresh"]:
        output.tell(
            f"Fully refreshed downstream of {', '.join(run['full_refresh'])}: "
            f"{run['reason']}"
        )
    for each in run["warnings"]:
        output.tell(f"{each['node']}: {each['message']}")
    if run["state"] == "SUCCEEDED":
        tell_refused(run["reconciliation"], "newly_quarantined", "newly_dropped")
        output.show(f"Published in {run['seconds']:.1f} s: {counts}{warned}.")
        return
    output.show(f"Not published: {counts}{warned}. Gold is as it was.")
    for failure in run["failures"]:
        output.tell(
            f"{failure['resource_type']} {failure['node']}: {failure['message']}"
        )
        for row in failure["rows"][:5]:
            output.tell(f"  {row}")
    if not run["failures"] and run["error"]:
        output.tell(run["error"])


def tell_refused(accounts: list[Document], quarantined: str, dropped: str) -> None:
    """Tell which models refused rows; the keys say which figures are meant."""
    refused = [
        f"{each['model']} {each[quarantined]} in quarantine, {each[dropped]} dropped"
        for each in accounts
        if each[quarantined] or each[dropped]
    ]
    if refused:
        output.tell(f"Rows refused: {'; '.join(refused)}. See: snowmelt quarantine")
