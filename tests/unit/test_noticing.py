"""What a service says of files that are not any more what it read."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.project.project import load_project
from snowmelt.service.lane import Lane
from snowmelt.service.noticing import LOOK_SECONDS, Noticed, Noticing

ORDERS = (
    "name: orders\npattern: orders*.csv\n"
    "contract: {columns: [{name: id, type: integer}]}\n"
)
VISITS = ORDERS.replace("orders", "visits")
BEGUN = {
    "snowmelt.yml": "version: 1\nname: small\n",
    "dbt_project.yml": "name: small\nversion: '1.0.0'\nprofile: snowmelt\n",
    "pipes/orders.yml": ORDERS,
}
ALLOWED: dict[str, list[str | None]] = {
    "snowmelt.yml": [BEGUN["snowmelt.yml"], "version: 1\nname: other\n"],
    "pipes/orders.yml": [ORDERS, ORDERS + "description: Orders.\n"],
    "pipes/visits.yml": [None, VISITS, VISITS + "on_error: continue\n"],
}
OFF: list[tuple[str, str, str]] = [
    ("pipes/orders.yml", ORDERS + "patern: x\n", "pipes/orders.yml:4: patern"),
    ("pipes/visits.yml", ORDERS, "pipes/visits.yml"),
    ("pipes/visits.yml", "name: [", "pipes/visits.yml:1"),
    ("snowmelt.yml", "version: 1\nname: small\nlandin: {}\n", "snowmelt.yml:3: landin"),
]


class Clock:
    """Time that passes when a test says so."""

    at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        raise AssertionError(seconds, wake)


class AtOnce(Executor):
    """Does what it is given before it answers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Served:
    """A service's noticing, of a project as it began with it."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock, self.told = root, Clock(), 0
        for name, content in BEGUN.items():
            self.write(name, content)
        lane: Lane[Noticed] = Lane("project", lambda: None, AtOnce())
        self.noticing = Noticing(load_project(root), self.clock, lane, self._changed)
        self.look()

    def _changed(self) -> None:
        self.told += 1

    def write(self, name: str, content: str | None) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
            return
        beside = path.with_name(".beside")
        beside.write_text(content)
        beside.replace(path)

    def look(self) -> Noticed:
        for _ in range(2):  # one round begins to read, the next one takes what was read
            self.clock.at += LOOK_SECONDS
            self.noticing.turn()
        return self.noticing.noticed


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> pytest.TempPathFactory:
    return tmp_path_factory


WRITES = st.lists(
    st.sampled_from(sorted(ALLOWED)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(ALLOWED[name]))
    ),
    max_size=6,
)


@settings(max_examples=30)
@given(WRITES)
def test_exactly_the_files_that_differ_are_told(
    folders: pytest.TempPathFactory, writes: list[tuple[str, str | None]]
) -> None:
    served = Served(folders.mktemp("served"))
    there: dict[str, str | None] = dict(BEGUN)
    for name, content in writes:
        served.write(name, content)
        there[name] = content
        noticed = served.look()
        differ = {n for n in there if there[n] != BEGUN.get(n)}
        assert noticed.changes.keys() == differ
        assert noticed.problem is None
        assert len(noticed.told()) == len(differ)
        assert all("reads it after a restart" in told for told in noticed.told())


@pytest.mark.parametrize(("name", "content", "where"), OFF)
def test_a_file_that_is_off_is_told_with_its_line_and_forgotten_when_it_is_right(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    content: str,
    where: str,
) -> None:
    served = Served(tmp_path)
    with caplog.at_level(logging.INFO, "snowmelt"):
        served.write(name, content)
        noticed = served.look()
        assert served.told == 1
        assert len(noticed.told()) == 1
        assert where in noticed.told()[0]
        assert "would not start again" in noticed.told()[0]
        (document,) = noticed.documents()
        assert document["file"] == name
        assert where in document["problem"]
        assert where in caplog.records[-1].getMessage()
        served.look()
        assert (served.told, len(caplog.records)) == (1, 1), "it is told once"
        served.write(name, BEGUN.get(name))
        assert not served.look().changes
        assert served.told == 2
        assert "again as the service read them" in caplog.records[-1].getMessage()


def test_a_touched_file_is_no_other_one(tmp_path: Path) -> None:
    served = Served(tmp_path)
    os.utime(tmp_path / "pipes" / "orders.yml", (1, 1))
    assert not served.look().changes
    assert served.told == 0


def test_what_is_wrong_is_told_of_the_file_that_has_it(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.write("pipes/visits.yml", VISITS)
    served.write("pipes/orders.yml", ORDERS + "patern: x\n")
    served.write("snowmelt.yml", "version: 1\nname: other\n")
    documents = {each["file"]: each for each in served.look().documents()}
    assert [name for name, each in documents.items() if each["problem"]] == [
        "pipes/orders.yml"
    ]
    assert documents["pipes/visits.yml"]["change"] == "added"
