"""What a run came to, for people."""

from __future__ import annotations

from typing import Any

from snowmelt.cli import output

Document = dict[str, Any]


def show_loads(document: Document) -> None:
    """Show each file's account, and what to do about files that failed."""
    loads = list(reversed(document["loads"]))
    if not loads:
        output.show("Nothing to load.")
    else:
        columns = ("file_name", "status", "row_parsed", "row_count", "error_count")
        output.show_table(columns, [[load[name] for name in columns] for load in loads])
    for load in loads:
        if load["status"] == "Load failed":
            line = load["first_error_line_number"]
            where = load["file_name"] + (f":{line}" if line else "")
            column = load["first_error_column_name"]
            output.tell(
                f"{where}: {column + ': ' if column else ''}"
                f"{load['first_error_message']}"
            )
    if document["error_count"]:
        rejected = output.count(document["error_count"], "record")
        output.tell(f"{rejected} refused. See: snowmelt rejects")
    for name in document["unmatched"]:
        output.tell(f"{name}: no pipe's pattern matches; see: snowmelt why {name}")
    for problem in document["problems"]:
        output.tell(problem)


def show_run(run: Document | None) -> None:
    """Show how the publication ended and, if it failed, the failing rows."""
    if run is None:
        output.show("Gold is up to date.")
        return
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
    if run["state"] == "SUCCEEDED":
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
