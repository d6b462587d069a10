"""A service whose folder is on a disk of its own: run inside a mount namespace.

`python on_a_disk.py full ROOT`: the disk fills up, and is made larger. `commit`: it
fills up in the midst of a commit. `read_only`: it cannot be written. What is seen goes
to stdout as one JSON object.
"""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

from small_shop import Shop, columns, open_shop

from snowmelt.errors import SnowmeltError

PIPES: list[dict[str, Any]] = [
    {
        "name": name,
        "pattern": f"{name}/*",
        "contract": columns("id integer, name varchar"),
    }
    for name in ("large", "small")
]


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def turn(shop: Shop, rounds: int, until: str) -> bool:
    """Turn the loop, as the service does, until a query says 1."""
    for _ in range(rounds):
        shop.loop.turn()
        if shop.rows(until) == [(1,)]:
            return True
        shop.loop.wake.wait(0.05)
        shop.loop.wake.clear()
    return False


def full(root: Path) -> dict[str, Any]:
    """Land a file that does not fit, and one that does; then give more room."""
    state = root / ".snowmelt"
    state.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", "size=24m", "none", str(state))
    large = b"id,name\n" + b"".join(
        b"%d,%s\n" % (number, (b"%x" % (number * 2654435761)) * 12)
        for number in range(400_000)
    )
    loaded = "select count(*)::int from snowmelt.load_history where pipe_name = '{}'"
    landing = {"settle": "0s", "refresh_every": "1s"}
    with open_shop(root, PIPES, landing=landing) as shop:
        shop.land("large/a.csv", large)
        first = turn(shop, 200, loaded.format("large"))
        told = list(shop.loop.problems)
        attempts = shop.rows("select count(*) from bronze.large")[0][0]
        mount("-o", "remount,size=600m", str(state))
        shop.land("small/b.csv", b"id,name\n1,a\n")
        small = turn(shop, 200, loaded.format("small"))
        again = turn(shop, 400, loaded.format("large"))
        rows = shop.rows("select count(*) from bronze.large")[0][0]
    return {
        "loaded_while_full": first,
        "rows_while_full": attempts,
        "told": told[-1] if told else "",
        "small": small,
        "loaded_after": again,
        "rows": rows,
    }


def commit(root: Path) -> dict[str, Any]:
    """Commit more than fits, then ask once more, and open it anew."""
    state = root / ".snowmelt"
    state.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", "size=16m", "none", str(state))
    said = io.StringIO()
    logging.basicConfig(stream=said)
    log = logging.getLogger("snowmelt")
    errors = []
    with open_shop(root, PIPES) as shop, shop.parts.warehouse.session() as session:
        for _ in range(2):
            try:
                with session.transaction():
                    session.execute(
                        "create table t as select md5(i::varchar) as a, "
                        "md5((-i)::varchar) as b from range(700000) as of(i)"
                    )
            except SnowmeltError as error:
                errors.append(error.as_document())
                log.exception("it could not be done")
    try:
        with open_shop(root, PIPES):
            pass
    except SnowmeltError as error:
        errors.append(error.as_document())
    return {"errors": errors, "said": said.getvalue()}


def read_only(root: Path) -> dict[str, Any]:
    """Open a project whose state cannot be written."""
    state = root / ".snowmelt"
    state.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", "ro,size=1m", "none", str(state))
    try:
        with open_shop(root, PIPES):
            return {"opened": True}
    except SnowmeltError as error:
        return error.as_document()


if __name__ == "__main__":
    act = {"full": full, "commit": commit, "read_only": read_only}[sys.argv[1]]
    print(json.dumps(act(Path(sys.argv[2]))))  # noqa: T201 - what the test reads
