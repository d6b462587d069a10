"""What every row of a model is traced to: files, records and lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from snowmelt.service.commands import OwnCommands
from snowmelt.service.places import Places
from snowmelt.service.tracing import Tracing, find_model
from snowmelt.trace.backward import Backward
from snowmelt.trace.closure import RECORDS
from snowmelt.trace.models import BRONZE
from snowmelt.trace.origins import records_of_roots


class Place(NamedTuple):
    """Where a record stands: of one that is no line there is only its number."""

    file: str
    record: int
    line: int | None


Traced = dict[tuple[str, ...], set[Place]]


def traced(commands: OwnCommands, model: str, keys: Sequence[str]) -> Traced:
    """Return what every row of a model is traced to, by its key as text."""
    parts = commands._parts
    with Tracing(parts).opened() as (session, models):
        node = find_model(session, models, model)
        backward = Backward(session, models)
        backward.trace(node, "true")
        assert backward.coarse == []
        assert backward.decided == {}
        columns = ", ".join(f"cast({each} as varchar)" for each in keys)
        roots = {
            row[0]: row[1:]
            for row in session.rows(f"select rowid, {columns} from {node.key}")
        }
        found: Traced = {key: set() for key in roots.values()}
        assert len(found) == len(roots), f"{keys} is no key of {model}"
        names: dict[int, str] = dict(
            session.rows("select load_seq, file_name from snowmelt.load_history")
        )
        places = Places(parts, session)
        for relation in backward.closure.relations:
            if relation.kind != BRONZE:
                continue
            by_root = records_of_roots(backward.closure, relation)
            split = {
                row: divmod(row, RECORDS) for rows in by_root.values() for row in rows
            }
            lines = places.find(relation.key, split.values())
            for root, rows in by_root.items():
                for row in rows:
                    load_seq, record = split[row]
                    place = Place(names[load_seq], record, lines[split[row]].line)
                    found[roots[root]].add(place)
    return found


def traced_one(commands: OwnCommands, model: str, key: dict[str, Any]) -> set[Place]:
    """Return what one row is traced to, as the verb tells it."""
    words = [f"{name}={value}" for name, value in key.items()]
    told = json.loads(json.dumps(commands.trace(model, words, 10_000)))
    assert told["count"] == 1, key
    assert told["exact"], told["coarse"]
    return {
        Place(row["file_name"], row["file_row"], row["line"])
        for each in told["relations"]
        if each["kind"] == BRONZE
        for row in each["rows"]
    }
