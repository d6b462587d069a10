"""What a project may have besides: DAGs for Airflow, a workflow for GitHub."""

from __future__ import annotations

from pathlib import Path

AIRFLOW = Path(__file__).with_name("airflow")
GITHUB = Path(__file__).with_name("github")
