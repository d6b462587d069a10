"""The least project that loads the files of a benchmark into bronze."""

from __future__ import annotations

import json
from pathlib import Path

from bench.inputs import COLUMNS
from bench.measured import Spec


def write_project(root: Path, landing: Path, spec: Spec, settle: str) -> None:
    """Write a project of one pipe. Batches are left as they come."""
    (root / "pipes").mkdir(parents=True)
    (root / "models").mkdir()
    columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    texts = {
        "snowmelt.yml": {
            "version": 1,
            "name": "bench",
            "landing": {"path": str(landing), "settle": settle},
            "warehouse": {"threads": spec.threads, "memory_limit": "1200MB"},
        },
        "pipes/orders.yml": {
            "name": "orders",
            "pattern": f"orders_*.{spec.format}",
            "on_error": "continue",
            "file_format": {"type": spec.format},
            "contract": {"columns": columns},
        },
        "dbt_project.yml": {"name": "bench", "profile": "bench", "version": "1.0"},
    }
    for name, content in texts.items():
        (root / name).write_text(json.dumps(content))  # JSON is YAML
