"""Is a project in order? Asked of its files, dbt and the engine; no row is read."""

from __future__ import annotations

from snowmelt.deploy.portable.checking import unportable_warnings
from snowmelt.serve.commands import Document
from snowmelt.service.alert_queries import check_alert_queries
from snowmelt.service.boards.exposures import exposure_warnings
from snowmelt.service.dashboarding import check_dashboards
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.lagging import check_goals
from snowmelt.service.parts import Parts
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.latest_versions import (
    idle_rules,
    latest_versions,
    require_streams,
)
from snowmelt.transform.package import outdated_files
from snowmelt.transform.planned_models import (
    Planning,
    compiled_alone,
    told_unchecked,
)
from snowmelt.transform.row_rules import require_fitting_rules


def validated(parts: Parts) -> Document:
    """Return what was found in order. Raises ConfigError for what is not."""
    project = parts.project
    dbt = Dbt(project.root, project.warehouse_path)
    with parts.warehouse.session() as session:
        graph = dbt.parse(session)
        warnings = check_goals(graph, project.settings.publish.default_lag)
        require_streams(graph, project.root)
        models = compiled_alone(graph)
        queries = dbt.compile(session, models) if models else {}
        planning = Planning(session, project.root, parts.warehouse.require_query)
        planning.models(graph, queries)
        for node in latest_versions(graph):
            if node.id in queries and node.path not in planning.unchecked:
                require_fitting_rules(session, node, queries[node.id])
    check_alert_queries(parts, graph)
    dashboards = check_dashboards(parts, graph)
    return {
        "schema_version": SCHEMA_VERSION,
        "project": project.settings.name,
        "pipes": [pipe.name for pipe in project.pipes],
        "dashboards": dashboards,
        "outdated": outdated_files(project.root),
        "warnings": [
            *warnings,
            *idle_rules(graph),
            *told_unchecked(planning.unchecked),
            *exposure_warnings(project),
            *unportable_warnings(project),
        ],
    }
