"""Loads, runs and models as OpenLineage's runs, with the data that they read and made.

Jobs are `<project>.load.<pipe>`, `<project>.run`, `<project>.<model>` and, for tests
of a relation, `<project>.test.<relation>`; what a run made has that run for its parent.
Datasets have the names of https://openlineage.io/docs/spec/naming: files those of their
stage, relations those that openlineage-dbt gives them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)
from openlineage.client.uuid import generate_static_uuid

from snowmelt import __version__
from snowmelt.events import RunStarted
from snowmelt.observe.export.assertions import assertions_by_relation
from snowmelt.observe.export.columns import Fed
from snowmelt.observe.export.described import Described, Models
from snowmelt.observe.export.settled_facet import SettledFacet
from snowmelt.observe.export.told import (
    LoadBegun,
    LoadEnded,
    NodeEnded,
    RunEnded,
    Told,
)
from snowmelt.transform.graph import Node

PRODUCER = "https://pypi.org/project/snowmelt/"
ColumnLineage = Callable[[str], Fed | None]
"""Returns what feeds a node's columns, by the node's id; None where nobody knows."""
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


class Lineage:
    """An exporter of lineage; the client knows where to."""

    def __init__(
        self,
        client: OpenLineageClient,
        described: Described,
        namespace: str,
        column_lineage: ColumnLineage = lambda _: None,
    ) -> None:
        self._client = client
        self._described = described
        self._namespace = namespace
        self._column_lineage = column_lineage
        self._models = Models(described.root)
        self._relations = f"duckdb://{described.warehouse_path}"
        self._of: dict[type, Callable[[Any], None]] = {
            LoadBegun: self._load_begun,
            LoadEnded: self._load_ended,
            RunStarted: self._run_started,
            RunEnded: self._run_ended,
        }

    def send(self, told: Told) -> None:
        """Send the events of what began or ended."""
        take = self._of.get(type(told))
        if take:
            take(told)

    def close(self, seconds: float) -> None:
        """Let the client send what it holds, for so long at most."""
        self._client.close(seconds)

    # Loads.

    def _load_begun(self, load: LoadBegun) -> None:
        job, run = self._load(load.pipe_name, load.number, load.started_at)
        outputs = [self._bronze(load.pipe_name)]
        self._emit(RunState.START, load.started_at, job, run, outputs=outputs)

    def _load_ended(self, load: LoadEnded) -> None:
        job, run = self._load(load.pipe_name, load.number, load.started_at)
        error = load.error
        inputs = [self._file(each) for each in load.files]
        output = self._bronze(load.pipe_name)
        output.outputFacets = {
            "outputStatistics": (
                output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=sum(each.row_count for each in load.files),
                    size=sum(each.file_bytes for each in load.files),
                    fileCount=len(load.files),
                )
            )
        }
        self._tell_error(run, error)
        state = RunState.COMPLETE if error is None else RunState.FAIL
        self._emit(state, load.ended_at, job, run, inputs, [output])

    def _load(self, pipe: str, number: int, started_at: datetime) -> tuple[Job, Run]:
        name = f"load.{pipe}"
        return self._of_kind(name, "COPY"), Run(_uuid(started_at, f"{name}.{number}"))

    def _file(self, settled: Any) -> InputDataset:
        facet = SettledFacet(
            status=settled.status,
            loadSeq=settled.load_seq,
            recordsParsed=settled.row_parsed,
            rowsLoaded=settled.row_count,
            recordsRejected=settled.error_count,
            firstError=settled.first_error,
        )
        statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=settled.row_parsed, size=settled.file_bytes, fileCount=1
        )
        return InputDataset(
            self._described.stage,
            f"{self._described.prefix}{settled.file_name}",
            inputFacets={"inputStatistics": statistics, "snowmelt_settled": facet},
        )

    def _bronze(self, pipe: str) -> OutputDataset:
        table, columns = self._described.tables[pipe]
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name, kind)
            for name, kind in columns
        ]
        schema = schema_dataset.SchemaDatasetFacet(fields=fields)
        name = self._named(table)
        return OutputDataset(self._relations, name, facets={"schema": schema})

    # Runs.

    def _run_started(self, run: RunStarted) -> None:
        job = self._of_kind("run", "RUN")
        self._emit(RunState.START, run.started_at, job, self._run(run.run_id))

    def _run_ended(self, ended: RunEnded) -> None:
        self._models.refresh()
        by_name = {node.name: node for node in self._models.graph.nodes.values()}
        for each in ended.nodes:
            node = by_name.get(each.outcome.node)
            if node is not None and node.resource_type in ("model", "seed", "snapshot"):
                self._node(ended, each, node)
        for relation, tested in assertions_by_relation(ended, by_name).items():
            job = self._of_kind(f"test.{relation}", "TEST")
            node_run = Run(_uuid(ended.run.started_at, ended.run.run_id + relation))
            self._with_parent(node_run, ended.run.run_id)
            inputs = [
                InputDataset(
                    self._relations,
                    self._named(relation),
                    inputFacets={"dataQualityAssertions": tested.facet},
                )
            ]
            state = RunState.FAIL if tested.failed else RunState.COMPLETE
            self._emit(RunState.START, tested.started_at, job, node_run, inputs)
            self._emit(state, tested.ended_at, job, node_run, inputs)
        run = self._run(ended.run.run_id)
        run.facets = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=__version__, name="snowmelt"
            )
        }
        self._tell_error(run, ended.run.error)
        visible_at = ended.run.started_at + timedelta(seconds=ended.run.seconds)
        state = RunState.COMPLETE if ended.run.error is None else RunState.FAIL
        self._emit(state, visible_at, self._of_kind("run", "RUN"), run)

    def _node(self, ended: RunEnded, made: NodeEnded, node: Node) -> None:
        job = self._of_kind(node.name, node.resource_type.upper())
        run = Run(_uuid(made.started_at, ended.run.run_id + node.id))
        self._with_parent(run, ended.run.run_id)
        inputs = [
            InputDataset(self._relations, each) for each in self._read_by(node.parents)
        ]
        outputs = [self._made(node, made)] if node.relation else []
        self._emit(RunState.START, made.started_at, job, run, inputs, outputs)
        failed = made.outcome.failed
        self._tell_error(run, made.outcome.message or "" if failed else None)
        state = RunState.FAIL if failed else RunState.COMPLETE
        if made.outcome.status == "skipped":
            state = RunState.ABORT
        self._emit(state, made.ended_at, job, run, inputs, outputs)

    def _made(self, node: Node, made: NodeEnded) -> OutputDataset:
        facets: dict[str, Any] = {}
        if columns := self._models.columns(node.id):
            fields = [
                schema_dataset.SchemaDatasetFacetFields(name, kind, told)
                for name, kind, told in columns
            ]
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
        if fed := self._column_lineage(node.id):
            facets["columnLineage"] = self._columns_from(fed)
        output = OutputDataset(self._relations, self._named(node.key), facets=facets)
        if made.outcome.rows_out is not None:
            output.outputFacets = {
                "outputStatistics": (
                    output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                        rowCount=made.outcome.rows_out
                    )
                )
            }
        return output

    def _columns_from(
        self, fed: Fed
    ) -> column_lineage_dataset.ColumnLineageDatasetFacet:
        fields = {
            name: column_lineage_dataset.Fields(
                inputFields=[
                    column_lineage_dataset.InputField(
                        self._relations, self._named(relation), column
                    )
                    for relation, column in each.feeds
                ],
                transformationDescription=each.expression or None,
            )
            for name, each in fed.items()
        }
        return column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)

    def _read_by(self, parents: Iterable[str]) -> list[str]:
        graph = self._models.graph
        keys = [
            graph.nodes[each].key
            for each in parents
            if each in graph.nodes and graph.nodes[each].relation
        ]
        sources = [graph.sources[each] for each in parents if each in graph.sources]
        keys += [f"{source.schema}.{source.table}" for source in sources]
        return [self._named(key) for key in keys]

    # What events are made of.

    def _named(self, key: str) -> str:
        return f"{self._described.database}.{key}"

    def _of_kind(self, name: str, kind: str) -> Job:
        facet = job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="SNOWMELT", jobType=kind
        )
        told = f"{self._described.name}.{name}"
        return Job(self._namespace, told, facets={"jobType": facet})

    def _run(self, run_id: str) -> Run:
        return Run(run_id)

    def _with_parent(self, run: Run, run_id: str) -> None:
        job = parent_run.Job(self._namespace, f"{self._described.name}.run")
        facet = parent_run.ParentRunFacet(run=parent_run.Run(run_id), job=job)
        run.facets = {**(run.facets or {}), "parent": facet}

    def _tell_error(self, run: Run, error: str | None) -> None:
        if error is None:
            return
        facet = error_message_run.ErrorMessageRunFacet(error, "SQL")
        run.facets = {**(run.facets or {}), "errorMessage": facet}

    def _emit(
        self,
        state: RunState,
        at: datetime,
        job: Job,
        run: Run,
        inputs: list[InputDataset] | None = None,
        outputs: list[OutputDataset] | None = None,
    ) -> None:
        told = at.astimezone(UTC).isoformat()
        event = RunEvent(
            eventTime=told,
            run=run,
            job=job,
            eventType=state,
            inputs=inputs or [],
            outputs=outputs or [],
            producer=PRODUCER,
        )
        self._client.emit(event)


def make_client(url: str | None, config_file: str | None) -> OpenLineageClient:
    """Return a client to `url`, to what a file says, or to what variables say."""
    if url is not None:
        transport: Mapping[str, Any] = {"type": "http", "url": url}
        return OpenLineageClient(config={"transport": dict(transport)})
    if config_file is not None:
        return OpenLineageClient(config=_read(config_file))
    return OpenLineageClient()


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = OpenLineageClient._get_config_file_content(path)
    return found


def _uuid(at: datetime, told: str) -> str:
    """Return the same UUID for the same time and words."""
    return str(generate_static_uuid(at, told.encode()))
