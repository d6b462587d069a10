"""Queries of alert rules: models in place of ref(), and whether they can be asked."""

from __future__ import annotations

from pathlib import Path

from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.gold.run_history import published_digest
from snowmelt.project.project import SETTINGS_FILE
from snowmelt.project.yaml_file import line_of_key
from snowmelt.service.dashboarding import relations_of, render_sql
from snowmelt.service.parts import Parts
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.graph import Graph
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings


class Rendering:
    """Puts the relations of the last build in place of ref(); dbt is never asked."""

    def __init__(self, root: Path) -> None:
        self._path = root / RECORDINGS
        self._read_at: tuple[int, int] | None = None
        self._relations: dict[str, str] = {}

    def render(self, sql: str) -> str:
        """Return a query as the warehouse takes it.

        Raises ConfigError when it names a model that is not there.
        """
        if "{{" not in sql and "{%" not in sql:
            return sql
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise ConfigError(
                "", "nothing is published yet that ref() could name", "snowmelt run"
            ) from None
        if self._read_at != (found.st_mtime_ns, found.st_size):
            graph = load_recordings(self._path).graph
            self._relations = dict(relations_of(graph)) if graph else {}
            self._read_at = (found.st_mtime_ns, found.st_size)
        return render_sql(sql, self._relations)


def check_alert_queries(parts: Parts, graph: Graph) -> list[str]:
    """Return the names of the rules that are queries, each of them checked.

    While the project is as it was published, the warehouse plans them, too.

    Raises ConfigError with file and line for one that is not exactly one query, that
    writes, or that the warehouse cannot answer.
    """
    root, relations = parts.project.root, relations_of(graph)
    rules = parts.project.settings.alerts.rules
    asked = {name: rule.sql for name, rule in rules.items() if rule.sql is not None}
    with parts.warehouse.snapshot() as session:
        is_published = published_digest(session) == project_digest(root)
        for name, text in asked.items():
            try:
                sql = render_sql(text, relations)
                parts.warehouse.require_query(sql)
                if is_published or sql == text.strip():
                    session.rows(f"explain {sql}")
            except Exception as error:
                raise _off(root, name, error) from error
    return list(asked)


def _off(root: Path, name: str, error: Exception) -> ConfigError:
    location = ("alerts", "rules", name, "sql")
    line = line_of_key(root / SETTINGS_FILE, location)
    where = f"{SETTINGS_FILE}:{line}: {'.'.join(location)}"
    if isinstance(error, SnowmeltError):
        return ConfigError(where, error.problem, error.remedy)
    return ConfigError(where, str(error).strip().split("\n\n")[0])
