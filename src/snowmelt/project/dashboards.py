"""Dashboards as code: dashboards/*.yml, cards with SQL over the project's models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from snowmelt.errors import ConfigError
from snowmelt.project.yaml_file import load_model

FOLDER = "dashboards"
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Card(BaseModel):
    """A figure, a chart or a table: one query, and which of its columns are shown."""

    model_config = _STRICT

    kpi: str | None = Field(None, description="A single figure, under this title.")
    chart: Literal["line", "area", "bar"] | None = Field(
        None, description="A chart of `y` over `x`."
    )
    table: str | None = Field(None, description="A table, under this title.")
    title: str | None = Field(None, description="What stands above a chart.")
    value: str | None = Field(None, description="The column of a figure.")
    x: str | None = Field(None, description="The column along a chart.")
    y: str | None = Field(None, description="The column that a chart shows.")
    series: str | None = Field(
        None, description="The column that parts a chart into one for each value."
    )
    span: int = Field(12, ge=1, le=12, description="Width, in twelfths of the page.")
    sql: str = Field(
        description="A query, or the path of a .sql file below the project. "
        "{{ ref('model') }} names a model."
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Card:
        kinds = [self.kpi, self.chart, self.table]
        if sum(each is not None for each in kinds) != 1:
            raise ValueError("write one of kpi, chart and table")
        missing = [name for name in self._needed() if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        return self

    def _needed(self) -> tuple[str, ...]:
        if self.chart:
            return ("title", "x", "y")
        return ("value",) if self.kpi else ()

    @property
    def heading(self) -> str:
        """The title of whichever kind it is."""
        return self.kpi or self.table or self.title or ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its query must return."""
        named = (self.value, self.x, self.y, self.series)
        return tuple(each for each in named if each is not None)


class Dashboard(BaseModel):
    """One page: rows of cards."""

    model_config = _STRICT

    title: str = Field(description="The heading of the page.")
    rows: list[list[Card]] = Field(
        min_length=1, description="What stands under each other: rows of cards."
    )

    @property
    def cards(self) -> list[Card]:
        return [card for row in self.rows for card in row]


def load_dashboards(root: Path) -> dict[str, Dashboard]:
    """Read a project's dashboards, by the names of their files.

    The SQL of files is put in place of their paths.

    Raises ConfigError with file and line.
    """
    found = {}
    for path in sorted((root / FOLDER).glob("*.yml")):
        shown = f"{FOLDER}/{path.name}"
        dashboard = load_model(path, Dashboard, shown)
        rows = [
            [_with_sql(root, shown, card) for card in row] for row in dashboard.rows
        ]
        found[path.stem] = dashboard.model_copy(update={"rows": rows})
    return found


def _with_sql(root: Path, shown: str, card: Card) -> Card:
    if not card.sql.endswith(".sql"):
        return card
    path = (root / card.sql).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ConfigError(shown, f"{card.sql} is outside of the project")
    try:
        return card.model_copy(update={"sql": path.read_text(encoding="utf-8")})
    except FileNotFoundError:
        problem = f"the card '{card.heading}' reads {card.sql}, which is missing"
        raise ConfigError(shown, problem) from None
