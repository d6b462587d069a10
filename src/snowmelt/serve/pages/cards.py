"""Cards of a dashboard as a page draws them: figures, charts, maps, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from snowmelt.project.cards import DRAWN_BY_SCRIPT
from snowmelt.project.number_format import read_format
from snowmelt.project.tile_maps import codes_of, tiles_of
from snowmelt.serve.cells import MASK
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import trace_href
from snowmelt.serve.pages.wording import DASH, cell, is_number, number, short

ROWS_SHOWN = 100
LEVELS = 8
TILE = 46
WIDE = 116
_TILES_IN_A_ROW = 3
_NAME_MAX = 14
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?.*")
_PLACE = re.compile(r"\{(\w+)\}")
Write = Callable[[object], str]


def card_view(each: Document, number_of: int, onward: str) -> Document:
    """Return what the template needs of a card.

    `onward`: what is chosen here, for where its rows lead to; its links are None where
    they may lead nowhere.
    """
    card, columns, rows = each["card"], each["columns"], each["rows"]
    kind = "kpi" if "kpi" in card else card.get("chart", "table")
    write = writer(card.get("format"))
    shown: Document = {
        **each,
        "number": number_of,
        "kind": kind,
        "span": card["span"],
        "heading": card.get("kpi") or card.get("table") or card.get("title") or "",
        "description": card.get("description", ""),
        "write": write,
        "hrefs": [_href(card, columns, row, onward) for row in rows],
        "traces": _traces(each),
        "problem": each.get("problem"),
    }
    if not card.get("drill"):
        shown["hrefs"] = shown["traces"]
    shown["table"] = _table(shown)
    if shown["problem"] is None:
        shown |= _DRAWN.get(kind, _plain)(shown)
    return shown


def writer(text: str | None) -> Write:
    """Return what writes figures in a format; as they are without one."""
    if text is None:
        return cell
    found = read_format(text)
    return lambda value: DASH if value is None else found.write(value)


def _href(
    card: Document, columns: list[str], row: Sequence[Any], onward: str
) -> str | None:
    """Return where a row leads: values are quoted, so that none leads elsewhere."""
    drill = card.get("drill")
    if not drill:
        return None
    values = dict(zip(columns, row, strict=True))
    if any(values[name] is None for name in _PLACE.findall(drill)):
        return None
    led = _PLACE.sub(lambda found: quote(_bare(values[found[1]]), safe=""), drill)
    path, _, query = led.partition("?")
    name = path.removeprefix("/d/")
    set_here = {each.partition("=")[0] for each in query.split("&")}
    kept = [
        each for each in onward.split("&") if each.partition("=")[0] not in set_here
    ]
    both = "&".join(part for part in (query, *kept) if part)
    return f"/dashboards/{quote(name, safe='')}" + (f"?{both}" if both else "")


def _traces(each: Document) -> list[str | None]:
    """Return of each row where it is traced: which row of a table of gold it is."""
    row_of, columns = each.get("row_of"), each["columns"]
    if not row_of:
        return [None] * len(each["rows"])
    places = {key: columns.index(name) for key, name in row_of["columns"].items()}
    hrefs: list[str | None] = []
    for row in each["rows"]:
        values = {key: row[place] for key, place in places.items()}
        known = None not in values.values() and MASK not in values.values()
        hrefs.append(trace_href(row_of["table"], values) if known else None)
    return hrefs


def _bare(value: Any) -> str:
    """Return a value as an address has it: days without their midnight."""
    return re.sub(r"T00:00:00(\+00:00)?$", "", str(value))


def label(name: str) -> str:
    """Return a column's name as a heading: order_value is Order value."""
    return name.replace("_", " ").strip().capitalize() if name.islower() else name


def moment(value: object) -> str:
    """Write a value of an axis or a cell: months, days, and times without seconds."""
    if isinstance(value, str) and (found := _MOMENT.fullmatch(value)):
        return found[1] if found[2] == "00:00" else f"{found[1]} {found[2]}"
    return cell(value)


def _table(shown: Document) -> Document:
    """Return the rows of any card as a table."""
    card, columns, rows = shown["card"], shown["columns"], shown["rows"]
    formats, labels = card.get("formats", {}), card.get("labels", {})
    measures = _measures(card)
    writers = [
        writer(formats[name])
        if name in formats
        else shown["write"]
        if name in measures and "format" in card
        else moment
        for name in columns
    ]
    numeric = [
        bool(rows) and all(row[i] is None or is_number(row[i]) for row in rows)
        for i in range(len(columns))
    ]
    return {
        "heads": [labels.get(name, label(name)) for name in columns],
        "numeric": numeric,
        "rows": [
            [write(value) for write, value in zip(writers, row, strict=True)]
            for row in rows[:ROWS_SHOWN]
        ],
        "left_out": max(len(rows) - ROWS_SHOWN, 0),
        "linked": _linked(shown),
        "is_traced": bool(card.get("drill")) and any(shown["traces"]),
    }


