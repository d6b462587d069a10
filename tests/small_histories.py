"""Random histories of the small project: what lands, goes wrong and is mended.

Everything is drawn from one seed. Names bear dates, so that files come late; keys are
few, so that they meet; a part of the records is refused, by the contract or by a rule.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from shop import Shop
from small_project import (
    CUSTOMERS,
    ORDERS,
    VISITS,
    OpenSmall,
    Warm,
    differences,
    open_small,
    rebuilt,
    tables_of,
)
from snowmelt.gold.vacuum import RetentionConfig
from snowmelt.transform.build import RECORDINGS, Builder
from snowmelt.warehouse.duckdb.warehouse import DuckDBSession

BAD = ("forbidden", "negative", "thirteen")
"""What makes a run fail: a row rule, a test, a statement."""
STATEMENTS_MAX = 400


class Crashed(BaseException):
    """The process is gone: nothing of ours may catch it."""


_BESIDE = ("Thread-", "openlineage")
"""Threads of dbt's, which waits for them, and of exporters: they end with an error."""


@contextmanager
def crashes_at(statement: int) -> Iterator[None]:
    """Let every session fail from the n-th statement on, as a killed process does."""
    asked = 0
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "rows", "value", "table", "insert"):
            original = getattr(DuckDBSession, name)

            def counting(
                self: DuckDBSession,
                *given: Any,
                _original: Any = original,
                **named: Any,
            ) -> Any:
                nonlocal asked
                asked += 1
                if asked >= statement:
                    if threading.current_thread().name.startswith(_BESIDE):
                        raise RuntimeError("crashed")
                    raise Crashed
                return _original(self, *given, **named)

            patch.setattr(DuckDBSession, name, counting)
        yield


@contextmanager
def crashes_before_recordings_are_kept() -> Iterator[None]:
    """Let the process end between the commit of a run and the write of the cache."""

    def crashing(self: Builder) -> None:
        raise Crashed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Builder, "keep", crashing)
        yield


