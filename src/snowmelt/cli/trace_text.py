"""Traces as text: a tree that is read in one look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snowmelt.cli import output

Document = dict[str, Any]
_VALUES_SHOWN = 6
_KEYS_SHOWN = 3
_VALUE_SHOWN = 40


def show_trace(document: Document) -> None:
    """Show a model's rows, and below them what they are made of."""
    if "relations" not in document:
        _show_how(document)
        return
    keys = document["key_columns"]
    count = output.count(document["count"], "row")
    output.show(f"{document['model']}: {count}")
    for row in document["rows"][:_KEYS_SHOWN]:
        rest = {k: v for k, v in row.items() if k not in keys and v is not None}
        shown = dict(list(rest.items())[:_VALUES_SHOWN])
        output.show(f"│ {_pairs({k: row[k] for k in keys})}   {_pairs(shown)}")
    if document["count"] > _KEYS_SHOWN:
        output.show(f"│ … and {document['count'] - _KEYS_SHOWN:,} more")
    relations = {each["relation"]: each for each in document["relations"]}
    shown_before: set[str] = set()
    for line in _tree(document["model"], relations, "", shown_before):
        output.show(line)
    _show_versions(document["versions"])
    _show_loads(document["loads"])
    _show_doubts(document)
    _show_next(document)


def _show_how(document: Document) -> None:
    keys = ", ".join(document["key_columns"])
    named = (
        "is named by" if document["has_key"] else "has no key; name rows by columns:"
    )
    rows = output.count(document["count"], "row")
    output.show(f"{document['model']} ({rows}) {named} {keys}")
    output.show(document["example"])
    output.tell(f"Any columns will do: {', '.join(document['columns'])}")


def _tree(
    above: str, relations: dict[str, Document], indent: str, shown: set[str]
) -> Iterator[str]:
    """Yield lines of what a relation is made of; each relation once."""
    below = [relations[each] for each in relations[above]["made_from"]]
    below = [each for each in below if each["count"] or each["only_let_pass"]]
    for place, relation in enumerate(below):
        last = place == len(below) - 1
        name = relation["relation"]
        yield f"{indent}{'└─' if last else '├─'} {name}: {_count(relation)}" + (
            " (see above)" if name in shown else ""
        )
        deeper = indent + ("   " if last else "│  ")
        if name in shown:
            continue
        shown.add(name)
        yield from (f"{deeper}{line}" for line in _rows(relation))
        yield from _tree(name, relations, deeper, shown)


def _count(relation: Document) -> str:
    made = output.count(relation["count"], "row")
    if relation["only_let_pass"]:
        passed = f"{relation['only_let_pass']:,} that only let rows pass"
        return f"{made}, {passed}" if relation["count"] else passed
    return made


def _rows(relation: Document) -> Iterator[str]:
    if relation["kind"] == "bronze":
        yield from map(_record, relation["rows"])
        left = relation["count"] + relation["only_let_pass"] - len(relation["rows"])
        if left > 0:
            yield f"… and {left:,} more"
        return
    of_silver = any(each["record"] for each in relation["rows"])
    limit = _KEYS_SHOWN if not of_silver or relation["count"] > _KEYS_SHOWN else None
    for row in relation["rows"][:limit]:
        yield _pairs(row["key"])
    left = relation["count"] - len(relation["rows"][:limit])
    if left > 0:
        yield f"… and {left:,} more"


def _record(row: Document) -> str:
    """Return a bronze row as file:line, or its record's number and why."""
    replayed = row["replayed_from"]
    by = f", replayed from load {replayed}" if replayed is not None else ""
    load = f"load {row['load_seq']}{by}"
    if row["line"] is not None:
        text = _cut(row["record"] or "", 60)
        return f"{row['file_name']}:{row['line']}  {text}  ({load})"
    values = {k: v for k, v in row["values"].items() if v is not None}
    shown = dict(list(values.items())[:_VALUES_SHOWN])
    why = f"; {row['no_line']}" if row["no_line"] else ""
    return (
        f"{row['file_name']} record {row['file_row']}  {_pairs(shown)}  ({load}{why})"
    )


