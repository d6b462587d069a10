"""The cards of a dashboard: each kind, and the keys that it must have and may have."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from snowmelt.project.number_format import read_format
from snowmelt.project.tile_maps import TILE_MAPS

Text = Annotated[str, StringConstraints(min_length=1)]
Chart = Literal["line", "area", "bar", "heatmap", "map", "funnel", "cohort"]
DRAWN_BY_SCRIPT = ("line", "area", "bar")
_XY = ("title", "x", "y", "sql")
_DRAWN = ("series", "format", "drill")
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kpi": (("value", "sql"), ("format", "compare", "good", "drill")),
    "metric": ((), ("title", "format", "compare", "where", "drill")),
    "table": (("sql",), ("formats", "labels", "drill")),
    "line": (_XY, _DRAWN),
    "area": (_XY, (*_DRAWN, "stacked")),
    "bar": (_XY, (*_DRAWN, "stacked")),
    "heatmap": ((*_XY, "value"), ("format", "drill")),
    "cohort": ((*_XY, "value"), ("format", "size", "drill")),
    "funnel": (_XY, ("format", "drill")),
    "map": ((*_XY, "map"), ("format", "drill")),
}
"""The keys that each kind of card must have, and those that it may have."""
_ANYWHERE = ("kpi", "metric", "chart", "table", "span")
_PLACE = re.compile(r"\{(\w+)\}")
_DRILL = re.compile(r"/d/([\w-]+)(?:\?(\S*))?")


def _as_schema(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what `_is_one_kind` checks, so that editors know it, too."""
    rules: list[dict[str, Any]] = []
    for kind, (needed, allowed) in _KEYS.items():
        is_word = kind in ("kpi", "metric", "table")
        when: dict[str, Any] = {"required": [kind if is_word else "chart"]}
        if not is_word:
            when["properties"] = {"chart": {"const": kind}}
        off = set(_keyed()) - {*needed, *allowed}
        then: dict[str, Any] = {"properties": dict.fromkeys(sorted(off), False)}
        if needed:
            then["required"] = list(needed)
        rules.append({"if": when, "then": then})
    kinds = ("kpi", "metric", "chart", "table")
    schema["oneOf"] = [{"required": [kind]} for kind in kinds]
    schema["allOf"] = rules


def _keyed() -> list[str]:
    names = {name for needed, allowed in _KEYS.values() for name in (*needed, *allowed)}
    return sorted(names)


