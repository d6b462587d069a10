"""Believable events of users that never end: a file every few seconds.

Every event is a function of its number and the seed, and so is the file it arrives in.
So a feed has the same bytes each time, as long as it goes on: what was stopped early is
the beginning of what was not. Feeds that begin at different times have different
events and orders of the same users.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.synth.making import (
    Report,
    check_directory,
    check_dirty,
    set_variables,
    statement,
)
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

FIRST_MOMENT = datetime(2024, 5, 1, tzinfo=UTC)
NAMES = ("stamped", "folders", "growing", "rewritten")

_HEADER = "event_id,event_at,event_type,user_id,name,email,region,order_id,amount\n"
_EVENTS_AHEAD = 5_000
_NO_END = 1 << 40


@dataclass(frozen=True)
class Feed:
    """What is made: `rate` events a second, a file `every` seconds, for `seconds`.

    Without `seconds` a feed goes on to the end of the year 9999. `pace` is how many
    seconds pass among the events while one passes in the feed. `names` are those of
    its files: `stamped` (users_20240501T000003_1.csv), in `folders`
    (2024-05-01T00-00-03_1/users.csv), or one users.csv that is `growing`, or
    `rewritten` with what is new.
    """

    rate: Fraction = Fraction(20)
    every: Fraction = Fraction(3)
    seconds: Fraction | None = None
    first_moment: datetime = FIRST_MOMENT
    pace: Fraction = Fraction(1)
    names: str = "stamped"
    seed: int = 1
    dirty: float = 0.0

    @property
    def files(self) -> int | None:
        """How many files there are; None without an end."""
        return None if self.seconds is None else math.ceil(self.seconds / self.every)

    def first_event(self, file: int) -> int:
        """Return the number of the first event that happens in a file's time."""
        first = math.ceil(max(file, 0) * self.every * self.rate) + 1
        if self.seconds is None:
            return first
        return min(first, math.floor(self.seconds * self.rate) + 1)

    def due(self, file: int) -> Fraction:
        """Return the second at which a file is complete."""
        due = (file + 1) * self.every
        return due if self.seconds is None else min(due, self.seconds)

    def name(self, file: int) -> str:
        """Return the name of a file: by the time at which it is complete."""
        passed = timedelta(seconds=float(self.due(file) * self.pace))
        moment = self.first_moment + passed
        if self.names == "stamped":
            return f"users_{moment:%Y%m%dT%H%M%S}_{file + 1}.csv"
        if self.names == "folders":
            return f"{moment:%Y-%m-%dT%H-%M-%S}_{file + 1}/users.csv"
        return "users.csv"


def at_once(seconds: Fraction) -> bool:
    """Wait for nothing: all files are made as fast as they can be."""
    return bool(seconds)


def say_nothing(name: str, records: int) -> None:
    """Leave a file that was written without a word."""
    del name, records


def make_realtime(
    directory: Path,
    feed: Feed,
    *,
    keep_going: Callable[[Fraction], bool] = at_once,
    told: Callable[[str, int], None] = say_nothing,
) -> Report:
    """Write the files of a feed into `directory`, each under a hidden name first.

    Before each file `keep_going` is asked with the second at which it is due, may wait
    until then, and ends the feed by saying no; the file that is under way is always
    finished. `told` hears of each file and how many records it has.

    Late events, events out of order, changed profiles, amended and cancelled orders
    are in every feed. `dirty` is a share of the events: odd spelling that can be
    repaired, events sent twice or again in a later file, orders that are wrong until
    the same event comes again, and broken records beside the good ones. Once a feed has
    come to its end its figures are those without dirt.

    The report counts records as they are sent, `torn_records` and
    `unreadable_amounts` among them; a file that grows counts its records once.

    Raises UsageError when a number is out of range or a file is there already.
    """
    _check(feed)
    if feed.names == "rewritten" and keep_going is at_once:
        raise UsageError(
            "names",
            "of a file that is rewritten at once only the last version is left",
            "Let time pass between its versions, or ask for other names",
        )
    check_directory(directory, [feed.name(0)])
    records: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    with scratch() as connection:
        _prepare(connection, feed)
        for file in _numbers(feed):
            if not keep_going(feed.due(file)):
                break
            text, number, kinds = _made(connection, feed, file)
            if not number:
                continue
            name = feed.name(file)
            _place(directory, name, text, feed, is_new=name not in records)
            if feed.names == "rewritten":
                records.clear()
            records[name] += number
            counted.update(kinds)
            told(name, number)
    return Report(dict(records), dict(sorted(counted.items())))


def _check(feed: Feed) -> None:
    check_dirty(feed.dirty)
    numbers = {"rate": feed.rate, "every": feed.every, "pace": feed.pace}
    if feed.seconds is not None:
        numbers["for"] = feed.seconds
    for name, value in numbers.items():
        if value <= 0:
            raise UsageError(name, f"{value} is too little", "Ask for more than 0")
    try:
        feed.first_moment + timedelta(seconds=float((feed.seconds or 1) * feed.pace))
    except OverflowError:
        problem = "the feed ends after the year 9999"
        raise UsageError("pace", problem, "Ask for less") from None
    if feed.names not in NAMES:
        told = f"Known: {', '.join(NAMES)}"
        raise UsageError("names", f"{feed.names} is not known", told)


def _numbers(feed: Feed) -> Iterator[int]:
    """Yield the number of each file; without an end, of all that have a date."""
    left = datetime.max.replace(tzinfo=UTC) - feed.first_moment
    seconds = Fraction(left // timedelta(microseconds=1), 1_000_000)
    dated = int(seconds / (feed.every * feed.pace))
    yield from range(dated if feed.files is None else feed.files)


def _prepare(connection: Connection, feed: Feed) -> None:
    events_a_file = feed.rate * feed.every
    set_variables(connection, seed=str(feed.seed), dirty=feed.dirty)
    set_variables(connection, rate=float(feed.rate), pace=float(feed.pace))
    set_variables(connection, first_moment=feed.first_moment.replace(tzinfo=None))
    set_variables(connection, events_up=events_a_file.numerator)
    set_variables(connection, files_up=events_a_file.denominator)
    set_variables(connection, last_file=(feed.files or _NO_END) - 1)
    for name in ("draws", "realtime/chances", "realtime/world"):
        connection.execute(statement(name))


def _made(
    connection: Connection, feed: Feed, file: int
) -> tuple[str, int, dict[str, int]]:
    """Return a file's lines, how many there are, and how often each kind."""
    ahead = max(1, math.ceil(_EVENTS_AHEAD / (feed.rate * feed.every)))
    if file % ahead == 0:
        connection.execute("delete from outbox where file < $1", [file])
        set_variables(connection, first_event=feed.first_event(file))
        set_variables(connection, end_event=feed.first_event(file + ahead))
        connection.execute(statement("realtime/records"))
    set_variables(connection, file=file)
    (made,) = connection.execute(statement("realtime/file")).fetchall()
    text, number, kinds = made
    return text, number, kinds or {}


def _place(directory: Path, name: str, text: str, feed: Feed, *, is_new: bool) -> None:
    """Write a file under a hidden name, and give it its own when it is whole."""
    path = directory / name
    if is_new:
        check_directory(directory, [name])
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.part")
    before = _HEADER
    if feed.names == "growing" and not is_new:
        before = path.read_text(encoding="utf-8")
    hidden.write_text(before + text, encoding="utf-8")
    hidden.replace(path)
