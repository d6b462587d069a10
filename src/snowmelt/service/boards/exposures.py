"""Dashboards as dbt's exposures: a file of ours among the models, for dbt's own tools.

It is written when it is asked for, always the same from the same dashboards, and never
over a file that somebody else wrote or edited.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import FOLDER, dashboard_names, load_dashboard
from snowmelt.project.metrics import DefinedMetric, MetricFiles
from snowmelt.project.project import Project
from snowmelt.service.boards.reads import models_read
from snowmelt.transform.dbt_project import read_dbt_project

NAME = "exposures.yml"
_HEAD = (
    "# Written from dashboards/ by: snowmelt dashboards --exposures\n"
    "# What is edited here is lost: edit the dashboards. sha256: "
)
_MARK = re.compile(re.escape(_HEAD) + r"([0-9a-f]{64})\n")


def exposures_path(root: Path) -> Path:
    """Return where they stand: in the first of the project's folders of models."""
    return root / read_dbt_project(root).model_paths[0] / NAME


def exposures_text(project: Project) -> str:
    """Return the file. Raises ConfigError for a dashboard that is off."""
    root = project.root
    metrics = MetricFiles(root).all()
    found = [_exposure(project, name, metrics) for name in dashboard_names(root)]
    names = [each["name"] for each in found]
    for name in names:
        if names.count(name) > 1:
            problem = f"two of them come to the exposure '{name}'"
            raise ConfigError(FOLDER, problem, "Give one of them another name.")
    body = "\n" + yaml.safe_dump(
        {"version": 2, "exposures": found},
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return f"{_HEAD}{_digest(body)}\n{body}"


def write_exposures(project: Project) -> tuple[Path, bool]:
    """Write the file; return where, and if it was another one before.

    Raises ConfigError for a file that is not ours, or that somebody edited.
    """
    path = exposures_path(project.root)
    shown = str(path.relative_to(project.root))
    text = exposures_text(project)
    if path.exists():
        before = path.read_text(encoding="utf-8")
        if before == text:
            return path, False
        _require_ours(before, shown)
    beside = path.with_name(f".{path.name}.writing")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path, True


def exposure_warnings(project: Project) -> list[str]:
    """Say if there is a file of ours that says something else than the dashboards."""
    path = exposures_path(project.root)
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    if _MARK.match(before) is None or before == exposures_text(project):
        return []
    shown = path.relative_to(project.root)
    return [f"{shown} is older than {FOLDER}/: snowmelt dashboards --exposures"]


def _exposure(
    project: Project, name: str, metrics: Mapping[str, DefinedMetric]
) -> dict[str, object]:
    dashboard = load_dashboard(project.root, name)
    models = models_read(dashboard, metrics)
    owner = dashboard.owner.model_dump(exclude_none=True)
    exposure: dict[str, object] = {
        "name": "dashboard_" + re.sub(r"\W", "_", name),
        "label": dashboard.title,
        "type": "dashboard",
    }
    if dashboard.description:
        exposure["description"] = dashboard.description
    return exposure | {
        "owner": owner or {"name": project.settings.name},
        "depends_on": [f"ref('{model}')" for model in sorted(models)],
        "config": {"meta": {"snowmelt": {"file": f"{FOLDER}/{name}.yml"}}},
    }


def _require_ours(text: str, shown: str) -> None:
    mark = _MARK.match(text)
    if mark is None:
        raise ConfigError(
            shown,
            "it is not one that Snowmelt wrote",
            "Move what it says to another file of models/, and remove it.",
        )
    if mark[1] != _digest(text[mark.end() :]):
        raise ConfigError(
            shown,
            "somebody edited it since it was written",
            "Move what was added to another file of models/, and remove it.",
        )


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