def _linked(shown: Document) -> list[int]:
    """Return the columns whose cells lead where their row leads."""
    row_of, columns = shown.get("row_of"), shown["columns"]
    if shown["card"].get("drill") or not row_of:
        return [0]
    return [columns.index(name) for name in row_of["columns"].values()]


def _measures(card: Document) -> list[str]:
    """Return the columns that a card's format is of."""
    if "value" in card:
        return [card["value"]]
    y = card.get("y", [])
    return list(y) if isinstance(y, list) else [y]


def _plain(shown: Document) -> Document:
    return {}


def _figure(shown: Document) -> Document:
    card, columns, rows = shown["card"], shown["columns"], shown["rows"]
    value = rows[0][columns.index(card["value"])] if rows else None
    exact = float(value) if is_number(value) and isinstance(value, str) else value
    write = shown["write"] if "format" in card else short
    drawn: Document = {"shown": write(value), "exact": number(exact)}
    drawn["href"] = shown["hrefs"][0] if rows else None
    if "comparison" in shown:
        drawn["compared"] = _compared(card, shown["comparison"], write)
    return drawn


def _compared(card: Document, found: Document, write: Write) -> Document:
    """Say how a figure stands to the one before it: sign, percent, good or bad."""
    than = {"previous_period": "before", "previous_year": "a year before"}
    told: Document = {"than": than[found["of"]], "why": found["why"]}
    is_share = "format" in card and read_format(card["format"]).percent
    change = found["difference" if is_share else "change"]
    if change is None:
        return told | {"change": None, "level": ""}
    rounded = round(change * 100, 1)
    level = ""
    if rounded and "good" in card:
        level = "good" if (rounded > 0) == (card["good"] == "up") else "bad"
    return told | {
        "change": _signed(rounded, " points" if is_share else "%"),
        "arrow": "▲" if rounded > 0 else "▼" if rounded < 0 else "●",
        "level": level,
        "before": write(found["value"]),
        "from": found["from"],
        "to": found["to"],
    }


def _signed(amount: float, unit: str) -> str:
    if not amount:
        return "unchanged"
    return f"{amount:+,.1f}{unit}".replace("-", "\N{MINUS SIGN}")


def _scripted(shown: Document) -> Document:
    """Return what the chart's script draws, and how it is told to who cannot see it."""
    card, columns, rows = shown["card"], shown["columns"], shown["rows"]
    ys = _measures(card)
    names = [card["x"], *ys, *([card["series"]] if "series" in card else [])]
    places = [columns.index(name) for name in names]
    is_area = card["chart"] == "area"
    spec: Document = {
        "kind": card["chart"],
        "names": [label(name) for name in ys],
        "series": "series" in card,
        "stacked": card.get("stacked", is_area),
        "format": _format_document(card),
        "rows": [[row[place] for place in places] for row in rows],
    }
    if any(shown["hrefs"]):
        spec["hrefs"] = shown["hrefs"]
    return {"spec": spec, "told": _told(shown, columns.index(ys[0]))}


def _format_document(card: Document) -> Document | None:
    text = card.get("format")
    return read_format(text).as_document() if text else None


def _told(shown: Document, place: int) -> str:
    """Say in words what a drawing shows: its rows are below it."""
    values = [float(r[place]) for r in shown["rows"] if is_number(r[place])]
    kind = {"map": "map of tiles"}.get(shown["kind"], f"{shown['kind']} chart")
    if not values:
        return f"{kind}: {shown['heading']}"
    write = shown["write"]
    least, most = write(_whole(min(values))), write(_whole(max(values)))
    return (
        f"{kind}: {shown['heading']}. {len(values)} values from {least} to {most}; "
        "its rows are below it"
    )


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _level(value: Any, least: float, most: float) -> int:
    """Return how strongly a value is coloured, from 0 to LEVELS - 1."""
    if most <= least:
        return LEVELS // 2
    return min(int((float(value) - least) / (most - least) * LEVELS), LEVELS - 1)


