"""What is done with objects of a bucket once their load is committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from s3_server import Bucket, S3Server, started_server
from snowmelt.bronze.copy import Copier
from snowmelt.clock import SystemClock
from snowmelt.landing.s3 import S3Stage
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.service.after_loading import AfterLoading
from snowmelt.service.lane import Lane

PIPE = {"name": "t", "pattern": "t*.csv", "contract": columns("id integer")}
OLD, NEW = b"id\n1\n", b"id\n2\n"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    return server.make_bucket()


def load(shop: Shop, stage: S3Stage, pipe: Pipe) -> None:
    """Load the object, as the loop would."""
    parts = shop.parts
    file = stage.look("t.csv")
    assert file is not None
    spool = parts.project.spool
    copier = Copier(parts.warehouse, stage, parts.clock, spool, parts.attempts)
    prepared = copier.copy(pipe, [Pending(file, pipe.name, parts.clock.now())])
    (outcome,) = prepared.outcomes
    assert outcome.record.status.value == "Loaded", outcome.record


def carry_out(shop: Shop, stage: S3Stage) -> list[tuple[Any, ...]]:
    """Do what is due, and return how it ended."""
    after = AfterLoading(
        shop.parts.warehouse,
        stage,
        shop.parts.clock,
        shop.parts.events,
        lambda name: Lane(name, shop.loop.wake.set),
    )
    try:
        shop.carry_out(after)
    finally:
        after.close()
    return shop.rows("select state, error from snowmelt.after_load order by load_seq")


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ({"purge": True}, []),
        ({"archive": ".loaded"}, ["in/.loaded/t.csv"]),
        ({"tag": {"state": "loaded", "by": "snowmelt"}}, ["in/t.csv"]),
    ],
)
def test_an_object_is_dealt_with_once_it_is_loaded(
    tmp_path: Path, bucket: Bucket, action: dict[str, Any], left: list[str]
) -> None:
    pipe = Pipe.model_validate(PIPE | {"after_load": action})
    stage = S3Stage(bucket.config(queue=None), SystemClock())
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        bucket.put("in/t.csv", OLD)
        load(shop, stage, pipe)
        assert bucket.keys() == ["in/t.csv"], "nothing before the commit"
        assert carry_out(shop, stage) == [("done", None)]
        assert bucket.keys() == left
        assert [file.name for file in stage.refresh()] in ([], ["t.csv"])
        if "tag" in action:
            said = bucket.server.s3.get_object_tagging(Bucket=bucket.name, Key=left[0])
            tags = {each["Key"]: each["Value"] for each in said["TagSet"]}
            assert tags == action["tag"]


def test_an_object_that_was_put_since_is_left_alone(
    tmp_path: Path, bucket: Bucket
) -> None:
    pipe = Pipe.model_validate(PIPE | {"after_load": {"purge": True}})
    stage = S3Stage(bucket.config(queue=None), SystemClock())
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        bucket.put("in/t.csv", OLD)
        load(shop, stage, pipe)
        bucket.put("in/t.csv", NEW)
        ((state, told),) = carry_out(shop, stage)
        assert (state, "another version" in told) == ("done", True)
        assert bucket.body("in/t.csv") == NEW
        load(shop, stage, pipe)
        carry_out(shop, stage)
        assert bucket.keys() == []
        assert shop.rows("select id from bronze.t") == [(2,)]
