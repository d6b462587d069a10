"""Rules of `alerts:` that the account itself can look for. Pure.

Each failure is told once: an alert looks from where its last evaluation without an
error looked to (https://docs.snowflake.com/en/user-guide/alerts, "Specifying timestamps
based on alert schedules"). It takes the database role SNOWFLAKE.ALERT_VIEWER to ask,
which PUBLIC has in accounts of today
(https://docs.snowflake.com/en/sql-reference/sql/show-grants).
"""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.deploy.address import Address
from snowmelt.deploy.portable.statements import UnreadableError, read_statements
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.code import Alert
from snowmelt.deploy.snowflake.entity import Entity
from snowmelt.deploy.snowflake.integration import EmailIntegration
from snowmelt.deploy.snowflake.model_names import with_models
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.task_sql import Readable, problems
from snowmelt.errors import ConfigError
from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.observe.alerts.rules import Rule

_MINUTES_MIN, _MINUTES_MAX = 1, 11_520
"""How often an alert may look; what tasks may, where nothing is said of alerts."""
_SETTLED_MINUTES = 2
"""How old a load is when it is looked for: by then COPY_HISTORY tells of it."""
_HOURS_BACK = 24
"""How far back an alert looks that never looked before, or was suspended."""
_OLDEST_HOURS = 13 * 24
"""COPY_HISTORY is asked of the last 14 days alone:
https://docs.snowflake.com/en/sql-reference/functions/copy_history"""
_OLDEST_TASK_HOURS = 6 * 24
"""TASK_HISTORY of the last 7 days."""
_TASKS = {
    "task_failed": ("FAILED", "FAILED_AND_AUTO_SUSPENDED"),
    "task_suspended": ("FAILED_AND_AUTO_SUSPENDED",),
}
"""States of tasks that a rule looks for."""
_ADDRESSES_REMARK = (
    "each address has to be that of a user of the account who verified it, else the "
    "integration is refused; an account has ten integrations for e-mail at most"
)
"""https://docs.snowflake.com/en/user-guide/notifications/email-notifications"""


@dataclass(frozen=True)
class Around:
    """Where alerts are, and what they look at."""

    database: str
    schema: str
    prefix: str
    warehouse: str
    tables: dict[str, str]
    """The table with every row ever loaded, by its pipe."""
    needs: tuple[Address, ...]
    readable: Readable


def map_alerts(
    alerts: AlertsConfig, around: Around, findings: Findings
) -> list[Entity]:
    """Return integrations and alerts; note the rules and sinks that stay here."""
    mails: dict[str, EmailIntegration] = {}
    for name, sink in alerts.sinks.items():
        if sink.email is not None:
            full = sql.name(f"{around.prefix}_{name}")
            mails[name] = EmailIntegration(full, tuple(sink.email.to))
        else:
            told = (
                f"{sink.kind} is told by the service alone: an account tells by e-mail"
            )
            findings.remark(findings.settings("alerts", "sinks", name), told)
    found: list[Entity] = []
    for name, rule in alerts.rules.items():
        told_by = [mails[each] for each in alerts.told_by(rule) if each in mails]
        if rule.sql is not None and not told_by:
            told = "nobody looks there: no sink that hears of it is an e-mail"
            findings.remark(findings.settings("alerts", "rules", name, "sql"), told)
            continue
        condition = _condition(name, rule, around, findings)
        if condition is not None and told_by:
            found.append(_alert(name, rule, condition, told_by, around))
    used = {each for alert in found for each in alert.needs}
    for name, mail in mails.items():
        if mail.address in used:
            where = findings.settings("alerts", "sinks", name, "email", "to")
            findings.remark(where, _ADDRESSES_REMARK)
    return [*(mail for mail in mails.values() if mail.address in used), *found]


def _alert(
    name: str, rule: Rule, condition: str, mails: list[EmailIntegration], around: Around
) -> Alert:
    subject = f"{around.prefix.lower()}: {name}"
    text = f"The rule {name} found something. Look: snowmelt alerts --target"
    calls = [
        f"CALL SYSTEM$SEND_EMAIL({', '.join(sql.text(part) for part in parts)})"
        for mail in mails
        for parts in ((mail.name, ", ".join(mail.recipients), subject, text),)
    ]
    listed = ";\n  ".join(calls)
    action = calls[0] if len(calls) == 1 else f"BEGIN\n  {listed};\nEND"
    return Alert(
        sql.path(around.database, around.schema, f"alert_{name}"),
        around.warehouse,
        max(_MINUTES_MIN, min(round(rule.every.total_seconds() / 60), _MINUTES_MAX)),
        condition,
        action,
        needs=(*around.needs, *(mail.address for mail in mails)),
    )


