"""Dashboards as code: dashboards/*.yml, cards with SQL over the project's models."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.cards import Card as Card
from snowmelt.project.filters import Filter
from snowmelt.project.yaml_file import line_of_key, lines_of_keys, load_model

FOLDER = "dashboards"
_SQL_FILE = re.compile(r"\S+\.sql")


class Owner(BaseModel):
    """Whom to ask about a dashboard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, description="A person or a team.")
    email: str | None = Field(None, description="Where they are reached.")


class Dashboard(BaseModel):
    """One page: rows of cards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(description="The heading of the page.")
    description: str = Field("", description="What the page is for.")
    owner: Owner = Field(
        default_factory=Owner, description="Whom to ask; part of dbt's exposures."
    )
    filters: list[Filter] = Field(
        default_factory=list, description="What can be chosen on the page."
    )
    rows: list[list[Card]] = Field(
        min_length=1, description="What stands under each other: rows of cards."
    )

    @field_validator("filters")
    @classmethod
    def _have_names_of_their_own(cls, given: list[Filter]) -> list[Filter]:
        names = [each.name for each in given]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two filters are called {name}")
        return given

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
    places: list[tuple[int | str, ...]] = [
        ("rows", i, j) for i, row in enumerate(dashboard.rows) for j in range(len(row))
    ]
    lines = iter(lines_of_keys(root / shown, places))
    rows = [
        [_placed(root, card, f"{shown}:{next(lines)}") for card in row]
        for row in dashboard.rows
    ]
    return dashboard.model_copy(update={"rows": rows})


def place_of_filter(root: Path, name: str, number: int) -> str:
    """Return where a filter of a dashboard stands: file and line."""
    shown = f"{FOLDER}/{name}.yml"
    return f"{shown}:{line_of_key(root / shown, ('filters', number))}: filters"


def place_of_drill(root: Path, name: str, at: tuple[int, int], card: Card) -> str:
    """Return where a card of a dashboard says what it leads to; `at`: row and place."""
    shown = f"{FOLDER}/{name}.yml"
    line = line_of_key(root / shown, ("rows", *at, "drill"))
    return f"{shown}:{line}: {card.heading}: drill"


def dashboard_files(root: Path) -> list[Path]:
    """Return the files that dashboards are made of, for who waits for a change."""
    found = sorted((root / FOLDER).glob("*.yml"))
    named = set()
    for path in found:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        named |= {root / each.strip("'\"") for each in _SQL_FILE.findall(text)}
    return [*found, *sorted(named)]


def _placed(root: Path, card: Card, place: str) -> Card:
    """Return a card that knows where it stands, with the text of its query."""
    if card.sql is None or not _SQL_FILE.fullmatch(card.sql):
        return card.placed(place)
    path = (root / card.sql).resolve()
    where = f"{place}: {card.heading}"
    if not path.is_relative_to(root.resolve()):
        raise ConfigError(where, f"{card.sql} is outside of the project")
    try:
        return card.placed(place, path.read_text(encoding="utf-8"), card.sql)
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(where, f"it reads {card.sql}: {told}") from None
