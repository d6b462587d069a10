"""All that a project wants in an account of Snowflake. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from snowmelt.deploy.address import Address
from snowmelt.deploy.naming import Names
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.access import (
    BUILDS,
    BUILDS_SCHEMAS,
    Grant,
    Role,
    RoleGrant,
)
from snowmelt.deploy.snowflake.bronze import Surroundings, map_pipe
from snowmelt.deploy.snowflake.code import MaskingPolicy
from snowmelt.deploy.snowflake.dbt_project import map_dbt_project
from snowmelt.deploy.snowflake.dynamic import asks_for_dynamic_tables
from snowmelt.deploy.snowflake.entity import Entity
from snowmelt.deploy.snowflake.integration import StorageAccess, StorageIntegration
from snowmelt.deploy.snowflake.kept_history import Keeping
from snowmelt.deploy.snowflake.notices import Around, map_alerts
from snowmelt.deploy.snowflake.place import (
    Database,
    ResourceMonitor,
    Schema,
    Warehouse,
)
from snowmelt.deploy.snowflake.places import Findings, PipeFile, pipe_files
from snowmelt.deploy.snowflake.policies import Policies
from snowmelt.deploy.snowflake.stage import Stage
from snowmelt.deploy.snowflake.system_tables import SYSTEM_TABLES
from snowmelt.deploy.snowflake.table import Table, TableColumn
from snowmelt.deploy.snowflake.task_place import TAKEN, Place
from snowmelt.deploy.snowflake.task_sql import Readable
from snowmelt.deploy.snowflake.transformation import map_news, map_tasks
from snowmelt.project.project import Project

SYSTEM = "snowmelt"
BUILT = ("silver", "gold_next", "quarantine")
"""Schemas that dbt builds in; gold becomes what was built in gold_next."""
_KEPT = ("copy_history", "task_history")


def manifest(project: Project, names: Names, findings: Findings) -> list[Entity]:
    """Return every resource of a project; note what has no mapping.

    Raises nothing: `findings.require_none` does, once all is known.
    """
    return _Manifest(project, names, findings).entities()


@dataclass(frozen=True)
class _Manifest:
    project: Project
    names: Names
    findings: Findings

    def entities(self) -> list[Entity]:
        self._require_region()
        places = [self.warehouse, *self._monitor(), self.database, *self._schemas()]
        access = [*self._roles(), *self._grants()]
        doors = [self.integration, self.access, self.stage]
        files = pipe_files(self.project)
        policies = self._policies.masking(files)
        rules = self.names.target.row_access
        bronze = [
            each
            for file in files
            for each in map_pipe(file, self._surroundings(policies), self.findings)
        ]
        log = [self._table(name, columns) for name, columns in SYSTEM_TABLES.items()]
        return [
            *places,
            *access,
            *doors,
            *policies.values(),
            *bronze,
            *self._policies.rows(rules, files, self.findings),
            *log,
            *self._kept_history(files),
            *self._tasks(),
            *self._alerts(),
        ]

    def _require_region(self) -> None:
        """Refuse regions whose buckets Snowflake names otherwise.

        https://docs.snowflake.com/en/sql-reference/sql/create-storage-integration
        """
        if self.names.partition != "aws":
            self.findings.refuse(
                self.findings.settings("targets", self.names.owner.target, "aws"),
                f"a bucket in {self.names.target.aws.region} is S3GOV or S3CHINA to "
                "Snowflake, which is not made yet",
                "Choose a region of AWS proper.",
            )

    @cached_property
    def warehouse(self) -> Warehouse:
        given = self.names.target.warehouse
        seconds = round(given.auto_suspend.total_seconds())
        return Warehouse(sql.name(self.names.warehouse), given.size, seconds)

    def _monitor(self) -> list[ResourceMonitor]:
        quota = self.names.target.warehouse.credits_per_month
        if quota is None:
            return []
        name = sql.name(f"{self.names.prefix}_MONITOR")
        needs = (self.warehouse.address,)
        return [ResourceMonitor(name, self.warehouse, quota, needs=needs)]

    @property
    def retention_days(self) -> int:
        return self.names.target.keep_history.days

    @cached_property
    def database(self) -> Database:
        return Database(sql.name(self.names.database), self.retention_days)

    @cached_property
    def schemas(self) -> dict[str, Schema]:
        bronze = self.project.settings.layers.bronze
        return {
            name: Schema(
                sql.path(self.names.database, name),
                self.retention_days,
                needs=(self.database.address,),
            )
            for name in (bronze, *BUILT, "gold", SYSTEM)
        }

    def _schemas(self) -> list[Schema]:
        return list(self.schemas.values())

    @property
    def bronze(self) -> Schema:
        return self.schemas[self.project.settings.layers.bronze]

    @cached_property
    def roles(self) -> dict[str, Role]:
        return {
            word: Role(sql.name(self.names.role(word)))
            for word in ("loader", "transformer", "reader")
        }

    def _roles(self) -> list[Entity]:
        parent = sql.name(self.names.target.parent_role)
        return [
            *self.roles.values(),
            *(
                RoleGrant.of(role.name, parent, (role.address,))
                for role in self.roles.values()
            ),
        ]

    def _grants(self) -> list[Grant]:
        found = [
            self._on(role, ("USAGE",), "DATABASE", self.database.name)
            for role in ("loader", "reader")
        ]
        for role in self.roles:
            found.append(self._on(role, ("USAGE",), "WAREHOUSE", self.warehouse.name))
        found += self._loader() + self._transformer() + self._reader()
        return found

    def _loader(self) -> list[Grant]:
        bronze, system = self.bronze.name, self.schemas[SYSTEM].name
        return [
            self._on("loader", ("USAGE",), "SCHEMA", bronze),
            self._on("loader", ("USAGE",), "SCHEMA", system),
            self._future("loader", ("SELECT", "INSERT"), "TABLE", self.bronze),
            self._future("loader", ("USAGE",), "FILE FORMAT", self.bronze),
            self._future("loader", ("USAGE",), "STAGE", self.bronze),
            self._future("loader", ("MONITOR", "OPERATE"), "PIPE", self.bronze),
            self._future("loader", ("SELECT", "INSERT"), "TABLE", self.schemas[SYSTEM]),
        ]

    def _transformer(self) -> list[Grant]:
        bronze = self.bronze
        makes: tuple[str, ...] = (
            *BUILDS,
            *(("CREATE DYNAMIC TABLE",) if self._has_dynamic_tables else ()),
        )
        found = [
            self._on("transformer", ("USAGE", "CREATE STREAM"), "SCHEMA", bronze.name),
            self._on("transformer", BUILDS_SCHEMAS, "DATABASE", self.database.name),
            self._future("transformer", ("SELECT",), "TABLE", bronze),
            self._future("transformer", ("SELECT",), "VIEW", bronze),
        ]
        found += [
            self._on("transformer", makes, "SCHEMA", self.schemas[each].name)
            for each in (*BUILT, "gold")
        ]
        system = self.schemas[SYSTEM]
        return [
            *found,
            self._on("transformer", ("USAGE",), "SCHEMA", system.name),
            self._future("transformer", ("SELECT", "INSERT"), "TABLE", system),
        ]

    def _reader(self) -> list[Grant]:
        gold = self.schemas["gold"]
        kinds = ["TABLE", "VIEW"]
        kinds += ["DYNAMIC TABLE"] if self._has_dynamic_tables else []
        return [
            self._on("reader", ("USAGE",), "SCHEMA", gold.name),
            *(self._future("reader", ("SELECT",), kind, gold) for kind in kinds),
        ]

    @cached_property
    def _has_dynamic_tables(self) -> bool:
        return asks_for_dynamic_tables(self.project.root)

    def _on(self, role: str, words: tuple[str, ...], on: str, target: str) -> Grant:
        kind = Address("snowflake", on.lower(), target)
        needs = (self.roles[role].address, kind)
        return Grant.of(self.roles[role].name, words, on, target, needs=needs)

    def _future(
        self, role: str, words: tuple[str, ...], on: str, schema: Schema
    ) -> Grant:
        needs = (self.roles[role].address, schema.address)
        return Grant.future(self.roles[role].name, words, on, schema.name, needs=needs)

    @cached_property
    def integration(self) -> StorageIntegration:
        names = self.names
        return StorageIntegration(
            sql.name(names.integration),
            names.iam_role_arn,
            names.external_id,
            (names.location,),
        )

    @cached_property
    def access(self) -> StorageAccess:
        needs = (self.integration.address, self.names.iam_role_address)
        return StorageAccess(
            self.integration.name,
            self.names.location,
            needs=(*needs, self.names.bucket_address),
        )

    @cached_property
    def stage(self) -> Stage:
        return Stage(
            sql.path(
                self.names.database, self.project.settings.layers.bronze, "landing"
            ),
            self.names.location,
            self.integration.name,
            needs=(self.bronze.address, self.integration.address),
        )

    def _surroundings(self, policies: dict[str, MaskingPolicy]) -> Surroundings:
        return Surroundings(
            self.names.database,
            self.project.settings.layers.bronze,
            self.stage,
            self.names.topic_arn,
            self.names.target.aws.folder,
            (
                self.access.address,
                self.names.topic_policy_address,
                self.names.notification_address,
            ),
            {kind: policy.name for kind, policy in policies.items()},
        )

    @property
    def _policies(self) -> Policies:
        """Who loads and who builds sees everything, and who deploys: tasks are its."""
        roles = [self.roles[word].name for word in ("loader", "transformer")]
        return Policies(
            self.names.database,
            SYSTEM,
            self.project.settings.layers.bronze,
            (*roles, sql.name(self.names.target.role)),
            (self.schemas[SYSTEM].address,),
        )

    def _table(self, name: str, columns: tuple[tuple[str, str, bool], ...]) -> Table:
        return Table(
            sql.path(self.names.database, SYSTEM, name),
            tuple(TableColumn(*each) for each in columns),
            change_tracking=name == TAKEN,  # a stream is on it
            needs=(self.schemas[SYSTEM].address,),
        )

    def _kept_history(self, files: list[PipeFile]) -> list[Entity]:
        bronze = self.project.settings.layers.bronze
        tables = tuple(
            sql.path(self.names.database, bronze, f"{file.pipe.table_name}__all")
            for file in files
        )
        needs = (self.schemas[SYSTEM].address, self.warehouse.address)
        database = self.names.database
        timeout = self.names.target.run_timeout
        warehouse = self.warehouse.name
        return Keeping(database, SYSTEM, warehouse, tables, needs, timeout).entities()

    @cached_property
    def readable(self) -> Readable:
        """The tables of the manifest that SQL of tasks and alerts may name."""
        bronze = self.project.settings.layers.bronze
        tables = [pipe.table_name for pipe in self.project.pipes]
        found = {(bronze, name) for each in tables for name in (each, f"{each}__all")}
        found |= {(SYSTEM, each) for each in (*SYSTEM_TABLES, *_KEPT) if tables}
        contracts = [pipe.contract.columns for pipe in self.project.pipes]
        own = frozenset(each.name.lower() for given in contracts for each in given)
        return Readable(bronze, SYSTEM, frozenset(found), own)

    def _tasks(self) -> list[Entity]:
        target, settings = self.names.target, self.project.settings
        place = Place(
            self.names.database,
            SYSTEM,
            settings.layers.bronze,
            self.warehouse.name,
            target.dbt_project or self.names.prefix,
            target.dbt_version,
            target.run_timeout,
            self.names.owner.target,
            self.project.root,
            tuple(pipe.table_name for pipe in self.project.pipes),
            tuple(pipe.name for pipe in self.project.pipes),
            (self.schemas[SYSTEM].address, self.warehouse.address),
            settings.publish.default_lag,
        )
        if target.runner == "service":
            self._note_tasks()
            return list(map_news(place))
        tasks, readable = dict(settings.tasks), self.readable
        project = map_dbt_project(
            self.project,
            place,
            sql.name(target.role),
            (*(each.address for each in self._schemas()), self.warehouse.address),
            self.findings,
        )
        return [project, *map_tasks(tasks, place, self.findings, readable)]

    def _note_tasks(self) -> None:
        """Say which tasks nobody runs: a machine that follows builds by dbt alone."""
        for name, task in self.project.settings.tasks.items():
            if task.dbt is None:
                told = "nobody runs it: `snowmelt up --target` builds, and no more"
                self.findings.remark(self.findings.settings("tasks", name), told)

    def _alerts(self) -> list[Entity]:
        bronze = self.project.settings.layers.bronze
        tables = {
            pipe.name: sql.path(self.names.database, bronze, f"{pipe.table_name}__all")
            for pipe in self.project.pipes
        }
        needs = [Address("snowflake", "table", each) for each in tables.values()]
        around = Around(
            self.names.database,
            SYSTEM,
            self.names.prefix,
            self.warehouse.name,
            tables,
            (self.schemas[SYSTEM].address, self.warehouse.address, *needs),
            self.readable,
        )
        return map_alerts(self.project.settings.alerts, around, self.findings)
