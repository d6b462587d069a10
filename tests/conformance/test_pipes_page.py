"""What pages say of pipes and rejects from sums is what history says, step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_shop import Shop, columns, open_shop

from snowmelt.bronze.rejects import LISTED
from snowmelt.service.commands import OwnCommands
from snowmelt.service.numbers import standing

PIPES = [
    {
        "name": name,
        "pattern": f"{name}*.csv",
        "on_error": on_error,
        "contract": columns("id integer"),
    }
    for name, on_error in (("t", "continue"), ("u", "skip_file"))
]
NEWEST_OF_A_FILE = """
    select rejects.load_seq, rejects.file_row
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.replayed_by is null
      and history.superseded_by is null
      and (
          history.status = 'Partially loaded'
          or not exists (
              select 1 from snowmelt.load_history as later
              where later.file_name = history.file_name
                and later.load_seq > history.load_seq
          )
      )
"""
COUNTED = """
    select
        count(*) filter (status in ('Loaded', 'Partially loaded')),
        count(*) filter (status = 'Load failed'),
        coalesce(sum(row_count), 0)
    from snowmelt.load_history
    where superseded_by is null and pipe_name = $1
"""


def of(name: str, pipes: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (each for each in pipes if each["pipe_name"] == name)
    return found


def look(shop: Shop, commands: OwnCommands) -> set[tuple[int, int]]:
    """Compare what pages and commands say with history itself; return what is listed.

    Asked twice, so that what is remembered is compared, too.
    """
    for _ in range(2):
        pipes, status = commands.pipes(), commands.status()["pipes"]
        for each in pipes["pipes"]:
            told = of(each["pipe_name"], status)
            assert told.pop("pipe_status")["executionState"] == each["execution_state"]
            assert told == each
            counted = (each["files_loaded"], each["files_failed"], each["row_count"])
            assert [counted] == shop.rows(COUNTED, [each["pipe_name"]])
        listed = set(shop.rows(f"select rejects.load_seq, file_row {LISTED}"))
        assert listed == set(shop.rows(NEWEST_OF_A_FILE))
        groups = commands.reject_groups(None, None)
        assert groups["count"] == len(listed)
        assert set(standing(shop.loop).pending_files) == {"t", "u"}
    return listed


def test_sums_follow_whatever_happens(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", PIPES) as shop:
        commands = OwnCommands(shop.loop, serving=False)

        def landed(name: str, content: bytes) -> Callable[[], None]:
            def land() -> None:
                shop.land(name, content)
                shop.load()

            return land

        assert look(shop, commands) == set()
        steps = [
            (1, landed("t_1.csv", b"id\n1\nx\n")),
            (1, landed("t_2.csv", b"id\n2\n3\n")),
            (2, landed("u_1.csv", b"id\nx\n5\n")),
            (2, lambda: commands.pause("t", "a person")),
            (2, lambda: commands.resume("t")),
            (1, landed("u_1.csv", b"id\n5\n6\n")),
            (2, landed("t_1.csv", b"id\n1\nx\ny\n")),
            (2, lambda: commands.reload(["t_2.csv"])),
            (0, landed("t_1.csv", b"id\n1\n7\n8\n")),
        ]
        for number, (count, step) in enumerate(steps):
            step()
            assert len(look(shop, commands)) == count, number
        assert of("t", commands.pipes()["pipes"])["row_count"] == 5
