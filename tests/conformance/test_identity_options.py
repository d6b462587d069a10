"""What a pipe says about files that are like others is what bronze holds.

Each combination of rules has its own simple account of the folder, kept here beside
the product and compared with bronze after every load: files are written, copied,
swapped, rotated and touched, and the process is started anew now and then.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError, UsageError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.identity import (
    Arrival,
    Identity,
    IdentityRules,
    LiveLoad,
    SameContent,
    SameName,
    Verdict,
    identify,
)
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = [f"t_{number}.csv" for number in range(3)]


def pipe(**options: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "pattern": "t*.csv",
        "on_error": "continue",
        "contract": columns("id integer"),
        **options,
    }


def rules(name: str = "supersede", content: str = "skip") -> IdentityRules:
    return IdentityRules(SameName(name), SameContent(content))


SNOWPIPE = IdentityRules(snowpipe_compat=True)
A1, A2 = LiveLoad(1, "a", "1", 9), LiveLoad(2, "a", "2", 9)
LEFT_OUT = LiveLoad(2, "a", "2", 0, ignored=True)
SKIPPED = LiveLoad(3, "a", "7", 0)


def loaded(days_ago: float, *, failed: bool = False) -> LiveLoad:
    at = NOON - timedelta(days=days_ago)
    return LiveLoad(1, "a", "1", 9, failed=failed, loaded_at=at)


@pytest.mark.parametrize(
    ("told", "name", "sha", "live", "given", "expected"),
    [
        ("append: both stay", "a", "2", [A1], rules("append"), (Verdict.LOAD, ())),
        ("append: back to A", "a", "1", [A1, A2], rules("append"), Verdict.UNCHANGED),
        (
            "append, after a skip",
            "a",
            "2",
            [SKIPPED],
            rules("append"),
            (Verdict.LOAD, ()),
        ),
        ("ignore", "a", "2", [A1], rules("ignore"), Verdict.IGNORED),
        ("ignore: new name", "b", "2", [A1], rules("ignore"), (Verdict.LOAD, ())),
        (
            "ignored once, touched",
            "a",
            "2",
            [A1, LEFT_OUT],
            rules("ignore"),
            Verdict.UNCHANGED,
        ),
        (
            "ignored once, changed",
            "a",
            "3",
            [A1, LEFT_OUT],
            rules("ignore"),
            Verdict.IGNORED,
        ),
        (
            "what was ignored is loaded once its name has no version",
            "a",
            "2",
            [LEFT_OUT],
            rules("ignore"),
            (Verdict.LOAD, (2,)),
        ),
        (
            "what was ignored is no version for other rules",
            "a",
            "2",
            [A1, LEFT_OUT],
            rules(),
            (Verdict.LOAD, (1, 2)),
        ),
        (
            "load: a copy",
            "b",
            "1",
            [A1],
            rules(content="load"),
            (Verdict.LOAD, ()),
        ),
        ("load: touched", "a", "1", [A1], rules(content="load"), Verdict.UNCHANGED),
        (
            "snowpipe: another content",
            "a",
            "2",
            [loaded(13.9)],
            SNOWPIPE,
            Verdict.IGNORED,
        ),
        ("snowpipe: touched", "a", "1", [loaded(1)], SNOWPIPE, Verdict.UNCHANGED),
        (
            "snowpipe: 14 days later, nothing is superseded",
            "a",
            "2",
            [loaded(14)],
            SNOWPIPE,
            (Verdict.LOAD, ()),
        ),
        (
            "snowpipe: 14 days later, the same again",
            "a",
            "1",
            [loaded(14)],
            SNOWPIPE,
            (Verdict.LOAD, ()),
        ),
        (
            "snowpipe: failed, corrected",
            "a",
            "2",
            [loaded(1, failed=True)],
            SNOWPIPE,
            Verdict.IGNORED,
        ),
        ("snowpipe: a copy", "b", "1", [loaded(1)], SNOWPIPE, (Verdict.LOAD, ())),
    ],
)
def test_the_table_of_rules(
    told: str,
    name: str,
    sha: str,
    live: list[LiveLoad],
    given: IdentityRules,
    expected: Verdict | tuple[Verdict, tuple[int, ...]],
) -> None:
    found = identify(Arrival(name, sha, NOON), live, given)
    if isinstance(expected, Verdict):
        assert found.verdict is expected, told
    else:
        assert (found.verdict, found.supersedes) == expected, told
    assert (found.reason is not None) == (found.verdict is Verdict.IGNORED), told


def test_a_warned_copy_names_what_it_repeats() -> None:
    found = identify(Arrival("b", "1"), [A1], rules(content="warn"))
    assert found == Identity(Verdict.LOAD, (), repeats=1)


@pytest.mark.parametrize("given", [rules(), rules("append"), rules("ignore"), SNOWPIPE])
def test_a_reload_supersedes_all_of_its_name(given: IdentityRules) -> None:
    live = [A1, LEFT_OUT, LiveLoad(3, "a", "r", 1, replay=True)]
    for sha in ("1", "2", "5"):
        found = identify(Arrival("a", sha, NOON, reload=True), live, given)
        assert (found.verdict, found.supersedes) == (Verdict.LOAD, (1, 2, 3))


@pytest.mark.parametrize(
    "options",
    [
        {"snowpipe_compat": True, "on_same_content": "load"},
        {"snowpipe_compat": True, "on_same_name_changed": "supersede"},
        {"on_same_content": "double"},
        {"after_load": {"archive": "done"}},
        {"after_load": {"archive": "../.done"}},
        {"after_load": {"archive": ".done", "purge": True}},
        {"after_load": {}},
        {"after_load": {"purge": False}},
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, Any]) -> None:
    Pipe.model_validate(pipe())
    with pytest.raises(ValueError, match=r"archive|on_same|purge"):
        Pipe.model_validate(pipe(**options))


def content(*ids: int) -> bytes:
    return b"id\n" + b"".join(b"%d\n" % each for each in ids)


def ids(text: bytes) -> list[int]:
    return [int(each) for each in text.split()[1:]]


def live_ids(shop: Shop) -> Counter[int]:
    return Counter(row[0] for row in shop.rows("select id from bronze.t"))


def rows_of(texts: Iterable[bytes]) -> Counter[int]:
    return Counter(number for text in texts for number in ids(text))


def change(folder: Path, rng: random.Random) -> None:
    """Do one thing to the folder that users and their tools do."""
    there = sorted(path for path in folder.glob("t_*.csv"))
    target = folder / rng.choice(NAMES)
    kind = rng.choice(["write", "write", "copy", "swap", "touch"])
    if kind == "write" or not there:
        text = content(*rng.sample(range(6), rng.randint(1, 2)))
        _place(target, text)
    elif kind == "copy":
        _place(target, rng.choice(there).read_bytes())
    elif kind == "touch":
        os.utime(rng.choice(there))
    else:
        one, two = rng.choice(there), rng.choice(there)
        first, second = one.read_bytes(), two.read_bytes()
        _place(one, second)
        _place(two, first)


def _place(path: Path, text: bytes) -> None:
    hidden = path.with_name(".placing.tmp")
    hidden.write_bytes(text)
    hidden.replace(path)


@dataclass
class Account:
    """What the rules say bronze holds, told by what lay there at each load."""

    now: dict[str, bytes] = field(default_factory=dict)
    first: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, set[bytes]] = field(default_factory=dict)

    def look(self, folder: Path) -> None:
        self.now = {path.name: path.read_bytes() for path in folder.glob("t_*.csv")}
        for name, text in self.now.items():
            self.first.setdefault(name, text)
            self.seen.setdefault(name, set()).add(text)

    def reloaded(self, name: str) -> None:
        self.first[name] = self.now[name]
        self.seen[name] = {self.now[name]}

    def expected(self, same_name: str, same_content: str) -> Counter[int]:
        texts = {
            "supersede": list(self.now.values()),
            "append": [text for seen in self.seen.values() for text in seen],
            "ignore": list(self.first.values()),
        }[same_name]
        return rows_of(set(texts) if same_content == "skip" else texts)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("same_content", ["skip", "load", "warn"])
@pytest.mark.parametrize("same_name", ["supersede", "append", "ignore"])
def test_bronze_is_what_the_rules_say(
    tmp_path: Path, same_name: str, same_content: str, seed: int
) -> None:
    rng = random.Random(f"{same_name} {same_content} {seed}")
    options = {"on_same_name_changed": same_name, "on_same_content": same_content}
    account = Account()
    # after a reload the content that was skipped may be nowhere: no simple account
    reloads = same_content != "skip" or same_name == "supersede"
    for opened in range(2):
        with open_shop(tmp_path / "shop", [pipe(**options)]) as shop:
            folder = shop.parts.project.landing
            for step in range(8):
                for _ in range(rng.randint(1, 3)):
                    change(folder, rng)
                account.look(folder)
                shop.load()
                if reloads and rng.random() < 0.3:
                    name = rng.choice(sorted(account.now))
                    OwnCommands(shop.loop, serving=False).reload([name])
                    account.reloaded(name)
                told = f"opened {opened}, step {step}"
                assert live_ids(shop) == account.expected(same_name, same_content), told
            double = shop.rows(
                "select _file, _file_row, _load_seq from bronze.t__all "
                "group by all having count(*) > 1"
            )
            assert double == []


def test_an_ignored_version_is_recorded_once_with_its_reason(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [pipe(on_same_name_changed="ignore")]) as shop:
        shop.land("t.csv", content(1))
        shop.load()
        path = shop.land("t.csv", content(2))
        shop.load()
        os.utime(path)
        shop.load()
        first, second = shop.history("t.csv")
        assert (first["status"], second["status"]) == ("Loaded", "Load skipped")
        assert "load 1 has another version" in second["first_error_message"]
        assert second["duplicate_of"] is None
        why = OwnCommands(shop.loop, serving=False).why("t.csv")["answer"]
        assert "snowmelt reload t.csv" in why
        assert live_ids(shop) == Counter([1])
    with open_shop(tmp_path / "shop", [pipe(on_same_name_changed="supersede")]) as shop:
        shop.load()
        assert live_ids(shop) == Counter([1]), "it is not offered until it changes"
        OwnCommands(shop.loop, serving=False).reload(["t.csv"])
        assert live_ids(shop) == Counter([2])


def test_a_warned_copy_is_loaded_and_told(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [pipe(on_same_content="warn")]) as shop:
        shop.land("t_1.csv", content(1))
        shop.land("t_2.csv", content(1))
        shop.load()
        assert live_ids(shop) == Counter([1, 1])
        status = OwnCommands(shop.loop, serving=False).status()
        (warning,) = status["warnings"]
        assert "has the same bytes as load 1" in warning
        assert status["problems"] == []


def test_a_copy_takes_its_place_when_its_origin_is_reloaded(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [pipe(on_same_name_changed="append")]) as shop:
        shop.land("t_1.csv", content(1))
        shop.load()
        shop.land("t_2.csv", content(1))
        shop.load()
        shop.land("t_1.csv", content(3))
        shop.load()
        assert live_ids(shop) == Counter([1, 3])
        OwnCommands(shop.loop, serving=False).reload(["t_1.csv"])
        assert live_ids(shop) == Counter([1, 3]), "1 now comes from its copy"
        files = shop.rows("select id, _file from bronze.t order by id")
        assert files == [(1, "t_2.csv"), (3, "t_1.csv")]


def grow_older(shop: Shop, days: int) -> None:
    """Let everything on record have happened that much earlier."""
    with shop.parts.warehouse.session() as session:
        session.execute(
            "update snowmelt.load_history "
            f"set last_load_time = last_load_time - interval {days} days"
        )


def test_snowpipe_ignores_a_corrected_file_for_14_days(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [pipe(snowpipe_compat=True)]) as shop:
        shop.land("t_1.csv", content(1))
        shop.land("t_2.csv", content(1))
        shop.load()
        assert live_ids(shop) == Counter([1, 1]), "content does not count"
        shop.land("t_1.csv", content(7))
        shop.load()
        assert live_ids(shop) == Counter([1, 1])
        newest = shop.history("t_1.csv")[-1]
        assert newest["status"] == "Load skipped"
        assert (
            "snowpipe_compat knows a name for 14 days" in newest["first_error_message"]
        )
        grow_older(shop, 15)
        shop.load()
        assert live_ids(shop) == Counter([1, 1]), "nothing came: nothing is loaded"
        shop.land("t_1.csv", content(8))
        shop.load()
        assert live_ids(shop) == Counter([1, 1, 8]), "now both versions are there"


def test_snowpipe_keeps_a_failed_file_until_somebody_asks(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    options = {"snowpipe_compat": True, "on_error": "skip_file"}
    with open_shop(root, [pipe(**options)]) as shop:
        shop.land("t.csv", b"id\nx\n")
        shop.load()
        assert shop.history("t.csv")[0]["status"] == "Load failed"
    options["contract"] = columns("id integer")
    options["file_format"] = {"type": "csv", "null_if": ["x"]}
    with open_shop(root, [pipe(**options)]) as shop:
        shop.load()
        assert len(shop.history("t.csv")) == 1, "not even for a pipe that was mended"
        commands = OwnCommands(shop.loop, serving=False)
        assert "snowmelt reload t.csv" in commands.why("t.csv")["answer"]
        (load,) = commands.refresh(None, None, None)["loads"]
        assert (load["status"], load["row_count"]) == ("Loaded", 1)


@dataclass
class LaterClock(SystemClock):
    """The machine's time, some days on."""

    days: int = 0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)