class Card(BaseModel):
    """A figure, a chart or a table: one query, and which of its columns are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_as_schema)

    kpi: Text | None = Field(None, description="A single figure, under this title.")
    metric: Text | None = Field(
        None, description="A single figure: a metric of a model, by its name."
    )
    chart: Chart | None = Field(
        None,
        description="A chart of `y` over `x`: line, area, bar; heatmap and cohort show "
        "`value` by `x` and `y`; a funnel has its steps in `x`, a map its places.",
    )
    table: Text | None = Field(None, description="A table, under this title.")
    title: Text | None = Field(None, description="What stands above a chart.")
    value: Text | None = Field(
        None, description="The column of a figure, or of a heatmap's fields."
    )
    x: Text | None = Field(None, description="The column along a chart.")
    y: Text | list[Text] | None = Field(
        None, description="The column that a chart shows; several of a line or bar."
    )
    series: Text | None = Field(
        None, description="The column that parts a chart into one for each value."
    )
    stacked: bool | None = Field(
        None, description="Do series stand on one another? Areas do without it."
    )
    size: Text | None = Field(
        None, description="The column that says how large each row of a cohort is."
    )
    map: Text | None = Field(
        None,
        description=f"The places of a map: {', '.join(TILE_MAPS)}; any: by value.",
    )
    format: Text | None = Field(
        None, description="How figures are written: $0.0a, 0,0.00 EUR, 0.0%."
    )
    formats: dict[str, Text] = Field(
        default_factory=dict, description="How columns of a table are written, by name."
    )
    labels: dict[str, Text] = Field(
        default_factory=dict, description="How columns of a table are called, by name."
    )
    compare: Literal["previous_period", "previous_year"] | None = Field(
        None, description="What a figure is compared with."
    )
    good: Literal["up", "down"] | None = Field(
        None, description="Is more of it better, or less?"
    )
    drill: Text | None = Field(
        None,
        description="Where a row leads: /d/DASHBOARD?FILTER={column}. What is chosen "
        "here is chosen there, too, where filters have one name.",
    )
    where: Text | None = Field(
        None, description="What a metric is narrowed to, in SQL."
    )
    span: int = Field(12, ge=1, le=12, description="Width, in twelfths of the page.")
    sql: Text | None = Field(
        None,
        description="A query, or the path of a .sql file below the project. "
        "{{ ref('model') }} names a model, {{ filter('name', 'column') }} is what was "
        "chosen, {{ metric('name') }} sums a metric up.",
    )
    _place: str = PrivateAttr("")
    _path: str = PrivateAttr("")

    @field_validator("format")
    @classmethod
    def _is_format(cls, given: str | None) -> str | None:
        if given is not None:
            read_format(given)
        return given

    @field_validator("formats")
    @classmethod
    def _are_formats(cls, given: dict[str, str]) -> dict[str, str]:
        for each in given.values():
            read_format(each)
        return given

    @field_validator("map")
    @classmethod
    def _is_map(cls, given: str | None) -> str | None:
        if given is not None and given not in (*TILE_MAPS, "any"):
            raise ValueError(
                f"there is no such map. Known: {', '.join(TILE_MAPS)}, any"
            )
        return given

    @field_validator("drill")
    @classmethod
    def _leads_to_a_dashboard(cls, given: str | None) -> str | None:
        if given is not None and not _DRILL.fullmatch(given):
            raise ValueError("write it as /d/DASHBOARD?FILTER={column}")
        return given

    @model_validator(mode="after")
    def _is_one_kind(self) -> Card:
        named = ("kpi", "chart", "table", "metric")
        kinds = [kind for kind in named if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError("write one of kpi, metric, chart and table")
        needed, allowed = _KEYS[self.kind]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"{name} is missing")
        for name in sorted(self.model_fields_set - {*needed, *allowed, *_ANYWHERE}):
            raise ValueError(f"a {self.kind} has no {name}")
        if isinstance(self.y, list):
            if self.kind not in DRAWN_BY_SCRIPT:
                raise ValueError(f"a {self.kind} has one y")
            if self.series is not None:
                raise ValueError("a chart has several y, or series, and not both")
        return self

    @property
    def kind(self) -> str:
        """kpi, metric, table, or the kind of chart."""
        if self.chart is not None:
            return self.chart
        return next(k for k in ("kpi", "metric", "table") if getattr(self, k))

    @property
    def is_figure(self) -> bool:
        """Is it a single figure?"""
        return self.kind in ("kpi", "metric")

    @property
    def heading(self) -> str:
        """The title of whichever kind it is."""
        return self.kpi or self.table or self.title or self.metric or ""

    @property
    def ys(self) -> tuple[str, ...]:
        """The columns that a chart shows."""
        if self.y is None:
            return ()
        return tuple(self.y) if isinstance(self.y, list) else (self.y,)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its query must return."""
        named = (self.value, self.x, *self.ys, self.series, self.size)
        told = (*self.formats, *self.labels, *self.drill_columns)
        return tuple(each for each in (*named, *told) if each is not None)

    @property
    def drill_target(self) -> str | None:
        """The dashboard that a row leads to."""
        found = _DRILL.fullmatch(self.drill or "")
        return found[1] if found else None

    @property
    def drill_query(self) -> str:
        """What stands after the `?` of where a row leads to."""
        found = _DRILL.fullmatch(self.drill or "")
        return (found[2] or "") if found else ""

    @property
    def drill_columns(self) -> tuple[str, ...]:
        """The columns whose values that needs."""
        return tuple(_PLACE.findall(self.drill or ""))

    @property
    def stands(self) -> str:
        """Its file and line."""
        return self._place

    @property
    def path(self) -> str:
        """The file of its query; empty where that stands with it."""
        return self._path

    @property
    def place(self) -> str:
        """Where it stands: file, line and title; its query's file, if it has one."""
        shown = f"{self._place}: {self.heading}" if self._place else self.heading
        return f"{self._path} ({shown})" if self._path else shown

    def placed(self, place: str, sql: str | None = None, path: str = "") -> Card:
        """Return it with where it stands, and with the text of its query."""
        card = self.model_copy(update={"sql": sql} if sql is not None else {})
        card._place, card._path = place, path
        return card
