"""Looks at an account of Snowflake, and carries out the steps of a plan there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from snowmelt.clock import Clock
from snowmelt.deploy.address import Address
from snowmelt.deploy.naming import Names
from snowmelt.deploy.provider import Values
from snowmelt.deploy.resource import Found, Resource, Sight
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.access import (
    Grant,
    RoleGrant,
    drop_grant,
    drop_role_grant,
)
from snowmelt.deploy.snowflake.dbt_project import DbtProject
from snowmelt.deploy.snowflake.entity import PROVIDER, Entity
from snowmelt.deploy.snowflake.integration import StorageAccess, status_of
from snowmelt.deploy.snowflake.observing import integration_outputs, look
from snowmelt.deploy.snowflake.pipe import BROKEN, Pipe
from snowmelt.deploy.snowflake.pipe_change import PipeChange
from snowmelt.deploy.snowflake.row_access import RowAccess, drop_row_access
from snowmelt.deploy.snowflake.session import Row, Session
from snowmelt.deploy.snowflake.task import Task, suspend
from snowmelt.deploy.steps import Action, Step
from snowmelt.errors import SnowmeltError, UnreachableError

ACCESS_MAX_SECONDS = 300.0
_ACCESS_FIRST_SECONDS = 2.0
_ACCESS_EVERY_SECONDS = 20.0
_NOT_GENTLY = ("masking_policy", "row_access_policy")
_NOUNS = {
    "storage_integration": "INTEGRATION",
    "notification_integration": "INTEGRATION",
}


@dataclass(frozen=True)
class SnowflakeProvider:
    """The provider of everything in an account of Snowflake."""

    session: Session
    names: Names
    clock: Clock

    @property
    def name(self) -> str:
        """The provider that its addresses name."""
        return PROVIDER

    def look(self, desired: Sequence[Resource]) -> Sight:
        """Find what is desired and all else that bears our mark."""
        return look(self.session, self.names, desired)

    def script(self, step: Step) -> Sequence[str]:
        """Return the statements of a step, to be read."""
        return script_of(step, self.names)

    def outputs(self, address: Address) -> Mapping[str, str]:
        """Return what an integration gives to others, read anew."""
        if address.kind == "storage_integration":
            return integration_outputs(self.session, self.names, address.name)
        return {}

    def carry_out(self, step: Step, values: Values) -> None:
        """Do one step; it may be repeated."""
        wanted = step.wanted
        if isinstance(wanted, Pipe) and step.action is not Action.DROP:
            self._pipe(wanted, step)
        elif isinstance(wanted, StorageAccess):
            self._await_access(wanted)
        elif isinstance(wanted, DbtProject) and step.action is not Action.DROP:
            is_new, mark = step.action is Action.CREATE, wanted.mark(self.names.owner)
            for statement in wanted.send(is_new=is_new, mark=mark):
                self.session.rows(statement)  # a schema may well be there
        else:
            self._run(script_of(step, self.names), step)

    def _run(self, statements: Iterable[str], step: Step) -> None:
        for statement in statements:
            rows = self.session.rows(statement)
            if step.action is Action.CREATE and _was_there(statement, rows):
                raise SnowmeltError(
                    str(step.address),
                    "it is there, and this role may not see it: it is left alone",
                    "Look with a role that sees it, or choose another prefix: in the "
                    "target.",
                )

    def _pipe(self, pipe: Pipe, step: Step) -> None:
        change = PipeChange(self.session, self.clock, pipe, self.names.location)
        mark = pipe.mark(self.names.owner)
        self.session.rows(f"USE WAREHOUSE {sql.name(self.names.warehouse)}")
        names = {each.name for each in step.differences}
        state = step.found.properties["state"] if step.found is not None else None
        if step.action is Action.CREATE:
            change.make(mark)
        elif names & {"copy", "aws_sns_topic"} or state in BROKEN:
            change.replace(mark, is_broken=state in BROKEN)
        elif state == "catching up":
            change.settle(mark)
        else:
            self.session.rows(pipe.pause(False))

    def _await_access(self, access: StorageAccess) -> None:
        """Ask until AWS knows the role; it takes a while after it was made."""
        give_up_at = self.clock.monotonic() + ACCESS_MAX_SECONDS
        pause = _ACCESS_FIRST_SECONDS
        while True:
            [row] = self.session.rows(access.question)
            status, told = status_of(row["answer"])
            if status == "success":
                return
            if self.clock.monotonic() + pause > give_up_at:
                raise UnreachableError(
                    access.location,
                    f"integration {access.name} does not reach it: {told}",
                    "Compare the role's trust with: DESC INTEGRATION "
                    f"{access.name}, and its permissions with docs/how-to/"
                    "go-to-snowflake.md",
                )
            self.clock.wait(threading.Event(), pause)
            pause = min(pause * 2, _ACCESS_EVERY_SECONDS)


def _was_there(statement: str, rows: Sequence[Row]) -> bool:
    """Did CREATE … IF NOT EXISTS meet something that looking had not shown?"""
    told = str(rows[0].get("status", "")) if rows else ""
    return "IF NOT EXISTS" in statement and "already exists" in told


def script_of(step: Step, names: Names) -> list[str]:
    """Return the statements of a step, whole: nothing is asked for them."""
    wanted, found = step.wanted, step.found
    if step.action is Action.DROP:
        assert found is not None
        return drop_script(found)
    assert isinstance(wanted, Entity)
    mark = wanted.mark(names.owner)
    if step.action is Action.CREATE:
        return wanted.create(mark)
    if step.action is Action.REPLACE:
        return [*wanted.drop(), *wanted.create(mark)]
    changed = [each.name for each in step.differences]
    return wanted.change(changed, mark, found)


def drop_script(found: Found) -> list[str]:
    """Return the statements that drop something found."""
    kind, name = found.address.kind, found.address.name
    if kind == Grant.kind:
        return drop_grant(found)
    if kind == RoleGrant.kind:
        return drop_role_grant(found)
    if kind == RowAccess.kind:
        return drop_row_access(found)
    noun = _NOUNS.get(kind, kind.replace("_", " ").upper())
    gently = "" if kind in _NOT_GENTLY else "IF EXISTS "
    drop = f"DROP {noun} {gently}{name}"
    if kind == Task.kind:
        return [suspend(found.outputs["root"]), drop]
    if kind == Pipe.kind:
        return [f"ALTER PIPE {name} SET PIPE_EXECUTION_PAUSED = TRUE", drop]
    return [drop]
