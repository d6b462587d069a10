"""Doctor: is this machine, and this project, fit to run?"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import number, seconds, size

LEVELS = {"pass": "good", "warn": "warn", "fail": "bad"}
_RANK = {"fail": 0, "warn": 1, "pass": 2}


async def show_doctor(site: Site, request: Request) -> Response:
    """Answer `/doctor`: what was found when it was checked last, failures first."""
    found = await site.ask("doctor", fresh=False)
    findings = sorted(found["findings"], key=lambda each: _RANK[each["level"]])
    counts = {
        level: sum(each["level"] == level for each in findings) for level in LEVELS
    }
    worst = next((level for level in _RANK if counts[level]), "pass")
    return await site.page(
        request,
        "doctor.html",
        heading="Doctor",
        section="/doctor",
        shell=await site.ask("shell"),
        levels=LEVELS,
        counts=counts,
        worst=LEVELS[worst],
        limits_in_words=[
            limit_words(name, value) for name, value in found["limits"].items()
        ],
        **{**found, "findings": findings},
    )


def limit_words(name: str, value: float | None) -> tuple[str, str]:
    """Return a limit as people read it: `load.settle seconds` → 2 s."""
    told = name.replace("_", " ")
    if value is None:
        return told, "none"
    if name.endswith("_seconds"):
        return told.removesuffix(" seconds"), seconds(value)
    if "bytes" in name:
        return told.replace(" bytes", ""), size(int(value))
    return told, number(value)
