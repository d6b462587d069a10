"""The canary's bucket, on a server that speaks S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3_server import started_server
from shipped import TARGET, make_project
from snowmelt.clock import SystemClock
from snowmelt.deploy.canary.bucket import open_bucket
from snowmelt.deploy.opening import names_of
from snowmelt.errors import SnowmeltError

pytestmark = pytest.mark.long


def test_files_are_put_listed_and_deleted_below_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_server() as server:
        aws = TARGET["aws"] | {"endpoint": server.url}
        monkeypatch.setitem(TARGET, "aws", aws)
        project = make_project(tmp_path)
        bucket = open_bucket(names_of(project, "prod"), SystemClock())
        with pytest.raises(SnowmeltError, match="shop-landing"):
            bucket.put("raw/snowmelt-canary/1/a.canary", b"1")
        bucket._client.create_bucket(
            Bucket="shop-landing",
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        for number in range(3):
            bucket.put(f"raw/snowmelt-canary/1/{number}.canary", b"1")
        bucket.put("raw/orders/1.csv", b"theirs")
        keys = bucket.keys("raw/snowmelt-canary/1/")
        assert len(keys) == 3
        for key in keys:
            bucket.delete(key)
            bucket.delete(key)
        assert not bucket.keys("raw/snowmelt-canary/1/")
        assert bucket.keys("raw/") == ["raw/orders/1.csv"]
