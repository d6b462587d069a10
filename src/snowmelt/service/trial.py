"""Reading a doubtful file in a process of its own.

A file whose last attempt was cut off may have killed the process that read it. It is
read once more by a child, into a warehouse of the child's own that nobody keeps: if
that goes well the file may be loaded; if the child is killed, nobody else is.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.table import ensure_table
from snowmelt.clock import SystemClock
from snowmelt.errors import ChangedError
from snowmelt.landing.open_stage import open_stage
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.project.project import Project, load_project
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.port import Warehouse

_GRACE_SECONDS = 60.0


def try_file(project: Project, warehouse: Warehouse, pending: Pending) -> str | None:
    """Have a child read a file; return how the child ended, if badly.

    The warehouse is ours alone: the child is told the contract as it has evolved.
    """
    pipe = next(each for each in project.pipes if each.name == pending.pipe_name)
    with warehouse.session() as session:
        contract = effective_pipe(session, pipe).contract
    limit = pipe.limits.load_timeout.total_seconds() + _GRACE_SECONDS
    command = [sys.executable, "-m", "snowmelt.service.trial"]
    try:
        ended = subprocess.run(
            [*command, str(project.root), pipe.name, pending.file.name],
            input=contract.model_dump_json().encode(),
            capture_output=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{pending.file.name}: a trial reader did not end in {limit:.0f} s"
    if ended.returncode == 0:
        return None
    if ended.returncode < 0:
        told = f"was killed by {signal.Signals(-ended.returncode).name}"
    else:
        lines = ended.stderr.decode(errors="replace").strip().splitlines()
        told = f"ended with {ended.returncode}: {lines[-1] if lines else 'no word'}"
    return f"{pending.file.name}: a trial reader {told}"


def read_once(root: Path, pipe_name: str, file_name: str, contract: Contract) -> None:
    """Read a file as its pipe does, into a warehouse that is thrown away."""
    project = load_project(root)
    pipe = next(each for each in project.pipes if each.name == pipe_name)
    pipe = pipe.model_copy(update={"contract": contract})
    with tempfile.TemporaryDirectory(prefix="trial-", dir=project.spool) as folder:
        spool = Path(folder)
        limits = Limits(
            project.settings.warehouse.threads, project.settings.warehouse.memory_bytes
        )
        folders = [*project.engine_folders, spool]
        warehouse = open_warehouse(spool / "w.duckdb", folders=folders, limits=limits)
        stage = open_stage(project.settings.landing, project.root, SystemClock())
        with closing(warehouse), warehouse.session() as session:
            ensure_system_tables(warehouse)
            ensure_table(session, pipe)
            staged = stage.look(file_name)
            if staged is None:
                return
            with (
                closing(Intake(stage, pipe, spool)) as intake,
                closing(Reading(session, pipe, spool)) as reading,
            ):
                try:
                    most = pipe.limits.max_record_bytes
                    reading.read([inspect(staged, intake, most)])
                except ChangedError:
                    return


if __name__ == "__main__":
    given = Contract.model_validate_json(sys.stdin.buffer.read())
    read_once(Path(sys.argv[1]), sys.argv[2], sys.argv[3], given)
