"""What is in an account: SHOW, DESC and SYSTEM$ functions, read into what was found.

Of what is not wanted, only what bears our mark is looked at closely. What a privilege
hides with an error is unseen; what SHOW leaves out is taken to be not there, and a
statement that then meets it says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from snowmelt.deploy.address import Address
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Found, Mark, Resource, Sight, Unseen
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.access import (
    Grant,
    Role,
    RoleGrant,
    found_grants,
    found_role_grants,
)
from snowmelt.deploy.snowflake.code import Alert, MaskingPolicy, Procedure
from snowmelt.deploy.snowflake.entity import PROVIDER, address_of
from snowmelt.deploy.snowflake.integration import (
    EmailIntegration,
    StorageAccess,
    StorageIntegration,
    status_of,
    subscriber_of,
    topic_policy_of,
)
from snowmelt.deploy.snowflake.pipe import Pipe
from snowmelt.deploy.snowflake.place import (
    Database,
    ResourceMonitor,
    Schema,
    Warehouse,
)
from snowmelt.deploy.snowflake.session import AccountError, Row, Session
from snowmelt.deploy.snowflake.stage import FileFormat, Stage
from snowmelt.deploy.snowflake.table import Table, View
from snowmelt.deploy.snowflake.task import Stream, Task, TaskGraph

_ON_ACCOUNT = {
    Warehouse.kind: "SHOW WAREHOUSES",
    ResourceMonitor.kind: "SHOW RESOURCE MONITORS",
    Database.kind: "SHOW DATABASES",
    Role.kind: "SHOW ROLES",
    StorageIntegration.kind: "SHOW STORAGE INTEGRATIONS",
    EmailIntegration.kind: "SHOW NOTIFICATION INTEGRATIONS",
}
_INSIDE = {
    Schema.kind: "SCHEMAS",
    Table.kind: "TABLES",
    View.kind: "VIEWS",
    Stage.kind: "STAGES",
    FileFormat.kind: "FILE FORMATS",
    Pipe.kind: "PIPES",
    Stream.kind: "STREAMS",
    Task.kind: "TASKS",
    Procedure.kind: "PROCEDURES",
    Alert.kind: "ALERTS",
    MaskingPolicy.kind: "MASKING POLICIES",
}
_SIMPLE: dict[str, Callable[[Row], Found]] = {
    View.kind: View.found,
    Stage.kind: Stage.found,
    FileFormat.kind: FileFormat.found,
    Stream.kind: Stream.found,
    Alert.kind: Alert.found,
    Procedure.kind: Procedure.found,
}
_GRANTED_ON = {"DATABASE", "SCHEMA", "WAREHOUSE", "INTEGRATION"}


def look(session: Session, names: Names, desired: Sequence[Resource]) -> Sight:
    """Find what is desired, and all else in the account that bears our mark."""
    wanted = [each for each in desired if each.address.provider == PROVIDER]
    return _Look(session, names, wanted).sight()


def integration_outputs(session: Session, names: Names, name: str) -> dict[str, str]:
    """Return what an integration gives to others, read anew."""
    rows = session.rows("SHOW STORAGE INTEGRATIONS")
    for row in rows:
        if sql.as_kept(row["name"]) == name:
            return dict(_integration(session, names, row).outputs)
    return {}


def _integration(session: Session, names: Names, row: Row) -> Found:
    described = session.rows(f"DESC INTEGRATION {sql.as_kept(row['name'])}")
    try:
        [answer] = session.rows(topic_policy_of(names.topic_arn))
        subscriber = subscriber_of(answer["policy"])
    except (AccountError, ValueError, KeyError, IndexError):
        subscriber = None
    return StorageIntegration.found(row, described, subscriber)


@dataclass
class _Look:
    """One look; rows are asked for once."""

    session: Session
    names: Names
    desired: list[Resource]
    shown: dict[str, list[Row]] = field(default_factory=dict)
    refused: dict[str, AccountError] = field(default_factory=dict)

    def sight(self) -> Sight:
        for kind, statement in _ON_ACCOUNT.items():
            self.shown[kind] = self._ask(kind, statement)
        found = [*self._account()]
        database = next((e for e in found if e.address.kind == Database.kind), None)
        if database is not None and self._is_ours(database.mark):
            found += self._in_database(database)
        found += self._access(found)
        return Sight(tuple(found), tuple(self._unseen({e.address for e in found})))

    def _ask(self, kind: str, statement: str) -> list[Row]:
        try:
            return self.session.rows(statement)
        except AccountError as error:
            if error.is_missing:
                return []
            if error.is_refusal:
                self.refused[kind] = error
                return []
            raise

    def _is_ours(self, mark: Mark | None) -> bool:
        return mark is not None and mark.owner == self.names.owner

    def _is_looked_at(self, kind: str, name: str, comment: str | None) -> bool:
        wanted = {each.address for each in self.desired}
        return address_of(kind, name) in wanted or self._is_ours(Mark.read(comment))

    def _chosen(self, kind: str) -> Iterator[Row]:
        """Yield the rows of a kind of the account that are looked at closely."""
        for row in self.shown[kind]:
            name = sql.as_kept(row["name"])
            if self._is_looked_at(kind, name, row.get("comment")):
                yield row

    def _account(self) -> Iterator[Found]:
        warehouses = self.shown[Warehouse.kind]
        yield from (Warehouse.found(row) for row in self._chosen(Warehouse.kind))
        for row in self.shown[ResourceMonitor.kind]:
            monitor = ResourceMonitor.found(row, warehouses)
            is_wanted = any(each.address == monitor.address for each in self.desired)
            if is_wanted or self._is_ours(monitor.mark):
                yield monitor
        yield from (Database.found(row) for row in self._chosen(Database.kind))
        yield from self._integrations()
        for row in self._chosen(Role.kind):
            yield Role.found(row)
            if self._is_ours(Mark.read(row["comment"])):
                yield from self._grants(row)

    def _integrations(self) -> Iterator[Found]:
        for row in self._chosen(StorageIntegration.kind):
            yield _integration(self.session, self.names, row)
        for row in self._chosen(EmailIntegration.kind):
            described = self.session.rows(
                f"DESC INTEGRATION {sql.as_kept(row['name'])}"
            )
            yield EmailIntegration.found(row, described)

    def _grants(self, role: Row) -> Iterator[Found]:
        """Yield what a role of ours may do, and who has it.

        Left out is what follows from grants on all that is to come, and what others
        gave it elsewhere.
        """
        name = sql.as_kept(role["name"])
        wanted = {each.address for each in self.desired}
        rows = self._ask(Grant.kind, f"SHOW GRANTS TO ROLE {name}")
        future = self._ask(Grant.kind, f"SHOW FUTURE GRANTS TO ROLE {name}")
        for found in found_grants(role, rows, future):
            if found.address in wanted or self._is_on_ours(found):
                yield found
        parents = self._ask(RoleGrant.kind, f"SHOW GRANTS OF ROLE {name}")
        yield from found_role_grants(role, parents)

    def _is_on_ours(self, grant: Found) -> bool:
        on, target = grant.outputs["on"], grant.outputs["target"]
        database = sql.name(self.names.database)
        if target.split(".")[0] == database:
            return bool(grant.outputs["in"]) or on in _GRANTED_ON
        return on in _GRANTED_ON and any(
            sql.as_kept(row["name"]) == target
            and self._is_ours(Mark.read(row["comment"]))
            for row in self.shown[Warehouse.kind]
        )

    def _in_database(self, database: Found) -> list[Found]:
        name = database.address.name
        for kind, many in _INSIDE.items():
            rows = self._ask(kind, f"SHOW {many} IN DATABASE {name}")
            self.shown[kind] = rows
        found = [*self._schemas()]
        for kind, read in _SIMPLE.items():
            found += [read(row) for row in self.shown[kind] if self._reads(kind, row)]
        found += self._tables()
        found += self._pipes()
        found += self._policies()
        return [*found, *self._tasks()]

    def _reads(self, kind: str, row: Row) -> bool:
        """Is this row of something in a schema looked at closely?"""
        if kind == Procedure.kind:
            if row["catalog_name"] == "" or row.get("is_builtin") == "Y":
                return False
            address = Procedure.found(row).address
            return self._is_looked_at(kind, address.name, row["description"])
        name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
        return self._is_looked_at(kind, name, row["comment"])

    def _schemas(self) -> Iterator[Found]:
        for row in self.shown[Schema.kind]:
            name = sql.path_as_kept(row["database_name"], row["name"])
            if self._is_looked_at(Schema.kind, name, row["comment"]):
                yield Schema.found(row, self._strangers(row["name"]))

    def _strangers(self, schema: str) -> list[str]:
        """Return what is in a schema and is not ours: models of dbt, and more."""
        rows = (
            row for kind in _INSIDE if kind != Schema.kind for row in self.shown[kind]
        )
        return [
            str(row["name"])
            for row in rows
            if row.get("schema_name") == schema
            and not self._is_ours(Mark.read(row.get("comment", row.get("description"))))
        ]

    def _tables(self) -> Iterator[Found]:
        for row in self.shown[Table.kind]:
            if self._reads(Table.kind, row):
                path = (row["database_name"], row["schema_name"], row["name"])
                described = self.session.rows(f"DESC TABLE {sql.path_as_kept(*path)}")
                yield Table.found(row, described)

    def _pipes(self) -> Iterator[Found]:
        for row in self.shown[Pipe.kind]:
            if self._reads(Pipe.kind, row):
                path = (row["database_name"], row["schema_name"], row["name"])
                name = sql.text(sql.path_as_kept(*path))
                [answer] = self.session.rows(
                    f"SELECT SYSTEM$PIPE_STATUS({name}) AS STATUS"
                )
                state = json.loads(answer["status"]).get("executionState", "")
                yield Pipe.found(row, str(state))

    def _policies(self) -> Iterator[Found]:
        for row in self.shown[MaskingPolicy.kind]:
            if self._reads(MaskingPolicy.kind, row):
                path = (row["database_name"], row["schema_name"], row["name"])
                [described] = self.session.rows(
                    f"DESCRIBE MASKING POLICY {sql.path_as_kept(*path)}"
                )
                yield MaskingPolicy.found(row, described)

    def _tasks(self) -> Iterator[Found]:
        rows = [r for r in self.shown[Task.kind] if self._reads(Task.kind, r)]
        tasks = with_roots(Task.found(row) for row in rows)
        yield from tasks
        for wanted in self.desired:
            if isinstance(wanted, TaskGraph):
                graph = wanted.seen(tasks)
                if graph is not None:
                    yield graph

    def _access(self, found: Collection[Found]) -> Iterator[Found]:
        """Yield whether an integration of ours reaches the bucket."""
        ours = {
            e.address.name: e for e in found if e.address.kind == "storage_integration"
        }
        for wanted in self.desired:
            integration = ours.get(wanted.address.name)
            if not isinstance(wanted, StorageAccess) or integration is None:
                continue
            try:
                [answer] = self.session.rows(wanted.question)
                status = status_of(answer["answer"])[0]
            except AccountError:
                status = "error"
            yield Found(
                wanted.address,
                {"status": status},
                integration.mark.of_what_belongs_to_it if integration.mark else None,
                StorageAccess.traits,
                (integration.address,),
            )

    def _unseen(self, found: set[Address]) -> Iterator[Unseen]:
        for each in self.desired:
            error = self.refused.get(each.address.kind)
            if error is not None and each.address not in found:
                told = f"{error.where}: {error.problem}"
                yield Unseen(each.address, told, error.remedy)


def with_roots(tasks: Iterable[Found]) -> list[Found]:
    """Add to each task the root of its graph, which is suspended to change it."""
    by_name = {each.address.name: each for each in tasks}

    def root_of(name: str) -> str:
        seen = {name}
        while True:
            above = [e.name for e in by_name[name].needs if e.kind == Task.kind]
            known = next((each for each in above if each in by_name), None)
            if known is None or known in seen:
                return name
            seen.add(known)
            name = known

    return [
        replace(each, outputs={**each.outputs, "root": root_of(each.address.name)})
        for each in by_name.values()
    ]