def _condition(name: str, rule: Rule, around: Around, findings: Findings) -> str | None:
    """Return the query whose rows are causes; None for what only the service sees."""
    where = ("alerts", "rules", name)
    if rule.sql is not None:
        return _asked(rule.sql, findings.settings(*where, "sql"), around, findings)
    if rule.on in _TASKS:
        return _of_tasks(rule, _TASKS[rule.on], around)
    if rule.on not in ("failed", "rejected"):
        told = f"'{rule.on}' is looked for by the service, not by the account"
        findings.remark(findings.settings(*where), told)
        return None
    if rule.pipe is not None and rule.pipe not in around.tables:
        return None
    tables = [around.tables[rule.pipe]] if rule.pipe else list(around.tables.values())
    status = "Load failed" if rule.on == "failed" else "Partially loaded"
    functions = f"{sql.name(around.database)}.INFORMATION_SCHEMA"
    return "\n    UNION ALL\n    ".join(
        f"SELECT FILE_NAME FROM TABLE({functions}."
        f"COPY_HISTORY(TABLE_NAME => {sql.text(table)}, START_TIME => "
        f"{_back(rule, _OLDEST_HOURS)})) "
        f"WHERE STATUS = {sql.text(status)} AND {_since_it_looked('LAST_LOAD_TIME')}"
        for table in tables
    )


def _of_tasks(rule: Rule, states: tuple[str, ...], around: Around) -> str:
    """Return the query of tasks that failed: builds are run by one, too.

    https://docs.snowflake.com/en/sql-reference/functions/task_history
    """
    functions = f"{sql.name(around.database)}.INFORMATION_SCHEMA"
    listed = ", ".join(sql.text(each) for each in states)
    return (
        f"SELECT NAME FROM TABLE({functions}.TASK_HISTORY(SCHEDULED_TIME_RANGE_START "
        f"=> {_back(rule, _OLDEST_TASK_HOURS)}, RESULT_LIMIT => 10000, ERROR_ONLY => "
        f"TRUE)) WHERE DATABASE_NAME = {sql.text(around.database.upper())} AND "
        f"STATE IN ({listed}) AND {_since_it_looked('COMPLETED_TIME')}"
    )


def _back(rule: Rule, oldest_hours: int) -> str:
    """Return from when on history is asked."""
    hours = max(_HOURS_BACK, 2 * round(rule.every.total_seconds() / 3600))
    return f"DATEADD(HOUR, -{min(hours, oldest_hours)}, CURRENT_TIMESTAMP())"


def _settled(function: str) -> str:
    return f"DATEADD(MINUTE, -{_SETTLED_MINUTES}, SNOWFLAKE.ALERT.{function}())"


def _since_it_looked(moment: str) -> str:
    """Return what is true of moments since the alert looked without an error.

    Of one that never looked the function tells 1970, or nothing:
    https://docs.snowflake.com/en/sql-reference/functions/last_successful_scheduled_time
    """
    return (
        f"{moment} > COALESCE({_settled('LAST_SUCCESSFUL_SCHEDULED_TIME')}, "
        "DATEADD(DAY, -14, CURRENT_TIMESTAMP())) AND "
        f"{moment} <= {_settled('SCHEDULED_TIME')}"
    )


def _asked(query: str, at: str, around: Around, findings: Findings) -> str | None:
    """Return a rule's own query; note what of it is not the same there."""
    remedy = "Write it portably, or let no sink of it be an e-mail."
    try:
        found = read_statements(with_models(query, findings.root))
    except ConfigError as error:
        findings.refuse(at, error.problem, error.remedy or remedy)
        return None
    except UnreadableError as error:
        findings.refuse(at, f"line {error.line} of it: {error}", remedy)
        return None
    refused = sorted(set(problems(found, around.readable)))
    for number, (line, told) in enumerate(refused, start=1):
        below = f"line {line} of it: " if "\n" in query.strip() else ""
        last = number == len(refused)
        findings.refuse(at, f"{below}{told}", remedy if last else "")
    if len(found.texts) != 1 or not found.asks:
        findings.refuse(at, "it is not one query", remedy)
        return None
    return found.texts[0]
