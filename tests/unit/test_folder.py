"""The local folder: what is listed, what is noticed, and how files are put in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snowmelt.errors import UnreachableError, UsageError
from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.stage import Notifications
from snowmelt.landing.upload import land


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


def test_plain_files_are_listed_and_nothing_else(landing: Path, tmp_path: Path) -> None:
    (landing / "a.csv").write_text("1")
    (landing / "sub").mkdir()
    (landing / "sub" / "b.csv").write_text("1")
    (landing / ".hidden").mkdir()
    (landing / ".hidden" / "c.csv").write_text("1")
    (landing / "d.csv.tmp").write_text("1")
    (tmp_path / "secret.csv").write_text("1")
    (landing / "link.csv").symlink_to(tmp_path / "secret.csv")
    (landing / "folder").symlink_to(tmp_path)
    os.mkfifo(landing / "pipe.csv")
    folder = LocalFolder(landing)
    assert sorted(file.name for file in folder.refresh()) == ["a.csv", "sub/b.csv"]
    assert folder.look("link.csv") is None
    assert folder.look("pipe.csv") is None
    assert folder.look("gone.csv") is None


def test_a_landing_folder_that_is_gone_is_said(landing: Path) -> None:
    landing.rmdir()
    with pytest.raises(UnreachableError, match="cannot be listed"):
        LocalFolder(landing).refresh()


@pytest.fixture
def watched(landing: Path) -> Iterator[tuple[LocalFolder, Callable[[], Notifications]]]:
    folder = LocalFolder(landing)
    woken = threading.Event()
    folder.watch(woken.set)
    collected = Notifications()

    def collect() -> Notifications:
        """Return all hints so far, once none came for a while."""
        while woken.wait(0.5):
            woken.clear()
            hints = folder.notified()
            collected.placed |= hints.placed
            collected.finished |= hints.finished
            collected.seen |= hints.seen
            collected.lost |= hints.lost
        return collected

    yield folder, collect
    folder.unwatch()


def test_what_is_finished_is_told_from_what_appears(
    landing: Path,
    tmp_path: Path,
    watched: tuple[LocalFolder, Callable[[], Notifications]],
) -> None:
    _, collect = watched
    (tmp_path / "outside.csv").write_text("1")
    (tmp_path / "outside.csv").rename(landing / "moved_in.csv")
    (landing / ".x.tmp").write_text("1")
    (landing / ".x.tmp").rename(landing / "renamed.csv")
    with (landing / "open.csv").open("w") as still_open:
        still_open.write("1")
        hints = collect()
        told = hints.placed if sys.platform == "linux" else hints.seen
        assert "moved_in.csv" in told
        assert "renamed.csv" in hints.placed
        assert "open.csv" in hints.seen
        assert not {"moved_in.csv", "open.csv"} & hints.finished
        assert not hints.lost
    assert "open.csv" in collect().finished
    assert not any("tmp" in name for name in hints.seen | hints.finished)


def test_a_folder_that_appears_asks_for_a_listing(
    landing: Path,
    tmp_path: Path,
    watched: tuple[LocalFolder, Callable[[], Notifications]],
) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "a.csv").write_text("1")
    (tmp_path / "day").rename(landing / "day")
    assert watched[1]().lost


def test_landing_keeps_the_time_and_never_shows_half_a_file(
    landing: Path, tmp_path: Path
) -> None:
    source = tmp_path / "big.csv"
    source.write_bytes(b"x" * 5_000_000)
    os.utime(source, ns=(10**18, 10**18))
    sizes: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            sizes.update(file.size for file in LocalFolder(landing).refresh())

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(5):
        assert land([source], landing) == ["big.csv"]
    stop.set()
    watcher.join()
    assert sizes <= {5_000_000}
    assert (landing / "big.csv").stat().st_mtime_ns == 10**18
    assert [path.name for path in landing.iterdir()] == ["big.csv"]


@pytest.mark.parametrize("name", [".a.csv", "a.csv.part"])
def test_a_name_that_would_never_be_loaded_is_refused(
    landing: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("1")
    with pytest.raises(UsageError, match="never loaded"):
        land([tmp_path / name], landing)


def test_nothing_lands_outside_the_landing_folder(
    landing: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("1")
    with pytest.raises(UsageError, match="outside"):
        land([tmp_path / "a.csv"], landing, into="../elsewhere")
    assert land([tmp_path / "a.csv"], landing, into="crm/2024") == ["crm/2024/a.csv"]
