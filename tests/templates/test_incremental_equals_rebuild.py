"""Whatever arrives, in whatever order: incremental gold is rebuilt gold, row for row.

A history is drawn from a seed: the nine files cut into parts, landed in random order,
some again under other names, some corrected under their own name (so that a load is
superseded), some as older versions that come late. Runs happen in between. At the end
silver and gold must equal what `rebuild` makes of the same bronze.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from forms import with_long
from shop import Shop, contents
from snowmelt.synth.olist import make_olist

ORDERS = 60
SEEDS = with_long(range(40), 0)


@dataclass(frozen=True)
class Arrival:
    """Bytes that land under a name."""

    name: str
    content: bytes


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    files = tmp_path_factory.mktemp("made") / "files"
    make_olist(files, orders=ORDERS, seed=5)
    return {path.stem: path.read_bytes() for path in sorted(files.glob("*.csv"))}


def split(content: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header and the records; a record may hold line ends in quotes."""
    records = re.findall(rb'(?:"[^"]*"|[^"\n])*\n', content)
    assert b"".join(records) == content
    return records[0], records[1:]


def alter(record: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Return another version of a record: one value is that of another record.

    Never the first, which names the record; and none of a record that is quoted.
    """
    fields, other = (each.rstrip().split(b",") for each in (record, rng.choice(others)))
    if b'"' in record or len(fields) != len(other) or len(fields) == 1:
        return record
    at = rng.randrange(1, len(fields))
    fields[at] = other[at]
    return b",".join(fields) + b"\n"


def draw(made: dict[str, bytes], rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of one history."""
    arrivals = []
    for stem, content in made.items():
        header, records = split(content)
        if "geolocation" in stem:
            records = records[:200]
        rng.shuffle(records)
        parts = rng.randint(1, 3)
        for part in range(parts):
            chosen = records[part::parts]
            versions = [chosen]
            if rng.random() < 0.4:  # corrected: fewer rows, other values, same name
                kept = [r for r in chosen if rng.random() < 0.8]
                versions.append([alter(r, records, rng) for r in kept])
            if rng.random() < 0.2:  # and back to the first
                versions.append(chosen)
            # the date in the name is the version: parts of one table overlap in keys
            day = rng.randint(1, 28)
            name = f"{stem}_2018-02-{day:02d}_{part}.csv"
            arrivals += [Arrival(name, header + b"".join(rows)) for rows in versions]
            overlap = rng.sample(records, k=min(len(records), 5))
            arrivals.append(
                Arrival(
                    f"{stem}_2018-03-{rng.randint(1, 28):02d}_{part}_again.csv",
                    header
                    + b"".join(alter(record, records, rng) for record in overlap),
                )
            )
            if rng.random() < 0.3:
                arrivals.append(
                    Arrival(f"{stem}_copy_{part}.csv", header + b"".join(chosen))
                )
    rng.shuffle(arrivals)
    yield from arrivals


def live_through(shop: Shop, made: dict[str, bytes], seed: int) -> Counter[str]:
    """Let one history happen; return how often each kind of thing was met."""
    rng = random.Random(seed)
    met: Counter[str] = Counter()
    landed: set[str] = set()
    with shop.commands() as commands:
        for arrival in draw(made, rng):
            if arrival.name in landed and not met["corrected"]:
                met["corrected"] += 1  # once for certain: what lies there was loaded
                commands.run(None)
            landed.add(arrival.name)
            shop.land_bytes(arrival.name, arrival.content)
            if rng.random() < 0.12:
                run = commands.run(None)["run"]
                assert run is None or run["state"] == "SUCCEEDED", (seed, run)
                met["runs"] += 1
                met["refreshed"] += bool(run and run["full_refresh"])
        run = commands.run(None)["run"]
        assert run is None or run["state"] == "SUCCEEDED", (seed, run)
        incremental = contents(commands)
        rebuilt = commands.rebuild()["run"]
        assert rebuilt["state"] == "SUCCEEDED", (seed, rebuilt)
        after = contents(commands)
        for table, rows in incremental.items():
            assert rows == after[table], f"seed {seed}: {table} differs from a rebuild"
        assert after["gold.fct_orders"], "an empty gold proves nothing"
        for load in commands.history(None, None, 10_000)["loads"]:
            met[load["status"]] += 1
            met["superseded"] += load["superseded_by"] is not None
    return met


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_equals_rebuild(
    built_shop: Shop, made: dict[str, bytes], seed: int
) -> None:
    met = live_through(built_shop, made, seed)
    assert met["superseded"], f"seed {seed} superseded nothing: {met}"
    assert met["Load skipped"] or met["runs"], f"seed {seed} was too tame: {met}"
