"""A copy of the warehouse that can be put back: made while loads and runs go on.

A backup is a folder: the database, the files that bronze is a view of, a manifest, and
the project's settings and pipes.
It is made under another name beside its own and renamed when it is complete and was
opened and counted, so that what has the name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb

from snowmelt import __version__
from snowmelt.clock import Clock
from snowmelt.errors import EngineError, UnreachableError, UsageError
from snowmelt.warehouse.duckdb import file_copy
from snowmelt.warehouse.duckdb.backup_links import copy_links, fetch_links
from snowmelt.warehouse.duckdb.migration import SCHEMA_VERSION
from snowmelt.warehouse.duckdb.replaced import put_links, set_aside, unowned
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION, DuckDBSession
from snowmelt.warehouse.port import LINKS, Session, Warehouse

MANIFEST = "manifest.json"
DATABASE = "warehouse.duckdb"
PROJECT = "project"
FORMAT_VERSION = 1
_TRIES_MAX = 10
_PARTIAL = ".partial-"
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class Counts:
    """How many rows the tables have that change under the commit lock alone."""

    last_load_seq: int
    rows: dict[str, int]


def backup(
    warehouse: Warehouse, project_root: Path | None, target: Path, clock: Clock
) -> dict[str, Any]:
    """Copy a warehouse that is in use into a new folder; return folder and manifest.

    Loads wait while the file is copied, not while the copy is checked. Without
    `project_root` the folder holds the warehouse alone; `warehouse_version` is the
    schema version of its tables. Raises UsageError when
    `target` is there already, EngineError when there is no whole copy: then nothing
    is there under that name.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            str(target), "there is something here already", "Name a new folder."
        )
    with _folder_beside(target) as folder:
        counts = _copy_whole(warehouse, folder / DATABASE, clock)
        files = _copy_project(project_root, folder / PROJECT)
        if project_root is not None:
            with _opened(folder / DATABASE) as copied:
                files |= copy_links(copied, project_root, folder / LINKS.name)
        manifest = {
            "format_version": FORMAT_VERSION,
            "product_version": __version__,
            "made_at": clock.now().astimezone(UTC).isoformat(),
            "warehouse_version": _schema_version(folder / DATABASE),
            "last_load_seq": counts.last_load_seq,
            "row_counts": counts.rows,
            "files": {
                name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
                for name, path in {DATABASE: folder / DATABASE, **files}.items()
            },
        }
        _write(folder / MANIFEST, json.dumps(manifest, indent=2))
    return {"folder": str(target), **manifest}


