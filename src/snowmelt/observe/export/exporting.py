"""Which exporters are asked for, and running them beside a project."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError
from snowmelt.events import Events
from snowmelt.observe.export.columns import ColumnsFed
from snowmelt.observe.export.config import ObserveConfig
from snowmelt.observe.export.described import Described
from snowmelt.observe.export.otlp import is_asked_for, make_traces
from snowmelt.observe.export.outbox import Exporter, Outbox
from snowmelt.warehouse.port import Warehouse

log = logging.getLogger("snowmelt")
_LINEAGE_VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_LINEAGE_PREFIX = "OPENLINEAGE__TRANSPORT"
_EXTRAS = {
    "otel": "opentelemetry.exporter.otlp.proto.http",
    "lineage": "openlineage.client",
}


@contextmanager
def exported(
    config: ObserveConfig,
    described: Described,
    events: Events,
    clock: Clock,
    warehouse: Warehouse,
) -> Iterator[None]:
    """Tell whoever is asked for what happens while the block lasts.

    The warehouse is asked for columns of models, by the thread that tells of them.

    Raises ConfigError when the settings ask for an extra that is not installed; where
    a variable of the machine does, that is logged.
    """
    fed = ColumnsFed(described.root, warehouse, clock)
    outboxes = list(_outboxes(config, described, os.environ, fed))
    for outbox in outboxes:
        events.subscribe(outbox)
    try:
        yield
    finally:
        give_up_at = clock.monotonic() + config.close_seconds
        for outbox in outboxes:
            outbox.end(config.close_seconds)
        for outbox in outboxes:
            outbox.close(max(give_up_at - clock.monotonic(), 0.1))


def _outboxes(
    config: ObserveConfig,
    described: Described,
    environ: Mapping[str, str],
    fed: ColumnsFed,
) -> Iterator[Outbox]:
    waiting_max = config.waiting_events_max
    if is_asked_for(config.otel, environ) and _is_there("otel", config.otel):
        statements = config.otel is None or config.otel.statements
        make = partial(make_traces, config.otel, described)
        yield Outbox("otel", make, waiting_max=waiting_max, statements=statements)
    if _asks_lineage(config, described, environ) and _is_there(
        "lineage", config.openlineage
    ):
        make = partial(_make_lineage, config, described, fed)
        yield Outbox("openlineage", make, waiting_max=waiting_max, statements=False)


def _asks_lineage(
    config: ObserveConfig, described: Described, environ: Mapping[str, str]
) -> bool:
    if environ.get("OPENLINEAGE_DISABLED", "").lower().strip() == "true":
        return False
    said = any(environ.get(name) for name in _LINEAGE_VARIABLES)
    said = said or any(name.startswith(_LINEAGE_PREFIX) for name in environ)
    return said or config.openlineage is not None or _file(described) is not None


def _file(described: Described) -> str | None:
    path = described.root / "openlineage.yml"
    return str(path) if path.is_file() else None


def _make_lineage(
    config: ObserveConfig, described: Described, fed: ColumnsFed
) -> Exporter:
    from snowmelt.observe.export.lineage import Lineage, make_client

    said = config.openlineage
    namespace = said.namespace if said else None
    namespace = namespace or os.environ.get("OPENLINEAGE_NAMESPACE") or described.name
    client = make_client(said.url if said else None, _file(described))
    return Lineage(client, described, namespace, fed)


def _is_there(extra: str, said: object) -> bool:
    """Is an extra installed? Raises ConfigError when the settings need it."""
    try:
        if find_spec(_EXTRAS[extra]) is not None:
            return True
    except ModuleNotFoundError:
        pass
    remedy = f"pip install 'snowmelt[{extra}]'"
    if said is not None:
        key = "otel" if extra == "otel" else "openlineage"
        problem = f"the extra '{extra}' is not installed"
        raise ConfigError(f"snowmelt.yml: observe.{key}", problem, remedy)
    log.warning("%s is asked for and not installed: %s", extra, remedy)
    return False
