"""The project in `projects/small`: every way of building, as small as it can be.

Four pipes (orders; customers, a feed of snapshots; items, lines of JSON; visits) and a
model of every kind. A project that is warm has been built, its recordings are
confirmed, and it is copied for a test in milliseconds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shop import Shop
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.transform.dbt import Dbt, DbtBuild
from snowmelt.transform.package import write_package
from snowmelt.transform.recording import has_effect
from snowmelt.warehouse.port import Session

PROJECT = Path(__file__).with_name("projects") / "small"
NOT_COMPARED = ("gold.order_movements",)
"""What a ledger holds depends on when runs were; the balance made of it does not."""
ORDERS = "order_id,customer_id,ship_state,status,amount,ordered_on,updated_at\n"
CUSTOMERS = "customer_id,state,score\n"
VISITS = "visit_id,customer_id,pages\n"
SENT = "rebuild.json"

Tables = dict[str, list[str]]


@dataclass(frozen=True)
class Warm:
    """A project that runs by replay, and what dbt sends to build it from nothing."""

    root: Path
    rebuild: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Warm:
        """Return what `warm_up` put there."""
        return cls(folder / "shop", tuple(json.loads((folder / SENT).read_text())))

    def copy(self, root: Path) -> Shop:
        """Make a project of one's own of it."""
        shutil.copytree(self.root, root, symlinks=True)
        return Shop(root)


class OpenSmall(OwnCommands):
    """The commands of an open project, and what lies beneath them."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop, serving=False)
        self.loop = loop
        self.warehouse = loop.parts.warehouse

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.snapshot() as session:
            return session.rows(sql)


@contextmanager
def open_small(shop: Shop) -> Iterator[OpenSmall]:
    """Own the warehouse in this process."""
    with opened(load_project(shop.root), SystemClock(), Events()) as parts:
        loop = Loop(parts)
        try:
            yield OpenSmall(loop)
        finally:
            loop.close()


def make_small(root: Path) -> Shop:
    """Make the project, with nothing in it."""
    shutil.copytree(PROJECT, root)
    (root / "landing").mkdir()
    write_package(root)
    return Shop(root)


def warm_up(folder: Path) -> None:
    """Build the project, and let dbt say twice what it sends."""
    folder.mkdir()
    shop = make_small(folder / "shop")
    with open_small(shop) as commands:
        ways = []
        for number in range(4):
            shop.land_bytes(
                f"orders_warm_{number}.csv",
                f"{ORDERS}w{number},c1,aa,open,1.00,2024-01-01,\n".encode(),
            )
            shop.land_bytes(
                f"customers_2023-01-{number + 1:02d}.csv",
                f"{CUSTOMERS}c1,aa,{number}\n".encode(),
            )
            shop.land_bytes(
                f"items_warm_{number}.json",
                b'{"order_id":"w%d","line":1,"sku":"a1","quantity":1,"price":1.50}\n'
                % number,
            )
            shop.land_bytes(
                f"visits_warm_{number}.csv", f"{VISITS}{number},c1,{number}\n".encode()
            )
            run = commands.run(None)["run"]
            assert run["state"] == "SUCCEEDED", run
            ways.append(commands.rows(f"{WAYS} where run_id = '{run['run_id']}'"))
        assert [way for ((way, _),) in ways] == ["dbt", "dbt", "dbt", "replay"], ways
        with sent_by_dbt() as builds:
            assert commands.rebuild()["run"]["state"] == "SUCCEEDED"
    statements = [
        statement
        for node, sent in builds[0].sent.items()
        if node.startswith("model.")
        for statement in sent
        if has_effect(statement)
    ]
    (folder / SENT).write_text(json.dumps(statements))


WAYS = "select way, fallback_reason from snowmelt.run_history"


@contextmanager
def sent_by_dbt() -> Iterator[list[DbtBuild]]:
    """Keep every build of dbt."""
    builds: list[DbtBuild] = []
    with pytest.MonkeyPatch.context() as patch:
        original = Dbt.build

        def building(self: Dbt, *given: Any) -> DbtBuild:
            builds.append(original(self, *given))
            return builds[-1]

        patch.setattr(Dbt, "build", building)
        yield builds


def tables_of(session: Session) -> Tables:
    """Return every row of silver, gold and quarantine, and the accounts of live loads.

    Sorted, as text: equal means equal.
    """
    names = session.rows(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('silver', 'gold', 'quarantine') order by 1"
    )
    found = {
        name: sorted(map(repr, session.rows(f"select * from {name}")))
        for (name,) in names
        if name not in NOT_COMPARED
    }
    found["snowmelt.row_tallies"] = sorted(
        map(
            repr,
            session.rows(
                "select tallies.* from snowmelt.row_tallies as tallies "
                "join snowmelt.load_history using (load_seq) "
                "where superseded_by is null"
            ),
        )
    )
    return found


class _Undo(Exception):
    """Take back what was built only to be compared."""


def rebuilt(session: Session, statements: Sequence[str]) -> Tables:
    """Return what dbt's own build from nothing would make, and take it back."""
    found: Tables = {}
    try:
        with session.transaction():
            for statement in statements:
                session.execute(statement)
            found = tables_of(session)
            raise _Undo  # noqa: TRY301 - what takes a transaction back
    except _Undo:
        return found


def differences(made: Tables, wanted: Tables) -> list[str]:
    """Return the rows that are in only one of the two."""
    told = []
    for name in sorted(made.keys() | wanted.keys()):
        left, right = made.get(name, ["no table"]), wanted.get(name, ["no table"])
        if left != right:
            told += [f"{name}: only incremental: {row}" for row in _less(left, right)]
            told += [f"{name}: only rebuilt: {row}" for row in _less(right, left)]
    return told


def _less(rows: list[str], others: list[str]) -> list[str]:
    left = list(rows)
    for other in others:
        if other in left:
            left.remove(other)
    return left
