"""The whole service on a bucket behind a bad network: each file exactly once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import Faults, started_proxy
from small_shop import Shop, columns, open_shop

from s3_server import Bucket, S3Server, started_server
from snowmelt.clock import SystemClock
from snowmelt.landing.s3 import S3Stage
from snowmelt.service.status import status_document

CLOCK = SystemClock()
PIPES = [
    {
        "name": name,
        "pattern": f"{name}/**/*",
        "file_format": {"type": "auto"},
        "contract": columns("id integer, name varchar"),
    }
    for name in ("one", "two")
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


def landing_of(bucket: Bucket, **changes: Any) -> dict[str, Any]:
    return {
        "path": f"s3://{bucket.name}/in",
        "queue": bucket.queue_url.rsplit("/", 1)[-1],
        "endpoint": bucket.server.url,
        "region": "us-east-1",
        "allow_http": True,
        "refresh_every": "5s",
        "visibility_timeout": "6s",
        **changes,
    }


def turn_until(shop: Shop, is_so: Any, seconds: float) -> None:
    """Turn the loop as the service does."""
    give_up_at = CLOCK.monotonic() + seconds
    while not is_so():
        assert CLOCK.monotonic() < give_up_at, shop.loop.problems[-5:]
        shop.loop.wake.clear()
        shop.loop.turn()
        shop.loop.wake.wait(min(shop.loop.seconds_to_next(), 0.2))


def test_an_object_is_loaded_and_its_message_deleted(
    server: S3Server, tmp_path: Path
) -> None:
    bucket = server.make_bucket()
    landing = landing_of(bucket, refresh_every="1h")
    with open_shop(tmp_path / "shop", PIPES, landing=landing) as shop:
        stage = shop.parts.stage
        shop.load()
        stage.watch(shop.loop.wake.set)
        try:
            bucket.put("in/one/a.csv", b"id,name\n1,a\n")
            bucket.put("in/one/o[1]*?.csv", b"id,name\n2,b\n")
            bucket.put("in/nobody/c.csv", b"id,name\n3,c\n")

            def is_done() -> bool:
                loaded = shop.rows("select count(*) from bronze.one") == [(2,)]
                return loaded and bucket.queued() == 0

            turn_until(shop, is_done, 30)
            bucket.put("in/one/a.csv", b"id,name\n9,corrected\n")

            def is_corrected() -> bool:
                return shop.rows("select id from bronze.one order by 1") == [(2,), (9,)]

            turn_until(shop, is_corrected, 30)
        finally:
            stage.unwatch()
        assert set(shop.parts.pending.unmatched) == {"nobody/c.csv"}
        assert shop.rows(
            "select distinct stage_location, etag is not null "
            "from snowmelt.load_history"
        ) == [(f"s3://{bucket.name}/in", True)]
        assert list(shop.parts.project.spool.iterdir()) == []


def made_files(seed: int, count: int) -> dict[str, bytes]:
    """Return files of one row each, with ids that no other file has."""
    chance = random.Random(seed)
    made = {}
    for number in range(count):
        pipe = chance.choice(["one", "two"])
        body = f"id,name\n{number},{chance.randrange(10**9)}\n".encode()
        if chance.random() < 0.3:
            body = b'{"id": %d, "name": "x%d"}\n' % (number, number)
        made[f"{pipe}/{chance.choice(['', 'a b/', 'é/', '+/'])}{number}"] = body
    return made


def check_service(server: S3Server, root: Path, faults: Faults, count: int) -> None:
    """The promise: through the proxy each file is loaded exactly once."""
    made = made_files(faults.seed, count)
    bucket = server.make_bucket()
    with (
        started_proxy(server.url, faults) as url,
        open_shop(root, PIPES, landing=landing_of(bucket, endpoint=url)) as shop,
        ThreadPoolExecutor(4) as pool,
    ):
        shop.parts.stage.watch(shop.loop.wake.set)
        putting = [
            pool.submit(bucket.put, f"in/{name}", body) for name, body in made.items()
        ]
        loaded = "select count(*) from snowmelt.load_history where status = 'Loaded'"
        try:
            turn_until(shop, lambda: shop.rows(loaded) == [(count,)], 240)
            faults.healed = True
            turn_until(shop, lambda: bucket.queued() == 0, 60)
        finally:
            for each in putting:
                each.result()
            shop.parts.stage.unwatch()
        ids = "select id from bronze.one union all select id from bronze.two order by 1"
        assert [each for (each,) in shop.rows(ids)] == list(range(count))
        files = shop.rows("select file_name from snowmelt.load_history")
        assert sorted(name for (name,) in files) == sorted(made)
        assert shop.rows("select count(*) from snowmelt.rejects") == [(0,)]


def test_each_file_is_loaded_once_through_a_bad_network(
    server: S3Server, tmp_path: Path
) -> None:
    faults = Faults(5, rate=0.15)
    try:
        check_service(server, tmp_path / "shop", faults, 60)
    except BaseException:
        print(faults.told())  # noqa: T201 - shown with the failure
        raise


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [6, 7])
def test_a_thousand_files_are_loaded_once_through_a_bad_network(
    server: S3Server, tmp_path: Path, seed: int
) -> None:
    faults = Faults(seed, rate=0.15)
    try:
        check_service(server, tmp_path / "shop", faults, 1_000)
    except BaseException:
        print(faults.told())  # noqa: T201 - shown with the failure
        raise


def test_connections_that_break_do_not_undo_a_look_at_many_objects(
    server: S3Server,
) -> None:
    bucket = server.make_bucket()
    names = [f"{number}.csv" for number in range(100)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: bucket.put(f"in/{name}"), names))
    with started_proxy(server.url, Faults(3, rate=0.3)) as url:
        stage = S3Stage(bucket.config(endpoint=url), CLOCK)
        there = stage.looks([*names, "gone.csv"])
    assert [name for name, file in there.items() if file is None] == ["gone.csv"]


@pytest.mark.long
def test_a_bucket_that_cannot_be_reached_is_said_and_gone_on_with(
    server: S3Server, tmp_path: Path
) -> None:
    bucket = server.make_bucket()
    bucket.put("in/one/a.csv", b"id,name\n1,a\n")
    faults = Faults(1, rate=1.0)
    with (
        started_proxy(server.url, faults) as url,
        open_shop(
            tmp_path / "shop", PIPES, landing=landing_of(bucket, endpoint=url)
        ) as shop,
    ):
        turn_until(shop, lambda: shop.loop.stage_problem is not None, 120)
        assert bucket.name in (shop.loop.stage_problem or "")
        faults.healed = True
        loaded = "select count(*) from bronze.one"
        turn_until(shop, lambda: shop.rows(loaded) == [(1,)], 60)
        assert shop.loop.stage_problem is None


def test_a_queue_that_is_not_there_is_in_the_status(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.landing.s3.POLL_SECONDS", 1)
    bucket = server.make_bucket()
    name = f"later-than-{bucket.name}"
    landing = landing_of(bucket, queue=name)
    with open_shop(tmp_path / "shop", PIPES, landing=landing) as shop:

        def status() -> dict[str, Any]:
            return status_document(shop.loop, serving=True)

        shop.parts.stage.watch(shop.loop.wake.set)
        try:
            turn_until(shop, lambda: status()["problems"], 60)
            assert name in status()["problems"][0]
            server.sqs.create_queue(QueueName=name)
            turn_until(shop, lambda: not status()["problems"], 60)
            told = status()
        finally:
            shop.parts.stage.unwatch()
        assert (told["channel"]["name"], told["channel"]["outstanding"]) == (name, 0)
        pipe_status = told["pipes"][0]["pipe_status"]
        assert pipe_status["notificationChannelName"] == name
        assert "channelErrorMessage" not in pipe_status
