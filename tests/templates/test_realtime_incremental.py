"""Whatever arrives, in whatever order: the feed built step by step is a rebuild.

A history is drawn from a seed: the records of a dirty feed cut into parts, landed in
random order under stamped names, in folders, or as one users.csv that grows and is
written over; some again under other names, some corrected under their own name and
corrected back, some as other versions that come late. Half of the histories have a pipe
whose corrected files supersede. Runs happen in between, by replay. At the end silver,
gold and quarantine must equal what `rebuild` makes of the same bronze.
"""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Arrival, live_through
from realtime_feed import TABLES, feed, quarantined

from forms import with_long
from shop import Shop
from snowmelt.synth.realtime import make_realtime

SEEDS = with_long(range(40), 0)

Record = dict[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Every record of a dirty feed of three months."""
    files = tmp_path_factory.mktemp("made")
    make_realtime(files, feed(80, rate=1, dirty=0.3, seed=5))
    records = []
    for path in sorted(files.iterdir()):
        with path.open(newline="") as lines:
            records += list(csv.DictReader(lines, restval=""))
    return records


def write(records: list[Record], rng: random.Random) -> bytes:
    """Return the bytes of a file, its columns in some order."""
    text = io.StringIO()
    columns = rng.sample(list(records[0]), k=len(records[0]))
    writer = csv.DictWriter(text, columns, lineterminator=rng.choice(["\n", "\r\n"]))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def alter(record: Record, made: list[Record], rng: random.Random) -> Record:
    """Return another version of a record; it may be worse, or better."""
    order = rng.choice([each["order_id"] for each in made if each["order_id"]])
    user = f"u{rng.randint(1, 8)}"
    return record | rng.choice(
        [
            {"event_at": f"2024-0{rng.randint(4, 8)}-0{rng.randint(1, 9)} 12:00"},
            {"event_at": rng.choice(["", "never", "2199-01-01"])},
            {"event_type": rng.choice(["order", "Cancel", "visit", "profile", "?"])},
            {"event_type": "order", "amount": rng.choice(["0", "7.005", "x", "31"])},
            {"event_type": "order", "order_id": order, "amount": "3", "region": ""},
            {"event_type": "cancel", "order_id": order},
            {"user_id": user},
            {"region": rng.choice(["", "emea", "MARS"])},
            {"user_id": user, "email": rng.choice(["", "no address", "a@example.org"])},
        ]
    )


def draw(made: list[Record], rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of one history."""
    arrivals = []
    records = rng.sample(made, k=len(made))
    parts = rng.randint(3, 6)
    for part in range(parts):
        chosen = records[part::parts]
        versions = [chosen]
        if rng.random() < 0.6:  # corrected: fewer rows, other values, same name
            kept = [each for each in chosen if rng.random() < 0.7] or chosen[:1]
            versions.append([alter(each, made, rng) for each in kept])
            if rng.random() < 0.5:  # and back to the first
                versions.append(chosen)
        day = f"2024-0{rng.randint(5, 9)}-{rng.randint(1, 28):02d}"
        name = rng.choice([f"users_{day}_{part}.csv", f"{day}/{part}/users.csv"])
        bodies = [write(rows, rng) for rows in versions]
        bodies[2:] = bodies[:1] if len(bodies) > 2 else []  # the very bytes again
        arrivals += [Arrival(name, body) for body in bodies]
        if rng.random() < 0.5:  # again, under another name
            arrivals.append(Arrival(f"again/users_{part}.csv", bodies[0]))
    late = [
        [alter(each, made, rng) for each in rng.sample(records, k=rng.randint(1, 12))]
        for _ in range(4)
    ]
    arrivals += [
        Arrival(f"late/users_2024-1{number}-01.csv", write(rows, rng))
        for number, rows in enumerate(late[:2])
    ]
    rng.shuffle(arrivals)
    # one file that grows, then is written over; its versions stay in their order
    grown = [late[2], late[2] + late[3], late[3], late[2]]
    for number, place in enumerate(sorted(rng.choices(range(len(arrivals)), k=4))):
        arrivals.insert(place + number, Arrival("users.csv", write(grown[number], rng)))
    yield from arrivals


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_equals_rebuild(
    tmp_path: Path, warm_realtime: Path, made: list[Record], seed: int
) -> None:
    shutil.copytree(warm_realtime, tmp_path / "feed", symlinks=True)
    supersedes = seed % 2 == 1
    if supersedes:
        pipe = tmp_path / "feed" / "pipes" / "users.yml"
        text = pipe.read_text()
        assert "on_same_name_changed: append" in text
        pipe.write_text(text.replace("changed: append", "changed: supersede"))
    rng = random.Random(seed)
    met = live_through(
        Shop(tmp_path / "feed"),
        draw(made, rng),
        rng,
        tables=TABLES,
        quarantined=quarantined,
    )
    assert met["replay"], f"seed {seed} replayed nothing: {met}"
    assert bool(met["superseded"]) == supersedes, f"seed {seed}: {met}"
