"""A folder of files that we write, and that people may write in, too.

A list in the folder says which files are ours and what we wrote. A file that is not on
it, or is not as we wrote it, is somebody's: it is never touched, and then nothing is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snowmelt.errors import ConfigError

LIST = ".snowmelt-written.json"


@dataclass(frozen=True)
class Writing:
    """What became of the files of a folder."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]


def write_folder(folder: Path, files: Mapping[str, str]) -> Writing:
    """Write files, and remove those of ours that are not among them any more.

    Raises ConfigError, before anything is written, for what somebody else wrote.
    """
    ours = _read_list(folder)
    _require_ours(folder, ours, files)
    changed = [name for name in sorted(files) if _differs(folder / name, files[name])]
    gone = [name for name in sorted(ours) if name not in files]
    try:
        # Said before it is so: who is stopped half-way finds only what was to be.
        _write_list(
            folder,
            {**ours, **{name: _digests(folder, name, files[name]) for name in files}},
        )
        for name in changed:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        _write_list(folder, {name: [_digest(files[name])] for name in files})
    except OSError as error:
        raise ConfigError(
            str(folder), f"it cannot be written: {error.strerror}"
        ) from None
    return Writing(
        tuple(changed),
        tuple(gone),
        tuple(name for name in sorted(files) if name not in changed),
    )


def _require_ours(
    folder: Path, ours: Mapping[str, list[str]], files: Mapping[str, str]
) -> None:
    for name in sorted({*ours, *files}):
        path = folder / name
        if not path.exists():
            continue
        found = _digest(_read(path))
        wanted = name in files and found == _digest(files[name])
        if wanted or found in ours.get(name, []):
            continue
        problem = (
            "it was changed by hand since we wrote it"
            if name in ours
            else "it is there already, and we did not write it"
        )
        raise ConfigError(
            str(path),
            f"{problem}: nothing was written",
            "Put what is yours into a file of its own (such as override.tf), "
            "then delete or rename this one.",
        )


def _digests(folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    now = [_digest(_read(path))] if path.exists() else []
    return [*now, _digest(text)]


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or _read(path) != text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"it cannot be read: {error}") from None


def _read_list(folder: Path) -> dict[str, list[str]]:
    path = folder / LIST
    if not path.exists():
        return {}
    try:
        listed = json.loads(_read(path))["files"]
        return {
            str(name): [str(each) for each in told] for name, told in listed.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            str(path),
            "it is not as we wrote it",
            "Write into another folder, or delete it with the files it lists.",
        ) from None


def _write_list(folder: Path, listed: Mapping[str, list[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    note = "Which files snowmelt wrote here, and their digests. Keep it with them."
    told = {"note": note, "files": dict(sorted(listed.items()))}
    (folder / LIST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
