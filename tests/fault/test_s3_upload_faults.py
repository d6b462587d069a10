"""Landing into a bucket: killed on the way, and through a bad network."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_proxy import Faults, started_proxy

from s3_server import Bucket, S3Server, started_server
from snowmelt.clock import SystemClock
from snowmelt.errors import UnreachableError
from snowmelt.landing import s3_multipart, s3_upload
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.s3_upload import LandOptions

PART = 5 << 20
KILLED = """
import sys, threading
from pathlib import Path
from snowmelt.clock import SystemClock
from snowmelt.landing import s3_multipart, s3_upload
from snowmelt.landing.config import LandingConfig
s3_upload.LARGE_BYTES_MIN = s3_multipart.PART_BYTES_MIN = 5 << 20
def tell(name, done, total):
    print(done, flush=True)
    threading.Event().wait()
url, bucket, file, root = sys.argv[1:]
config = LandingConfig(path=f"s3://{bucket}/in", endpoint=url, allow_http=True)
s3_upload.land([Path(file)], config, Path(root), SystemClock(),
               s3_upload.LandOptions(threads=1), tell)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    return server.make_bucket()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "LARGE_BYTES_MIN", PART)
    monkeypatch.setattr(s3_multipart, "PART_BYTES_MIN", PART)


def land(files: list[Path], config: LandingConfig, root: Path, threads: int) -> None:
    s3_upload.land(files, config, root, SystemClock(), LandOptions(threads=threads))


def written(folder: Path, name: str, body: bytes) -> Path:
    path = folder / "origin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)
    return path


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("changed", [False, True])
def test_an_upload_that_was_killed_goes_on(
    bucket: Bucket, tmp_path: Path, changed: bool
) -> None:
    body = bytearray(random.Random(2).randbytes(3 * PART + 17))
    file = written(tmp_path, "big.csv", bytes(body))
    arguments = [bucket.server.url, bucket.name, str(file), str(tmp_path)]
    upload = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert upload.stdout is not None
    with upload.stdout:
        first = upload.stdout.readline().strip()
        upload.kill()
        upload.wait()
    assert first == str(PART)
    assert bucket.keys() == []
    if changed:
        body[3] ^= 1
        file.write_bytes(body)
    faults = Faults(0, rate=0)
    with started_proxy(bucket.server.url, faults) as url:
        state = json.loads(
            next((tmp_path / ".snowmelt/uploads").glob("*.json")).read_text()
        )
        moved = s3_multipart.state_path(
            tmp_path / ".snowmelt/uploads", url, bucket.name, "in/big.csv"
        )
        moved.write_text(json.dumps(state))
        land([file], bucket.config(endpoint=url), tmp_path, 1)
    sent = [asked for asked, _ in faults.decisions if "partNumber=" in asked]
    assert [asked.partition("partNumber=")[2][0] for asked in sent] == (
        ["1", "2", "3", "4"] if changed else ["2", "3", "4"]
    )
    assert bucket.body("in/big.csv") == body


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_files_arrive_through_a_bad_network(
    bucket: Bucket, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    files = [written(tmp_path, f"{n}.csv", chance.randbytes(900)) for n in range(60)]
    files.append(written(tmp_path, "odd\n.csv", b"odd"))
    files.append(written(tmp_path, "big.csv", chance.randbytes(2 * PART + 5)))
    faults = Faults(seed, rate=0.1)
    with started_proxy(bucket.server.url, faults) as url:
        for _ in range(3):
            try:
                land(files, bucket.config(endpoint=url), tmp_path, 8)
                break
            except UnreachableError:
                continue
    for file in files:
        assert bucket.body(f"in/{file.name}") == file.read_bytes(), faults.told()
