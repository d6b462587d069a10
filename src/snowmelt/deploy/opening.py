"""Puts together what is wanted of a project on a target, and who makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.deploy.aws.opening import open_aws
from snowmelt.deploy.aws.resources import aws_resources
from snowmelt.deploy.deployment import Deployment, Remark
from snowmelt.deploy.naming import Names
from snowmelt.deploy.provider import Provider
from snowmelt.deploy.resource import Owner
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.provider import SnowflakeProvider
from snowmelt.deploy.snowflake.regions import told_of_region
from snowmelt.deploy.snowflake.session import AccountError, Row, Session
from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.project import SETTINGS_FILE, Project
from snowmelt.project.targets import LOCAL, SnowflakeTarget, resolve_target
from snowmelt.project.yaml_file import place_of
from snowmelt.snowflake import (
    PATIENT,
    Connection,
    Login,
    Patience,
    RefusedError,
)

NO_OTHERS: Mapping[str, object] = {}


class AccountSession:
    """A session over the connector, with errors that name their remedy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str) -> list[Row]:
        """Carry out one statement."""
        try:
            return list(self._connection.rows(statement))
        except RefusedError as error:
            role = self._connection.role
            raise AccountError(statement, error.number, error.message, role) from None

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
    desired = (*aws_resources(names), *manifest(project, names, findings))
    findings.require_none()
    providers: dict[str, Provider] = {
        "aws": open_aws(names, clock),
        "snowflake": SnowflakeProvider(session, names, clock),
    }
    return Deployment(names.owner, desired, providers, tuple(findings.remarks))


def with_region(
    deployment: Deployment, project: Project, names: Names, session: Session
) -> Deployment:
    """Add to its remarks that the account is elsewhere than the bucket, if it is."""
    told = told_of_region(session, names)
    if not told:
        return deployment
    location = ("targets", names.owner.target, "aws", "region")
    where = place_of(project.root / SETTINGS_FILE, location, SETTINGS_FILE)
    return replace(deployment, remarks=(*deployment.remarks, Remark(where, told)))


def connect(
    project: Project,
    names: Names,
    clock: Clock,
    parameters: Mapping[str, object] = NO_OTHERS,
    patience: Patience = PATIENT,
) -> AccountSession:
    """Sign in to a target's account. Raises ConfigError, UnreachableError.

    `parameters`: of the session, beside those that every session of ours has;
    `patience`: for how long it goes on while nobody answers.
    """
    target, file = names.target, project.root / SETTINGS_FILE
    location = ("targets", names.owner.target)
    secrets: dict[str, str | None] = {}
    for key in ("key_path", "key_passphrase", "token"):
        try:
            secrets[key] = target.secret(key, os.environ)
        except ConfigError as error:
            error.where = place_of(file, (*location, key), SETTINGS_FILE)
            error.remedy += f" {_OFFLINE}"
            raise
    if not secrets["key_path"] and not secrets["token"]:
        raise ConfigError(
            place_of(file, location, SETTINGS_FILE),
            "it does not say how to sign in",
            "Write key_path: ${NAME} for a key pair, or token: ${NAME} for OAuth. "
            f"{_OFFLINE}",
        )
    key_path = secrets["key_path"]
    login = Login(
        target.account,
        target.user,
        target.role,
        names.warehouse,
        target.host,
        Path(key_path) if key_path else None,
        secrets["key_passphrase"],
        secrets["token"],
        parameters,
        patience,
    )
    return AccountSession(Connection(login, clock))


_OFFLINE = "Without an account: snowmelt deploy plan --offline"