def _show_versions(versions: Document | None) -> None:
    """Show what else came for the same key, if it is a row of silver."""
    if versions is None:
        return
    if versions["not_looked_for"]:
        output.tell(f"Other versions: not looked for, {versions['not_looked_for']}.")
    for each in versions["rows"]:
        if each["state"] != "counts":
            why = {
                "superseded": f"superseded by load {each['superseded_by']}",
                "quarantined": f"refused by {each['rule']}",
                "dropped": "dropped by a rule",
                "older": "another version comes first in the order of truth",
                "waiting": "waits for a run",
            }[each["state"]]
            output.show(
                f"✗ {each['file_name']} record {each['file_row']} "
                f"(load {each['load_seq']}, version of {_moment(each['version_at'])}): "
                f"{why}"
            )
    for each in versions["rejects"]:
        output.show(
            f"✗ {each['file_name']}:{each['line']} (load {each['load_seq']}): "
            f"rejected, {each['error']}"
        )


def _show_loads(loads: list[Document]) -> None:
    if not loads:
        return
    output.show()
    columns = ("load", "file", "rows", "loaded_at", "published_at", "run", "note")
    rows = []
    for each in loads[:20]:
        run = each["run"] or {}
        rows.append(
            [
                each["load_seq"],
                each["file_name"],
                each["rows"],
                _moment(each["last_load_time"]),
                _moment(run.get("ended_at")),
                run.get("run_id", "not yet"),
                _note(each),
            ]
        )
    output.show_table(columns, rows)
    if len(loads) > 20:
        output.show(f"… and {len(loads) - 20:,} more loads")


def _note(load: Document) -> str:
    if load["superseded_by"] is not None:
        return f"superseded by load {load['superseded_by']}"
    if load.get("replay_of") is not None:
        return f"replay of load {load['replay_of']}"
    return str(load["status"]) if load["status"] != "Loaded" else ""


def _show_doubts(document: Document) -> None:
    """Say where the trace names more rows than made it, and what else decides."""
    for each in document["coarse"]:
        output.tell(
            f"Coarse: {each['model']} is not traced row by row, because "
            f"{each['reason']}. Taken instead: {each['how']}."
        )
    for model, notes in document.get("decided", {}).items():
        for note in notes:
            read = ", ".join(note["relations"])
            output.tell(f"Also decides in {model}: {note['construct']}, over {read}.")


def _show_next(document: Document) -> None:
    bronze = [
        row
        for each in document["relations"]
        if each["kind"] == "bronze"
        for row in each["rows"]
    ]
    if bronze:
        first = bronze[0]
        output.tell(
            f"What that file became: snowmelt trace --file {first['file_name']} "
            f"--row {first['file_row']}"
        )


# Upwards.


def show_became(document: Document) -> None:
    """Show a file's loads, or one record, and what is made of it."""
    output.show(document["file_name"])
    for load in document.get("loads", ()):
        _show_load(load)
    if "record" in document:
        _show_record(document["record"])
    for each in document["became"]:
        keys = "; ".join(_pairs(key) for key in each["keys"][:_KEYS_SHOWN])
        more = "; …" if each["count"] > _KEYS_SHOWN else ""
        view = " (view)" if each["kind"] == "view" else ""
        rows = output.count(each["count"], "row")
        output.show(f"├─ {each['model']}{view}: {rows}   {_cut(keys, 100)}{more}")
    if not document["became"]:
        output.show("└─ nothing is made of it")
    _show_doubts(document)
    tables = [each for each in document["became"] if each["keys"]]
    if tables:
        last = tables[-1]
        words = " ".join(f"--key {k}={v}" for k, v in last["keys"][0].items())
        output.tell(f"Where a row comes from: snowmelt trace {last['model']} {words}")


def _show_load(load: Document) -> None:
    run = load["run"] or {}
    output.show(
        f"│ load {load['load_seq']} ({load['status']}): "
        f"{load['row_parsed']:,} records, "
        f"{load['row_count']:,} loaded, {load['error_count']:,} rejected"
    )
    if load["superseded_by"] is not None:
        output.show(f"│   superseded by load {load['superseded_by']}: its rows left")
    if load["duplicate_of"] is not None:
        output.show(f"│   its bytes are those of load {load['duplicate_of']}")
    if run:
        output.show(f"│   published {_moment(run['ended_at'])} by run {run['run_id']}")
    for silver in load["silver"]:
        parts = [
            f"{silver[name]:,} {told}"
            for name, told in _IN_SILVER.items()
            if silver[name]
        ]
        output.show(f"│   {silver['model']}: {', '.join(parts) or 'nothing'}")


