"""Files land in a bucket that tells a queue, gold appears: all on this machine.

The bucket and the queue are moto's, on loopback: nothing leaves this machine, and no
account is needed.
"""

from __future__ import annotations

import sys

from template_demo import ROOT, TemplateDemo, say

sys.path.insert(0, str(ROOT / "tests"))

from s3_server import Bucket, started_server


def landing_of(bucket: Bucket) -> str:
    """Return how the project names its bucket."""
    queue = bucket.queue_url.rsplit("/", 1)[-1]
    return (
        f"landing: {{path: 's3://{bucket.name}/in', queue: {queue},\n"
        f"          endpoint: '{bucket.server.url}', allow_http: true}}"
    )


def main() -> int:
    """Run the demo; return the exit code."""
    with started_server() as server:
        bucket = server.make_bucket()
        landing = f"s3://{bucket.name}/in"
        demo = TemplateDemo(ROOT / ".demo" / "s3", "olist", arrives_in=landing)
        demo.prepare()
        settings = demo.shop / "snowmelt.yml"
        kept = [
            line
            for line in settings.read_text().splitlines()
            if not line.startswith("landing:")
        ]
        settings.write_text("\n".join([*kept, landing_of(bucket)]) + "\n")
        say(f"\n{landing_of(bucket)}")

        def show_queue() -> None:
            say(f"\n{len(bucket.keys())} objects in s3://{bucket.name}/in")
            say(f"{bucket.queued()} messages left in the queue")

        return demo.run(show_queue)


if __name__ == "__main__":
    sys.exit(main())