@dataclass
class History:
    """One project and what happens to it."""

    shop: Shop
    warm: Warm
    rng: random.Random
    steps: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    corrections: list[str] = field(default_factory=list)
    """Kinds of correction to come; histories that share the list meet every kind."""
    vacuums: random.Random | None = None
    """When what was superseded is let go, at once; drawn apart from what happens."""
    _landed: dict[str, list[bytes]] = field(default_factory=dict)
    _number: int = 0
    _bad: dict[str, bytes] = field(default_factory=dict)
    _commands: OpenSmall | None = None
    _opening: Any = None

    # ---- the process ----

    @property
    def commands(self) -> OpenSmall:
        if self._commands is None:
            self._opening = open_small(self.shop)
            self._commands = self._opening.__enter__()
        return self._commands

    def close(self) -> None:
        """End the process in peace."""
        if self._commands is not None:
            self._commands = None
            self._opening.__exit__(None, None, None)

    def _crash(self, dying: Any, told: str) -> None:
        """Run in a process that dies, and leave what is open."""
        commands = self.commands
        crashed = False
        with dying:
            try:
                commands.run(None)
            except Crashed:
                crashed = True
            with suppress(Crashed):
                self.close()
        self._commands = None
        self._note(told if crashed else "restart")

    # ---- what happens ----

    def happen(self, *first: Callable[[History], None]) -> None:
        """Let one case happen: these events, then some, with runs between them."""
        drawn = self.rng.choices(
            [each for each, _ in EVENTS],
            [weight for _, weight in EVENTS],
            k=self.rng.randint(1, 3),
        )
        for event in [*first, *drawn]:
            event(self)
            self.vacuum_perhaps()
            if self.rng.random() < 0.15:
                self.run()
        if self._bad and self.rng.random() < 0.8:
            self.cure()
        self.run()
        self.cure()
        self.run()

    def _note(self, kind: str, told: str = "") -> None:
        self.met[kind] += 1
        self.steps.append(f"{kind} {told}".strip())

    def _land(self, name: str, content: bytes, *, comes_again: bool = True) -> None:
        if comes_again:
            self._landed.setdefault(name, []).append(content)
        self.shop.land_bytes(name, content)
        self.steps.append(f"  {name}: {content!r}")

    def vacuum_perhaps(self) -> None:
        """Let go of all that nobody needs, as if nothing was kept for any time."""
        if self.vacuums is None or self.vacuums.random() < 0.3:
            return
        vacuum = self.commands.loop.parts.vacuum
        vacuum.config = RetentionConfig.model_validate({"superseded": 0})
        vacuum.rows_max = self.vacuums.choice([1, 3, 1000])
        done = vacuum.step()
        while done.more:
            self.met["vacuumed"] += done.rows
            self.met["rejects vacuumed"] += done.rejects
            done = vacuum.step()
        self.met["vacuumed"] += done.rows
        self.met["rejects vacuumed"] += done.rejects
        self.steps.append(f"vacuum: {done}")

    def run(self) -> None:
        """Load what waits and publish; only a bad row may make that fail."""
        run = self.commands.run(None)["run"]
        self.vacuum_perhaps()
        self.steps.append(
            f"run: {run and {k: run[k] for k in ('state', 'way', 'fallback_reason')}}"
        )
        if run is None:
            return
        self.met[f"run by {run['way']}"] += 1
        self.met["run refreshed"] = self._refreshed()
        if run["state"] != "SUCCEEDED":
            self._note("run failed", str(run["failures"])[:300])
            assert self._bad, f"nothing is wrong, and a run failed: {run}"

    def _refreshed(self) -> int:
        """Count the runs that corrections made refresh a model.

        One command may publish several times, and answers with the last one.
        """
        sql = (
            "select count(*) from snowmelt.run_history "
            "where fallback_reason like 'corrections refresh %'"
        )
        return int(self.commands.rows(sql)[0][0])

    def _new_name(self, pipe: str) -> str:
        self._number += 1
        end = "json" if pipe == "items" else "csv"
        day = f"2024-{self.rng.randint(1, 2):02d}-{self.rng.randint(1, 9):02d}"
        dated = pipe == "customers" or self.rng.random() < 0.8
        return f"{pipe}_{day if dated else 'x'}_{self._number}.{end}"

    def _pipe(self) -> str:
        pipes, weights = ("orders", "items", "customers", "visits"), (5, 4, 2, 1)
        return self.rng.choices(pipes, weights)[0]

    def new_file(self) -> None:
        pipe = self._pipe()
        self._note("new file", pipe)
        self._land(self._new_name(pipe), self.content(pipe))

    def correction(self) -> None:
        name = self._known_name()
        if name is None:
            return
        if not self.corrections:
            kinds = ["changed", "emptied", "all refused", "back", "repeat"]
            self.corrections += self.rng.sample(kinds, len(kinds))
        kind = self.corrections.pop()
        pipe = name.split("_")[0]
        versions = self._landed[name]
        if kind == "changed":
            content = self.content(pipe)
        elif kind == "emptied":
            content = HEADERS[pipe].encode()
        elif kind == "all refused":
            content = (HEADERS[pipe] + REFUSED[pipe] * 2).encode()
        else:
            content = versions[0] if kind == "back" else versions[-1]
        self._note(f"correction: {kind}", name)
        self._land(name, content)

    def _known_name(self) -> str | None:
        """Choose a file; that of visits that are corrected makes a run slow."""
        names = [each for each in self._landed if not each.startswith("visits")]
        return self.rng.choice(names) if names else None

    def correct_blindly(self) -> None:
        """Correct what an ordinary incremental model reads: it is made anew."""
        self._note("correction below a blind model")
        name = self._new_name("visits")
        self._land(name, self.content("visits"))
        self.run()
        self._land(name, self.content("visits"))

    def copy(self) -> None:
        """Land known content under another name; often what it repeats then goes."""
        name = self._known_name()
        if name is None:
            return
        pipe = name.split("_")[0]
        self._note("copy", name)
        self._land(self._new_name(pipe), self._landed[name][-1])
        if self.rng.random() < 0.6:
            self._note("copy outlives its origin", name)
            self._land(name, self.content(pipe))

    def several_loads(self) -> None:
        """Load several times before anything is published; names come again."""
        self._note("several loads in one run")
        self.commands.loop.publishes = False
        try:
            for _ in range(self.rng.randint(2, 3)):
                self.rng.choice([History.new_file, History.correction, History.copy])(
                    self
                )
                self.commands.run(None)
        finally:
            self.commands.loop.publishes = True

    def replay(self) -> None:
        """Mend what the contract refused, and give it back."""
        path = self.shop.root / "rejects.ndjson"
        path.unlink(missing_ok=True)
        refused = f"{ORDERS}{order_row(self.rng)}{REFUSED['orders']}"
        self._land(self._new_name("orders"), refused.encode())
        self.run()
        if not self.commands.export_rejects(str(path), "ndjson", None, None)["count"]:
            return
        lines = []
        records = map(json.loads, path.read_text().splitlines())
        # lanes load side by side: the order of loads is not the history's
        for record in sorted(
            records, key=lambda each: (each["file_name"], each["file_row"])
        ):
            if self.rng.random() < 0.7:
                raw = record["rejected_record"]
                record["rejected_record"] = raw.replace(
                    "broken", self.rng.choice("123")
                )
                lines.append(json.dumps(record))
        if lines:
            path.write_text("\n".join(lines) + "\n")
            replayed = self.commands.replay(str(path))["replayed"]
            self.met["replay"] += any(each["loaded"] for each in replayed)
            self.steps.append(f"replay: {replayed}")

    def bad(self) -> None:
        """Land a row that makes a run fail; until it is cured, every run does."""
        kind = self.rng.choice(BAD)
        self._number += 1
        if kind == "forbidden":
            name, row = f"orders_bad_{self._number}.csv", "o1,c1,aa,{},5,,\n"
            content = ORDERS + row.format("forbidden")
            cured = ORDERS + row.format("paid")
        else:
            name = f"items_bad_{self._number}.json"
            quantity, price = (13, 5) if kind == "thirteen" else (9, -9999)
            order = "w0" if kind == "negative" else "o1"
            content = item(order, 3, "a1", quantity, price)
            cured = item(order, 3, "a1", 12, 5)
        self._note(f"bad: {kind}", name)
        self._land(name, content.encode(), comes_again=False)
        self._bad[name] = cured.encode()
        self.run()

    def cure(self) -> None:
        """Correct what made runs fail, under its own name."""
        for name, content in self._bad.items():
            self._land(name, content, comes_again=False)
        if self._bad:
            self.commands.run(None)
        self._bad.clear()

    def crash_in_a_load(self) -> None:
        """End the process at one of the first statements: most are of a load."""
        self.new_file()
        self._crash(crashes_at(self.rng.randint(1, 40)), "crash in a load")

    def crash_in_a_run(self) -> None:
        """End the process at any statement of a publication."""
        self._load_only()
        at = int(STATEMENTS_MAX ** self.rng.uniform(0.4, 1))
        self._crash(crashes_at(at), "crash in a run")

    def crash_after_commit(self) -> None:
        self._load_only()
        self._crash(crashes_before_recordings_are_kept(), "crash after commit")

    def _load_only(self) -> None:
        self.commands.loop.publishes = False
        self.new_file()
        self.commands.run(None)
        self.commands.loop.publishes = True

    def lose_recordings(self) -> None:
        """Delete or damage the cache of recordings while no process runs."""
        self.close()
        path = self.shop.root / RECORDINGS
        if not path.exists():
            return
        kind = self.rng.choice(["deleted", "digest", "shape", "torn"])
        if kind == "deleted":
            path.unlink()
        elif kind == "torn":
            path.write_text(path.read_text()[: self.rng.randint(0, 5000)])
        else:
            document = json.loads(path.read_text())
            path.write_text(json.dumps(document | {kind: "another"}))
        self._note("recordings lost", kind)

    def restart(self) -> None:
        self.close()
        self._note("restart")

    # ---- contents ----

    def content(self, pipe: str) -> bytes:
        """Write a file of a pipe: some records, some of them refused."""
        rng = self.rng
        rows = [ROWS[pipe](rng) for _ in range(rng.randint(1, 6))]
        if rng.random() < 0.15:
            rows.append(REFUSED[pipe])
            self.met["rejects"] += 1
        rng.shuffle(rows)
        return (HEADERS[pipe] + "".join(rows)).encode()

    # ---- what came of it ----

    def check(self) -> None:
        """Assert that what was built step by step is what dbt builds from nothing."""
        with self.commands.warehouse.session() as session:
            made = tables_of(session)
            wanted = rebuilt(session, self.warm.rebuild)
        found = differences(made, wanted)
        assert not found, "\n".join(found[:20])
        self.met["quarantined"] += len(made["quarantine.silver__orders"])
        assert made["gold.fct_orders"], "an empty gold proves nothing"

    def check_by_rebuild(self) -> None:
        """Assert it by the verb itself; what is built from then on stands on that."""
        with self.commands.warehouse.session() as session:
            made = tables_of(session)
        run = self.commands.rebuild()["run"]
        assert run["state"] == "SUCCEEDED", run
        with self.commands.warehouse.session() as session:
            found = differences(made, tables_of(session))
        assert not found, "\n".join(found[:20])
        self.met["rebuild"] += 1


