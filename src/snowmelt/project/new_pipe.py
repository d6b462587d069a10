"""Adding a pipe to a project; what is there already is never touched."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from snowmelt.errors import ConfigError, UsageError
from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.pattern import compile_pattern
from snowmelt.project.project import find_project, load_project


def require_words(name: str, pattern: str, table: str | None) -> None:
    """Raise UsageError for words that no pipe can have."""
    contract = Contract(columns=[Column(name="any", type="varchar")])
    try:
        Pipe(name=name, pattern=pattern, table=table, contract=contract)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"--{first['loc'][0]} {first['input']}",
            f"{first['msg'][:1].lower()}{first['msg'][1:]}",
            "Names are of lower-case letters, digits and _, and begin with a letter.",
        ) from None


def require_free(directory: Path, name: str) -> None:
    """Raise UsageError if the project has the file of such a pipe already."""
    if (find_project(directory) / "pipes" / f"{name}.yml").exists():
        raise UsageError(
            f"pipes/{name}.yml",
            "it exists already; nothing was written",
            "Choose another --name, or leave out --write to see what it would be.",
        )


def write_pipe(directory: Path, name: str, text: str) -> str:
    """Write pipes/<name>.yml, and return that path in the project.

    Raises ConfigError, and leaves nothing behind, when the pipe does not go with the
    others: by its name, its table, or the files it takes.
    """
    root = find_project(directory)
    load_project(root)
    require_free(root, name)
    path = root / "pipes" / f"{name}.yml"
    path.parent.mkdir(exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    try:
        load_project(root)
    except ConfigError:
        path.unlink()
        raise
    return f"pipes/{name}.yml"


def takes(pattern: str, path: Path) -> bool:
    """Say whether a pattern could take a file, wherever landing begins in its path."""
    parts = path.resolve().parts
    matcher = compile_pattern(pattern)
    return any(
        matcher.fullmatch("/".join(parts[start:])) for start in range(len(parts))
    )
