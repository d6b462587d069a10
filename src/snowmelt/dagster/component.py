"""A project as a component of Dagster: its assets, and the sensor that watches it.

type: snowmelt.dagster.component.SnowmeltComponent
attributes:
  url: http://127.0.0.1:8321
  token: "{{ env.SNOWMELT_TOKEN }}"
  manifest: ../../shop/.snowmelt/dbt/target/manifest.json
"""

# No `from __future__ import annotations`: Dagster looks at what parameters are.
from collections.abc import Iterator
from datetime import UTC
from functools import cache
from pathlib import Path

import dagster as dg

from snowmelt.dagster.asking import Asked, ask_and_wait, key_of
from snowmelt.dagster.manifest import Made, read_manifest
from snowmelt.dagster.watching import Keys, ToldBy, Watched, look
from snowmelt.remote import Remote

SENSOR_SECONDS = 30
_ENDS = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
_LOOKED_AT = {dg.DagsterEventType.ASSET_MATERIALIZATION, *_ENDS}


class SnowmeltComponent(dg.Component, dg.Model, dg.Resolvable):
    """Assets of pipes and models of a service, with what they are made of.

    To materialize any of them asks the service for a run. The sensor tells of what the
    service loaded and published besides.
    """

    url: str
    token: str
    manifest: str
    name: str = "snowmelt"
    bronze: str = "bronze"
    verify: bool = True

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions."""
        path = Path(self.manifest)
        path = path if path.is_absolute() else context.path / path
        return self.definitions(path)

    def definitions(self, manifest: Path) -> dg.Definitions:
        """Return the definitions of a manifest."""
        made = read_manifest(manifest, self.bronze)
        remote = Remote(self.url, self.token, self.verify)
        return dg.Definitions(
            assets=[_assets(self.name, made, remote)],
            sensors=[_sensor(self.name, made, remote)],
        )


def _assets(name: str, made: list[Made], remote: Remote) -> dg.AssetsDefinition:
    by_key = {dg.AssetKey(list(each.key)): each for each in made if _is_ours(each)}
    specs = [
        dg.AssetSpec(
            key,
            deps=[dg.AssetKey(list(parent)) for parent in each.parents],
            description=each.description or None,
            group_name=each.group,
            kinds={"snowmelt", "table" if each.table else "dbt"},
            skippable=True,
        )
        for key, each in by_key.items()
    ]

    @dg.multi_asset(name=name, specs=specs, can_subset=True)
    def materialize(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult]:
        selected = context.selected_asset_keys
        chosen = {key: each for key, each in by_key.items() if key in selected}
        record = context.instance.get_run_record_by_id(context.run.run_id)
        began = record.create_timestamp.astimezone(UTC).isoformat() if record else None
        # Assets of other code between ours make several steps of them in one run.
        step = context.get_step_execution_context().step.key
        asked = Asked(
            key=key_of(context.run.run_id, step),
            retry=context.retry_number,
            tables=sorted({each.table for each in chosen.values() if each.table}),
            models=sorted(each.selector for each in chosen.values() if not each.table),
            since=began,
        )
        found = ask_and_wait(remote, asked, context.log.info)
        if found["state"] != "SUCCEEDED":
            raise dg.Failure(
                description=f"errand {found['errand']}: {found['problem']}",
                metadata={"errand": found["errand"], "answer": found["answer"] or {}},
                allow_retries=True,
            )
        answer = found["answer"]
        for key in chosen:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "errand": found["errand"],
                    "run_id": found["run_id"] or "nothing was due",
                    "rows_loaded": answer["row_count"],
                    "records_refused": answer["error_count"],
                },
            )

    return materialize


def _is_ours(each: Made) -> bool:
    """Does a service make it? Sources that nobody loads are somebody else's."""
    return bool(each.table) or not each.is_source


def _sensor(name: str, made: list[Made], remote: Remote) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{name}_happenings",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def happenings(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        watched = Watched(remote, made, _told_by(context.instance))
        seen = look(watched, context.cursor)
        events = [
            dg.AssetMaterialization(
                dg.AssetKey(list(each.key)),
                description=each.told,
                metadata=dict(each.metadata),
            )
            for each in seen.events
        ]
        return dg.SensorResult(asset_events=events, cursor=seen.cursor)

    return happenings


def _told_by(instance: dg.DagsterInstance) -> ToldBy:
    """Return who says what a step told of: the records of its run."""

    @cache
    def told_by(run_id: str, step: str) -> Keys | None:
        run = instance.get_run_by_id(run_id)
        if run is None:
            return frozenset()
        events = [
            entry.dagster_event
            for entry in instance.all_logs(run_id, of_type=_LOOKED_AT)
            if entry.step_key == step and entry.dagster_event
        ]
        if not (run.is_finished or any(each.event_type in _ENDS for each in events)):
            return None
        return frozenset(
            tuple(each.asset_key.path)
            for each in events
            if each.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
            and each.asset_key
        )

    return told_by
