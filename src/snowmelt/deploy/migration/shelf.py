"""Where shipped files lie: below the stage, in a place that no pipe looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.snowflake.places import PipeFile
from snowmelt.errors import ConfigError
from snowmelt.pipe.pattern import compile_pattern

PLACE = ".snowmelt/migrated/"
"""Below the stage; what begins with a dot our own service never loads."""


class Shelf:
    """The files of one project's migration, in the bucket."""

    def __init__(self, calls: Calls, bucket: str, folder: str) -> None:
        self._calls = calls
        self._bucket = bucket
        self._folder = folder

    def names(self, place: str) -> Mapping[str, int]:
        """Return what lies in a place, by name, with its size."""
        found: dict[str, int] = {}
        prefix = self._key(place, "")
        words: dict[str, str] = {"Bucket": self._bucket, "Prefix": prefix}
        while True:
            with self._there():
                answer = self._calls.ask("s3", "list_objects_v2", **words)
            for each in answer.get("Contents", ()):
                found[str(each["Key"]).removeprefix(prefix)] = int(each["Size"])
            if not answer.get("IsTruncated"):
                return found
            words["ContinuationToken"] = answer["NextContinuationToken"]

    def put(self, place: str, name: str, path: Path) -> None:
        """Put a file there: it is there as a whole, or not."""
        with path.open("rb") as body, self._there():
            self._calls.tell(
                "s3",
                "put_object",
                Bucket=self._bucket,
                Key=self._key(place, name),
                Body=body,
            )

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except Missing:
            raise ConfigError(
                f"s3://{self._bucket}",
                "there is no such bucket",
                "Deploy first: snowmelt deploy apply",
            ) from None

    def below_stage(self, place: str, name: str) -> str:
        """Return a file's path as the stage has it."""
        return f"{PLACE}{place}/{name}"

    def _key(self, place: str, name: str) -> str:
        return f"{self._folder}{self.below_stage(place, name)}"


def require_unwatched(files: Sequence[PipeFile]) -> None:
    """Refuse pipes that would load what is shipped as if it had been sent."""
    example = f"{PLACE}orders/000000000001.0-000000000002.0-1f.moved"
    for each in files:
        if compile_pattern(each.pipe.pattern).fullmatch(example):
            raise ConfigError(
                each.at("pattern"),
                f"'{each.pipe.pattern}' takes files below {PLACE} too: this pipe would "
                "load what is shipped",
                "Write which folder or ending its files have, such as *.csv, and "
                "`snowmelt deploy apply`.",
            )
