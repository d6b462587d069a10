"""Puts together what is wanted of a project on a target, and who makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.naming import Names
from snowmelt.deploy.provider import Provider
from snowmelt.deploy.resource import Owner
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.provider import SnowflakeProvider
from snowmelt.deploy.snowflake.session import AccountError, Row, Session
from snowmelt.errors import UsageError
from snowmelt.project.project import SETTINGS_FILE, Project
from snowmelt.project.targets import LOCAL, SnowflakeTarget, resolve_target
from snowmelt.snowflake import Connection, Login, RefusedError


class AccountSession:
    """A session over the connector, with errors that name their remedy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str) -> list[Row]:
        """Carry out one statement."""
        try:
            return list(self._connection.rows(statement))
        except RefusedError as error:
            raise AccountError(statement, error.number, error.message) from None

    def close(self) -> None:
        """End the session."""
        self._connection.close()


class NoSession:
    """Stands where nobody is asked: every question is refused."""

    def rows(self, statement: str) -> list[Row]:
        """Refuse."""
        raise AssertionError(f"nobody is asked offline: {statement}")


def names_of(project: Project, target_name: str) -> Names:
    """Return what everything is called on a target. Raises ConfigError, UsageError."""
    file = project.root / SETTINGS_FILE
    target = resolve_target(project.settings.targets, target_name, file)
    if not isinstance(target, SnowflakeTarget):
        known = [
            name
            for name, each in project.settings.targets.items()
            if isinstance(each, SnowflakeTarget)
        ]
        raise UsageError(
            f"--target {target_name}",
            f"{LOCAL} is this machine: there is nothing to deploy",
            f"Name another one: {', '.join(known)}."
            if known
            else f"Write one below targets: in {SETTINGS_FILE}; see docs/how-to/"
            "go-to-snowflake.md.",
        )
    return Names(Owner(project.settings.name, target_name), target)


def open_deployment(
    project: Project, names: Names, session: Session, clock: Clock
) -> Deployment:
    """Return a project on a target, over a session with the account.

    Raises ConfigError that names, with file and line, all that has no mapping there.
    """
    findings = Findings(project.root)
    desired = manifest(project, names, findings)
    findings.require_none()
    providers: dict[str, Provider] = {
        "snowflake": SnowflakeProvider(session, names, clock)
    }
    return Deployment(names.owner, tuple(desired), providers, tuple(findings.remarks))


def connect(
    names: Names, clock: Clock, environment: Mapping[str, str] | None = None
) -> AccountSession:
    """Sign in to a target's account. Raises ConfigError, UnreachableError."""
    environment = os.environ if environment is None else environment
    target = names.target
    key_path = target.secret("key_path", environment)
    login = Login(
        target.account,
        target.user,
        target.role,
        names.warehouse,
        target.host,
        Path(key_path) if key_path else None,
        target.secret("key_passphrase", environment),
        target.secret("token", environment),
    )
    return AccountSession(Connection(login, clock))
