"""Rules of `alerts:` that the account itself can look for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot.errors import SqlglotError

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.code import Alert
from snowmelt.deploy.snowflake.entity import Entity
from snowmelt.deploy.snowflake.integration import EmailIntegration
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.observe.alerts.rules import Rule

_MINUTES_MIN = 1


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
        condition = _condition(name, rule, around, findings)
        if condition is not None and told_by:
            found.append(_alert(name, rule, condition, told_by, around))
    used = {each for alert in found for each in alert.needs}
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
        max(_MINUTES_MIN, round(rule.every.total_seconds() / 60)),
        condition,
        action,
        needs=(*around.needs, *(mail.address for mail in mails)),
    )


def _condition(name: str, rule: Rule, around: Around, findings: Findings) -> str | None:
    """Return the query whose rows are causes; None for what only the service sees."""
    where = ("alerts", "rules", name)
    if rule.sql is not None:
        try:
            return sqlglot.transpile(rule.sql, read="duckdb", write="snowflake")[0]
        except SqlglotError:
            told = "the query cannot be put into Snowflake's dialect: the service looks"
            findings.remark(findings.settings(*where, "sql"), told)
            return None
    if rule.on not in ("failed", "rejected"):
        told = f"'{rule.on}' is looked for by the service, not by the account"
        findings.remark(findings.settings(*where), told)
        return None
    if rule.pipe is not None and rule.pipe not in around.tables:
        return None
    tables = [around.tables[rule.pipe]] if rule.pipe else list(around.tables.values())
    minutes = max(_MINUTES_MIN, round(rule.every.total_seconds() / 60))
    status = "Load failed" if rule.on == "failed" else "Partially loaded"
    return "\n    UNION ALL\n    ".join(
        f"SELECT FILE_NAME FROM TABLE({around.database}.INFORMATION_SCHEMA."
        f"COPY_HISTORY(TABLE_NAME => {sql.text(table)}, START_TIME => "
        f"DATEADD(MINUTE, -{minutes + 5}, CURRENT_TIMESTAMP()))) "
        f"WHERE STATUS = {sql.text(status)}"
        for table in tables
    )
