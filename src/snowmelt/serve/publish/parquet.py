"""Gold as Parquet files: a version a run, and a manifest that says which is current.

    DIR/manifest.json                     the current version: run, tables, files
    DIR/current -> versions/RUN           the same, for who wants no manifest (folders)
    DIR/versions/RUN/SCHEMA.TABLE/…       the files of one run; they never change

A version is whole before the manifest names it, and stays for readers who began with
it. Tables that did not change are the files of the version before: links in a folder,
the same objects in a bucket.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.serve.publish.described import GoldTable
from snowmelt.serve.publish.prepared import digest_of
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

MANIFEST = "manifest.json"
VERSIONS = "versions"
FORMAT = 1
Manifest = dict[str, Any]


class Shelf(Protocol):
    """Where versions stand: a folder, or a prefix of a bucket."""

    where: str

    def current(self) -> Manifest | None:
        """Return the manifest there is, if any."""
        ...

    def manifests(self) -> list[Manifest]:
        """Return those of all versions that are still there."""
        ...

    def put(self, version: str, files: Mapping[str, Path], same: Sequence[str]) -> None:
        """Put files of a version there, by their path in it; take over `same` paths."""
        ...

    def point(self, manifest: Manifest) -> None:
        """Make a version the current one, at once."""
        ...

    def remove(self, old: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        """Remove versions, but no file that a kept one names."""
        ...


@dataclass(frozen=True)
class Keeping:
    """How many versions stay, and for how long at least."""

    versions_max: int
    keep: timedelta


def publish_parquet(
    session: Session,
    tables: Sequence[GoldTable],
    shelf: Shelf,
    spool: Path,
    run: tuple[str, datetime],
) -> list[dict[str, Any]]:
    """Publish what a snapshot shows; return what became of each table.

    `run`: the run that it shows, and now.
    """
    run_id, now = run
    before = shelf.current()
    version = _version(run_id, before)
    known = {each["name"]: each for each in before["tables"]} if before else {}
    entries: list[dict[str, Any]] = []
    files: dict[str, Path] = {}
    same: list[str] = []
    told: list[dict[str, Any]] = []
    for table in tables:
        rows, digest = digest_of(session, table)
        digest += "/" + "/".join(table.partition_by)
        old = known.get(table.full_name)
        if old is not None and old["digest"] == digest:
            entries.append({**old, **_described(table)})
            same += [each["path"] for each in old["files"]]
            told.append(_told(table, "unchanged", 0))
            continue
        made = _write(session, table, spool)
        paths = {f"{table.full_name}/{path}": file for path, file in made.items()}
        files |= paths
        listed = [
            {"path": f"{VERSIONS}/{version}/{path}", "bytes": file.stat().st_size}
            for path, file in paths.items()
        ]
        entries.append(
            {"name": table.full_name, "rows": rows, "digest": digest, "files": listed}
            | _described(table)
        )
        told.append(_told(table, "whole", rows))
    if before and before["run_id"] == run_id and not files:
        shelf.point(before)  # whoever was stopped at it has not done all of it
        return told
    manifest = {
        "format": FORMAT,
        "run_id": run_id,
        "version": version,
        "published_at": now.isoformat(),
        "tables": entries,
    }
    shelf.put(version, files, same)
    shelf.point(manifest)
    gone = known.keys() - {table.full_name for table in tables}
    return told + [
        {"table": name, "way": "removed", "rows": 0} for name in sorted(gone)
    ]


def _version(run_id: str, before: Manifest | None) -> str:
    """Return a name that no version has: tables may change without a run, by hand."""
    if before is None or before["run_id"] != run_id:
        return run_id
    number = str(before["version"]).removeprefix(run_id).lstrip("-") or "1"
    return f"{run_id}-{int(number) + 1}"


def forget_old(shelf: Shelf, keeping: Keeping, now: datetime) -> None:
    """Remove versions that are too many, and old enough to have no readers."""
    found = sorted(shelf.manifests(), key=lambda m: str(m["published_at"]))
    spare = found[: -keeping.versions_max]
    old = [m for m in spare if now - _at(m) > keeping.keep]
    if old:
        shelf.remove(old, [m for m in found if m not in old])


def _at(manifest: Manifest) -> datetime:
    return datetime.fromisoformat(manifest["published_at"])


def _told(table: GoldTable, way: str, rows: int) -> dict[str, Any]:
    return {"table": table.full_name, "way": way, "rows": rows}


def _described(table: GoldTable) -> dict[str, Any]:
    return {
        "description": table.description,
        "key": list(table.key),
        "partition_by": list(table.partition_by),
        "columns": [
            {"name": c.name, "type": c.type, "description": c.description}
            for c in table.columns
        ],
    }


def _write(session: Session, table: GoldTable, spool: Path) -> dict[str, Path]:
    """Write a table's files; return them by their path in the table's folder."""
    folder = spool / table.full_name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    options = "format parquet, compression zstd"
    target = folder / "rows.parquet"
    if table.partition_by:
        columns = ", ".join(map(identifier, table.partition_by))
        options += f", partition_by ({columns}), overwrite_or_ignore true"
        target = folder
    session.execute(
        f"copy (select * from {table.relation}) to {literal(str(target))} ({options})"
    )
    found = sorted(path for path in folder.rglob("*.parquet"))
    return {path.relative_to(folder).as_posix(): path for path in found}


def require_manifest(text: bytes, where: str) -> Manifest:
    """Read a manifest. Raises ConfigError for what is none of ours."""
    try:
        found = json.loads(text)
        assert found["format"] == FORMAT
        assert isinstance(found["tables"], list)
        assert all(isinstance(found[key], str) for key in ("run_id", "version"))
    except (ValueError, KeyError, TypeError, AssertionError):
        raise ConfigError(
            where, "this is no manifest of ours", "Publish into another place."
        ) from None
    return dict(found)


class FolderShelf:
    """Versions in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def current(self) -> Manifest | None:
        path = self._folder / MANIFEST
        if not path.is_file():
            self._require_empty()
            return None
        return require_manifest(path.read_bytes(), str(path))

    def _require_empty(self) -> None:
        """Raise ConfigError where other things lie: they are somebody's."""
        if not self._folder.is_dir():
            return
        others = [p.name for p in self._folder.iterdir() if p.name != VERSIONS]
        if others:
            raise ConfigError(
                self.where,
                f"other things lie there, such as {others[0]}",
                "Publish into an empty folder.",
            )

    def manifests(self) -> list[Manifest]:
        return [
            require_manifest(path.read_bytes(), str(path))
            for path in self._folder.glob(f"{VERSIONS}/*/{MANIFEST}")
        ]

    def put(self, version: str, files: Mapping[str, Path], same: Sequence[str]) -> None:
        arriving = self._folder / VERSIONS / f".arriving-{version}"
        try:
            shutil.rmtree(arriving, ignore_errors=True)
            arriving.mkdir(parents=True)
            for name, file in files.items():
                target = arriving / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(file, target)
                _flush(target)
            for path in same:
                _link(self._folder / path, arriving / _in_version(path))
            place = self._folder / VERSIONS / version
            shutil.rmtree(place, ignore_errors=True)  # of one that was not pointed at
            arriving.rename(place)
        except OSError as error:
            raise _refused(self.where, error) from error

    def point(self, manifest: Manifest) -> None:
        version = manifest["version"]
        own = {**manifest, "tables": [_own(e, version) for e in manifest["tables"]]}
        text = json.dumps(own, indent=1)
        try:
            for place in (self._folder / VERSIONS / version, self._folder):
                arriving = place / f".{MANIFEST}"
                arriving.write_text(text)
                _flush(arriving)
                arriving.replace(place / MANIFEST)
            link = self._folder / ".current"
            link.unlink(missing_ok=True)
            link.symlink_to(Path(VERSIONS) / version)
            link.replace(self._folder / "current")
        except OSError as error:
            raise _refused(self.where, error) from error

    def remove(self, old: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        del kept  # links: what they name stays
        for manifest in old:
            path = self._folder / VERSIONS / manifest["version"]
            shutil.rmtree(path, ignore_errors=True)
        for left_over in (self._folder / VERSIONS).glob(".arriving-*"):
            shutil.rmtree(left_over, ignore_errors=True)


def _own(entry: Manifest, version: str) -> Manifest:
    """Return an entry whose files are those of this version, which are links."""
    files = [
        {**each, "path": f"{VERSIONS}/{version}/{_in_version(each['path'])}"}
        for each in entry["files"]
    ]
    return {**entry, "files": files}


def _in_version(path: str) -> str:
    return "/".join(PurePosixPath(path).parts[2:])


def _link(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError:  # a file system without links
        shutil.copyfile(old, new)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _refused(where: str, error: OSError) -> UnreachableError:
    return UnreachableError(where, f"it cannot be written: {error.strerror or error}")


class BucketShelf:
    """Versions in a bucket: objects that never change, and one that points."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket, self._prefix = bucket, prefix
        self.where = f"s3://{bucket}/{prefix}"

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _read(self, name: str) -> bytes | None:
        from snowmelt.aws import calling

        try:
            with calling(self.where):
                found: bytes = self._client.get_object(**self._key(name))["Body"].read()
        except FileNotFoundError:
            return None
        return found

    def current(self) -> Manifest | None:
        text = self._read(MANIFEST)
        return require_manifest(text, self.where) if text is not None else None

    def _names(self) -> Iterator[str]:
        from snowmelt.aws import list_keys

        prefix = f"{self._prefix}{VERSIONS}/"
        for page in list_keys(self._client, self._bucket, prefix):
            for each in page:
                yield each.key.removeprefix(self._prefix)

    def manifests(self) -> list[Manifest]:
        names = [name for name in self._names() if name.endswith(f"/{MANIFEST}")]
        read = [self._read(name) for name in names]
        return [require_manifest(text, self.where) for text in read if text is not None]

    def put(self, version: str, files: Mapping[str, Path], same: Sequence[str]) -> None:
        from snowmelt.aws import calling

        del same  # the manifest names them where they are
        for name, file in files.items():
            where = self._key(f"{VERSIONS}/{version}/{name}")
            with calling(self.where):
                self._client.upload_file(str(file), **where)

    def point(self, manifest: Manifest) -> None:
        from snowmelt.aws import calling

        text = json.dumps(manifest, indent=1).encode()
        for name in (f"{VERSIONS}/{manifest['version']}/{MANIFEST}", MANIFEST):
            with calling(self.where):
                self._client.put_object(**self._key(name), Body=text)

    def remove(self, old: Sequence[Manifest], kept: Sequence[Manifest]) -> None:
        from snowmelt.aws import calling

        del old  # what no kept one names goes, of versions that are long gone too
        named = {f["path"] for m in kept for t in m["tables"] for f in t["files"]}
        folders = tuple(f"{VERSIONS}/{m['version']}/" for m in kept)
        for name in list(self._names()):
            if not name.startswith(folders) and name not in named:
                with calling(self.where):
                    self._client.delete_object(**self._key(name))
