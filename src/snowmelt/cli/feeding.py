"""Options of a feed of events, and the time that passes between its files."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import output
from snowmelt.clock import Clock, SystemClock

if TYPE_CHECKING:
    from snowmelt.synth.making import Report

_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|min|h))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|min|h|d)")
_UNITS = {"ms": "1/1000", "s": "1", "m": "60", "min": "60", "h": "3600", "d": "86400"}
_SECONDS = {unit: Fraction(seconds) for unit, seconds in _UNITS.items()}


def _read_rate(_: object, parameter: object, given: str) -> Fraction:
    del parameter
    match = _RATE.fullmatch(given)
    if match is None or not float(match[1]):
        raise click.BadParameter("write a number of events, such as 20/s or 5/min")
    return Fraction(match[1]) / _SECONDS[match[2] or "s"]


def _read_span(_: object, parameter: object, given: str | None) -> Fraction | None:
    del parameter
    if given is None:
        return None
    match = _SPAN.fullmatch(given)
    if match is None or not float(match[1]):
        raise click.BadParameter("write a time, such as 500ms, 3s, 5m or 1h")
    return Fraction(match[1]) * _SECONDS[match[2]]


def _read_moment(_: object, parameter: object, given: str | None) -> datetime | None:
    del parameter
    if given is None:
        return None
    if given == "now":
        return SystemClock().now()
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise click.BadParameter("write now, or a time as ISO 8601") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_OPTIONS = (
    click.option(
        "--rate",
        default="20/s",
        show_default=True,
        callback=_read_rate,
        metavar="N/s",
        help="How many events, such as 20/s, 5/min or 0.5/s.",
    ),
    click.option(
        "--for",
        "seconds",
        callback=_read_span,
        metavar="TIME",
        help="How long, such as 60s, 5m or 1h; without it until Ctrl-C.",
    ),
    click.option(
        "--every",
        default="3s",
        show_default=True,
        callback=_read_span,
        metavar="TIME",
        help="The time between two files.",
    ),
    click.option(
        "--start",
        "first_moment",
        callback=_read_moment,
        metavar="TIME",
        help="When the first event happened: ISO 8601, or now.  [default: 2024-05-01]",
    ),
    click.option(
        "--pace",
        default="1s",
        show_default=True,
        callback=_read_span,
        metavar="TIME",
        help="What passes among the events in each second: 1d makes months of minutes.",
    ),
    click.option(
        "--names",
        type=click.Choice(["stamped", "folders", "growing", "rewritten"]),
        default="stamped",
        show_default=True,
        help="users_20240501T000003_1.csv, 2024-05-01T00-00-03_1/users.csv, or one "
        "users.csv that grows, or that holds what is new.",
    ),
    click.option("--at-once", is_flag=True, help="Wait for nothing; needs --for."),
)


def feed_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a feed."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def fed(directory: Path, given: dict[str, Any], *, at_once: bool) -> Report:
    """Write the files of a feed as its options say; tell of each as it is written."""
    from snowmelt.synth.realtime import Feed, make_realtime

    feed = Feed(**{name: each for name, each in given.items() if each is not None})
    if at_once:
        if feed.seconds is None:
            raise click.UsageError(
                "--at-once needs --for: a feed has no end without it"
            )
        return make_realtime(directory, feed)
    output.tell(f"Writing into {directory}. Stop with Ctrl-C.")
    with _stopping() as stop:
        return make_realtime(
            directory, feed, keep_going=_paced(SystemClock(), stop), told=_tell
        )


def _tell(name: str, records: int) -> None:
    output.tell(f"{name}: {output.count(records, 'record')}")


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event: a file under way is still finished."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _paced(clock: Clock, stop: threading.Event) -> Callable[[Fraction], bool]:
    """Return what waits for a second of the feed, and says whether it goes on.

    A feed that fell behind does not wait: its files keep the times they are due.
    """
    begun = clock.monotonic()

    def keep_going(due: Fraction) -> bool:
        left = begun + float(due) - clock.monotonic()
        return not (clock.wait(stop, left) if left > 0 else stop.is_set())

    return keep_going