def odd_key(rng: random.Random, letter: str, count: int) -> str:
    """Return a key as people write it: in any case, with spaces, or not at all."""
    key = f"{letter}{rng.randint(1, count)}"
    forms = (key, key, key, key, key.upper(), f" {key} ", f"{key.upper()} ", "", "  ")
    return rng.choice(forms) if rng.random() < 0.3 else key


def order_row(rng: random.Random) -> str:
    status = rng.choice(["open", "paid", "sent", " Sent ", "lost", ""])
    amount = rng.choice(["", "0.00", "12.5", "999.99", "1000.01", "-1", "7"])
    month = rng.choice(["", "2024-01-15", "2024-02-29", "2024-03-01", "2024-03-31"])
    updated = rng.choice(["", "", "2024-01-01 10:00:00", "2024-01-02 10:00:00"])
    state = rng.choice(["aa", "AA ", "bb", "cc", ""])
    customer = odd_key(rng, "c", 5)
    order = odd_key(rng, "o", 20)
    return f"{order},{customer},{state},{status},{amount},{month},{updated}\n"


def customer_row(rng: random.Random) -> str:
    state = rng.choice(["aa", "bb", "cc", "", " "])
    return f"{odd_key(rng, 'c', 5)},{state},{rng.randint(1, 9)}\n"