def read_manifest(source: Path) -> dict[str, Any]:
    """Read a backup's manifest, and check every file that it names.

    Raises UsageError when this is no backup, or is not what was written.
    """
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text())
        files: dict[str, Any] = manifest["files"]
        version = int(manifest["warehouse_version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(str(source), f"this is no backup: {MANIFEST}") from None
    if version > SCHEMA_VERSION or manifest["format_version"] > FORMAT_VERSION:
        raise UnreachableError(
            str(source),
            f"it was made by a newer snowmelt ({manifest['product_version']})",
            "Upgrade snowmelt.",
        )
    for name, told in files.items():
        path = source / name
        if not path.is_file() or _sha256(path) != told["sha256"]:
            raise UsageError(str(path), "it is not what the backup's manifest says")
    return manifest


def restore(
    source: Path,
    project_root: Path,
    warehouse_path: Path,
    clock: Clock,
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Put a backup's warehouse where a project has its own; say what was done.

    A warehouse that is there is refused, or with `force` kept beside the new one, and
    so are the files that it reads.
    Settings and pipes that the project lacks are written; those it has stay.

    Raises InUseError while another process owns the warehouse.
    """
    manifest = read_manifest(source)
    if warehouse_path.exists() and not force:
        raise UsageError(
            str(warehouse_path),
            "a warehouse is here already",
            "Use --force: the old file is kept beside it.",
        )
    written, differing = restore_project(source, project_root, manifest)
    warehouse_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = warehouse_path.with_name(f".{warehouse_path.name}.arriving")
    links = project_root / LINKS
    links_arriving = links.with_name(f".{links.name}.arriving")
    try:
        fetch_links(source, manifest["files"], links_arriving)
        shutil.copyfile(source / DATABASE, arriving)
        arriving.chmod(0o600)
        if _sha256(arriving) != manifest["files"][DATABASE]["sha256"]:
            raise EngineError(str(arriving), "the copy is not what was read")
        _sync(arriving)
        with unowned(warehouse_path):
            before = f".before-{stamp(clock)}"
            kept = set_aside(warehouse_path, before)
            put_links(links_arriving, links, before)
            arriving.replace(warehouse_path)
    finally:
        arriving.unlink(missing_ok=True)
    _sync(warehouse_path.parent)
    return {
        "warehouse": str(warehouse_path),
        "kept": str(kept) if kept else None,
        "last_load_seq": manifest["last_load_seq"],
        "made_at": manifest["made_at"],
        "written": written,
        "differing": differing,
    }


def restore_project(
    source: Path, project_root: Path, manifest: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Write the settings and pipes that a project lacks.

    Returns what was written, and what the project has otherwise than the backup.
    """
    written, differing = [], []
    for name, told in manifest["files"].items():
        if not name.startswith(f"{PROJECT}/"):
            continue
        relative = name.removeprefix(f"{PROJECT}/")
        path = project_root / relative
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, path)
            written.append(relative)
        elif _sha256(path) != told["sha256"]:
            differing.append(relative)
    return written, differing


def warehouse_file(session: Session) -> Path:
    """Return where the session's database lies."""
    found = session.value(
        "select path from duckdb_databases() where database_name = current_database()"
    )
    return Path(found)


def stamp(clock: Clock) -> str:
    """Return the time as part of a file's name."""
    return clock.now().astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def _copy_whole(warehouse: Warehouse, copy: Path, clock: Clock) -> Counts:
    """Copy the database until a copy opens and counts as the warehouse did."""
    for _ in range(_TRIES_MAX):
        with warehouse.commit_lock, warehouse.session() as session:
            with suppress(duckdb.TransactionException):
                session.execute("checkpoint")  # refused while a run writes
            with _checkpoints_kept_away(session):
                counts = _count(session)
                whole = _copy_once(session, copy)
        if whole and _open_and_count(copy) == counts:
            return counts
        clock.wait(threading.Event(), 0.2)
    raise EngineError(
        str(copy), "the warehouse changed each time it was copied", "Try again later."
    )


class _Undone(Exception):
    """Rolls a transaction back that has done its part."""


@contextmanager
def _checkpoints_kept_away(session: Session) -> Iterator[None]:
    """Hold a transaction that writes: while there is one, the engine makes none."""
    with suppress(_Undone), session.transaction():
        session.execute(
            "update snowmelt.meta set value = value where key = 'schema_version'"
        )
        yield
        raise _Undone


def _copy_once(session: Session, copy: Path) -> bool:
    """Copy the database and its log; say whether a checkpoint stayed away."""
    program = [sys.executable, "-I", file_copy.__file__]
    done = subprocess.run(
        [*program, str(warehouse_file(session)), str(copy)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, file_copy.AGAIN):
        told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise EngineError(str(copy), f"the warehouse cannot be copied: {told[-1]}")
    return done.returncode == 0


def _count(session: Session) -> Counts:
    """Count what loads commit."""
    tables = session.rows(
        "select schema_name, table_name from duckdb_tables() where not internal "
        "and ((ends_with(table_name, '__all') and table_oid in "
        "(select table_oid from duckdb_columns() where column_name = '_load_seq')) "
        "or (schema_name = 'snowmelt' and table_name = 'load_history')) order by all"
    )
    rows = {
        f"{schema}.{table}": int(
            session.value(f'select count(*) from "{schema}"."{table}"')  # noqa: S608
        )
        for schema, table in tables
    }
    last = session.value("select max(load_seq) from snowmelt.load_history")
    return Counts(int(last or 0), rows)


def _open_and_count(copy: Path) -> Counts:
    """Open a copy, let it take in its log, read all of it, and count.

    The engine compares each block that it reads with the block's checksum.
    """
    try:
        with _opened(copy) as session:
            counts = _count(session)
            session.execute("checkpoint")
            for schema, table in session.rows(
                "select schema_name, table_name from duckdb_tables() where not internal"
            ):
                session.value(
                    f'select bit_xor(hash(each)) from "{schema}"."{table}" as each'  # noqa: S608
                )
    except duckdb.Error as error:
        problem = str(error).strip().splitlines()[0]
        raise EngineError(str(copy), f"the copy cannot be read: {problem}") from error
    return counts


def _schema_version(copy: Path) -> int:
    with _opened(copy) as session:
        return int(
            session.value("select value from snowmelt.meta where key='schema_version'")
        )


@contextmanager
def _opened(copy: Path) -> Iterator[DuckDBSession]:
    """Open a copy beside the instance that is in use; it has a path of its own."""
    config: dict[str, Any] = {
        "storage_compatibility_version": STORAGE_VERSION,
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(str(copy), config=config)
    try:
        yield DuckDBSession(connection, 1)
    finally:
        connection.close()


def _copy_project(root: Path | None, target: Path) -> dict[str, Path]:
    """Copy settings and pipes; return {name in the backup: copy}."""
    if root is None:
        return {}
    found = [root / "snowmelt.yml", *sorted((root / "pipes").glob("*.yml"))]
    copies = {}
    for path in found:
        relative = path.relative_to(root)
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative)
        copies[f"{PROJECT}/{relative.as_posix()}"] = target / relative
    return copies


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """Yield a folder that becomes `target` if the block ends well, else is removed.

    What a killed process left of it is removed here first.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in target.parent.glob(f".{target.name}{_PARTIAL}*"):
            if not _lives(left_over.name.rpartition(_PARTIAL)[2].split("-")[0]):
                shutil.rmtree(left_over)
        prefix = f".{target.name}{_PARTIAL}{os.getpid()}-"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    except OSError as error:
        raise UsageError(str(target), f"no folder can be made here: {error}") from None
    try:
        yield folder
        for path in [p for p in folder.rglob("*") if p.is_file()]:
            _sync(path)
        folder.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise EngineError(str(target), f"it cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n")


def _sync(path: Path) -> None:
    """Have a file or a folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
