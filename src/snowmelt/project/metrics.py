"""Metrics, defined once: `meta: metrics:` of a model in dbt's own property files.

They are read from the files and not from what dbt made of them, so that a dashboard
shows a definition as it was just saved, and an error names its line. So they stand as
plain YAML: no Jinja in them is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from snowmelt.errors import ConfigError
from snowmelt.project.number_format import read_format
from snowmelt.transform.dbt_project import LOADER, read_dbt_project, read_mapping

Text = Annotated[str, StringConstraints(min_length=1)]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_Stamp = tuple[tuple[str, int, int], ...]


class Metric(BaseModel):
    """One figure of a model: how it is summed up, and how it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sql: Text = Field(description="What sums it up over rows of the model.")
    label: Text | None = Field(None, description="How it is called on a page.")
    description: str = Field("", description="What it means.")
    format: Text | None = Field(None, description="How it is written: $0.0a.")
    time: Text | None = Field(
        None, description="The column that a dashboard's period applies to."
    )
    dimensions: dict[str, Text] = Field(
        default_factory=dict,
        description="Filters of dashboards by name, and the column each applies to.",
    )
    good: Literal["up", "down"] | None = Field(
        None, description="Is more of it better, or less?"
    )

    @field_validator("format")
    @classmethod
    def _is_format(cls, given: str | None) -> str | None:
        if given is not None:
            read_format(given)
        return given


@dataclass(frozen=True)
class DefinedMetric:
    """A metric, its name, its model, and where it stands."""

    name: str
    model: str
    metric: Metric
    where: str

    @property
    def label(self) -> str:
        """How it is called on a page."""
        return self.metric.label or self.name.replace("_", " ").capitalize()


class MetricFiles:
    """The metrics of a project; files are read again when they were written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read_as: _Stamp | None = None
        self._metrics: dict[str, DefinedMetric] = {}

    def paths(self) -> list[Path]:
        """Return the files that metrics may stand in."""
        folders = read_dbt_project(self._root).model_paths
        found = [
            path
            for folder in folders
            for kind in ("*.yml", "*.yaml")
            for path in (self._root / folder).rglob(kind)
        ]
        return sorted(path for path in found if path.is_file())

    def all(self) -> Mapping[str, DefinedMetric]:
        """Return every metric by its name.

        Raises ConfigError with file and line for one that is off, and for a name that
        is defined twice.
        """
        paths = self.paths()
        stamp = tuple(
            (str(path), found.st_mtime_ns, found.st_size)
            for path in paths
            for found in [path.stat()]
        )
        if stamp != self._read_as:
            self._metrics = _read_all(self._root, paths)
            self._read_as = stamp
        return self._metrics


def _read_all(root: Path, paths: list[Path]) -> dict[str, DefinedMetric]:
    metrics: dict[str, DefinedMetric] = {}
    for path in paths:
        for found in _metrics_of(path, str(path.relative_to(root))):
            if found.name in metrics:
                raise ConfigError(
                    found.where,
                    f"the metric '{found.name}' is defined twice: in "
                    f"{metrics[found.name].where}, too",
                )
            metrics[found.name] = found
    return metrics


def _metrics_of(path: Path, shown: str) -> Iterator[DefinedMetric]:
    content = path.read_bytes()
    if b"metrics:" not in content:
        return
    node: yaml.Node | None = None
    for model in read_mapping(content).get("models") or ():
        if not isinstance(model, dict):
            continue
        for name, given in _given(model).items():
            node = node or yaml.compose(content, Loader=LOADER)
            line = _line(node, str(model.get("name")), str(name))
            where = f"{shown}:{line}: {model.get('name')}: {name}"
            yield _defined(str(name), str(model.get("name")), given, where)


def _given(model: dict[str, Any]) -> dict[Any, Any]:
    """Return what a model's meta says, in either place that dbt knows."""
    found: dict[Any, Any] = {}
    for holder in (model, model.get("config")):
        meta = holder.get("meta") if isinstance(holder, dict) else None
        metrics = meta.get("metrics") if isinstance(meta, dict) else None
        if isinstance(metrics, dict):
            found |= metrics
    return found


def _defined(name: str, model: str, given: Any, where: str) -> DefinedMetric:
    if not _NAME.fullmatch(name):
        raise ConfigError(where, "a metric's name is small letters, digits and _")
    try:
        return DefinedMetric(name, model, Metric.model_validate(given), where)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = ", ".join(Metric.model_fields)
        if first["type"] == "extra_forbidden":
            told = f"Known: {known}."
            raise ConfigError(f"{where}: {key}", "unknown key", told) from None
        told = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {key}".rstrip(": "), told) from None


def _line(node: yaml.Node | None, model: str, name: str) -> int:
    """Return the line of a metric's key: the one below its model's name."""
    for each in _entries(node, "models"):
        if not isinstance(each, yaml.MappingNode):
            continue
        named = [value.value for key, value in each.value if key.value == "name"]
        if model in named:
            return _line_below(each, name) or each.start_mark.line + 1
    return 1


def _entries(node: yaml.Node | None, key: str) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key and isinstance(value, yaml.SequenceNode):
                return list(value.value)
    return []


def _line_below(node: yaml.Node, name: str) -> int:
    """Return the line of the key `name` inside of a block `metrics`; 0 without one."""
    if not isinstance(node, yaml.MappingNode):
        return 0
    for key, value in node.value:
        if key.value == "metrics" and isinstance(value, yaml.MappingNode):
            lines = [k.start_mark.line + 1 for k, _ in value.value if k.value == name]
            return lines[0] if lines else 0
        if found := _line_below(value, name):
            return found
    return 0
