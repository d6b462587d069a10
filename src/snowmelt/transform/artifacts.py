"""The artifacts of every run, where tools look for dbt's: `target/` in the project.

The service's dbt writes into a folder of its own, which builds by hand leave alone;
after its runs what it wrote is copied. Of a run that dbt had no part in
run_results.json is written as dbt would
(https://schemas.getdbt.com/dbt/run-results/v6.json). The manifest changes with the
project alone, and then dbt is asked.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snowmelt.transform.dbt_project import SERVICE_FOLDER, read_dbt_project
from snowmelt.transform.node_result import NodeResult

log = logging.getLogger("snowmelt")
_SCHEMA = "https://schemas.getdbt.com/dbt/run-results/v6.json"


def run_results(run_id: str, nodes: Sequence[NodeResult], now: datetime) -> str:
    """Return the results of a run as dbt would write them."""
    document = {
        "metadata": {
            "dbt_schema_version": _SCHEMA,
            "dbt_version": version("dbt-core"),
            "generated_at": now.isoformat(),
            "invocation_id": run_id,
            "env": {},
        },
        "results": [_result(node) for node in nodes if node.resource_type != "rule"],
        "elapsed_time": sum(node.seconds for node in nodes),
        "args": {"which": "build", "invocation_command": "snowmelt"},
    }
    return json.dumps(document)


def write_run_results(project_dir: Path, results: str) -> None:
    """Write the results; that they cannot be written is told and stops nothing."""
    _put(project_dir, "run_results.json", results)


def copy_artifacts(project_dir: Path) -> None:
    """Copy what the service's dbt wrote; as for `write_run_results`."""
    for name in ("manifest.json", "run_results.json"):
        written = project_dir / SERVICE_FOLDER / "target" / name
        if written.exists():
            _put(project_dir, name, written.read_text())


def _put(project_dir: Path, name: str, text: str) -> None:
    folder = project_dir / read_dbt_project(project_dir).target_path
    hidden = folder / f".{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hidden.write_text(text)
        hidden.replace(folder / name)
    except OSError as error:
        log.warning("%s could not be written: %s", folder / name, error)


def _result(node: NodeResult) -> dict[str, Any]:
    return {
        "status": node.status,
        "timing": [],
        "thread_id": "MainThread",
        "execution_time": node.seconds,
        "adapter_response": {},
        "message": node.message,
        "failures": node.failures,
        "unique_id": node.id,
        "compiled": node.compiled_code is not None,
        "compiled_code": node.compiled_code,
        "relation_name": None,
        "batch_results": None,
    }
