"""What doctor says of alerts: are any open, and do messages arrive?"""

from __future__ import annotations

from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.serve.commands import Document
from snowmelt.service.finding import Finding, Level, finding


def alert_findings(config: AlertsConfig, summary: Document) -> list[Finding]:
    """Return one finding of a project with sinks or rules; none without."""
    if not config.sinks and not config.rules:
        return []
    failing = [each for each in summary["sinks"] if each["error"]]
    told = [f"{len(config.rules)} rules, {len(config.sinks)} sinks"]
    told += [f"{summary['open']} open"] if summary["open"] else []
    told += [f"{each['sink']} fails: {each['error']}" for each in failing]
    remedy = "See: snowmelt alerts"
    level = Level.WARN if summary["open"] else Level.PASS
    if failing:
        remedy = f"Try it: snowmelt alerts test {failing[0]['sink']}"
        level = Level.FAIL
    return [finding("alerts", level, "; ".join(told), remedy)]
