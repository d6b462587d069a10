"""Who may do what: roles, what they are granted to, privileges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, Optioned, address_of
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Written

BUILDS = ("USAGE", "CREATE TABLE", "CREATE VIEW", "CREATE STREAM")
"""What builds models in a schema; they own their streams, in the schema they are in."""
BUILDS_SCHEMAS = ("CREATE SCHEMA", "USAGE")
_PLURALS = {"FILE FORMAT": "FILE FORMATS", "MASKING POLICY": "MASKING POLICIES"}


@dataclass(frozen=True)
class Role(Optioned):
    """A role; what it may is granted by `Grant`s."""

    kind: ClassVar[str] = "role"
    noun: ClassVar[str] = "ROLE"
    traits: ClassVar[Traits] = Traits(rank=18)

    def options(self) -> Mapping[str, Written]:
        return {}

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW ROLES."""
        return Found(
            address_of(Role.kind, sql.as_kept(row["name"])),
            {},
            Mark.read(row["comment"]),
            Role.traits,
        )


@dataclass(frozen=True)
class RoleGrant(Entity):
    """A role of ours granted to the role above it."""

    kind: ClassVar[str] = "role_grant"
    noun: ClassVar[str] = "ROLE"
    traits: ClassVar[Traits] = Traits(rank=19)

    role: str
    parent: str

    @classmethod
    def of(cls, role: str, parent: str, needs: tuple[Address, ...]) -> RoleGrant:
        """Return the grant of a role to another."""
        return cls(f"{role} TO {parent}", role, parent, needs=needs)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"granted": True}

    def create(self, mark: Mark) -> list[str]:
        return [f"GRANT ROLE {self.role} TO ROLE {self.parent}"]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return self.create(mark)


@dataclass(frozen=True)
class Grant(Entity):
    """Privileges of one role on an object, or on all of a kind, now and later."""

    kind: ClassVar[str] = "grant"
    noun: ClassVar[str] = "GRANT"
    traits: ClassVar[Traits] = Traits(rank=19)

    privileges: tuple[str, ...]
    on: str
    """A kind, such as SCHEMA."""
    target: str
    """Its name; of future ones, the name of what they are in."""
    role: str
    inside: str = ""
    """Of future ones: DATABASE or SCHEMA."""

    @classmethod
    def of(
        cls,
        role: str,
        privileges: Iterable[str],
        on: str,
        target: str,
        *,
        needs: tuple[Address, ...],
    ) -> Grant:
        """Return a grant on something that is there."""
        given = tuple(sorted(privileges))
        return cls(grant_name(role, on, target), given, on, target, role, needs=needs)

    @classmethod
    def future(
        cls,
        role: str,
        privileges: Iterable[str],
        on: str,
        schema: str,
        *,
        needs: tuple[Address, ...],
    ) -> Grant:
        """Return a grant on everything of a kind in a schema, now and later."""
        given = tuple(sorted(privileges))
        name = grant_name(role, on, schema, "SCHEMA")
        return cls(name, given, on, schema, role, "SCHEMA", needs=needs)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"privileges": self.privileges}

    def create(self, mark: Mark) -> list[str]:
        return self._grant(self.privileges)

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        there = _there(found)
        more = [each for each in self.privileges if each not in there]
        less = [each for each in there if each not in self.privileges]
        return [*(self._grant(more) if more else ()), *self._revoke(less)]

    def _grant(self, privileges: Iterable[str]) -> list[str]:
        words = ", ".join(privileges)
        return [f"GRANT {words} ON {on} TO ROLE {self.role}" for on in self._places()]

    def _revoke(self, privileges: Collection[str]) -> list[str]:
        words = ", ".join(privileges)
        return [
            f"REVOKE {words} ON {on} FROM ROLE {self.role}"
            for on in self._places()
            if privileges
        ]

    def _places(self) -> list[str]:
        return grant_places(self.on, self.target, self.inside)