def _heat(shown: Document) -> Document:
    """Return a grid of fields: rows by `y`, columns by `x`, as the query has them."""
    card, columns = shown["card"], shown["columns"]
    x, y, value = (columns.index(card[name]) for name in ("x", "y", "value"))
    size = columns.index(card["size"]) if "size" in card else None
    across = list(dict.fromkeys(row[x] for row in shown["rows"]))
    down = list(dict.fromkeys(row[y] for row in shown["rows"]))
    if card["chart"] == "cohort":  # what comes first is left, and above
        across, down = _in_order(across), _in_order(down)
    heads, labels = _heads(across), _heads(down)
    values = [float(r[value]) for r in shown["rows"] if is_number(r[value])]
    least, most = (min(values), max(values)) if values else (0.0, 0.0)
    lines: dict[Any, Document] = {
        each: {"label": name, "fields": [None] * len(across), "size": None}
        for each, name in zip(down, labels, strict=True)
    }
    for row, href in zip(shown["rows"], shown["hrefs"], strict=True):
        line = lines[row[y]]
        if size is not None and row[size] is not None:
            line["size"] = number(row[size])
        if row[value] is not None:
            level = _level(row[value], least, most) if is_number(row[value]) else 0
            line["fields"][across.index(row[x])] = {
                "text": shown["write"](row[value]),
                "level": level,
                "href": href,
            }
    return {
        "across": heads,
        "corner": label(card["y"]),
        "size_head": label(card["size"]) if size is not None else None,
        "lines": list(lines.values()),
    }


def _in_order(values: list[Any]) -> list[Any]:
    """Sort values of one kind; those that cannot be compared stay as they are."""
    try:
        return sorted(values)
    except TypeError:
        return values


def _heads(values: list[Any]) -> list[str]:
    """Write the headings of a grid: where all are firsts of months, as months."""
    texts = [moment(value) for value in values]
    if all(re.fullmatch(r"\d{4}-\d\d-01", text) for text in texts):
        return [text[:7] for text in texts]
    return texts


def _funnel(shown: Document) -> Document:
    """Return the steps of a funnel, each with its share of the first and the last."""
    card, columns = shown["card"], shown["columns"]
    x, y = columns.index(card["x"]), columns.index(card["y"])
    values = [float(row[y] or 0) for row in shown["rows"]]
    most = max([*values, 0.0]) or 1.0
    steps = []
    for place, (row, value) in enumerate(zip(shown["rows"], values, strict=True)):
        before = values[place - 1] if place else None
        steps.append(
            {
                "label": moment(row[x]),
                "text": shown["write"](row[y]),
                "width": round(100 * value / most, 2),
                "of_before": f"{value / before:.1%}" if before else None,
                "of_first": f"{value / values[0]:.1%}" if values[0] else DASH,
                "href": shown["hrefs"][place],
            }
        )
    return {"steps": steps, "count_head": label(card["y"])}


def _map(shown: Document) -> Document:
    """Return the tiles of a map; what lies nowhere on it is named beside it."""
    card, columns = shown["card"], shown["columns"]
    x, y = columns.index(card["x"]), columns.index(card["y"])
    values = [float(row[y]) for row in shown["rows"] if is_number(row[y])]
    least, most = min([*values, 0.0]), max([*values, 0.0])
    known: dict[str, Document] = {}
    left: list[Document] = []
    codes = {} if card["map"] == "any" else codes_of(card["map"])
    for row, href in zip(shown["rows"], shown["hrefs"], strict=True):
        told: Document = {
            "name": DASH if row[x] is None else str(row[x]),
            "text": shown["write"](row[y]),
            "level": _level(row[y], least, most) if is_number(row[y]) else None,
            "href": href,
        }
        code = codes.get(str(row[x]).strip().casefold())
        if code is None:
            left.append(told)
        else:
            known[code] = told
    tiles = _placed(card["map"], known) if codes else _in_rows(left)
    across = TILE if codes else WIDE
    return {
        "tiles": tiles,
        "width": max([*(tile["x"] for tile in tiles), 0]) + across,
        "height": max([*(tile["y"] for tile in tiles), 0]) + TILE,
        "across": across - 3,
        "down": TILE - 3,
        "elsewhere": left if codes else [],
        "told": _told(shown, y),
    }


def _placed(name: str, known: dict[str, Document]) -> list[Document]:
    tiles = []
    for tile in tiles_of(name):
        place = {"code": tile.code, "x": tile.column * TILE, "y": tile.row * TILE}
        nothing = {"text": "no data", "level": None, "href": None}
        tiles.append({**(known.get(tile.code) or nothing), **place, "name": tile.name})
    return tiles


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1].rstrip() + "…"


def _in_rows(found: list[Document]) -> list[Document]:
    """Place tiles one after the other, as the query has them."""
    return [
        {
            **each,
            "code": _shortened(each["name"]),
            "x": place % _TILES_IN_A_ROW * WIDE,
            "y": place // _TILES_IN_A_ROW * TILE,
        }
        for place, each in enumerate(found)
    ]


_DRAWN: dict[str, Callable[[Document], Document]] = {
    "kpi": _figure,
    "heatmap": _heat,
    "cohort": _heat,
    "funnel": _funnel,
    "map": _map,
    **dict.fromkeys(DRAWN_BY_SCRIPT, _scripted),
}
