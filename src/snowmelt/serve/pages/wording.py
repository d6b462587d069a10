"""Figures, times and states as a page says them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from snowmelt.serve.cells import MASK

DASH = "\N{EN DASH}"
LEVELS = {
    "Loaded": "good",
    "Partially loaded": "warn",
    "Load failed": "bad",
    "Load skipped": "",
    "Load in progress": "busy",
    "SUCCEEDED": "good",
    "FAILED": "bad",
    "EXECUTING": "busy",
    "success": "good",
    "pass": "good",
    "warn": "warn",
    "fail": "bad",
    "error": "bad",
    "runtime error": "bad",
    "skipped": "",
    "held": "warn",
    "loading": "busy",
    "settling": "busy",
    "waiting": "busy",
}
WORDS = {
    "SUCCEEDED": "Published",
    "FAILED": "Failed",
    "EXECUTING": "Running",
    "success": "built",
}
_QUOTED = re.compile(r"'([^']+)'")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
SHORT = ((10**9, "B"), (10**6, "M"), (10**4, "k"))
BYTES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def number(value: object) -> str:
    """Write a figure with its thousands apart; what is none stands as it is."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return str(value)


def short(value: object) -> str:
    """Write a figure at a glance: 4.21M."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return DASH if value is None else str(value)
    if not amount.is_finite():
        return str(value)
    for size, unit in SHORT:
        if abs(amount) >= size:
            figure = amount / (1000 if unit == "k" else size)
            digits = max(0, 2 - max(figure.adjusted(), 0))
            return f"{figure:,.{digits}f}{unit}"
    if amount == amount.to_integral_value():
        return f"{int(amount):,}"
    return f"{amount:,.2f}"


def is_number(value: object) -> bool:
    """Is it one, as JSON or as the text of a decimal?"""
    if isinstance(value, bool):
        return False
    is_text = isinstance(value, str) and len(value) < 40
    return isinstance(value, int | float) or (
        is_text and _NUMBER.fullmatch(str(value)) is not None
    )


def cell(value: object) -> str:
    """Write a value of a table: midnights as days, instants as people write them,
    decimals with their thousands.
    """
    if isinstance(value, str):
        if re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00(\+00:00)?", value):
            return value[:10]
        if found := _INSTANT.fullmatch(value):
            return f"{found[1]} {found[2]}"
        if re.fullmatch(r"-?\d{4,}\.\d+", value):
            whole, _, rest = value.partition(".")
            return f"{int(whole):,}.{rest}"
        return value
    return number(value)


def size(value: int | None) -> str:
    """Write a number of bytes."""
    if value is None:
        return DASH
    for amount, unit in BYTES:
        if value >= amount:
            return f"{value / amount:.1f} {unit}"
    return f"{value} B"


def seconds(value: float | None) -> str:
    """Write a duration."""
    if value is None:
        return DASH
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def between(started: str | None, ended: str | None) -> float | None:
    """Return the seconds between two instants."""
    if not started or not ended:
        return None
    apart = datetime.fromisoformat(ended) - datetime.fromisoformat(started)
    return apart.total_seconds()


def at(value: str | None) -> Markup:
    """Write an instant: the page shows it in the zone of who looks."""
    return _time(value, "")


def ago(value: str | None) -> Markup:
    """Write an instant as how long ago it was; the page keeps it up."""
    return _time(value, " data-ago")


def _time(value: str | None, attribute: str) -> Markup:
    if not value:
        return Markup(DASH)
    instant = datetime.fromisoformat(value).astimezone(UTC)
    exact = instant.isoformat()
    shown = f"{instant:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        exact,
        f"{instant:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") + " UTC",
        Markup(attribute),
        shown,
    )


def badge(status: str | None, level: str | None = None) -> Markup:
    """Write a state: colour, shape and word say the same."""
    text = status or "unknown"
    kind = LEVELS.get(text, "") if level is None else level
    return Markup(
        '<span class="badge {0}"><span class="dot {0}" aria-hidden="true"></span>'
        "{1}</span>"
    ).format(kind, WORDS.get(text, text))


@pass_context
def command(context: Context, text: str) -> Markup:
    """Write a command that does the same, to be copied; of a target, with its name."""
    target = (context.get("shell") or {}).get("target")
    if target and text.startswith("snowmelt ") and "--target" not in text:
        text = f"{text} --target {shlex.quote(target)}"
    return Markup(
        '<span class="command"><code>{}</code>'
        '<button type="button" class="quiet" data-copy="{}">Copy</button></span>'
    ).format(text, text)


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def marked(text: str, error: str) -> Markup:
    """Write a raw record with the value marked that an error names, if it is clear."""
    named = _QUOTED.search(error)
    value = named[1] if named else ""
    if not value or text.count(value) != 1:
        return escape(text)
    before, after = text.split(value)
    return Markup("{}<mark>{}</mark>{}").format(before, value, after)


def path(text: str) -> Markup:
    """Write a path that may be broken into lines behind each slash."""
    return Markup("/<wbr>").join(text.split("/"))


def link(*parts: object) -> str:
    """Return a path made of parts, none of which can lead elsewhere."""
    return "/" + "/".join(quote(str(part), safe="") for part in parts)


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "short": short,
    "cell": cell,
    "size": size,
    "seconds": seconds,
    "at": at,
    "ago": ago,
    "badge": badge,
    "command": command,
    "plural": plural,
    "path": path,
    "marked": marked,
    "quoted": shlex.quote,
}
GLOBALS: dict[str, Any] = {"link": link, "between": between, "MASK": MASK}
