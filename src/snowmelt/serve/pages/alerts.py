"""Alerts: what is open, who heard of it, what helps; sinks and their messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of, whole
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link

SHOWN = 25
SEVERITIES = {"critical": "bad", "warning": "warn", "info": ""}
DELIVERED = {"sent": "good", "due": "busy", "failed": "bad", "dropped": ""}
_PLACES = {"streams": "/tasks#streams", "runs": "/runs", "machine": "/doctor"}


def about_href(about: Document) -> str:
    """Return the page of what an alert is about; empty if there is none."""
    kind, name = about["kind"], about["name"]
    if kind == "file":
        return _file_href(about)
    if kind == "run":
        return link("runs", name) if name else "/runs"
    if kind == "pipe":
        return "/files?" + urlencode({"pipe": name})
    if kind == "task":
        return link("tasks", name)
    return _PLACES.get(kind, "")


def _file_href(about: Document) -> str:
    if about["held"]:
        return "/drift" if about["held"] == "drift" else "/files#waiting"
    if about["load_seq"]:
        return link("files", about["load_seq"])
    return "/files?" + urlencode({"name": about["name"]})


def _shown(alert: Document) -> Document:
    """Return an alert or a cause with links, and its evidence place by place."""
    about = alert["about"]
    href = about_href(about)
    places = []
    for each in alert["places"]:
        file, _, line = each["where"].rpartition(":")
        is_line = file == about["name"] and line.isdigit() and about["load_seq"]
        places.append({**each, "href": f"{href}#line-{line}" if is_line else ""})
    sent = [each for each in alert.get("deliveries", ()) if each["state"] == "sent"]
    bad = [
        each
        for each in alert.get("deliveries", ())
        if each["error"] and each["state"] != "sent"
    ]
    return {
        **alert,
        "href": href,
        "places": places,
        "level": SEVERITIES.get(alert["severity"], ""),
        "told": list(dict.fromkeys(each["sink"] for each in sent)),
        "untold": list(dict.fromkeys(each["sink"] for each in bad)),
    }


def _rank(alert: Document) -> int:
    return list(SEVERITIES).index(alert["severity"])


async def show_alerts(site: Site, request: Request) -> Response:
    """Answer `/alerts`: open ones first, then rules, sinks and history.

    `look=now` asks the rules themselves, as the command does; it may take long.
    """
    chosen = chosen_of(request, "rule", "state", "before", "look")
    asked = {name: chosen[name] for name in ("rule", "state", "before")}
    board = await site.ask("alert_board", **asked, limit=SHOWN)
    looked: Document | None = None
    if chosen["look"]:
        looked = await site.ask("alerts")
        looked = {**looked, "causes": [_shown(each) for each in looked["causes"]]}
    kept = {name: chosen[name] for name in ("rule", "state") if chosen[name]}
    shown: dict[str, Any] = {
        **board,
        "open": sorted(map(_shown, board["open"]), key=_rank),
        "alerts": [_shown(each) for each in board["alerts"]],
    }
    return await site.page(
        request,
        "alerts.html",
        heading="Alerts",
        section="/alerts",
        chosen=chosen,
        looked=looked,
        severities=SEVERITIES,
        next_href="/alerts?" + urlencode(kept | {"before": board["next"] or ""}),
        first_href="/alerts?" + urlencode(kept),
        **shown,
    )


async def show_alert(site: Site, request: Request) -> Response:
    """Answer `/alerts/ID`: what shows it, and every message about it."""
    found = await site.ask("alert", alert=request.path_params["alert"])
    alert = _shown(found["alert"])
    return await site.page(
        request,
        "alert.html",
        heading=alert["message"],
        section="/alerts",
        delivered=DELIVERED,
        **{
            **found,
            "alert": alert,
            "past": [_shown(each) for each in found["past"]],
        },
    )


async def show_sink(site: Site, request: Request) -> Response:
    """Answer `/alerts/sinks/NAME`: the messages that went, or are to go, through it."""
    chosen: dict[str, Any] = chosen_of(request, "state", "before")
    name = request.path_params["sink"]
    found = await site.ask(
        "deliveries",
        sink=name,
        state=chosen["state"],
        before=whole("before", chosen["before"]),
        limit=SHOWN * 2,
    )
    here = link("alerts", "sinks", name)
    kept = {"state": chosen["state"]} if chosen["state"] else {}
    return await site.page(
        request,
        "sink.html",
        heading=f"Sink {name}",
        section="/alerts",
        chosen=chosen,
        delivered=DELIVERED,
        severities=SEVERITIES,
        here=here,
        next_href=f"{here}?" + urlencode(kept | {"before": found["next"] or 0}),
        first_href=f"{here}?" + urlencode(kept) if kept else here,
        **found,
    )
