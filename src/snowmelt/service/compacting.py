"""Writing a project's warehouse anew, while no service runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from snowmelt.errors import InUseError
from snowmelt.project.project import load_project
from snowmelt.serve.client import connect_service
from snowmelt.warehouse.duckdb.compaction import compact


def require_no_service(directory: Path) -> None:
    """Raise InUseError when a service runs for this project."""
    project = load_project(directory)
    with connect_service(project.socket) as service:
        if service is not None:
            pid = service.status()["service"]["pid"]
            raise InUseError(
                str(project.root),
                f"a service runs here (pid {pid})",
                "The space in its file is used again by new rows; to shrink the file "
                "stop the service first.",
            )


def compact_project(directory: Path) -> dict[str, Any]:
    """Compact; return what it came to."""
    project = load_project(directory)
    settings = project.settings.warehouse
    done = compact(
        project.warehouse_path,
        threads=settings.threads,
        memory_bytes=settings.memory_bytes,
    )
    return asdict(done)
