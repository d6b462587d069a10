"""Advice as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from snowmelt.errors import SnowmeltError
from snowmelt.observe.advice.advise import LIMITS, advise
from snowmelt.observe.advice.evidence import Evidence
from snowmelt.observe.advice.histories import read_evidence
from snowmelt.observe.advice.limits import Limits
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import dashboard_names, load_dashboard
from snowmelt.project.metrics import DefinedMetric, MetricFiles
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.parts import Parts
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.graph import Graph
from snowmelt.transform.recording import load_recordings


def advise_document(parts: Parts, limits: Limits = LIMITS) -> Document:
    """Return what the histories advise, and on how much evidence.

    The project is taken as its last build saw it; dbt is not asked.
    """
    root = parts.project.root
    graph = load_recordings(root / RECORDINGS).graph or Graph((), ())
    parts.pipeline_log.write()
    with parts.warehouse.snapshot() as session:
        evidence = read_evidence(session, graph, root, _dashboards(parts), limits)
    return {
        "schema_version": SCHEMA_VERSION,
        "evidence": _looked_at(evidence, limits),
        "advice": [plain(asdict(each)) for each in advise(evidence, limits)],
        "thresholds": asdict(limits),
    }


def _looked_at(evidence: Evidence, limits: Limits) -> Document:
    runs = evidence.runs
    return {
        "runs": len(runs),
        "runs_usual": len(evidence.usual),
        "runs_min": limits.runs_min,
        "since": plain(runs[0].started_at) if runs else None,
        "until": plain(runs[-1].started_at) if runs else None,
        "seconds_a_run": round(evidence.seconds_a_run, 4),
    }


def _dashboards(parts: Parts) -> dict[str, list[str]]:
    """Return what each dashboard says of models; one that is wrong says nothing."""
    root = parts.project.root
    found: dict[str, list[str]] = {}
    files = MetricFiles(root)
    for name in dashboard_names(root):
        try:
            dashboard = load_dashboard(root, name)
            metrics = files.all()
            found[name] = [
                *(each.column for each in dashboard.filters),
                *(_said(card, metrics) for card in dashboard.cards),
            ]
        except SnowmeltError:  # `validate` says what is wrong with it
            found[name] = []
    return found


def _said(card: Card, metrics: Mapping[str, DefinedMetric]) -> str:
    """Return the SQL of a card; of a metric the name of its model, as SQL has it."""
    if card.metric is None:
        return card.sql or ""
    defined = metrics.get(card.metric)
    return f"{{{{ ref('{defined.model}') }}}} {card.where or ''}" if defined else ""