def grant_places(on: str, target: str, inside: str) -> list[str]:
    """Return what a grant is on; one for the future is on what is there by now, too.

    What is to come goes last: it is what looking finds, so all else is done by then.
    Of pipes nothing is granted in bulk, and what is to come comes after its grants
    (https://docs.snowflake.com/en/sql-reference/sql/grant-privilege).
    """
    if on == "ACCOUNT":
        return ["ACCOUNT"]
    if not inside:
        return [f"{on} {target}"]
    many = _PLURALS.get(on, f"{on}S")
    to_come = f"FUTURE {many} IN {inside} {target}"
    return [to_come] if on == "PIPE" else [f"ALL {many} IN {inside} {target}", to_come]


def grant_name(role: str, on: str, target: str, inside: str = "") -> str:
    """Return the name of a grant: it has none of its own."""
    if on == "ACCOUNT":
        return f"{role} ON ACCOUNT"
    if inside:
        return f"{role} ON FUTURE {_PLURALS.get(on, on + 'S')} IN {target}"
    return f"{role} ON {on} {target}"


def drop_grant(found: Found) -> list[str]:
    """Return what revokes a grant that is not wanted any more."""
    privileges = ", ".join(_there(found))
    role, on, target, inside = (
        found.outputs[k] for k in ("role", "on", "target", "in")
    )
    return [
        f"REVOKE {privileges} ON {place} FROM ROLE {role}"
        for place in grant_places(on, target, inside)
    ]


def _there(found: Found | None) -> tuple[str, ...]:
    given = found.properties["privileges"] if found else ()
    assert isinstance(given, tuple)
    return tuple(str(each) for each in given)


def found_grants(
    role: Row, rows: Collection[Row], future: Collection[Row]
) -> list[Found]:
    """Read SHOW GRANTS TO ROLE and SHOW FUTURE GRANTS TO ROLE, of a role.

    What a role of ours was granted is ours; owning is no grant.
    """
    mark = _mark_of(role)
    name = sql.as_kept(role["name"])
    gathered: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        on = str(row["granted_on"]).replace("_", " ")
        if row["privilege"] != "OWNERSHIP" and on != "ROLE":
            target = "" if on == "ACCOUNT" else _target(on, str(row["name"]))
            gathered.setdefault((on, target, ""), []).append(str(row["privilege"]))
    for row in future:
        on = str(row["grant_on"]).replace("_", " ")
        # SHOP.BRONZE.<TABLE>: in a schema
        target = sql.rewritten(str(row["name"]).rpartition(".")[0])
        if target.count(".") == 1:
            gathered.setdefault((on, target, "SCHEMA"), []).append(
                str(row["privilege"])
            )
    return [
        Found(
            address_of(Grant.kind, grant_name(name, on, target, inside)),
            {"privileges": tuple(sorted(set(privileges)))},
            mark,
            Grant.traits,
            (address_of(Role.kind, name),),
            {"role": name, "on": on, "target": target, "in": inside},
        )
        for (on, target, inside), privileges in gathered.items()
    ]


def found_role_grants(role: Row, rows: Collection[Row]) -> list[Found]:
    """Read SHOW GRANTS OF ROLE: to which roles one of ours is granted."""
    name = sql.as_kept(role["name"])
    return [
        Found(
            address_of(RoleGrant.kind, f"{name} TO {sql.as_kept(row['grantee_name'])}"),
            {"granted": True},
            _mark_of(role),
            RoleGrant.traits,
            (address_of(Role.kind, name),),
            {"role": name, "parent": sql.as_kept(row["grantee_name"])},
        )
        for row in rows
        if row["granted_to"] == "ROLE"
    ]


def _target(on: str, told: str) -> str:
    """Return a target's name; that of a procedure has its arguments, and stays."""
    return told if "(" in told else sql.rewritten(told)


def _mark_of(role: Row) -> Mark | None:
    mark = Mark.read(role["comment"])
    return mark.of_what_belongs_to_it if mark else None


def drop_role_grant(found: Found) -> list[str]:
    """Return what takes a role back from the one above it."""
    return [f"REVOKE ROLE {found.outputs['role']} FROM ROLE {found.outputs['parent']}"]
