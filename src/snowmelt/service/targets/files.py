"""The project's files for a target, read by dbt as they are now.

They are read as they would be deployed: from a copy, with the sources that pipes say,
under the target's name. So neither this project's own folder is written, nor does it
matter what was built on this machine, and when. It is the engine's adapter that reads
them: models are asked and followed in its words, and it is always installed. dbt is
asked once for each state of the files; what it said is kept beside the copy.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from snowmelt.bronze.table import LOAD_COLUMNS
from snowmelt.clock import Clock
from snowmelt.deploy.snowflake.dbt_files import (
    PROFILES_FILE,
    outside,
    read_files,
    stamps_of_files,
    write_files,
)
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.pipe.definition import Pipe
from snowmelt.project.config_files import stamps_of
from snowmelt.project.project import load_project
from snowmelt.service.project_files import FilesRead
from snowmelt.service.targets.gold_columns import columns_seen, make_empty
from snowmelt.service.targets.project import ObservedProject
from snowmelt.trace.models import Models, open_models
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.dbt_project import DBT_PROJECT_FILE, SERVICE_FOLDER
from snowmelt.transform.documentation import Documentation, KnownDocumentation
from snowmelt.transform.graph import Graph
from snowmelt.transform.profile import write_profile
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.port import Session

log = logging.getLogger("snowmelt")
FOLDER = "files"
"""Where the copy is, below what is kept of a target."""
LOOK_SECONDS = 1.0
FIRST_SECONDS = 60.0
"""For how long whoever needs models waits for the first reading."""
_NOT_YET = object()


class FilesThere:
    """Reads them when they changed: at once, or in a thread beside; see `beside`."""

    def __init__(self, project: ObservedProject, clock: Clock) -> None:
        self.root = project.state / FOLDER
        self._project = project
        self._clock = clock
        self._engine = self.root / SERVICE_FOLDER / "warehouse.duckdb"
        self._dbt = Dbt(self.root, self._engine, project.target_name, project.root)
        self._lock = threading.Lock()
        self._read: FilesRead | None = None
        self._before: Graph | None = None
        self._settled: object = _NOT_YET
        """The stamps of the files whose reading has ended, well or not."""
        self._looked_at = float("-inf")
        self._reader: Reader | None = None
        self.problem: SnowmeltError | None = None
        """Why the files cannot be read as they are."""
        self._not_followed: SnowmeltError | None = None
        self.is_reading = False
        self.tell: Callable[[str], None] = log.info
        self.refused: Callable[[SnowmeltError], None] = lambda error: None
        """Hears why files cannot be read, once for each state of them."""

    # What is known.

    def now(self) -> FilesRead | None:
        """Return the files as they are; None while that is not known, or refused."""
        if self._is_old():
            if self._reader is not None:
                self._reader.wake()
                return None
            self.read()
        return self._read if self.problem is None else None

    def graph(self) -> Graph | None:
        """Return the models, of the state that was read last."""
        self._look()
        return self._read.graph if self._read is not None else self._before

    @property
    def knows_models(self) -> bool:
        """Were files of any state ever read?"""
        return self._read is not None or self._before is not None

    def require_graph(self) -> Graph:
        """Return the models, the first of them waited for.

        Raises SnowmeltError that says why none are known.
        """
        found = self.graph()
        if found is None and self._reader is not None:
            self._reader.first.wait(FIRST_SECONDS)
            found = self.graph()
        if found is not None:
            return found
        raise self.problem or ConfigError(
            f"--target {self._project.target_name}",
            "dbt is reading the project's files",
            "Ask again in some seconds.",
        )

    def notes(self) -> Documentation | None:
        """Return what is said of models in words, in the state that was read last."""
        self._look()
        return self._read.notes if self._read is not None else None

    def models(self, files: FilesRead, session: Session) -> Models | None:
        """Return the SQL of a state's models; None if it is not to be had.

        Before any column there is known, no row was shown: then it is not asked for.
        """
        seen = columns_seen(session)
        with self._lock:
            if not seen or files is not self._read:
                return None
            pipes = files.pipes
            bronze = [pipe.full_table_name for pipe in pipes]
            tables = {
                f"{pipe.full_table_name}{end}".lower(): {
                    each.name.lower(): each.type for each in pipe.contract.columns
                }
                | LOAD_COLUMNS
                for pipe in pipes
                for end in ("", "__all")
            } | dict(seen)
            given = (self._dbt, self.root, files.digest, bronze)
            try:
                with self._empty() as engine:
                    make_empty(engine, tables, tables)
                    found = open_models(engine, *given)
            except SnowmeltError as error:
                log.warning("what models are made of is not known: %s", error)
                self._not_followed = error
                return None
            self._not_followed = None
            return found

    def problems(self) -> list[tuple[str, str]]:
        """Return why the files are not known as they are, and what mends it."""
        error = self.problem
        if error is None:
            return []
        shown = "shown as they were read before" if self.knows_models else "not known"
        told = f"models are {shown}, and viewers see no value"
        return [(f"{error.where}: {error.problem}; {told}", error.remedy)]

    def warnings(self) -> list[tuple[str, str]]:
        """Return what is masked until more is known."""
        if self.is_reading:
            return [
                ("dbt is reading the project's files: viewers see no value yet", "")
            ]
        error = self._not_followed
        if error is None:
            return []
        told = "viewers see no value of models: what these are made of is not known"
        return [(f"{told}: {error.where}: {error.problem}", error.remedy)]

    # Reading.

    def read(self) -> None:
        """Read the files if they changed since."""
        with self._lock:
            stamps = self._stamps()
            if stamps == self._settled:
                return
            self.is_reading = True
            try:
                self._read, problem = self._as_they_are(), None
            except SnowmeltError as error:
                problem = error
            except Exception as error:
                log.exception("the project's files could not be read")
                problem = ConfigError("the project's files", str(error))
            finally:
                self.is_reading = False
            if problem is not None:
                self.refused(problem)
            self.problem, self._settled = problem, stamps

    def look(self) -> None:
        """Have the files read in the thread beside, if they changed."""
        if self._reader is not None and self._is_old():
            self._reader.wake()

    @contextmanager
    def beside(self) -> Iterator[Reader]:
        """Have files read in a thread of their own while the block lasts."""
        self._reader = Reader(self._is_old, self.read)
        self._reader.start()
        try:
            yield self._reader
        finally:
            self._reader.stop()
            self._reader = None

    def _look(self) -> None:
        """Read what changed, unless a thread does; once a second at most."""
        now = self._clock.monotonic()
        if self._reader is None and now - self._looked_at >= LOOK_SECONDS:
            self.read()
            self._looked_at = self._clock.monotonic()

    def _is_old(self) -> bool:
        return self._settled != self._stamps()

    def _stamps(self) -> object:
        root = self._project.root
        return stamps_of(root), () if outside(root) else stamps_of_files(root)

    def _as_they_are(self) -> FilesRead:
        """Return the files as dbt says they are, now or when they were so before."""
        kept = load_recordings(self.root / RECORDINGS)
        self._before = kept.graph
        pipes = self._copy()
        digest = project_digest(self.root)
        graph, notes = kept.of_project(digest), KnownDocumentation(self.root).read()
        if graph is None or notes is None:
            target = self._project.target_name
            self.tell(f"dbt reads the project's files for {target}, until they change")
            kept.digest = ""  # dbt's own files are of no known state until it has ended
            kept.save()
            with self._empty() as session:
                graph = self._dbt.parse(session)
            notes = KnownDocumentation(self.root).read()
            assert notes is not None
            kept.begin(digest, graph)
            kept.save()
        return FilesRead(digest, graph, notes, pipes)

    def _copy(self) -> tuple[Pipe, ...]:
        """Copy what would be deployed, and return the pipes that are in it."""
        root = self._project.root
        elsewhere = outside(root)
        if elsewhere:
            raise ConfigError(
                DBT_PROJECT_FILE,
                f"{', '.join(elsewhere)}: what is outside the project's folder is not "
                "read for a target",
                "Move it into the project.",
            )
        project = load_project(root)
        files = read_files(root, "", project.pipes)
        del files[PROFILES_FILE]
        self.root.mkdir(parents=True, exist_ok=True)
        write_files(files, self.root)
        schema = project.settings.layers.default
        write_profile(self.root, schema, self._project.target_name)
        return project.pipes

    @contextmanager
    def _empty(self) -> Iterator[Session]:
        """Give dbt a warehouse of its own: nobody waits for it, and it changes none."""
        self._engine.parent.mkdir(parents=True, exist_ok=True)
        self._forget_engine()
        limits = self._project.settings.warehouse
        warehouse = open_warehouse(
            self._engine, folders=[], limits=Limits(limits.threads, limits.memory_bytes)
        )
        try:
            ensure_system_tables(warehouse, self._clock)
            with warehouse.session() as session:
                yield session
        finally:
            warehouse.close()
            self._forget_engine()

    def _forget_engine(self) -> None:
        """Remove what is there; a process that was killed leaves its log, too."""
        for each in (self._engine, Path(f"{self._engine}.wal")):
            each.unlink(missing_ok=True)


class Reader:
    """A thread that reads when it is woken and there is something new.

    `changed` is called before, as what was shown counts no more, and afterwards.
    """

    def __init__(self, is_old: Callable[[], bool], read: Callable[[], object]) -> None:
        self._is_old = is_old
        self._read = read
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="files", daemon=True)
        self.changed: Callable[[], None] = lambda: None
        self.first = threading.Event()
        """Set when a reading has ended, well or not."""

    def wake(self) -> None:
        """Read soon."""
        self._due.set()

    def start(self) -> None:
        """Begin, with a reading at once."""
        self._due.set()
        self._thread.start()

    def stop(self) -> None:
        """End with what is being read."""
        self._stopping = True
        self._due.set()
        self._thread.join()

    def _work(self) -> None:
        while self._due.wait():
            self._due.clear()
            if self._stopping:
                return
            if self._is_old():
                self._tell()
                self._read()
                self.first.set()
                self._tell()

    def _tell(self) -> None:
        try:
            self.changed()
        except Exception:
            log.exception("that the project's files changed could not be told")
