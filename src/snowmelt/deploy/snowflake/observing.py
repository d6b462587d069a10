"""What is in an account: SHOW, DESC and SYSTEM$ functions, read into what was found.

Of what is not wanted, only what bears our mark is looked at closely. What a privilege
hides with an error is unseen; what SHOW leaves out is taken to be not there, and a
statement that then meets it says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

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
from snowmelt.deploy.snowflake.dbt_project import DbtProject
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
from snowmelt.deploy.snowflake.row_access import RowAccessPolicy, with_row_access
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
    DbtProject.kind: "DBT PROJECTS",
    Procedure.kind: "PROCEDURES",
    Alert.kind: "ALERTS",
    MaskingPolicy.kind: "MASKING POLICIES",
    RowAccessPolicy.kind: "ROW ACCESS POLICIES",
}
_SIMPLE: dict[str, Callable[[Row], Found]] = {
    View.kind: View.found,
    Stage.kind: Stage.found,
    FileFormat.kind: FileFormat.found,
    Stream.kind: Stream.found,
    Alert.kind: Alert.found,
    DbtProject.kind: DbtProject.found,
}
_PATH = ("database_name", "schema_name", "name")
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
    """Kinds that may not be shown."""
    unread: dict[Address, AccountError] = field(default_factory=dict)
    """What was shown, and may not be looked at closely."""

    def sight(self) -> Sight:
        for kind, statement in _ON_ACCOUNT.items():
            self.shown[kind] = self._ask(kind, statement)
        found = [*self._account()]
        for database in [e for e in found if e.address.kind == Database.kind]:
            if self._is_ours(database.mark):
                found += self._in_database(database)
        found += self._access(found)
        return Sight(tuple(found), tuple(self._unseen({e.address for e in found})))

    def _ask(self, kind: str, statement: str) -> list[Row]:
        try:
            return self.session.rows(statement)
        except AccountError as error:
            if error.is_missing:
                return []
            is_wanted = any(each.address.kind == kind for each in self.desired)
            if error.is_of_another_edition and not is_wanted:
                return []
            if error.is_refusal or error.is_of_another_edition:
                self.refused[kind] = error
                return []
            raise

    def _closely(self, address: Address, read: Callable[[], Found]) -> Iterator[Found]:
        """Yield what is read of something shown; note it if that is refused."""
        try:
            yield read()
        except AccountError as error:
            if not error.is_refusal and not error.is_missing:
                raise
            self.unread[address] = error

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
            address = address_of(StorageIntegration.kind, sql.as_kept(row["name"]))
            read = partial(_integration, self.session, self.names, row)
            yield from self._closely(address, read)
        for row in self._chosen(EmailIntegration.kind):
            address = address_of(EmailIntegration.kind, sql.as_kept(row["name"]))
            yield from self._closely(address, partial(self._mail, row))

    def _mail(self, row: Row) -> Found:
        name = sql.as_kept(row["name"])
        return EmailIntegration.found(
            row, self.session.rows(f"DESC INTEGRATION {name}")
        )

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
        found += self._procedures()
        found += self._each(Table.kind, self._table)
        found += self._each(Pipe.kind, self._pipe)
        found += self._each(MaskingPolicy.kind, self._policy)
        found += self._each(RowAccessPolicy.kind, self._row_policy)
        return [*self._with_row_access(name, found), *self._tasks()]

    def _with_row_access(self, database: str, found: list[Found]) -> list[Found]:
        """Return what was found, and on which tables of ours policies are."""
        if not any(each.address.kind == RowAccessPolicy.kind for each in found):
            return found
        tables = [
            address_of(Table.kind, sql.path_as_kept(*(row[k] for k in _PATH)))
            for row in self.shown[Table.kind]
            if self._is_ours(Mark.read(row["comment"]))
        ]
        return list(with_row_access(self.session, database, found, tables))

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
                found = Schema.found(row, self._strangers(row["name"]))
                hidden = [kind for kind in _INSIDE if kind in self.refused]
                told = f"whatever {hidden[0]}s may not be shown" if hidden else ""
                yield replace(found, holds=found.holds or told)

    def _strangers(self, schema: str) -> list[str]:
        """Return what is in a schema and is not ours: models of dbt, and more."""
        rows = (
            row for kind in _INSIDE if kind != Schema.kind for row in self.shown[kind]
        )
        return [
            str(row["name"])
            for row in rows
            if row.get("schema_name") == schema
            and not self._is_ours(
                Mark.read(row.get("comment") or row.get("description"))
            )
        ]

    def _each(self, kind: str, read: Callable[[Row, str], Found]) -> Iterator[Found]:
        """Yield everything of a kind that is looked at closely, by its whole name."""
        for row in self.shown[kind]:
            if self._reads(kind, row):
                path = (row["database_name"], row["schema_name"], row["name"])
                name = sql.path_as_kept(*path)
                yield from self._closely(
                    address_of(kind, name), partial(read, row, name)
                )

    def _table(self, row: Row, name: str) -> Found:
        return Table.found(row, self.session.rows(f"DESC TABLE {name}"))

    def _pipe(self, row: Row, name: str) -> Found:
        question = f"SELECT SYSTEM$PIPE_STATUS({sql.text(name)}) AS STATUS"
        [answer] = self.session.rows(question)
        state = json.loads(answer["status"]).get("executionState", "")
        return Pipe.found(row, str(state))

    def _procedures(self) -> Iterator[Found]:
        for row in self.shown[Procedure.kind]:
            if self._reads(Procedure.kind, row):
                address = Procedure.found(row).address
                yield from self._closely(address, partial(self._procedure, row))

    def _procedure(self, row: Row) -> Found:
        name = Procedure.found(row).address.name
        return Procedure.found(row, self.session.rows(f"DESCRIBE PROCEDURE {name}"))

    def _policy(self, row: Row, name: str) -> Found:
        [described] = self.session.rows(f"DESCRIBE MASKING POLICY {name}")
        return MaskingPolicy.found(row, described)

    def _row_policy(self, row: Row, name: str) -> Found:
        [described] = self.session.rows(f"DESCRIBE ROW ACCESS POLICY {name}")
        return RowAccessPolicy.found(row, described)

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
        wanted = {each.address for each in self.desired}
        for address in sorted((wanted | self.unread.keys()) - found):
            error = self.unread.get(address) or self.refused.get(address.kind)
            if error is not None:
                told = f"{error.where}: {error.problem}"
                inside = _schema_of(address) if address.kind in _INSIDE else None
                yield Unseen(address, told, error.remedy, inside)


def _schema_of(address: Address) -> Address:
    schema = address.name.rpartition(".")[0]
    kind = Database.kind if address.kind == Schema.kind else Schema.kind
    return address_of(kind, schema)


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
