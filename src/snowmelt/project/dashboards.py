"""Dashboards as code: dashboards/*.yml, cards with SQL over the project's models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.yaml_file import load_model

FOLDER = "dashboards"
_STRICT = ConfigDict(extra="forbid", frozen=True)
_KEYS = {
    "kpi": (("value",), ()),
    "chart": (("title", "x", "y"), ("series",)),
    "table": ((), ()),
}
"""The keys that each kind of card must have, and those that it may have."""

Text = Annotated[str, StringConstraints(min_length=1)]


class Card(BaseModel):
    """A figure, a chart or a table: one query, and which of its columns are shown."""

    model_config = _STRICT

    kpi: Text | None = Field(None, description="A single figure, under this title.")
    chart: Literal["line", "area", "bar"] | None = Field(
        None, description="A chart of `y` over `x`."
    )
    table: Text | None = Field(None, description="A table, under this title.")
    title: Text | None = Field(None, description="What stands above a chart.")
    value: Text | None = Field(None, description="The column of a figure.")
    x: Text | None = Field(None, description="The column along a chart.")
    y: Text | None = Field(None, description="The column that a chart shows.")
    series: Text | None = Field(
        None, description="The column that parts a chart into one for each value."
    )
    span: int = Field(12, ge=1, le=12, description="Width, in twelfths of the page.")
    sql: Text = Field(
        description="A query, or the path of a .sql file below the project. "
        "{{ ref('model') }} names a model."
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Card:
        kinds = [kind for kind in _KEYS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError("write one of kpi, chart and table")
        needed, allowed = _KEYS[kinds[0]]
        for name in ("title", "value", "x", "y", "series"):
            is_there = getattr(self, name) is not None
            if name in needed and not is_there:
                raise ValueError(f"{name} is missing")
            if is_there and name not in (*needed, *allowed):
                raise ValueError(f"a {kinds[0]} has no {name}")
        return self

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


def dashboard_names(root: Path) -> list[str]:
    """Return the names of a project's dashboards: of their files, without .yml."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yml"))


def load_dashboard(root: Path, name: str) -> Dashboard:
    """Read one dashboard; the SQL of files is put in place of their paths.

    Raises UsageError for an unknown name, ConfigError with file and line.
    """
    names = dashboard_names(root)
    if name not in names:
        known = ", ".join(names) or f"none; they are {FOLDER}/*.yml"
        problem = f"there is no dashboard '{name}'"
        raise UsageError("dashboards", problem, f"Known: {known}.")
    shown = f"{FOLDER}/{name}.yml"
    dashboard = load_model(root / shown, Dashboard, shown)
    rows = [[_with_sql(root, shown, card) for card in row] for row in dashboard.rows]
    return dashboard.model_copy(update={"rows": rows})


def _with_sql(root: Path, shown: str, card: Card) -> Card:
    if not re.fullmatch(r"\S+\.sql", card.sql):
        return card
    path = (root / card.sql).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ConfigError(shown, f"{card.sql} is outside of the project")
    try:
        return card.model_copy(update={"sql": path.read_text(encoding="utf-8")})
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problem = f"the card '{card.heading}' reads {card.sql}: {told}"
        raise ConfigError(shown, problem) from None
