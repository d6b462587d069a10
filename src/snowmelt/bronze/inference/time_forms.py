"""Forms of dates and times that are not ISO 8601, and the one a pipe gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TimeType = Literal["date", "time", "timestamp"]

_WORD = r"(?P<word>[A-Za-z]{3,9})"
_DATES = (
    (r"\d{1,2}(?P<sep>[-/. ])\d{1,2}(?P=sep)\d{4}", "DD{0}MM{0}YYYY", "MM{0}DD{0}YYYY"),
    (r"\d{1,2}(?P<sep>[-/. ])\d{1,2}(?P=sep)\d{2}", "DD{0}MM{0}YY", "MM{0}DD{0}YY"),
    (r"\d{4}(?P<sep>[-/. ])\d{1,2}(?P=sep)\d{1,2}", "YYYY{0}MM{0}DD"),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_WORD}(?P=sep)\d{{4}}", "DD{0}MON{0}YYYY"),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_WORD}(?P=sep)\d{{2}}", "DD{0}MON{0}YY"),
    (rf"{_WORD} \d{{1,2}},(?P<sep> ?)\d{{4}}", "MON DD,{0}YYYY"),
)
_CLOCK = re.compile(
    r"(?P<before>[ T]|^)\d{1,2}:\d{2}(?P<seconds>:\d{2}(?P<fraction>\.\d{1,6})?)?"
    r"(?P<half> ?[AaPp][Mm])?$"
)
_COMPACT = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
# What an element may read; the engine's own reading is more lenient.
_READS = {
    "YYYY": "[0-9]{4}",
    "YY": "[0-9]{2}",
    "MMMM": "[A-Za-z]+",
    "MON": "[A-Za-z]{3}",
    "MM": "[0-9]{1,2}",
    "DD": "[0-9]{1,2}",
    "HH24": "[0-9]{1,2}",
    "HH12": "[0-9]{1,2}",
    "MI": "[0-9]{2}",
    "SS": "[0-9]{2}",
    "FF": "[0-9]{1,6}",
    "AM": "[AaPp][Mm]",
}
_ELEMENT = re.compile("|".join(sorted(_READS, key=len, reverse=True)))


@dataclass(frozen=True)
class Form:
    """A format that may be the one, and the type of what it reads."""

    type: TimeType
    format: str

    @property
    def expression(self) -> str:
        """Return a regular expression of the texts that are meant."""
        found, at = "", 0
        for match in _ELEMENT.finditer(self.format):
            found += _literal(self.format[at : match.start()]) + _READS[match[0]]
            at = match.end()
        return found + _literal(self.format[at:])

    @property
    def mirrored(self) -> str:
        """Return the format with day and month changed over."""
        if "MON" in self.format or "MMMM" in self.format:
            return self.format
        swapped = self.format.replace("DD", "?").replace("MM", "DD")
        return swapped.replace("?", "MM")


@dataclass(frozen=True)
class Reading:
    """How many texts of a column a form reads, and over how many days they span."""

    form: Form
    count: int
    span_days: int = 0


@dataclass(frozen=True)
class Choice:
    """The format for one type, and why one might doubt it. No format: ISO 8601."""

    format: str | None
    doubt: str = ""


def candidate_forms(examples: Iterable[str]) -> list[Form]:
    """Return every form that one of the examples may have."""
    found: dict[Form, None] = {}
    for example in examples:
        found |= dict.fromkeys(_forms_of(example.strip(" ")))
    return list(found)


def _forms_of(text: str) -> list[Form]:
    if _COMPACT.fullmatch(text):
        return [Form("date", "YYYYMMDD")]
    clock = _CLOCK.search(text)
    day = text[: clock.start()] if clock else text
    suffix = _clock_format(clock) if clock else ""
    if not day:
        return [Form("time", suffix)]
    kind: TimeType = "timestamp" if clock else "date"
    forms = []
    for expression, *formats in _DATES:
        match = re.fullmatch(expression, day)
        if match is None:
            continue
        for each in formats:
            form = each.format(match["sep"]) + suffix
            if len(match.groupdict().get("word") or "") > 3:
                form = form.replace("MON", "MMMM")
            forms.append(Form(kind, form))
    return forms


def _clock_format(clock: re.Match[str]) -> str:
    text = clock["before"] + ("HH12:MI" if clock["half"] else "HH24:MI")
    text += ":SS" if clock["seconds"] else ""
    text += ".FF" if clock["fraction"] else ""
    if clock["half"]:
        text += clock["half"][:-2] + "AM"
    return text


def _literal(text: str) -> str:
    return re.sub(r"([.\\])", r"\\\1", text)


def choose_format(
    columns: Mapping[str, Sequence[Reading]], iso: Sequence[str], day_first: bool | None
) -> Choice:
    """Choose the one format of a type that reads the most columns.

    `columns`: for each column not in ISO 8601, the forms that read all its values;
    `iso`: columns that need no format. Where day and month could change places, it
    goes by `day_first`, if another type decided it, then by the smaller span.
    """
    votes: dict[str, int] = {}
    spans: dict[str, int] = {}
    for readings in columns.values():
        for reading in readings:
            name = reading.form.format
            votes[name] = votes.get(name, 0) + 1
            spans[name] = spans.get(name, 0) + reading.span_days
    if not votes or len(iso) >= max(votes.values()):
        return Choice(None)
    most = max(votes.values())
    best = min(
        (name for name in votes if votes[name] == most),
        key=lambda name: (_against(name, day_first), spans[name], _order(name)),
    )
    mirrored = Form("date", best).mirrored
    if mirrored == best or votes.get(mirrored) != most:
        return Choice(best)
    if day_first is not None:
        return Choice(
            best, f"no value decides between {best} and {mirrored}; another column does"
        )
    why = f"as {best} they span {spans[best]:,} days, as {mirrored} {spans[mirrored]:,}"
    if spans[best] == spans[mirrored]:
        why = "the spans are equal too"
    return Choice(
        best, f"no value decides between {best} and {mirrored}: a guess ({why})"
    )


def order_of(choice: Choice | None) -> bool | None:
    """Return whether a chosen format has the day before the month, if it is sure."""
    if choice is None or choice.format is None or choice.doubt:
        return None
    if "MM" not in choice.format or "DD" not in choice.format:
        return None
    if choice.format.startswith("YYYY") or "MMMM" in choice.format:
        return None
    return choice.format.index("DD") < choice.format.index("MM")


def _against(name: str, day_first: bool | None) -> bool:
    if day_first is None:
        return False
    order = order_of(Choice(name))
    return order is not None and order != day_first


def _order(name: str) -> tuple[bool, int, str]:
    """Put the day before the month, and the shorter before the longer."""
    return not name.startswith("DD"), len(name), name