def test_snowpipe_lists_files_of_the_last_week_only(tmp_path: Path) -> None:
    clock = LaterClock(8)
    with open_shop(tmp_path / "shop", [pipe(snowpipe_compat=True)], clock) as shop:
        shop.land("t.csv", content(1))
        shop.load()
        commands = OwnCommands(shop.loop, serving=False)
        assert commands.refresh(None, None, None)["loads"] == []
        assert "more than 7 days ago" in commands.why("t.csv")["answer"]
        assert len(commands.reload(["t.csv"])["loads"]) == 1
        assert live_ids(shop) == Counter([1])


def test_editing_a_pipe_keeps_its_history(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    with open_shop(root, [pipe(on_error="skip_file")]) as shop:
        shop.land("t_1.csv", content(1))
        shop.land("t_2.csv", b"id\nx\n")
        shop.load()
    edited = pipe(
        on_error="continue",
        description="other words",
        contract=columns("id integer, note varchar optional"),
        file_format={"type": "csv", "null_if": ["x"]},
    )
    with open_shop(root, [edited]) as shop:
        shop.load()
        assert len(shop.history("t_1.csv")) == 1, "what is loaded is not loaded again"
        assert [load["status"] for load in shop.history("t_2.csv")] == [
            "Load failed",
            "Loaded",
        ], "what failed is tried again"
    with open_shop(root, [edited | {"on_same_content": "load"}]) as shop:
        shop.load()
        assert len(shop.history("t_1.csv")) == 1
        assert len(shop.history("t_2.csv")) == 2


def test_the_error_of_a_wrong_option_names_the_key(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [pipe()]) as shop:
        path = shop.root / "pipes" / "t.yml"
        path.write_text(path.read_text() + "on_same_contents: load\n")
        with pytest.raises(ConfigError, match="on_same_content"):
            load_project(shop.root)
        with pytest.raises(UsageError, match="no such file"):
            OwnCommands(shop.loop, serving=False).reload(["nothing.csv"])
