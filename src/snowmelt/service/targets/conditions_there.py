"""What tasks of an account wait for: the condition that each has there, as it stands.

It is not the one of snowmelt.yml: a graph that builds models begins with what was taken
and not built, too, and one that builds none asks streams of its own.
"""

from __future__ import annotations

from snowmelt.deploy.harvest.stream_mapping import source_of
from snowmelt.deploy.snowflake.task_place import OWED, RETRY
from snowmelt.serve.commands import Document
from snowmelt.service.targets.facts import Facts
from snowmelt.transform.tasks.condition import (
    Condition,
    Operation,
    UnreadRows,
    holds,
    parse_condition,
    streams_in,
    written,
)


def judge_conditions(facts: Facts, conditions: list[Document]) -> None:
    """Say of each task what it asks there, and what the account's streams answer."""
    there = {each["name"]: each["condition"] for each in facts.tasks}
    streams = {_plain(each["name"]): each for each in facts.streams}
    for each in conditions:
        each |= {"holds": None, "streams": []}
        told = there.get(each["task"])
        if not told:
            each["problem"] = (
                "the task there has no condition"
                if each["task"] in there
                else "the task is not in the account"
            )
            continue
        try:
            asked = parse_condition(_plain(told))
        except ValueError as error:
            each |= {"when": told, "problem": f"it cannot be read: {error}"}
            continue
        each |= _judged(asked, streams)


def _judged(asked: Condition, streams: dict[str, Document]) -> Document:
    """Return a condition in words, what its streams answer, and whether it holds."""
    paths = tuple(dict.fromkeys(streams_in(asked)))
    names = {path: _name(path, streams.get(path)) for path in paths}
    answers = {path: streams.get(path, {}).get("has_data") for path in paths}
    unknown = [names[path] for path in paths if answers[path] is None]
    return {
        "when": written(_renamed(asked, names)),
        "holds": None if unknown else holds(asked, lambda path: bool(answers[path])),
        "problem": f"{unknown[0]} could not be asked" if unknown else None,
        "streams": [
            {"name": names[path], "has_data": answer}
            for path, answer in answers.items()
            if answer is not None
        ],
    }


def _name(path: str, stream: Document | None) -> str:
    """Return what a stream is called here: the table that it is on, or what is owed."""
    own = path.rpartition(".")[2].lower()
    if own in (OWED, RETRY) or stream is None:
        return own
    return source_of(stream["table_name"]).rpartition(".")[2]


def _renamed(condition: Condition, names: dict[str, str]) -> Condition:
    if isinstance(condition, UnreadRows):
        return UnreadRows(names[condition.name])
    parts = tuple(_renamed(part, names) for part in condition.parts)
    return Operation(condition.word, parts)


def _plain(path: str) -> str:
    return path.replace('"', "").upper()
