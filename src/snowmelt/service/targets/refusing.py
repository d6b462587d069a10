"""What is not done, or not known, of a target from here, and what is instead. Pure.

Every verb of Commands is answered from what was read, by asking the account what
dashboards ask, or stands here: what acts is the account's to do, by the statement that
is named; what else asks rows of silver and gold is asked there.
"""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote
from typing import Any

from snowmelt.deploy.harvest.scope import Scope
from snowmelt.errors import UsageError

Remedy = Callable[[Scope, dict[str, Any]], str]


def refusal(verb: str, scope: Scope, given: dict[str, Any]) -> UsageError:
    """Return the error of a verb that a target has not."""
    remedy = _REMEDIES.get(verb, _ROWS)(scope, given)
    problem = (
        "the account does this, not this machine"
        if verb in _ACTS
        else "it is not known of a target: only its history is read"
    )
    where = f"{verb.replace('_', ' ')} --target {scope.names.owner.target}"
    return UsageError(where, problem, remedy)


def _pipe_path(scope: Scope, name: str | None) -> str:
    found = (each.path for each in scope.pipes if each.name == name)
    return next(found, f"{scope.database}.<schema>.{str(name).upper()}_PIPE")


def _pipe(option: str) -> Remedy:
    def remedy(scope: Scope, given: dict[str, Any]) -> str:
        path = _pipe_path(scope, given.get("pipe"))
        return f"In the account: ALTER PIPE {path} {option}"

    return remedy


def _task_path(scope: Scope, name: str | None) -> str:
    known = {each.name: each.path for each in scope.tasks}
    root = next((each.root for each in scope.tasks), None)
    path = known.get(name or root or "")
    return path or f"{scope.system}.{(name or '<task>').upper()}"


def _task(form: str) -> Remedy:
    def remedy(scope: Scope, given: dict[str, Any]) -> str:
        name = given.get("name") or given.get("target")
        return f"In the account: {form.format(_task_path(scope, name))}"

    return remedy


def _refresh(scope: Scope, given: dict[str, Any]) -> str:
    if given.get("pipe"):
        return _pipe("REFRESH")(scope, given)
    listed = "; ".join(f"ALTER PIPE {each.path} REFRESH" for each in scope.pipes)
    return (
        f"In the account: {listed} (files of the last 7 days; of a pipe that was made "
        "anew meanwhile say MODIFIED_AFTER = '…')"
    )


def _run(scope: Scope, given: dict[str, Any]) -> str:
    return _task("EXECUTE TASK {}")(scope, {})


def _reload(scope: Scope, given: dict[str, Any]) -> str:
    return (
        "Snowpipe knows names for 14 days; what sends a corrected file all the same: "
        f"snowmelt land FILE --target {scope.names.owner.target}"
    )


def _local(what: str) -> Remedy:
    return lambda scope, given: what


def _rows(scope: Scope, given: dict[str, Any]) -> str:
    return (
        f"Dashboards of it are answered: snowmelt dashboards --target "
        f"{scope.names.owner.target}. Other tools read {scope.database} with the role "
        f"{scope.names.role('reader')}"
    )


_ROWS: Remedy = _rows
_NO_HOLD = _local("Snowpipe loads each file when it comes: nothing is held there.")
_REMEDIES: dict[str, Remedy] = {
    "pause": _pipe("SET PIPE_EXECUTION_PAUSED = TRUE"),
    "resume": _pipe("SET PIPE_EXECUTION_PAUSED = FALSE"),
    "refresh": _refresh,
    "reload": _reload,
    "replay": _reload,
    "run": _run,
    "rebuild": _run,
    "task_run": _task("EXECUTE TASK {}"),
    "task_retry": _task("EXECUTE TASK {} RETRY LAST"),
    "task_cancel": _task("SELECT SYSTEM$USER_TASK_CANCEL_ONGOING_EXECUTIONS('{}')"),
    "task_suspend": _task("ALTER TASK {} SUSPEND"),
    "task_resume": _task("ALTER TASK {} RESUME"),
    "hold": _NO_HOLD,
    "release": _NO_HOLD,
    "approve": _NO_HOLD,
    "reject": _NO_HOLD,
    "drift": _NO_HOLD,
    "drift_board": _NO_HOLD,
    "backup": _local("Its tables have time travel, as long as keep_history: says."),
    "vacuum": _local("Its tables keep every version, as long as keep_history: says."),
    "publish": _local("BI tools read gold there: nothing needs to be published."),
    "publications": _local("BI tools read gold there: nothing needs to be published."),
    "check": _local("Without --target, what the file would come to here is said."),
    "validate": _local(
        "What a target would take is said by: snowmelt validate --target TARGET"
    ),
    "advise": _local("What costs is told by: snowmelt cost --target TARGET"),
    **dict.fromkeys(
        ("share", "shares", "unshare"),
        _local("Links show dashboards of this machine: observe the target's own page."),
    ),
    "audit": _local("In the account, run dbt with --full-refresh in a clone."),
}
_ACTS = frozenset(
    (
        *("pause", "resume", "refresh", "reload", "replay", "run", "rebuild", "hold"),
        *("task_run", "task_retry", "task_cancel", "task_suspend", "task_resume"),
        *("release", "approve", "reject", "backup", "vacuum", "publish", "audit"),
    )
)


def command_there(command: str, scope: Scope) -> str:
    """Return what helps on a target instead of a command that helps here."""
    for start, verb, key in (
        ("snowmelt resume ", "resume", "pipe"),
        ("snowmelt tasks resume ", "task_resume", "name"),
        ("snowmelt tasks retry", "task_retry", "target"),
    ):
        if command.startswith(start):
            given = {key: command.removeprefix(start).strip()}
            return _REMEDIES[verb](scope, given).removeprefix("In the account: ")
    if command.startswith("snowmelt ") and "--target" not in command:
        return f"{command} --target {quote(scope.names.owner.target)}"
    return command
