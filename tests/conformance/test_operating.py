"""Pausing, holding, refreshing, reloading, and what is done with a file afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dying import Killed, dies_at
from small_shop import Shop, columns, open_shop

from snowmelt.errors import ConfigError, UnreachableError, UsageError
from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.pause import STALE_AFTER
from snowmelt.service.commands import OwnCommands


def pipe(name: str = "t", **options: Any) -> dict[str, Any]:
    return {
        "name": name,
        "pattern": f"**/{name}*.csv",
        "on_error": "continue",
        "contract": columns("id integer"),
        **options,
    }


PIPES = [pipe("t"), pipe("u")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
def shop(root: Path) -> Iterator[Shop]:
    with open_shop(root, PIPES) as opened:
        yield opened


def content(*ids: int) -> bytes:
    return b"id\n" + b"".join(b"%d\n" % each for each in ids)


def live(shop: Shop, name: str = "t") -> list[int]:
    return [row[0] for row in shop.rows(f"select id from bronze.{name} order by id")]


def verbs(shop: Shop) -> OwnCommands:
    return OwnCommands(shop.loop, serving=False)


def of_pipe(status: dict[str, Any], name: str = "t") -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        each for each in status["pipes"] if each["pipe_name"] == name
    ]
    assert len(found) == 1
    return found[0]


def test_a_paused_pipe_gathers_files_and_the_others_go_on(root: Path) -> None:
    with open_shop(root, PIPES) as shop:
        paused = verbs(shop).pause("t", "the source is being repaired")
        assert (paused["changed"], paused["execution_state"]) == (True, "PAUSED")
        assert verbs(shop).pause("t", "again")["reason"].startswith("the source")
        shop.land("t_1.csv", content(1))
        shop.land("u_1.csv", content(5))
        shop.load()
        assert (live(shop), live(shop, "u")) == ([], [5])
    with open_shop(root, PIPES) as shop:
        shop.land("t_2.csv", content(2))
        shop.load()
        assert live(shop) == [], "a pause outlives the process"
        status = verbs(shop).status()
        told = of_pipe(status)
        assert told["execution_state"] == "PAUSED"
        assert told["pause_reason"] == "the source is being repaired"
        assert told["pending"] == told["pipe_status"]["pendingFileCount"] == 2
        assert told["pipe_status"]["executionState"] == "PAUSED"
        assert told["pipe_status"]["oldestPendingFilePath"] == "t_1.csv"
        assert of_pipe(status, "u")["execution_state"] == "RUNNING"
        assert "snowmelt resume t" in verbs(shop).why("t_1.csv")["answer"]
        lying = str(shop.parts.project.landing / "t_1.csv")
        assert "snowmelt resume t" in verbs(shop).check(lying, None)["waits"][0]
        with pytest.raises(UsageError, match="snowmelt resume t"):
            verbs(shop).reload(["t_1.csv"])
        resumed = verbs(shop).resume("t")
        assert (resumed["changed"], resumed["was_stale"]) == (True, False)
        assert verbs(shop).resume("t")["changed"] is False
        shop.load()
        assert live(shop) == [1, 2]


def test_a_pipe_that_was_paused_for_two_weeks_is_stale(shop: Shop) -> None:
    verbs(shop).pause("t", None)
    assert of_pipe(verbs(shop).status())["stale"] is False
    with shop.parts.warehouse.session() as session:
        session.execute(
            "update snowmelt.pipe_states set changed_at = changed_at - to_days($1)",
            [(STALE_AFTER + timedelta(days=1)).days],
        )
    assert of_pipe(verbs(shop).status())["stale"] is True
    shop.land("t_1.csv", content(1))
    assert verbs(shop).resume("t")["was_stale"] is True
    shop.load()
    assert live(shop) == [1]


def test_a_pause_in_mid_stream_lets_the_batch_end(shop: Shop) -> None:
    """Whatever was begun is loaded once; the rest waits, then comes once."""
    for number in range(40):
        shop.land(f"t_{number}.csv", content(number))
    shop.loop.ask_refresh()
    for _ in range(3):
        shop.loop.turn()
    verbs(shop).pause("t", None)
    shop.load()
    before = live(shop)
    assert before == sorted(set(before))
    verbs(shop).resume("t")
    shop.load()
    assert live(shop) == list(range(40))


def test_a_held_file_waits_and_another_version_does_not(root: Path) -> None:
    with open_shop(root, PIPES) as shop:
        shop.land("sub/t_1.csv", content(1))
        shop.land("t_2.csv", content(2))
        held = verbs(shop).hold("sub/t_1.csv", "wrong month?")
        assert (held["state"], held["pipe_name"]) == ("held", "t")
        shop.load()
        assert live(shop) == [2]
        with pytest.raises(UsageError, match=r"snowmelt release sub/t_1\.csv"):
            verbs(shop).reload(["sub/t_1.csv"])
    with open_shop(root, PIPES) as shop:
        shop.load()
        assert live(shop) == [2], "a hold outlives the process"
        status = verbs(shop).status()
        assert [each["file_name"] for each in status["held"]] == ["sub/t_1.csv"]
        assert of_pipe(status)["held"] == 1
        why = verbs(shop).why("sub/t_1.csv")["answer"]
        assert "wrong month?" in why
        assert "snowmelt release sub/t_1.csv" in why
        assert verbs(shop).release("sub/t_1.csv")["state"] == "released"
        shop.load()
        assert live(shop) == [1, 2]
        shop.land("t_3.csv", content(3))
        verbs(shop).hold("t_3.csv", None)
        shop.land("t_3.csv", content(4))
        shop.load()
        assert live(shop) == [1, 2, 4]


def test_only_what_waits_can_be_held_or_released(shop: Shop) -> None:
    shop.land("t_1.csv", content(1))
    shop.land("other.txt", b"x")
    shop.load()
    for file, said in (
        ("t_1.csv", "dealt with: Loaded"),
        ("t_9.csv", "no such file"),
        ("other.txt", "no pipe takes its name"),
    ):
        with pytest.raises(UsageError, match=said):
            verbs(shop).hold(file, None)
    with pytest.raises(UsageError, match="not held"):
        verbs(shop).release("t_1.csv")
    with pytest.raises(UsageError, match=r"Known: t, u\."):
        verbs(shop).pause("v", None)


def test_a_refresh_takes_what_was_asked_for_and_no_more(shop: Shop) -> None:
    old = shop.land("a/t_old.csv", content(1))
    os.utime(old, (1_000_000_000, 1_000_000_000))
    shop.land("a/t_new.csv", content(2))
    shop.land("b/t_new.csv", content(3))
    shop.land("a/u_new.csv", content(4))

    def names(*asked: str | None) -> list[str]:
        return sorted(
            load["file_name"] for load in verbs(shop).refresh(*asked)["loads"]
        )

    assert names("t", "a/", "2020-01-01") == ["a/t_new.csv"]
    assert names("u", None, None) == ["a/u_new.csv"]
    assert names("t", "b/", None) == ["b/t_new.csv"]
    assert names(None, None, None) == ["a/t_old.csv"]
    assert names(None, None, None) == []
    assert (live(shop), live(shop, "u")) == ([1, 2, 3], [4])
    with pytest.raises(UsageError, match="no date or time"):
        verbs(shop).refresh(None, None, "yesterday")


def test_a_reload_replaces_the_rows_in_one_commit(shop: Shop) -> None:
    shop.land("t_1.csv", content(1, 2))
    shop.land("t_2.csv", content(3))
    shop.load()
    document = verbs(shop).reload(["t_1.csv"])
    assert [load["file_name"] for load in document["loads"]] == ["t_1.csv"]
    first, second = shop.history("t_1.csv")
    assert first["superseded_by"] == second["load_seq"]
    assert first["content_sha256"] == second["content_sha256"]
    assert live(shop) == [1, 2, 3]
    assert shop.rows("select count(*) from bronze.t__all") == [(5,)]
    path = shop.parts.project.landing / "t_1.csv"
    verbs(shop).reload([str(path), "t_2.csv"])
    assert live(shop) == [1, 2, 3]
    assert len(shop.history("t_1.csv")) == 3


def test_a_reload_that_fails_leaves_the_rows(root: Path) -> None:
    with open_shop(root, PIPES) as shop:
        shop.land("t_1.csv", content(1))
        shop.load()
    narrower = pipe("t", on_error="skip_file", file_format={"field_delimiter": ";"})
    narrower["contract"] = columns("id integer, day date not null")
    with open_shop(root, [narrower]) as shop:
        (load,) = verbs(shop).reload(["t_1.csv"])["loads"]
        assert load["status"] == "Load failed"
        assert live(shop) == [1]


def test_a_reload_that_dies_leaves_the_rows_there_once(root: Path) -> None:
    """Rows, history and what is due afterwards are one commit, or none of it is."""
    with open_shop(root, [pipe(after_load={"archive": ".loaded"})]) as shop:
        copier, (first, *_) = shop.parts.copier, shop.parts.project.pipes
        shop.land("t_1.csv", content(1, 2))
        file = shop.parts.stage.look("t_1.csv")
        assert file is not None
        asked = Pending(file, "t", shop.parts.clock.now(), reload=True)
        copier.copy(first, [asked])
        deaths = 0
        for statement in range(1, 100):
            try:
                with dies_at(statement):
                    copier.copy(first, [asked])
            except Killed:
                deaths += 1
            else:
                break
            (only,) = shop.history("t_1.csv")
            assert (only["superseded_by"], live(shop)) == (None, [1, 2])
            assert len(states(shop)) == 1
        assert deaths > 10
        old, new = shop.history("t_1.csv")
        assert old["superseded_by"] == new["load_seq"]
        assert live(shop) == [1, 2]
        assert [state for _, state, _ in states(shop)] == ["due", "due"]


def test_files_that_disappear_stay_in_bronze(shop: Shop) -> None:
    path = shop.land("t_1.csv", content(1))
    shop.load()
    path.unlink()
    shop.load()
    assert live(shop) == [1]
    assert "its rows stay" in verbs(shop).why("t_1.csv")["answer"]
    with pytest.raises(UsageError, match="no such file"):
        verbs(shop).reload(["t_1.csv"])


def states(shop: Shop) -> list[tuple[str, str, str | None]]:
    rows = shop.rows(
        "select file_name, state, error from snowmelt.after_load order by load_seq"
    )
    return [(name, state, error) for name, state, error in rows]


def test_an_archived_file_is_kept_and_never_loaded_again(root: Path) -> None:
    with open_shop(root, [pipe(after_load={"archive": ".loaded"})]) as shop:
        landing = shop.parts.project.landing
        shop.land("sub/t_1.csv", content(1))
        shop.load()
        assert not (landing / "sub/t_1.csv").exists()
        assert (landing / ".loaded/sub/t_1.csv").read_bytes() == content(1)
        shop.land("sub/t_1.csv", content(2))
        shop.load()
        assert (landing / ".loaded/sub/t_1.csv.2").read_bytes() == content(2)
        assert live(shop) == [2]
        assert "archived below .loaded" in verbs(shop).why("sub/t_1.csv")["answer"]
    with open_shop(root, [pipe()]) as shop:
        shop.load()
        assert live(shop) == [2], "whatever the pipe says later"
        assert verbs(shop).status()["unmatched"] == []


def test_a_file_that_was_not_loaded_is_not_purged(root: Path) -> None:
    with open_shop(root, [pipe(after_load={"purge": True})]) as shop:
        landing = shop.parts.project.landing
        shop.land("t_good.csv", content(1))
        shop.land("t_part.csv", b"id\n2\nx\n")
        shop.land("t_bad.csv", b"id\nx\n")
        shop.load()
        shop.land("t_copy.csv", content(1))
        shop.load()
        left = sorted(path.name for path in landing.iterdir())
        assert left == ["t_bad.csv", "t_copy.csv"]
        assert {state for _, state, _ in states(shop)} == {"done"}
        assert live(shop) == [1, 2]


def unreachable(*_: object) -> None:
    raise UnreachableError("the stage", "it is away")


@pytest.mark.parametrize("action", [{"purge": True}, {"archive": ".loaded"}])
def test_what_is_due_outlives_the_process(
    root: Path, action: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipes = [pipe(after_load=action)]
    with monkeypatch.context() as broken, open_shop(root, pipes) as shop:
        broken.setattr(LocalFolder, "remove", unreachable)
        broken.setattr(LocalFolder, "archive", unreachable)
        shop.land("t_1.csv", content(1))
        shop.land("t_2.csv", content(2))
        shop.load()
        assert [state for _, state, _ in states(shop)] == ["due", "due"]
        assert any("it is away" in each for each in verbs(shop).status()["problems"])
    with open_shop(root, pipes) as shop:
        shop.land("t_2.csv", content(3))
        shop.load()
        assert live(shop) == [1, 3], "the new version was loaded before it went"
        assert [state for _, state, _ in states(shop)] == ["done", "done", "done"]
        landing = shop.parts.project.landing
        assert list(landing.glob("*.csv")) == []
        with shop.parts.warehouse.session() as session:
            session.execute("update snowmelt.after_load set state = 'due'")
        shop.loop.after_loading.ask()
        shop.load()
        assert {state for _, state, _ in states(shop)} == {"done"}
        kept = sorted(path.name for path in landing.glob(".loaded/*"))
        assert kept in ([], ["t_1.csv", "t_2.csv"])


def test_an_archiving_that_was_cut_off_leaves_one_copy(root: Path) -> None:
    with open_shop(root, [pipe(after_load={"archive": ".loaded"})]) as shop:
        landing = shop.parts.project.landing
        (landing / ".loaded").mkdir()
        path = shop.land("t_1.csv", content(1))
        os.link(path, landing / ".loaded/t_1.csv")
        shop.load()
        assert [each.name for each in (landing / ".loaded").iterdir()] == ["t_1.csv"]
        assert not path.exists()


def test_only_the_loaded_bytes_are_purged(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other bytes of the same size and time came in between: they are loaded."""
    may_go = threading.Event()
    remove = LocalFolder.remove

    def late(stage: LocalFolder, file: StagedFile) -> None:
        if not may_go.is_set():
            unreachable()
        remove(stage, file)

    monkeypatch.setattr(LocalFolder, "remove", late)
    with open_shop(root, [pipe(after_load={"purge": True})]) as shop:
        path = shop.land("t_1.csv", content(1))
        before = path.stat()
        shop.load()
        path.write_bytes(content(7))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        may_go.set()
        shop.carry_out(shop.loop.after_loading)
        assert path.exists(), "these bytes were never loaded"
        ((_, state, told),) = states(shop)
        assert (state, "another version" in str(told)) == ("done", True)
        shop.load()
        assert live(shop) == [7]
        assert not path.exists()


