"""Landing into a bucket: whole files, odd names, pieces, uploads that were killed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from s3_server import Bucket, S3Server, started_server
from snowmelt.clock import SystemClock
from snowmelt.errors import UsageError
from snowmelt.landing import s3_multipart, s3_upload
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.s3 import S3Stage
from snowmelt.landing.s3_upload import LandOptions, Progress

PART = 5 << 20


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


def land(
    files: list[Path],
    config: LandingConfig,
    root: Path,
    progress: Progress | None = None,
    **options: Any,
) -> list[str]:
    return s3_upload.land(
        files, config, root, SystemClock(), LandOptions(**options), progress
    )


def written(folder: Path, name: str, body: bytes) -> Path:
    path = folder / "origin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)
    return path


def orders(count: int) -> bytes:
    """Return CSV with quotes and line ends in its fields."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["id", "note"])
    for number in range(count):
        note = "two\nlines" if number % 7 == 0 else f'say "{number * 7919}", please'
        rows.writerow([number, note])
    return text.getvalue().encode()


def rows_of(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


def test_names_and_bytes_arrive_as_they_are(bucket: Bucket, tmp_path: Path) -> None:
    chance = random.Random(5)
    names = [
        "a b+c.csv",
        "100%.csv",
        "é😀.csv",
        "new\nline.csv",
        "q'\".csv",
        "[x]*.csv",
    ]
    names += [f"{number}.csv" for number in range(40)]
    files = [
        written(tmp_path, n, chance.randbytes(chance.randrange(999))) for n in names
    ]
    assert land(files, bucket.config(), tmp_path, into="sub/day=1") == [
        f"sub/day=1/{name}" for name in names
    ]
    assert sorted(bucket.keys()) == sorted(f"in/sub/day=1/{name}" for name in names)
    for file in files:
        assert bucket.body(f"in/sub/day=1/{file.name}") == file.read_bytes()
    listed = S3Stage(bucket.config(), SystemClock()).refresh()
    assert {each.name for each in listed} == {f"sub/day=1/{name}" for name in names}
    assert not list((tmp_path / ".snowmelt" / "uploads").iterdir())


def test_all_are_checked_before_the_first_is_put(
    bucket: Bucket, tmp_path: Path
) -> None:
    good = written(tmp_path, "a.csv", b"1")
    hidden = written(tmp_path, ".b.csv", b"1")
    same = written(tmp_path, "a.csv.gz", gzip.compress(b"1"))
    refused: list[tuple[list[Path], dict[str, Any], str]] = [
        ([good, hidden], {}, "hidden"),
        ([good, tmp_path / "gone.csv"], {}, "no file"),
        ([good, good], {}, "two files"),
        ([good, same], {"compression": "gzip"}, "same name"),
        ([good], {"into": "../x"}, "outside"),
        ([good], {"into": "/x"}, "outside"),
        ([good], {"into": ".x"}, "never loaded"),
        ([good], {"split_bytes": 10}, "at least"),
    ]
    for files, options, problem in refused:
        with pytest.raises(UsageError, match=problem):
            land(files, bucket.config(), tmp_path, **options)
    assert bucket.keys() == []


def test_progress_ends_with_every_file(bucket: Bucket, tmp_path: Path) -> None:
    files = [written(tmp_path, f"{n}.csv", b"x" * n) for n in range(1, 9)]
    told: list[tuple[str, int, int]] = []
    land(files, bucket.config(), tmp_path, lambda *each: told.append(each))
    assert sorted(told) == [(f"{n}.csv", n, n) for n in range(1, 9)]


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_goes_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    body = random.Random(1).randbytes(2 * PART + 17)
    file = written(tmp_path, "big a+b.csv", body)
    told: list[int] = []
    land([file], bucket.config(), tmp_path, lambda _, done, __: told.append(done))
    assert bucket.body("in/big a+b.csv") == body
    assert told == sorted(told)
    assert told[-1] == len(body)
    assert not list((tmp_path / ".snowmelt" / "uploads").iterdir())


@pytest.mark.usefixtures("small_parts")
def test_an_upload_the_bucket_forgot_begins_anew(
    bucket: Bucket, tmp_path: Path
) -> None:
    body = random.Random(3).randbytes(PART + 17)
    file = written(tmp_path, "big.csv", body)
    uploads = tmp_path / ".snowmelt" / "uploads"
    uploads.mkdir(parents=True)
    state = s3_multipart.state_path(
        uploads, bucket.server.url, bucket.name, "in/big.csv"
    )
    known = {"bucket": bucket.name, "key": "in/big.csv", "part_bytes": PART}
    for left in (json.dumps({**known, "upload_id": "forgotten"}), "{not json", "[]"):
        state.write_text(left)
        land([file], bucket.config(), tmp_path)
        assert bucket.body("in/big.csv") == body
        bucket.delete("in/big.csv")


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_csv_is_split_where_records_end(
    bucket: Bucket, tmp_path: Path, compression: str | None
) -> None:
    body = orders(40_000)
    file = written(tmp_path, "orders.csv", body)
    names = land(
        [file],
        bucket.config(),
        tmp_path,
        split_bytes=1 << 16,
        compression=compression,
    )
    ending = {None: "", "gzip": ".gz", "zstd": ".zst"}[compression]
    assert len(names) > 2
    assert names == [f"orders_{n:04d}.csv{ending}" for n in range(1, len(names) + 1)]
    rows: list[list[str]] = []
    for name in names:
        put = bucket.body(f"in/{name}")
        assert len(put) < 1_000_000
        piece = rows_of(_plain(put, compression))
        assert piece[0] == ["id", "note"]
        rows.extend(piece[1:])
    assert rows == rows_of(body)[1:]


def test_json_lines_are_split_and_stay_compressed(
    bucket: Bucket, tmp_path: Path
) -> None:
    chance = random.Random(4)
    lines = [json.dumps({"n": n, "x": chance.random()}) for n in range(60_000)]
    body = "\n".join(lines).encode()
    file = written(tmp_path, "events.ndjson.gz", gzip.compress(body))
    names = land([file], bucket.config(), tmp_path, split_bytes=1 << 16)
    assert len(names) > 2
    assert names[0] == "events_0001.ndjson.gz"
    put = [gzip.decompress(bucket.body(f"in/{name}")) for name in names]
    assert b"".join(put) == body
    assert all(each.endswith(b"\n") for each in put[:-1])


def test_text_is_compressed_and_the_rest_left_alone(
    bucket: Bucket, tmp_path: Path
) -> None:
    files = [
        written(tmp_path, "a.csv", b"a,b\n1,2\n"),
        written(tmp_path, "b.parquet", b"PAR1"),
        written(tmp_path, "c.csv.zst", zstandard.compress(b"a\n1\n")),
        written(tmp_path, "empty.csv", b""),
    ]
    names = land(files, bucket.config(), tmp_path, compression="gzip")
    assert names == ["a.csv.gz", "b.parquet", "c.csv.zst", "empty.csv.gz"]
    assert gzip.decompress(bucket.body("in/a.csv.gz")) == b"a,b\n1,2\n"
    assert bucket.body("in/b.parquet") == b"PAR1"
    assert bucket.body("in/c.csv.zst") == files[2].read_bytes()


def test_a_file_that_is_not_what_its_name_says_is_refused(
    bucket: Bucket, tmp_path: Path
) -> None:
    for name in ("a.csv.gz", "a.csv.zst"):
        file = written(tmp_path, name, b"not compressed")
        with pytest.raises(UsageError, match="cannot be read"):
            land([file], bucket.config(), tmp_path, split_bytes=1 << 16)
    assert not list((tmp_path / ".snowmelt" / "uploads").iterdir())


def _plain(body: bytes, compression: str | None) -> bytes:
    if compression == "gzip":
        return gzip.decompress(body)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(body).read()
    return body
