"""A bucket as a stage, over real HTTP: what is listed, read, told and let go of."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from s3_server import Bucket, S3Server, started_server, wait_until
from snowmelt.clock import SystemClock
from snowmelt.errors import ChangedError, ConfigError, UnreachableError
from snowmelt.landing import s3
from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.open_stage import open_stage
from snowmelt.landing.s3 import S3Stage
from snowmelt.landing.stage import StagedFile

ODD_NAMES = [
    "with space.csv",
    "a+b.csv",
    "100%.csv",
    "a%2Fb%20c.csv",
    'quote\'s "and".csv',
    "new\nline.csv",
    "emoji 😀 é.csv",
    "../x.csv",
    "a/../../etc/passwd.csv",
    "./y.csv",
    "/lead.csv",
    "a//b.csv",
    "control\x01\x7f.csv",
    "glob[1]*?.csv",
    "back\\slash.csv",
    "<&>;#=|^{}.csv",
    "slash at the end/",
    "k" * 1017 + ".csv",
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    return server.make_bucket()


def stage_of(bucket: Bucket, **changes: Any) -> S3Stage:
    return S3Stage(bucket.config(**changes), SystemClock(), poll_seconds=1)


@contextmanager
def watching(bucket: Bucket, **changes: Any) -> Iterator[S3Stage]:
    stage = stage_of(bucket, **changes)
    stage.watch(lambda: None)
    try:
        yield stage
    finally:
        stage.unwatch()


def names_of(stage: S3Stage) -> list[str]:
    return sorted(file.name for file in stage.refresh())


def told_to(stage: S3Stage, count: int) -> set[str]:
    """Wait for so many names."""
    told: set[str] = set()

    def enough() -> bool:
        told.update(stage.notified().placed)
        return len(told) >= count

    wait_until(enough)
    return told


def looked_at(stage: S3Stage, name: str) -> StagedFile:
    file = stage.look(name)
    assert file is not None
    return file


# What is listed


def test_only_files_below_the_prefix_are_listed(bucket: Bucket) -> None:
    for key in ("in/a.csv", "in/sub/b.csv", "inner/c.csv", "d.csv", "in", "out/in/e"):
        bucket.put(key)
    stage = stage_of(bucket)
    assert names_of(stage) == ["a.csv", "sub/b.csv"]
    assert stage.location == f"s3://{bucket.name}/in"
    assert stage.path("a.csv") is None


def test_the_whole_bucket_can_be_the_stage(bucket: Bucket) -> None:
    bucket.put("a.csv")
    bucket.put("/b.csv")
    stage = stage_of(bucket, path=f"s3://{bucket.name}")
    assert names_of(stage) == ["/b.csv", "a.csv"]
    assert stage.location == f"s3://{bucket.name}"


def test_folder_markers_and_hidden_names_are_left_out(bucket: Bucket) -> None:
    for key in ("in/", "in/sub/"):
        bucket.put(key, b"")
    for key in ("in/.hidden/a.csv", "in/b.csv.tmp", "in/_SUCCESS", "in/c.csv"):
        bucket.put(key)
    stage = stage_of(bucket)
    assert names_of(stage) == ["c.csv"]
    assert stage.look("sub/") is None


def test_a_listing_of_several_pages_is_complete(bucket: Bucket) -> None:
    backend = s3_backends["123456789012"]["aws"]
    for number in range(2_345):
        backend.put_object(bucket.name, f"in/{number:05d} +.csv", b"x")
    assert names_of(stage_of(bucket)) == [f"{n:05d} +.csv" for n in range(2_345)]


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: ascii(name)[:24])
def test_a_key_is_taken_as_it_is(bucket: Bucket, name: str) -> None:
    bucket.put(f"in/{name}", b"body")
    with watching(bucket) as stage:
        assert told_to(stage, 1) == {name}
    [listed] = stage.refresh()
    assert (listed.name, listed.loadable) == (name, True)
    assert stage.look(name) == listed
    assert b"".join(stage.chunks(listed)) == b"body"
    stage.remove(listed)
    assert bucket.keys() == []


def test_one_odd_key_does_not_hide_the_others(bucket: Bucket) -> None:
    for name in ("a//b.csv", "../x.csv", "plain.csv"):
        bucket.put(f"in/{name}")
    assert names_of(stage_of(bucket)) == ["../x.csv", "a//b.csv", "plain.csv"]


# What is read


def test_a_look_and_a_listing_say_the_same(bucket: Bucket) -> None:
    bucket.put("in/a.csv")
    stage = stage_of(bucket)
    [listed] = stage.refresh()
    assert stage.look("a.csv") == listed
    assert stage.look("gone.csv") is None


def test_many_files_are_looked_at_at_once(bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"in/{number}.csv")
    stage = stage_of(bucket)
    listed = {file.name: file for file in stage.refresh()}
    assert stage.looks([*listed, "gone.csv"]) == {**listed, "gone.csv": None}
    assert stage.looks([]) == {}


def test_a_large_file_is_read_whole(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RANGE_BYTES_MAX", 1_000_003)
    body = bytes(range(251)) * 20_000
    bucket.put("in/a.csv", body)
    stage = stage_of(bucket)
    pieces = list(stage.chunks(looked_at(stage, "a.csv")))
    assert b"".join(pieces) == body
    assert len(pieces) > 5


def test_an_empty_file_has_no_bytes(bucket: Bucket) -> None:
    bucket.put("in/a.csv", b"")
    stage = stage_of(bucket)
    file = looked_at(stage, "a.csv")
    assert list(stage.chunks(file)) == []
    bucket.delete("in/a.csv")
    with pytest.raises(ChangedError):
        list(stage.chunks(file))


@pytest.mark.parametrize("name", ["plain.csv", "odd//.csv"])
def test_another_version_is_not_read(bucket: Bucket, name: str) -> None:
    bucket.put(f"in/{name}", b"old")
    stage = stage_of(bucket)
    file = looked_at(stage, name)
    bucket.put(f"in/{name}", b"new")
    with pytest.raises(ChangedError):
        list(stage.chunks(file))
    bucket.delete(f"in/{name}")
    with pytest.raises(ChangedError):
        list(stage.chunks(file))


@pytest.mark.parametrize("name", ["plain.csv", "odd//.csv"])
def test_a_file_that_changes_under_the_reader_is_not_half_read(
    bucket: Bucket, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RANGE_BYTES_MAX", 300_000)
    bucket.put(f"in/{name}", b"o" * 1_000_000)
    stage = stage_of(bucket)
    chunks = stage.chunks(looked_at(stage, name))
    read = [next(chunks)]
    bucket.put(f"in/{name}", b"n" * 1_000_000)
    with pytest.raises(ChangedError):
        read.extend(chunks)
    assert b"n" not in b"".join(read)


def test_content_replaced_within_a_second_is_another_version(bucket: Bucket) -> None:
    stage = stage_of(bucket)
    backend = s3_backends["123456789012"]["aws"]
    seen = set()
    for body in (b"one", b"two"):
        key = backend.put_object(bucket.name, "in/a.csv", body)
        key.last_modified = key.last_modified.replace(
            year=2024, minute=0, second=7, microsecond=0
        )
        [listed] = stage.refresh()
        assert stage.look("a.csv") == listed
        seen.add((listed.size, listed.mtime_ns, listed.ctime_ns))
    assert len(seen) == 2


# What is done afterwards


def test_only_this_version_is_removed(bucket: Bucket) -> None:
    bucket.put("in/a.csv", b"old")
    stage = stage_of(bucket)
    file = looked_at(stage, "a.csv")
    bucket.put("in/a.csv", b"new")
    stage.remove(file)
    assert bucket.body("in/a.csv") == b"new"
    stage.remove(looked_at(stage, "a.csv"))
    assert bucket.keys() == []


def test_in_a_bucket_with_versions_an_older_one_does_not_come_back(
    bucket: Bucket,
) -> None:
    bucket.server.s3.put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    stage = stage_of(bucket)
    for body in (b"old", b"new"):
        bucket.put("in/a.csv", body)
    [listed] = stage.refresh()
    file = stage.look("a.csv")
    assert file == listed
    assert file is not None
    assert file.version_id
    assert b"".join(stage.chunks(file)) == b"new"
    stage.tag(file, {"loaded": "yes"})
    stage.remove(file)
    assert stage.look("a.csv") is None
    assert stage.refresh() == []
    with pytest.raises(ChangedError):
        list(stage.chunks(file))


def test_what_lies_in_the_archive_is_kept(bucket: Bucket) -> None:
    stage = stage_of(bucket)
    for body in (b"one", b"two", b"two"):
        bucket.put("in/sub/a b.csv", body)
        stage.archive(looked_at(stage, "sub/a b.csv"), ".loaded/")
    assert bucket.keys() == [
        "in/.loaded/sub/a b.csv",
        "in/.loaded/sub/a b.csv.2",
    ]
    assert bucket.body("in/.loaded/sub/a b.csv") == b"one"
    assert bucket.body("in/.loaded/sub/a b.csv.2") == b"two"


def test_another_version_is_not_archived(bucket: Bucket) -> None:
    bucket.put("in/a.csv", b"old")
    stage = stage_of(bucket)
    file = looked_at(stage, "a.csv")
    bucket.put("in/a.csv", b"new")
    stage.archive(file, ".loaded")
    assert bucket.keys() == ["in/a.csv"]


def test_tags_are_added_to_those_there_are(bucket: Bucket) -> None:
    bucket.put("in/a.csv")
    stage = stage_of(bucket)
    stage.tag(looked_at(stage, "a.csv"), {"loaded": "no", "team": "shop"})
    stage.tag(looked_at(stage, "a.csv"), {"loaded": "yes"})
    said = bucket.server.s3.get_object_tagging(Bucket=bucket.name, Key="in/a.csv")
    tags = {each["Key"]: each["Value"] for each in said["TagSet"]}
    assert tags == {"loaded": "yes", "team": "shop"}


# What the queue tells


@pytest.mark.parametrize("through_topic", [False, True])
def test_new_files_are_told_and_then_let_go_of(
    server: S3Server, through_topic: bool
) -> None:
    bucket = server.make_bucket(through_topic=through_topic)
    awake = threading.Event()
    stage = stage_of(bucket)
    stage.watch(awake.set)
    try:
        bucket.put("in/sub/a b+c.csv")
        assert awake.wait(10)
        assert told_to(stage, 1) == {"sub/a b+c.csv"}
        stage.acknowledge(lambda _: True)
        assert bucket.queued() >= 1
        stage.acknowledge(lambda _: False)
        wait_until(lambda: bucket.queued() == 0)
        assert stage.notified().placed == set()
    finally:
        stage.unwatch()


def test_a_message_the_loop_has_not_taken_is_not_deleted(bucket: Bucket) -> None:
    with watching(bucket) as stage:
        bucket.put("in/a.csv")
        state = stage.channel
        assert state is not None
        wait_until(lambda: state.outstanding == 1)
        stage.acknowledge(lambda _: False)
        assert state.outstanding == 1
        assert stage.notified().placed == {"a.csv"}
        stage.acknowledge(lambda _: False)
        assert state.outstanding == 0


def test_what_is_none_of_our_business_is_deleted(bucket: Bucket) -> None:
    bucket.put("out/a.csv")
    bucket.put("in/.hidden.csv")
    bucket.send({"hello": "there"})
    assert bucket.queued() == 4  # one of them the test message of the bucket itself
    with watching(bucket) as stage:
        wait_until(lambda: bucket.queued() == 0)
        assert stage.notified().placed == set()


def test_a_deletion_tells_of_nothing(bucket: Bucket) -> None:
    record = {
        "eventVersion": "2.1",
        "eventName": "ObjectRemoved:Delete",
        "s3": {"bucket": {"name": bucket.name}, "object": {"key": "in/a.csv"}},
    }
    bucket.send({"Records": [record]})
    with watching(bucket) as stage:
        wait_until(lambda: bucket.queued() == 0)
        assert stage.notified().placed == set()


def test_an_event_of_the_bus_tells_its_key_as_it_is(bucket: Bucket) -> None:
    detail = {"bucket": {"name": bucket.name}, "object": {"key": "in/a+b%20c.csv"}}
    bucket.send({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})
    with watching(bucket) as stage:
        assert told_to(stage, 1) == {"a+b%20c.csv"}


def test_a_message_is_held_while_its_file_is_pending(bucket: Bucket) -> None:
    with watching(bucket, visibility_timeout="2s") as stage:
        bucket.put("in/a.csv")
        assert told_to(stage, 1) == {"a.csv"}
        clock = SystemClock()
        until = clock.monotonic() + 4.5
        while clock.monotonic() < until:
            stage.acknowledge(lambda _: True)
            assert stage.notified().placed == set(), "it was delivered again"
            clock.wait(threading.Event(), 0.05)


def test_a_message_nobody_holds_comes_again_and_can_be_let_go_of(
    bucket: Bucket,
) -> None:
    with watching(bucket, visibility_timeout="1s") as stage:
        bucket.put("in/a.csv")
        assert told_to(stage, 1) == {"a.csv"}
        assert told_to(stage, 1) == {"a.csv"}

        def let_go() -> bool:
            stage.notified()
            stage.acknowledge(lambda _: False)
            return bucket.queued() == 0

        wait_until(let_go)


def test_a_message_that_cannot_be_read_goes_to_the_dead_letter_queue(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    dead_url, dead_arn = bucket.server.make_queue()
    bucket.send("this is no JSON")
    changes = {"dead_letter_queue": dead_arn, "queue_receives_max": 2}
    with watching(bucket, visibility_timeout="1s", **changes) as stage:
        wait_until(lambda: bucket.queued() == 0)
        state = stage.channel
        assert state is not None
        assert state.unread_count == 2
    answer = bucket.server.sqs.receive_message(QueueUrl=dead_url)
    assert [each["Body"] for each in answer["Messages"]] == ["this is no JSON"]
    assert "cannot be read: it is not JSON" in caplog.text


def test_without_a_dead_letter_queue_it_is_left_to_the_queue(bucket: Bucket) -> None:
    bucket.send("this is no JSON")
    with watching(bucket, visibility_timeout="1s", queue_receives_max=1) as stage:
        bucket.put("in/a.csv")
        assert told_to(stage, 1) == {"a.csv"}
        state = stage.channel
        assert state is not None
        wait_until(lambda: state.unread_count >= 3)

        def only_it_is_left() -> bool:
            stage.notified()
            stage.acknowledge(lambda _: False)
            return bucket.queued() == 1

        wait_until(only_it_is_left)


def test_no_more_is_received_than_may_be_held(bucket: Bucket) -> None:
    for number in range(60):
        bucket.put(f"in/{number}.csv", b"x")
    with watching(bucket, queue_messages_max=20) as stage:
        state = stage.channel
        assert state is not None
        told: set[str] = set()

        def all_told() -> bool:
            told.update(stage.notified().placed)
            assert state.outstanding <= 20
            stage.acknowledge(lambda _: False)
            return len(told) == 60

        told |= told_to(stage, 11)
        SystemClock().wait(threading.Event(), 0.3)
        assert state.received_count <= 21
        wait_until(all_told)
        wait_until(lambda: bucket.queued() == 0)


@pytest.mark.parametrize("form", ["url", "arn", "name"])
def test_a_queue_can_be_named_three_ways(bucket: Bucket, form: str) -> None:
    given = {
        "url": bucket.queue_url.replace("localhost", "127.0.0.1"),
        "arn": bucket.queue_arn,
        "name": bucket.queue_arn.rsplit(":", 1)[-1],
    }[form]
    bucket.put("in/a.csv")
    with watching(bucket, queue=given) as stage:
        assert told_to(stage, 1) == {"a.csv"}


def test_a_queue_that_is_not_there_is_said_and_waited_for(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"later-than-{bucket.name}"
    with watching(bucket, queue=name) as stage:
        state = stage.channel
        assert state is not None
        wait_until(lambda: state.problem is not None)
        assert name in caplog.text
        made = bucket.server.sqs.create_queue(QueueName=name)["QueueUrl"]
        bucket.server.sqs.send_message(
            QueueUrl=made,
            MessageBody=json.dumps(
                {
                    "Records": [
                        {
                            "eventName": "ObjectCreated:Put",
                            "s3": {
                                "bucket": {"name": bucket.name},
                                "object": {"key": "in/a.csv"},
                            },
                        }
                    ]
                }
            ),
        )
        assert told_to(stage, 1) == {"a.csv"}
        assert state.problem is None


# What can be wrong


def test_a_bucket_that_is_not_there_is_unreachable(bucket: Bucket) -> None:
    stage = stage_of(bucket, path="s3://no-such-bucket/in")
    with pytest.raises(UnreachableError, match="NoSuchBucket"):
        stage.refresh()


@pytest.mark.long
def test_a_server_that_is_not_there_is_unreachable(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell-anybody")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        stage = stage_of(bucket, endpoint=endpoint)
        bucket.put("in/a.csv")
        file = looked_at(stage_of(bucket), "a.csv")
        with caplog.at_level(logging.DEBUG, "snowmelt"):
            with pytest.raises(UnreachableError) as listing:
                stage.refresh()
            with pytest.raises(UnreachableError) as look:
                stage.look("a.csv")
            monkeypatch.setattr(s3, "TRIES_MAX", 1)
            with pytest.raises(UnreachableError) as read:
                list(stage.chunks(file))
    said = caplog.text + "".join(map(str, (listing.value, look.value, read.value)))
    assert "do-not-tell-anybody" not in said


def test_without_credentials_it_says_how_to_give_some(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match="Set AWS_PROFILE"):
        stage_of(bucket)


def test_a_profile_that_is_not_there_is_said(bucket: Bucket) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        stage_of(bucket, profile="nobody")


@pytest.mark.parametrize("package", ["boto3", "obstore.store"])
def test_without_its_packages_it_says_what_to_install(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ConfigError, match=r"pip install 'snowmelt\[s3\]'"):
        stage_of(bucket)


def test_the_path_decides_which_stage_is_opened(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    clock = SystemClock()
    local = open_stage(
        bucket.config().model_copy(update={"path": "x"}), tmp_path, clock
    )
    assert isinstance(local, LocalFolder)
    assert isinstance(open_stage(bucket.config(), tmp_path, clock), S3Stage)
