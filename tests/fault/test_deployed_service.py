"""A file lands in the bucket that `deploy` made, and our service has loaded it."""

from __future__ import annotations

from pathlib import Path

from small_shop import columns, open_shop

from aws_cloud import started_account
from s3_server import wait_until

ORDERS = {
    "name": "orders",
    "pattern": "orders/*.csv",
    "contract": columns("id integer, name varchar"),
}


def test_a_file_goes_all_the_way(tmp_path: Path) -> None:
    """From bucket to topic, queue and service; outside the prefix nobody is told."""
    with started_account() as make:
        account = make()
        account.apply()
        site, s3, sqs = account.site, account.client("s3"), account.client("sqs")
        url = sqs.get_queue_url(QueueName=site.queue)["QueueUrl"]
        landing = {
            "path": f"s3://{site.bucket}/{site.prefix}",
            "queue": site.queue,
            "dead_letter_queue": site.dead_letters,
            "endpoint": account.url,
            "region": site.region,
            "allow_http": True,
            "refresh_every": "1h",
        }

        def queued() -> int:
            said = sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(said["Attributes"]["ApproximateNumberOfMessages"])

        with open_shop(tmp_path / "shop", [ORDERS], landing=landing) as shop:
            stage = shop.parts.stage
            shop.load()
            stage.watch(shop.loop.wake.set)
            try:
                for key in ("raw/orders/a.csv", "other/orders/b.csv"):
                    s3.put_object(Bucket=site.bucket, Key=key, Body=b"id,name\n1,a\n")

                def is_done() -> bool:
                    shop.loop.turn()
                    rows = shop.rows("select _file, id from bronze.orders")
                    return rows == [("orders/a.csv", 1)] and queued() == 0

                wait_until(is_done, 60)
            finally:
                stage.unwatch()
