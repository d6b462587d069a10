"""Is a batch that belongs together all there? Decisions without a clock or a disk."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from snowmelt.landing.config import Duration, duration_field
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.pattern import compile_pattern


class WaitFor(BaseModel):
    """What tells that the files of a batch are all there: one of three things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    marker: str | None = Field(
        None,
        pattern=r"^[^/]+$",
        description="A file in the same folder, such as _SUCCESS.",
    )
    manifest: str | None = Field(
        None,
        min_length=1,
        description="Glob for a file that lists the names: one a line, or as JSON.",
    )
    files: int | None = Field(
        None, ge=1, le=100_000, description="How many files have the same key."
    )
    per: str | None = Field(
        None,
        description="Regular expression with one group: the key in a file's path, "
        r"such as (\d{4}-\d{2}-\d{2}).",
    )
    deadline: Duration = duration_field(
        "1h", "How long after its first file a batch may be incomplete."
    )

    @field_validator("per")
    @classmethod
    def _one_group(cls, given: str | None) -> str | None:
        if given is not None:
            try:
                groups = re.compile(given).groups
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from None
            if groups != 1:
                raise ValueError("it needs exactly one group in parentheses")
        return given

    @model_validator(mode="after")
    def _one_way(self) -> WaitFor:
        ways = [self.marker, self.manifest, self.files]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("name one of marker, manifest and files")
        if (self.per is None) != (self.files is None):
            raise ValueError("files and per belong together")
        return self

    @cached_property
    def _manifests(self) -> re.Pattern[str]:
        return compile_pattern(self.manifest or "")

    def is_manifest(self, file_name: str) -> bool:
        """Is this file a list of others, and none to load?"""
        return bool(self.manifest) and self._manifests.fullmatch(file_name) is not None


@dataclass(frozen=True)
class Group:
    """Files that belong together, and what is still missing of them."""

    key: str
    files: tuple[Pending, ...]
    missing: str | None

    @property
    def since(self) -> datetime:
        """Return when the first of them was there."""
        return min(each.since for each in self.files)


def group_files(
    wait_for: WaitFor,
    waiting: Sequence[Pending],
    *,
    markers: Mapping[str, bool],
    manifests: Mapping[str, Sequence[str]],
    known: frozenset[str],
) -> list[Group]:
    """Sort whole files into groups, and say of each what is missing.

    `markers`: folders, and whether the marker is there. `manifests`: what each
    manifest lists, by its path. `known`: listed files that were loaded before.
    """
    if wait_for.marker is not None:
        return _by_folder(wait_for.marker, waiting, markers)
    if wait_for.manifest is not None:
        return _by_manifest(wait_for.manifest, waiting, manifests, known)
    return _by_key(wait_for, waiting)


def _by_folder(
    marker: str, waiting: Sequence[Pending], markers: Mapping[str, bool]
) -> list[Group]:
    folders: dict[str, list[Pending]] = defaultdict(list)
    for each in waiting:
        folders[each.file.name.rpartition("/")[0]].append(each)
    return [
        Group(
            folder or ".",
            tuple(files),
            None if markers.get(folder) else f"{folder}/{marker}".lstrip("/"),
        )
        for folder, files in folders.items()
    ]


def _by_manifest(
    pattern: str,
    waiting: Sequence[Pending],
    manifests: Mapping[str, Sequence[str]],
    known: frozenset[str],
) -> list[Group]:
    by_name = {each.file.name: each for each in waiting}
    groups = []
    for manifest, names in manifests.items():
        files = tuple(by_name.pop(name) for name in names if name in by_name)
        if not files:
            continue
        there = {each.file.name for each in files} | known
        absent = [name for name in names if name not in there]
        groups.append(Group(manifest, files, ", ".join(absent[:5]) or None))
    if by_name:
        groups.append(Group(pattern, tuple(by_name.values()), "a manifest that lists"))
    return groups


def _by_key(wait_for: WaitFor, waiting: Sequence[Pending]) -> list[Group]:
    keys: dict[str, list[Pending]] = defaultdict(list)
    for each in waiting:
        match = re.search(wait_for.per or "", each.file.name)
        keys[match[1] if match else ""].append(each)
    wanted = wait_for.files or 1
    return [
        Group(
            key,
            tuple(files),
            f"{wanted - len(files)} of {wanted} files" if len(files) < wanted else None,
        )
        for key, files in keys.items()
    ]


def read_manifest(content: bytes, manifest: str) -> list[str]:
    """Return the paths a manifest lists: lines, a JSON list, or `files`/`entries`.

    Names are relative to the manifest's folder unless they begin with a slash; of an
    entry's URL the last part counts.

    Raises ValueError for what is no list of names.
    """
    text = content.decode("utf-8-sig").strip()
    listed: list[Any]
    if text[:1] in ("{", "["):
        document = json.loads(text)
        if isinstance(document, dict):
            document = document.get("files", document.get("entries"))
        if not isinstance(document, list):
            raise ValueError("the manifest has no list under files or entries")
        listed = [_name_of(entry) for entry in document]
    else:
        listed = [line.strip() for line in text.splitlines()]
    folder = manifest.rpartition("/")[0]
    return [
        name.lstrip("/") if name.startswith("/") or not folder else f"{folder}/{name}"
        for name in listed
        if name and not name.startswith("#")
    ]


def _name_of(entry: Any) -> str:
    if isinstance(entry, dict):
        entry = entry.get("name", entry.get("path", entry.get("url")))
    if not isinstance(entry, str):
        raise ValueError(  # noqa: TRY004 - as above
            "an entry of the manifest has no name, path or url"
        )
    return entry.rpartition("/")[2] if "://" in entry else entry
