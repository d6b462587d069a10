"""Column names from headers and keys as people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from snowmelt.pipe.contract import PATH, ROWID

NAME_LENGTH_MAX = 255
_WRITTEN_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"}
    | {"%": " percent ", "#": " number ", "€": " eur ", "$": " usd ", "&": " and "}
)
_PLAIN_KEY = re.compile(r"[^\s.\[\]\"$](?:[^.\[\]\"$]*[^\s.\[\]\"$])?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def propose_name(written: str, position: int) -> str:
    """Return a name that a column can have; `column_<position>` if none is left.

    A valid name stays as it is, in lower case.
    """
    plain = written.strip()
    if plain.lower() == ROWID:
        return "row_id"
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", plain) and len(plain) <= NAME_LENGTH_MAX:
        return plain.lower()
    text = unicodedata.normalize("NFKD", _HUMP.sub("_", plain).translate(_WRITTEN_OUT))
    text = "".join(each for each in text if not unicodedata.combining(each))
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name:
        return f"column_{position}"
    if name[0].isdigit():
        name = f"column_{name}"
    return name[:NAME_LENGTH_MAX].rstrip("_")


def propose_names(written: Sequence[str]) -> list[str]:
    """Return a name for each header, no two alike.

    Headers that are names already keep theirs; the others make way.
    """
    proposed = [propose_name(each, at) for at, each in enumerate(written, 1)]
    kept = {
        name
        for name, each in zip(proposed, written, strict=True)
        if each.strip().lower() == name
    }
    taken: set[str] = set()
    names = []
    for name, each in zip(proposed, written, strict=True):
        free, number = name, 2
        is_own = each.strip().lower() == name and name not in taken
        while not is_own and (free in taken or free in kept):
            free, number = f"{name[: NAME_LENGTH_MAX - 6]}_{number}", number + 1
        taken.add(free)
        names.append(free)
    return names


def matches_by_name(written: str, name: str) -> bool:
    """Say whether a contract finds this header by the column's name alone."""
    return written.strip().lower() == name


def path_of(keys: Sequence[str]) -> str | None:
    """Return the path to a value as a contract has it; None if none can be written."""
    path = ".".join(key if _PLAIN_KEY.fullmatch(key) else f'"{key}"' for key in keys)
    sound = all(keys) and not any('"' in key for key in keys)
    return path if sound and re.fullmatch(PATH, path) else None