def visit_row(rng: random.Random) -> str:
    return f"{rng.randint(1, 40)},{odd_key(rng, 'c', 5)},{rng.randint(1, 20)}\n"


def item(
    order: str | None, line: int | None, sku: str, quantity: int, price: float
) -> str:
    record = {"order_id": order, "line": line, "sku": sku}
    return json.dumps(record | {"quantity": quantity, "price": price}) + "\n"


def item_row(rng: random.Random) -> str:
    order = odd_key(rng, "o", 8) or None
    line = rng.choice([1, 2, 3, None]) if rng.random() < 0.2 else rng.randint(1, 3)
    sku = rng.choice(["a1", "b2", "c3", "d4", "bad sku", ""])
    quantity = rng.choice([1, 2, 3, 12, 99, 0])
    return item(order, line, sku, quantity, rng.choice([0.01, 1.1, 2.35, 19.99]))


HEADERS = {"orders": ORDERS, "customers": CUSTOMERS, "visits": VISITS, "items": ""}
ROWS: dict[str, Callable[[random.Random], str]] = {
    "orders": order_row,
    "customers": customer_row,
    "items": item_row,
    "visits": visit_row,
}
REFUSED = {
    "orders": "o3,c2,aa,open,broken,2024-01-15,\n",
    "customers": "c3,aa,broken\n",
    "items": '{"order_id":"o3","line":1,"sku":"a1","quantity":"broken","price":1}\n',
    "visits": "7,c1,broken\n",
}
EVENTS: list[tuple[Callable[[History], None], float]] = [
    (History.new_file, 10),
    (History.correction, 8),
    (History.copy, 4),
    (History.several_loads, 3),
    (History.replay, 0.6),
    (History.bad, 0.5),
    (History.crash_in_a_load, 0.2),
    (History.crash_in_a_run, 0.8),
]
RARE: list[Callable[[History], None]] = [
    History.correct_blindly,
    History.lose_recordings,
    History.crash_after_commit,
    History.bad,
    History.crash_in_a_load,
]
"""What costs much, and so happens once in a history."""
