"""A project as it stands on a target: the same pipes and settings, another file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import names_of
from snowmelt.observe.alerts.rules import Rule
from snowmelt.observe.alerts.severity import Severity
from snowmelt.project.project import Project

ACCOUNT = "account"
"""The rule that only an observed project has."""
_OF_ACCOUNT = """
    select
        source || ' of ' || object as cause,
        cause || ' cannot be read: ' || problem as message,
        remedy
    from account.problems
    union all
    select 'stream ' || name, 'stream ' || name || ' is stale', null
    from account.streams where stale
    union all
    select
        'pipe ' || pipe_name,
        'pipe ' || pipe_name || ' is ' || (status::json ->> 'executionState'),
        status::json ->> 'error'
    from snowmelt.pipe_statuses
    where status::json ->> 'executionState' not in ('RUNNING', 'PAUSED')
    union all
    select 'account', value, null from account.meta where key = 'problem'
"""


@dataclass(frozen=True)
class ObservedProject(Project):
    """What is kept of a target is below `.snowmelt/targets`; who may look is shared."""

    names: Names = field(kw_only=True)

    @property
    def target_name(self) -> str:
        return self.names.owner.target

    @property
    def state(self) -> Path:
        return self.root / ".snowmelt" / "targets" / self.target_name

    @property
    def warehouse_path(self) -> Path:
        return self.state / "warehouse.duckdb"

    @property
    def location(self) -> str:
        return self.names.location

    @property
    def lands_locally(self) -> bool:
        return False

    @property
    def engine_folders(self) -> list[Path]:
        return []

    @property
    def users_path(self) -> Path:
        return super().state / "users.json"

    @property
    def session_key_path(self) -> Path:
        return super().state / "sessions.key"


def observed_project(
    project: Project, target: str, port: int | None = None
) -> ObservedProject:
    """Return a project as it stands on a target.

    Its pages take a free port, so that they can be open beside those of this machine.
    Rules that are a query of silver or gold are the account's own alerts; instead, a
    project with rules has one about the account: what of it cannot be read, pipes that
    stopped, streams that are stale.

    Raises ConfigError or UsageError for a target that is none.
    """
    names = names_of(project, target)
    serve = project.settings.serve.model_copy(update={"port": port})
    alerts = project.settings.alerts
    ours = {name: rule for name, rule in alerts.rules.items() if rule.sql is None}
    if alerts.rules and ACCOUNT not in alerts.rules:
        ours[ACCOUNT] = Rule(sql=_OF_ACCOUNT, severity=Severity.CRITICAL)
    settings = project.settings.model_copy(
        update={"serve": serve, "alerts": alerts.model_copy(update={"rules": ours})}
    )
    return ObservedProject(
        project.root, settings, project.pipes, project.read_as, names=names
    )
