"""What columns of contracts say of who may see what, as policies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.bronze import policy_type, snowflake_type
from snowmelt.deploy.snowflake.code import MaskingPolicy
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.places import Findings, PipeFile
from snowmelt.deploy.snowflake.row_access import RowAccess, RowAccessPolicy
from snowmelt.project.row_access import RowAccessRule

_MASKS = {
    "VARCHAR": "'***'",
    "VARIANT": "NULL",
}


@dataclass(frozen=True)
class Policies:
    """Where policies are, and who sees everything: who loads, builds and deploys."""

    database: str
    schema: str
    bronze: str
    seeing: tuple[str, ...]
    needs: tuple[Address, ...]

    def path(self, name: str) -> str:
        return sql.path(self.database, self.schema, name)

    def masking(self, files: Iterable[PipeFile]) -> dict[str, MaskingPolicy]:
        """Return a policy for each type of a column that tells of a person."""
        kinds = {
            policy_type(snowflake_type(column.type))
            for file in files
            for column in file.pipe.contract.columns
            if column.meta.pii
        }
        return {
            kind: MaskingPolicy(
                self.path(f"mask_{kind}"),
                kind,
                self.seeing,
                _MASKS.get(kind, "NULL"),
                needs=self.needs,
            )
            for kind in sorted(kinds)
        }

    def rows(
        self,
        rules: Mapping[str, RowAccessRule],
        files: Iterable[PipeFile],
        findings: Findings,
    ) -> list[Entity]:
        """Return the policies of a target, and on which tables of bronze they are."""
        made = {
            name: RowAccessPolicy(
                self.path(name),
                policy_type(snowflake_type(rule.type)),
                self.seeing,
                tuple(
                    (sql.name(role), tuple(str(each) for each in values))
                    for role, values in sorted(rule.sees.items())
                ),
                needs=self.needs,
            )
            for name, rule in rules.items()
        }
        on = [e for file in files for e in self._on(file, made, findings)]
        return [*made.values(), *on]

    def _on(
        self, file: PipeFile, made: Mapping[str, RowAccessPolicy], findings: Findings
    ) -> list[RowAccess]:
        found: list[RowAccess] = []
        table = sql.path(self.database, self.bronze, f"{file.pipe.table_name}__all")
        for at, column in enumerate(file.pipe.contract.columns):
            wanted = column.meta.row_access
            if wanted is None:
                continue
            where = file.at("contract", "columns", at, "meta", "row_access")
            policy = made.get(wanted)
            kind = policy_type(snowflake_type(column.type))
            if policy is None:
                known = ", ".join(sorted(made)) or "none"
                told = (
                    f"the target has no '{wanted}' below row_access: (known: {known})"
                )
                findings.refuse(where, told, "Write it in the target, or leave it out.")
            elif kind != policy.type:
                told = f"{column.name} is {kind}, and '{wanted}' is for {policy.type}"
                findings.refuse(where, told, f"Write type: {column.type} in its rule.")
            elif found:
                told = "a table has one row access policy, and another column names one"
                findings.refuse(where, told, "Leave one of both out.")
            else:
                needs = (policy.address, address_of("table", table))
                name = sql.name(column.name)
                found.append(RowAccess(table, policy.name, name, needs=needs))
        return found
