"""Files that are sent to where a project is deployed, and names that are sent again.

Snowpipe knows names: for 14 days it ignores a file whose name it has loaded, whatever
is in it by then (https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts).
Locally another content under a known name is a new version. So it is there, too: what
differs from what lies in the bucket is put over it, and copied by name beside the pipe,
by the pipe's own statement; the view counts each record of a content once, and the
newest version of a name. What the pipe does not know (any more) it copies by itself.

What is to be copied stands in a file before it is put, so that whoever was stopped in
between copies it the next time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.deploy.by_column import require_records
from snowmelt.deploy.naming import Names
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.catch_up import FILES_MAX
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.pipe import Pipe as PipeThere
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.session import Session
from snowmelt.errors import SnowmeltError
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.s3_client import BucketClient, open_aws
from snowmelt.landing.s3_upload import LandOptions, Progress, land
from snowmelt.project.project import Project
from snowmelt.warehouse.sql import literal

LOADED = ("LOADED", "PARTIALLY_LOADED")
KnownHere = Callable[[Collection[str]], Mapping[str, str]]
"""Tells of names the content that this machine loaded last under each."""


@dataclass
class Sent:
    """What became of files."""

    landed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    """Names whose very content is there, or was loaded before the project came."""
    again: list[str] = field(default_factory=list)
    """Names that got another content, and were copied beside their pipe."""


@dataclass(frozen=True)
class Sending:
    """Sending files to a target. `sign_in` is called when a name is sent again."""

    project: Project
    names: Names
    clock: Clock
    sign_in: Callable[[], Session]
    known_here: KnownHere

    def send(
        self, files: list[Path], options: LandOptions, progress: Progress | None
    ) -> Sent:
        """Put files into the bucket; have copied what a pipe would ignore.

        Raises what `land` raises, UsageError for JSON that Snowpipe would not take for
        records, and SnowmeltError for what the account refuses.
        """
        require_records(files, options, self.project.pipes)
        sent, journal = Sent(), Journal(self._journal_path)
        config = self.landing
        bucket = self._bucket(config)

        def skips(name: str, path: Path) -> bool:
            content = _sha256(path)
            lying = _content_there(bucket, name, path.stat().st_size)
            if lying is None and self.known_here([name]).get(name) == content:
                sent.unchanged.append(name)
                return True
            if lying == content:
                sent.unchanged.append(name)
                return True
            if lying is not None:
                journal.add(name)
            return False

        chosen = LandOptions(
            options.into, options.split_bytes, options.compression, skips=skips
        )
        names = land(files, config, self.project.root, self.clock, chosen, progress)
        sent.landed = [name for name in names if name not in set(sent.unchanged)]
        if journal.names:
            sent.again = self._copy_again(journal)
        return sent

    @property
    def landing(self) -> LandingConfig:
        """The target's bucket, as if files arrived there locally."""
        aws = self.names.target.aws
        return LandingConfig(
            path=self.names.location.rstrip("/"),
            endpoint=aws.endpoint,
            region=aws.region,
            profile=aws.profile,
            allow_http=bool(aws.endpoint and aws.endpoint.startswith("http:")),
        )

    @property
    def _journal_path(self) -> Path:
        target = self.names.owner.target
        return self.project.state / "uploads" / f"again-{target}.json"

    def _bucket(self, config: LandingConfig) -> BucketClient:
        where = config.bucket_path
        assert where is not None
        return BucketClient(open_aws(config, self.clock), config, where)

    def _copy_again(self, journal: Journal) -> list[str]:
        """Copy what pipes will ignore, and take it off the journal."""
        session = self.sign_in()
        done: list[str] = []
        for pipe, there in self._pipes():
            mine = [name for name in journal.names if pipe(name)]
            ignored = _ignored(session, there, self.names.target.aws.folder, mine)
            for start in range(0, len(ignored), FILES_MAX):
                some = ignored[start : start + FILES_MAX]
                _require_loaded(there, session.rows(there.copy.over(some)))
            done += ignored
            journal.remove(mine)
        journal.remove(list(journal.names))  # the rest is no pipe's
        return sorted(done)

    def _pipes(self) -> Iterator[tuple[Callable[[str], bool], PipeThere]]:
        """Yield each pipe there, and what says whether a name is its."""
        made = manifest(self.project, self.names, Findings(self.project.root))
        there = {each.name: each for each in made if isinstance(each, PipeThere)}
        schema = (self.names.database, self.project.settings.layers.bronze)
        for pipe in self.project.pipes:
            yield pipe.matches, there[sql.path(*schema, f"{pipe.name}_pipe")]


class Journal:
    """Names that are put over others, until they are copied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names: list[str] = json.loads(path.read_text()) if path.exists() else []

    def add(self, name: str) -> None:
        """Note a name before it is put."""
        if name not in self.names:
            self.names.append(name)
            self._write()

    def remove(self, names: Collection[str]) -> None:
        """Forget names that were copied."""
        if names:
            self.names = [each for each in self.names if each not in set(names)]
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        hidden = self._path.with_suffix(".tmp")
        hidden.write_text(json.dumps(self.names))
        hidden.replace(self._path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content_there(bucket: BucketClient, name: str, size: int) -> str | None:
    """Return the digest of what lies under a name: None if nothing does.

    An ETag is no digest of what is encrypted; what has another size is not read.
    """
    try:
        version = bucket.head(name)
        if version.size != size:
            return ""
        digest = hashlib.sha256()
        for piece in bucket.read(version, 0, version.size):
            digest.update(piece)
        return digest.hexdigest()
    except FileNotFoundError:
        return None


def _ignored(
    session: Session, pipe: PipeThere, folder: str, names: Sequence[str]
) -> list[str]:
    """Return which names a pipe knows, and would therefore ignore.

    It knows those that it took in the last 14 days, loaded or failed.
    """
    if not names:
        return []
    table = pipe.copy.table
    told = session.rows(
        f"SELECT DISTINCT FILE_NAME FROM TABLE({table.split('.')[0]}."
        f"INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => {sql.text(table)}, "
        "START_TIME => DATEADD(DAY, -14, CURRENT_TIMESTAMP()))) "
        "WHERE PIPE_NAME IS NOT NULL"
    )
    known = {str(row["file_name"]).removeprefix(folder) for row in told}
    return [name for name in names if name in known]


def _require_loaded(pipe: PipeThere, told: Sequence[Mapping[str, object]]) -> None:
    """Refuse a copy of which a file failed: its pipe's `on_error` says when."""
    for row in told:
        if row.get("file") and str(row["status"]) not in LOADED:
            raise SnowmeltError(
                f"{pipe.copy.table}: {row['file']}",
                f"{row['status']}: {row.get('first_error')}",
                "It lies in the bucket. Correct it, and land it again.",
            )


def known_by_query(
    ask: Callable[[str], Sequence[Sequence[object]]], last_load: int
) -> KnownHere:
    """Return what tells of loads that were moved, over a query of the warehouse here.

    What was loaded after `last_load` was not moved, and is not known there.
    """

    def known(names: Collection[str]) -> Mapping[str, str]:
        listed = ", ".join(map(literal, names))
        rows = ask(
            "select file_name, content_sha256 from snowmelt.load_history "
            f"where file_name in ({listed}) and superseded_by is null "
            "and content_sha256 is not null and status <> 'Load failed' "
            f"and load_seq <= {last_load:d} "
            "order by load_seq"
        )
        return {str(name): str(content) for name, content in rows}

    return known
