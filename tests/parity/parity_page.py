"""The page docs/reference/parity.md, made of the scenarios."""

from __future__ import annotations

from scenario import Scenario, read_scenarios

AREAS = {
    "files": "Files and pipes",
    "streams": "Streams",
    "tasks": "Tasks",
}
PROMISES = {
    1: "exactly once",
    3: "notifications are hints",
    4: "incremental = full rebuild",
    5: "readers see a whole, tested run",
}
_DOCUMENTS = "https://docs.snowflake.com/en/"
_SCENARIOS = "../../tests/parity/scenarios"
_HEAD = """# Parity: Snowflake, and Snowmelt on this machine

The same project runs here and there. Where both come to the same, and where not, is
played: each line is a scenario of `tests/parity/scenarios/`, which a test runs on
Snowmelt itself and on a double of Snowflake; whether both end the same is computed.

**The double is our reading of the vendor's documents**; each line links the page it is
read from. No live account was asked, so nothing here says how Snowflake behaves, only
how we understand that it should. *There* is a project as `snowmelt deploy` sets it up:
Snowpipe into `…__ALL`, the live view over it, streams of the models, tasks.
"""
_MORE = """
More of both, sentence by sentence: [copy.md](copy.md) for formats, errors and history,
[tasks.md](tasks.md) for tasks. What was tried on what: [verified.md](verified.md).
"""


def parity_page() -> str:
    """Return the page as it has to be."""
    found = {area: read_scenarios(area) for area in AREAS}
    every = [each for scenarios in found.values() for each in scenarios]
    same = sum(each.is_same for each in every)
    lines = [
        _HEAD,
        f"Of {len(every)} scenarios {same} end the same, {len(every) - same} do not.",
        *_broken(every),
    ]
    for area, title in AREAS.items():
        lines += ["", f"## {title}", ""]
        lines += ["| what | there | here | | scenario |", "|---|---|---|---|---|"]
        lines += [_row(each) for each in found[area]]
    return "\n".join([*lines, _MORE])


def _broken(scenarios: list[Scenario]) -> list[str]:
    """Tell which promises do not hold there, and where that shows."""
    lines = ["", "## Promises that do not hold there", ""]
    for promise, title in PROMISES.items():
        for each in (e for e in scenarios if e.promise == promise):
            told = f"{_plain(each.sentence)} {_plain(each.there)}"
            lines.append(f"- **{promise}, {title}.** {told} *Why:* {each.because}.")
    return lines


def _row(each: Scenario) -> str:
    here = each.here or "the same"
    ends = "same" if each.is_same else f"**differs**: {each.because}"
    what = f"{each.sentence} [↗]({_DOCUMENTS}{each.document})"
    name = f"[{each.name}]({_SCENARIOS}/{each.area}.yml)"
    cells = (_cell(part) for part in (what, each.there, here, ends, name))
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.replace("**", "").split())