_IN_SILVER = {
    "there": "there",
    "quarantined": "in quarantine",
    "dropped": "dropped by a rule",
    "older": "older or equal versions of a key",
    "superseded": "superseded",
    "waiting": "wait for a run",
}


def _show_record(record: Document) -> None:
    where = f":{record['line']}" if record["line"] is not None else ""
    told = f"│ record {record['file_row']}{where} of load {record['load_seq']}"
    output.show(f"{told}  {_cut(record['record'] or '', 80)}".rstrip())
    if record.get("no_line"):
        output.show(f"│   no line: {record['no_line']}")
    if record.get("rejected"):
        _show_rejected(record)
        return
    for fate in record["silver"]:
        output.show(f"│   {fate['model']}: {_fate(fate)}")


def _fate(fate: Document) -> str:
    state = fate["state"]
    if state == "there":
        return f"there as {_pairs(fate['key'])}"
    if state == "quarantined":
        return f"refused by {', '.join(fate['rules'] or [fate['rule']])}"
    if state == "superseded":
        return f"its load was superseded by load {fate['by_load']}"
    if state == "older":
        newer = fate["newer"]
        return (
            f"an older or equal version of {_pairs(fate['key'])}; record "
            f"{newer['file_row']} of {newer['file_name']} "
            f"(load {newer['load_seq']}) counts"
        )
    return "dropped by a rule" if state == "dropped" else "waits for a run"


def _show_rejected(record: Document) -> None:
    for error in record["errors"]:
        output.show(f"│   refused: {error.get('error')}")
    if record["replayed_by"] is not None:
        output.show(f"│   replayed since, by load {record['replayed_by']}")
    if record.get("not_known"):
        output.show(f"│   what it would touch is not known: {record['not_known']}")
    if not record.get("aligned", True):
        output.show("│   it has not the fields of the header: values may be shifted")
    if record.get("unreadable"):
        output.show(f"│   cannot be read: {', '.join(record['unreadable'])}")
    for would in record["would"]:
        _show_would(would)


def _show_would(would: Document) -> None:
    if None in would["key"].values() or not would["key"]:
        output.show(f"│   {would['model']}: it has no key, so nothing can be said")
        return
    there = "which is there" if would["replaces"] else "which is not there"
    output.show(f"│   {would['model']}: would be {_pairs(would['key'])}, {there}")
    for each in would["touches"]:
        keys = "; ".join(_pairs(key) for key in each["keys"][:_KEYS_SHOWN])
        if keys:
            output.show(f"│     would touch {each['model']}: {keys}")


# Columns.


def show_columns(document: Document) -> None:
    """Show what feeds each column, down to columns of files."""
    for fed in document["columns"]:
        output.show(f"{document['model']}.{fed['column']}{_made_by(fed)}")
        for line in _feeds(fed, "", document["files"]):
            output.show(line)


def _feeds(fed: Document, indent: str, files: Document) -> Iterator[str]:
    for place, each in enumerate(fed["feeds"]):
        last = place == len(fed["feeds"]) - 1
        name = f"{each['relation']}.{each['column']}"
        file = files.get(name)
        called = f"   ← pipe {file['pipe']}, column {file['column']}" if file else ""
        yield f"{indent}{'└─' if last else '├─'} {name}{_made_by(each)}{called}"
        yield from _feeds(each, indent + ("   " if last else "│  "), files)


def _made_by(fed: Document) -> str:
    if fed["unknown"]:
        return f"   ? {fed['unknown']}"
    made = fed["expression"]
    if fed["made"] and not fed["feeds"]:
        return f" = {_cut(made, 80)}   (of rows, of no column)"
    return f" = {_cut(made, 80)}" if made else ""


# Words.


def _pairs(values: Document) -> str:
    return "  ".join(
        f"{key}={_cut('null' if value is None else str(value), _VALUE_SHOWN)}"
        for key, value in values.items()
    )


def _cut(text: str, length: int) -> str:
    text = text.replace("\n", "⏎").replace("\r", "")
    return text if len(text) <= length else text[: length - 1] + "…"


def _moment(text: str | None) -> str | None:
    return text and text[:19].replace("T", " ")
