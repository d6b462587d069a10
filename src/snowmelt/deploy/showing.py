"""A plan as lines of text that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from snowmelt.deploy.address import Value
from snowmelt.deploy.steps import Action, Difference, Plan, Step
from snowmelt.deploy.wording import in_words, section_of

SIGNS = {
    Action.CREATE: "+",
    Action.CHANGE: "~",
    Action.REPLACE: "±",
    Action.DROP: "-",
    Action.KEEP: "=",
    Action.CONFLICT: "!",
    Action.UNKNOWN: "?",
    Action.BLOCKED: "!",
}
_COLOURS = {
    Action.CREATE: "32",
    Action.CHANGE: "33",
    Action.REPLACE: "35",
    Action.DROP: "31",
    Action.KEEP: "36",
    Action.CONFLICT: "31",
    Action.UNKNOWN: "31",
    Action.BLOCKED: "31",
}
_NOUNS = {
    Action.CREATE: "to create",
    Action.CHANGE: "to change",
    Action.REPLACE: "to replace",
    Action.DROP: "to drop",
    Action.KEEP: "kept",
    Action.CONFLICT: "not ours",
    Action.UNKNOWN: "unknown",
    Action.BLOCKED: "waiting",
}
_SHOWN_MAX = 100
_PLAIN_MAX = 12
"""So many steps are read without headings."""

Script = Callable[[Step], Sequence[str]]


def show_plan(
    plan: Plan, *, colour: bool = False, script: Script | None = None
) -> Iterator[str]:
    """Yield the lines of a plan: what becomes of what, why, and how many."""
    has_headings = len(plan.steps) > _PLAIN_MAX
    section = ""
    for step in plan.steps:
        below = section_of(step, section)
        if has_headings and below != section:
            yield from (*([""] if section else ()), _heading(below, colour))
        section = below
        yield from _show_step(step, colour, script)
    if plan.steps:
        yield ""
    if plan.is_empty:
        yield "Nothing to do: everything is as it is to be."
    if plan.steps:
        counts = [f"{n} {_NOUNS[action]}" for action, n in plan.counts.items()]
        yield f"{', '.join(counts)}. Plan {plan.digest[:12]}."


def _heading(title: str, colour: bool) -> str:
    return f"\x1b[1m{title}\x1b[0m" if colour else title


def _show_step(step: Step, colour: bool, script: Script | None) -> Iterator[str]:
    sign = SIGNS[step.action]
    head = f"{sign} {step.address.kind.replace('_', ' ')} {step.address.name}"
    if step.address.provider != "snowflake":
        head = f"{sign} {step.address.provider} {head[2:]}"
    if colour:
        head = f"\x1b[{_COLOURS[step.action]}m{head}\x1b[0m"
    yield head + _show_new(step)
    if step.why:
        yield f"      {step.why}"
    for difference in step.differences:
        yield from _show_difference(difference)
    if step.remedy:
        yield f"      {step.remedy}"
    for statement in script(step) if script is not None else ():
        yield from (f"    {line}" for line in f"{statement};".splitlines())


def _show_new(step: Step) -> str:
    """Return how something is to be that is not there yet, in short."""
    if step.action is not Action.CREATE or step.wanted is None:
        return ""
    words = in_words(step)
    if words is not None:
        return f": {words}" if words else ""
    properties = step.wanted.properties.items()
    told = ", ".join(
        f"{name.replace('_', ' ') if name.islower() else name} {_text(value)}"
        for name, value in properties
        if value not in ("", (), None)
    )
    told = told if len(told) <= _SHOWN_MAX else f"{told[:_SHOWN_MAX]}…"
    return f": {told}" if told else ""


def _show_difference(difference: Difference) -> Iterator[str]:
    before, after = difference.before, difference.after
    if difference.is_seen and isinstance(before, tuple) and isinstance(after, tuple):
        gone = [each for each in before if each not in after]
        new = [each for each in after if each not in before]
        if gone or new:
            yield f"    {difference.name}:"
            yield from (f"      - {_text(each)}" for each in gone)
            yield from (f"      + {_text(each)}" for each in new)
            return
    was = _text(before) if difference.is_seen else "(cannot be read)"
    yield f"    {difference.name}: {was} → {_text(after)}"


def _text(value: Value) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(_text(part) for part in value)
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
