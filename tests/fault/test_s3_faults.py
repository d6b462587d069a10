"""A bucket and its queue through a bad network: nothing lost, nothing half read."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from fault_proxy import Fault, Faults, started_proxy

from s3_server import Bucket, S3Server, started_server
from snowmelt.clock import SystemClock
from snowmelt.errors import ChangedError, UnreachableError
from snowmelt.landing.s3 import S3Stage
from snowmelt.landing.stage import StagedFile

CLOCK = SystemClock()
THREADS = 12
SEED = 2
LONG_SEEDS = [11, 12, 13]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


@dataclass
class Reader:
    """A small loop over a stage: looks where it is told, reads, and lets go."""

    stage: S3Stage
    read: dict[str, list[str]] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    seen: dict[str, StagedFile] = field(default_factory=dict)
    unreachable: int = 0

    def turn(self, threads: ThreadPoolExecutor) -> None:
        """Take what is told, read some files, let go of what is read."""
        list(threads.map(self._offer, self.stage.notified().placed))
        list(threads.map(self._read, sorted(self.pending)[: 2 * THREADS]))
        self.stage.acknowledge(self.pending.__contains__)

    def refresh(self) -> None:
        """List, until it can be had, and read what nobody told of."""
        try:
            for file in self.stage.refresh():
                if self.seen.get(file.name) != file:
                    self.pending.add(file.name)
        except UnreachableError:
            self.unreachable += 1

    def _offer(self, name: str) -> None:
        try:
            file = self.stage.look(name)
        except UnreachableError:
            self.unreachable += 1
            self.pending.add(name)
            return
        if file is not None and self.seen.get(name) != file:
            self.pending.add(name)

    def _read(self, name: str) -> None:
        try:
            file = self.stage.look(name)
            if file is None or self.seen.get(name) == file:
                self.pending.discard(name)
                return
            body = b"".join(self.stage.chunks(file))
        except UnreachableError:
            self.unreachable += 1
            return
        except ChangedError:
            return
        assert len(body) == file.size
        self.seen[name] = file
        self.read.setdefault(name, []).append(hashlib.sha256(body).hexdigest())
        self.pending.discard(name)


def bodies(seed: int, count: int) -> dict[str, list[bytes]]:
    """Return names and their versions: small files, some odd, some put twice."""
    chance = random.Random(seed)
    made: dict[str, list[bytes]] = {}
    for number in range(count):
        odd = chance.choice(["", "", "", " +", "//", "/../", "%20", "é"])
        size = 0 if chance.random() < 0.02 else chance.randrange(10, 4_000)
        versions = [chance.randbytes(size)]
        if chance.random() < 0.1:
            versions.append(chance.randbytes(chance.randrange(10, 4_000)))
        made[f"{odd}{number:04d}.csv"] = versions
    big = f"big-{seed}.bin"
    made[big] = [chance.randbytes(3_000_000)]
    return made


def put_all(bucket: Bucket, made: dict[str, list[bytes]]) -> None:
    """Put every version of every file, each file's in order."""

    def put(name: str) -> None:
        for body in made[name]:
            bucket.put(f"in/{name}", body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, made))


def run_to_the_end(reader: Reader, faults: Faults, names: set[str]) -> None:
    """Turn until all is read and let go of; towards the end the network heals."""
    started_at = CLOCK.monotonic()
    listed_at = started_at
    threads = ThreadPoolExecutor(THREADS)
    while CLOCK.monotonic() - started_at < 200:
        reader.turn(threads)
        now = CLOCK.monotonic()
        if now - listed_at > 2:
            listed_at = now
            reader.refresh()
        state = reader.stage.channel
        assert state is not None
        if names <= set(reader.read):
            faults.healed = True
        if faults.healed and not reader.pending and state.outstanding == 0:
            return
        CLOCK.wait(threading.Event(), 0.005)
    raise AssertionError(f"{len(names - set(reader.read))} files were not read")


def settle_queue(reader: Reader, bucket: Bucket) -> None:
    """Turn until the queue is empty."""
    give_up_at = CLOCK.monotonic() + 30
    threads = ThreadPoolExecutor(THREADS)
    while bucket.queued() and CLOCK.monotonic() < give_up_at:
        reader.turn(threads)
        CLOCK.wait(threading.Event(), 0.05)
    assert bucket.queued() == 0


@contextmanager
def told_on_failure(faults: Faults) -> Iterator[Faults]:
    """Print the seed, and what was spoilt, when the block fails."""
    try:
        yield faults
    except BaseException:
        print(faults.told())  # noqa: T201 - shown with the failure
        raise


def check_all_read(server: S3Server, faults: Faults, count: int) -> None:
    """The promise: through the proxy every file is read, whole, and let go of."""
    made = bodies(faults.seed, count)
    bucket = server.make_bucket()
    with started_proxy(server.url, faults) as url:
        config = bucket.config(endpoint=url, visibility_timeout="10s")
        reader = Reader(S3Stage(config, CLOCK, poll_seconds=1))
        reader.stage.watch(lambda: None)
        putting = threading.Thread(target=put_all, args=(bucket, made))
        putting.start()
        try:
            run_to_the_end(reader, faults, set(made))
            putting.join()
            reader.refresh()
            run_to_the_end(reader, faults, set(made))
            settle_queue(reader, bucket)
        finally:
            putting.join()
            reader.stage.unwatch()
    struck = {fault for _, fault in faults.decisions}
    assert struck >= set(Fault) - {Fault.TWICE}, "not every kind of fault struck"
    for name, versions in made.items():
        digests = [hashlib.sha256(body).hexdigest() for body in versions]
        assert set(reader.read[name]) <= set(digests), f"{name} was half read"
        assert reader.read[name][-1] == digests[-1], f"{name}: the last is not read"


@pytest.mark.long
def test_every_file_comes_through_a_bad_network(server: S3Server) -> None:
    with told_on_failure(Faults(SEED, rate=0.2)) as faults:
        check_all_read(server, faults, 100)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_a_thousand_files_come_through_a_bad_network(
    server: S3Server, seed: int
) -> None:
    with told_on_failure(Faults(seed, rate=0.2)) as faults:
        check_all_read(server, faults, 1_000)