@pytest.mark.parametrize("action", [{"purge": True}, {"archive": ".loaded"}])
def test_a_file_that_comes_in_the_last_instant_is_put_back(
    root: Path, action: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is renamed into place after the last look, as late as can be."""
    rename, arrivals = Path.rename, [content(8)]

    def late(path: Path, target: Path) -> Path:
        if target.name.startswith(".leaving-") and arrivals:
            hidden = path.with_name(".arriving.tmp")
            hidden.write_bytes(arrivals.pop())
            hidden.replace(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with open_shop(root, [pipe(after_load=action)]) as shop:
        shop.land("t_1.csv", content(1))
        shop.load()
        shop.load()
        assert live(shop) == [8]
        landing = shop.parts.project.landing
        assert [path.name for path in landing.glob("*")] in ([], [".loaded"])


def test_an_action_that_fails_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFolder, "remove", refuse)
    with open_shop(root, [pipe(after_load={"purge": True})]) as shop:
        shop.land("t_1.csv", content(1))
        shop.load()
        ((_, state, told),) = states(shop)
        assert (state, "Permission denied" in str(told)) == ("failed", True)
        assert "purge failed" in verbs(shop).status()["problems"][0]
        assert live(shop) == [1]


def test_files_of_a_folder_cannot_be_tagged(root: Path) -> None:
    with (
        pytest.raises(ConfigError, match="after_load"),
        open_shop(root, [pipe(after_load={"tag": {"state": "loaded"}})]),
    ):
        pass
