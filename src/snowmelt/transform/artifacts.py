"""`target/run_results.json` of a run that dbt had no part in, as dbt writes it.

So that tools that read dbt's artifacts go on working
(https://schemas.getdbt.com/dbt/run-results/v6.json). The manifest stays dbt's own: it
changes with the project, and then dbt is asked.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snowmelt.transform.node_result import NodeResult

log = logging.getLogger("snowmelt")
_SCHEMA = "https://schemas.getdbt.com/dbt/run-results/v6.json"


def write_run_results(
    project_dir: Path, run_id: str, nodes: Sequence[NodeResult], now: datetime
) -> None:
    """Write the results; that they cannot be written is told and stops nothing."""
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
    target = project_dir / "target" / "run_results.json"
    written = target.with_name(".run_results.json")
    try:
        target.parent.mkdir(exist_ok=True)
        written.write_text(json.dumps(document))
        written.replace(target)
    except OSError as error:
        log.warning("run_results.json could not be written: %s", error)


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
