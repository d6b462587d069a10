"""What is noted of files that are being read outlives the process, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.pipe import attempts as attempts_module
from snowmelt.pipe.attempts import Attempts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempts.log"


def test_an_attempt_that_never_ended_is_known_to_the_next_process(path: Path) -> None:
    first = Attempts(path)
    first.begin(["a.csv", "b.csv"])
    first.end(["b.csv"])
    second = Attempts(path)
    assert second.interrupted() == {"a.csv": 1}
    second.begin(["a.csv"])
    assert Attempts(path).interrupted() == {"a.csv": 2}


def test_an_attempt_that_ended_leaves_nothing(path: Path) -> None:
    attempts = Attempts(path)
    with attempts.at(["a.csv"]):
        assert Attempts(path).interrupted() == {"a.csv": 1}
    with pytest.raises(ValueError, match="broken"), attempts.at(["a.csv"]):
        raise ValueError("broken")
    assert path.read_bytes() == b""


def test_a_kill_leaves_the_attempt_open(path: Path) -> None:
    class Killed(BaseException):
        pass

    with pytest.raises(Killed), Attempts(path).at(["a.csv"]):
        raise Killed
    assert Attempts(path).interrupted() == {"a.csv": 1}


def test_a_line_that_was_cut_off_spoils_no_other(path: Path) -> None:
    Attempts(path).begin(["a.csv"])
    with path.open("ab") as log:
        log.write(b'\n{"begin": ["b.c')
    Attempts(path).begin(["c.csv"])
    assert Attempts(path).interrupted() == {"a.csv": 1, "c.csv": 1}


def test_the_log_does_not_grow_while_an_attempt_stays_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_module, "_LOG_BYTES_MAX", 1000)
    attempts = Attempts(path)
    attempts.begin(["stays.csv"])
    for number in range(200):
        with attempts.at([f"{number}.csv"]):
            assert path.stat().st_size < 1200
    assert Attempts(path).interrupted() == {"stays.csv": 1}
